//! Legs joined: what jobs with `mode: leg` have left in the registry is made one index.
//!
//! A merge needs no builder. It reads the records of its run and joins what they name; publishing goes on as in any run.
//! Then the records go, and nothing else: a platform's image is a part of what was published. A merge that is run again
//! after that finds its index under the commit's tag.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use super::nodes::index_of;
use super::{Image, Located, Merged, Origin};
use crate::engine::gather::AccessCheck;
use crate::engine::report::TargetOutcome;
use crate::engine::retry::{hurry, patience, retry};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{Digest, Patience, Repository};
use crate::plan::image::MergeWork;
use crate::plan::index::IndexPlan;
use crate::plan::legs::{
    LegInputs, Published, is_merged, left_by_an_earlier_attempt, with_attempt, with_inputs,
};
use crate::plan::publish::tags_in;
use crate::plan::{PushPlan, RunPlan};
use crate::registry::{self, Deletion, Manifest, NodeImage, Recorded, RegistryClient, RegistryError};

/// Longest time for the removal of records: nothing depends on it.
const CLEARING: Duration = Duration::from_secs(10);

/// Joins the legs in every repository, or nothing is tagged in any.
pub(super) async fn image<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    work: &MergeWork,
    access: Option<AccessCheck>,
) -> Result<Option<Image<'a>>, RunError> {
    // As on a pull request from a fork: the legs were built, and there is nothing to join.
    if let PushPlan::Keep { why } = &plan.push {
        run.report.nothing(format!("there is nothing to merge, as nothing is pushed: {why}"));
        return Ok(None);
    }
    if let Some(mut access) = access {
        access.settle(run, plan).await?;
    }
    for target in plan.targets.iter() {
        run.report.target(&TargetOutcome::begun(target, None));
    }
    let clients: Vec<_> =
        plan.targets.iter().map(|target| (target, run.registries.client(target.registry()))).collect();
    let joiners: Vec<_> =
        clients.iter().map(|(repository, client)| Joiner { run, plan, work, client, repository }).collect();
    let (mut located, mut failed) = (Vec::new(), Vec::new());
    let mut merged = Merged { index: work.index.clone(), records: Vec::new() };
    let mut different = None;
    for (target, joined) in plan.targets.iter().zip(join_all(joiners.iter().map(Joiner::join)).await) {
        match joined {
            Ok(Joined { index, different: why, digest, records }) => {
                // The same jobs have pushed to all of them.
                merged.index = index;
                different = different.or(why);
                merged.records.push((target.clone(), records));
                located.push(Located { repository: target.clone(), digest, copy_from: None });
            }
            Err(error) => failed.push((target.clone(), error)),
        }
    }
    RunError::each(plan.targets.count(), failed)?;
    if let Some(why) = different {
        run.process.reporter.notice(&why);
    }
    let digest = located.first().map(|first| first.digest.clone());
    Ok(Some(Image { origin: Origin::Merged(merged), digest, located, failed: Vec::new() }))
}

/// Removes the records of legs that were joined and published. What is left of them where a registry removes nothing harms
/// nobody.
pub(in crate::engine) async fn clear(run: &Run<'_>, records: &[(Repository, Vec<Recorded>)]) {
    let removing = records.iter().flat_map(|(repository, found)| {
        found.iter().map(async |recorded| remove(run, repository, recorded).await)
    });
    let _ = tokio::time::timeout(CLEARING, join_all(removing)).await;
}

async fn remove(run: &Run<'_>, repository: &Repository, recorded: &Recorded) {
    let client = run.registries.client(repository.registry());
    let remove = async || client.remove_record(recorded).await;
    let said = match retry(run.process, hurry(run.asked.retries), remove).await {
        Ok(Deletion::Done | Deletion::Absent) => "is removed".to_owned(),
        Ok(Deletion::Unsupported) => "stays, as this registry removes nothing".to_owned(),
        Err(error) => format!("stays: {error}"),
    };
    let platform = &recorded.leg.platform;
    run.process.reporter.debug(&format!("the record of the leg for {platform} {said}"));
}

/// The legs, joined in one repository.
struct Joined {
    /// What their index says.
    index: IndexPlan,
    /// Why the image does not say what it was built from, where its legs differ.
    different: Option<String>,
    /// Their index.
    digest: Digest,
    /// Their records.
    records: Vec<Recorded>,
}

/// What joins the legs in one repository.
struct Joiner<'a> {
    run: &'a Run<'a>,
    plan: &'a RunPlan,
    work: &'a MergeWork,
    client: &'a RegistryClient,
    repository: &'a Repository,
}

