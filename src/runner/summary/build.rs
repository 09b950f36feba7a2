//! How the result came about: time, cache, steps. Folded, but for a chart of a long build.

use std::time::Duration;

use super::gantt::{self, StepRow};
use super::headline::of_steps;
use super::input::{CacheSummary, Outcome, Phase, SummaryInput};
use super::tables::table;
use crate::runner::markdown::{code, escape};
use crate::runner::units;

/// A build of this length has its chart where everybody sees it.
const LONG: Duration = Duration::from_secs(30);

pub(super) fn render(input: &SummaryInput) -> String {
    let chart = gantt::render(&input.steps);
    let is_long = gantt::length(&input.steps) >= LONG;
    let mut folded = phases(&input.phases) + &cache(&input.cache);
    if !is_long {
        folded.push_str(&chart);
    }
    folded.push_str(&steps(&input.steps));
    // What stopped a run is no matter of the cache.
    let stopped = matches!(input.outcome, Outcome::Failed(..) | Outcome::Cancelled(_));
    let mut page = if stopped { String::new() } else { miss(&input.cache) };
    if is_long {
        page.push_str(&chart);
    }
    if folded.is_empty() {
        return page;
    }
    let title = match input.steps.len() {
        0 => "Time".to_owned(),
        1 => "Time, cache and 1 step".to_owned(),
        count => format!("Time, cache and {count} steps"),
    };
    page + &format!("<details>\n<summary>{title}</summary>\n\n{folded}</details>\n\n")
}

fn phases(phases: &[Phase]) -> String {
    line("Time", phases.iter().map(|phase| format!("{} {}", phase.name, units::seconds(phase.time))))
}

fn cache(cache: &CacheSummary) -> String {
    let steps = cache.steps.map(|(cached, all)| format!("{} from the cache", of_steps(cached, all)));
    line("Cache", steps.into_iter().chain(cache.parts.iter().cloned()))
}

/// `**Time** facts 0.4 s · build 1 m 05 s`
fn line(title: &str, parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.map(|part| escape(&part)).collect();
    if parts.is_empty() { String::new() } else { format!("**{title}** {}\n\n", parts.join(" · ")) }
}

fn miss(cache: &CacheSummary) -> String {
    let Some((step, why)) = &cache.miss else { return String::new() };
    format!("**First step that was not cached** {}: {}\n\n", code(step), escape(why))
}

fn steps(steps: &[StepRow]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    table(&["#:", "Step", "Time:"], steps, |step| {
        let time = match (step.failed, step.cached) {
            (true, _) => format!("failed after {}", units::seconds(step.time)),
            (false, true) => "cached".to_owned(),
            (false, false) => units::seconds(step.time),
        };
        vec![step.number.to_string(), code(&step.name), time]
    })
}
