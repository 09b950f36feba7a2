//! The cache is written when the image is out: every node solves its build again, with caches and nothing else to
//! export. Whatever happens here, the image stays as it is; the worst that comes of it is a warning.
//!
//! The second solve finds everything done: it has the first one's attributes without those that ask for work
//! (`no_cache`, `pull`), and of the context only what changed is sent. Should a program begin to run all the same, the
//! solve ends, and is tried again: BuildKit does not find all that it has in every solve. If it goes on (a base image
//! moved, a file changed, the daemon dropped a layer), the export ends: a cache is not worth a second build, whose result
//! would not be what was published.

use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::follow::{Solve, follow};
use super::held::{Held, held};
use crate::buildkit::{BuildError, BuildIds};
use crate::engine::obtain::{Node, Workshop};
use crate::engine::report::Written;
use crate::engine::run::Run;
use crate::engine::solving::{log, provisions};
use crate::error::RunError;
use crate::model::{CacheEntry, chain};
use crate::plan::build::BuildPlan;
use crate::plan::cache::place;
use crate::plan::export::CacheExport;
use crate::progress::cache::{Exported, explained, exports, running_again};
use crate::progress::plain::Line;
use crate::progress::state::State;
use crate::runner::command::Command;
use crate::runner::units;

/// How often a solve that would run a step is tried again, within the time that the plan grants.
const MISSES: u32 = 8;
/// Before the first of these, and twice as long before each further one: what BuildKit does not find may still be held by a solve
/// that has not let go of it.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// Writes the caches that the plan names. Ends early, with an error, only when the run was asked to stop.
pub(super) async fn write(
    run: &Run<'_>,
    plan: &CacheExport,
    workshop: &Workshop<'_>,
) -> Result<(), RunError> {
    if workshop.solved.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let reporter = &run.process.reporter;
    let places: Vec<String> = plan.to.iter().map(place).collect();
    let title = Command::Group(format!("Write the cache to {}", places.join(", ")));
    reporter.lines(&[Line::Command(title)]);
    let (cancel, _) = watch::channel(false);
    let deadline = started + plan.timeout;
    let nodes = workshop.nodes().iter().zip(&workshop.solved).zip(&plan.each);
    let writing = nodes.map(|((node, solved), to)| {
        let build = solved.clone().for_cache(to.clone());
        write_one(run, plan, node, build, deadline, cancel.subscribe())
    });
    let writing = futures_util::future::join_all(writing);
    let written: Vec<Written> = run
        .in_order(writing, || {
            cancel.send_replace(true);
        })
        .await
        .into_iter()
        .flatten()
        .collect();
    reporter.lines(&[Line::Command(Command::EndGroup)]);
    reporter.phase("cache", started.elapsed());
    for written in &written {
        say(run, written);
    }
    run.report.cache_written(written);
    match run.process.stopping() {
        Some(stop) => Err(RunError::Stopped(stop)),
        None => Ok(()),
    }
}

/// One node's part.
async fn write_one(
    run: &Run<'_>,
    plan: &CacheExport,
    node: &Node,
    build: BuildPlan,
    deadline: Instant,
    mut cancelled: watch::Receiver<bool>,
) -> Vec<Written> {
    let began = Instant::now();
    let held = futures_util::future::join_all(build.cache_to.iter().map(|entry| held(run, entry))).await;
    let mut misses = 0;
    loop {
        let Tried { state, missed, why } = attempt(run, plan, node, &build, deadline, &mut cancelled).await;
        if let Some(step) = &missed
            && misses < MISSES
        {
            run.process
                .reporter
                .info(&format!("`{step}` would have to run again: stopped, and tried once more"));
            let pause = LONGEST_PAUSE.min(PAUSE * 2_u32.pow(misses));
            misses += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => continue,
                _ = cancelled.wait_for(|cancelled| *cancelled) => {}
            }
        }
        return ends(&build.cache_to, &held, &exports(&state), why.as_deref(), began.elapsed());
    }
}

/// How one solve for the cache ended.
struct Tried {
    state: State,
    /// The step for which it was stopped, if it was.
    missed: Option<String>,
    /// Why it did not end well.
    why: Option<String>,
}

/// One solve for the cache, which is stopped before it runs a program.
async fn attempt(
    run: &Run<'_>,
    plan: &CacheExport,
    node: &Node,
    build: &BuildPlan,
    deadline: Instant,
    cancelled: &mut watch::Receiver<bool>,
) -> Tried {
    let ids = BuildIds::from_random((run.process.random)());
    let mut log = log(run, build);
    let works = Notify::new();
    let mut again = None;
    let watch = |state: &State| {
        if again.is_none()
            && let Some(step) = running_again(state)
        {
            again = Some(step.name.clone());
            works.notify_one();
        }
    };
    let cancel = async {
        tokio::select! {
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = works.notified() => {}
        }
    };
    let solve = Solve {
        connection: &node.connection,
        build,
        ids: &ids,
        provisions: provisions(run, build),
        again: true,
    };
    let result = follow(run, solve, &mut log, watch, cancel).await;
    let state = log.into_state();
    let missed = again.clone().filter(|_| matches!(result, Err(BuildError::Cancelled)));
    let why = match result {
        Ok(_) => None,
        Err(BuildError::Cancelled) => Some(match (&again, run.process.stopping()) {
            (Some(step), _) => format!("`{step}` would have had to run again"),
            (None, Some(stop)) => format!("cancelled by {stop}"),
            (None, None) => format!("not done within `cache_timeout` ({})", units::seconds(plan.timeout)),
        }),
        Err(error) => Some(chain(&error)),
    };
    // Neither who stops the run nor the end of the time waits for another attempt.
    let over = *cancelled.borrow() || run.process.stopping().is_some() || Instant::now() >= deadline;
    Tried { state, missed: missed.filter(|_| !over), why }
}

