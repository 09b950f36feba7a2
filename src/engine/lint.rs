//! A run that has the Dockerfile checked and makes no image: facts, plan, findings, report.
//!
//! The frontend decides what a finding is, and the plan what fails the run. What it finds is shown as what a build finds. A
//! daemon whose frontend is too old is found out by asking it, as a `# syntax=` line may bring another one; who is asked then
//! stands in the plan.

use std::pin::pin;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::gather::{self, Builders, Gathered, Open};
use super::obtain::{Builder, Node};
use super::preview;
use super::run::Run;
use super::solving::{log, provisions, refused};
use crate::buildkit::{self, BuildError, BuildIds, Linted};
use crate::error::RunError;
use crate::inputs::config::CheckLevel;
use crate::plan::{LintPlan, plan_lint};
use crate::progress::display::Display;
use crate::progress::event::StatusUpdate;

/// The phases of the run.
pub(super) async fn execute(run: &Run<'_>) -> Result<(), RunError> {
    let began = Instant::now();
    let Some(Gathered { facts, open, .. }) = gather::all(run).await? else { return Ok(()) };
    let plan = plan_lint(run.asked, run.context, &facts)?;
    run.process.reporter.phase("facts and plan", began.elapsed());
    run.report.lint_planned(&plan);
    preview::print_lint(run, &plan);
    if run.asked.dry_run {
        run.report.dry_run();
        return Ok(());
    }
    let found = Box::pin(dockerfile(run, &plan, open)).await?;
    judge(run, &plan, found)
}

/// What was found.
struct Found {
    /// How many findings there are.
    findings: usize,
    /// Why it could not be built, if it could not.
    failure: Option<BuildError>,
}

/// Has it checked, and tells what is found.
async fn dockerfile(run: &Run<'_>, plan: &LintPlan, open: Open) -> Result<Found, RunError> {
    let Open { builders, prestart, .. } = open;
    let opening = Builder::open(run, &plan.builder, builders, Some(prestart));
    let builder = Box::pin(run.until_stopped(opening)).await?;
    match (by(run, plan, builder).await, &plan.otherwise) {
        (Err(RunError::Build(error)), Some(otherwise)) if error.lacks_checks() => {
            run.process.reporter.info(&format!("{error}; it is checked by {}", otherwise.name));
            let opening = Builder::open(run, otherwise, Builders::none(), None);
            let builder = Box::pin(run.until_stopped(opening)).await?;
            by(run, plan, builder).await
        }
        (found, _) => found,
    }
}

/// Has it checked by this builder, which is closed then.
async fn by(run: &Run<'_>, plan: &LintPlan, builder: Builder) -> Result<Found, RunError> {
    let began = Instant::now();
    let mut log = log(run, &plan.build);
    let asking = Box::pin(ask(run, plan, &builder.nodes, &mut log));
    let (found, ()) = tokio::join!(asking, builder.reap());
    run.process.reporter.phase("check", began.elapsed());
    let found = match (found, run.process.stopping()) {
        (Err(BuildError::Cancelled), Some(stop)) => Err(RunError::Stopped(stop)),
        (Err(error), _) => Err(builder.explain(in_workspace(plan, error).into()).await),
        (Ok(found), _) => Ok(found),
    };
    run.closing.begin(builder.close());
    let Linted { failure, .. } = found?;
    let state = log.into_state();
    let findings = state.warnings().len();
    run.report.linted(state);
    Ok(Found { findings, failure: failure.map(|error| in_workspace(plan, error)) })
}

/// Asks, and shows what is said meanwhile and found.
async fn ask(
    run: &Run<'_>,
    plan: &LintPlan,
    nodes: &[Node],
    log: &mut Display,
) -> Result<Linted, BuildError> {
    let Some(node) = nodes.first() else { return Err(BuildError::Nonsense("there is no builder".into())) };
    let (began, reporter) = (Instant::now(), &run.process.reporter);
    let (updates, mut incoming) = mpsc::channel::<StatusUpdate>(16);
    let (cancel, mut cancelled) = watch::channel(false);
    // Whoever cancels lives longer than this.
    let cancelled = async { drop(cancelled.wait_for(|cancelled| *cancelled).await) };
    let ids = BuildIds::from_random((run.process.random)());
    let provisions = provisions(run, &plan.build);
    let linting = buildkit::lint(&node.connection, &plan.build, &ids, provisions, updates, cancelled);
    let showing = async {
        let mut linting = pin!(linting);
        let mut tick = tokio::time::interval(log.interval());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let found = loop {
            tokio::select! {
                Some(update) = incoming.recv() => reporter.lines(&log.update(&update, began.elapsed())),
                _ = tick.tick() => reporter.lines(&log.tick(began.elapsed())),
                found = &mut linting => break found,
            }
        };
        while let Ok(update) = incoming.try_recv() {
            reporter.lines(&log.update(&update, began.elapsed()));
        }
        if let Ok(Linted { warnings, .. }) = &found {
            let warnings = warnings.clone();
            let findings = StatusUpdate { warnings, ..StatusUpdate::default() };
            reporter.lines(&log.update(&findings, began.elapsed()));
        }
        reporter.lines(&log.finish(began.elapsed()));
        found
    };
    run.in_order(Box::pin(showing), || _ = cancel.send_replace(true)).await
}

fn in_workspace(plan: &LintPlan, error: BuildError) -> BuildError {
    match &plan.build.dockerfile_place {
        Some(place) => error.in_workspace(&plan.build.dockerfile.file_name, place),
        None => error,
    }
}

/// Whether what was found fails the run, as the plan says.
fn judge(run: &Run<'_>, plan: &LintPlan, found: Found) -> Result<(), RunError> {
    let Found { findings, failure } = found;
    match (failure.map(|error| refused(run, error)), plan.level) {
        (Some(failure), CheckLevel::Error | CheckLevel::Warning) => Err(failure),
        (None, CheckLevel::Warning) if findings > 0 => {
            Err(RunError::Findings { dockerfile: plan.dockerfile().to_owned(), count: findings })
        }
        (Some(failure), CheckLevel::None) => {
            run.report.tolerated(failure);
            Ok(())
        }
        (None, _) => Ok(()),
    }
}
