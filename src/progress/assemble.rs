//! Pieces of output into lines: a step's output arrives cut anywhere.
//!
//! Holds one unfinished line of at most [`untrusted::MAX_LINE`] bytes; what a line has beyond that is
//! counted, not kept. `\n`, `\r\n` and a lone `\r` end a line, also when the pair is cut in two.

use std::fmt::Write as _;

use crate::runner::untrusted;

/// The unfinished line of one stream of one step.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: Vec<u8>,
    beyond: usize,
    after_return: bool,
}

impl Assembler {
    /// Takes a piece; gives the lines that it ends, clean.
    pub fn push(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = piece;
        if self.after_return && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_return = false;
        }
        while let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.keep(&rest[..end]);
            lines.push(self.take());
            let pair = rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n');
            self.after_return = rest[end] == b'\r' && rest.len() == end + 1;
            rest = &rest[end + 1 + usize::from(pair)..];
        }
        self.keep(rest);
        lines
    }

    /// The unfinished line, at the step's end.
    pub fn finish(&mut self) -> Option<String> {
        self.after_return = false;
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, part: &[u8]) {
        let room = untrusted::MAX_LINE.saturating_sub(self.pending.len()).min(part.len());
        self.pending.extend_from_slice(&part[..room]);
        self.beyond += part.len() - room;
    }

    fn take(&mut self) -> String {
        let mut line = untrusted::line(&String::from_utf8_lossy(&self.pending));
        if self.beyond > 0 {
            let _ = write!(line, " … ({} more bytes)", self.beyond);
        }
        self.pending.clear();
        self.beyond = 0;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_where_the_runner_ends_them() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(b"one\ntw"), ["one"]);
        assert_eq!(assembler.push(b"o\r\nthree\r"), ["two", "three"]);
        assert_eq!(assembler.push(b"\nfour\r50%\r"), ["four", "50%"]);
        assert_eq!(assembler.push(b""), [""; 0]);
        assert_eq!(assembler.push(b"\n\n::set-output name=a::b"), [""]);
        assert_eq!(assembler.finish().unwrap(), "\\::set-output name=a::b");
        assert_eq!(assembler.finish(), None);
    }

    #[test]
    fn a_line_without_end_is_counted_not_kept() {
        let mut assembler = Assembler::default();
        for _ in 0..1000 {
            assert!(assembler.push(&[b'x'; 4096]).is_empty());
        }
        assert!(assembler.pending.capacity() <= 2 * untrusted::MAX_LINE);
        let line = assembler.push(b"\n").remove(0);
        assert!(line.ends_with(" … (4087808 more bytes)"), "{}", &line[8000..]);
    }

    proptest! {
        /// However it is cut, the same lines come out.
        #[test]
        fn cuts_do_not_matter(text in "[a\r\n:#\\[é]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let whole = { let mut a = Assembler::default(); let mut l = a.push(text.as_bytes()); l.extend(a.finish()); l };
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
            cuts.sort_unstable();
            let (mut a, mut lines, mut from) = (Assembler::default(), Vec::new(), 0);
            for cut in cuts {
                lines.extend(a.push(&text.as_bytes()[from..cut]));
                from = cut;
            }
            lines.extend(a.push(&text.as_bytes()[from..]));
            lines.extend(a.finish());
            prop_assert_eq!(lines, whole);
        }
    }
}
