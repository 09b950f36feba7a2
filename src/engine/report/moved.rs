//! The tags of an image for the summary: why each is there, and what it was on before.

use super::account::Account;
use super::target::TargetOutcome;
use crate::metadata::PlannedTag;
use crate::model::{CommitId, Repository, Tag};
use crate::runner::context::RunnerContext;
use crate::runner::summary::{TagRow, Was};

/// Characters of a commit's id that people read.
const SHOWN: usize = 7;

/// Rows of all repositories: once where they are the same in each, else with whole references.
pub(super) fn tag_rows(account: &Account<'_>, tags: Vec<(Repository, Vec<PlannedTag>)>) -> Vec<TagRow> {
    let each = tags.into_iter().map(|(repository, tags)| {
        let target = account.targets.iter().find(|one| one.repository == repository);
        let row = |tag: PlannedTag| TagRow {
            was: target.map_or(Was::Unknown, |target| was(account, target, &tag.tag)),
            name: tag.tag.to_string(),
            reason: tag.reason,
        };
        (repository, tags.into_iter().map(row).collect::<Vec<_>>())
    });
    let each: Vec<_> = each.collect();
    let Some((_, first)) = each.first() else { return Vec::new() };
    if each.iter().all(|(_, rows)| rows == first) {
        return first.clone();
    }
    let whole = |(target, rows): (Repository, Vec<TagRow>)| {
        rows.into_iter().map(move |row| TagRow { name: format!("{target}:{}", row.name), ..row })
    };
    each.into_iter().flat_map(whole).collect()
}

fn was(account: &Account<'_>, target: &TargetOutcome, tag: &Tag) -> Was {
    let Some((_, before)) = target.before.iter().find(|(known, _)| known == tag) else { return Was::Unknown };
    let Some(before) = before else { return Was::New };
    if target.digest.as_ref() == Some(&before.digest) {
        return Was::Same;
    }
    let Some(commit) = &before.stamp.commit else { return Was::Other(before.digest.clone()) };
    let ours = account.plan.and_then(|plan| plan.stamp.commit.as_ref());
    let page = account.context.zip(ours).and_then(|(context, ours)| {
        // Commits of another repository are compared nowhere.
        let sources = format!("{}/{}", context.server_url, context.repository.full_name);
        let same = before.stamp.source.as_ref().is_none_or(|source| *source == sources);
        same.then(|| comparison(context, commit, ours))
    });
    Was::Commit(commit.cut(SHOWN).to_owned(), page)
}

/// GitHub's page that shows what lies between two commits.
fn comparison(context: &RunnerContext, old: &CommitId, new: &CommitId) -> String {
    let repository = format!("{}/{}", context.server_url, context.repository.full_name);
    if old == new {
        return format!("{repository}/commit/{old}");
    }
    format!("{repository}/compare/{old}...{new}")
}