impl Joiner<'_> {
    fn patience(&self) -> Patience {
        patience(self.run, self.repository.registry())
    }

    /// Finds the legs and puts their index.
    async fn join(&self) -> Result<Joined, RunError> {
        let Self { run, plan, work, .. } = self;
        let began = Instant::now();
        let found = self.records().await?;
        let platforms = &work.index.platforms;
        let run_id = work.merge.run;
        let legs = match registry::complete(run_id, self.repository, platforms, &plan.revision, &found) {
            Ok(legs) => legs,
            Err(error) => {
                let Some(digest) = self.merged_before(&found).await? else {
                    return Err(RunError::Legs(error));
                };
                run.process.reporter.notice(&format!(
                    "an earlier attempt of this run has joined the legs already: {digest} is the result"
                ));
                let index = work.index.clone();
                return Ok(Joined { index, different: None, digest, records: found });
            }
        };
        let said: Vec<_> = legs.iter().map(|one| (&one.leg.platform, one.leg.inputs.as_ref())).collect();
        let said = LegInputs::of(&said);
        let attempts = legs.iter().map(|one| one.leg.attempt);
        let index = with_attempt(with_inputs(work.index.clone(), &said), &work.merge, attempts);
        let different = match said {
            LegInputs::Different(why) => Some(why),
            LegInputs::Same(_) | LegInputs::Unknown => None,
        };
        let manifest = self.joined(&index, &legs).await?;
        let put = async || self.client.put_manifest(self.repository, &manifest).await;
        retry(run.process, self.patience(), put).await?;
        run.process.reporter.phase("join", began.elapsed());
        Ok(Joined { index, different, digest: manifest.digest, records: found })
    }

    /// The run's records for the planned platforms, as far as they are there.
    async fn records(&self) -> Result<Vec<Recorded>, RunError> {
        let reading = self.work.index.platforms.iter().map(async |platform| {
            let name = (self.work.merge.run, &self.work.merge.tags);
            let read = async || self.client.leg(name, self.repository, platform).await;
            let found = retry(self.run.process, self.patience(), read).await?;
            found.map_err(RunError::Legs)
        });
        let found: Vec<Recorded> = try_join_all(reading).await?.into_iter().flatten().collect();
        for Recorded { leg, .. } in &found {
            let attempt = leg.attempt;
            self.run
                .process
                .reporter
                .info(&format!("leg {}: {} (attempt {attempt})", leg.platform, leg.digest));
        }
        Ok(found)
    }

    /// The index of these legs, each of which was looked at.
    async fn joined(&self, index: &IndexPlan, legs: &[&Recorded]) -> Result<Manifest, RunError> {
        let manifests = try_join_all(legs.iter().map(async |one| self.manifest_of(one).await)).await?;
        let looking = legs.iter().zip(&manifests).map(async |(one, manifest)| {
            let read = async || self.client.metadata_of(self.repository, manifest).await;
            let image = retry(self.run.process, self.patience(), read).await?;
            registry::holds_its_platform(&one.leg, &image).map_err(RunError::Legs)
        });
        try_join_all(looking).await?;
        let names: Vec<String> = legs.iter().map(|one| format!("the leg for {}", one.leg.platform)).collect();
        let parts = legs.iter().zip(&names).zip(&manifests).map(|((one, name), manifest)| NodeImage {
            name,
            platforms: std::slice::from_ref(&one.leg.platform),
            manifest,
        });
        index_of(parts, index).map_err(RunError::JoinLegs)
    }

    async fn manifest_of(&self, recorded: &Recorded) -> Result<Manifest, RegistryError> {
        let get = async || self.client.manifest_of(recorded).await;
        retry(self.run.process, self.patience(), get).await
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let get = async || self.client.get_manifest(self.repository, digest).await;
        retry(self.run.process, self.patience(), get).await
    }

    /// The index that an earlier attempt has made of these legs, if it has: it may have been ended while it removed the
    /// records, or after that.
    async fn merged_before(&self, found: &[Recorded]) -> Result<Option<Digest>, RegistryError> {
        let own = left_by_an_earlier_attempt(&self.work.merge, tags_in(self.plan, self.repository));
        let Some(own) = own else { return Ok(None) };
        let head = async || self.client.head_manifest(self.repository, &own.tag).await;
        let Some(head) = retry(self.run.process, self.patience(), head).await? else { return Ok(None) };
        let images = async |manifest: &Manifest| {
            let read = async || self.client.metadata_of(self.repository, manifest).await;
            let image = retry(self.run.process, self.patience(), read).await?;
            Ok::<_, RegistryError>(image.platforms)
        };
        let index = self.manifest(&head.digest).await?;
        let published = Published {
            annotations: registry::annotations_of(&index),
            images: images(&index).await?.into_iter().map(|image| (image.platform, image.digest)).collect(),
        };
        let mut recorded = Vec::new();
        for leg in found {
            let manifest = self.manifest_of(leg).await?;
            recorded.extend(images(&manifest).await?.into_iter().map(|image| image.digest));
        }
        Ok(is_merged(&self.work.index, &published, &recorded).then_some(head.digest))
    }
}
