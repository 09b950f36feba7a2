//! The build: session, status and log together; meanwhile the way to the registry is made.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::buildkit::{self, BuildError, BuildIds, BuildOutcome, Connection};
use crate::docker::{Reached, RelayOptions, reach_loopback};
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::{Dial, Secret};
use crate::plan::{PushPlan, RunPlan};
use crate::progress::plain::{Plain, PlainOptions};
use crate::runner::context::RunnerContext;

use super::Process;
use super::gather::Daemon;
use super::record::Record;

/// How the registry is reached from here.
pub struct Way(Reached);

impl Way {
    /// What a connection to the registry takes.
    pub fn dial(&self) -> Dial {
        self.0.dial.clone()
    }

    /// Ends the helper, if there is one; it is removed by itself.
    pub fn close(self) {
        self.0.close();
    }
}

/// Builds, and pushes by digest if planned. `None`: nothing is to be published.
pub async fn build_and_reach(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    daemon: &Daemon,
    plan: &RunPlan,
    record: &mut Record,
) -> Result<Option<Way>, RunError> {
    let connection = &daemon.connection;
    let pushes = matches!(plan.push, PushPlan::Push { .. });
    if !pushes {
        build(process, config, connection, plan, record).await?;
        return Ok(None);
    }
    let options = RelayOptions {
        run: format!("{}-{}", context.run.id, context.run.attempt),
        id: format!("{:032x}", process.random_u128()),
        directories: vec![context.paths.temp.clone(), context.paths.workspace.clone()],
        program: process.program.clone(),
        timeout: Duration::from_secs(10),
    };
    let reach = reach_loopback(plan.repository.registry(), connection.address().path(), &options);
    // Both begin at once. A registry that cannot be reached ends a build whose result could get no tag.
    let mut reach = std::pin::pin!(reach);
    let mut building = std::pin::pin!(build(process, config, connection, plan, record));
    let (built, way) = tokio::select! {
        built = &mut building => (built, reach.await),
        way = &mut reach => match way {
            Ok(way) => (building.await, Ok(way)),
            Err(error) => return Err(error.into()),
        },
    };
    match (built, way) {
        (Ok(true), way) => Ok(Some(Way(way?))),
        (built, way) => {
            if let Ok(way) = way {
                way.close();
            }
            built.map(|_| None)
        }
    }
}

/// `false`: built, but the registry would not take it and the plan tolerates that.
async fn build(
    process: &Process,
    config: &Config,
    connection: &Connection,
    plan: &RunPlan,
    record: &mut Record,
) -> Result<bool, RunError> {
    let started = Instant::now();
    let dockerfile = &plan.build.dockerfile;
    let mut log = Plain::new(PlainOptions {
        fence: format!("{:032x}", process.random_u128()),
        dockerfile: Some((dockerfile.file_name.clone(), dockerfile.in_workspace.clone())),
    });
    let result = follow(process, config, connection, plan, &mut log).await;
    let state = log.into_state();
    let pushing = state.time_of("pushing");
    process.reporter.phase("build", started.elapsed().saturating_sub(pushing));
    if !pushing.is_zero() {
        process.reporter.phase("push", pushing);
    }
    record.progress = Some(state);
    match result {
        Ok(outcome) => {
            for blanked in outcome.transfers.iter().flat_map(|(_, transfer)| &transfer.blanked) {
                process.reporter.warn(&blanked.to_string());
            }
            record.digest = outcome.digest;
            Ok(true)
        }
        Err(BuildError::Cancelled) => Err(RunError::Stopped(process.stopped().await)),
        Err(error) if error.is_refusal() && tolerates_refusal(plan) => {
            let why = format!("the registry refused the push ({error})");
            process.reporter.warn(&format!("{why}; the image was built, nothing was published"));
            record.refused = Some(why);
            Ok(false)
        }
        Err(error) if error.is_refusal() => Err(RunError::Refused {
            source: Box::new(error),
            registry: plan.repository.registry().clone(),
            username: config.credentials.as_ref().map(|login| login.username.clone()),
        }),
        Err(error) => Err(error.into()),
    }
}

fn tolerates_refusal(plan: &RunPlan) -> bool {
    matches!(plan.push, PushPlan::Push { tolerate_refusal: true, .. })
}

/// Runs the build and prints what it says.
async fn follow(
    process: &Process,
    config: &Config,
    connection: &Connection,
    plan: &RunPlan,
    log: &mut Plain,
) -> Result<BuildOutcome, BuildError> {
    let began = Instant::now();
    let ids = BuildIds::from_random((process.random)());
    let (updates, mut incoming) = mpsc::channel(16);
    let cancel = async {
        process.stopped().await;
    };
    let building = buildkit::build(connection, &plan.build, &ids, keyring(config), updates, cancel);
    let mut building = std::pin::pin!(building);
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            Some(update) = incoming.recv() => {
                process.reporter.lines(&log.update(&update, began.elapsed()));
            }
            _ = tick.tick() => process.reporter.lines(&log.tick(began.elapsed())),
            result = &mut building => break result,
        }
    };
    while let Ok(update) = incoming.try_recv() {
        process.reporter.lines(&log.update(&update, began.elapsed()));
    }
    process.reporter.lines(&log.finish(began.elapsed()));
    result
}

/// The login of the repository's host, for that host only.
fn keyring(config: &Config) -> impl Fn(&str) -> Option<(String, Secret)> + Send + Sync + 'static {
    let credentials = config.credentials.clone();
    move |host| {
        let credentials = credentials.as_ref().filter(|login| login.registry.as_str() == host)?;
        Some((credentials.username.clone(), credentials.password.clone()))
    }
}
