//! A staged image is recorded, so that it stays; and its record goes when it has its tags.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::copy::copy;
use super::recorded_in;
use crate::engine::obtain::Located;
use crate::engine::report::TargetOutcome;
use crate::engine::repository_view::RepositoryView;
use crate::engine::retry::{hurry, patience, retry};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::Repository;
use crate::plan::RunPlan;
use crate::plan::given::GivenWork;
use crate::plan::stage::StagePlan;
use crate::registry::{Release, STAGE_TAG_PREFIX, Staged};

/// Longest time for the removal of records: nothing depends on it.
const CLEARING: Duration = Duration::from_secs(10);

/// Records the image in one repository, unless it is `kept` there by a tag that it has already.
pub(super) async fn record_in(
    run: &Run<'_>,
    plan: &RunPlan,
    stage: &StagePlan,
    (located, kept): (&Located, bool),
) -> Result<TargetOutcome, RunError> {
    let Located { repository, digest, copy_from } = located;
    if let Some(from) = copy_from {
        copy(run, from, repository, digest).await?;
    }
    let client = run.registries.client(repository.registry());
    let patience = || patience(run, repository.registry());
    let view = RepositoryView::new(run.process, patience(), &client, repository);
    let manifest = view.manifest(digest).await?;
    let recording = async {
        if kept && copy_from.is_none() {
            return Ok(());
        }
        let staged = Staged {
            run: stage.run,
            attempt: stage.attempt,
            tags: stage.tags.clone(),
            revision: plan.revision.clone(),
            digest: digest.clone(),
            tagged: false,
        };
        let look = async || client.staged_of(repository, &staged.revision, &staged.tags).await;
        // Nothing depends on it.
        let before = retry(run.process, hurry(run.asked.retries), look).await.ok().flatten();
        if let Some(before) = before.filter(|before| !before.tagged && before.digest != *digest) {
            run.process.reporter.notice(&untagged(repository, &before));
        }
        let image = (&manifest, plan.platforms());
        let record = async || client.record_stage(repository, &staged, image).await;
        retry(run.process, patience(), record).await
    };
    let (recorded, metadata) = tokio::join!(recording, view.metadata(digest));
    recorded?;
    Ok(recorded_in(run, located, metadata, "the image is staged"))
}

/// What an earlier run has staged of the same commit, for people.
fn untagged(repository: &Repository, before: &Staged) -> String {
    let Staged { run, attempt, digest, .. } = before;
    format!(
        "attempt {attempt} of run {run} has staged {repository}@{digest} of this commit, and it never got its tags; a tag \
         `{STAGE_TAG_PREFIX}image-{}` keeps it in the registry",
        digest.short()
    )
}

/// Removes the record of an image that has its tags now, wherever it was staged.
pub(super) async fn release(run: &Run<'_>, plan: &RunPlan, work: &GivenWork, tagged: &BTreeSet<&Repository>) {
    // Of an index of which one image was tagged the others may still be waiting for theirs.
    if work.digest != work.named {
        return;
    }
    let here = work.from.repository();
    let elsewhere = !plan.targets.contains(here);
    let repositories =
        plan.targets.iter().filter(|target| tagged.contains(target)).chain(elsewhere.then_some(here));
    let releasing = repositories.map(async |repository| {
        let client = run.registries.client(repository.registry());
        let release = async || client.release_stage(repository, &work.digest).await;
        let said = match retry(run.process, hurry(run.asked.retries), release).await {
            Ok(Release::Absent) => return,
            Ok(Release::Removed) => "is removed".to_owned(),
            Ok(Release::Marked) => {
                "stays, as this registry removes nothing; it says that the image has its tags".to_owned()
            }
            Ok(Release::Stays) => "stays, as this registry removes and moves nothing".to_owned(),
            Err(error) => format!("stays: {error}"),
        };
        run.process.reporter.debug(&format!("the record of what was staged in {repository} {said}"));
    });
    let _ = tokio::time::timeout(CLEARING, join_all(releasing)).await;
}
