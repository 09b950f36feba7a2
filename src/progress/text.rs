//! The wording of progress: how steps, transfers, warnings and failures read.
//!
//! Takes what [`super::state`] cleaned; adds nothing that could be taken for a command.

use std::time::Duration;

use super::event::{SourceLocation, VertexWarning};
use super::excerpt::quote;
use super::label::{Naming, Short};
use super::node::is_internal;
use super::state::Step;
use super::step_line::{Mark, StepLine};
use crate::model::sort_by_key;
use crate::runner::command::{Annotation, Level};
use crate::runner::summary::StepRow;
use crate::runner::units;
use crate::runner::untrusted;

/// Inner parts of a step are named in its last line from this time on.
const NOTABLE: Duration = Duration::from_secs(1);
/// Bytes of the name of a step whose command is quoted beside it.
const NAME: usize = 80;
/// Bytes of a line of output in an annotation, and of all of them: GitHub keeps 4,096 characters of a message.
const LINE: usize = 300;
const OUTPUT: usize = 2_400;
/// What is in the name of a step that hands on the result.
const EXPORT: &str = "exporting to ";
/// A step that took less has moved nothing.
const INSTANT: Duration = Duration::from_millis(10);
/// Bytes from which a transfer is worth a word.
const NOTABLE_BYTES: u64 = 1_000_000;

/// `   3.4 s ✓ amd64 2/4  RUN make`, `   3.4 s ✗ amd64 2/4  RUN make: exit code 3`.
pub(super) fn result(naming: &Naming, step: &Step) -> StepLine {
    let line = |mark, note| line(naming, step, step.duration(), mark, note);
    if step.is_cancelled() {
        return line(Mark::Cancelled, " (cancelled)".to_owned());
    }
    if let Some(error) = &step.error {
        if let Some(code) = step.exit_code() {
            return line(Mark::Failed, format!(": exit code {code}"));
        }
        // What a registry said, those say who try again or give up.
        if step.name.contains(EXPORT) && error.contains("failed to push ") {
            return line(Mark::Failed, ": failed".to_owned());
        }
        let why = why(&step.name, error);
        return line(Mark::Failed, format!(": {}", why.lines().next().unwrap_or_default()));
    }
    if step.cached {
        return line(Mark::Cached, String::new());
    }
    let bytes = step.bytes().0;
    // What took no time was there: BuildKit counts the bytes of a base image that it has.
    let moved = if bytes >= NOTABLE_BYTES && step.duration() >= INSTANT {
        moved(bytes, None, None)
    } else {
        String::new()
    };
    let parts: Vec<String> = step
        .transfers
        .iter()
        .filter(|part| part.current == 0 && part.total == 0)
        .filter_map(|part| Some((part, part.duration().filter(|time| *time >= NOTABLE)?)))
        .take(4)
        .map(|(part, time)| format!("{} {}", units::short_digests(&part.name), units::seconds(time)))
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    line(Mark::Done, format!("{moved}{parts}"))
}

/// `  12.0 s … amd64 2/4  RUN make`, and what is to be said behind it.
pub(super) fn running(naming: &Naming, step: &Step, time: Duration, note: &str) -> StepLine {
    line(naming, step, time, Mark::Running, note.to_owned())
}

fn line(naming: &Naming, step: &Step, time: Duration, mark: Mark, note: String) -> StepLine {
    let Short { label, command } = naming.short(&step.name);
    StepLine { time, mark, label, label_width: naming.width(), command, note }
}

/// What `COPY` or `ADD` named by its path from the top, if a step failed because that is not there.
pub fn missing_source(error: &str) -> Option<&str> {
    let (_, after) = error.split_once("failed to calculate checksum of ref ")?;
    let path = after.strip_suffix(": not found")?.rsplit_once(": ")?.1;
    path.strip_prefix("\"/").and_then(|path| path.strip_suffix('"'))
}

/// What a step copies from, where that is not the build context: `build` in `COPY --from=build a b`.
pub fn copied_from(step: &str) -> Option<&str> {
    let (_, from) = step.split_once(" --from=")?;
    from.split_whitespace().next()
}

