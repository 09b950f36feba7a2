//! The image that the tag people follow is on before this run moves it, for comparison. Which one it is, is read beside the build;
//! what it is made of beside the tags, where it is another image than the one that they are put on. Nothing depends on it,
//! and it is waited for half a second at most: what cannot be read is not there.

use std::sync::Arc;
use std::time::Duration;

use super::background::Background;
use super::obtain::Image;
use super::process::Process;
use super::report::Previous;
use super::run::Run;
use crate::metadata::{PlannedTag, followed};
use crate::model::{Repository, Tag};
use crate::plan::publish::tags_in;
use crate::plan::{PushPlan, RunPlan};
use crate::registry::{Manifest, RegistryClient, RegistryError};

/// What is worth waiting for when all else is done.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the tag is on.
pub(super) struct Before {
    client: Arc<RegistryClient>,
    repository: Repository,
    tag: Tag,
    manifest: Manifest,
}

/// Begins to read what it is on, in the first repository of a plan that moves tags.
pub(super) fn begin(run: &Run<'_>, plan: &RunPlan) -> Background<Option<Before>> {
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
        let manifest = known(&process, client.get_manifest(&repository, &tag).await)?;
        Some(Before { client, repository, tag, manifest })
    })
}

/// Begins to read what that is made of, if this is another image.
pub(super) fn compare(
    run: &Run<'_>,
    mut before: Background<Option<Before>>,
    image: &Image<'_>,
) -> Background<Option<Previous>> {
    let (process, digest) = (run.process.clone(), image.digest.clone());
    Background::begin(async move {
        let before = before.take().await??;
        if digest.as_ref() == Some(&before.manifest.digest) {
            return None;
        }
        known(&process, before.read().await)
    })
}

/// Reports it, once the image is published.
pub(super) async fn report(run: &Run<'_>, mut reading: Background<Option<Previous>>) {
    if let Ok(Some(Some(previous))) = tokio::time::timeout(PATIENCE, reading.take()).await {
        run.report.previous(previous);
    }
}

impl Before {
    async fn read(self) -> Result<Previous, RegistryError> {
        let Self { client, repository, tag, manifest } = self;
        let mut image = client.metadata_of(&repository, &manifest).await?;
        let (stamp, ()) = tokio::join!(
            client.stamp_of(&repository, &manifest),
            client.name_layers(&repository, &mut image)
        );
        Ok(Previous { tag, stamp: stamp?, image })
    }
}

/// What was read, if it could be.
fn known<T>(process: &Process, read: Result<T, RegistryError>) -> Option<T> {
    read.inspect_err(|error| {
        process.reporter.debug(&format!("nothing to compare the image with: {error}"));
    })
    .ok()
}
