//! What is known of the world before planning: read by adapters, judged here.

use std::net::IpAddr;

use super::deploy::EnvironmentFacts;
use super::given::GivenWork;
use crate::metadata::{ContextCommit, Metadata};
use crate::model::{CacheTrouble, Platform, Targets};

/// Everything that a plan depends on besides what was asked for and what the runner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the run is about.
    pub metadata: Metadata,
    /// Where the image may go: what was asked for, without those that let this job not push where that is no failure.
    pub targets: Targets,
    /// What can build; nothing where nothing is built.
    pub builders: BuilderFacts,
    /// The Dockerfile.
    pub dockerfile: DockerfileText,
    /// What the ref of a Git context was found to be; none if there is no such ref, or nobody knows.
    pub context: Option<ContextCommit>,
    /// Why GitHub's cache is of no use now, if it is not.
    pub cache_trouble: Option<CacheTrouble>,
    /// The image that the input `from` names, where one is to be tagged.
    pub given: Option<Box<GivenWork>>,
    /// The repositories of the environments that are deployed to.
    pub deploy: Vec<EnvironmentFacts>,
    /// The machine of the Docker daemon, where the image is to be run or loaded.
    pub machine: Option<MachineFacts>,
}

/// The machine of the Docker daemon, as one that has and runs the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// What it runs, by itself or emulated, its own platform first; empty when nobody said.
    pub platforms: Vec<Platform>,
    /// Its memory in bytes; none when it did not say.
    pub memory: Option<u64>,
    /// The daemon keeps images in containerd's store.
    pub containerd_image_store: bool,
}

/// What can build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuilderFacts {
    /// The Docker daemon, where one is needed.
    pub daemon: Option<DaemonFacts>,
    /// By the number of a node in the input `builder`: what it runs, its own platform first. Empty for a node without
    /// an address of its own, or one that did not say.
    pub nodes: Vec<Vec<Platform>>,
}

impl From<DaemonFacts> for BuilderFacts {
    fn from(daemon: DaemonFacts) -> Self {
        Self { daemon: Some(daemon), nodes: Vec::new() }
    }
}

/// The Docker daemon and its BuildKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFacts {
    /// Its name and version for people, `Docker Engine 26.1.5`. Comes from the daemon: hostile text.
    pub name: String,
    /// Images are kept in containerd's store, so that BuildKit can export and push them by itself. Not looked at where
    /// only a container beside the daemon builds.
    pub containerd_image_store: bool,
    /// What its machine runs, by itself or emulated, its own platform first; empty when nobody said.
    pub platforms: Vec<Platform>,
    /// `host-gateway`: where its containers reach the host; none if it did not say.
    pub host_gateway: Option<IpAddr>,
}

impl DaemonFacts {
    /// Whether a step for this platform is known to run, or not known not to.
    pub fn can_run(&self, platform: &Platform) -> bool {
        can_run(&self.platforms, platform)
    }
}

/// Whether a builder that runs these platforms runs a step for this one. One that did not say runs all. Variants are
/// not told apart: what runs `linux/arm/v7` runs most of `linux/arm/v6`, and a builder seldom lists all that it can.
pub fn can_run(runs: &[Platform], platform: &Platform) -> bool {
    let same =
        |known: &Platform| known.os() == platform.os() && known.architecture() == platform.architecture();
    runs.is_empty() || runs.iter().any(same)
}

/// The Dockerfile, as far as it can be read before the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerfileText {
    /// This is it. Hostile text.
    Known(String),
    /// It cannot be read; why, for people, as what is so of the Dockerfile.
    Unknown(String),
}
