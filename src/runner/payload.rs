//! The event payload: the few fields that matter here, out of what GitHub's webhooks send.
//!
//! Owns the foreign shape; nothing of it leaves this file. Each event is read by a struct of its own, so that
//! a field that some other event spells differently cannot break this one. Everything else is skipped without
//! being kept: a payload can have tens of megabytes. Obeys GitHub's "Webhook events and payloads".

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::event::{Event, PullRequest, RepositoryFacts};
use crate::model::{CommitId, text};

/// The event payload does not say what its event needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the payload of the event `{event}` cannot be used: {problem}")]
pub struct PayloadError {
    /// `GITHUB_EVENT_NAME`.
    pub event: String,
    /// What is wrong with the payload, shortened.
    pub problem: String,
}

/// What a payload says.
pub(super) struct Payload {
    pub event: Event,
    pub repository: Option<RepositoryFacts>,
    /// The commit that a pushed ref pointed at before.
    pub before: Option<CommitId>,
    /// It was a push that threw commits of its ref away.
    pub forced: bool,
    /// The branch that a pull request asks to be merged into; of a push the ref that it was made from, whole.
    pub base_ref: Option<String>,
    pub commit_times: Vec<(CommitId, i64)>,
}

#[derive(Deserialize)]
struct Common {
    repository: Option<RepositoryFields>,
}

#[derive(Deserialize)]
struct RepositoryFields {
    id: Option<u64>,
    full_name: Option<String>,
    html_url: Option<String>,
    description: Option<String>,
    default_branch: Option<String>,
    license: Option<License>,
}

#[derive(Deserialize)]
struct License {
    spdx_id: Option<String>,
}

