//! What happened so far: filled as it happens, read by the report.

use std::time::Duration;

use crate::error::RunError;
use crate::inputs::config::Config;
use crate::metadata::PlannedTag;
use crate::model::{Digest, Repository};
use crate::plan::RunPlan;
use crate::plan::build::BuildPlan;
use crate::plan::publish::HeldBack;
use crate::progress::cache::CacheUse;
use crate::progress::state::State;
use crate::registry::ImageMetadata;
use crate::runner::context::RunnerContext;

/// The end of one cache's export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where to, for people.
    pub place: String,
    /// How long it took.
    pub time: Duration,
    /// Layers that were not there yet.
    pub layers: usize,
    /// Why it failed.
    pub error: Option<String>,
}

/// What happened so far.
#[derive(Default)]
pub struct Record {
    /// What the runner said.
    pub context: Option<RunnerContext>,
    /// What was asked for.
    pub config: Option<Config>,
    /// There was nothing to do: why.
    pub nothing: Option<String>,
    /// What was planned.
    pub plan: Option<RunPlan>,
    /// The run ended with the plan, as asked.
    pub dry_run: bool,
    /// What the build said.
    pub progress: Option<State>,
    /// What the nodes carried out, in their order, as it went well: solved again to write its cache.
    pub solved: Vec<BuildPlan>,
    /// What the cache did for the build.
    pub cache_used: CacheUse,
    /// Caches that were written, or not.
    pub cache_written: Vec<Written>,
    /// The outputs are in their file.
    pub outputs_written: bool,
    /// What was built, or was there already.
    pub digest: Option<Digest>,
    /// No registry would take it, and that is no failure: why.
    pub refused: Option<String>,
    /// Nothing was built: the image was there already.
    pub promoted: bool,
    /// What became of it in each repository, in the plan's order; none before it is there.
    pub places: Vec<Placed>,
}

impl Record {
    /// Whether all tags are where they belong, in every repository.
    pub fn pushed(&self) -> bool {
        !self.places.is_empty() && self.places.iter().all(|place| place.pushed)
    }

    /// What became of the image in the first repository.
    pub fn first(&self) -> Option<&Placed> {
        self.places.first()
    }

    /// Begins with nothing in every repository of the plan, unless they are known already.
    pub fn place(&mut self, plan: &RunPlan) {
        if self.places.is_empty() {
            self.places = plan.targets().map(|repository| Placed::new(repository.clone())).collect();
        }
    }

    /// What went wrong in repositories, taken out of them.
    ///
    /// # Errors
    /// If anything did.
    pub fn failures(&mut self) -> Result<(), RunError> {
        let all = self.places.len();
        let failed = self
            .places
            .iter_mut()
            .filter_map(|place| place.failure.take().map(|error| (place.repository.clone(), error)));
        RunError::each(all, failed.collect())
    }

    /// What is to be tagged in each repository that has no say of its own.
    pub fn is_built(&mut self, plan: &RunPlan, digest: &Digest) {
        self.place(plan);
        for place in &mut self.places {
            place.digest.get_or_insert_with(|| digest.clone());
        }
    }
}

/// What became of the image in one repository.
#[derive(Debug)]
pub struct Placed {
    /// The repository.
    pub repository: Repository,
    /// The result there: what was built, what was copied there, or what a version's tag was on already.
    pub digest: Option<Digest>,
    /// It has to be copied there first, from this one.
    pub from: Option<Repository>,
    /// Tags that are on the digest now.
    pub published: Vec<PlannedTag>,
    /// Tags that are not, and why.
    pub held_back: Vec<HeldBack>,
    /// All are where they belong.
    pub pushed: bool,
    /// The image as the registry holds it.
    pub metadata: Option<ImageMetadata>,
    /// It would not take the image, or not all tags: why, until the run's error has it.
    pub failure: Option<RunError>,
}

impl Placed {
    /// Nothing yet.
    pub fn new(repository: Repository) -> Self {
        Self {
            repository,
            digest: None,
            from: None,
            published: Vec::new(),
            held_back: Vec::new(),
            pushed: false,
            metadata: None,
            failure: None,
        }
    }
}
