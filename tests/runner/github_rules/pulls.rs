//! Pull requests: opened, changed, added to, and what moving branches does to them.

use super::{Client, FILE, infra};
use crate::runner::github_server::pull::PullState;
use crate::runner::github_server::{Hosted, Level};
use serde_json::{Value, json};

const PULLS: &str = "/repos/acme/infra/pulls";

fn open(client: &Client, head: &str) -> Value {
    let reply =
        client.post(PULLS, &json!({ "title": "Deploy", "body": "Why", "head": head, "base": "main" }));
    assert_eq!(reply.status, 201, "{:?}", reply.told());
    reply.json()
}

fn state(hosted: &Hosted, number: u64) -> (PullState, String) {
    let pull = hosted.pull(number);
    (pull.state, pull.head_sha)
}

#[test]
fn opening_and_listing() {
    let (_server, hosted, client) = infra();
    let sha = hosted.push("deploy/shop", "Image", &[(FILE, "images: [a]\n")]);
    let pull = open(&client, "deploy/shop");
    assert_eq!((&pull["number"], &pull["state"], &pull["draft"]), (&json!(1), &json!("open"), &json!(false)));
    assert_eq!((&pull["head"]["sha"], &pull["head"]["label"]), (&json!(sha), &json!("acme:deploy/shop")));
    assert_eq!((&pull["base"]["ref"], &pull["user"]["login"]), (&json!("main"), &json!("octo")));
    assert_eq!((&pull["title"], &pull["body"]), (&json!("Deploy"), &json!("Why")));
    assert!(pull["html_url"].as_str().unwrap().ends_with("/acme/infra/pull/1"));
    assert_eq!((&pull["mergeable"], &pull["mergeable_state"]), (&json!(null), &json!("unknown")));
    let seen = client.get(&format!("{PULLS}/1")).json();
    assert_eq!((&seen["mergeable"], &seen["mergeable_state"]), (&json!(true), &json!("clean")));
    let mut errors: Vec<(Value, &str)> = vec![
        (
            json!({ "title": "t", "head": "deploy/shop", "base": "main" }),
            "A pull request already exists for acme:deploy/shop.",
        ),
        (
            json!({ "title": "t", "head": "acme:deploy/shop", "base": "main" }),
            "A pull request already exists for acme:deploy/shop.",
        ),
        (json!({ "title": "t", "head": "main", "base": "main" }), "No commits between main and main"),
        (json!({ "title": "t", "head": "none", "base": "main" }), "head:invalid"),
        (json!({ "title": "t", "head": "deploy/shop", "base": "none" }), "base:invalid"),
        (json!({ "title": " ", "head": "deploy/shop", "base": "main" }), "title:missing_field"),
    ];
    let long = "x".repeat(257);
    errors.push((
        json!({ "title": long, "head": "deploy/shop", "base": "main" }),
        "title is too long (maximum is 256 characters)",
    ));
    let first = hosted.head("main").unwrap();
    hosted.push("main", "Later", &[("later", "1")]);
    hosted.reset("behind", &first);
    errors.push((
        json!({ "title": "t", "head": "behind", "base": "main" }),
        "No commits between main and behind",
    ));
    for (body, words) in errors {
        let told = client.post(PULLS, &body).told();
        assert_eq!(told, (422, format!("Validation Failed: {words}")), "{body}");
    }
    hosted.set(|home| home.drafts = false);
    hosted.push("other", "Other", &[("other", "1")]);
    let draft = json!({ "title": "t", "head": "other", "base": "main", "draft": true });
    let words = "Draft pull requests are not supported in this repository.";
    assert_eq!(client.post(PULLS, &draft).told(), (422, words.into()));
    hosted.set(|home| home.drafts = true);
    assert_eq!(client.post(PULLS, &draft).json()["draft"], true);

    let numbers = |query: &str| -> Vec<u64> {
        let list = client.get(&format!("{PULLS}{query}")).json();
        list.as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(""), [2, 1]);
    assert_eq!(numbers("?head=acme:deploy/shop&base=main"), [1]);
    assert_eq!(numbers("?state=open&head=ACME%3Adeploy%2Fshop&base=main"), [1]);
    assert_eq!(numbers("?head=acme:deploy/shop&base=other"), [0; 0]);
    assert_eq!(numbers("?head=deploy/shop"), [2, 1], "without an owner it says nothing");
    hosted.close(1);
    assert_eq!(
        (numbers(""), numbers("?state=closed"), numbers("?state=all")),
        (vec![2], vec![1], vec![2, 1])
    );
    let page = client.get(&format!("{PULLS}?state=all&per_page=1"));
    assert_eq!(page.json().as_array().unwrap().len(), 1);
    assert!(page.header("link").unwrap().contains("page=2&per_page=1>; rel=\"next\""));
    assert_eq!(numbers("?state=all&per_page=1&page=2"), [1]);
    assert_eq!(client.get(&format!("{PULLS}/9")).told(), (404, "Not Found".into()));
}

