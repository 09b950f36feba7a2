//! The image is published: its tags are put, or a leg or what is staged is recorded; in several repositories at the same
//! time, each by itself. The same for what was built, promoted, merged and given.

mod copy;
mod leg;
mod platforms;
mod previous;
mod stage;
mod tags;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::history::Historian;
use super::login::Renewals;
use super::obtain::{Image, Located, Origin, clear};
use super::report::TargetOutcome;
use super::run::Run;
use crate::error::RunError;
use crate::model::{Repository, sort_by_key};
use crate::plan::RunPlan;
use crate::registry::{ImageMetadata, RegistryError};

/// Publishes the image in every repository that it is in, unless the run is stopped; where it should be and is not, it has
/// `failed` to get to.
///
/// A failure leaves each tag either old or new; what was put is in the report, and a re-run completes it. One repository's
/// failure does not keep the others from being finished. What became of it in each is in the image's order.
pub(super) async fn all(
    run: &Run<'_>,
    plan: &RunPlan,
    image: &Image<'_>,
    failed: Vec<(Repository, RunError)>,
) -> Result<Vec<TargetOutcome>, RunError> {
    if image.located.is_empty() && failed.is_empty() {
        return Ok(Vec::new());
    }
    run.until_stopped(publish(run, plan, image, failed)).await
}

async fn publish(
    run: &Run<'_>,
    plan: &RunPlan,
    image: &Image<'_>,
    mut failed: Vec<(Repository, RunError)>,
) -> Result<Vec<TargetOutcome>, RunError> {
    let began = tokio::time::Instant::now();
    let renewals = Renewals::new(run);
    let historian = Mutex::new(Historian::new(run, plan));
    let publishing = image.located.iter().map(async |located| {
        let kept = matches!(image.origin, Origin::Promoted);
        let publish = async || match (plan.image.leg(), &plan.stage) {
            (Some(leg), _) => leg::record_in(run, plan, leg, located).await,
            (None, Some(stage)) => stage::record_in(run, plan, stage, (located, kept)).await,
            (None, None) => tags::put_in(run, plan, &historian, located).await,
        };
        renewals.doing(publish).await
    });
    let mut outcomes = Vec::new();
    for (located, published) in image.located.iter().zip(join_all(publishing).await) {
        match published {
            Ok(outcome) => {
                run.report.target(&outcome);
                outcomes.push(outcome);
            }
            Err(error) => failed.push((located.repository.clone(), error)),
        }
    }
    let records = plan.image.leg().is_some() || plan.stage.is_some();
    let what = if records { "record" } else { "tags" };
    run.process.reporter.phase(what, began.elapsed());
    // In the plan's order, whenever it went wrong.
    sort_by_key(&mut failed, |(repository, _)| plan.targets.iter().position(|target| target == repository));
    RunError::each(repositories(image, &failed), failed)?;
    if let Origin::Merged(merged) = &image.origin {
        clear(run, &merged.records).await;
    }
    if let Some(work) = plan.image.given() {
        let tagged = outcomes.iter().filter(|outcome| !outcome.published.is_empty());
        stage::release(run, plan, work, &tagged.map(|outcome| &outcome.repository).collect()).await;
    }
    Ok(outcomes)
}

/// What is reported of an image that was recorded and got no tag; `done` says so to people where it could not be read again.
fn recorded_in(
    run: &Run<'_>,
    Located { repository, digest, .. }: &Located,
    metadata: Result<ImageMetadata, RegistryError>,
    done: &str,
) -> TargetOutcome {
    let metadata = metadata.inspect_err(|error| run.process.reporter.warn(&format!("{done}, but {error}")));
    TargetOutcome { pushed: true, metadata: metadata.ok(), ..TargetOutcome::begun(repository, Some(digest)) }
}

/// In how many repositories the image was to be.
fn repositories(image: &Image<'_>, failed: &[(Repository, RunError)]) -> usize {
    let elsewhere = failed
        .iter()
        .filter(|(repository, _)| image.located.iter().all(|located| located.repository != *repository));
    image.located.len() + elsewhere.count()
}
