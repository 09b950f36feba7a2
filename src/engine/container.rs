//! A BuildKit in a container: made by us or found, and connected to by the quickest way there is.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::process::Process;
use super::pulls::said_pulls;
use super::run::Run;
use crate::buildkit::{Address, Connection};
use crate::docker::builder::{BuilderContainer, BuilderError, BuilderSetup, Existing};
use crate::error::RunError;
use crate::model::{Keyring, chain};
use crate::plan::builder::ContainerPlan;

/// For a container that was started to answer.
const READY: Duration = Duration::from_secs(20);
/// For one try of a way: what was begun while the container starts may never be heard.
const TRY: Duration = Duration::from_secs(5);
/// Between two looks at a socket that is not there yet.
const LOOK: Duration = Duration::from_millis(3);
/// After which the way through `docker exec` is tried too: a socket that we cannot see may be there all the same.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Between two tries of it.
const EXEC: Duration = Duration::from_millis(100);

/// With what a container is made.
pub(super) struct ContainerMaker {
    process: Process,
    keyring: Keyring,
    /// Our directory that the builder's socket is made in.
    temp: PathBuf,
    /// The Docker daemon's.
    socket: PathBuf,
}

impl ContainerMaker {
    /// As this run makes it.
    pub(super) fn of(run: &Run<'_>) -> Self {
        Self {
            process: run.process.clone(),
            keyring: run.keyring.clone(),
            temp: run.context.paths.temp.clone(),
            socket: run.daemon.path().to_owned(),
        }
    }
}

/// Makes or finds the container of this plan and waits until it answers.
pub(super) async fn own_container(
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

/// Finds a container that is somebody else's, by its name or by the name of a builder of buildx, and waits until it answers.
pub(super) async fn existing_container(socket: &Path, name: &str) -> Result<(String, Connection), RunError> {
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
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("{address} did not answer within {} s", TRY.as_secs()),
        };
        if let Ok(mut said) = said.lock() {
            *said = Some(why);
        }
        tokio::time::sleep(pause).await;
    }
}
