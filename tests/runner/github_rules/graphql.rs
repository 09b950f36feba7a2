//! `createCommitOnBranch` and `enablePullRequestAutoMerge`, done and refused.

use super::{ALL, Client, FILE, commit_input, infra};
use crate::runner::github_server::Level;
use serde_json::{Value, json};

fn oid(body: &Value) -> String {
    body["data"]["createCommitOnBranch"]["commit"]["oid"]
        .as_str()
        .unwrap_or_else(|| panic!("{body}"))
        .to_owned()
}

fn no(body: &Value) -> (String, String) {
    assert!(body["data"].as_object().unwrap().values().all(Value::is_null), "{body}");
    let text = |name: &str| body["errors"][0][name].as_str().unwrap().to_owned();
    (text("type"), text("message"))
}

#[test]
fn a_commit_is_in_a_clone() {
    let (_server, hosted, client) = infra();
    let first = hosted.head("main").unwrap();
    let body = client.commit("acme/infra", "main", &first, FILE, "images: [a]\n");
    let made = oid(&body);
    assert_eq!(
        body["data"]["createCommitOnBranch"]["commit"]["url"].as_str().unwrap().rsplit('/').next(),
        Some(made.as_str())
    );
    let scratch = tempfile::tempdir().unwrap();
    let clone = scratch.path().join("clone");
    hosted.clone_to("main", &clone);
    assert_eq!(std::fs::read_to_string(clone.join(FILE)).unwrap(), "images: [a]\n");
    assert_eq!(std::fs::read_to_string(clone.join("README.md")).unwrap(), "Infra\n");
    let said = hosted.git(&["log", "-1", "--format=%H|%P|%an|%cn|%s|%b", "main"]).unwrap();
    assert_eq!(said.trim_end(), format!("{made}|{first}|octo|GitHub|Set the image|By a test."));
    let details = client.get(&format!("/repos/acme/infra/git/commits/{made}")).json();
    assert_eq!(details["verification"]["verified"], true);
    // Files go, too; the same bytes again are a commit without changes.
    let mut input = commit_input("acme/infra", "main", &made, FILE, "images: [a]\n");
    input["fileChanges"]["deletions"] = json!([{ "path": "README.md" }]);
    let shown = "ref { name target { oid } } one: commit { short: abbreviatedOid }";
    let body = client.mutate("createCommitOnBranch", "CreateCommitOnBranchInput", &input, shown);
    let second = hosted.head("main").unwrap();
    assert_eq!(
        body["data"]["createCommitOnBranch"],
        json!({ "ref": { "name": "main", "target": { "oid": second } }, "one": { "short": &second[..7] } })
    );
    assert_eq!(hosted.read("main", "README.md"), None);
    assert_eq!(hosted.read("main", FILE).as_deref(), Some("images: [a]\n"));
}

#[test]
fn a_commit_is_refused_with_a_type() {
    let (server, hosted, client) = infra();
    let first = hosted.head("main").unwrap();
    let second = hosted.push("main", "Somebody else", &[("b", "2")]);
    let stale = client.commit("acme/infra", "main", &first, FILE, "x");
    let words = format!("Expected branch to point to \"{first}\" but it did not.  Pull and try again.");
    assert_eq!(no(&stale), ("STALE_DATA".into(), words));
    assert_eq!(stale["errors"][0]["path"], json!(["createCommitOnBranch"]));
    let absent = client.commit("acme/infra", "none", &second, FILE, "x");
    assert_eq!(no(&absent), ("NOT_FOUND".into(), "Branch not found".into()));
    let hidden = client.commit("acme/other", "main", &second, FILE, "x");
    let words = "Could not resolve to a Repository with the name 'acme/other'.";
    assert_eq!(no(&hidden), ("NOT_FOUND".into(), words.into()));
    for (token, words) in [
        (
            server.token("octo", &["acme/infra"], "contents:read"),
            "Resource not accessible by personal access token",
        ),
        (
            server.installation_token("deployer", &["acme/infra"], "pull_requests:write"),
            "Resource not accessible by integration",
        ),
    ] {
        let body = Client::new(&server, &token).commit("acme/infra", "main", &second, FILE, "x");
        assert_eq!(no(&body), ("FORBIDDEN".into(), words.into()));
    }
    hosted.person("reader", Level::Read);
    let reader = Client::new(&server, &server.classic_token("reader"));
    let (kind, words) = no(&reader.commit("acme/infra", "main", &second, FILE, "x"));
    assert_eq!(kind, "FORBIDDEN");
    assert!(words.starts_with("reader does not have the correct permissions"), "{words}");
    let mut input = commit_input("acme/infra", "main", &second, FILE, "x");
    input["fileChanges"] = json!({ "deletions": [{ "path": "none" }] });
    let body = client.mutate("createCommitOnBranch", "CreateCommitOnBranchInput", &input, "commit { oid }");
    assert_eq!(no(&body).0, "UNPROCESSABLE");
    let outside = client.commit("acme/infra", "main", &second, "../outside", "x");
    assert_eq!(no(&outside).0, "UNPROCESSABLE");
    hosted.protect("main");
    let body = client.commit("acme/infra", "main", &second, FILE, "x");
    let words = "Changes must be made through a pull request.";
    assert_eq!(no(&body), ("BRANCH_PROTECTION_RULE_VIOLATION".into(), words.into()));
    hosted.archive();
    let body = client.commit("acme/infra", "main", &second, FILE, "x");
    assert_eq!(no(&body), ("FORBIDDEN".into(), "Repository was archived so is read-only.".into()));
    assert_eq!(hosted.head("main"), Some(second), "nothing was done");
}

