//! The run: facts, plan, image, its verification, tags, exports, deployments, report, in this order and never back.
//!
//! [`execute`] is the whole of it. Each phase has a folder or a file of its own, which can be read alone: it is given the
//! [`Run`] and the values that those before it have handed on, and hands on one value. (What the local daemon can pull it does
//! while the tags are put; the image that the tags were on is read beside all this.) A new phase is one more line there
//! and one more folder. What the phases share stands beside them: `retry` sleeps, `registries` makes clients, `run` hears
//! the signal to stop, `background` owns work that was begun early, `rescue` ends a process that panicked. A run that makes
//! no image, but has the Dockerfile checked, is `lint`.
//!
//! Owns the effects and their order; decides nothing about *what* is done: that stands in the plan. What was done is
//! reported as it happens, so that a run that fails or is cancelled still tells it.

mod background;
mod container;
mod deploy;
mod emulation;
mod environment;
mod export;
mod gather;
mod history;
mod lint;
mod login;
mod obtain;
mod prepare;
mod preview;
mod process;
mod publish;
mod pulls;
mod registries;
mod report;
mod repository_view;
mod rescue;
mod retry;
mod run;
mod solving;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::buildkit::Address;
use crate::error::RunError;
use crate::inputs::config::{Config, Mode, Resolved};
use crate::inputs::fault::Level;
use crate::inputs::mask::{self, secrets_to_mask};
use crate::inputs::raw::RawInputs;
use crate::model::Keyring;
use crate::plan;
use crate::runner::context::RunnerContext;
use crate::runner::event_file;

pub use prepare::{prepare, prepare_builder};
pub use process::Process;
pub use rescue::Rescue;
pub use verify::PROBE;

use gather::Gathered;
use registries::{Clients, Registries};
use report::Report;
use run::{Closing, Run};

/// One run of the action: from the runner's variables to the exit code.
pub async fn run(process: &Process) -> u8 {
    let began = tokio::time::Instant::now();
    for secret in secrets_to_mask(&process.variables) {
        process.reporter.mask(secret.expose());
    }
    let (report, closing) = (Arc::new(Report::default()), Closing::default());
    process.rescue.last_will({
        let (process, report) = (process.clone(), Arc::clone(&report));
        move |bug| end(&process, &report, &Err(RunError::Bug(bug)), began.elapsed())
    });
    let result = tokio::select! {
        result = begin(process, &report, &closing) => result,
        bug = process.rescue.panicked() => Err(RunError::Bug(bug)),
        // The build hears of it itself and ends in order; everything else just ends.
        stop = run::patience_after_stop(process) => Err(RunError::Stopped(stop)),
    };
    let result = match (result, process.stopping()) {
        (Err(_), Some(stop)) => Err(RunError::Stopped(stop)),
        (result, _) => result,
    };
    let code = end(process, &report, &result, began.elapsed());
    // It is reported.
    process.rescue.last_will(move |_| code.max(1));
    closing.join().await;
    code
}

/// Reports, and gives the exit code.
fn end(process: &Process, report: &Report, result: &Result<(), RunError>, time: Duration) -> u8 {
    report::finish(process, report, result, time);
    result.as_ref().map_or_else(RunError::exit_code, |()| 0)
}

/// Reads what the run is given.
async fn begin(process: &Process, report: &Report, closing: &Closing) -> Result<(), RunError> {
    let context = read_context(process)?;
    report.context(&context);
    let (asked, keyring) = read_inputs(process, &context)?;
    report.asked(&asked);
    let daemon = Address::from_docker_host(process.variables.get("DOCKER_HOST").map_or("", String::as_str))?;
    let protocols = asked.builder.protocols.clone();
    let registries = Registries::new(Clients::new(process.network(), keyring.clone(), protocols));
    let (asked, context, keyring) = (&asked, &context, &keyring);
    let (daemon, registries) = (&daemon, &registries);
    let run = Run { process, asked, context, keyring, daemon, registries, report, closing };
    match asked.mode {
        Mode::Check => Box::pin(lint::execute(&run)).await,
        _ => Box::pin(execute(&run)).await,
    }
}

/// The phases of a run that has an image made or tagged; those of a check are in `lint`.
async fn execute(run: &Run<'_>) -> Result<(), RunError> {
    let began = tokio::time::Instant::now();
    let Some(Gathered { facts, open, environments }) = gather::all(run).await? else { return Ok(()) };
    let plan = plan::plan(run.asked, run.context, &facts)?;
    run.process.reporter.phase("facts and plan", began.elapsed());
    run.report.planned(&plan);
    if run.asked.dry_run {
        return Box::pin(preview::foretell(run, &plan, environments)).await;
    }
    preview::print(run, &plan);
    export::remove_left(run, &plan.exports);
    let Some(mut image) = Box::pin(obtain::image(run, &plan, open)).await? else { return Ok(()) };
    Box::pin(verify::all(run, &plan, &image)).await?;
    let failed = std::mem::take(&mut image.failed);
    let publishing = Box::pin(publish::all(run, &plan, &image, failed));
    let loading = Box::pin(export::beside_tags(run, &plan.exports, &image));
    // Tags that could not be put end it; an image that could not be loaded has its tags all the same.
    let (published, loaded) = tokio::try_join!(publishing, loading.map(Ok))?;
    if !(plan.exports.is_empty() && plan.deploy.work.is_empty()) {
        // Whatever ends the run from here on, what was published is known.
        report::write_outputs(run.process, run.report, true);
    }
    loaded?;
    Box::pin(export::all(run, &plan.exports, image)).await?;
    Box::pin(deploy::all(run, &plan, &published, environments)).await
}

fn read_context(process: &Process) -> Result<RunnerContext, RunError> {
    let payload = event_file::read(&process.variables)?;
    Ok(RunnerContext::read(&process.variables, &payload)?)
}

fn read_inputs(process: &Process, context: &RunnerContext) -> Result<(Config, Keyring), RunError> {
    let raw = RawInputs::read(&process.variables);
    let Resolved { config, keyring, notices } = Config::resolve(raw, context).map_err(RunError::Inputs)?;
    // Contents of files, before anything can be printed that was made of them.
    for secret in mask::of_config(&config, &keyring, &process.variables) {
        process.reporter.mask(secret.expose());
    }
    for notice in notices {
        match notice.level {
            Level::Debug => process.reporter.debug(&notice.message),
            Level::Info => process.reporter.info(&notice.message),
            Level::Notice => process.reporter.notice(&notice.message),
            Level::Warning => process.reporter.warn(&notice.message),
        }
    }
    Ok((config, keyring))
}
