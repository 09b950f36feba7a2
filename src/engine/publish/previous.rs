//! The image that the tag people follow was on before this run moved it, for comparison: what it is made of is read beside the
//! tags, where it is another image than ours. Nothing depends on it, and it is waited for half a second at most: what cannot be
//! read is not there.

use std::time::Duration;

use crate::engine::background::Background;
use crate::engine::process::Process;
use crate::engine::report::Previous;
use crate::engine::run::Run;
use crate::metadata::{PlannedTag, followed};
use crate::model::{Digest, Repository, Tag};
use crate::plan::RunPlan;
use crate::plan::publish::tags_in;
use crate::registry::{RegistryClient, RegistryError};

/// What is worth waiting for when all else is done.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the tag is on.
pub(super) struct Before {
    tag: Tag,
    digest: Digest,
}

impl Before {
    /// Looks, in the first repository of the plan.
    pub(super) async fn look(run: &Run<'_>, plan: &RunPlan, repository: &Repository) -> Option<Self> {
        let tags: Vec<PlannedTag> = tags_in(plan, repository).cloned().collect();
        let tag = followed(&tags).filter(|_| repository == plan.targets.first())?.tag.clone();
        let client = run.registries.client(repository.registry());
        let found = known(run.process, client.head_manifest(repository, &tag).await)??;
        Some(Self { tag, digest: found.digest })
    }

    /// Whether it is this image.
    pub(super) fn is(&self, image: &Digest) -> bool {
        self.digest == *image
    }

    /// Begins to read what that is made of.
    pub(super) fn read(self, run: &Run<'_>, repository: &Repository) -> Background<Option<Previous>> {
        let (process, repository) = (run.process.clone(), repository.clone());
        let client = run.registries.client(repository.registry());
        Background::begin(async move { known(&process, read(&client, &repository, self).await) })
    }
}

/// What was read until all else is done.
pub(super) async fn read_by_now(mut reading: Background<Option<Previous>>) -> Option<Previous> {
    tokio::time::timeout(PATIENCE, reading.take()).await.ok()??
}

async fn read(
    client: &RegistryClient,
    repository: &Repository,
    Before { tag, digest }: Before,
) -> Result<Previous, RegistryError> {
    let manifest = client.get_manifest(repository, &digest).await?;
    let mut image = client.metadata_of(repository, &manifest).await?;
    let (stamp, ()) =
        tokio::join!(client.stamp_of(repository, &manifest), client.name_layers(repository, &mut image));
    Ok(Previous { tag, stamp: stamp?, image })
}

/// What was read, if it could be.
fn known<T>(process: &Process, read: Result<T, RegistryError>) -> Option<T> {
    read.inspect_err(|error| {
        process.reporter.debug(&format!("nothing to compare the image with: {error}"));
    })
    .ok()
}
