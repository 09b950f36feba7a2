//! Contexts, checkouts and inputs for tests.

use super::{Ancestry, CheckoutFacts, DescribeError, Metadata, Outcome, Rules, StrategyError, derive};
use crate::inputs::config::{Config, Dockerfile, Push};
use crate::model::{CommitId, GitRef, Platform, Repository};
use crate::runner::context::{Event, Paths, PullRequest, RepositoryFacts, Run, RunnerContext};

pub(crate) fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

/// `GITHUB_SHA` is 111…
pub(crate) fn context(event: Event, git_ref: &str) -> RunnerContext {
    RunnerContext {
        event,
        git_ref: GitRef::parse(git_ref),
        sha: commit('1'),
        repository: RepositoryFacts {
            full_name: "acme/shop".into(),
            owner: "acme".into(),
            name: "shop".into(),
            html_url: "https://github.com/acme/shop".into(),
            description: "Sells things".into(),
            license: "MIT".into(),
            default_branch: Some("main".into()),
        },
        actor: "octocat".into(),
        run: Run { id: 7, attempt: 1, number: 3, url: String::new() },
        server_url: "https://github.com".into(),
        api_url: "https://api.github.com".into(),
        commit_times: Vec::new(),
        paths: Paths { workspace: "/github/workspace".into(), ..Paths::default() },
        debug: false,
    }
}

pub(crate) fn push() -> Event {
    Event::Push { deleted: false }
}

/// Pull request 5, whose head is 222…
pub(crate) fn pull_request(head_repository: &str) -> PullRequest {
    PullRequest {
        number: 5,
        head_sha: commit('2'),
        head_repository: (!head_repository.is_empty()).then(|| head_repository.into()),
        closed: false,
    }
}

/// A run after another one whose head is 222… on `head_branch`.
pub(crate) fn workflow_run(
    event: &str,
    head_branch: &str,
    head_repository: &str,
    number: Option<u64>,
) -> Event {
    Event::WorkflowRun {
        head_branch: (!head_branch.is_empty()).then(|| head_branch.into()),
        head_sha: commit('2'),
        event: event.into(),
        head_repository: Some(head_repository.into()),
        pull_request: number,
    }
}

/// HEAD is the commit that the run is about.
pub(crate) fn checkout(head: CommitId) -> CheckoutFacts {
    CheckoutFacts {
        head: Some(head.clone()),
        head_time: Some(1_763_717_445),
        compared_with: head,
        ancestry: Ancestry::Same,
        describe: Err(DescribeError::NotAsked),
        warning: None,
    }
}

pub(crate) fn config() -> Config {
    Config {
        repository: Repository::parse("ghcr.io/acme/shop/api").unwrap(),
        context: "/github/workspace/api".into(),
        dockerfile: Dockerfile {
            directory: "/github/workspace/api".into(),
            file_name: "Dockerfile".into(),
            in_workspace: "api/Dockerfile".into(),
        },
        platforms: ["linux/arm64", "linux/amd64"].map(|text| Platform::parse(text).unwrap()).to_vec(),
        version: None,
        cache_scope: "acme-shop-api".into(),
        credentials: None,
        token: None,
        sha_length: 7,
        latest_branch: "main".into(),
        labels: Vec::new(),
        build_args: Vec::new(),
        target: None,
        no_cache: false,
        pull: false,
        push: Push::Auto,
        dry_run: false,
        summary: true,
    }
}

/// The metadata of a run whose checkout is what the event is about.
pub(crate) fn built(context: &RunnerContext, config: &Config) -> Result<Metadata, StrategyError> {
    let checkout = checkout(super::triggering_commit(context).clone());
    match derive(context, &checkout, Rules::from(config), None)? {
        Outcome::Build(metadata) => Ok(*metadata),
        Outcome::NothingToDo(why) => panic!("nothing to do: {why}"),
    }
}

/// Tags in order, one string.
pub(crate) fn tags(metadata: &Metadata) -> String {
    metadata.tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>().join(" ")
}
