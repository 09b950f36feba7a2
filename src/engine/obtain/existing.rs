//! Images that are there before anything is built: a version's, which decides, and the commit's, which may do.
//!
//! Of several repositories one is enough to have it: the others are given a copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::{Image, Located, Origin};
use crate::engine::gather::{Existing, Open};
use crate::engine::history::Historian;
use crate::engine::login;
use crate::engine::repository_view::RepositoryView;
use crate::engine::retry::hurry;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{Digest, Repository, Stamped, Tag};
use crate::plan::RunPlan;
use crate::plan::order::{VersionVerdict, version};
use crate::plan::promote::{Candidates, NoCandidate};
use crate::plan::publish::ours;
use crate::registry::RegistryClient;

/// Waits for the registries' verdict as long as that is fair to a build, and looks for an image that makes the build
/// needless, if the plan wants that.
pub(super) async fn image<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    open: &mut Open,
) -> Result<Option<Image<'a>>, RunError> {
    let mut access = open.access.as_mut();
    if let Some(access) = &mut access {
        let began = tokio::time::Instant::now();
        access.before_the_build(plan).await?;
        let waited = began.elapsed().as_millis();
        run.process.reporter.debug(&format!("waited {waited} ms for the registry"));
    }
    if !plan.looks_first() {
        return Ok(None);
    }
    // Where nothing is pushed, nothing is asked.
    let Some(access) = access else {
        return match plan.image.promotion() {
            Some(promotion) if promotion.required => Err(RunError::NoCandidate(promotion.from.none())),
            _ => Ok(None),
        };
    };
    let found = look(run, plan, access.settle(run, plan).await?).await?;
    if found.is_some() {
        login::create_repositories(run, plan, &open.sessions).await?;
    }
    Ok(found)
}

/// Looks for an image that makes a build needless.
///
/// What cannot be read counts as not there: whoever may push will be told so by the push.
async fn look<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    known: &BTreeMap<Repository, Existing>,
) -> Result<Option<Image<'a>>, RunError> {
    let clients = clients(run, plan);
    let views = views(run, &clients, known);
    if let Some(kept) = versions(run, plan, &views, None).await? {
        let mut said =
            format!("`{}` exists for this commit: {} is the result, nothing is built", kept.tag, kept.digest);
        let missing: Vec<_> =
            plan.targets.iter().zip(&kept.each).filter(|(_, own)| own.is_none()).map(|(to, _)| to).collect();
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            said = format!("{said}; it is copied to {}", names.join(", "));
        }
        run.process.reporter.notice(&said);
        return Ok(Some(kept.image(plan, Origin::Promoted)));
    }
    let Some(promotion) = plan.image.promotion() else { return Ok(None) };
    match choose(run, plan, &views, &promotion.from).await {
        Ok(kept) => {
            let (tag, digest) = (&kept.tag, &kept.digest);
            run.process.reporter.notice(&format!("promoting `{tag}` ({digest}): nothing is built"));
            Ok(Some(kept.image(plan, Origin::Promoted)))
        }
        Err(none) if promotion.required => Err(RunError::NoCandidate(none)),
        Err(none) => {
            run.process.reporter.info(&none.to_string());
            Ok(None)
        }
    }
}

/// The version's image for this commit, if any repository has it. `digest` is that of our image, if it is there already: a tag
/// on it is kept as well.
pub(super) async fn kept(
    run: &Run<'_>,
    plan: &RunPlan,
    known: &BTreeMap<Repository, Existing>,
    digest: Option<&Digest>,
) -> Result<Option<Kept>, RunError> {
    let clients = clients(run, plan);
    versions(run, plan, &views(run, &clients, known), digest).await
}

/// The repositories of a plan, each with a client of its registry.
type Clients<'a> = Vec<(&'a Repository, Arc<RegistryClient>)>;

fn clients<'a>(run: &Run<'_>, plan: &'a RunPlan) -> Clients<'a> {
    plan.targets.iter().map(|target| (target, run.registries.client(target.registry()))).collect()
}

fn views<'a>(
    run: &Run<'a>,
    clients: &'a Clients<'a>,
    known: &'a BTreeMap<Repository, Existing>,
) -> Vec<RepositoryView<'a>> {
    let view = |(target, client): &'a (&'a Repository, Arc<RegistryClient>)| {
        let patience = hurry(run.asked.retries);
        RepositoryView::new(run.process, patience, client, target).with(known.get(*target))
    };
    clients.iter().map(view).collect()
}

/// An image that is there.
pub(in crate::engine) struct Kept {
    /// One of its tags.
    pub tag: Tag,
    /// It.
    pub digest: Digest,
    /// Where it is, by the number of the repository.
    source: usize,
    /// What each repository goes on with; one that has none is given a copy.
    each: Vec<Option<Digest>>,
}

