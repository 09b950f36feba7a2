//! The build as a Mermaid Gantt chart, which GitHub draws in summaries.
//!
//! Only steps that took a visible part of the time have a bar; there are at most [`MAX_BARS`], the longest, below one for the
//! whole. Times are milliseconds since the build began (`dateFormat x`), the axis shows seconds whatever the reader's time zone
//! is.
//! Every label is reduced to harmless characters, and a task's line begins with its number, so that none
//! can be read as a keyword (`click`, `section`).

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::sort_by_key;
use crate::runner::markdown::{block, label};
use crate::runner::units;

/// One step of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepRow {
    /// As in the log, `#7`.
    pub number: usize,
    /// `[linux/amd64 2/4] RUN make`.
    pub name: String,
    /// Since the build's first step began.
    pub start: Duration,
    /// Time of work.
    pub time: Duration,
    /// Taken from the cache.
    pub cached: bool,
    /// How it ended, if not well.
    pub failed: bool,
}

/// Pixels for `linux/arm64/v8`.
const LEFT: u32 = 110;
/// More bars than this cannot be read.
const MAX_BARS: usize = 30;

/// How long the build took, from its first step's begin to its last step's end.
pub(super) fn length(steps: &[StepRow]) -> Duration {
    steps.iter().map(|step| step.start + step.time).max().unwrap_or_default()
}

/// The chart with an empty line after it; nothing when every step came from the cache or took no time.
pub(super) fn render(steps: &[StepRow]) -> String {
    let whole = length(steps);
    let visible = (whole / 200).max(Duration::from_millis(10));
    let mut bars: Vec<&StepRow> = steps.iter().filter(|step| !step.cached && step.time >= visible).collect();
    sort_by_key(&mut bars, |step| std::cmp::Reverse(step.time));
    bars.truncate(MAX_BARS);
    sort_by_key(&mut bars, |step| (step.start, step.number));
    if bars.is_empty() {
        return String::new();
    }
    let mut sections: Vec<&str> = Vec::new();
    for bar in &bars {
        let section = section(&bar.name);
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    // Parts of a second only where the whole is short.
    let axis = if whole < Duration::from_secs(5) { "%s.%L s" } else { "%s s" };
    let mut chart = format!("%%{{init: {{\"gantt\": {{\"leftPadding\": {LEFT}}}}}}}%%\n");
    let _ = writeln!(chart, "gantt\n  dateFormat x\n  axisFormat {axis}");
    if bars.len() < steps.len() {
        let _ = writeln!(chart, "  title The {} longest of {} steps", bars.len(), steps.len());
    }
    // It begins where the build began, whatever took no time worth a bar.
    let _ = writeln!(
        chart,
        "  section all\n    {} :active, all, 0, {}ms",
        units::seconds(whole),
        whole.as_millis()
    );
    for name in sections {
        let _ = writeln!(chart, "  section {}", label(name, 30));
        for bar in bars.iter().filter(|bar| section(&bar.name) == name) {
            let text = label(bar.name.split_once("] ").map_or(bar.name.as_str(), |(_, after)| after), 40);
            let tag = if bar.failed { "crit, " } else { "" };
            let (number, start, time) = (bar.number, bar.start.as_millis(), bar.time.as_millis());
            let _ = writeln!(chart, "    {number} {text} :{tag}s{number}, {start}, {time}ms");
        }
    }
    block("mermaid", chart.lines()) + "\n"
}

/// The platform in `[linux/amd64 2/4] RUN make`; `build` for all else.
fn section(name: &str) -> &str {
    let inside = name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside);
    let first = inside.and_then(|inside| inside.split(' ').next()).unwrap_or_default();
    let platform = first.contains('/') && first.starts_with(|c: char| c.is_ascii_lowercase());
    if platform { first } else { "build" }
}
