//! What is known of the world before planning: read by adapters, judged here.

use crate::model::Platform;

/// The Docker daemon and its BuildKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFacts {
    /// Its name and version for people, `Docker Engine 26.1.5`. Comes from the daemon: hostile text.
    pub name: String,
    /// Images are kept in containerd's store, so that BuildKit can export and push them by itself.
    pub containerd_image_store: bool,
    /// What its BuildKit can run, by itself or emulated; empty when it did not say.
    pub platforms: Vec<Platform>,
}

impl DaemonFacts {
    /// Whether a step for this platform is known to run, or not known not to. Variants are not told apart: what
    /// runs `linux/arm/v7` runs most of `linux/arm/v6`, and the daemon seldom lists all that it can.
    pub fn can_run(&self, platform: &Platform) -> bool {
        let same =
            |known: &Platform| known.os() == platform.os() && known.architecture() == platform.architecture();
        self.platforms.is_empty() || self.platforms.iter().any(same)
    }
}
