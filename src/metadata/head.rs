//! What `metadata_context: git` has a run speak of: the ref that is checked out.
//!
//! Pure: the refs of the checkout were read before. HEAD may have several names where it is detached; then a Git tag goes
//! before a pull request and that before a branch, as a release is what people check out by its name and a branch is often
//! at the same commit by chance. Of several Git tags the one that the run is on counts, else the highest semantic version,
//! else the last by name; of several branches the run's, else `latest_branch`, else the first by name.
//!
//! What a checkout calls itself is somebody's word: a fork has a branch `main`, too. So where a run may build a stranger's
//! code, a name counts only if GitHub says that this repository has the commit under it ([`head_to_confirm`]).

use super::trigger::{Trigger, trigger, triggering_commit};
use super::{Ancestry, CheckoutFacts, HeadRefs, NoHead, Subject, quoted, semver_of};
use crate::inputs::config::{Config, MetadataContext};
use crate::model::{CommitId, ContextSource, GitRef};
use crate::runner::context::RunnerContext;

/// The ref that is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// The ref.
    pub git_ref: GitRef,
    /// HEAD; of a merge that GitHub made of a pull request, the request's head: its tags go by that.
    pub commit: CommitId,
}

impl CheckedOut {
    /// What a run on this ref is about. A merge queue's group is on a branch, but that is not what it is about.
    pub(super) fn subject(&self, told: Told<'_>) -> Subject {
        match &self.git_ref {
            own if *told.subject == Subject::Queue && *own == told.context.git_ref => Subject::Queue,
            GitRef::Branch(name) => Subject::Branch(name.clone()),
            GitRef::Tag(name) => Subject::GitTag(name.clone()),
            GitRef::Pull(number) => Subject::PullRequest(Some(*number)),
            GitRef::Other(name) => Subject::Ref(name.clone()),
        }
    }

    /// The ref, for people.
    pub(super) fn name(&self) -> String {
        match &self.git_ref {
            GitRef::Branch(name) => format!("branch {}", quoted(name)),
            GitRef::Tag(name) => format!("Git tag {}", quoted(name)),
            GitRef::Pull(number) => format!("pull request #{number}"),
            GitRef::Other(name) => quoted(name),
        }
    }
}

/// What an event says of its run.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub context: &'a RunnerContext,
    /// What the run is about.
    pub subject: &'a Subject,
    /// The head of its pull request, if it is about one and that is known.
    pub pull_request_head: Option<&'a CommitId>,
}

impl Told<'_> {
    /// Whether a checkout of this ref is what the event says anyway, so that nobody's word is taken for it.
    fn is(self, out: &CheckedOut, checkout: &CheckoutFacts) -> bool {
        let on_ref = out.git_ref == self.context.git_ref && checkout.head.as_ref() == Some(&self.context.sha);
        on_ref || out.subject(self) == *self.subject && Some(&out.commit) == self.pull_request_head
    }

    /// Whether HEAD is the commit that the event is about. GitHub names another one in `GITHUB_SHA` where the event is a
    /// pull request's and the run is on the default branch.
    fn is_about(self, checkout: &CheckoutFacts) -> bool {
        match (self.subject, self.pull_request_head) {
            (_, Some(head)) => checkout.holds(head),
            (Subject::PullRequest(_), None) => false,
            (_, None) => {
                checkout.compared_with == *triggering_commit(self.context)
                    && checkout.ancestry == Ancestry::Same
            }
        }
    }
}

/// The ref that is checked out. None: the commit is, that the event is about, and the checkout has no name for it.
///
/// # Errors
/// Nothing is checked out, or a commit of which nobody knows a name.
pub(super) fn checked_out(
    checkout: &CheckoutFacts,
    told: Told<'_>,
    latest_branch: &str,
) -> Result<Option<CheckedOut>, NoHead> {
    let refs = checkout.head_refs.as_ref().map_err(Clone::clone)?;
    let head = checkout.head.clone().ok_or(NoHead::NoRepository)?;
    let found = |git_ref, commit: CommitId| Ok(Some(CheckedOut { git_ref, commit }));
    let at = match refs {
        HeadRefs::On(git_ref) => return found(git_ref.clone(), head),
        HeadRefs::Detached(at) => at,
    };
    let own =
        |names: &[String], own: Option<&str>| names.iter().find(|name| Some(name.as_str()) == own).cloned();
    let tag_of_event = match told.subject {
        Subject::GitTag(name) => Some(name.as_str()),
        _ => None,
    };
    let highest = || at.tags.iter().max_by_key(|name| (semver_of(name), *name)).cloned();
    if let Some(name) = own(&at.tags, tag_of_event).or_else(highest) {
        return found(GitRef::Tag(name), head);
    }
    let pull_of_event =
        at.pull_requests.iter().find(|pull| *told.subject == Subject::PullRequest(Some(pull.number)));
    if let Some(pull) = pull_of_event.or(at.pull_requests.first()) {
        // The first parent is the base.
        let merged = checkout.parents.get(1).filter(|_| pull.merge).cloned();
        return found(GitRef::Pull(pull.number), merged.unwrap_or(head));
    }
    let branch_of_event = match told.subject {
        Subject::Branch(name) => Some(name.as_str()),
        _ => None,
    };
    let branch = own(&at.branches, branch_of_event).or_else(|| own(&at.branches, Some(latest_branch)));
    if let Some(name) = branch.or_else(|| at.branches.first().cloned()) {
        return found(GitRef::Branch(name), head);
    }
    if told.is_about(checkout) {
        return Ok(None);
    }
    if head == told.context.sha {
        return found(told.context.git_ref.clone(), head);
    }
    match &at.in_history_of {
        Some(name) => found(GitRef::Branch(name.clone()), head),
        None => Err(NoHead::Nameless(head)),
    }
}

/// Whether the run takes its ref from what is checked out: it is asked to, and that is what is built.
fn speaks_of_checkout(config: &Config) -> bool {
    config.metadata_context == MetadataContext::Git && matches!(config.context, ContextSource::Directory(_))
}

/// The branches whose histories are to be looked into for a HEAD that nothing else names, the likeliest first; none if the
/// refs of the checkout are not asked for.
pub fn refs_to_read(context: &RunnerContext, config: &Config) -> Option<Vec<String>> {
    if !speaks_of_checkout(config) {
        return None;
    }
    let mut names = Vec::new();
    if let Trigger::Build { subject: Subject::Branch(name), .. } = trigger(context) {
        names.push(name);
    }
    if !names.contains(&config.latest_branch) {
        names.push(config.latest_branch.clone());
    }
    Some(names)
}

/// What is checked out, if that counts only where GitHub says that this repository has it: the run may build a stranger's
/// code, and the event does not say the same.
pub fn head_to_confirm(
    context: &RunnerContext,
    checkout: &CheckoutFacts,
    config: &Config,
) -> Option<CheckedOut> {
    if !speaks_of_checkout(config) {
        return None;
    }
    let Trigger::Build { subject, pull_request_head, .. } = trigger(context) else { return None };
    let told = Told { context, subject: &subject, pull_request_head: pull_request_head.as_ref() };
    let out = checked_out(checkout, told, &config.latest_branch).ok()??;
    doubt(told, checkout, &out).then_some(out)
}

/// Whether what is checked out has to be confirmed.
pub(super) fn doubt(told: Told<'_>, checkout: &CheckoutFacts, out: &CheckedOut) -> bool {
    told.context.stranger().is_some() && !told.is(out, checkout)
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
