//! What tags are made of where an image is tagged that is there already: its own commit, and not the event's.
//!
//! The ref, the version and the pull request are the event's, as for a build. What is called after the ref needs the image's
//! commit to be on it: on a branch wherever that is (the order of images decides which one has its tag), on a Git tag the very
//! commit. An image that does not say its commit, or one of another repository, has no commit tag; nothing more is known of it.

use super::trigger::{Trigger, trigger, triggering_commit};
use super::{Ancestry, CheckoutFacts, DescribeError, NoHead, Subject, quoted};
use crate::model::{CommitId, GitRef, Stamp, text};
use crate::runner::context::RunnerContext;

/// An image that is there already, as far as tags depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenImage {
    /// The commit that it says it was made of.
    pub commit: Option<CommitId>,
    /// The address of the repository that it was built from, where that is another one than the run's.
    pub other_source: Option<String>,
    /// Whether the branch that the run is about has that commit, or why nobody knows. Asked where the run is about another one.
    pub on_branch: Result<bool, String>,
}

impl GivenImage {
    /// What an image says of itself; GitHub was not asked yet.
    pub fn of(stamp: &Stamp, context: &RunnerContext) -> Self {
        let own = plain(&context.repository.html_url);
        let other = |source: &&String| !own.is_empty() && plain(source) != own;
        Self {
            commit: stamp.commit.clone(),
            other_source: stamp.source.as_ref().filter(other).cloned(),
            on_branch: Err("GitHub was not asked".into()),
        }
    }

    /// Its commit, if that is one of the run's repository.
    pub fn own_commit(&self) -> Option<&CommitId> {
        self.commit.as_ref().filter(|_| self.other_source.is_none())
    }

    /// The branch on which its commit is to be looked for, and that commit: where the run is about another one of a branch.
    pub fn to_look_up(&self, context: &RunnerContext) -> Option<(String, &CommitId)> {
        let commit = self.own_commit().filter(|commit| *commit != triggering_commit(context))?;
        match trigger(context) {
            Trigger::Build { subject: Subject::Branch(name), .. } => Some((name, commit)),
            Trigger::Build { .. } | Trigger::Nothing(_) => None,
        }
    }

    /// What stands in the place of a checkout. `workspace` counts where it is of the image's commit; `pull_request_head` is
    /// that of the request that the run is about.
    pub(super) fn facts(
        &self,
        workspace: &CheckoutFacts,
        context: &RunnerContext,
        pull_request_head: Option<&CommitId>,
    ) -> CheckoutFacts {
        let expected = triggering_commit(context);
        let commit = self.own_commit();
        if commit.is_some() && commit == workspace.head.as_ref() {
            return CheckoutFacts { compared_with: expected.clone(), warning: None, ..workspace.clone() };
        }
        let nothing_here = matches!(workspace.head_refs, Err(NoHead::NoRepository));
        let describe = if nothing_here { DescribeError::NoRepository } else { DescribeError::OfImage };
        let nothing =
            CheckoutFacts { describe: Err(describe), ..CheckoutFacts::none(expected.clone(), None) };
        // The merge of a pull request that the event names is one of the head that it names.
        let merge = matches!(context.git_ref, GitRef::Pull(_)) && commit == Some(&context.sha);
        CheckoutFacts {
            head: commit.cloned(),
            parents: pull_request_head.filter(|_| merge).cloned().into_iter().collect(),
            ancestry: if commit == Some(expected) { Ancestry::Same } else { nothing.ancestry.clone() },
            ..nothing
        }
    }

    /// Why it is not what is called after the run's ref, if it is not: a branch, or a Git tag.
    pub(super) fn drift(&self, expected: &CommitId, on_branch: bool) -> Option<String> {
        let commit = self.own_commit().filter(|commit| *commit != expected)?;
        if !on_branch {
            return Some(format!(
                "the image is of commit {commit}, and the Git tag of this run is at {expected}"
            ));
        }
        match &self.on_branch {
            Ok(true) => None,
            Ok(false) => {
                Some(format!("the image is of commit {commit}, which is not on the branch of this run"))
            }
            Err(why) => Some(format!(
                "the image is of commit {commit}, and whether that is on the branch of this run is not known: {}",
                text::line(why)
            )),
        }
    }

    /// Why there is no commit tag, if there is none.
    pub(super) fn no_commit(&self) -> Option<String> {
        match (&self.commit, &self.other_source) {
            (None, _) => Some(
                "the image does not say its commit: it has neither a stamp of this action nor a label \
                 `org.opencontainers.image.revision`"
                    .into(),
            ),
            (Some(_), Some(source)) => Some(format!(
                "the image was built from {}: its commit is none of this repository",
                quoted(source)
            )),
            (Some(_), None) => None,
        }
    }
}

/// An address as it is compared: people and tools write the same one in several ways.
fn plain(url: &str) -> String {
    let url = url.trim().trim_end_matches('/').to_ascii_lowercase();
    url.strip_suffix(".git").unwrap_or(&url).to_owned()
}

#[cfg(test)]
#[path = "given_tests.rs"]
mod tests;
