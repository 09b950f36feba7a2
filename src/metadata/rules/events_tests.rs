//! Rules on the payloads that GitHub sends, for each event: read as a run reads them.

use std::collections::BTreeMap;

use crate::inputs::config::Config;
use crate::metadata::fixture::{checkout, config, tags};
use crate::metadata::{GithubFacts, Outcome, Rules, derive, triggering_commit};
use crate::rules::parse;
use crate::runner::context::RunnerContext;

const RULES: &str = "type=schedule
type=semver,pattern={{version}}
type=edge
type=ref,event=branch
type=ref,event=tag
type=ref,event=pr
type=raw,value=on-{{base_ref}},enable={{is_not_default_branch}}
type=sha";

macro_rules! payload {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../tests/fixtures/events/", $name, ".json")))
    };
}

/// The payload, and the tags of these rules; or why there is nothing to do.
const PAYLOADS: &[((&str, &str), &str)] = &[
    (payload!("push-branch"), "edge main sha-6dcb09b"),
    (payload!("push-tag"), "1.2.3 v1.2.3 on-main sha-6dcb09b latest"),
    (payload!("push-deleted"), "nothing"),
    (payload!("push-tag-deleted"), "nothing"),
    (payload!("pull_request"), "pr-42 on-main sha-553c207"),
    (payload!("pull_request-fork"), "pr-43 on-main sha-553c207"),
    (payload!("pull_request-dependabot"), "pr-44 on-main sha-553c207"),
    (payload!("pull_request-closed"), "nothing"),
    (payload!("pull_request_target"), "pr-42 on-main sha-6dcb09b"),
    (payload!("issue_comment"), "pr-42 on- sha-6dcb09b"),
    // A branch of GitHub's own, as it is for metadata-action.
    (
        payload!("merge_group"),
        "gh-readonly-queue-main-pr-42-7fd1a60b01f91b314f59955a4e4d4e80d8edf11d on- sha-b9d8c3e",
    ),
    (payload!("release-published"), "1.2.3 v1.2.3 on- sha-6dcb09b latest"),
    (payload!("release-released"), "1.2.3 v1.2.3 on- sha-6dcb09b latest"),
    (payload!("release-prereleased"), "1.3.0-rc.1 v1.3.0-rc.1 on- sha-6dcb09b"),
    (payload!("release-created"), "1.2.3 v1.2.3 on- sha-6dcb09b latest"),
    (payload!("release-edited"), "nothing"),
    (payload!("release-deleted"), "nothing"),
    (payload!("schedule"), "nightly edge main sha-6dcb09b"),
    (payload!("workflow_dispatch"), "edge main sha-6dcb09b"),
    (payload!("workflow_dispatch-tag"), "1.2.3 v1.2.3 on- sha-6dcb09b latest"),
    (payload!("repository_dispatch"), "edge main sha-6dcb09b"),
    (payload!("workflow_run-push"), "release-2.x on- sha-6dcb09b"),
    (payload!("workflow_run-pull_request"), "pr-42 on- sha-ec26c3e"),
    (payload!("delete-branch"), "nothing"),
    (payload!("create-branch"), "feature-boxes sha-6dcb09b"),
    (payload!("create-tag"), "1.2.3 v1.2.3 sha-6dcb09b latest"),
    (payload!("deployment"), "edge main sha-6dcb09b"),
];

/// What the runner sets beside a payload: its row of `events.tsv`.
fn variables(name: &str) -> BTreeMap<String, String> {
    const TABLE: &str = include_str!("../../../tests/fixtures/events/events.tsv");
    let rows = || TABLE.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let heads = rows().next().unwrap();
    let row = rows().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row: {name}"));
    let known = heads.into_iter().zip(row).skip(1);
    let fixed = [("GITHUB_REPOSITORY", "acme/shop"), ("GITHUB_WORKSPACE", "/github/workspace")];
    known.chain(fixed).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_tags_of_each_event() {
    let config = Config { tags: Some(parse(RULES, "").unwrap()), ..config() };
    let github = GithubFacts { on_branch: Ok(true), ..GithubFacts::default() };
    let mut wrong = Vec::new();
    for ((name, payload), expected) in PAYLOADS {
        let context = RunnerContext::read(&variables(name), payload);
        let context = context.unwrap_or_else(|error| panic!("{name}: {error}"));
        let checkout = checkout(triggering_commit(&context).clone());
        let found = match derive(&context, &checkout, Rules::from(&config), &github) {
            Ok(Outcome::Build(metadata)) => tags(&metadata),
            Ok(Outcome::NothingToDo(_)) => "nothing".to_owned(),
            Err(error) => format!("error: {error}"),
        };
        if found != *expected {
            wrong.push(format!("{name}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
