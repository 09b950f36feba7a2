//! What a container prints, made fit for the log: cut into lines, bounded, its end kept.
//!
//! Sans-IO. However much is printed, no more than so much of it is shown and so much kept; the rest is counted, and said. What
//! cannot be seen is left to `runner::untrusted`, through which each line passes; each begins with something of ours, the
//! seconds since the container started.

use std::time::Duration;

use crate::runner::{units, untrusted};

/// Bytes of output that are shown as they come.
const SHOWN: usize = 256 * 1024;
/// The last bytes that are kept for the end.
const KEPT: usize = 16 * 1024;
/// Bytes of a line that waits for its end.
const LONGEST: usize = 16 * 1024;
/// Last lines that are told when a check fails.
const LAST: usize = 15;

/// The output of one container.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The beginning of a line on each channel.
    open: [Vec<u8>; 2],
    shown: usize,
    all: u64,
    tail: Vec<u8>,
}

impl Transcript {
    /// Takes in what was printed on one of two channels; gives the lines that are to be shown now.
    pub(super) fn take(&mut self, channel: usize, printed: &[u8], since: Duration) -> Vec<String> {
        self.all = self.all.saturating_add(u64::try_from(printed.len()).unwrap_or(u64::MAX));
        self.keep(printed);
        let mut lines = Vec::new();
        let Some(open) = self.open.get_mut(channel) else { return lines };
        for part in printed.split_inclusive(|byte| *byte == b'\n') {
            if self.shown >= SHOWN {
                open.clear();
                break;
            }
            let room = LONGEST.saturating_sub(open.len());
            open.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                self.shown += open.len();
                lines.extend(dressed(open, since));
                open.clear();
            }
        }
        if self.shown >= SHOWN && !lines.is_empty() {
            lines.push("… what else it prints is not shown; its last lines are".to_owned());
        }
        lines
    }

    /// It prints nothing more: what is left to be shown.
    pub(super) fn finish(&mut self, since: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        if self.shown < SHOWN {
            for open in &mut self.open {
                if !open.is_empty() {
                    lines.extend(dressed(open, since));
                    open.clear();
                }
            }
        } else {
            lines.push(format!("… {} in all; the last lines:", units::bytes(self.all)));
            lines.extend(self.last().into_iter().map(|line| format!("… {line}")));
        }
        lines
    }

    /// The last lines, plain.
    pub(super) fn last(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(LAST)..];
        last.iter().map(|line| untrusted::plain(line)).collect()
    }

    fn keep(&mut self, printed: &[u8]) {
        let new = &printed[printed.len().saturating_sub(KEPT)..];
        let old = (self.tail.len() + new.len()).saturating_sub(KEPT);
        self.tail.drain(..old.min(self.tail.len()));
        self.tail.extend_from_slice(new);
    }
}

/// The lines that the runner would see in these bytes.
fn dressed(bytes: &[u8], since: Duration) -> Vec<String> {
    let lines = untrusted::lines(bytes);
    lines.into_iter().map(|line| format!("{}.{:03} {line}", since.as_secs(), since.subsec_millis())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1250);

    #[test]
    fn lines_are_whole_whatever_comes_between() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.take(0, b"one\ntw", NOW), ["1.250 one"]);
        assert_eq!(transcript.take(1, b"warning\n", NOW), ["1.250 warning"]);
        assert_eq!(transcript.take(0, b"o\nthree", NOW), ["1.250 two"]);
        assert_eq!(transcript.finish(NOW), ["1.250 three"]);
        assert_eq!(transcript.finish(NOW), Vec::<String>::new());
    }

    #[test]
    fn nothing_in_it_is_a_command() {
        let mut transcript = Transcript::default();
        let lines = transcript.take(0, b"::error::x\r::set-output name=a::b\n##[group]x\n\x1b[2J\xff\n", NOW);
        for line in &lines {
            assert!(line.starts_with("1.250 ") && !line.contains("##[") && !line.contains('\r'), "{line:?}");
        }
        assert_eq!(lines.len(), 4);
        assert!(
            transcript.last().iter().all(|line| !line.trim_start().starts_with("::")),
            "{:?}",
            transcript.last()
        );
    }

    #[test]
    fn a_gigabyte_costs_no_memory_and_its_end_is_kept() {
        let mut transcript = Transcript::default();
        let part = b"all work and no play\n".repeat(1000);
        let (mut shown, mut said) = (0, 0);
        for _ in 0..500 {
            for line in transcript.take(0, &part, NOW) {
                shown += line.len();
                said += usize::from(line.contains("is not shown"));
            }
            let held = transcript.tail.capacity() + transcript.open.iter().map(Vec::capacity).sum::<usize>();
            assert!(held <= 4 * KEPT, "{held}");
        }
        assert_eq!(said, 1, "once");
        assert!(shown < 2 * SHOWN, "{shown}");
        transcript.take(1, b"the end\n", NOW);
        let end = transcript.finish(NOW);
        assert_eq!(end[0], "… 10.5 MB in all; the last lines:");
        assert_eq!((end.len(), end.last().unwrap().as_str()), (LAST + 1, "… the end"));
        assert_eq!(transcript.last().len(), LAST);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut transcript = Transcript::default();
        for _ in 0..1000 {
            assert_eq!(transcript.take(0, &[b'x'; 4096], NOW), Vec::<String>::new());
        }
        assert!(transcript.open[0].len() <= LONGEST);
        let lines = transcript.finish(NOW);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 2 * LONGEST);
    }
}
