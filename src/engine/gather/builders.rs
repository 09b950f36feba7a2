//! What can build, connected: the Docker daemon where the choice can need it, and the builders that were given by an
//! address.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::buildkit::{Address, Connection, Worker};
use crate::docker::{self, DaemonMachine};
use crate::error::RunError;
use crate::model::{BuilderAddress, BuilderChoice, BuilderNode, Platform};
use crate::plan::builder::{may_build_by_daemon, needs_daemon};
use crate::plan::facts::{BuilderFacts, DaemonFacts};

/// What can build, connected.
pub(in crate::engine) struct Builders {
    /// The Docker daemon, where the choice can need it.
    pub daemon: Option<Daemon>,
    /// By the number of a node in the input `builder`: the ones that have an address.
    pub nodes: Vec<Option<Given>>,
}

/// A builder that was given by its address, connected.
pub(in crate::engine) struct Given {
    /// To it.
    pub connection: Connection,
    /// What it runs, its own platform first.
    pub platforms: Vec<Platform>,
}

impl Builders {
    /// Nothing can.
    pub(in crate::engine) fn none() -> Self {
        Self { daemon: None, nodes: Vec::new() }
    }

    /// What the plan depends on.
    pub(in crate::engine) fn facts(&self) -> BuilderFacts {
        let platforms =
            |given: &Option<Given>| given.as_ref().map_or_else(Vec::new, |one| one.platforms.clone());
        BuilderFacts {
            daemon: self.daemon.as_ref().map(|daemon| daemon.facts.clone()),
            nodes: self.nodes.iter().map(platforms).collect(),
        }
    }
}

/// The Docker daemon, connected.
pub(in crate::engine) struct Daemon {
    /// To its BuildKit, where that may build.
    pub connection: Option<Connection>,
    /// What it can do.
    pub facts: DaemonFacts,
}

/// What can build, connected: without a look at anything else. `gateway`: the build wants to know where the daemon's
/// containers reach the host.
pub(in crate::engine) async fn builders(
    choice: &BuilderChoice,
    gateway: bool,
    address: &Address,
) -> Result<Builders, RunError> {
    let nodes: &[BuilderNode] = match choice {
        BuilderChoice::Auto => &[],
        BuilderChoice::Nodes(nodes) => nodes,
    };
    let daemon = async {
        if !needs_daemon(choice) {
            return Ok(None);
        }
        let by_daemon = may_build_by_daemon(choice);
        // Its BuildKit tries every emulator before it says what it can do; it knows where the host is.
        let machine = if gateway { None } else { docker::machine_of_daemon(address.path(), by_daemon).await };
        match machine {
            Some(machine) if !by_daemon => Ok(Some(beside(machine))),
            machine => Box::pin(daemon(address, machine)).await.map(Some),
        }
    };
    let nodes = try_join_all(nodes.iter().map(|node| given(&node.address)));
    let (daemon, nodes) = tokio::try_join!(daemon, nodes)?;
    Ok(Builders { daemon, nodes })
}

/// Connects to a builder that has an address of its own.
async fn given(address: &BuilderAddress) -> Result<Option<Given>, RunError> {
    let Some(dialled) = address_of(address) else { return Ok(None) };
    let connection = Connection::open(&dialled).await?;
    let workers = connection
        .workers()
        .await
        .map_err(|source| RunError::Builder { address: address.to_string(), source: Box::new(source) })?;
    Ok(Some(Given { connection, platforms: platforms(&workers) }))
}

/// Where a node of the input is, if it can be connected to without making or starting anything.
fn address_of(address: &BuilderAddress) -> Option<Address> {
    match address {
        BuilderAddress::Unix(path) => Some(Address::BuildkitSocket(path.clone())),
        BuilderAddress::Tcp { host, port, tls } => {
            Some(Address::Tcp { host: host.clone(), port: *port, tls: tls.clone().map(Arc::new) })
        }
        BuilderAddress::Docker | BuilderAddress::OwnContainer | BuilderAddress::Container(_) => None,
    }
}

/// In the workers' order: a machine's own platform is named first.
fn platforms(workers: &[Worker]) -> Vec<Platform> {
    let platforms = workers.iter().flat_map(|worker| &worker.platforms);
    let mut platforms: Vec<Platform> = platforms.filter_map(|text| Platform::parse(text).ok()).collect();
    platforms.dedup();
    platforms
}

/// The daemon where only a container beside it builds: what its machine runs is all that matters of it.
fn beside(machine: DaemonMachine) -> Daemon {
    let facts = DaemonFacts {
        name: UNNAMED.into(),
        containerd_image_store: false,
        platforms: machine.platforms,
        host_gateway: None,
    };
    Daemon { connection: None, facts }
}

/// A daemon that does not say what it is, or was not asked.
const UNNAMED: &str = "the Docker daemon";

/// Connects to the daemon's BuildKit, and asks that what it can do unless the machine has told all.
async fn daemon(address: &Address, machine: Option<DaemonMachine>) -> Result<Daemon, RunError> {
    let buildkit = async {
        let connection = Connection::open(address).await?;
        let abilities = match machine {
            Some(DaemonMachine { platforms, containerd_image_store: Some(image_store) }) => {
                (platforms, image_store, None)
            }
            _ => abilities(&connection).await?,
        };
        Ok::<_, RunError>((connection, abilities))
    };
    // People want to know which daemon it is; nothing depends on it.
    let (buildkit, version) = tokio::join!(buildkit, docker::daemon_version(address.path()));
    let (connection, (platforms, containerd_image_store, host_gateway)) = buildkit?;
    let name = version.map_or_else(|| UNNAMED.into(), |version| format!("Docker Engine {version}"));
    let facts = DaemonFacts { name, containerd_image_store, platforms, host_gateway };
    Ok(Daemon { connection: Some(connection), facts })
}

/// What the daemon's BuildKit can do, as it lists its workers: its platforms, its own first; whether it has containerd's
/// image store; where its steps reach the host.
pub(super) async fn abilities(
    connection: &Connection,
) -> Result<(Vec<Platform>, bool, Option<IpAddr>), RunError> {
    let workers = connection.workers().await.map_err(|error| RunError::Daemon(Box::new(error)))?;
    let has_image_store = workers.iter().any(|worker| worker.snapshotter().is_some());
    Ok((platforms(&workers), has_image_store, workers.iter().find_map(Worker::host_gateway)))
}
