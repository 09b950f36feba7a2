//! One line per payload in `tests/fixtures/events`, and payloads that mean harm.

use std::fmt::Write as _;

use super::*;

const TIP: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const BEFORE: &str = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d";
const HEAD: &str = "ec26c3e57ca3a959ca5aad62de7213c562f8c821";
const FORK: &str = "9049f1265b7d61be4a8904a9a27120d2064dab3b";

fn variables(event: &str) -> BTreeMap<String, String> {
    [
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", TIP),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_RUN_ID", "7001"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_RUN_NUMBER", "12"),
        ("GITHUB_ACTOR", "octocat"),
        ("RUNNER_TEMP", "/github/runner_temp"),
        ("RUNNER_WORKSPACE", "/home/runner/work/shop"),
        ("GITHUB_OUTPUT", "/github/file_commands/set_output_1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn id(text: &str) -> CommitId {
    CommitId::parse(text).unwrap()
}

/// The run that `events.tsv` describes for this payload.
fn fixture(file: &str) -> RunnerContext {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/events");
    let table = std::fs::read_to_string(format!("{directory}/events.tsv")).unwrap();
    let mut rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let names = rows.next().unwrap();
    let row = rows.find(|row| row[0] == file).unwrap_or_else(|| panic!("no row for {file}"));
    let mut variables = variables(row[1]);
    for (name, value) in names.iter().zip(row).skip(1) {
        variables.insert((*name).to_owned(), value.to_owned());
    }
    let json = std::fs::read_to_string(format!("{directory}/{file}.json")).unwrap();
    RunnerContext::read(&variables, &json).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn pull(number: u64, head: &str, repository: Option<&str>, closed: bool) -> PullRequest {
    PullRequest { number, head_sha: id(head), head_repository: repository.map(Into::into), closed }
}

fn release(action: &str, tag: &str) -> Event {
    Event::Release { action: action.into(), tag: tag.into(), target: "main".into() }
}

fn workflow_run(branch: &str, sha: &str, event: &str, repository: &str, number: Option<u64>) -> Event {
    Event::WorkflowRun {
        head_branch: Some(branch.into()),
        head_sha: id(sha),
        event: event.into(),
        head_repository: Some(repository.into()),
        pull_request: number,
    }
}

#[test]
fn every_event_gives_its_facts() {
    let shop = Some("acme/shop");
    let comment = |on_pull_request| Event::IssueComment { number: 42, on_pull_request };
    for (file, expected) in [
        ("push-branch", Event::Push { deleted: false }),
        ("push-tag", Event::Push { deleted: false }),
        ("push-deleted", Event::Push { deleted: true }),
        ("push-tag-deleted", Event::Push { deleted: true }),
        ("pull_request", Event::PullRequest(pull(42, HEAD, shop, false))),
        ("pull_request-fork", Event::PullRequest(pull(43, FORK, Some("mallory/shop"), false))),
        ("pull_request-fork-gone", Event::PullRequest(pull(43, FORK, None, false))),
        ("pull_request-dependabot", Event::PullRequest(pull(44, HEAD, shop, false))),
        ("pull_request-closed", Event::PullRequest(pull(42, HEAD, shop, true))),
        ("pull_request-closed-unmerged", Event::PullRequest(pull(42, HEAD, shop, true))),
        ("pull_request_target", Event::PullRequestTarget(pull(42, HEAD, shop, false))),
        ("pull_request_target-fork", Event::PullRequestTarget(pull(43, FORK, Some("mallory/shop"), false))),
        ("issue_comment", comment(true)),
        ("merge_group", Event::MergeGroup),
        ("release-published", release("published", "v1.2.3")),
        ("release-released", release("released", "v1.2.3")),
        ("release-prereleased", release("prereleased", "v1.3.0-rc.1")),
        ("release-created", release("created", "v1.2.3")),
        ("release-edited", release("edited", "v1.2.3")),
        ("release-deleted", release("deleted", "v1.2.3")),
        ("schedule", Event::Schedule),
        ("schedule-with-repository", Event::Schedule),
        ("workflow_dispatch", Event::WorkflowDispatch),
        ("workflow_dispatch-tag", Event::WorkflowDispatch),
        ("repository_dispatch", Event::RepositoryDispatch),
        ("workflow_run-push", workflow_run("release/2.x", TIP, "push", "acme/shop", None)),
        (
            "workflow_run-pull_request",
            workflow_run("feature/Bigger_Boxes", HEAD, "pull_request", "acme/shop", Some(42)),
        ),
        ("workflow_run-fork", workflow_run("main", FORK, "pull_request", "mallory/shop", None)),
        ("delete-branch", Event::Delete),
        ("delete-tag", Event::Delete),
        ("create-branch", Event::Other("create".into())),
        ("create-tag", Event::Other("create".into())),
        ("deployment", Event::Other("deployment".into())),
    ] {
        let context = fixture(file);
        assert_eq!(context.event, expected, "{file}");
        assert_eq!(context.repository.default_branch.as_deref(), Some("main"), "{file}");
        assert_eq!(context.repository.html_url, "https://github.com/acme/shop", "{file}");
    }
    let on_issue = fixture("issue_comment-on-issue").event;
    assert!(matches!(on_issue, Event::IssueComment { on_pull_request: false, .. }), "{on_issue:?}");
}

#[test]
fn pull_requests_at_other_repositories_do_not_count() {
    let (shop, fork, other) = (1, 2, 3);
    let of = |number: u64, base: u64, head: u64| serde_json::json!({"number": number, "base": {"repo": {"id": base}}, "head": {"repo": {"id": head}}});
    let gone = serde_json::json!({"number": 9, "base": {"repo": {"id": shop}}, "head": {"repo": null}});
    let bare = serde_json::json!({"number": 9});
    for (listed, expected) in [
        (vec![of(5, shop, shop)], Some(5)),
        // The same branch is proposed to the repository that this one was forked from.
        (vec![of(5, shop, shop), of(77, other, shop)], Some(5)),
        (vec![of(77, other, shop)], None),
        // Somebody's fork has a branch at the same commit.
        (vec![of(8, shop, fork)], None),
        (vec![of(5, shop, shop), of(6, shop, shop)], None),
        (vec![gone], None),
        (vec![bare], None),
        (vec![], None),
    ] {
        let payload = serde_json::json!({
            "repository": {"id": shop, "full_name": "acme/shop"},
            "workflow_run": {
                "head_branch": "dev", "head_sha": HEAD, "event": "pull_request",
                "head_repository": {"id": shop, "full_name": "acme/shop"}, "pull_requests": listed
            }
        });
        let event = payload::read("workflow_run", &payload.to_string()).unwrap().event;
        assert_eq!(event, workflow_run("dev", HEAD, "pull_request", "acme/shop", expected), "{listed:?}");
    }
}

#[test]
fn the_rest_of_a_run() {
    let context = fixture("push-branch");
    assert_eq!(context.git_ref, GitRef::Branch("main".into()));
    assert_eq!(context.sha, id(TIP));
    assert_eq!(context.repository.license, "Apache-2.0");
    assert_eq!(context.repository.description, "A shop that sells \"boxes\" & more");
    assert_eq!(context.commit_times[0], (id(TIP), 1_795_163_411));
    assert_eq!(context.run.url, "https://github.com/acme/shop/actions/runs/7001/attempts/2");
    assert_eq!((context.run.id, context.run.attempt, context.run.number), (7001, 2, 12));
    assert_eq!(context.paths.host_workspace, Some("/home/runner/work/shop/shop".into()));
    assert_eq!(context.paths.host_temp, Some("/home/runner/work/_temp".into()));
    assert_eq!(context.paths.summary, None);
    assert_eq!(fixture("merge_group").commit_times.len(), 1);
    assert_eq!(fixture("workflow_run-fork").commit_times, [(id(FORK), 1_795_163_411)]);
}

#[test]
fn what_a_ref_goes_into_or_was_made_from() {
    for (file, expected) in [
        ("push-branch", None),
        ("push-tag", Some("refs/heads/main")),
        ("pull_request", Some("main")),
        ("pull_request-fork-gone", Some("main")),
        ("pull_request_target", Some("main")),
        ("pull_request_target-fork", Some("main")),
        ("issue_comment", None),
        ("release-published", None),
        // Its base is in a place of its own, which nobody asks for.
        ("merge_group", None),
    ] {
        assert_eq!(fixture(file).base_ref.as_deref(), expected, "{file}");
    }
    let read = |event: &str, json: &str| RunnerContext::read(&variables(event), json);
    let pull = |base: &str| format!(r#"{{"pull_request":{{"number":5,"head":{{"sha":"{HEAD}"}}{base}}}}}"#);
    // Nothing else depends on it.
    for json in ["{}", r#"{"base_ref":null}"#, r#"{"base_ref":""}"#] {
        assert_eq!(read("push", json).unwrap().base_ref, None, "{json}");
    }
    for base in ["", r#","base":null"#, r#","base":{}"#, r#","base":{"ref":null}"#, r#","base":{"ref":""}"#] {
        for event in ["pull_request", "pull_request_target"] {
            assert_eq!(read(event, &pull(base)).unwrap().base_ref, None, "{event} {base}");
        }
    }
    // What it is called is as hostile as any branch's name, and a value.
    let hostile = read("pull_request", &pull(r#","base":{"ref":"a\n::error::b"}"#)).unwrap();
    assert_eq!(hostile.base_ref.as_deref(), Some("a\n::error::b"));
}

#[test]
fn who_gets_secrets() {
    for (file, withheld) in [
        ("push-branch", false),
        ("pull_request", false),
        ("pull_request-fork", true),
        ("pull_request-fork-gone", true),
        ("pull_request-dependabot", true),
        ("pull_request_target-fork", false),
    ] {
        assert_eq!(fixture(file).secrets_withheld(), withheld, "{file}");
    }
}

#[test]
fn missing_variables_are_named_together() {
    let error = RunnerContext::read(&BTreeMap::new(), "{}").unwrap_err().to_string();
    assert_eq!(
        error,
        "`GITHUB_EVENT_NAME`, `GITHUB_REPOSITORY`, `GITHUB_SHA`, `GITHUB_WORKSPACE` are not set, so this is not a \
         step of a GitHub workflow (the runner sets them for every action)"
    );
    let mut without_ref = variables("push");
    without_ref.remove("GITHUB_REF");
    assert_eq!(RunnerContext::read(&without_ref, "{}"), Err(ContextError::Missing(vec!["GITHUB_REF"])));
    let release = r#"{"action":"published","release":{"tag_name":"v1","target_commitish":"main"}}"#;
    without_ref.insert("GITHUB_EVENT_NAME".into(), "release".into());
    assert_eq!(RunnerContext::read(&without_ref, release).unwrap().git_ref, GitRef::Tag("v1".into()));
}

#[test]
fn odd_variables() {
    for (name, value) in [
        ("GITHUB_SHA", "HEAD"),
        ("GITHUB_SHA", "0000000000000000000000000000000000000000"),
        ("GITHUB_REPOSITORY", "shop"),
        ("GITHUB_REPOSITORY", "a/b/c"),
        ("GITHUB_REPOSITORY", "/shop"),
        ("GITHUB_RUN_ID", "one"),
        ("GITHUB_RUN_ATTEMPT", "-1"),
    ] {
        let mut variables = variables("push");
        variables.insert(name.into(), value.into());
        let error = RunnerContext::read(&variables, "{}").unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` is `{value}`")), "{error}");
    }
    // A deleted ref: there is nothing to build, and the run must get as far as saying so.
    let mut deleted = variables("push");
    deleted.insert("GITHUB_SHA".into(), "0".repeat(40));
    let json = format!(r#"{{"deleted":true,"before":"{BEFORE}","head_commit":null,"commits":[]}}"#);
    let context = RunnerContext::read(&deleted, &json).unwrap();
    assert_eq!((context.sha, context.event), (id(BEFORE), Event::Push { deleted: true }));
}

#[test]
fn hostile_payloads_are_errors() {
    for (event, json) in [
        ("push", ""),
        ("push", "null"),
        ("push", "[]"),
        ("push", "{\"deleted\":\"yes\"}"),
        ("push", "{\"commits\":7}"),
        ("push", "{\"base_ref\":[\"refs/heads/main\"]}"),
        ("push", "{\"repository\":[1,2]}"),
        ("push", "{\"x\":\u{0}}"),
        ("pull_request", "{}"),
        ("pull_request", "{\"pull_request\":null}"),
        ("pull_request", "{\"pull_request\":{\"number\":-1,\"head\":{\"sha\":\"x\"}}}"),
        ("pull_request", "{\"pull_request\":{\"number\":1,\"head\":{\"sha\":\"$(rm -rf)\\n::error::\"}}}"),
        ("pull_request_target", "{\"pull_request\":{\"number\":1e99,\"head\":null}}"),
        (
            "pull_request",
            "{\"pull_request\":{\"number\":1,\"head\":{\"sha\":\"ec26c3e57ca3a959ca5aad62de7213c562f8c821\"},\"base\":{\"ref\":7}}}",
        ),
        ("workflow_run", "{\"workflow_run\":{}}"),
        ("release", "{\"action\":\"published\",\"release\":{}}"),
        ("issue_comment", "{\"issue\":\"7\"}"),
    ] {
        let error = RunnerContext::read(&variables(event), json).unwrap_err();
        assert!(matches!(error, ContextError::Payload { .. }), "{json}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(event) && !text.contains('\n') && text.len() < 300, "{text}");
    }
    let deep = "[".repeat(200_000);
    let json = format!("{{\"x\":{deep}");
    assert!(RunnerContext::read(&variables("push"), &json).is_err());
}

#[test]
fn a_payload_cut_short_is_an_error() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/events");
    for (event, file) in
        [("push", "push-branch"), ("pull_request", "pull_request"), ("release", "release-published")]
    {
        let json = std::fs::read_to_string(format!("{directory}/{file}.json")).unwrap();
        let json = json.trim_end();
        for end in (0..json.len()).filter(|end| json.is_char_boundary(*end)).step_by(97) {
            assert!(RunnerContext::read(&variables(event), &json[..end]).is_err(), "{file} {end}");
        }
    }
}

#[test]
fn large_and_foreign_payloads_are_read() {
    let mut json = String::from("{\"commits\":[");
    for number in 1..=50_000 {
        let _ = write!(json, "{{\"id\":\"{number:040x}\",\"timestamp\":\"2026-11-20T08:30:11Z\"}},");
    }
    json.push_str("{\"id\":null},{\"id\":\"x\",\"timestamp\":\"never\"}]}");
    let context = RunnerContext::read(&variables("push"), &json).unwrap();
    assert_eq!(context.commit_times.len(), 50_000);
    // Another repository's facts are not this one's.
    let other = r#"{"repository":{"full_name":"evil/other","html_url":"https://evil","default_branch":"x"}}"#;
    let facts = RunnerContext::read(&variables("push"), other).unwrap().repository;
    assert_eq!((facts.html_url.as_str(), facts.default_branch), ("https://github.com/acme/shop", None));
}