/// Why a step failed that no process of its own has ended: in BuildKit's words, but for what is known to be missing.
pub fn why(step: &str, error: &str) -> String {
    match missing_source(error) {
        Some(path) => {
            let place = copied_from(step).map_or("the build context".into(), |from| format!("`{from}`"));
            format!("`/{path}` is not in {place}")
        }
        None => error.to_owned(),
    }
}

/// The frontend's own steps that took no time worth a line.
pub(super) fn is_trivial(step: &Step) -> bool {
    is_internal(&step.name)
        && step.error.is_none()
        && step.duration() < NOTABLE
        && step.bytes().0 < NOTABLE_BYTES
}

/// Whether an export has ended only for now: newer BuildKits say so once before they push, and again when they have pushed.
pub(super) fn may_go_on(step: &Step) -> bool {
    step.name.contains(EXPORT) && step.error.is_none() && step.duration() < NOTABLE
}

/// `: 12.3 MB of 45.6 MB, 8.2 MB/s`: bytes, and bytes a second.
pub(super) fn moved(current: u64, total: Option<u64>, rate: Option<u64>) -> String {
    let of = total.map_or_else(String::new, |total| format!(" of {}", units::bytes(total)));
    let rate = rate.map_or_else(String::new, |rate| format!(", {}/s", units::bytes(rate)));
    format!(": {}{of}{rate}", units::bytes(current))
}

/// `  1 m 05 s … amd64 2/4  RUN make (still running)` for those that have run longest, with what they are at; and how many more
/// there are.
pub(super) fn still_running<'a>(
    naming: &Naming,
    steps: impl Iterator<Item = (&'a Step, Duration)>,
) -> (Vec<StepLine>, usize) {
    const SHOWN: usize = 3;
    let mut steps: Vec<_> = steps.collect();
    sort_by_key(&mut steps, |(_, time)| std::cmp::Reverse(*time));
    let more = steps.len().saturating_sub(SHOWN);
    let shown = steps.into_iter().take(SHOWN).map(|(step, time)| {
        let part = step.transfers.iter().rev().find(|part| part.began.is_some() && part.ended.is_none());
        let part = part.map_or_else(String::new, |part| format!(": {}", units::short_digests(&part.name)));
        running(naming, step, time, &format!("{part} (still running)"))
    });
    (shown.collect(), more)
}

/// Stands below as many lines about steps as there is room for.
pub(super) fn more(steps: usize) -> Option<String> {
    (steps > 0).then(|| format!("         … and {steps} more"))
}

/// A finding of the frontend beside the line of the Dockerfile that it is about.
pub fn annotation(warning: &VertexWarning, dockerfile: Option<&(String, String)>) -> Annotation {
    let (title, message) = match warning.short.split_once(": ") {
        Some((rule, message)) if rule.bytes().all(|b| b.is_ascii_alphanumeric()) => (Some(rule), message),
        _ => (None, warning.short.as_str()),
    };
    let mut message = message.to_owned();
    for line in warning.detail.iter().chain([&warning.url]).filter(|line| !line.is_empty()) {
        message.push('\n');
        message.push_str(line);
    }
    let (file, lines) = place(warning.location.as_ref(), dockerfile);
    Annotation { level: Level::Warning, message, title: title.map(Into::into), file, lines }
}

