//! What rules are told of the event.

use super::super::Subject;
use crate::model::{CommitId, GitRef};
use crate::rules::Values;
use crate::runner::context::{Event, RunnerContext};

/// What rules are told of the event, the commit and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    /// `GITHUB_EVENT_NAME`.
    pub event: String,
    /// What the run is about, which is not always `GITHUB_REF`: a pull request for `pull_request_target` and
    /// `issue_comment`, the other run's branch for `workflow_run`.
    pub git_ref: GitRef,
    /// The commit that `type=sha` and `{{sha}}` name; or why there is none.
    pub sha: Result<CommitId, String>,
    /// The repository's default branch, if it is known.
    pub default_branch: Option<String>,
    /// What the payload says of a pull request's base, `base.ref`, or of a pushed Git tag, `base_ref`.
    pub base_ref: Option<String>,
    /// Characters of a short commit id, see [`crate::rules::short_sha_length`].
    pub short_sha: usize,
    /// Why no tag may be named after the event's ref: what is checked out is not what the event is about. What names a value
    /// of its own, and the commit's own tag, are not limited by it.
    pub withheld: Option<String>,
    /// The time of the run, in Unix milliseconds: one for all jobs that make one image.
    pub now: i64,
    /// The time of the commit, in Unix seconds, if it is known.
    pub committed: Option<i64>,
}

impl EventFacts {
    /// What a run's context and its subject say. The base's name and the commit's time are the caller's to fill in.
    pub fn of(context: &RunnerContext, subject: &Subject, sha: Result<CommitId, String>, now: i64) -> Self {
        let git_ref = match subject {
            Subject::Branch(name) => GitRef::Branch(name.clone()),
            Subject::GitTag(name) => GitRef::Tag(name.clone()),
            Subject::PullRequest(Some(number)) => GitRef::Pull(*number),
            Subject::PullRequest(None) => GitRef::Other(String::new()),
            Subject::Queue => context.git_ref.clone(),
            Subject::Ref(name) => GitRef::Other(name.clone()),
        };
        Self {
            event: event_name(&context.event).to_owned(),
            git_ref,
            sha,
            default_branch: context.repository.default_branch.clone(),
            base_ref: None,
            short_sha: 7,
            withheld: None,
            now,
            committed: None,
        }
    }

    /// What the global expressions stand for.
    pub fn values(&self) -> Values {
        let truth = |value: bool| if value { "true" } else { "false" }.to_owned();
        let (mut branch, mut tag, mut base) = (String::new(), String::new(), "");
        match &self.git_ref {
            GitRef::Branch(name) => branch.clone_from(name),
            GitRef::Tag(name) => {
                tag.clone_from(name);
                base = self.base_ref.as_deref().unwrap_or_default();
                base = base.strip_prefix("refs/heads/").unwrap_or(base);
            }
            GitRef::Pull(_) => base = self.base_ref.as_deref().unwrap_or_default(),
            GitRef::Other(_) => {}
        }
        let sha = self.sha.as_ref().map(|sha| sha.cut(self.short_sha).to_owned());
        let on_default = self.is_default_branch();
        Values {
            names: vec![
                ("branch", branch),
                ("tag", tag),
                ("sha", sha.unwrap_or_default()),
                ("base_ref", base.to_owned()),
                ("is_default_branch", truth(on_default)),
                ("is_not_default_branch", truth(!on_default)),
            ],
            now: self.now,
            committed: self.committed.map_or(self.now, |seconds| seconds.saturating_mul(1_000)),
        }
    }

    /// Whether the run is on the default branch. Events of these names are taken to be, whatever their ref.
    fn is_default_branch(&self) -> bool {
        let name = match &self.git_ref {
            GitRef::Branch(name) => name.as_str(),
            GitRef::Other(whole) if whole.is_empty() => return false,
            _ => "",
        };
        let named = self.default_branch.as_deref().is_some_and(|default| !name.is_empty() && default == name);
        named || ["create", "discussion", "issues", "schedule"].iter().any(|part| self.event.contains(part))
    }
}

/// `GITHUB_EVENT_NAME` of an event.
fn event_name(event: &Event) -> &str {
    match event {
        Event::Push { .. } => "push",
        Event::Release { .. } => "release",
        Event::Schedule => "schedule",
        Event::WorkflowDispatch => "workflow_dispatch",
        Event::RepositoryDispatch => "repository_dispatch",
        Event::WorkflowRun { .. } => "workflow_run",
        Event::PullRequest(_) => "pull_request",
        Event::PullRequestTarget(_) => "pull_request_target",
        Event::IssueComment { .. } => "issue_comment",
        Event::MergeGroup => "merge_group",
        Event::Delete => "delete",
        Event::Other(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{commit, context, push};
    use super::*;

    #[test]
    fn of_a_run() {
        for (event, subject, name, git_ref) in [
            (push(), Subject::Branch("main".into()), "push", GitRef::Branch("main".into())),
            (push(), Subject::GitTag("v1".into()), "push", GitRef::Tag("v1".into())),
            (
                Event::IssueComment { number: 5, on_pull_request: true },
                Subject::PullRequest(Some(5)),
                "issue_comment",
                GitRef::Pull(5),
            ),
            (Event::Schedule, Subject::Ref("detached".into()), "schedule", GitRef::Other("detached".into())),
            (Event::MergeGroup, Subject::Queue, "merge_group", GitRef::Branch("queue".into())),
            (
                Event::Other("create".into()),
                Subject::PullRequest(None),
                "create",
                GitRef::Other(String::new()),
            ),
        ] {
            let facts = EventFacts::of(&context(event, "refs/heads/queue"), &subject, Ok(commit('1')), 0);
            assert_eq!((facts.event.as_str(), &facts.git_ref), (name, &git_ref));
            assert_eq!(facts.default_branch.as_deref(), Some("main"));
        }
    }
}