#[test]
fn changing() {
    let (_server, hosted, client) = infra();
    hosted.push("work", "Work", &[("w", "1")]);
    hosted.push("stable", "Stable", &[("s", "1")]);
    open(&client, "work");
    let one = format!("{PULLS}/1");
    let body = client.patch(&one, &json!({ "title": "New", "body": "Text" })).json();
    assert_eq!(
        (&body["title"], &body["body"], &body["state"]),
        (&json!("New"), &json!("Text"), &json!("open"))
    );
    assert_eq!(client.patch(&one, &json!({ "body": null })).json()["body"], json!(null));
    assert_eq!(client.patch(&one, &json!({ "base": "stable" })).json()["base"]["ref"], "stable");
    assert_eq!(client.patch(&one, &json!({ "title": "" })).told().0, 422);
    assert_eq!(client.patch(&one, &json!({ "state": "gone" })).told().1, "Validation Failed: state:invalid");
    let long = json!({ "body": "x".repeat(65_537) });
    assert_eq!(
        client.patch(&one, &long).told().1,
        "Validation Failed: body is too long (maximum is 65536 characters)"
    );
    assert_eq!(client.patch(&one, &json!({ "state": "closed" })).json()["state"], "closed");
    let words = "Validation Failed: Cannot change the base branch of a closed pull request.";
    assert_eq!(client.patch(&one, &json!({ "base": "main" })).told(), (422, words.into()));
    // Nothing has happened to the branch: it can come back.
    assert_eq!(client.patch(&one, &json!({ "state": "open" })).json()["state"], "open");
    assert_eq!(client.patch(&format!("{PULLS}/7"), &json!({})).told(), (404, "Not Found".into()));
}

#[test]
fn an_open_one_follows_its_branch_and_a_closed_one_does_not() {
    let (_server, hosted, client) = infra();
    hosted.push("work", "Work", &[("w", "1")]);
    open(&client, "work");
    let second = hosted.push("work", "More", &[("w", "2")]);
    assert_eq!(state(&hosted, 1), (PullState::Open, second.clone()));
    assert_eq!(client.get(&format!("{PULLS}/1")).json()["head"]["sha"], json!(second));
    assert_eq!(hosted.git(&["rev-parse", "refs/pull/1/head"]), Some(second.clone()));
    // A forced move onto another history is a move as any.
    let third = hosted.push("scratch", "Other", &[("w", "3")]);
    let body = json!({ "sha": third, "force": true });
    assert_eq!(client.patch("/repos/acme/infra/git/refs/heads/work", &body).status, 200);
    assert_eq!(state(&hosted, 1), (PullState::Open, third.clone()));
    client.patch(&format!("{PULLS}/1"), &json!({ "state": "closed" }));
    hosted.reset("work", &second);
    assert_eq!(state(&hosted, 1), (PullState::Closed, third));
    let told = client.patch(&format!("{PULLS}/1"), &json!({ "state": "open" })).told();
    let words = "Validation Failed: state cannot be changed. The work branch was force-pushed or recreated.";
    assert_eq!(told, (422, words.into()));
}

