//! The builder of this run: its nodes, connected, each with the platforms that it builds.
//!
//! Opening one makes what is missing (a container) and nothing more; closing it removes what was made for this run.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::buildkit::{Address, Connection};
use crate::docker::builder::{BuilderContainer, BuilderError, BuilderSetup, Existing};
use crate::engine::gather::{Builders, Prestart};
use crate::engine::process::Process;
use crate::engine::pulls::said_pulls;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{Keyring, Platform};
use crate::plan::builder::{BuilderPlan, ContainerPlan, NodeAddress};

/// Who builds.
pub(super) struct Builder {
    /// At least one.
    pub nodes: Vec<Node>,
    /// The container that was made or found for it.
    container: Option<BuilderContainer>,
    /// The name of a container that is somebody else's.
    existing: Option<String>,
}

/// One BuildKit.
pub(in crate::engine) struct Node {
    /// Its name in the log, where there are several.
    pub name: Option<String>,
    /// To it.
    pub connection: Connection,
    /// What it builds, at least one.
    pub platforms: Vec<Platform>,
    /// A cache that does not arrive may hold it up: perhaps it begins nothing any more.
    pub held_up: bool,
}

impl Builder {
    /// Makes ready what the plan says; `prestart` may have begun with it.
    pub(super) async fn open(
        run: &Run<'_>,
        plan: &BuilderPlan,
        builders: Builders,
        mut prestart: Option<Prestart>,
    ) -> Result<Self, RunError> {
        let socket = run.daemon.path();
        let Builders { mut daemon, nodes: mut given } = builders;
        let mut builder = Self { nodes: Vec::new(), container: None, existing: None };
        for node in &plan.nodes {
            let connection = match &node.address {
                NodeAddress::Docker => daemon.take().and_then(|daemon| daemon.connection),
                NodeAddress::Given(number) => {
                    given.get_mut(*number).and_then(Option::take).map(|given| given.connection)
                }
                NodeAddress::OwnContainer(wanted) => {
                    let began = Instant::now();
                    let made = match prestart.take() {
                        Some(prestart) => prestart.take(wanted).await,
                        None => None,
                    };
                    let (container, connection) = match made {
                        Some(made) => made?,
                        None => own_container(&ContainerMaker::of(run), wanted).await?,
                    };
                    run.process.reporter.phase("builder", began.elapsed());
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

    /// The same container made anew: a BuildKit that waits for what a cache owes it does nothing else any more.
    pub(super) async fn renew(self, run: &Run<'_>, plan: &BuilderPlan) -> Result<Self, RunError> {
        for node in self.nodes {
            node.connection.close().await;
        }
        if let Some(container) = self.container {
            container.discard().await?;
        }
        Box::pin(Self::open(run, plan, Builders::none(), None)).await
    }

    /// The better reason of a build's failure, if its builder does not run any more.
    pub(super) async fn explain(&self, error: RunError) -> RunError {
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
    pub(super) fn container_name(&self) -> Option<&str> {
        self.container.as_ref().map(BuilderContainer::name).or(self.existing.as_deref())
    }

    /// Removes what runs that were killed have left. At most ten seconds.
    pub(super) async fn reap(&self) {
        if let Some(container) = &self.container {
            let _ = tokio::time::timeout(Duration::from_secs(10), container.reap()).await;
        }
    }

    /// Ends the connections, and removes what was made for this run.
    pub(super) async fn close(self) {
        for node in self.nodes {
            node.connection.close().await;
        }
        let Some(container) = self.container else { return };
        container.leave().await;
        // Only a panic can end it early.
        let _ = tokio::task::spawn_blocking(move || container.close()).await;
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

/// With what a container is made.
pub(in crate::engine) struct ContainerMaker {
    process: Process,
    keyring: Keyring,
    /// Our directory that the builder's socket is made in.
    temp: PathBuf,
    /// The Docker daemon's.
    socket: PathBuf,
}

impl ContainerMaker {
    /// As this run makes it.
    pub(in crate::engine) fn of(run: &Run<'_>) -> Self {
        Self {
            process: run.process.clone(),
            keyring: run.keyring.clone(),
            temp: run.context.paths.temp.clone(),
            socket: run.daemon.path().to_owned(),
        }
    }
}

/// Makes or finds the container of this plan and waits until it answers.
pub(in crate::engine) async fn own_container(
    maker: &ContainerMaker,
    plan: &ContainerPlan,
) -> Result<(BuilderContainer, Connection), RunError> {
    let ContainerMaker { process, keyring, temp, socket } = maker;
    let setup = BuilderSetup {
        directories: std::slice::from_ref(temp),
        logins: &keyring.logins(),
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
