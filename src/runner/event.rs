//! What started a run, and in which repository: the words that the payload is read into.
//!
//! Values only. Which fields of a payload they come from is `payload`'s, what the runner's variables add is `context`'s.
//! Source: GitHub's "Events that trigger workflows".

use serde::Serialize;

use crate::model::CommitId;

/// What started the run, with what tags and pushes depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Event {
    /// A branch or tag was pushed.
    Push {
        /// The ref was deleted, so that there is nothing to build.
        deleted: bool,
    },
    /// A release; its `action` is what GitHub sends (`published`, `released`, `prereleased`, `edited`, …).
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
        /// Number of the pull request, where the payload names exactly one at this repository.
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
        /// The comment is on a pull request.
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
    /// The default branch, which the payload names. A `schedule`, whose payload has no repository, runs on it. Otherwise it is
    /// unknown.
    pub default_branch: Option<String>,
}
