//! The builder container: buildkitd in a container of ours beside the daemon, made, found again, and removed.
//!
//! Its socket lies in a directory that this process sees too, where there is one: that is several times faster than
//! the tunnel through `docker exec` that docker buildx uses (`driver/docker-container`, whose container ours looks
//! like). Every step of the making can be done twice and by two processes: whoever comes later finds what is there.

mod body;
mod error;
mod existing;
mod guard;
mod logs;
mod reap;
mod socket_dir;
mod wanted;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::NetworkDisconnectRequest;
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use futures_util::StreamExt as _;

use super::connection::DaemonClient;
use super::error::DockerError;
use super::inspection::Inspection;
use super::ours::{Unfinished, remove};
use super::own_container::OwnContainer;
use super::prepare_helper::stop_prepare_helper;
use crate::model::{Logins, text};
use crate::plan::builder::{ContainerPlan, Keep};

pub use super::image::Pulled;
pub use error::BuilderError;
pub use existing::Existing;
use guard::Guard;
use logs::last_words;
use socket_dir::SocketDir;
use wanted::Wanted;

/// What making a builder takes besides its plan.
pub struct BuilderSetup<'a> {
    /// Directories of ours to make the socket's one in, best first; the first that the host sees is taken.
    pub directories: &'a [PathBuf],
    /// Who logs in to the registry of the builder's image.
    pub logins: &'a Logins,
    /// The container is to outlive the one that makes it, which is therefore not named as its owner.
    pub ahead: bool,
    /// Hears how the pull of the image goes, a few times a second.
    pub pulling: &'a (dyn Fn(&Pulled) + Send + Sync),
}

/// A builder container that was started. Dropped, it is removed if nobody is to find it again.
#[derive(Debug)]
pub struct BuilderContainer {
    daemon: DaemonClient,
    name: String,
    image: String,
    /// Where its socket appears, as this process sees it.
    directory: Option<PathBuf>,
    /// The network of ours that it joined for as long as we use it.
    joined: Option<String>,
    own: Option<OwnContainer>,
    runner: String,
    job: String,
    /// Set when it ends with this run.
    removed_with_us: Option<Unfinished>,
}

const ROLE: &str = "builder";
/// Our label: run, attempt and job that it was made for.
pub(super) const LABEL_JOB: &str = "docker-push-action.job";
/// Our label: the repository that it was made for.
const LABEL_REPOSITORY: &str = "docker-push-action.repository";
/// Our label: the runner that it was made on.
pub(super) const LABEL_RUNNER: &str = "docker-push-action.runner";
/// Our label: how long it lives, `step`, `job` or `always`.
pub(super) const LABEL_KEEP: &str = "docker-push-action.keep";
/// Our label: id of the container that made it and ends it.
pub(super) const LABEL_OWNER: &str = "docker-push-action.owner";
/// buildkitd's own place for its socket.
const RUN: &str = "/run/buildkit";
/// The socket's name there.
const SOCKET: &str = "buildkitd.sock";

/// Times that a container which another process makes or removes is looked for again, and the pause between.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

impl BuilderContainer {
    /// Makes the container of a plan, or finds it, and starts it. It is not waited for: see [`Self::ended`].
    pub async fn ensure(
        socket: &Path,
        plan: &ContainerPlan,
        setup: &BuilderSetup<'_>,
    ) -> Result<Self, BuilderError> {
        let daemon = DaemonClient::connect(socket).await?;
        let (own, found) = tokio::join!(daemon.own_container(), inspect(&daemon, &plan.name));
        let (own, mut found) = (own?, found?);
        let socket_dir = SocketDir::find(own.as_ref(), setup.directories, &plan.name);
        let wanted = Wanted { plan, own: own.as_ref(), socket_dir: socket_dir.as_ref(), ahead: setup.ahead };
        let mut guard = Guard::new(&daemon, &plan.name, plan.keep == Keep::Step && !setup.ahead);
        for _ in 0..ATTEMPTS {
            let usable = match &found {
                Some(found) => wanted.fits(found)?,
                None => wanted.create(&daemon, setup, &mut guard).await?,
            };
            let started = match (usable, &found) {
                (true, Some(found)) if found.is_running() => true,
                (true, _) => wanted.start(&daemon).await?,
                (false, Some(_)) => {
                    discard(&daemon, &plan.name).await?;
                    false
                }
                (false, None) => false,
            };
            if started {
                let joined = wanted.join(&daemon, found.as_ref()).await?;
                let directory = socket_dir.map(|socket_dir| socket_dir.ours);
                let removed_with_us = guard.take();
                if let (Some(unfinished), Some(directory)) = (&removed_with_us, &directory) {
                    unfinished.with_directory(directory);
                }
                return Ok(Self {
                    name: plan.name.clone(),
                    image: plan.image.clone(),
                    directory,
                    joined,
                    runner: plan.runner.clone(),
                    job: plan.job.clone(),
                    removed_with_us,
                    own,
                    daemon,
                });
            }
            // Another process is at it: what it left is looked at again.
            tokio::time::sleep(PAUSE).await;
            found = inspect(&daemon, &plan.name).await?;
        }
        Err(BuilderError::Busy { name: plan.name.clone() })
    }