/// How each cache's export ended. `why` is what ended the whole solve, if it did not end well: what had not ended
/// before it failed by that.
fn ends(
    to: &[CacheEntry],
    held: &[Held],
    found: &[Exported],
    why: Option<&str>,
    whole: Duration,
) -> Vec<Written> {
    let end = |place: String, held: Option<&Held>, exported: Option<&Exported>| {
        let own = exported.and_then(|exported| exported.error.as_deref());
        let own = own.filter(|own| !own.ends_with("context canceled"));
        let unfinished = exported.is_none_or(|exported| exported.error.is_some() || exported.time.is_zero());
        let named = exported.map_or(&[][..], |exported| &exported.layers);
        Written {
            place,
            time: exported.map_or(whole, |exported| exported.time),
            new_layers: held.and_then(|held| held.new_layers(named)),
            error: own.or(why.filter(|_| unfinished)).map(explained),
        }
    };
    match to {
        [only] => vec![end(place(only), held.first(), found.first())],
        // Which of them is which is not known, but for what they have in common.
        several if found.len() == several.len() => {
            let common = held.first().filter(|_| held.iter().all(|held| matches!(held, Held::New)));
            found.iter().map(|exported| end(exported.name.clone(), common, Some(exported))).collect()
        }
        several => several.iter().map(|entry| end(place(entry), None, None)).collect(),
    }
}

fn say(run: &Run<'_>, written: &Written) {
    let reporter = &run.process.reporter;
    let Written { place, time, new_layers, error } = written;
    match error {
        None => {
            let new = match new_layers {
                None => String::new(),
                Some(0) => " (nothing new)".to_owned(),
                Some(1) => " (1 new layer)".to_owned(),
                Some(layers) => format!(" ({layers} new layers)"),
            };
            reporter.info(&format!("cache written to {place} in {}{new}", units::seconds(*time)));
        }
        Some(why) => {
            reporter.warn(&format!("the cache was not written to {place}: {why}; the image is not affected"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(kinds: &[&str]) -> Vec<CacheEntry> {
        kinds.iter().map(|kind| CacheEntry { kind: (*kind).to_owned(), attrs: [].into() }).collect()
    }

    fn exported(name: &str, millis: u64, error: Option<&str>) -> Exported {
        let time = Duration::from_millis(millis);
        Exported { name: name.into(), time, layers: Vec::new(), error: error.map(Into::into) }
    }

    #[test]
    fn how_exports_end() {
        let whole = Duration::from_secs(9);
        let end = |kinds: &[&str], found: &[Exported], why: Option<&str>| -> Vec<String> {
            let ends = ends(&places(kinds), &[], found, why, whole);
            ends.iter().map(|end| format!("{} {:?} {:?}", end.place, end.time, end.error)).collect()
        };
        let gha = "GitHub's cache, scope `buildkit`";
        for (kinds, found, why, expected) in [
            (
                &["gha"][..],
                vec![exported("exporting to GitHub Actions Cache", 300, None)],
                None,
                vec![format!("{gha} 300ms None")],
            ),
            (
                &["gha"],
                vec![exported("x", 300, Some("error writing layer blob: permission_denied"))],
                None,
                vec![format!(
                    "{gha} 300ms Some(\"it may not be written with this login (error writing layer blob: permission_denied)\")"
                )],
            ),
            // Our own limit, not the daemon's words for it.
            (
                &["gha"],
                vec![exported("x", 8000, Some("error writing layer blob: context canceled"))],
                Some("not done within"),
                vec![format!("{gha} 8s Some(\"not done within\")")],
            ),
            // The daemon's words say why it took so long.
            (
                &["gha"],
                vec![exported("x", 8000, Some("context canceled: resource_exhausted"))],
                Some("not done within"),
                vec![format!(
                    "{gha} 8s Some(\"too many requests at this time (context canceled: resource_exhausted)\")"
                )],
            ),
            (&["gha"], vec![], Some("disconnected"), vec![format!("{gha} 9s Some(\"disconnected\")")]),
            (
                &["gha", "s3"],
                vec![exported("a", 100, None), exported("b", 200, Some("no bucket"))],
                None,
                vec!["a 100ms None".into(), "b 200ms Some(\"no bucket\")".into()],
            ),
            (
                &["gha", "s3"],
                vec![],
                Some("gone"),
                vec![format!("{gha} 9s Some(\"gone\")"), "s3 9s Some(\"gone\")".into()],
            ),
        ] {
            assert_eq!(end(kinds, &found, why), expected);
        }
    }
}
