//! One solve on one node, with its log and somebody who watches it.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::buildkit::{self, BuildError, BuildIds, BuildOutcome, Connection, Provisions};
use crate::plan::build::BuildPlan;
use crate::progress::display::Display;
use crate::progress::plain::Line;
use crate::progress::state::State;
use crate::runner::command::Command;

use crate::engine::run::Run;

/// One solve: of what, where, under which names.
pub(super) struct Solve<'a> {
    pub connection: &'a Connection,
    pub build: &'a BuildPlan,
    pub ids: &'a BuildIds,
    pub provisions: Provisions,
    /// It was done before: what there is to say about the Dockerfile was said.
    pub again: bool,
}

/// Runs the build and prints what it says; `watch` sees each new state.
pub(super) async fn follow(
    run: &Run<'_>,
    solve: Solve<'_>,
    log: &mut Display,
    mut watch: impl FnMut(&State),
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    let began = Instant::now();
    let (updates, mut incoming) = mpsc::channel(16);
    let Solve { connection, build, ids, provisions, again } = solve;
    let show = |mut lines: Vec<Line>| {
        lines.retain(|line| !again || !matches!(line, Line::Command(Command::Annotation(_))));
        run.process.reporter.lines(&lines);
    };
    let building = buildkit::build(connection, build, ids, provisions, updates, cancel);
    let mut building = Box::pin(building);
    let mut tick = tokio::time::interval(log.interval());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            Some(update) = incoming.recv() => {
                show(log.update(&update, began.elapsed()));
                watch(log.state());
            }
            _ = tick.tick() => show(log.tick(began.elapsed())),
            result = &mut building => break result,
        }
    };
    while let Ok(update) = incoming.try_recv() {
        show(log.update(&update, began.elapsed()));
    }
    show(log.finish(began.elapsed()));
    result
}
