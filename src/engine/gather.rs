//! Facts: what the daemon can do, what is checked out, what the event leaves open; all at the same time.

use crate::buildkit::{Address, Connection};
use crate::docker;
use crate::error::RunError;
use crate::git;
use crate::github::GitHub;
use crate::inputs::config::{Config, VersionInput};
use crate::metadata::{CheckoutFacts, pull_request_to_look_up, triggering_commit};
use crate::model::{CommitId, Platform};
use crate::plan::facts::DaemonFacts;
use crate::runner::context::RunnerContext;

/// What was found.
pub struct Facts {
    /// What is checked out.
    pub checkout: CheckoutFacts,
    /// Head of the pull request, where only the API knows it.
    pub head: Option<CommitId>,
    /// The daemon; its absence matters only when there is something to build.
    pub daemon: Result<Daemon, RunError>,
}

/// The Docker daemon, connected.
pub struct Daemon {
    /// To its BuildKit.
    pub connection: Connection,
    /// What it can do.
    pub facts: DaemonFacts,
}

/// Reads everything that the plan depends on. Writes nothing anywhere.
pub async fn gather(config: &Config, context: &RunnerContext, address: &Address) -> Result<Facts, RunError> {
    let (checkout, head, daemon) =
        tokio::join!(checkout(config, context), head(config, context), daemon(address));
    Ok(Facts { checkout, head: head?, daemon })
}

async fn checkout(config: &Config, context: &RunnerContext) -> CheckoutFacts {
    let workspace = context.paths.workspace.clone();
    let directory = config.context.clone();
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

async fn head(config: &Config, context: &RunnerContext) -> Result<Option<CommitId>, RunError> {
    let Some(number) = pull_request_to_look_up(context) else { return Ok(None) };
    let github = GitHub::new(&context.api_url, config.token.as_ref())?;
    let head = github.pull_request_head(&context.repository.full_name, number).await?;
    Ok(Some(head.sha))
}

async fn daemon(address: &Address) -> Result<Daemon, RunError> {
    let buildkit = async {
        let connection = Connection::open(address).await?;
        let workers = connection.workers().await.map_err(|error| RunError::Daemon(Box::new(error)))?;
        Ok::<_, RunError>((connection, workers))
    };
    // People want to know which daemon it is; nothing depends on it.
    let (buildkit, version) = tokio::join!(buildkit, docker::daemon_version(address.path()));
    let (connection, workers) = buildkit?;
    let platforms = workers.iter().flat_map(|worker| &worker.platforms);
    let mut platforms: Vec<Platform> = platforms.filter_map(|text| Platform::parse(text).ok()).collect();
    platforms.dedup();
    let facts = DaemonFacts {
        name: version
            .map_or_else(|| "the Docker daemon".into(), |version| format!("Docker Engine {version}")),
        containerd_image_store: workers.iter().any(|worker| worker.snapshotter().is_some()),
        platforms,
    };
    Ok(Daemon { connection, facts })
}
