//! A run to resolve inputs in.

use std::collections::BTreeMap;

use crate::runner::context::{Event, RunnerContext};

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

/// A run of this event in `acme/shop`, on its default branch `main`, caused by `octocat`.
pub(super) fn context(event: &str) -> RunnerContext {
    let variables: BTreeMap<String, String> = [
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", SHA),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_ACTOR", "octocat"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let json = format!(
        r#"{{"repository":{{"full_name":"acme/shop","default_branch":"main"}},
            "pull_request":{{"number":42,"head":{{"sha":"{SHA}","repo":{{"full_name":"acme/shop"}}}}}}}}"#
    );
    RunnerContext::read(&variables, &json).unwrap()
}

/// The event of such a run.
pub(super) fn event(name: &str) -> Event {
    context(name).event
}
