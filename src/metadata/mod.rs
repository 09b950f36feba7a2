//! Tags and labels of an image: pure functions of what the runner said, what is checked out and what was asked.
//!
//! Owns what a tag of the plan is (`planned`), the default tag strategy (`strategy`), the slug of a ref (`slug`), what an
//! event is about (`trigger`), or what is checked out (`head`), what the image is of (`sourced`: the checkout, a context that
//! is fetched, `remote`, or an image that is there already, `given`), what rules make of it in the strategy's place (`rules`)
//! and the OCI labels (`labels`). Refuses to look at a registry, a clock or a file: whether a tag may move is decided
//! elsewhere, with facts that only a registry has. Obeys the OCI specifications for tags and annotations, and
//! `GITHUB_REF_SLUG` of rlespinasse/github-slug-action for slugs.

mod checkout;
pub(crate) mod date;
#[cfg(test)]
pub(crate) mod fixture;
mod given;
mod head;
pub mod labels;
mod planned;
mod remote;
mod ruled;
pub mod rules;
mod sourced;
mod strategy;
#[cfg(test)]
mod tests;
mod trigger;

use serde::Serialize;

use crate::model::{CommitId, Repository, Targets, text};
use crate::rules::Values;

pub use crate::model::slug;
pub use checkout::{Ancestry, CheckoutFacts, DescribeError, FetchedPull, HeadRefs, NoHead, RefsAtHead};
pub use given::GivenImage;
pub use head::{CheckedOut, head_to_confirm, refs_to_read};
pub use planned::{CommitTags, Moves, PlannedTag, Policy, Stage, TagSource, followed, most_specific};
pub use remote::{ContextCommit, ContextRef, ref_to_look_up};
pub use strategy::{GithubFacts, Outcome, Rules, StrategyError, derive};
pub use trigger::{branch_to_look_up, pull_request_to_look_up, push_by_event, triggering_commit};

/// What an image is called, where it came from, and whether this run may publish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// What the run is about.
    pub subject: Subject,
    /// What started it, for people: `push to branch main`. Free of control characters.
    pub occasion: String,
    /// Every tag once, in the order in which people are told: of the default strategy as they are published, of rules as those
    /// are written.
    pub tags: Vec<PlannedTag>,
    /// The version, without a leading `v` when it is semantic. Set on a pull request too, where it is no tag.
    pub version: Option<String>,
    /// The commit that is built; where only who fetches the context knows that, the one that the run is about.
    pub revision: CommitId,
    /// The commit that is built, if it is known: what the revision label says.
    pub built: Option<CommitId>,
    /// It is what is checked out in the workspace, or its commit there is the one that a Git context is fetched at.
    pub as_checked_out: bool,
    /// Whose sources are built.
    pub origin: Origin,
    /// That commit's time (Unix seconds, within the years 1970 to 9999), if anybody knows it. Never now.
    pub created: Option<i64>,
    /// The commit that the tags name, and that decides which image is newer: the head of a pull request, if that is what is
    /// built or was merged into it, else the one that is built.
    pub named: Option<CommitId>,
    /// That commit has replaced others on the ref, by a push that threw those away.
    pub forced: bool,
    /// What becomes of the image when the input `push` is `auto`.
    pub push_default: PushDecision,
    /// What expressions in labels, annotations and build arguments stand for.
    #[serde(skip)]
    pub values: Values,
    /// Lines of `tags` that made no tag of their own, and why.
    #[serde(skip)]
    pub no_tag: Vec<rules::Nothing>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// What a run is about, which is not always what `GITHUB_REF` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A branch, by name.
    Branch(String),
    /// A Git tag, by name.
    GitTag(String),
    /// A pull request; its number is unknown where a payload names none.
    PullRequest(Option<u64>),
    /// A merge queue's group.
    Queue,
    /// A ref that is neither branch nor tag, whole.
    Ref(String),
}

/// Whose sources an image is built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The run's own repository.
    Own,
    /// A context from elsewhere: the address of its repository for people, if it has one.
    Other(Option<String>),
}

/// What becomes of the image when nobody asked for anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushDecision {
    /// It is pushed.
    Push {
        /// A registry that refuses costs a warning, not the run.
        tolerate_refusal: bool,
    },
    /// It is not pushed, whatever is asked; says why.
    NoPush(String),
    /// It is pushed with `push: true` only; says why.
    OnlyIfAsked(String),
}

impl Metadata {
    /// Those of the repositories that a tag is for: whole references may leave some without any. All, where there is no tag.
    pub fn targets(&self, asked: &Targets) -> Targets {
        let named = |one: &&Repository| self.tags.iter().any(|tag| tag.is_for(one));
        Targets::of(asked.iter().filter(named).cloned()).unwrap_or_else(|| asked.clone())
    }

    /// Drops the tags that whole references ask for in other repositories than these.
    pub fn keep_tags_of(&mut self, targets: &Targets) {
        self.tags.retain(|tag| tag.repository.as_ref().is_none_or(|only| targets.contains(only)));
    }
}

/// A name for a sentence, in backticks.
fn quoted(name: &str) -> String {
    format!("`{}`", text::name(name))
}

/// A semantic version with or without a leading `v`.
fn semver_of(text: &str) -> Option<semver::Version> {
    semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}
