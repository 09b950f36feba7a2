//! Images that are there before anything is built: a version's, which decides, and the commit's, which may do.
//!
//! Of several repositories one is enough to have it: the others are given a copy.

use futures_util::future::join_all;

use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::{Digest, Repository, Stamped, Tag};
use crate::plan::RunPlan;
use crate::plan::legs::Part;
use crate::plan::order::{VersionVerdict, version};
use crate::plan::promote::{Candidates, NoCandidate, Promotion};
use crate::plan::publish::ours;
use crate::runner::context::RunnerContext;

use super::Process;
use super::history::Historian;
use super::persist::hurry;
use super::preflight::Verdict;
use super::publish::Shelf;
use super::record::{Placed, Record};

/// Looks for an image that makes a build needless; its digest is in the record then. `false`: there is none.
///
/// What cannot be read counts as not there: whoever may push will be told so by the push. Without a verdict nothing is
/// pushed, and nothing can be there.
pub async fn look(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    verdict: Option<&Verdict>,
    record: &mut Record,
) -> Result<bool, RunError> {
    let Some(verdict) = verdict else {
        return match &plan.promotion {
            Promotion::Only(candidates) => Err(RunError::NoCandidate(candidates.none())),
            Promotion::No | Promotion::Look(_) => Ok(false),
        };
    };
    let client = |target: &Repository| verdict.client(process, config, target.registry());
    let clients: Vec<_> = plan.targets().map(|target| (target, client(target))).collect();
    let shelves: Vec<_> = clients
        .iter()
        .map(|(target, client)| {
            Shelf::new(process, hurry(config), client, target).with(verdict.existing(target))
        })
        .collect();
    if let Some(kept) = versions(process, plan, &shelves).await? {
        let mut said =
            format!("`{}` exists for this commit: {} is the result, nothing is built", kept.tag, kept.digest);
        let missing: Vec<_> =
            plan.targets().zip(&kept.each).filter(|(_, own)| own.is_none()).map(|(to, _)| to).collect();
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            said = format!("{said}; it is copied to {}", names.join(", "));
        }
        process.reporter.notice(&said);
        return Ok(begin(plan, record, &kept));
    }
    let (candidates, required) = match &plan.promotion {
        Promotion::No => return Ok(false),
        Promotion::Look(candidates) => (candidates, false),
        Promotion::Only(candidates) => (candidates, true),
    };
    match choose(process, config, context, plan, &shelves, candidates).await {
        Ok(kept) => {
            process.reporter.notice(&format!("promoting `{}` ({}): nothing is built", kept.tag, kept.digest));
            Ok(begin(plan, record, &kept))
        }
        Err(none) if required => Err(RunError::NoCandidate(none)),
        Err(none) => {
            process.reporter.info(&none.to_string());
            Ok(false)
        }
    }
}

/// An image that is there.
pub(super) struct Kept {
    /// One of its tags.
    pub tag: Tag,
    /// It.
    pub digest: Digest,
    /// Where it is, by the number of the repository.
    source: usize,
    /// What each repository goes on with; one that has none is given a copy.
    each: Vec<Option<Digest>>,
}

/// The result stands in the record: nothing is left but to copy it where it is missing, and to tag it.
fn begin(plan: &RunPlan, record: &mut Record, kept: &Kept) -> bool {
    record.digest = Some(kept.digest.clone());
    record.promoted = true;
    let source = plan.targets().nth(kept.source);
    let place = |(target, own): (&Repository, &Option<Digest>)| Placed {
        digest: Some(own.as_ref().unwrap_or(&kept.digest).clone()),
        from: source.filter(|_| own.is_none()).cloned(),
        ..Placed::new(target.clone())
    };
    record.places = plan.targets().zip(&kept.each).map(place).collect();
    true
}

