//! Whether a run may build code that nobody with write access to the repository has put there: a stranger's.
//!
//! The one home of that question. Who asks it: the cache (`plan::cache`), which others would read; the token secrets
//! (`plan::remote`), which a step of the build could read; the push (`metadata::trigger`). It is a question about the event alone: what is checked out,
//! or which ref a Git context names, is chosen by the workflow, and these are the events whose workflows choose a pull
//! request's head. Source: GitHub's "Events that trigger workflows" and "Security hardening for GitHub Actions".

use super::context::{DEPENDABOT, Event, RunnerContext};
use crate::model::GitRef;

/// Why a run may build a stranger's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Dependabot caused it: what it builds takes in code that nobody has looked at yet.
    Dependabot,
    /// It is about a pull request from a fork, or about one of which the event does not tell where it comes from.
    Fork,
    /// It runs with the repository's own rights on behalf of a pull request or a comment, which anybody can write.
    OnBehalf,
    /// It runs after another run that was one of these, or that nobody here can vouch for.
    After,
}

impl Stranger {
    /// What kind of run that is, as the subject of a sentence that ends in a verb of the third person.
    pub fn run(self) -> &'static str {
        match self {
            Self::Dependabot => "a run of Dependabot",
            Self::Fork => "a pull request from a fork",
            Self::OnBehalf => "a run on behalf of a pull request or a comment",
            Self::After => "a run after a pull request's or a fork's",
        }
    }
}

impl RunnerContext {
    /// Why this run may build a stranger's code, if it may.
    pub fn stranger(&self) -> Option<Stranger> {
        if self.actor == DEPENDABOT {
            return Some(Stranger::Dependabot);
        }
        match &self.event {
            Event::PullRequest(_) => self.secrets_withheld().then_some(Stranger::Fork),
            Event::PullRequestTarget(_) | Event::IssueComment { .. } => Some(Stranger::OnBehalf),
            Event::WorkflowRun { event, head_repository, .. } => {
                // Who is in the group of a merge queue was let in. A run after a run after one says nothing of the first.
                let known = matches!(
                    event.as_str(),
                    "push"
                        | "release"
                        | "schedule"
                        | "workflow_dispatch"
                        | "repository_dispatch"
                        | "merge_group"
                );
                (!known || !self.is_own(head_repository.as_deref())).then_some(Stranger::After)
            }
            // A review, for example: GitHub builds the merge commit, and the payload's head is not read.
            Event::Other(_) if matches!(self.git_ref, GitRef::Pull(_)) => Some(Stranger::Fork),
            _ => None,
        }
    }

    /// Whether a repository is the one that the workflow runs in. GitHub compares names without regard to case; one that
    /// is gone was a fork.
    pub fn is_own(&self, repository: Option<&str>) -> bool {
        repository
            .is_some_and(|name| !name.is_empty() && name.eq_ignore_ascii_case(&self.repository.full_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommitId;
    use crate::runner::context::PullRequest;

    fn commit() -> CommitId {
        CommitId::parse(&"2".repeat(40)).unwrap()
    }

    fn context(event: Event, git_ref: &str) -> RunnerContext {
        let sha = commit();
        let variables = [
            ("GITHUB_EVENT_NAME", "schedule"),
            ("GITHUB_REF", git_ref),
            ("GITHUB_SHA", sha.as_str()),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        RunnerContext { event, ..RunnerContext::read(&variables.into(), "{}").unwrap() }
    }

    fn pull(head: &str) -> PullRequest {
        PullRequest { number: 5, head_sha: commit(), head_repository: named(head), closed: false }
    }

    fn named(repository: &str) -> Option<String> {
        Some(repository.to_owned()).filter(|name| !name.is_empty())
    }

    fn after(event: &str, head: &str) -> Event {
        Event::WorkflowRun {
            head_branch: Some("main".into()),
            head_sha: commit(),
            event: event.into(),
            head_repository: named(head),
            pull_request: None,
        }
    }

    #[test]
    fn whose_code_a_run_builds() {
        let on_behalf = Some(Stranger::OnBehalf);
        let push = || Event::Push { deleted: false };
        let comment = |on_pull_request| Event::IssueComment { number: 5, on_pull_request };
        let release = Event::Release { action: "published".into(), tag: "v1".into(), target: "main".into() };
        let review = || Event::Other("pull_request_review".into());
        let (main, merge) = ("refs/heads/main", "refs/pull/5/merge");
        for (event, git_ref, expected) in [
            (push(), main, None),
            (release, "refs/tags/v1", None),
            (Event::Schedule, main, None),
            (Event::WorkflowDispatch, main, None),
            (Event::MergeGroup, "refs/heads/gh-readonly-queue/main/pr-5-x", None),
            (Event::PullRequest(pull("Acme/Shop")), merge, None),
            (Event::PullRequest(pull("mallory/shop")), merge, Some(Stranger::Fork)),
            (Event::PullRequest(pull("")), merge, Some(Stranger::Fork)),
            (Event::PullRequestTarget(pull("acme/shop")), main, on_behalf),
            (Event::PullRequestTarget(pull("mallory/shop")), main, on_behalf),
            (comment(true), main, on_behalf),
            (comment(false), main, on_behalf),
            (after("push", "acme/shop"), main, None),
            (after("merge_group", "acme/shop"), main, None),
            (after("push", "mallory/shop"), main, Some(Stranger::After)),
            (after("push", ""), main, Some(Stranger::After)),
            (after("pull_request", "acme/shop"), main, Some(Stranger::After)),
            (after("pull_request_target", "acme/shop"), main, Some(Stranger::After)),
            (after("issue_comment", "acme/shop"), main, Some(Stranger::After)),
            (after("workflow_run", "acme/shop"), main, Some(Stranger::After)),
            (review(), merge, Some(Stranger::Fork)),
            (review(), main, None),
        ] {
            let mut context = context(event.clone(), git_ref);
            assert_eq!(context.stranger(), expected, "{event:?}");
            context.actor = "dependabot[bot]".into();
            assert_eq!(context.stranger(), Some(Stranger::Dependabot), "{event:?}");
        }
    }
}
