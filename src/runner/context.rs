//! What the GitHub runner says about this run: its variables and the event payload, as values.
//!
//! Sources: facts of actions/runner and GitHub's "Events that trigger workflows" and "Variables" pages.

use std::path::PathBuf;

use serde::Serialize;

use crate::model::{CommitId, GitRef};

/// Everything that the runner told us, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerContext {
    /// What started the run.
    pub event: Event,
    /// `GITHUB_REF`, what the run is on.
    pub git_ref: GitRef,
    /// `GITHUB_SHA`.
    pub sha: CommitId,
    /// The repository that the workflow runs in.
    pub repository: RepositoryFacts,
    /// `GITHUB_ACTOR`, who caused the run; `dependabot[bot]` among others.
    pub actor: String,
    /// The run itself.
    pub run: Run,
    /// `GITHUB_SERVER_URL` without a trailing slash, `https://github.com`.
    pub server_url: String,
    /// `GITHUB_API_URL`, `https://api.github.com`.
    pub api_url: String,
    /// Commit times (Unix seconds) that the payload knows, by commit; `created` comes from the checkout first.
    pub commit_times: Vec<(CommitId, i64)>,
    /// Directories and files, as this process sees them.
    pub paths: Paths,
    /// `RUNNER_DEBUG` is 1.
    pub debug: bool,
}

/// Facts about the repository, from the payload where it has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RepositoryFacts {
    /// `owner/name`, as GitHub spells it.
    pub full_name: String,
    /// The owner.
    pub owner: String,
    /// The name.
    pub name: String,
    /// Its page.
    pub html_url: String,
    /// Its description, empty if none.
    pub description: String,
    /// SPDX id of its licence, empty if unknown or `NOASSERTION`.
    pub license: String,
    /// Unknown where the payload has no repository (`schedule`).
    pub default_branch: Option<String>,
}

/// Identity of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `GITHUB_RUN_ID`.
    pub id: u64,
    /// `GITHUB_RUN_ATTEMPT`, from 1.
    pub attempt: u64,
    /// `GITHUB_RUN_NUMBER`.
    pub number: u64,
    /// The page of this attempt.
    pub url: String,
}

/// Where things are, as this process sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// `GITHUB_WORKSPACE`.
    pub workspace: PathBuf,
    /// `RUNNER_TEMP`.
    pub temp: PathBuf,
    /// The workspace as the host names it, `$RUNNER_WORKSPACE/<repository name>`, when known: inputs may hold it.
    pub host_workspace: Option<PathBuf>,
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
}

/// What started the run, with what tags and pushes depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Event {
    /// A branch or tag was pushed.
    Push {
        /// It was deleted, there is nothing to build.
        deleted: bool,
    },
    /// A release; `action` as GitHub sends it (`published`, `released`, `prereleased`, `edited`, …).
    Release {
        /// The activity.
        action: String,
        /// Its Git tag.
        tag: String,
        /// `target_commitish`: branch or commit it was made from.
        target: String,
    },
    /// `schedule`.
    Schedule,
    /// `workflow_dispatch`.
    WorkflowDispatch,
    /// `repository_dispatch`.
    RepositoryDispatch,
    /// Another workflow ended.
    WorkflowRun {
        /// Branch of that run; absent for some detached runs.
        head_branch: Option<String>,
        /// Commit of that run.
        head_sha: CommitId,
        /// That run's own event, `push`, `pull_request`, …
        event: String,
        /// `owner/name` that the head is in; absent when it was deleted.
        head_repository: Option<String>,
        /// Number of the pull request, where the payload names exactly one.
        pull_request: Option<u64>,
    },
    /// `pull_request`.
    PullRequest(PullRequest),
    /// `pull_request_target`.
    PullRequestTarget(PullRequest),
    /// A comment on an issue or pull request.
    IssueComment {
        /// Number of the issue or pull request.
        number: u64,
        /// It is a pull request.
        on_pull_request: bool,
    },
    /// A merge queue's group.
    MergeGroup,
    /// A branch or tag was deleted.
    Delete,
    /// Any other event, by name.
    Other(String),
}

/// A pull request as its events describe it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Tip of its head branch: not the merge commit that is checked out.
    pub head_sha: CommitId,
    /// `owner/name` that the head is in; absent when the fork was deleted.
    pub head_repository: Option<String>,
    /// The event's activity is `closed`.
    pub closed: bool,
}
