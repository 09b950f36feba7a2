//! A leg that was pushed is recorded, so that the merge finds it.

use super::recorded_in;
use crate::engine::obtain::Located;
use crate::engine::report::TargetOutcome;
use crate::engine::retry::{patience, retry};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::plan::RunPlan;
use crate::plan::legs::LegPlan;
use crate::registry::{Leg, LegsError, Recording};

/// Records the leg in one repository.
pub(super) async fn record_in(
    run: &Run<'_>,
    plan: &RunPlan,
    leg: &LegPlan,
    located: &Located,
) -> Result<TargetOutcome, RunError> {
    let Located { repository, digest, .. } = located;
    let client = run.registries.client(repository.registry());
    let patience = || patience(run, repository.registry());
    let entry = Leg {
        run: leg.run,
        attempt: leg.attempt,
        tags: leg.tags.clone(),
        repository: repository.clone(),
        platform: leg.platform.clone(),
        revision: plan.revision.clone(),
        digest: digest.clone(),
        inputs: leg.common.clone(),
    };
    let read = async || client.get_manifest(repository, digest).await;
    let manifest = retry(run.process, patience(), read).await?;
    let recording = retry(run.process, patience(), async || client.record_leg(&entry, &manifest).await);
    let reading = retry(run.process, patience(), async || client.metadata_of(repository, &manifest).await);
    let (recorded, metadata) = tokio::join!(recording, reading);
    let instead = match recorded? {
        Recording::Done(None) => None,
        Recording::Done(Some(before)) => {
            run.process.reporter.warn(&format!(
                "this leg takes the place of {}, which attempt {} of this run has built for `{}` from other inputs: if \
                 that was another variant of the image, give each its own tags",
                before.digest, before.attempt, leg.platform
            ));
            None
        }
        Recording::Overtaken => Some("a later attempt of this run has recorded this leg already"),
        Recording::Immutable => Some(
            "an earlier attempt of this run has recorded this leg, and the registry lets nobody move a tag",
        ),
        Recording::Contradicted(other) => {
            return Err(RunError::Legs(LegsError::Contradiction {
                run: leg.run,
                repository: Box::new(repository.clone()),
                platform: leg.platform.clone(),
                digests: Box::new([other.digest, digest.clone()]),
            }));
        }
    };
    if let Some(why) = instead {
        let said = format!("{why}: the merge takes that one for `{}`", leg.platform);
        run.process.reporter.notice(&said);
    }
    Ok(recorded_in(run, located, metadata, "the leg is pushed"))
}
