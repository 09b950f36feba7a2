//! A line about one step: how long it took, how it went, which step it is, what it does.
//!
//! ```text
//!    1.2 s ✓ build 2/5    COPY package.json .
//!   cached ✓ build 3/5    RUN npm ci
//!   12.3 s … stage-1 2/3  FROM node:22: 45.0 MB of 120.4 MB, 8.2 MB/s
//!    3.4 s ✗ build 4/5    RUN npm test: exit code 1
//! ```
//!
//! The time comes first, in a column of its own, as it is what a reader looks for; then the mark, which is in colour where that is
//! shown. The command is what gives way where a line is too long, so that an exit code or a size stays readable.

use std::time::Duration;

use super::width::{columns, cut};
use crate::runner::units;

/// Columns of a line in a log: GitHub's page shows some 140 on a laptop, beside line numbers.
pub(super) const LOG: usize = 100;
/// Columns of the time: `59.9 s`, `1 m 05 s`.
const TIME: usize = 8;
/// Columns that a command keeps, whatever is to be said beside it.
const COMMAND: usize = 16;

/// How a step is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It ended well.
    Done,
    /// Nothing had to be done.
    Cached,
    /// It failed.
    Failed,
    /// It was not let end.
    Cancelled,
    /// It runs.
    Running,
}

impl Mark {
    fn symbol(self) -> &'static str {
        match self {
            Self::Done | Self::Cached => "✓",
            Self::Failed => "✗",
            Self::Cancelled => "-",
            Self::Running => "…",
        }
    }
}

/// A line about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    /// How long the step took, or has taken; not shown of one from the cache.
    pub time: Duration,
    /// How it is doing.
    pub mark: Mark,
    /// Its place in the Dockerfile, `build 2/5`; may be empty.
    pub label: String,
    /// Columns in which labels stand in this build.
    pub label_width: usize,
    /// What it does, on one line.
    pub command: String,
    /// What else there is to say, with what separates it from the command: `: exit code 1`.
    pub note: String,
}

impl StepLine {
    /// The same with other texts: without secrets.
    #[must_use]
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self {
            label: change(&self.label),
            command: change(&self.command),
            note: change(&self.note),
            ..self.clone()
        }
    }

    /// The line, in this many columns if possible: what failed says why, however long that is.
    pub(super) fn text(&self, most: usize, colours: bool) -> String {
        let (time, mark, rest) = self.parts(most);
        self.dressed(&time, mark, &rest, colours)
    }

    /// The line in this many columns, whatever that costs.
    pub(super) fn cut(&self, most: usize, colours: bool) -> String {
        let (time, mark, rest) = self.parts(most);
        let head = columns(&time) + columns(mark) + 2;
        self.dressed(&time, mark, &cut(&rest, most.saturating_sub(head)), colours)
    }

    fn dressed(&self, time: &str, mark: &str, rest: &str, colours: bool) -> String {
        let text = match (colours, self.mark) {
            (false, _) => format!("{time} {mark} {rest}"),
            (true, Mark::Done) => format!("{time} \u{1b}[32m{mark}\u{1b}[0m {rest}"),
            (true, Mark::Failed) => format!("{time} \u{1b}[31m{mark}\u{1b}[0m {rest}"),
            (true, Mark::Cached | Mark::Cancelled | Mark::Running) => {
                format!("\u{1b}[90m{time} {mark} {rest}\u{1b}[0m")
            }
        };
        text.trim_end().to_owned()
    }

    /// The time, the mark and what stands behind them.
    fn parts(&self, most: usize) -> (String, &'static str, String) {
        let time = if self.mark == Mark::Cached { "cached".to_owned() } else { units::seconds(self.time) };
        let time = format!("{time:>TIME$}");
        let mark = self.mark.symbol();
        let label = if self.label.is_empty() {
            String::new()
        } else {
            let blanks = self.label_width.saturating_sub(columns(&self.label));
            format!("{}{}  ", self.label, " ".repeat(blanks))
        };
        let taken = columns(&time) + columns(mark) + 2 + columns(&label) + columns(&self.note);
        let command = cut(&self.command, most.saturating_sub(taken).max(COMMAND));
        (time, mark, format!("{label}{command}{}", self.note))
    }
}

/// What stands before a line of a step's output: the step's time, and its place where other steps may have a word between.
pub(super) fn output_prefix(at: Duration, label: Option<(&str, usize)>) -> String {
    let time = units::seconds(at);
    match label {
        Some((label, width)) if !label.is_empty() => format!("{time:>TIME$} │ {label:width$}  "),
        _ => format!("{time:>TIME$} │ "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mark: Mark, command: &str, note: &str) -> StepLine {
        StepLine {
            time: Duration::from_millis(3400),
            mark,
            label: "build 2/5".into(),
            label_width: 11,
            command: command.into(),
            note: note.into(),
        }
    }

    #[test]
    fn lines() {
        for (mark, note, plain, coloured) in [
            (
                Mark::Done,
                "",
                "   3.4 s ✓ build 2/5    RUN a",
                "   3.4 s \u{1b}[32m✓\u{1b}[0m build 2/5    RUN a",
            ),
            (
                Mark::Cached,
                "",
                "  cached ✓ build 2/5    RUN a",
                "\u{1b}[90m  cached ✓ build 2/5    RUN a\u{1b}[0m",
            ),
            (
                Mark::Failed,
                ": exit code 1",
                "   3.4 s ✗ build 2/5    RUN a: exit code 1",
                "   3.4 s \u{1b}[31m✗\u{1b}[0m build 2/5    RUN a: exit code 1",
            ),
            (
                Mark::Cancelled,
                " (cancelled)",
                "   3.4 s - build 2/5    RUN a (cancelled)",
                "\u{1b}[90m   3.4 s - build 2/5    RUN a (cancelled)\u{1b}[0m",
            ),
        ] {
            let line = line(mark, "RUN a", note);
            assert_eq!(line.text(80, false), plain);
            assert_eq!(line.text(80, true), coloured);
            assert_eq!(line.cut(80, true), coloured);
        }
        let nameless = StepLine { label: String::new(), ..line(Mark::Done, "exporting to image", "") };
        assert_eq!(nameless.text(80, false), "   3.4 s ✓ exporting to image");
        let empty = StepLine { label: String::new(), ..line(Mark::Done, "", "") };
        assert_eq!(empty.text(80, false), "   3.4 s ✓");
    }

    #[test]
    fn the_command_gives_way() {
        let command = "RUN apt-get update && apt-get install --yes curl git jq";
        let line = line(Mark::Failed, command, ": exit code 100");
        for (most, expected) in [
            (80, "   3.4 s ✗ build 2/5    RUN apt-get update && apt-get install --…: exit code 100"),
            (60, "   3.4 s ✗ build 2/5    RUN apt-get update &…: exit code 100"),
            (40, "   3.4 s ✗ build 2/5    RUN apt-get upd…: exit code 100"),
        ] {
            assert_eq!(line.text(most, false), expected);
        }
        assert_eq!(line.cut(40, false), "   3.4 s ✗ build 2/5    RUN apt-get upd…");
        for most in [20, 40, 60, 80, 100] {
            assert!(columns(&line.cut(most, false)) <= most);
        }
    }

    #[test]
    fn what_stands_before_output() {
        let at = Duration::from_secs(65);
        assert_eq!(output_prefix(at, None), "1 m 05 s │ ");
        assert_eq!(output_prefix(at, Some(("b 2/5", 7))), "1 m 05 s │ b 2/5    ");
        assert_eq!(output_prefix(at, Some(("", 7))), "1 m 05 s │ ");
    }
}
