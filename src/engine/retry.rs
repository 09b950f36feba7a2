//! Trying again: requests to registries and to servers that give logins here, pushes in `obtain/push`. The only places
//! that sleep; whether and for how long stands in [`crate::model::Patience`].

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::process::Process;
use super::run::Run;
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

/// With a request to a registry of the image, which has let this run push.
pub(super) fn patience(run: &Run<'_>, registry: &RegistryHost) -> Patience {
    let login = run.keyring.login(registry).is_some();
    Patience::with_request(run.asked.retries, Standing { login, proven: true, reached: true })
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
