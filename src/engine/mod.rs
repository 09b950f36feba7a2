//! The run: facts, plan, build, tags, report, in this order.
//!
//! Owns the effects and their order; decides nothing about *what* is done: that stands in the plan. What was done is
//! kept in a [`Record`] as it happens, so that a run that fails or is cancelled still reports it.

mod build;
mod gather;
mod publish;
mod record;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use crate::buildkit::Address;
use crate::error::{RunError, Stop};
use crate::inputs::config::Config;
use crate::inputs::fault::Level;
use crate::inputs::mask::secrets_to_mask;
use crate::inputs::raw::RawInputs;
use crate::metadata::{self, Outcome};
use crate::plan::{self, PushPlan, RunPlan};
use crate::progress::reporter::Reporter;
use crate::runner::context::RunnerContext;
use crate::runner::event_file;

use record::Record;

/// What a run needs of its process: read once, by `main`.
pub struct Process {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The terminal.
    pub reporter: Reporter,
    /// The path of this program, in the container.
    pub program: std::path::PathBuf,
    /// Random bytes.
    pub random: fn() -> [u8; 32],
    /// Set when a signal asks to stop.
    pub stop: watch::Receiver<Option<Stop>>,
}

impl Process {
    /// 128 random bits.
    fn random_u128(&self) -> u128 {
        let bytes = (self.random)();
        bytes[..16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }

    /// Ready when a signal came.
    async fn stopped(&self) -> Stop {
        let mut stop = self.stop.clone();
        loop {
            if let Some(signal) = *stop.borrow_and_update() {
                return signal;
            }
            if stop.changed().await.is_err() {
                // Nobody can ask any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// One run of the action: from the runner's variables to the exit code.
pub async fn run(process: &Process) -> u8 {
    for secret in secrets_to_mask(&process.variables) {
        process.reporter.mask(secret.expose());
    }
    let mut record = Record::default();
    let result = tokio::select! {
        result = carry_out(process, &mut record) => result,
        // The build hears of it itself and ends in order; everything else just ends.
        stop = patience_after_stop(process) => Err(RunError::Stopped(stop)),
    };
    let result = match (result, *process.stop.borrow()) {
        (Err(_), Some(stop)) => Err(RunError::Stopped(stop)),
        (result, _) => result,
    };
    report::finish(process, &record, &result);
    result.map_or_else(|error| error.exit_code(), |()| 0)
}

/// Time for the solve to be cancelled and helpers to be removed; the runner waits 7.5 s.
async fn patience_after_stop(process: &Process) -> Stop {
    let stop = process.stopped().await;
    process.reporter.info(&format!("{stop}: cancelling"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    stop
}

async fn carry_out(process: &Process, record: &mut Record) -> Result<(), RunError> {
    let started = tokio::time::Instant::now();
    let context = read_context(process)?;
    record.context = Some(context.clone());
    let config = read_config(process, &context)?;
    record.config = Some(config.clone());
    let address = Address::from_docker_host(process.variables.get("DOCKER_HOST").map_or("", String::as_str))?;
    let facts = tokio::select! {
        facts = gather::gather(&config, &context, &address) => facts?,
        stop = process.stopped() => return Err(RunError::Stopped(stop)),
    };
    let metadata = match metadata::derive(&context, &facts.checkout, (&config).into(), facts.head.as_ref())? {
        Outcome::NothingToDo(why) => {
            record.nothing = Some(why);
            return Ok(());
        }
        Outcome::Build(metadata) => metadata,
    };
    let daemon = facts.daemon?;
    let plan = plan::plan_run(&config, &context, &daemon.facts, &metadata)?;
    let violations = plan::check::violations(&plan, &config);
    if !violations.is_empty() {
        return Err(RunError::Contradiction(violations));
    }
    process.reporter.phase("facts and plan", started.elapsed());
    show(process, &plan);
    record.plan = Some(plan.clone());
    if config.dry_run {
        record.dry_run = true;
        return Ok(());
    }
    let way = build::build_and_reach(process, &config, &context, &daemon, &plan, record).await;
    daemon.connection.close().await;
    let Some(way) = way? else { return Ok(()) };
    let published = publish::publish(process, &config, &plan, &way, record).await;
    way.close();
    published
}

fn read_context(process: &Process) -> Result<RunnerContext, RunError> {
    let payload = event_file::read(&process.variables)?;
    Ok(RunnerContext::read(&process.variables, &payload)?)
}

fn read_config(process: &Process, context: &RunnerContext) -> Result<Config, RunError> {
    let raw = RawInputs::read(&process.variables);
    let (config, notices) = Config::resolve(raw, context).map_err(RunError::Inputs)?;
    for notice in notices {
        match notice.level {
            Level::Debug => process.reporter.debug(&notice.message),
            Level::Notice => process.reporter.notice(&notice.message),
            Level::Warning => process.reporter.warn(&notice.message),
        }
    }
    Ok(config)
}

fn show(process: &Process, plan: &RunPlan) {
    let verb = if matches!(plan.push, PushPlan::Push { .. }) { "Push" } else { "Build" };
    process.reporter.group(&format!("{verb} {}", plan.repository), &plan::display::render(plan));
    for warning in &plan.warnings {
        process.reporter.warn(warning);
    }
}
