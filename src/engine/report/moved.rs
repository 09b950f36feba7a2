//! The tags of an image for the summary: why each is there, and what it was on before.

use super::account::Account;
use super::target::TargetOutcome;
use crate::metadata::PlannedTag;
use crate::model::{CommitId, Repository, Stamp, Tag};
use crate::plan::RunPlan;
use crate::runner::context::RunnerContext;
use crate::runner::summary::{TagRow, Was};

/// Characters of a commit's id that people read.
pub(super) const SHOWN: usize = 7;

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
    let page = comparison_with(account, &before.stamp, commit);
    Was::Commit(commit.cut(SHOWN).to_owned(), page)
}

/// GitHub's page that shows what lies between an image's commit and ours, where both are of this repository.
pub(super) fn comparison_with(account: &Account<'_>, stamp: &Stamp, commit: &CommitId) -> Option<String> {
    let ours = account.plan.and_then(|plan| plan.stamp.commit.as_ref())?;
    let context = account.context?;
    let sources = format!("{}/{}", context.server_url, context.repository.full_name);
    let same = stamp.source.as_ref().is_none_or(|source| *source == sources);
    same.then(|| comparison(context, commit, ours))
}

/// GitHub's page that shows what lies between two commits.
fn comparison(context: &RunnerContext, old: &CommitId, new: &CommitId) -> String {
    let repository = format!("{}/{}", context.server_url, context.repository.full_name);
    if old == new {
        return format!("{repository}/commit/{old}");
    }
    format!("{repository}/compare/{old}...{new}")
}

/// The commit that the image is of, cut for people, with its page.
pub(super) fn commit(context: &RunnerContext, plan: &RunPlan) -> Option<(String, String)> {
    let commit = plan.stamp.commit.as_ref()?;
    Some((commit.cut(SHOWN).to_owned(), comparison(context, commit, commit)))
}

/// The page of an image where people look for it, for registries whose pages are known.
pub(super) fn package_page(context: &RunnerContext, repository: &Repository) -> Option<String> {
    let path = repository.path();
    match repository.registry().as_str() {
        // GitHub joins a package to the repository that its `source` names, and shows it there.
        "ghcr.io" => {
            let (owner, name) = path.split_once('/')?;
            let (server, full_name) = (&context.server_url, &context.repository.full_name);
            let ours = full_name.split('/').next().is_some_and(|ours| ours.eq_ignore_ascii_case(owner));
            ours.then(|| format!("{server}/{full_name}/pkgs/container/{}", name.replace('/', "%2F")))
        }
        "docker.io" => match path.strip_prefix("library/") {
            Some(name) => Some(format!("https://hub.docker.com/_/{name}")),
            None => Some(format!("https://hub.docker.com/r/{path}/tags")),
        },
        "quay.io" => Some(format!("https://quay.io/repository/{path}?tab=tags")),
        _ => None,
    }
}
