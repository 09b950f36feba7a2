//! What each phase of a run is given, and the one place where a run hears that it is to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::process::Process;
use super::registries::Registries;
use super::report::Report;
use crate::buildkit::Address;
use crate::error::{RunError, Stop};
use crate::inputs::config::Config;
use crate::model::Keyring;
use crate::runner::context::RunnerContext;

/// Time for an orderly end after the first signal; the runner sends the next one after 7.5 s.
const ORDERLY: Duration = Duration::from_secs(4);

/// One run. Every phase is given this and the values that those before it have handed on.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub process: &'a Process,
    /// What the inputs ask for. Never changes.
    pub asked: &'a Config,
    /// What the runner says.
    pub context: &'a RunnerContext,
    /// Logins, which may be renewed, and all else that is secret.
    pub keyring: &'a Keyring,
    /// Where the Docker daemon is.
    pub daemon: &'a Address,
    /// Clients of registries, and the ways to them.
    pub registries: &'a Registries,
    /// What happened so far.
    pub report: &'a Report,
    /// What is left to do when the run is over.
    pub closing: &'a Closing,
}

impl Run<'_> {
    /// Does this, unless the run is asked to stop: then it is dropped where it is.
    pub(super) async fn until_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, RunError>>,
    ) -> Result<T, RunError> {
        tokio::select! {
            done = work => done,
            stop = self.process.stopped() => Err(RunError::Stopped(stop)),
        }
    }

    /// Does this to its end. When the run is asked to stop, `cancel` says so to the work, which is to end soon then.
    pub(super) async fn in_order<T>(&self, work: impl Future<Output = T>, cancel: impl FnOnce()) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = self.process.stopped() => cancel(),
        }
        work.await
    }

    /// A name for what is made for this run and attempt, for labels.
    pub(super) fn label(&self) -> String {
        label(self.context)
    }
}

/// A name for what is made for a run and its attempt, for labels.
pub(super) fn label(context: &RunnerContext) -> String {
    format!("{}-{}", context.run.id, context.run.attempt)
}

/// Ready when a run that was asked to stop has had the time for an orderly end: solves are cancelled and helpers removed
/// by then.
pub(super) async fn patience_after_stop(process: &Process) -> Stop {
    let stop = process.stopped().await;
    process.reporter.info(&format!("{stop}: cancelling"));
    tokio::time::sleep(ORDERLY).await;
    stop
}

/// What is left to do when it is not needed any more, such as removing a container. It goes on by itself and is waited for
/// at the very end, so that tags and report are not kept waiting.
#[derive(Default)]
pub(super) struct Closing(Mutex<JoinSet<()>>);

impl Closing {
    /// Begins with it.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(work);
    }

    /// Ready when nothing is left.
    pub(super) async fn join(self) {
        let mut left = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Only a panic can end one early.
        while left.join_next().await.is_some() {}
    }
}
