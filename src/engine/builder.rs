//! The builder of this run: its nodes, connected, each with the platforms that it builds.
//!
//! Opening one makes what is missing (a container) and nothing more; closing it removes what was made for this run.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::buildkit::{Address, Connection};
use crate::docker::builder::{BuilderContainer, BuilderError, BuilderSetup, Existing};
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::Platform;
use crate::plan::RunPlan;
use crate::plan::builder::{ContainerPlan, NodeAddress};
use crate::runner::context::RunnerContext;

use super::Process;
use super::early::Early;
use super::gather::Builders;
use super::pulls::said_pulls;

/// Who builds.
pub struct Builder {
    /// At least one.
    pub nodes: Vec<Node>,
    /// The container that was made or found for it.
    container: Option<BuilderContainer>,
    /// The name of a container that is somebody else's.
    existing: Option<String>,
}

/// One BuildKit.
pub struct Node {
    /// Its name in the log, where there are several.
    pub name: Option<String>,
    /// To it.
    pub connection: Connection,
    /// What it builds, at least one.
    pub platforms: Vec<Platform>,
    /// A cache that does not arrive may hold it up: perhaps it begins nothing any more.
    pub held_up: bool,
}

/// What is left to do when nobody builds any more: removing a container. It goes on by itself and is waited for at the
/// very end, so that tags and report are not kept waiting.
#[derive(Default)]
pub struct Ending(Option<tokio::task::JoinHandle<()>>);

impl Ending {
    /// Ready when nothing is left.
    pub async fn join(&mut self) {
        if let Some(removal) = self.0.take() {
            // Only a panic can end it early.
            let _ = removal.await;
        }
    }
}

impl Builder {
    /// Makes ready what the plan says, by the Docker daemon behind `socket`; `early` has begun with it.
    pub async fn open(
        process: &Process,
        config: &Config,
        context: &RunnerContext,
        socket: &Path,
        builders: Builders,
        mut early: Option<Early<'_>>,
        plan: &RunPlan,
    ) -> Result<Self, RunError> {
        let Builders { mut daemon, nodes: mut given } = builders;
        let mut builder = Self { nodes: Vec::new(), container: None, existing: None };
        for node in &plan.builder.nodes {
            let connection = match &node.address {
                NodeAddress::Docker => daemon.take().and_then(|daemon| daemon.connection),
                NodeAddress::Given(number) => {
                    given.get_mut(*number).and_then(Option::take).map(|given| given.connection)
                }
                NodeAddress::OwnContainer(wanted) => {
                    let began = Instant::now();
                    let early = match early.take() {
                        Some(early) => early.take(wanted).await,
                        None => None,
                    };
                    let (container, connection) = match early {
                        Some(early) => early?,
                        None => own_container(process, config, context, socket, wanted).await?,
                    };
                    process.reporter.phase("builder", began.elapsed());
                    builder.container = Some(container);
                    Some(connection)
                }
                NodeAddress::Container(name) => {
                    let (name, connection) = existing(socket, name).await?;
                    builder.existing = Some(name);
                    Some(connection)
                }
            };
            let connection = connection.ok_or_else(|| {
                RunError::Contradiction(vec!["a node of the builder is not connected".into()])
            })?;
            builder.nodes.push(Node {
                name: node.name.clone(),
                connection,
                platforms: node.platforms.clone(),
                held_up: false,
            });
        }
        Ok(builder)
    }

    /// One container of ours is all of it, which can be made anew.
    pub fn is_renewable(&self) -> bool {
        self.nodes.len() == 1 && self.container.is_some()
    }

    /// The same container made anew: a BuildKit that waits for what a cache owes it does nothing else any more.
    pub async fn renew(
        self,
        process: &Process,
        config: &Config,
        context: &RunnerContext,
        socket: &Path,
        plan: &RunPlan,
    ) -> Result<Self, RunError> {
        for node in self.nodes {
            node.connection.close().await;
        }
        if let Some(container) = self.container {
            container.discard().await?;
        }
        let nothing = Builders { daemon: None, nodes: Vec::new() };
        Box::pin(Self::open(process, config, context, socket, nothing, None, plan)).await
    }

    /// The better reason of a build's failure, if its builder does not run any more.
    pub async fn explain(&self, error: RunError) -> RunError {
        match (error, &self.container) {
            // The daemon learns a little later than we that a container ended.
            (RunError::Build(source), Some(container)) if source.is_broken() => {
                match tokio::time::timeout(FALL, container.ended()).await {
                    Ok(why) => RunError::Fallen { why, source },
                    Err(_) => RunError::Build(source),
                }
            }
            (error, _) => error,
        }
    }

