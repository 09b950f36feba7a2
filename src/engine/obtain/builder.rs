//! The builder of this run: its nodes, connected, each with the platforms that it builds.
//!
//! Opening one makes what is missing (a container) and nothing more; closing it removes what was made for this run.

use std::time::Duration;

use tokio::time::Instant;

use crate::buildkit::Connection;
use crate::docker::builder::BuilderContainer;
use crate::engine::container::{ContainerMaker, existing_container, own_container};
use crate::engine::gather::{Builders, Prestart};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::Platform;
use crate::plan::builder::{BuilderPlan, NodeAddress};

/// For the daemon to say that a container whose connection broke has ended.
const FALL: Duration = Duration::from_secs(2);

/// Who builds.
pub(in crate::engine) struct Builder {
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
    pub(in crate::engine) async fn open(
        run: &Run<'_>,
        plan: &BuilderPlan,
        builders: Builders,
        mut prestart: Option<Prestart>,
    ) -> Result<Self, RunError> {
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
                    let (name, connection) = existing_container(run.daemon.path(), name).await?;
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
    pub(in crate::engine) async fn explain(&self, error: RunError) -> RunError {
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
    pub(in crate::engine) async fn reap(&self) {
        if let Some(container) = &self.container {
            let _ = tokio::time::timeout(Duration::from_secs(10), container.reap()).await;
        }
    }

    /// Ends the connections, and removes what was made for this run.
    pub(in crate::engine) async fn close(self) {
        for node in self.nodes {
            node.connection.close().await;
        }
        let Some(container) = self.container else { return };
        container.leave().await;
        // Only a panic can end it early.
        let _ = tokio::task::spawn_blocking(move || container.close()).await;
    }
}