#[test]
fn credentials_are_refused_with_a_status() {
    let (server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    let input = commit_input("acme/infra", "main", &head, FILE, "x");
    let query = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }";
    let body = json!({ "query": query, "variables": { "input": input } });
    let url = server.graphql_url();
    let send = |token: &str| {
        Client::new(&server, token).try_send("POST", &url, Some(&body), "accept: */*").unwrap().told()
    };
    assert_eq!(send("wrong"), (401, "Bad credentials".into()));
    assert_eq!(send(""), (401, "This endpoint requires you to be authenticated.".into()));
    let array = client.try_send("POST", &url, Some(&json!([])), "accept: */*").unwrap();
    assert_eq!(
        array.json()["errors"][0]["message"],
        "A query attribute must be specified and must be a string."
    );
}

#[test]
fn documents_and_inputs_are_checked_before_anything_is_done() {
    let (server, hosted, client) = infra();
    let head = hosted.head("main").unwrap();
    let good = commit_input("acme/infra", "main", &head, FILE, "x");
    let kind = "CreateCommitOnBranchInput";
    let said = |name: &str, kind: &str, input: &Value, shown: &str| {
        let body = client.mutate(name, kind, input, shown);
        assert!(body.get("data").is_none(), "{body}");
        body["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    let table = [
        (said("createCommit", kind, &good, "x"), "Field 'createCommit' doesn't exist on type 'Mutation'"),
        (said("createCommitOnBranch", "Other", &good, "commit { oid }"), "Type mismatch on variable $input"),
        (
            said("createCommitOnBranch", kind, &good, "commit { sha }"),
            "Field 'sha' doesn't exist on type 'commit'",
        ),
        (said("createCommitOnBranch", kind, &good, "commit"), "Field must have selections"),
        (said("createCommitOnBranch", kind, &good, ""), "Parse error on \"}\""),
        (
            said("createCommitOnBranch", kind, &json!({ "branch": {} }), "commit { oid }"),
            "for branch.repositoryNameWithOwner (Expected value to not be null)",
        ),
        (
            said("createCommitOnBranch", kind, &json!({ "head": "x" }), "commit { oid }"),
            "for head (Field is not defined on CreateCommitOnBranchInput)",
        ),
    ];
    for (words, part) in table {
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(hosted.head("main"), Some(head));
    drop(server);
}

#[test]
fn auto_merge_waits_for_checks() {
    let (server, hosted, client) = infra();
    let node = |number: u64| {
        let body = client.get(&format!("/repos/acme/infra/pulls/{number}")).json();
        body["node_id"].as_str().unwrap().to_owned()
    };
    let open = |branch: &str, draft: bool| {
        hosted.push(branch, "Work", &[("work", branch)]);
        let body = json!({ "title": "t", "head": branch, "base": "main", "draft": draft });
        assert_eq!(client.post("/repos/acme/infra/pulls", &body).status, 201);
    };
    let enable = |client: &Client, id: &str| {
        let input = json!({ "pullRequestId": id, "mergeMethod": "SQUASH" });
        let shown = "pullRequest { number autoMergeRequest { mergeMethod } }";
        client.mutate("enablePullRequestAutoMerge", "EnablePullRequestAutoMergeInput", &input, shown)
    };
    open("a", false);
    let refused = |words: &str| ("UNPROCESSABLE".to_owned(), words.to_owned());
    assert_eq!(no(&enable(&client, &node(1))), refused("Auto merge is not allowed for this repository"));
    hosted.set(|home| home.auto_merge = true);
    assert_eq!(no(&enable(&client, &node(1))), refused("Pull request Pull request is in clean status"));
    hosted.require_checks("main");
    let weak = Client::new(&server, &server.token("weak", &["acme/infra"], "pull_requests:write"));
    assert_eq!(no(&enable(&weak, &node(1))).0, "FORBIDDEN");
    let unknown = no(&enable(&client, "PR_none"));
    assert_eq!(unknown.1, "Could not resolve to a node with the global id of 'PR_none'.");
    let body = enable(&client, &node(1));
    let request = &body["data"]["enablePullRequestAutoMerge"]["pullRequest"];
    assert_eq!(request, &json!({ "number": 1, "autoMergeRequest": { "mergeMethod": "SQUASH" } }));
    let shown = client.get("/repos/acme/infra/pulls/1").json();
    assert_eq!(
        (&shown["auto_merge"]["merge_method"], &shown["mergeable_state"]),
        (&json!("squash"), &json!("blocked"))
    );
    hosted.checks_pass(1);
    let shown = client.get("/repos/acme/infra/pulls/1").json();
    assert_eq!((&shown["merged"], &shown["state"]), (&json!(true), &json!("closed")));
    assert_eq!(hosted.read("main", "work").as_deref(), Some("a"));
    open("b", true);
    assert_eq!(no(&enable(&client, &node(2))).0, "UNPROCESSABLE");
    let other = Client::new(&server, &{
        server.repository("acme/other").push("main", "First", &[("a", "b")]);
        server.token("octo", &["acme/other"], ALL)
    });
    assert_eq!(no(&enable(&other, &node(2))).0, "NOT_FOUND");
    // It can be taken back.
    open("c", false);
    let disable = || {
        let input = json!({ "pullRequestId": node(3) });
        let shown = "pullRequest { number autoMergeRequest { mergeMethod } }";
        client.mutate("disablePullRequestAutoMerge", "DisablePullRequestAutoMergeInput", &input, shown)
    };
    assert_eq!(no(&disable()).0, "UNPROCESSABLE");
    enable(&client, &node(3));
    assert_eq!(hosted.pull(3).auto_merge.as_deref(), Some("SQUASH"));
    let body = disable();
    let request = &body["data"]["disablePullRequestAutoMerge"]["pullRequest"];
    assert_eq!(request, &json!({ "number": 3, "autoMergeRequest": null }));
    assert_eq!(hosted.pull(3).auto_merge, None);
    let lines = server.lines();
    assert_eq!(lines.last().unwrap(), "POST disablePullRequestAutoMerge acme/infra 200");
}

#[test]
fn refs_move_together_or_not_at_all() {
    let (server, hosted, client) = infra();
    let base = hosted.head("main").unwrap();
    let old = hosted.push("deploy", "Old", &[(FILE, "old")]);
    let new = hosted.push("scratch", "New", &[(FILE, "new")]);
    client.post("/repos/acme/infra/pulls", &json!({ "title": "t", "head": "deploy", "base": "main" }));
    let nothing = "0".repeat(40);
    let id = client.get("/repos/acme/infra").json()["node_id"].clone();
    let send = |client: &Client, updates: &[(&str, Option<&str>, &str, bool)]| {
        let updates: Vec<Value> = updates
            .iter()
            .map(|(name, before, after, force)| {
                let name = format!("refs/heads/{name}");
                json!({ "name": name, "beforeOid": before, "afterOid": after, "force": force })
            })
            .collect();
        let input = json!({ "repositoryId": id, "refUpdates": updates });
        client.mutate("updateRefs", "UpdateRefsInput", &input, "clientMutationId")
    };
    let unchanged = |body: &Value| {
        assert_eq!(body["data"]["updateRefs"], Value::Null, "{body}");
        assert_eq!((hosted.head("deploy"), hosted.head("scratch")), (Some(old.clone()), Some(new.clone())));
        body["errors"][0].get("type").map(|kind| kind.as_str().unwrap().to_owned())
    };
    let away = ("scratch", Some(new.as_str()), nothing.as_str(), false);
    // Somewhere else than was expected: like a fault of the server.
    for before in [base.as_str(), &nothing] {
        let body = send(&client, &[away, ("deploy", Some(before), &new, true)]);
        assert_eq!(unchanged(&body), None);
        assert!(body["errors"][0]["message"].as_str().unwrap().starts_with("Something went wrong"), "{body}");
    }
    let unprocessable = Some("UNPROCESSABLE".to_owned());
    let body = send(&client, &[away, ("deploy", Some(&old), &new, false)]);
    assert_eq!(unchanged(&body), unprocessable, "no fast forward");
    let body = send(&client, &[away, ("deploy", None, "0123456789012345678901234567890123456789", true)]);
    assert_eq!(unchanged(&body), unprocessable, "no such commit");
    let weak = Client::new(&server, &server.token("weak", &["acme/infra"], "pull_requests:write"));
    assert_eq!(unchanged(&send(&weak, &[away])), Some("FORBIDDEN".into()));
    let body = send(&client, &[("deploy", Some(&old), &new, true), away]);
    assert!(body.get("errors").is_none(), "{body}");
    assert_eq!((hosted.head("deploy"), hosted.head("scratch")), (Some(new.clone()), None));
    assert_eq!((hosted.pull(1).is_open(), hosted.pull(1).head_sha), (true, new.clone()));
    // Made, where it is not there.
    let body = send(&client, &[("made", Some(&nothing), &new, false)]);
    assert!(body.get("errors").is_none() && hosted.head("made") == Some(new.clone()), "{body}");
    hosted.protect("main");
    let body = send(&client, &[("main", None, &new, true)]);
    assert_eq!(body["errors"][0]["type"], "UNPROCESSABLE");
    let server_lines = server.lines();
    assert_eq!(server_lines.last().unwrap(), "POST updateRefs acme/infra 200");
}
