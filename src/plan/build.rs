//! What to build: the whole request to BuildKit as a value, without a handle and without a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::inputs::config::Dockerfile;
use crate::model::{Platform, Repository};

/// One build. The engine carries it out; it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// The build context, canonical.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// What to build for, at least one.
    pub platforms: Vec<Platform>,
    /// Stage to build; the last one if absent.
    pub target: Option<String>,
    /// Build arguments in order.
    pub build_args: Vec<(String, String)>,
    /// Labels of the image's config.
    pub labels: BTreeMap<String, String>,
    /// Take nothing from the cache.
    pub no_cache: bool,
    /// Look for newer base images.
    pub pull: bool,
    /// Unix seconds that `created` of config and history says: the commit's time, when known.
    pub source_date_epoch: Option<i64>,
    /// Names the context to the daemon, so that the next build of the same one sends only what changed.
    pub shared_key: String,
    /// What becomes of the result.
    pub export: Export,
}

/// What becomes of a build's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// Pushed by digest, under no tag.
    PushByDigest(Repository),
    /// The image is made, so that its digest is known, and goes nowhere.
    Digest,
    /// The steps run, no image is made (the daemon without the containerd image store).
    Nothing,
}
