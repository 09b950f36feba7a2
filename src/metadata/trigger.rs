//! What started a run, and what that means: which ref and commit it is about, and whether it publishes.
//!
//! GitHub points `GITHUB_REF` and `GITHUB_SHA` at the default branch for several events that are about
//! something else (`pull_request_target`, `issue_comment`, `workflow_run`); this module is the one place that knows.
//! Source: GitHub's "Events that trigger workflows".

use super::{PushDecision, Subject, quoted};
use crate::model::{CommitId, GitRef, text};
use crate::runner::context::{Event, PullRequest, RunnerContext};
use crate::runner::stranger::Stranger;

/// What a run is about.
pub(super) enum Trigger {
    /// There is nothing to build; says why.
    Nothing(String),
    /// Something is built.
    Build {
        subject: Subject,
        /// For people, as the end of "this run is a …".
        occasion: String,
        /// The tip of the pull request, where the payload has it.
        pull_request_head: Option<CommitId>,
        push: PushDecision,
    },
}

/// The commit that this run should be building: the other run's for `workflow_run`, else `GITHUB_SHA`.
/// Compare the checkout with this one.
pub fn triggering_commit(context: &RunnerContext) -> &CommitId {
    match &context.event {
        Event::WorkflowRun { head_sha, .. } => head_sha,
        _ => &context.sha,
    }
}

/// The pull request whose head commit only the API can tell, if this run is about one.
pub fn pull_request_to_look_up(context: &RunnerContext) -> Option<u64> {
    match (&context.event, &context.git_ref) {
        (Event::IssueComment { number, on_pull_request: true }, _)
        | (Event::Push { .. } | Event::Other(_), GitRef::Pull(number)) => Some(*number),
        _ => None,
    }
}

/// The branch that this run is about only if GitHub says that it has [`triggering_commit`]: `workflow_run` gives the name of
/// the branch or the Git tag that the other run was on, and does not say which it is.
pub fn branch_to_look_up(context: &RunnerContext) -> Option<String> {
    let Event::WorkflowRun { event, .. } = &context.event else { return None };
    // These are on a branch, whatever else is called so.
    if matches!(event.as_str(), "schedule" | "repository_dispatch") {
        return None;
    }
    match trigger(context) {
        Trigger::Build { subject: Subject::Branch(name), .. } => Some(name),
        _ => None,
    }
}

/// What becomes of an image that this event builds when the input `push` is `auto`; `None` when it builds nothing.
pub fn push_by_event(context: &RunnerContext) -> Option<PushDecision> {
    match trigger(context) {
        Trigger::Nothing(_) => None,
        Trigger::Build { push, .. } => Some(push),
    }
}

/// Reads the event.
pub(super) fn trigger(context: &RunnerContext) -> Trigger {
    let trigger = by_event(context);
    match trigger {
        Trigger::Build { subject, occasion, pull_request_head, .. }
            if context.stranger() == Some(Stranger::Dependabot) =>
        {
            let push = PushDecision::NoPush("runs of dependabot[bot] may not publish".into());
            Trigger::Build { subject, occasion, pull_request_head, push }
        }
        other => other,
    }
}

fn by_event(context: &RunnerContext) -> Trigger {
    let yes = PushDecision::Push { tolerate_refusal: false };
    match &context.event {
        Event::Push { deleted: true } | Event::Delete => {
            Trigger::Nothing("the branch or tag was deleted: there is nothing to build".into())
        }
        Event::Push { deleted: false } => on_ref(&context.git_ref, "push to", yes),
        Event::Release { action, tag, .. } => match action.as_str() {
            // GitHub starts no run for a draft: what was created is public.
            "published" | "released" | "prereleased" | "created" => {
                on_ref(&GitRef::Tag(tag.clone()), &format!("release {action} at"), yes)
            }
            other => {
                Trigger::Nothing(format!("the release was {}: nothing is built for that", text::name(other)))
            }
        },
        Event::Schedule => on_ref(&context.git_ref, "scheduled run on", yes),
        Event::WorkflowDispatch => on_ref(&context.git_ref, "manual run on", yes),
        Event::RepositoryDispatch => on_ref(&context.git_ref, "repository dispatch on", yes),
        Event::WorkflowRun { .. } => workflow_run(context),
        Event::PullRequest(request) | Event::PullRequestTarget(request) if request.closed => {
            Trigger::Nothing(format!(
                "pull request #{} was closed: there is nothing to build",
                request.number
            ))
        }
        Event::PullRequest(request) => pull_request(context, request),
        Event::PullRequestTarget(request) => Trigger::Build {
            subject: Subject::PullRequest(Some(request.number)),
            occasion: format!("pull_request_target of #{}", request.number),
            pull_request_head: Some(request.head_sha.clone()),
            push: only_if_asked(
                "pull_request_target runs with the repository's secrets on somebody else's code",
            ),
        },
        Event::IssueComment { number, on_pull_request: true } => Trigger::Build {
            subject: Subject::PullRequest(Some(*number)),
            occasion: format!("comment on pull request #{number}"),
            pull_request_head: None,
            push: only_if_asked("anybody can comment on a pull request"),
        },
        Event::IssueComment { .. } => other_event(&context.git_ref, "issue_comment"),
        Event::MergeGroup => Trigger::Build {
            subject: Subject::Queue,
            occasion: "merge queue".into(),
            pull_request_head: None,
            push: PushDecision::NoPush("a merge queue only tests what it may merge".into()),
        },
        Event::Other(name) => other_event(&context.git_ref, name),
    }
}

