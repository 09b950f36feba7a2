//! Facts: what the daemon and the builders given can do, what is checked out, what the event leaves open; all at the
//! same time. What the registry says comes from `preflight`.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::buildkit::{Address, Connection, Worker};
use crate::docker;
use crate::error::RunError;
use crate::git;
use crate::github::{CacheTrouble, GitHub, cache_trouble};
use crate::inputs::config::{Config, VersionInput};
use crate::login::{LoginError, Session};
use crate::metadata::{CheckoutFacts, pull_request_to_look_up, triggering_commit};
use crate::model::{BuilderAddress, BuilderChoice, BuilderNode, CommitId, ContextSource, Platform};
use crate::plan::builder::{may_build_by_daemon, needs_daemon};
use crate::plan::cache::reads_github;
use crate::plan::dockerfile;
use crate::plan::facts::{BuilderFacts, DaemonFacts, DockerfileText};
use crate::runner::context::RunnerContext;

use super::{Process, login};

/// What the build meets.
pub struct Surroundings {
    /// The Dockerfile, as it is now.
    pub dockerfile: DockerfileText,
    /// The logins that the inputs' identities stand for, but the one of the image's registry, which `preflight` waits
    /// for; without them nothing can be built as it should.
    pub logins: Result<Vec<Session>, LoginError>,
    /// What can build; its absence matters only when there is something to build.
    pub builders: Result<Builders, RunError>,
}

/// What can build, connected.
pub struct Builders {
    /// The Docker daemon, where the choice can need it.
    pub daemon: Option<Daemon>,
    /// By the number of a node in the input `builder`: the ones that have an address.
    pub nodes: Vec<Option<Given>>,
}

/// A builder that was given by its address, connected.
pub struct Given {
    /// To it.
    pub connection: Connection,
    /// What it runs, its own platform first.
    pub platforms: Vec<Platform>,
}

impl Builders {
    /// What the plan depends on.
    pub fn facts(&self) -> BuilderFacts {
        let platforms =
            |given: &Option<Given>| given.as_ref().map_or_else(Vec::new, |one| one.platforms.clone());
        BuilderFacts {
            daemon: self.daemon.as_ref().map(|daemon| daemon.facts.clone()),
            nodes: self.nodes.iter().map(platforms).collect(),
        }
    }
}

/// The Docker daemon, connected.
pub struct Daemon {
    /// To its BuildKit, where that may build.
    pub connection: Option<Connection>,
    /// What it can do.
    pub facts: DaemonFacts,
}

/// Reads what the image's name depends on: what is checked out, and the head of a pull request, where only the API
/// knows it. Writes nothing anywhere.
pub async fn sources(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
) -> Result<(CheckoutFacts, Option<CommitId>), RunError> {
    let (checkout, head) = tokio::join!(checkout(config, context), head(process, config, context));
    Ok((checkout, head?))
}

/// Reads everything else that the plan depends on. Writes nothing anywhere. `found`: hears what can build as soon as
/// that is known, so that nobody waits for the rest.
pub async fn surroundings(
    process: &Process,
    config: &Config,
    address: &Address,
    found: oneshot::Sender<BuilderFacts>,
) -> Surroundings {
    let builders = async {
        let gateway = config.build.run.has_open_gateway();
        let builders = builders(&config.builder.choice, gateway, address).await;
        if let Ok(builders) = &builders {
            // Nobody listens when nothing is to be built.
            let _ = found.send(builders.facts());
        }
        builders
    };
    let (dockerfile, logins, builders) =
        tokio::join!(dockerfile(config), login::exchange(process, config, login::Of::Others), builders);
    Surroundings { dockerfile, logins, builders }
}

/// A question to GitHub's cache that goes on beside other work: it may be far away, and a run that builds nothing does
/// not wait for it. It ends with this value.
pub struct CacheQuestion(JoinSet<Option<CacheTrouble>>);

impl CacheQuestion {
    /// Asks, if the build would read that cache.
    pub fn ask(process: &Process, config: &Config, context: &RunnerContext) -> Self {
        let mut asking = JoinSet::new();
        if let Some(cache) = process.github_cache().filter(|_| reads_github(config, context)) {
            let network = process.network();
            asking.spawn(async move { cache_trouble(&cache.url, &cache.token, &network).await });
        }
        Self(asking)
    }