#[test]
fn a_head_without_commits_closes_it_for_good() {
    let (_server, hosted, client) = infra();
    let base = hosted.head("main").unwrap();
    let words = "Validation Failed: state cannot be changed. There are no new commits on the work branch.";
    let refs = "/repos/acme/infra/git/refs/heads/work";
    // Equal to the base, and behind it.
    for number in [1, 2] {
        let work = hosted.push("work", "Work", &[("w", &number.to_string())]);
        open(&client, "work");
        let forced = json!({ "sha": base, "force": true });
        assert_eq!(client.patch(refs, &forced).status, 200);
        assert_eq!(state(&hosted, number), (PullState::Closed, base.clone()));
        let reopened = client.patch(&format!("{PULLS}/{number}"), &json!({ "state": "open" }));
        assert_eq!(reopened.told(), (422, words.into()));
        // Not even when the commits are back.
        hosted.reset("work", &work);
        let reopened = client.patch(&format!("{PULLS}/{number}"), &json!({ "state": "open" }));
        assert_eq!(reopened.told(), (422, words.into()));
        hosted.delete("work");
        hosted.push("main", "Ahead", &[("m", &number.to_string())]);
    }
    // A new one can be opened.
    hosted.push("work", "Work", &[("w", "3")]);
    assert_eq!(open(&client, "work")["number"], 3);
}

#[test]
fn a_branch_that_goes_closes_it() {
    let (_server, hosted, client) = infra();
    let work = hosted.push("work", "Work", &[("w", "1")]);
    open(&client, "work");
    assert_eq!(client.send("DELETE", "/repos/acme/infra/git/refs/heads/work", None).status, 204);
    assert_eq!(state(&hosted, 1), (PullState::Closed, work.clone()));
    let one = format!("{PULLS}/1");
    let told = client.patch(&one, &json!({ "state": "open" })).told();
    let words = "Validation Failed: state cannot be changed. The work branch has been deleted.";
    assert_eq!(told, (422, words.into()));
    hosted.reset("work", &work);
    let pull = open(&client, "work");
    assert_eq!(pull["number"], 2);
    let words = "Validation Failed: A pull request already exists for acme:work.";
    assert_eq!(client.patch(&one, &json!({ "state": "open" })).told(), (422, words.into()));
    hosted.close(2);
    assert_eq!(client.patch(&one, &json!({ "state": "open" })).status, 200);
}

#[test]
fn a_base_that_has_its_commits_has_merged_it() {
    let (_server, hosted, client) = infra();
    let work = hosted.push("work", "Work", &[("w", "1")]);
    open(&client, "work");
    let moved = client.patch("/repos/acme/infra/git/refs/heads/main", &json!({ "sha": work }));
    assert_eq!(moved.status, 200);
    let body = client.get(&format!("{PULLS}/1")).json();
    assert_eq!((&body["state"], &body["merged"]), (&json!("closed"), &json!(true)));
    assert!(body["merged_at"].is_string());
    let told = client.patch(&format!("{PULLS}/1"), &json!({ "state": "open" })).told();
    let words = "Validation Failed: state cannot be changed. The pull request cannot be reopened.";
    assert_eq!(told, (422, words.into()));
    // By its button; the branch goes with it.
    hosted.set(|home| home.delete_on_merge = true);
    hosted.push("more", "More", &[("w", "2")]);
    open(&client, "more");
    let merge = hosted.merge(2);
    assert_eq!(hosted.head("main"), Some(merge.clone()));
    assert_eq!(hosted.pull(2).merge_commit, Some(merge));
    assert_eq!((hosted.pull(2).state, hosted.head("more")), (PullState::Merged, None));
    // What conflicts is said.
    hosted.push("third", "Third", &[("w", "3")]);
    open(&client, "third");
    hosted.push("main", "Meanwhile", &[("w", "4")]);
    let body = client.get(&format!("{PULLS}/3")).json();
    assert_eq!((&body["mergeable"], &body["mergeable_state"]), (&json!(false), &json!("dirty")));
}

