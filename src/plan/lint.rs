//! The build checks of a Dockerfile: a run that makes no image.
//!
//! What is checked is the build that these inputs ask for, without all that becomes of its result: the frontend reads the
//! same arguments, target and contexts, and looks up the same base images. It is asked once, for all platforms.

use super::build::BuildPlan;
use super::builder::BuilderPlan;
use crate::inputs::config::CheckLevel;
use crate::model::CommitId;

/// A Dockerfile is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintPlan {
    /// The build whose Dockerfile it is. Exports nothing.
    pub build: BuildPlan,
    /// Who checks: one node.
    pub builder: BuilderPlan,
    /// Who checks where the frontend of the first one is too old for it, if that may be another one.
    pub otherwise: Option<BuilderPlan>,
    /// What fails the run.
    pub level: CheckLevel,
    /// What started it, for people.
    pub occasion: String,
    /// The commit that is checked out.
    pub revision: CommitId,
    /// What a person may want to know and need not act on, one sentence each.
    pub notices: Vec<String>,
}