/// The version's image for this commit, if any repository has it.
async fn versions(
    process: &Process,
    plan: &RunPlan,
    shelves: &[Shelf<'_>],
) -> Result<Option<Kept>, RunError> {
    let versions = plan.versions();
    let names: Vec<Tag> = versions.iter().map(|tag| tag.tag.clone()).collect();
    let ours = ours(plan);
    let (mut kept, mut taken) = (None::<Kept>, Vec::new());
    let found = read_each(process, shelves, &names).await;
    for (number, (target, found)) in plan.targets().zip(found).enumerate() {
        for (tag, found) in versions.iter().zip(found) {
            match version(tag, found.as_ref(), &ours, None) {
                VersionVerdict::Taken(by) => taken.push((target.clone(), RunError::VersionTaken(by))),
                // The merge keeps it; what it would do without this leg, it cannot know.
                VersionVerdict::Kept(_) if matches!(plan.part, Part::Leg(_)) => {}
                VersionVerdict::Kept(digest) => {
                    let kept = kept.get_or_insert_with(|| Kept {
                        tag: tag.tag.clone(),
                        digest: digest.clone(),
                        source: number,
                        each: vec![None; shelves.len()],
                    });
                    kept.each[number].get_or_insert(digest);
                }
                VersionVerdict::Free | VersionVerdict::Held(_) => {}
            }
        }
    }
    RunError::each(shelves.len(), taken)?;
    Ok(kept)
}

/// The image among the candidates that will do.
pub(super) async fn choose(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    shelves: &[Shelf<'_>],
    candidates: &Candidates,
) -> Result<Kept, NoCandidate> {
    if candidates.hindrance.is_some() {
        return first(plan, candidates, &[Vec::new()]);
    }
    let mut found = read_each(process, shelves, &candidates.tags).await;
    if let Ok(chosen) = first(plan, candidates, &found) {
        return Ok(chosen);
    }
    // Only now: GitHub takes longer than the registry.
    let branches = Historian::new(process, config, context, plan).branches_at(&plan.revision).await;
    let more = candidates.clone().on(&branches, plan.revision.cut(config.sha_length));
    let new: Vec<Tag> = more.tags.iter().skip(candidates.tags.len()).cloned().collect();
    for (found, new) in found.iter_mut().zip(read_each(process, shelves, &new).await) {
        found.extend(new);
    }
    first(plan, &more, &found)
}

/// The first repository's image that will do; the others go on with the same one.
fn first(
    plan: &RunPlan,
    candidates: &Candidates,
    found: &[Vec<Option<Stamped>>],
) -> Result<Kept, NoCandidate> {
    let mut reasons = Vec::new();
    for (source, (target, there)) in plan.targets().zip(found).enumerate() {
        match candidates.choose(there, &plan.stamp) {
            Ok((tag, digest)) => {
                let has = |there: &Vec<Option<Stamped>>| {
                    let mut known = there.iter().flatten();
                    known.any(|one| one.digest == digest).then(|| digest.clone())
                };
                return Ok(Kept { tag, source, each: found.iter().map(has).collect(), digest });
            }
            Err(why) if plan.also.is_empty() || candidates.hindrance.is_some() => return Err(why),
            Err(why) => reasons.push(format!("in `{target}` {}", why.0)),
        }
    }
    Err(NoCandidate(reasons.join("; ")))
}

/// What is under these tags in each repository.
async fn read_each(process: &Process, shelves: &[Shelf<'_>], tags: &[Tag]) -> Vec<Vec<Option<Stamped>>> {
    join_all(shelves.iter().map(|shelf| read(process, shelf, tags))).await
}

async fn read(process: &Process, shelf: &Shelf<'_>, tags: &[Tag]) -> Vec<Option<Stamped>> {
    match shelf.read(tags).await {
        Ok(found) => found,
        Err(error) => {
            process.reporter.info(&format!("whether there are tags already is not known: {error}"));
            tags.iter().map(|_| None).collect()
        }
    }
}
