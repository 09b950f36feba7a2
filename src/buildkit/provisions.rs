//! What a build needs and a plan does not hold: secrets and who can sign.

use std::sync::Arc;

use super::auth::LoginLookup;
use super::content::Blobs;
use super::file_send::{Archive, Files};
use crate::model::{BuildSecret, Secret, SshSource};

/// Handed to [`super::build`] beside the plan; never shown, never sent but when the daemon asks, or where the
/// request has no other place for it.
#[derive(Clone)]
pub struct Provisions {
    /// Logins of registries. It is asked with the canonical host (`docker.io` for Docker Hub) and should answer
    /// for that host only.
    pub credentials: LoginLookup,
    /// Build arguments whose values no plan may hold.
    pub build_args: Vec<(String, Secret)>,
    /// Build secrets, each id once.
    pub secrets: Vec<BuildSecret>,
    /// SSH agents, each id once.
    pub ssh: Vec<SshSource>,
    /// GitHub's cache service, when the job has one.
    pub github_cache: Option<GithubCache>,
    /// Who takes the archive that the build exports, where it exports one.
    pub archive: Option<Archive>,
    /// Who takes the blobs of an image that the build exports as a layout, where it exports one.
    pub blobs: Option<Blobs>,
    /// Where files go that the build exports, where it exports some.
    pub files: Option<Files>,
    /// What the names of files end in that this run is writing, perhaps into the build context: none of these is sent.
    pub staging: Option<String>,
}

/// GitHub's cache service as the runner names it: `ACTIONS_RESULTS_URL` and `ACTIONS_RUNTIME_TOKEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubCache {
    /// Its address.
    pub url: String,
    /// The job's token for it.
    pub token: Secret,
}

impl Default for Provisions {
    fn default() -> Self {
        Self {
            credentials: Arc::new(|_| None),
            build_args: Vec::new(),
            secrets: Vec::new(),
            ssh: Vec::new(),
            github_cache: None,
            archive: None,
            blobs: None,
            files: None,
            staging: None,
        }
    }
}
