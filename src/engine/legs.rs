//! Legs: what a job with `mode: leg` leaves in the registry, and what one with `mode: merge` makes of it.
//!
//! A merge needs no builder. It reads the records of its run, joins what they name to one index, and publishes that as
//! any run does. Then the records go, and nothing else: a platform's image is a part of what was published. A merge that
//! is run again after that finds its index under the commit's tag.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use crate::buildkit::Address;
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::{Digest, Patience, Repository};
use crate::plan::legs::{
    LegPlan, MergePlan, Part, Published, is_merged, left_by_an_earlier_attempt, plan_merge, with_inputs,
};
use crate::plan::{self, PushPlan, RunPlan};
use crate::registry::{
    self, Deletion, Leg, Manifest, NodeImage, Recorded, Recording, RegistryClient, RegistryError,
};
use crate::runner::context::RunnerContext;

use super::login::Renewing;
use super::persist::{hurry, patience, persist};
use super::preflight::Verdict;
use super::record::{Placed, Record};
use super::{Decision, Process, Target, decide, foresee, login, nodes, publish, show};

/// Longest time for the removal of records: nothing depends on it.
const CLEARING: Duration = Duration::from_secs(10);

/// Records the leg that was pushed, so that the merge finds it.
pub async fn record(
    process: &Process,
    config: &Config,
    plan: &RunPlan,
    leg: &LegPlan,
    verdict: &Verdict,
    record: &mut Record,
) -> Result<(), RunError> {
    let Some(digest) = record.digest.clone() else { return Ok(()) };
    let began = Instant::now();
    record.is_built(plan, &digest);
    let open = record.places.iter_mut().filter(|place| place.failure.is_none());
    let renewing = Renewing::new(process, config);
    let recording = join_all(open.map(async |place| {
        let recorded =
            async |config: &Config| record_in(process, config, plan, leg, verdict, &mut *place).await;
        if let Err(error) = renewing.doing(recorded).await {
            place.failure = Some(error);
        }
    }));
    tokio::select! {
        _ = recording => {}
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    }
    process.reporter.phase("record", began.elapsed());
    record.failures()
}

/// The leg in one repository.
async fn record_in(
    process: &Process,
    config: &Config,
    plan: &RunPlan,
    leg: &LegPlan,
    verdict: &Verdict,
    place: &mut Placed,
) -> Result<(), RunError> {
    let Some(digest) = place.digest.clone() else { return Ok(()) };
    let repository = &place.repository;
    let host = repository.registry();
    let client = verdict.client(process, config, host);
    let patience = || patience(config, host);
    let entry = Leg {
        run: leg.run,
        attempt: leg.attempt,
        repository: repository.clone(),
        platform: leg.platform.clone(),
        revision: plan.revision.clone(),
        digest: digest.clone(),
        inputs: leg.common.clone(),
    };
    let recording = persist(process, patience(), async || client.record_leg(&entry).await);
    let reading = persist(process, patience(), async || client.metadata(repository, &digest).await);
    let (recorded, metadata) = tokio::join!(recording, reading);
    let instead = match recorded? {
        Recording::Done => None,
        Recording::Overtaken => Some("a later attempt of this run has recorded this leg already"),
        Recording::Immutable => Some(
            "an earlier attempt of this run has recorded this leg, and the registry lets nobody move a tag",
        ),
    };
    if let Some(why) = instead {
        process.reporter.notice(&format!("{why}: the merge takes that one for `{}`", leg.platform));
    }
    place.pushed = true;
    match metadata {
        Ok(metadata) => place.metadata = Some(metadata),
        Err(error) => process.reporter.warn(&format!("the leg is pushed, but {error}")),
    }
    Ok(())
}

