//! Trying again: requests to registries, pulls by the daemon, requests to GitHub for deployments, and to servers that give
//! logins here, pushes in `obtain/push`. The only places that sleep; whether and for how long stands in [`crate::model::Patience`].

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::process::Process;
use super::run::Run;
use crate::buildkit::registry_trouble;
use crate::docker::ImageError;
use crate::github::GitHubError;
use crate::login::LoginError;
use crate::model::{Patience, RegistryHost, Retries, Standing, Trouble};
use crate::registry::RegistryError;
use crate::runner::units;

/// Attempts after the first where nothing was done yet.
const HURRIED: u32 = 3;

/// Looks at push access after the first.
const LOOKS: u32 = 2;
/// The time for them.
const LOOKING: Duration = Duration::from_secs(2);

/// What can fail so that another try is of use.
pub(super) trait Troubled: fmt::Display {
    /// What went wrong.
    fn trouble(&self) -> Trouble;
}

impl Troubled for RegistryError {
    fn trouble(&self) -> Trouble {
        self.kind().trouble()
    }
}

impl Troubled for LoginError {
    fn trouble(&self) -> Trouble {
        LoginError::trouble(self)
    }
}

/// A pull by the daemon.
impl Troubled for ImageError {
    fn trouble(&self) -> Trouble {
        match self {
            Self::Pull(why) => registry_trouble(why),
            Self::Docker(_) => Trouble::Lasting,
        }
    }
}

impl Troubled for GitHubError {
    fn trouble(&self) -> Trouble {
        match (self.pause(), self) {
            (Some(pause), _) => Trouble::Busy(Some(pause)),
            (None, error) if error.is_unclear() => Trouble::Broken,
            (None, _) => Trouble::Lasting,
        }
    }
}

/// A request that may have been carried out although no answer came, and must not be twice.
struct Unsent<E>(E);

impl fmt::Display for Unsent<GitHubError> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Troubled for Unsent<GitHubError> {
    fn trouble(&self) -> Trouble {
        self.0.pause().map_or(Trouble::Lasting, |pause| Trouble::Busy(Some(pause)))
    }
}

/// Repeats a request to GitHub as long as it was not carried out for certain: where it was refused for a limit of requests.
pub(super) async fn retry_unsent<T>(
    process: &Process,
    patience: Patience,
    request: impl AsyncFn() -> Result<T, GitHubError>,
) -> Result<T, GitHubError> {
    let request = async || request().await.map_err(Unsent);
    retry(process, patience, request).await.map_err(|Unsent(error)| error)
}

/// With what is written to GitHub, which has answered this run.
pub(super) fn writing(run: &Run<'_>) -> Patience {
    Patience::with_request(run.asked.retries, Standing { login: true, proven: true, reached: true })
}

/// With a request to a registry of the image, which has let this run push.
pub(super) fn patience(run: &Run<'_>, registry: &RegistryHost) -> Patience {
    let login = run.keyring.login(registry).is_some();
    Patience::with_request(run.asked.retries, Standing { login, proven: true, reached: true })
}

/// With a pull by the daemon, of which nobody knows whether it reaches the registry and may read there.
pub(super) fn pulling(retries: Retries) -> Patience {
    Patience::with_request(retries, Standing::default())
}

/// With a request before anything was done: to give up costs little then.
pub(super) fn hurry(retries: Retries) -> Patience {
    let most = match retries {
        Retries::Auto => HURRIED,
        Retries::Times(most) => most.min(HURRIED),
    };
    Patience::with_request(Retries::Times(most), Standing::default())
}

/// With the look at whether the job may push: one refusal may be a registry's bad moment. A build waits for this.
pub(super) fn second_look(retries: Retries) -> Patience {
    let most = match retries {
        Retries::Auto => LOOKS,
        Retries::Times(most) => most.min(LOOKS),
    };
    let standing = Standing { login: true, proven: true, reached: true };
    Patience::with_request(Retries::Times(most), standing).within(LOOKING)
}

/// Repeats a request as long as that is of use.
pub(super) async fn retry<T, E: Troubled>(
    process: &Process,
    patience: Patience,
    request: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let mut trying = Trying::new(patience);
    loop {
        match request().await {
            Err(error) if trying.again(process, &error).await => {}
            answer => return answer,
        }
    }
}

/// A request that is repeated.
pub(super) struct Trying {
    patience: Patience,
    began: Option<Instant>,
}

impl Trying {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, began: None }
    }

    /// After a failure: waits as long as is right; `false` when there is to be no other try.
    pub(super) async fn again(&mut self, process: &Process, error: &impl Troubled) -> bool {
        let spent = self.began.get_or_insert_with(Instant::now).elapsed();
        let Some(pause) = self.patience.after(error.trouble(), spent, process.random_u64()) else {
            return false;
        };
        process.reporter.retry(&format!("{error}; trying again in {}", units::seconds(pause)));
        tokio::time::sleep(pause).await;
        true
    }
}