    /// Why it is of no use now, once.
    pub async fn trouble(&mut self) -> Option<CacheTrouble> {
        self.0.join_next().await?.ok()?
    }
}

/// What can build, connected: without a look at anything else. `gateway`: the build wants to know where the daemon's
/// containers reach the host.
pub async fn builders(
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
        let beside = if gateway || may_build_by_daemon(choice) { None } else { beside(address).await };
        match beside {
            Some(daemon) => Ok(Some(daemon)),
            None => daemon(address).await.map(Some),
        }
    };
    let nodes = try_join_all(nodes.iter().map(|node| given(&node.address)));
    let (daemon, nodes) = tokio::try_join!(daemon, nodes)?;
    Ok(Builders { daemon, nodes })
}

/// Connects to a builder that has an address of its own.
async fn given(address: &BuilderAddress) -> Result<Option<Given>, RunError> {
    let Some(place) = address_of(address) else { return Ok(None) };
    let connection = Connection::open(&place).await?;
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

/// The text of the Dockerfile. A fault is no error here: whoever builds says it better.
async fn dockerfile(config: &Config) -> DockerfileText {
    let Some(directory) = &config.dockerfile.directory else {
        return DockerfileText::Unknown("it comes with the context".into());
    };
    let path = directory.join(&config.dockerfile.file_name);
    let read = tokio::task::spawn_blocking(move || read_dockerfile(&path)).await;
    match read.map_err(std::io::Error::other) {
        Ok(Ok(text)) => DockerfileText::Known(text),
        Ok(Err(error)) | Err(error) => DockerfileText::Unknown(format!("it cannot be read: {error}")),
    }
}

fn read_dockerfile(path: &Path) -> std::io::Result<String> {
    // A pipe in its place would never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    // One byte more than is looked at, so that a longer one is told from one of that length.
    let longest = u64::try_from(dockerfile::LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(longest).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn checkout(config: &Config, context: &RunnerContext) -> CheckoutFacts {
    let workspace = context.paths.workspace.clone();
    let directory = match &config.context {
        ContextSource::Directory(directory) => directory.clone(),
        // What is built is not here; the checkout still says what the run is about.
        ContextSource::Remote(_) => workspace.clone(),
    };
    let commit = triggering_commit(context).clone();
    let describe = config.version == Some(VersionInput::Auto);
    let compared_with = commit.clone();
    let read =
        tokio::task::spawn_blocking(move || git::gather(&workspace, &directory, &commit, describe)).await;
    read.unwrap_or_else(|error| {
        let why = format!("reading the checkout failed: {error}");
        CheckoutFacts::none(compared_with, Some(why))
    })
}

async fn head(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
) -> Result<Option<CommitId>, RunError> {
    let Some(number) = pull_request_to_look_up(context) else { return Ok(None) };
    let github = GitHub::new(&context.api_url, config.token.as_ref(), &process.network())?;
    let head = github.pull_request_head(&context.repository.full_name, number).await?;
    Ok(Some(head.sha))
}

/// The daemon where only a container beside it builds: what its machine runs is all that matters of it, and its BuildKit
/// would take long to say it. `None` where it cannot be told without the daemon.
async fn beside(address: &Address) -> Option<Daemon> {
    let facts = DaemonFacts {
        name: UNNAMED.into(),
        containerd_image_store: false,
        platforms: docker::platforms_of_machine(address.path()).await?,
        host_gateway: None,
    };
    Some(Daemon { connection: None, facts })
}

/// A daemon that does not say what it is, or was not asked.
const UNNAMED: &str = "the Docker daemon";

async fn daemon(address: &Address) -> Result<Daemon, RunError> {
    let buildkit = async {
        let connection = Connection::open(address).await?;
        let workers = connection.workers().await.map_err(|error| RunError::Daemon(Box::new(error)))?;
        Ok::<_, RunError>((connection, workers))
    };
    // People want to know which daemon it is; nothing depends on it.
    let (buildkit, version) = tokio::join!(buildkit, docker::daemon_version(address.path()));
    let (connection, workers) = buildkit?;
    let facts = DaemonFacts {
        name: version.map_or_else(|| UNNAMED.into(), |version| format!("Docker Engine {version}")),
        containerd_image_store: workers.iter().any(|worker| worker.snapshotter().is_some()),
        platforms: platforms(&workers),
        host_gateway: workers.iter().find_map(Worker::host_gateway),
    };
    Ok(Daemon { connection: Some(connection), facts })
}