    /// Where its socket appears, if we see it.
    pub fn socket(&self) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(SOCKET))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ready when the container does not run (any more), with the reason and the last that it said.
    pub async fn ended(&self) -> BuilderError {
        let mut waiting = std::pin::pin!(self.daemon.docker.wait_container(&self.name, None));
        // Whatever the answer, or none: what the daemon says about the container now is the better one.
        while let Some(Ok(_)) = waiting.next().await {}
        match self.state().await {
            Some(error) => error,
            // It does run: whoever waits has a deadline of their own.
            None => std::future::pending().await,
        }
    }

    /// Why it does not run; `None` if it does, or nobody knows.
    pub async fn state(&self) -> Option<BuilderError> {
        let gone = || BuilderError::Gone { name: self.name.clone() };
        let found = match inspect(&self.daemon, &self.name).await {
            Ok(Some(found)) => found,
            Ok(None) => return Some(gone()),
            Err(error) => return Some(error.into()),
        };
        if found.is_running() {
            return None;
        }
        let state = found.state;
        Some(BuilderError::Ended {
            image: self.image.clone(),
            code: state.exit_code,
            out_of_memory: state.oom_killed,
            error: Some(text::line(&state.error)).filter(|text| !text.is_empty()),
            said: last_words(&self.daemon, &self.name).await,
        })
    }

    /// Removes what ended runs have left. Their daemon or ours may be at it too: what cannot be removed is left.
    pub async fn reap(&self) {
        reap::reap(&self.daemon, self.own.as_ref(), &self.name, &self.runner, &self.job).await;
    }

    /// Removes it, whoever wanted to find it again: it is of no use any more.
    ///
    /// # Errors
    /// The daemon's words; it is still there then.
    pub async fn discard(mut self) -> Result<(), BuilderError> {
        discard(&self.daemon, &self.name).await?;
        if let Some(unfinished) = self.removed_with_us.take() {
            unfinished.keep();
        }
        if let Some(directory) = &self.directory {
            socket_dir::clear(directory);
        }
        Ok(())
    }

    /// Ends the use of it: it leaves our network, and goes if nobody is to find it again. Blocks until that is done.
    pub fn close(mut self) {
        if let Some(unfinished) = self.removed_with_us.take() {
            let status = remove(self.daemon.socket(), &self.name, REMOVAL);
            if status.is_ok_and(|status| matches!(status, 200..=299 | 404)) {
                unfinished.keep();
            }
            if let Some(directory) = &self.directory {
                socket_dir::clear(directory);
            }
        }
    }

    /// Leaves our network, which ends with the job; not needed by a container that is removed, which nobody is to make
    /// again then.
    pub async fn leave(&self) {
        if self.removed_with_us.is_some() {
            stop_prepare_helper(&self.daemon, &self.name).await;
        }
        if let (Some(network), None) = (&self.joined, &self.removed_with_us) {
            let request = NetworkDisconnectRequest { container: self.name.clone(), force: Some(true) };
            // The runner says so itself when it cannot remove its network.
            let _ = self.daemon.docker.disconnect_network(network, request).await;
        }
    }
}

/// Removes what runs that were killed have left, whoever asks.
pub(super) async fn reap_orphans(daemon: &DaemonClient, own: Option<&OwnContainer>, runner: &str, job: &str) {
    // A builder of this job is none of them, whatever its name.
    reap::reap(daemon, own, "", runner, job).await;
}

/// The most that removing the container and its cache may take.
const REMOVAL: Duration = Duration::from_secs(30);

async fn inspect(daemon: &DaemonClient, name: &str) -> Result<Option<Inspection>, DockerError> {
    daemon.inspect(name, "look for the builder container").await
}

/// Removes a container that cannot be used. A volume with a name stays: that is a kept cache.
async fn discard(daemon: &DaemonClient, name: &str) -> Result<(), BuilderError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let removed = daemon.docker.remove_container(name, Some(options)).await;
    match removed.map_err(|error| DockerError::of("remove the unusable builder container", &error)) {
        // Gone, or being removed by another.
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        removed => Ok(removed?),
    }
}