#[derive(Deserialize)]
struct Push {
    deleted: Option<bool>,
    forced: Option<bool>,
    before: Option<String>,
    base_ref: Option<String>,
    head_commit: Option<Commit>,
    commits: Option<Vec<Commit>>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct ReleaseEvent {
    action: String,
    release: Release,
}

#[derive(Deserialize)]
struct Release {
    tag_name: String,
    target_commitish: Option<String>,
}

#[derive(Deserialize)]
struct WorkflowRunEvent {
    workflow_run: WorkflowRun,
}

#[derive(Deserialize)]
struct WorkflowRun {
    head_branch: Option<String>,
    head_sha: CommitId,
    event: String,
    head_repository: Option<Named>,
    pull_requests: Option<Vec<ListedPull>>,
    head_commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<u64>,
    full_name: Option<String>,
}

/// A pull request as a list names it: its repositories without their owners, by id.
#[derive(Deserialize)]
struct ListedPull {
    number: u64,
    base: Option<Side>,
    head: Option<Side>,
}

#[derive(Deserialize)]
struct Side {
    repo: Option<Named>,
}

impl Side {
    fn repository(side: Option<&Self>) -> Option<u64> {
        side?.repo.as_ref()?.id
    }
}

#[derive(Deserialize)]
struct PullRequestEvent {
    action: Option<String>,
    pull_request: PullRequestFields,
}

#[derive(Deserialize)]
struct PullRequestFields {
    number: u64,
    head: Head,
    base: Option<Base>,
}

#[derive(Deserialize)]
struct Head {
    sha: CommitId,
    repo: Option<Named>,
}

#[derive(Deserialize)]
struct Base {
    #[serde(rename = "ref")]
    name: Option<String>,
}

#[derive(Deserialize)]
struct IssueCommentEvent {
    issue: Issue,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    #[serde(default)]
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct MergeGroupEvent {
    merge_group: Option<MergeGroup>,
}

#[derive(Deserialize)]
struct MergeGroup {
    head_commit: Option<Commit>,
}

/// Reads what the event of this name needs from its payload, which is JSON.
pub(super) fn read(name: &str, json: &str) -> Result<Payload, PayloadError> {
    let common: Common = parse(name, json)?;
    let (mut before, mut forced, mut base_ref) = (None, false, None);
    let mut commits = Vec::new();
    let event = match name {
        "push" => {
            let push: Push = parse(name, json)?;
            forced = push.forced == Some(true);
            before = push.before.and_then(|id| CommitId::parse(&id).ok());
            base_ref = push.base_ref;
            commits.extend(push.head_commit);
            commits.extend(push.commits.into_iter().flatten());
            Event::Push { deleted: push.deleted == Some(true) }
        }
        "release" => {
            let ReleaseEvent { action, release } = parse(name, json)?;
            let target = release.target_commitish.unwrap_or_default();
            Event::Release { action, tag: release.tag_name, target }
        }
        "workflow_run" => {
            let WorkflowRunEvent { workflow_run: run } = parse(name, json)?;
            commits.extend(run.head_commit);
            let own = common.repository.as_ref().and_then(|repository| repository.id);
            let head = run.head_repository.as_ref().and_then(|repository| repository.id);
            let pull_request = pull_request_of(&run.pull_requests.unwrap_or_default(), own, head);
            Event::WorkflowRun {
                head_branch: run.head_branch.filter(|branch| !branch.is_empty()),
                head_sha: run.head_sha,
                event: run.event,
                head_repository: run.head_repository.and_then(|repository| repository.full_name),
                pull_request,
            }
        }
        "pull_request" | "pull_request_target" => {
            let (request, base) = pull_request(name, json)?;
            base_ref = base;
            if name == "pull_request" {
                Event::PullRequest(request)
            } else {
                Event::PullRequestTarget(request)
            }
        }
        "issue_comment" => {
            let IssueCommentEvent { issue } = parse(name, json)?;
            Event::IssueComment { number: issue.number, on_pull_request: issue.pull_request.is_some() }
        }
        "merge_group" => {
            let group: MergeGroupEvent = parse(name, json)?;
            commits.extend(group.merge_group.and_then(|group| group.head_commit));
            Event::MergeGroup
        }
        "schedule" => Event::Schedule,
        "workflow_dispatch" => Event::WorkflowDispatch,
        "repository_dispatch" => Event::RepositoryDispatch,
        "delete" => Event::Delete,
        other => Event::Other(text::name(other)),
    };
    let commit_times = commits.into_iter().filter_map(time).collect();
    let base_ref = base_ref.filter(|name| !name.is_empty());
    Ok(Payload { event, repository: common.repository.map(facts), before, forced, base_ref, commit_times })
}

/// The number of the one pull request that asks for this run's head to be merged into the repository `own`. GitHub lists
/// every open one with that head: of a fork also those at the repository that it was made of, whose numbers are not ours.
fn pull_request_of(listed: &[ListedPull], own: Option<u64>, head: Option<u64>) -> Option<u64> {
    let is_ours = |pull: &&ListedPull| {
        own.is_some()
            && Side::repository(pull.base.as_ref()) == own
            && Side::repository(pull.head.as_ref()) == head
    };
    match listed.iter().filter(is_ours).collect::<Vec<_>>()[..] {
        [pull] => Some(pull.number),
        _ => None,
    }
}

/// The pull request, and the branch that it asks to be merged into.
fn pull_request(name: &str, json: &str) -> Result<(PullRequest, Option<String>), PayloadError> {
    let PullRequestEvent { action, pull_request } = parse(name, json)?;
    let request = PullRequest {
        number: pull_request.number,
        head_sha: pull_request.head.sha,
        head_repository: pull_request.head.repo.and_then(|repository| repository.full_name),
        closed: action.as_deref() == Some("closed"),
    };
    Ok((request, pull_request.base.and_then(|base| base.name)))
}

fn facts(fields: RepositoryFields) -> RepositoryFacts {
    RepositoryFacts {
        full_name: fields.full_name.unwrap_or_default(),
        html_url: fields.html_url.unwrap_or_default(),
        description: fields.description.unwrap_or_default(),
        license: fields
            .license
            .and_then(|license| license.spdx_id)
            .filter(|id| id != "NOASSERTION")
            .unwrap_or_default(),
        default_branch: fields.default_branch.filter(|branch| !branch.is_empty()),
        ..RepositoryFacts::default()
    }
}

/// A commit's id and time: RFC 3339 with any offset becomes Unix seconds. A commit without a usable time is one whose time is
/// unknown.
fn time(commit: Commit) -> Option<(CommitId, i64)> {
    let id = CommitId::parse(&commit.id?).ok()?;
    let timestamp: jiff::Timestamp = commit.timestamp?.parse().ok()?;
    Some((id, timestamp.as_second()))
}

fn parse<T: DeserializeOwned>(event: &str, json: &str) -> Result<T, PayloadError> {
    serde_json::from_str(json)
        .map_err(|error| PayloadError { event: text::name(event), problem: text::line(&error.to_string()) })
}
