//! What a run needs of its process: read once, by `main`.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::rescue::Rescue;
use crate::buildkit::GithubCache;
use crate::error::Stop;
use crate::model::Secret;
use crate::net::Network;
use crate::progress::reporter::Reporter;

/// What a run needs of its process. Clones are the same process.
#[derive(Clone)]
pub struct Process {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The terminal.
    pub reporter: Reporter,
    /// The path of this program, in the container.
    pub program: std::path::PathBuf,
    /// The time, in seconds since 1970.
    pub now: fn() -> i64,
    /// Random bytes.
    pub random: fn() -> [u8; 32],
    /// Set when a signal asks to stop.
    pub stop: watch::Receiver<Option<Stop>>,
    /// What is done when it panics.
    pub rescue: Rescue,
}

impl Process {
    /// 128 random bits.
    pub(super) fn random_u128(&self) -> u128 {
        let bytes = (self.random)();
        bytes[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    /// 64 random bits.
    pub(super) fn random_u64(&self) -> u64 {
        let bytes = (self.random)();
        bytes[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A name that nothing else has: 32 hexadecimal digits.
    pub(super) fn random_id(&self) -> String {
        format!("{:032x}", self.random_u128())
    }

    /// Proxies, and who is believed.
    pub(super) fn network(&self) -> Network {
        Network::from_variables(&self.variables)
    }

    /// The page of a file in this action's own repository, as it is in use, when the runner names that. For an action that the
    /// workflow has in its own checkout it does not.
    pub(super) fn page_of_action(&self, path: &str) -> Option<String> {
        let get = |name: &str| {
            let text = self.variables.get(name).map_or("", |text| text.trim());
            let sound = |b: u8| b.is_ascii_alphanumeric() || b":/._-".contains(&b);
            Some(text).filter(|text| !text.is_empty() && text.bytes().all(sound))
        };
        let (repository, reference) = (get("GITHUB_ACTION_REPOSITORY")?, get("GITHUB_ACTION_REF")?);
        let server = get("GITHUB_SERVER_URL").unwrap_or("https://github.com").trim_end_matches('/');
        Some(format!("{server}/{repository}/blob/{reference}/{path}"))
    }

    /// GitHub's cache service, when the runner names it.
    pub(super) fn github_cache(&self) -> Option<GithubCache> {
        let get =
            |name: &str| self.variables.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let (url, token) = (get("ACTIONS_RESULTS_URL")?, get("ACTIONS_RUNTIME_TOKEN")?);
        Some(GithubCache { url: url.to_owned(), token: Secret::new(token) })
    }

    /// The signal that asked to stop, if one did.
    pub(super) fn stopping(&self) -> Option<Stop> {
        *self.stop.borrow()
    }

    /// Ready when a signal came.
    pub(super) async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        loop {
            if let Some(signal) = *stop.borrow_and_update() {
                return signal;
            }
            if stop.changed().await.is_err() {
                // Nobody can ask any more.
                std::future::pending::<()>().await;
            }
        }
    }
}