/// A whole run with `mode: merge`.
pub async fn merge(
    process: &Process,
    config: Config,
    context: &RunnerContext,
    address: &Address,
    record: &mut Record,
) -> Result<(), RunError> {
    let began = Instant::now();
    let decided = tokio::select! {
        decided = decide(process, &config, context, address) => decided?,
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    let Target { metadata, own, preflight, refused } = match decided {
        Decision::Nothing(why) => {
            record.nothing = Some(why);
            return Ok(());
        }
        Decision::Build(target) => *target,
    };
    let config = login::with_logins(&config, &own).without(&refused);
    record.config = Some(config.clone());
    let plan = plan_merge(&config, context, &metadata)?;
    let violations = plan::check::violations(&plan, &config);
    if !violations.is_empty() {
        return Err(RunError::Contradiction(violations));
    }
    process.reporter.phase("facts and plan", began.elapsed());
    record.plan = Some(plan.clone());
    if config.dry_run {
        let outlook = tokio::select! {
            outlook = Box::pin(foresee::foresee(process, &config, context, &plan, address)) => outlook,
            stop = process.stopped() => return Err(RunError::Stopped(stop)),
        };
        show(process, &plan, outlook.as_ref());
        record.dry_run = true;
        return Ok(());
    }
    show(process, &plan, None);
    // As on a pull request from a fork: the legs were built, and there is nothing to join.
    if let PushPlan::Keep { why } = &plan.push {
        record.nothing = Some(format!("there is nothing to merge, as nothing is pushed: {why}"));
        return Ok(());
    }
    let Some(preflight) = preflight else { return Ok(()) };
    let verdict = tokio::select! {
        verdict = preflight.verdict(process) => verdict?,
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    let client = |target: &Repository| verdict.client(process, &config, target.registry());
    let clients: Vec<_> = plan.targets().map(|target| (target, client(target))).collect();
    let joiners: Vec<_> = clients
        .iter()
        .map(|(repository, client)| Joiner { process, config: &config, client, repository })
        .collect();
    let joined = tokio::select! {
        joined = join(&joiners, &plan, record) => joined,
        stop = process.stopped() => Err(RunError::Stopped(stop)),
    };
    let merged = match joined {
        Ok((plan, records)) => {
            record.plan = Some(plan.clone());
            let published = publish::publish(process, &config, context, &plan, &verdict, record).await;
            if published.is_ok() {
                let removing = joiners.iter().zip(&records).map(|(joiner, found)| joiner.remove(found));
                let _ = tokio::time::timeout(CLEARING, join_all(removing)).await;
            }
            published
        }
        Err(error) => Err(error),
    };
    verdict.close();
    merged
}

/// Joins the legs in every repository, or puts no tag in any. Gives the plan with what the legs say, and each
/// repository's records.
async fn join(
    joiners: &[Joiner<'_>],
    plan: &RunPlan,
    record: &mut Record,
) -> Result<(RunPlan, Vec<Vec<Recorded>>), RunError> {
    record.place(plan);
    let (mut planned, mut records, mut failed) = (None, Vec::new(), Vec::new());
    let joined = join_all(joiners.iter().map(|joiner| joiner.join(plan.clone()))).await;
    for (place, joined) in record.places.iter_mut().zip(joined) {
        match joined {
            Ok(Joined { plan, digest, records: found }) => {
                place.digest = Some(digest);
                records.push(found);
                // The same jobs have pushed to all of them.
                planned.get_or_insert(plan);
            }
            Err(error) => failed.push((place.repository.clone(), error)),
        }
    }
    RunError::each(joiners.len(), failed)?;
    record.digest = record.first().and_then(|first| first.digest.clone());
    Ok((planned.unwrap_or_else(|| plan.clone()), records))
}

/// The legs, joined in one repository.
struct Joined {
    /// The plan, with what the legs say.
    plan: RunPlan,
    /// Their index.
    digest: Digest,
    /// Their records.
    records: Vec<Recorded>,
}

/// What joins the legs in one repository.
struct Joiner<'a> {
    process: &'a Process,
    config: &'a Config,
    client: &'a RegistryClient,
    repository: &'a Repository,
}

impl Joiner<'_> {
    fn patience(&self) -> Patience {
        patience(self.config, self.repository.registry())
    }

    /// Finds the legs and puts their index.
    async fn join(&self, plan: RunPlan) -> Result<Joined, RunError> {
        let Part::Merge(merge) = plan.part else {
            return Err(RunError::Contradiction(vec!["a merge of nothing".into()]));
        };
        let began = Instant::now();
        let found = self.records(merge, &plan).await?;
        let platforms = &plan.build.platforms;
        let legs = match registry::complete(merge.run, self.repository, platforms, &plan.revision, &found) {
            Ok(legs) => legs,
            Err(error) => {
                let Some(digest) = self.merged_before(&plan, &found).await? else {
                    return Err(RunError::Legs(error));
                };
                self.process.reporter.notice(&format!(
                    "an earlier attempt of this run has joined the legs already: {digest} is the result"
                ));
                return Ok(Joined { plan, digest, records: found });
            }
        };
        let plan = with_inputs(plan, &legs.iter().map(|leg| leg.inputs.clone()).collect::<Vec<_>>());
        let index = self.index(&plan, &legs).await?;
        let put = async || self.client.put_manifest(self.repository, &index).await;
        persist(self.process, self.patience(), put).await?;
        self.process.reporter.phase("join", began.elapsed());
        Ok(Joined { plan, digest: index.digest, records: found })
    }

    /// The run's records for the planned platforms, as far as they are there.
    async fn records(&self, merge: MergePlan, plan: &RunPlan) -> Result<Vec<Recorded>, RegistryError> {
        let reading = plan.build.platforms.iter().map(async |platform| {
            let read = async || self.client.leg(merge.run, self.repository, platform).await;
            persist(self.process, self.patience(), read).await
        });
        let found: Vec<Recorded> = try_join_all(reading).await?.into_iter().flatten().collect();
        for Recorded { leg, .. } in &found {
            let attempt = leg.attempt;
            self.process.reporter.info(&format!("leg {}: {} (attempt {attempt})", leg.platform, leg.digest));
        }
        Ok(found)
    }

    /// The index of these legs, each of which was looked at.
    async fn index(&self, plan: &RunPlan, legs: &[Leg]) -> Result<Manifest, RunError> {
        let manifests = try_join_all(legs.iter().map(async |leg| self.manifest(&leg.digest).await)).await?;
        let looking = legs.iter().zip(&manifests).map(async |(leg, manifest)| {
            let read = async || self.client.metadata_of(self.repository, manifest).await;
            let image = persist(self.process, self.patience(), read).await?;
            registry::holds_its_platform(leg, &image).map_err(RunError::Legs)
        });
        try_join_all(looking).await?;
        let names: Vec<String> = legs.iter().map(|leg| format!("the leg for {}", leg.platform)).collect();
        let parts = legs.iter().zip(&names).zip(&manifests).map(|((leg, name), manifest)| NodeImage {
            name,
            platforms: std::slice::from_ref(&leg.platform),
            manifest,
        });
        nodes::index_of(parts, &plan.build).map_err(RunError::JoinLegs)
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let get = async || self.client.get_manifest(self.repository, digest).await;
        persist(self.process, self.patience(), get).await
    }

    /// The index that an earlier attempt has made of these legs, if it has: it may have been ended while it removed the
    /// records, or after that.
    async fn merged_before(
        &self,
        plan: &RunPlan,
        found: &[Recorded],
    ) -> Result<Option<Digest>, RegistryError> {
        let Some(own) = left_by_an_earlier_attempt(plan) else { return Ok(None) };
        let head = async || self.client.head_manifest(self.repository, &own.tag).await;
        let Some(head) = persist(self.process, self.patience(), head).await? else { return Ok(None) };
        let images = async |manifest: &Manifest| {
            let read = async || self.client.metadata_of(self.repository, manifest).await;
            let image = persist(self.process, self.patience(), read).await?;
            Ok::<_, RegistryError>(image.platforms)
        };
        let index = self.manifest(&head.digest).await?;
        let published = Published {
            annotations: registry::annotations_of(&index),
            images: images(&index).await?.into_iter().map(|image| (image.platform, image.digest)).collect(),
        };
        let mut recorded = Vec::new();
        for Recorded { leg, .. } in found {
            let manifest = self.manifest(&leg.digest).await?;
            recorded.extend(images(&manifest).await?.into_iter().map(|image| image.digest));
        }
        Ok(is_merged(plan, &published, &recorded).then_some(head.digest))
    }

    /// Removes the records. What is left of them where a registry removes nothing harms nobody.
    async fn remove(&self, records: &[Recorded]) {
        let removing = records.iter().map(async |recorded| {
            let remove = async || self.client.remove_record(recorded).await;
            let said = match persist(self.process, hurry(self.config), remove).await {
                Ok(Deletion::Done | Deletion::Absent) => "is removed".to_owned(),
                Ok(Deletion::Unsupported) => "stays, as this registry removes nothing".to_owned(),
                Err(error) => format!("stays: {error}"),
            };
            self.process
                .reporter
                .debug(&format!("the record of the leg for {} {said}", recorded.leg.platform));
        });
        join_all(removing).await;
    }
}
