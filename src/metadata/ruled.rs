//! Rules in the place of the default strategy: what they are told of this run, and what is made of their tags.

use super::rules::{DefaultTags, Evaluated, EventFacts, evaluate};
use super::{Subject, date};
use crate::model::CommitId;
use crate::rules::{Fault, TagRules, Values};
use crate::runner::context::RunnerContext;

/// What is known of the run that rules are carried out for.
pub(super) struct Around<'a> {
    pub context: &'a RunnerContext,
    pub subject: &'a Subject,
    /// The commit that rules name, if it is one of this repository.
    pub commit: Option<&'a CommitId>,
    /// Why there is none.
    pub no_commit: &'a str,
    /// The commit that decides which image is newer.
    pub named: Option<&'a CommitId>,
    /// Characters of a short commit id.
    pub short_sha: usize,
    /// Why nothing is called after the run's ref.
    pub withheld: Option<&'a str>,
    /// The time of the run, in Unix milliseconds.
    pub now: i64,
    /// The time of the commit, in Unix seconds.
    pub committed: Option<i64>,
}

impl Around<'_> {
    /// What rules are told.
    fn facts(&self) -> EventFacts {
        let commit = self.commit.cloned();
        let sha = commit.ok_or_else(|| self.no_commit.to_owned());
        EventFacts {
            withheld: self.withheld.map(str::to_owned),
            committed: self.committed,
            base_ref: self.context.base_ref.clone(),
            short_sha: self.short_sha,
            ..EventFacts::of(self.context, self.subject, sha, self.now)
        }
    }

    /// What expressions outside of rules stand for: the same, and what is known of the image.
    pub(super) fn values(&self, version: Option<&str>, revision: Option<&CommitId>) -> Values {
        let mut values = self.facts().values();
        values.names.extend([
            ("version", version.unwrap_or_default().to_owned()),
            ("revision", revision.map(ToString::to_string).unwrap_or_default()),
            ("created", self.committed.map(date::rfc3339).unwrap_or_default()),
        ]);
        values
    }
}

/// Carries rules out.
pub(super) fn ruled(
    rules: &TagRules,
    around: &Around<'_>,
    default: DefaultTags<'_>,
) -> Result<Evaluated, Vec<Fault>> {
    let mut evaluated = evaluate(rules, &around.facts(), default)?;
    // Tags that are called after another commit than the one that images are ordered by (a pull request's merge) lead to no
    // other image.
    if around.commit != around.named {
        let own = |tag: &&mut super::PlannedTag| tag.source.line().is_some();
        evaluated.tags.iter_mut().filter(own).for_each(|tag| tag.commit_tags = None);
    }
    Ok(evaluated)
}