/// A failed step as an error beside the line that it comes from: what failed, where, why, its last lines, what to change.
pub fn failure(
    step: &Step,
    location: Option<&SourceLocation>,
    dockerfile: Option<&(String, String)>,
    hint: Option<&str>,
) -> Annotation {
    let why = step.exit_code().map_or_else(
        || format!("failed: {}", why(&step.name, step.error.as_deref().unwrap_or("no reason given"))),
        |code| format!("failed with exit code {code}"),
    );
    let (file, lines) = place(location, dockerfile);
    let mut annotation = Annotation { level: Level::Error, message: String::new(), title: None, file, lines };
    // In the log a person sees the message only.
    let place = annotation.place().map_or_else(String::new, |place| format!(" (`{place}`)"));
    let quoted = location.map(quote).unwrap_or_default();
    // The command is quoted whole.
    let most = if quoted.is_empty() { step.name.len() } else { NAME };
    let mut message = format!("`{}` {why}{place}", untrusted::cut(&step.name, most));
    for line in quoted {
        message.extend(["\n", &line]);
    }
    let output = output(step);
    if !output.is_empty() {
        message.push_str("\nits output ends:");
    }
    for line in output {
        message.extend(["\n  ", &line]);
    }
    if let Some(hint) = hint {
        message.extend(["\nhint: ", hint]);
    }
    annotation.message = message;
    annotation
}

/// The last lines that a step wrote, as many as an annotation has room for.
fn output(step: &Step) -> Vec<String> {
    let mut room = OUTPUT;
    let lines = step.tail.lines();
    let cut = lines.iter().rev().map(|line| untrusted::cut(line, LINE));
    let fits = |line: &String| {
        room = room.saturating_sub(line.len() + 3);
        room > 0
    };
    let mut shown: Vec<String> = cut.take_while(fits).collect();
    shown.reverse();
    shown
}

/// The place in the workspace. A file that is not the Dockerfile that was given (a frontend's own, a remote
/// one) has none: the annotation would point into a file that happens to have the same name.
pub fn place(
    location: Option<&SourceLocation>,
    dockerfile: Option<&(String, String)>,
) -> (Option<String>, Option<(u32, u32)>) {
    let (Some(location), Some((name, path))) = (location, dockerfile) else { return (None, None) };
    if location.file != *name && location.file != *path && !location.file.is_empty() {
        return (None, None);
    }
    let lines = (location.line > 0).then_some((location.line, location.end_line.max(location.line)));
    (Some(untrusted::plain(path)), lines)
}

/// The steps that ran, for the summary: by number, times from the first start.
pub fn step_rows(steps: &[Step]) -> Vec<StepRow> {
    let first = steps.iter().filter_map(|step| step.began).min().unwrap_or_default();
    let mut rows: Vec<StepRow> = steps
        .iter()
        .filter(|step| step.number > 0)
        .map(|step| StepRow {
            number: step.number,
            name: step.name.clone(),
            start: step.began.unwrap_or(first).saturating_sub(first),
            time: step.duration(),
            cached: step.cached,
            failed: step.is_failed(),
        })
        .collect();
    sort_by_key(&mut rows, |row| row.number);
    rows
}

#[cfg(test)]
mod tests {
    use super::super::event::{StatusUpdate, Vertex};
    use super::super::state::State;
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_words() {
        let error =
            "failed to compute cache key: failed to calculate checksum of ref a::b: \"/x y\": not found";
        assert_eq!(why("[2/2] COPY x /", error), "`/x y` is not in the build context");
        assert_eq!(why("[2/2] COPY --from=build /x /", error), "`/x y` is not in `build`");
        assert_eq!(why("[2/2] COPY x /", "no space left"), "no space left");
        assert_eq!(missing_source("checksum of ref a: \"/x\": not found"), None);
    }

    #[test]
    fn summary_rows_come_from_the_fold() {
        let vertex = |digest: &str, started: Option<u64>| Vertex {
            digest: digest.into(),
            name: digest.into(),
            started: started.map(Duration::from_secs),
            completed: started.map(|at| Duration::from_secs(at + 3)),
            ..Vertex::default()
        };
        let mut state = State::default();
        let vertexes = vec![vertex("b", Some(100)), vertex("never", None), vertex("a", Some(95))];
        state.apply(&StatusUpdate { vertexes, ..StatusUpdate::default() });
        let rows = step_rows(state.steps());
        let read: Vec<_> = rows
            .iter()
            .map(|row| (row.number, row.name.as_str(), row.start.as_secs(), row.time.as_secs()))
            .collect();
        assert_eq!(read, [(1, "b", 5, 3), (2, "a", 0, 3)]);
    }
}