fn pull_request(context: &RunnerContext, request: &PullRequest) -> Trigger {
    let own = context.is_own(request.head_repository.as_deref());
    Trigger::Build {
        subject: Subject::PullRequest(Some(request.number)),
        occasion: format!("pull request #{}{}", request.number, if own { "" } else { " from a fork" }),
        pull_request_head: Some(request.head_sha.clone()),
        push: if own {
            PushDecision::Push { tolerate_refusal: true }
        } else {
            PushDecision::NoPush("pull requests from forks may not publish".into())
        },
    }
}

/// What the other run was, decides: `GITHUB_REF` is the default branch, whoever started it.
fn workflow_run(context: &RunnerContext) -> Trigger {
    let Event::WorkflowRun { head_branch, event, head_repository, pull_request, .. } = &context.event else {
        return other_event(&context.git_ref, "workflow_run");
    };
    let after = format!("workflow_run after {}", text::name(event));
    if event == "merge_group" {
        return Trigger::Build {
            subject: Subject::Queue,
            occasion: after,
            pull_request_head: None,
            push: PushDecision::NoPush("a merge queue only tests what it may merge".into()),
        };
    }
    let own = context.is_own(head_repository.as_deref());
    if !own || event.starts_with("pull_request") || event == "issue_comment" {
        return Trigger::Build {
            subject: Subject::PullRequest(*pull_request),
            occasion: pull_request.map_or_else(|| after.clone(), |number| format!("{after} of #{number}")),
            pull_request_head: Some(triggering_commit(context).clone()),
            push: only_if_asked(
                "the run before this one was started by a pull request or in another repository",
            ),
        };
    }
    let Some(branch) = head_branch.as_deref().filter(|branch| !branch.is_empty()) else {
        return on_other_ref("detached", format!("{after} of a commit on no branch"));
    };
    // A release's run has the tag where the others have the branch.
    let git_ref = match event.as_str() {
        "release" => GitRef::Tag(branch.to_owned()),
        _ => GitRef::Branch(branch.to_owned()),
    };
    let push = match event.as_str() {
        "push" | "release" | "schedule" | "workflow_dispatch" | "repository_dispatch" => {
            PushDecision::Push { tolerate_refusal: false }
        }
        _ => only_if_asked(
            "the run before this one was not started by a push, a release, a schedule or by hand",
        ),
    };
    on_ref(&git_ref, &format!("{after} on"), push)
}

fn other_event(git_ref: &GitRef, name: &str) -> Trigger {
    let name = text::name(name);
    on_ref(git_ref, &format!("event {name} on"), only_if_asked(&format!("the event {name} does not publish")))
}

fn on_ref(git_ref: &GitRef, occasion: &str, push: PushDecision) -> Trigger {
    let build = |subject, what: String| Trigger::Build {
        subject,
        occasion: format!("{occasion} {what}"),
        pull_request_head: None,
        push,
    };
    match git_ref {
        GitRef::Branch(name) => build(Subject::Branch(name.clone()), format!("branch {}", quoted(name))),
        GitRef::Tag(name) => build(Subject::GitTag(name.clone()), format!("tag {}", quoted(name))),
        GitRef::Pull(number) => Trigger::Build {
            subject: Subject::PullRequest(Some(*number)),
            occasion: format!("{occasion} pull request #{number}"),
            pull_request_head: None,
            push: only_if_asked("only the event pull_request publishes a pull request"),
        },
        GitRef::Other(name) => on_other_ref(name, format!("{occasion} {}", quoted(name))),
    }
}

fn on_other_ref(name: &str, occasion: String) -> Trigger {
    Trigger::Build {
        subject: Subject::Ref(name.to_owned()),
        occasion,
        pull_request_head: None,
        push: only_if_asked("the run is on no branch and no tag"),
    }
}

fn only_if_asked(why: &str) -> PushDecision {
    PushDecision::OnlyIfAsked(why.to_owned())
}