#[test]
fn what_is_added_to_it() {
    let (_server, hosted, client) = infra();
    hosted.push("work", "Work", &[("w", "1")]);
    open(&client, "work");
    let labels = "/repos/acme/infra/issues/1/labels";
    let list = client.post(labels, &json!({ "labels": ["deploy", "Shop"] }));
    assert_eq!((list.status, &list.json()[1]["name"]), (200, &json!("Shop")));
    client.post(labels, &json!({ "labels": ["shop", "more"] }));
    assert_eq!(hosted.pull(1).labels, ["deploy", "Shop", "more"]);
    assert_eq!(
        client.post(labels, &json!({ "labels": ["x".repeat(51)] })).told().1,
        "Validation Failed: name:invalid"
    );
    assert_eq!(client.post(labels, &json!({})).told().0, 422);
    assert_eq!(client.post("/repos/acme/infra/issues/5/labels", &json!({ "labels": [] })).status, 404);

    let reviewers = format!("{PULLS}/1/requested_reviewers");
    let unknown = "Reviews may only be requested from collaborators. One or more of the users or teams you specified is \
                   not a collaborator of the acme/infra repository.";
    for body in [json!({ "reviewers": ["nobody"] }), json!({ "team_reviewers": ["nobody"] })] {
        assert_eq!(client.post(&reviewers, &body).told(), (422, unknown.into()));
    }
    let author = client.post(&reviewers, &json!({ "reviewers": ["octo"] })).told();
    assert_eq!(author, (422, "Review cannot be requested from pull request author.".into()));
    hosted.person("mona", Level::Read);
    hosted.team("platform");
    let asked = client.post(&reviewers, &json!({ "reviewers": ["mona"], "team_reviewers": ["platform"] }));
    assert_eq!((asked.status, &asked.json()["requested_reviewers"][0]["login"]), (201, &json!("mona")));
    assert_eq!(hosted.pull(1).team_reviewers, ["platform"]);

    let comments = "/repos/acme/infra/issues/1/comments";
    let said = client.post(comments, &json!({ "body": "Overtaken." }));
    assert_eq!((said.status, &said.json()["body"]), (201, &json!("Overtaken.")));
    assert_eq!(client.post(comments, &json!({ "body": "" })).told().0, 422);
    assert_eq!(hosted.pull(1).comments, [("octo".to_owned(), "Overtaken.".to_owned())]);
}

#[test]
fn events_for_other_repositories() {
    let (_server, hosted, client) = infra();
    let url = "/repos/acme/infra/dispatches";
    let body = json!({ "event_type": "deploy", "client_payload": { "image": "a", "tag": "1" } });
    let sent = client.post(url, &body);
    assert_eq!((sent.status, sent.body.len()), (204, 0));
    assert_eq!(hosted.dispatches(), [("deploy".to_owned(), body["client_payload"].clone())]);
    let many: serde_json::Map<String, Value> = (0..11).map(|n| (format!("p{n}"), json!(n))).collect();
    let told = client.post(url, &json!({ "event_type": "deploy", "client_payload": many })).told();
    let words = "Invalid request.\n\nNo more than 10 properties are allowed; 11 were supplied.";
    assert_eq!(told, (422, words.into()));
    let large = json!({ "event_type": "deploy", "client_payload": { "a": "x".repeat(65_536) } });
    assert_eq!(client.post(url, &large).told(), (422, "client_payload is too large.".into()));
    assert_eq!(client.post(url, &json!({})).told().1, "Invalid request.\n\n\"event_type\" wasn't supplied.");
    assert_eq!(hosted.dispatches().len(), 1);
}
