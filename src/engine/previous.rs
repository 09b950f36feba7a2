//! The image that the tag people follow is on before this run moves it, for comparison: read beside the build, and not waited
//! for. Nothing depends on it, so what cannot be read is not there.

use std::time::Duration;

use super::background::Background;
use super::report::Previous;
use super::run::Run;
use crate::metadata::{PlannedTag, followed};
use crate::model::{Repository, Tag};
use crate::plan::publish::tags_in;
use crate::plan::{PushPlan, RunPlan};
use crate::registry::{RegistryClient, RegistryError};

/// What is worth waiting for when all else is done.
const PATIENCE: Duration = Duration::from_millis(500);

/// Begins to read it, in the first repository of a plan that moves tags.
pub(super) fn begin(run: &Run<'_>, plan: &RunPlan) -> Background<Option<Previous>> {
    let repository = plan.targets.first().clone();
    let tags: Vec<PlannedTag> = tags_in(plan, &repository).cloned().collect();
    let moves =
        matches!(plan.push, PushPlan::Push { .. }) && plan.image.leg().is_none() && plan.stage.is_none();
    let Some(tag) = followed(&tags).filter(|_| moves).map(|planned| planned.tag.clone()) else {
        return Background::none();
    };
    let reached = run.registries.once_reached(repository.registry());
    let process = run.process.clone();
    Background::begin(async move {
        let client = reached.await?;
        match read(&client, &repository, tag).await {
            Ok(previous) => Some(previous),
            Err(error) => {
                process.reporter.debug(&format!("nothing to compare the image with: {error}"));
                None
            }
        }
    })
}

/// Reports it, once the image is published.
pub(super) async fn report(run: &Run<'_>, mut reading: Background<Option<Previous>>) {
    if let Ok(Some(Some(previous))) = tokio::time::timeout(PATIENCE, reading.take()).await {
        run.report.previous(previous);
    }
}

async fn read(client: &RegistryClient, repository: &Repository, tag: Tag) -> Result<Previous, RegistryError> {
    let manifest = client.get_manifest(repository, &tag).await?;
    let mut image = client.metadata_of(repository, &manifest).await?;
    let (stamp, ()) =
        tokio::join!(client.stamp_of(repository, &manifest), client.name_layers(repository, &mut image));
    Ok(Previous { tag, stamp: stamp?, image })
}
