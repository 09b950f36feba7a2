//! The image: built, taken from what is there already, joined of what other jobs have built, or given, as the plan says. It has
//! no tag when this phase ends.

mod build;
mod builder;
mod existing;
mod given;
mod known;
mod large_context;
mod merge;
mod nodes;
mod push;

use super::gather::Open;
use super::report::{ImageSummary, TargetOutcome};
use super::run::{Closing, Run};
use crate::error::RunError;
use crate::model::{Digest, Repository};
use crate::plan::RunPlan;
use crate::plan::build::BuildPlan;
use crate::plan::image::Made;
use crate::plan::index::IndexPlan;
use crate::registry::Recorded;

pub(super) use builder::{Builder, Node};
pub(super) use existing::choose;
pub(super) use merge::clear;

/// The image of a run, before it has its tags.
pub(super) struct Image<'a> {
    /// Where it came from.
    pub origin: Origin<'a>,
    /// What it is; none where the builder makes no image, or none that would be kept.
    pub digest: Option<Digest>,
    /// Where it is, or is to be copied to, in the plan's order; nowhere if it is not to be pushed, or no registry took it.
    pub located: Vec<Located>,
    /// Repositories that it should be in and is not, and why.
    pub failed: Vec<(Repository, RunError)>,
}

impl Image<'_> {
    fn summary(&self) -> ImageSummary {
        let annotations = match &self.origin {
            Origin::Merged(merged) => Some(merged.index.annotations.clone()),
            Origin::Built(_) | Origin::Promoted | Origin::Given => None,
        };
        let promoted = matches!(self.origin, Origin::Promoted | Origin::Given);
        ImageSummary { digest: self.digest.clone(), promoted, annotations }
    }
}

/// Where an image came from.
pub(super) enum Origin<'a> {
    /// It was built: by whom, as long as there is something left to do there.
    Built(Box<Workshop<'a>>),
    /// It was there already.
    Promoted,
    /// It was joined of legs.
    Merged(Merged),
    /// It was there already, as the input says.
    Given,
}

/// Legs that were joined.
pub(super) struct Merged {
    /// What the index says, with what is known from the legs.
    pub index: IndexPlan,
    /// The legs' records, by repository: nobody needs them once the index is published.
    pub records: Vec<(Repository, Vec<Recorded>)>,
}

/// The image in one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// The repository.
    pub repository: Repository,
    /// What it is there. Not the same everywhere where a version was there already.
    pub digest: Digest,
    /// It has to be copied there first, from this repository.
    pub copy_from: Option<Repository>,
}

/// A builder that is still needed, and what it has carried out. Dropped, it is closed beside everything else.
pub(super) struct Workshop<'a> {
    builder: Option<Builder>,
    /// What each node has carried out, in the nodes' order.
    pub solved: Vec<BuildPlan>,
    closing: &'a Closing,
}

impl<'a> Workshop<'a> {
    fn new(builder: Builder, closing: &'a Closing) -> Self {
        Self { builder: Some(builder), solved: Vec::new(), closing }
    }

    /// The nodes, as long as it is open.
    pub(super) fn nodes(&self) -> &[Node] {
        self.builder.as_ref().map_or(&[], |builder| &builder.nodes)
    }

    /// Closes it: nothing is left to do there.
    fn close(&mut self) {
        if let Some(builder) = self.builder.take() {
            self.closing.begin(builder.close());
        }
    }
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Obtains the image; nothing where there is nothing to do, which the report says then.
pub(super) async fn image<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    mut open: Open,
) -> Result<Option<Image<'a>>, RunError> {
    let image = match plan.image.made() {
        Made::Joined(work) => run.until_stopped(merge::image(run, plan, work, open.access)).await?,
        Made::Given(work) => run.until_stopped(given::image(run, plan, work, open)).await?,
        Made::Built(work) => match run.until_stopped(existing::image(run, plan, &mut open)).await? {
            Some(there) => Some(there),
            None => Some(Box::pin(build::image(run, plan, work, open)).await?),
        },
    };
    if let Some(image) = &image {
        run.report.image(image.summary());
        let located = image.located.iter().map(|one| (&one.repository, Some(&one.digest)));
        let failed = image.failed.iter().map(|(repository, _)| (repository, None));
        for (repository, digest) in located.chain(failed) {
            run.report.target(&TargetOutcome::begun(repository, digest));
        }
    }
    Ok(image)
}
