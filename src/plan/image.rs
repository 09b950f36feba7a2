//! Where the image comes from: each kind of work, with all that it may come to.
//!
//! What is done when the first attempt fails stands here as well: the engine chooses among these by what went wrong, and
//! makes none of its own.

use std::collections::BTreeMap;

use super::build::BuildPlan;
use super::builder::BuilderPlan;
use super::emulation::Emulation;
use super::given::GivenWork;
use super::index::IndexPlan;
use super::legs::{LegPlan, MergePlan};
use super::promote::Promotion;
use crate::model::{Annotation, Platform};

/// Where the image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageWork {
    /// It is built.
    Build(Box<BuildWork>),
    /// One platform of it is built, for a job with `mode: merge` to join with the others.
    Leg {
        /// What the merge has to know.
        leg: LegPlan,
        /// The build.
        build: Box<BuildWork>,
    },
    /// What other jobs of this run have built is joined to one index.
    Merge(MergeWork),
    /// An image that is there already is taken, if one is what this run would build.
    Promote {
        /// Where one may be, and what becomes of the run if none will do.
        promotion: Promotion,
        /// The build, if it comes to that.
        otherwise: Box<BuildWork>,
    },
    /// The image that the input names is there already.
    Given(Box<GivenWork>),
}

/// A build, on each of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildWork {
    /// The image as a whole.
    pub image: BuildPlan,
    /// Who builds.
    pub builder: BuilderPlan,
    /// Emulators that the build needs.
    pub emulation: Emulation,
    /// What each node carries out, in the nodes' order: the whole image where there is one.
    pub solves: Vec<BuildPlan>,
    /// What is carried out instead, where a cache is read that may turn out to be of no use.
    pub without_cache: Option<WithoutCache>,
    /// What each node carries out when its own cache is of no use either: nothing is taken from any.
    pub scratch: Vec<BuildPlan>,
    /// What of the cache is not read or not written, and why; for people.
    pub cache_notes: Vec<String>,
}

/// The build once more, without the caches that it was to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutCache {
    /// What each node carries out when a cache is damaged or gone.
    pub solves: Vec<BuildPlan>,
    /// What is done when a cache's layers stand still.
    pub stalled: Stalled,
}

/// What is done when a cache's layers stand still, so that a BuildKit waits for them and does nothing else any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    /// The builder is a container of ours: it is made anew, and builds as when a cache is gone.
    Renew,
    /// BuildKit cannot let go of what it waits for: nothing is taken from any cache, [`BuildWork::scratch`].
    Scratch,
}

/// The index of a run's legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeWork {
    /// Whose legs.
    pub merge: MergePlan,
    /// What they are joined to.
    pub index: IndexPlan,
}

/// What the work comes to, if it comes to any.
#[derive(Clone, Copy, Debug)]
pub enum Made<'a> {
    /// A build, of the whole or of one leg.
    Built(&'a BuildWork),
    /// An index of what was built elsewhere.
    Joined(&'a MergeWork),
    /// What is there already: nothing is made.
    Given(&'a GivenWork),
}

impl ImageWork {
    /// How the image is made, if it is not taken from what is there.
    pub fn made(&self) -> Made<'_> {
        match self {
            Self::Build(work) | Self::Leg { build: work, .. } | Self::Promote { otherwise: work, .. } => {
                Made::Built(work)
            }
            Self::Merge(work) => Made::Joined(work),
            Self::Given(work) => Made::Given(work),
        }
    }

    /// The build, if there is one, or may be one.
    pub fn build(&self) -> Option<&BuildWork> {
        match self.made() {
            Made::Built(work) => Some(work),
            Made::Joined(_) | Made::Given(_) => None,
        }
    }

    /// The image that is there already, if the input names one.
    pub fn given(&self) -> Option<&GivenWork> {
        match self.made() {
            Made::Given(work) => Some(work),
            Made::Built(_) | Made::Joined(_) => None,
        }
    }

    /// Where an image may be that makes the build needless.
    pub fn promotion(&self) -> Option<&Promotion> {
        match self {
            Self::Promote { promotion, .. } => Some(promotion),
            Self::Build(_) | Self::Leg { .. } | Self::Merge(_) | Self::Given(_) => None,
        }
    }

    /// The platform of a leg.
    pub fn leg(&self) -> Option<&LegPlan> {
        match self {
            Self::Leg { leg, .. } => Some(leg),
            Self::Build(_) | Self::Merge(_) | Self::Promote { .. } | Self::Given(_) => None,
        }
    }

    /// The platforms of the image, in order.
    pub fn platforms(&self) -> &[Platform] {
        match self.made() {
            Made::Built(work) => &work.image.platforms,
            Made::Joined(work) => &work.index.platforms,
            Made::Given(work) => &work.platforms,
        }
    }

    /// The labels of the image's config.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        match self.made() {
            Made::Built(work) => &work.image.labels,
            Made::Joined(work) => &work.index.labels,
            Made::Given(work) => &work.labels,
        }
    }

    /// The annotations of the image.
    pub fn annotations(&self) -> &[Annotation] {
        match self.made() {
            Made::Built(work) => &work.image.annotations,
            Made::Joined(work) => &work.index.annotations,
            Made::Given(work) => &work.annotations,
        }
    }

    /// As the output `plan` names it. What may be promoted is a build.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Build(_) | Self::Promote { .. } => "build",
            Self::Leg { .. } => "leg",
            Self::Merge(_) => "merge",
            Self::Given(_) => "tag",
        }
    }
}

impl BuildWork {
    /// What each node may come to carry out: first, or instead.
    pub fn all_solves(&self) -> impl Iterator<Item = &BuildPlan> {
        let without = self.without_cache.iter().flat_map(|without| &without.solves);
        self.solves.iter().chain(without).chain(&self.scratch)
    }
}
