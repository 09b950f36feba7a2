//! A container that runs an image which somebody wants to see work: made, listened to, ended, removed.
//!
//! The image may be anybody's. So the container can do little (`body`), has an end whatever it does (SIGKILL when its time is
//! over, which nothing outlives: its processes are in a namespace that ends with the first), and its output is read as it
//! comes and kept by nobody. It is removed with the value that stands for it, also when the run is cancelled; what a run
//! that was killed has left is removed by whatever reaps builders.

mod body;
mod health;
mod probe;

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::builder::reap_orphans;
use super::connection::DaemonClient;
use super::error::DockerError;
use super::ours::Unfinished;
use super::own_container::OwnContainer;
use crate::model::{Platform, Secret, text};
use crate::plan::verify::Ending;

pub use health::run_until_healthy;
pub use probe::{Prober, probe};

/// For what a container has printed to arrive when it has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// What is run, and in what.
#[derive(Clone, Debug)]
pub struct RunOptions<'a> {
    /// Random, `[a-z0-9]`: names the container.
    pub id: String,
    /// The image, by a name that the daemon knows.
    pub image: &'a str,
    /// Which of its platforms.
    pub platform: &'a Platform,
    /// Arguments behind the image's entry point; its own if there are none.
    pub arguments: Option<&'a [String]>,
    /// Variables.
    pub env: &'a [(String, Secret)],
    /// The network's name; none if it has none.
    pub network: Option<&'a str>,
    /// Bytes of memory, swap included.
    pub memory: u64,
    /// From its start to its end.
    pub timeout: Duration,
    /// The run's id, for a label.
    pub run: &'a str,
    /// Run, attempt and job, for a label.
    pub job: &'a str,
    /// The runner, for a label.
    pub runner: &'a str,
    /// The container or the process that we are (`owner`), for a label.
    pub owner: Option<&'a str>,
}

/// Removes the containers that runs which were killed have left. Nothing depends on it.
pub async fn reap_containers(daemon: &DaemonClient, own: Option<&OwnContainer>, runner: &str, job: &str) {
    reap_orphans(daemon, own, runner, job).await;
    probe::reap_networks(daemon, runner, job).await;
}

/// Where a container has printed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// To its standard output.
    Out,
    /// To its standard error.
    Err,
}

/// Hears what a container prints, in the order in which the daemon has read it.
pub type Heard<'a> = dyn FnMut(Channel, &[u8]) + 'a;

/// Runs a container to its end.
///
/// # Errors
/// The daemon's words, where it is not the container that failed.
pub async fn run_container(
    daemon: &DaemonClient,
    options: &RunOptions<'_>,
    heard: &mut Heard<'_>,
) -> Result<Ending, DockerError> {
    let to_its_end = async |_: &str| std::future::pending().await;
    in_container(daemon, options, options.body(), to_its_end, heard).await
}

/// Makes a container, runs it until it ends or `watch`, which is given its id, has seen enough, and removes it.
async fn in_container(
    daemon: &DaemonClient,
    options: &RunOptions<'_>,
    body: ContainerCreateBody,
    watch: impl AsyncFn(&str) -> Result<Ending, DockerError>,
    heard: &mut Heard<'_>,
) -> Result<Ending, DockerError> {
    let name = format!("docker-push-action-verify-{}", options.id);
    let create = CreateContainerOptionsBuilder::default().name(&name);
    let create = create.platform(&options.platform.to_string()).build();
    let unfinished = Unfinished::new(daemon.socket(), &name);
    unfinished.asked(true);
    let created = daemon.docker.create_container(Some(create), body).await;
    unfinished.asked(false);
    let id = match created {
        Ok(created) => created.id,
        Err(error) => match DockerError::of("create its container", &error) {
            // The network, mostly.
            DockerError::ErrorResponse { status: 400 | 404, message, .. } => {
                return Ok(Ending::NotStarted(125, message));
            }
            other => return Err(other),
        },
    };
    let ending = to_its_end(daemon, &id, options, watch, heard).await?;
    let force = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    if daemon.docker.remove_container(&id, Some(force)).await.is_ok() {
        unfinished.keep();
    }
    Ok(ending)
}

async fn to_its_end(
    daemon: &DaemonClient,
    id: &str,
    options: &RunOptions<'_>,
    watch: impl AsyncFn(&str) -> Result<Ending, DockerError>,
    heard: &mut Heard<'_>,
) -> Result<Ending, DockerError> {
    // Before it starts: the daemon keeps nothing of what it prints.
    let attach = AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
    let attached = daemon.docker.attach_container(id, Some(attach)).await;
    let mut printed = attached.map_err(|error| DockerError::of("listen to its container", &error))?.output;
    let deadline = Instant::now() + options.timeout;
    if let Err(error) = daemon.docker.start_container(id, None).await {
        return not_started(daemon, id, DockerError::of("start its container", &error)).await;
    }
    let mut waiting = std::pin::pin!(daemon.docker.wait_container(id, None));
    let mut watching = std::pin::pin!(watch(id));
    let (mut ended, mut silent) = (None, false);
    while ended.is_none() || !silent {
        // When it has ended, nothing new comes.
        let limit = ended.map_or(deadline, |at: Instant| at + DRAIN);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(limit) => break,
            part = printed.next(), if !silent => match part {
                Some(Ok(LogOutput::StdErr { message })) => heard(Channel::Err, &message),
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    heard(Channel::Out, &message);
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(_)) | None => silent = true,
            },
            seen = &mut watching, if ended.is_none() => return seen,
            said = waiting.next(), if ended.is_none() => {
                // An exit code that is not 0 is an error there; what counts is what the daemon says of it afterwards.
                if said.is_none() {
                    return Err(DockerError::Failed {
                        doing: "wait for its container".into(),
                        why: "the Docker daemon has ended the connection".into(),
                    });
                }
                ended = Some(Instant::now());
            }
        }
    }
    if ended.is_none() {
        return Ok(Ending::TimedOut(options.timeout));
    }
    let gone = || DockerError::Failed { doing: "look at its container".into(), why: "it is gone".into() };
    let found = daemon.inspect(id, "look at its container").await?.ok_or_else(gone)?;
    if found.state.oom_killed {
        return Ok(Ending::OutOfMemory(options.memory));
    }
    Ok(Ending::Exit(found.state.exit_code))
}

/// What it means that a container does not start: the daemon gives it an exit code where that is the image's doing, as a shell
/// would (moby `daemon/errors.go`, `setExitCodeFromError`).
async fn not_started(daemon: &DaemonClient, id: &str, error: DockerError) -> Result<Ending, DockerError> {
    let DockerError::ErrorResponse { message, .. } = &error else { return Err(error) };
    let message = text::line(message);
    let state = daemon.inspect(id, "look at its container").await?.map(|found| found.state);
    let code = state.map_or(125, |state| state.exit_code);
    Ok(Ending::NotStarted(if code == 0 { 125 } else { code }, message))
}