    /// The container that builds, if one does: what emulates by itself can only be seen in it.
    pub fn container_name(&self) -> Option<&str> {
        self.container.as_ref().map(BuilderContainer::name).or(self.existing.as_deref())
    }

    /// Removes what runs that were killed have left. At most ten seconds.
    pub async fn reap(&self) {
        if let Some(container) = &self.container {
            let _ = tokio::time::timeout(Duration::from_secs(10), container.reap()).await;
        }
    }

    /// Ends the connections, and begins to remove what was made for this run.
    pub async fn close(self) -> Ending {
        for node in self.nodes {
            node.connection.close().await;
        }
        let Some(container) = self.container else { return Ending::default() };
        container.leave().await;
        Ending(Some(tokio::task::spawn_blocking(move || container.close())))
    }
}

/// For a container that was started to answer.
const READY: Duration = Duration::from_secs(20);
/// For the daemon to say that a container whose connection broke has ended.
const FALL: Duration = Duration::from_secs(2);
/// For one try of a way: what was begun while the container starts may never be heard.
const TRY: Duration = Duration::from_secs(5);
/// Between two looks at a socket that is not there yet.
const LOOK: Duration = Duration::from_millis(3);
/// After which the way through `docker exec` is tried too: a socket that we cannot see may be there all the same.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Between two tries of it.
const EXEC: Duration = Duration::from_millis(100);

/// Makes or finds the container of this plan and waits until it answers.
pub(super) async fn own_container(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    socket: &Path,
    plan: &ContainerPlan,
) -> Result<(BuilderContainer, Connection), RunError> {
    let setup = BuilderSetup {
        directories: std::slice::from_ref(&context.paths.temp),
        logins: &config.credentials,
        ahead: false,
        pulling: &said_pulls(process, "builder", &plan.image),
    };
    let container = BuilderContainer::ensure(socket, plan, &setup).await?;
    let ways = Ways { socket: container.socket(), daemon: socket, container: container.name() };
    tokio::select! {
        connection = ways.connect() => connection.map(|connection| (container, connection)),
        error = container.ended() => Err(error.into()),
    }
}

async fn existing(socket: &Path, name: &str) -> Result<(String, Connection), RunError> {
    let found = Existing::find(socket, name).await?;
    let ways = Ways { socket: found.socket, daemon: socket, container: &found.name };
    let connection = ways.connect().await?;
    Ok((found.name, connection))
}

/// The ways to a container's buildkitd.
struct Ways<'a> {
    socket: Option<PathBuf>,
    daemon: &'a Path,
    container: &'a str,
}

impl Ways<'_> {
    /// The first one on which it answers, the socket before the tunnel.
    async fn connect(&self) -> Result<Connection, RunError> {
        let exec = Address::Exec { socket: self.daemon.to_owned(), container: self.container.to_owned() };
        let said = Mutex::new(None);
        let direct = async {
            match &self.socket {
                Some(socket) => until_ready(&Address::BuildkitSocket(socket.clone()), LOOK, &said).await,
                None => std::future::pending().await,
            }
        };
        let tunnel = async {
            if self.socket.is_some() {
                tokio::time::sleep(PATIENCE).await;
            }
            until_ready(&exec, EXEC, &said).await
        };
        let first = async {
            tokio::select! {
                connection = direct => connection,
                connection = tunnel => connection,
            }
        };
        match tokio::time::timeout(READY, first).await {
            Ok(connection) => Ok(connection),
            Err(_) => Err(BuilderError::Silent {
                name: self.container.to_owned(),
                seconds: READY.as_secs(),
                said: said.into_inner().ok().flatten(),
            }
            .into()),
        }
    }
}

/// Tries until a BuildKit answers there; `said` holds why it did not, the last time.
async fn until_ready(address: &Address, pause: Duration, said: &Mutex<Option<String>>) -> Connection {
    loop {
        let why = match tokio::time::timeout(TRY, Connection::open(address)).await {
            Ok(Ok(connection)) => return connection,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("{address} did not answer within {} s", TRY.as_secs()),
        };
        if let Ok(mut said) = said.lock() {
            *said = Some(why);
        }
        tokio::time::sleep(pause).await;
    }
}
