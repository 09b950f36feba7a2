//! The last lines of a step's output, for the report of its failure.
//!
//! Programs say what went wrong on standard error, and some then write pages to standard output: the last lines of standard
//! error are kept in any case. Bounded, whatever a step writes.

use std::collections::VecDeque;

/// Lines that are kept, and told at most.
pub const TAIL_LINES: usize = 20;
/// Of them those that are standard error's, however much came after them.
const ERROR_LINES: usize = 8;

/// The last lines of an output, without colours.
#[derive(Debug, Default)]
pub struct Tail {
    /// All lines so far.
    count: usize,
    /// The last ones with their numbers.
    last: VecDeque<(usize, String)>,
    /// The same of standard error.
    errors: VecDeque<(usize, String)>,
}

impl Tail {
    /// One line more; `error` if it comes from standard error.
    pub(super) fn push(&mut self, line: String, error: bool) {
        let keep = |lines: &mut VecDeque<(usize, String)>, most: usize, line: String| {
            if lines.len() >= most {
                lines.pop_front();
            }
            lines.push_back((self.count, line));
        };
        if error {
            keep(&mut self.errors, ERROR_LINES, line.clone());
        }
        keep(&mut self.last, TAIL_LINES, line);
        self.count += 1;
    }

    /// They, in order: where standard error's are further back, those first, then how many lines are left out, then as many of
    /// the last as there is room for.
    pub fn lines(&self) -> Vec<String> {
        let text = |(_, line): &(usize, String)| line.clone();
        let first = self.last.front().map_or(0, |(number, _)| *number);
        let before: Vec<_> = self.errors.iter().filter(|(number, _)| *number < first).collect();
        let Some((number, _)) = before.last() else { return self.last.iter().map(text).collect() };
        let rest = self.last.iter().skip(before.len() + 1);
        let next = rest.clone().next().map_or(self.count, |(number, _)| *number);
        let left_out = format!("… {} more lines", next - number - 1);
        let before = before.iter().map(|line| text(line));
        before.chain([left_out]).chain(rest.map(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(lines: impl IntoIterator<Item = (String, bool)>) -> Vec<String> {
        let mut tail = Tail::default();
        lines.into_iter().for_each(|(line, error)| tail.push(line, error));
        tail.lines()
    }

    fn output(from: usize, to: usize) -> impl Iterator<Item = (String, bool)> {
        (from..to).map(|number| (format!("out {number}"), false))
    }

    #[test]
    fn the_last_lines() {
        assert_eq!(tail([]), Vec::<String>::new());
        let said = tail(output(0, 3).chain([("why".into(), true)]));
        assert_eq!(said, ["out 0", "out 1", "out 2", "why"]);
        let said = tail(output(0, 30));
        assert_eq!((said.len(), said[0].as_str(), said[19].as_str()), (20, "out 10", "out 29"));
    }

    #[test]
    fn the_cause_is_told_however_much_comes_after_it() {
        let causes = || [("cannot find x".to_owned(), true), ("stop".to_owned(), true)];
        let said = tail(output(0, 5).chain(causes()).chain(output(5, 1000)));
        assert_eq!(said.len(), TAIL_LINES);
        assert_eq!(said[..4], ["cannot find x", "stop", "… 978 more lines", "out 983"]);
        assert_eq!(said[19], "out 999");
        // One of them is among the last anyhow.
        let [first, second] = causes();
        let said = tail([first].into_iter().chain(output(0, 25)).chain([second]));
        assert_eq!((said[0].as_str(), said[19].as_str()), ("cannot find x", "stop"));
        // Only so many, the last ones.
        let many = (0..100).map(|number| (format!("error {number}"), true));
        let said = tail(many.chain(output(0, 50)));
        assert_eq!((said.len(), said[0].as_str(), said[7].as_str()), (20, "error 92", "error 99"));
        assert_eq!(said[8], "… 39 more lines");
    }
}
