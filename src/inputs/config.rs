//! What the inputs mean, after every check that needs no network.
//!
//! Made from `RawInputs` and the `RunnerContext`; all faults are found in one go.

use std::path::PathBuf;

use crate::model::{Platform, RegistryHost, Repository, Secret};

/// A run, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the image goes.
    pub repository: Repository,
    /// The build context, canonical, inside the workspace.
    pub context: PathBuf,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// What to build for, in the order given, each once, at least one.
    pub platforms: Vec<Platform>,
    /// A release's version, if one was given.
    pub version: Option<VersionInput>,
    /// Namespace of the build cache, `{atomi_platform}-{atomi_service}-{image_name}`, each part slugged.
    pub cache_scope: String,
    /// Login for the registry, if there is one to use.
    pub credentials: Option<Credentials>,
    /// For this GitHub server's API only.
    pub token: Option<Secret>,
    /// Characters of the commit id in the commit tag, 7 to 64.
    pub sha_length: usize,
    /// The branch that owns `latest`.
    pub latest_branch: String,
    /// Labels to add to (or to replace among) the OCI defaults, in order. An empty value is kept.
    pub labels: Vec<(String, String)>,
    /// Build arguments in order.
    pub build_args: Vec<(String, String)>,
    /// Stage of the Dockerfile to build; the last one if absent.
    pub target: Option<String>,
    /// Take nothing from the cache.
    pub no_cache: bool,
    /// Look for newer base images.
    pub pull: bool,
    /// Whether to push.
    pub push: Push,
    /// Only print the plan.
    pub dry_run: bool,
    /// Write a job summary.
    pub summary: bool,
}

/// Where the Dockerfile is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The directory that holds it, canonical, inside the workspace.
    pub directory: PathBuf,
    /// Its file name.
    pub file_name: String,
    /// From the workspace, with `/`: what annotations and messages say.
    pub in_workspace: String,
}

/// The input `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionInput {
    /// A semantic version, without the leading `v`.
    Semver(semver::Version),
    /// `auto`: from Git.
    Auto,
}

/// A login, for one registry host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The host that may see it.
    pub registry: RegistryHost,
    /// The user name.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// The input `push`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// As the event says.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}
