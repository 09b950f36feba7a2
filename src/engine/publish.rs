//! Tags on the pushed digest, and the image as the registry holds it.

use futures_util::StreamExt as _;

use crate::error::RunError;
use crate::inputs::config::Config;
use crate::plan::RunPlan;
use crate::plan::publish::plan_publish;
use crate::registry::{self, RegistryClient, RegistryError, Timeouts};
use crate::runner::units;

use super::Process;
use super::build::Way;
use super::record::Record;

/// Tags that are put at the same time.
const IN_PARALLEL: usize = 8;

/// Puts every planned tag on the digest, stage by stage; within a stage order does not matter.
///
/// A failure leaves each tag either old or new; what was put stays in the record, and a re-run completes it.
pub async fn publish(
    process: &Process,
    config: &Config,
    plan: &RunPlan,
    way: &Way,
    record: &mut Record,
) -> Result<(), RunError> {
    let Some(publish) = record.digest.clone().and_then(|digest| plan_publish(plan, digest)) else {
        return Ok(());
    };
    let started = tokio::time::Instant::now();
    let repository = &publish.repository;
    let host = repository.registry().clone();
    let client = RegistryClient::new(host, config.credentials.as_ref(), way.dial(), Timeouts::default());
    let manifest = persist(process, async || client.get_manifest(repository, &publish.digest).await).await?;
    let published = &mut record.published;
    let tagging = async {
        for stage in &publish.stages {
            let mut answers = futures_util::stream::iter(stage)
                .map(async |tag| {
                    let put = async || client.put_tag(repository, &tag.tag, &manifest).await;
                    (tag, persist(process, put).await)
                })
                .buffer_unordered(IN_PARALLEL);
            let mut failure = None;
            while let Some((tag, answer)) = answers.next().await {
                match answer {
                    Ok(()) => {
                        process.reporter.info(&format!("✓ {repository}:{}", tag.tag));
                        published.push(tag.clone());
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            if let Some(error) = failure {
                return Err(error);
            }
        }
        Ok(())
    };
    let (tagged, metadata) =
        tokio::join!(tagging, persist(process, async || client.metadata_of(repository, &manifest).await));
    process.reporter.phase("tags", started.elapsed());
    tagged?;
    record.pushed = true;
    match metadata {
        Ok(metadata) => record.metadata = Some(metadata),
        Err(error) => process.reporter.warn(&format!("the image is published, but {error}")),
    }
    Ok(())
}

/// Repeats a request as long as that is of use. The one place that sleeps.
async fn persist<T>(
    process: &Process,
    request: impl AsyncFn() -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    let mut failures = 0;
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        failures += 1;
        let Some(pause) = registry::decide(&error, failures) else { return Err(error) };
        process.reporter.info(&format!("{error}; trying again in {}", units::seconds(pause)));
        tokio::time::sleep(pause).await;
    }
}