impl Kept {
    /// Nothing is left but to copy it where it is missing, and to tag it.
    pub(super) fn image<'a>(self, plan: &RunPlan, origin: Origin<'a>) -> Image<'a> {
        let source = plan.targets.iter().nth(self.source);
        let locate = |(target, own): (&Repository, &Option<Digest>)| Located {
            repository: target.clone(),
            digest: own.as_ref().unwrap_or(&self.digest).clone(),
            copy_from: source.filter(|_| own.is_none()).cloned(),
        };
        let located = plan.targets.iter().zip(&self.each).map(locate).collect();
        Image { origin, digest: Some(self.digest), located, failed: Vec::new() }
    }

    /// Whether it is this image wherever it is.
    pub(super) fn is(&self, digest: &Digest) -> bool {
        self.each.iter().flatten().all(|own| own == digest)
    }
}

/// The version's image for this commit, if any repository has it.
async fn versions(
    run: &Run<'_>,
    plan: &RunPlan,
    views: &[RepositoryView<'_>],
    digest: Option<&Digest>,
) -> Result<Option<Kept>, RunError> {
    let versions = plan.versions();
    let names: Vec<Tag> = versions.iter().map(|tag| tag.tag.clone()).collect();
    let (mut kept, mut taken) = (None::<Kept>, Vec::new());
    let found = read_each(run, views, &names).await;
    for (number, (target, found)) in plan.targets.iter().zip(found).enumerate() {
        let ours = ours(plan, target);
        for (tag, found) in versions.iter().zip(found) {
            match version(tag, found.as_ref(), &ours, digest) {
                VersionVerdict::Taken(by) => taken.push((target.clone(), RunError::VersionTaken(by))),
                // The merge keeps it; what it would do without this leg, it cannot know.
                VersionVerdict::Kept(_) if plan.image.leg().is_some() => {}
                VersionVerdict::Kept(digest) => {
                    let kept = kept.get_or_insert_with(|| Kept {
                        tag: tag.tag.clone(),
                        digest: digest.clone(),
                        source: number,
                        each: vec![None; views.len()],
                    });
                    kept.each[number].get_or_insert(digest);
                }
                VersionVerdict::Free | VersionVerdict::Held(_) => {}
            }
        }
    }
    RunError::each(views.len(), taken)?;
    Ok(kept)
}

/// The image among the candidates that will do.
pub(in crate::engine) async fn choose(
    run: &Run<'_>,
    plan: &RunPlan,
    views: &[RepositoryView<'_>],
    candidates: &Candidates,
) -> Result<Kept, NoCandidate> {
    if candidates.hindrance.is_some() {
        return first(plan, candidates, &[Vec::new()]);
    }
    let mut found = read_each(run, views, &candidates.tags).await;
    if let Ok(chosen) = first(plan, candidates, &found) {
        return Ok(chosen);
    }
    // Only now: GitHub takes longer than the registry.
    let branches = Historian::new(run, plan).branches_at(&plan.revision).await;
    let more = candidates.clone().on(&branches, plan.revision.cut(run.asked.sha_length));
    let new: Vec<Tag> = more.tags.iter().skip(candidates.tags.len()).cloned().collect();
    for (found, new) in found.iter_mut().zip(read_each(run, views, &new).await) {
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
    for (source, (target, there)) in plan.targets.iter().zip(found).enumerate() {
        match candidates.choose(there, &plan.stamp) {
            Ok((tag, digest)) => {
                let has = |there: &Vec<Option<Stamped>>| {
                    let mut known = there.iter().flatten();
                    known.any(|one| one.digest == digest).then(|| digest.clone())
                };
                return Ok(Kept { tag, source, each: found.iter().map(has).collect(), digest });
            }
            Err(why) if !plan.targets.are_several() || candidates.hindrance.is_some() => return Err(why),
            Err(why) => reasons.push(format!("in `{target}` {}", why.0)),
        }
    }
    Err(NoCandidate(reasons.join("; ")))
}

/// What is under these tags in each repository.
async fn read_each(run: &Run<'_>, views: &[RepositoryView<'_>], tags: &[Tag]) -> Vec<Vec<Option<Stamped>>> {
    join_all(views.iter().map(|view| read(run, view, tags))).await
}

async fn read(run: &Run<'_>, view: &RepositoryView<'_>, tags: &[Tag]) -> Vec<Option<Stamped>> {
    match view.read(tags).await {
        Ok(found) => found,
        Err(error) => {
            run.process.reporter.info(&format!("whether there are tags already is not known: {error}"));
            tags.iter().map(|_| None).collect()
        }
    }
}
