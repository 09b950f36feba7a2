//! What happened so far: filled as it happens, read by the report.

use crate::inputs::config::Config;
use crate::metadata::PlannedTag;
use crate::model::Digest;
use crate::plan::RunPlan;
use crate::progress::state::State;
use crate::registry::ImageMetadata;
use crate::runner::context::RunnerContext;

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
    /// What was built.
    pub digest: Option<Digest>,
    /// The registry would not take it, and that is no failure: why.
    pub refused: Option<String>,
    /// Tags that are on the digest now.
    pub published: Vec<PlannedTag>,
    /// All of them are.
    pub pushed: bool,
    /// The image as the registry holds it.
    pub metadata: Option<ImageMetadata>,
}
