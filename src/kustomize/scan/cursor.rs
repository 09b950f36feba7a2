//! Where the scanner is in a file: its characters, lines and columns.

use super::Trouble;
use crate::kustomize::error::Why;

pub(super) struct Scanner<'a> {
    pub text: &'a str,
    pub bytes: &'a [u8],
    pub at: usize,
    /// Where the line begins.
    pub line: usize,
    /// Where the last thing that was read ends.
    pub end: usize,
    pub depth: usize,
}

impl Scanner<'_> {
    pub(super) fn unreadable(&self) -> Trouble {
        (self.at, Why::Unreadable)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether a word ends so many bytes further on.
    pub(super) fn ends(&self, further: usize) -> bool {
        self.bytes.get(self.at + further).is_none_or(|byte| is_blank(*byte) || is_break(*byte))
    }

    pub(super) fn column(&self) -> usize {
        self.at - self.line
    }

    pub(super) fn at_line_start(&self) -> bool {
        self.bytes[self.line..self.at].iter().all(|byte| is_blank(*byte))
    }

    pub(super) fn at_dash(&self) -> bool {
        self.peek() == Some(b'-') && self.ends(1)
    }

    /// `-` or `.` where a document's marker stands.
    pub(super) fn at_marker(&self) -> Option<u8> {
        let three = self.bytes.get(self.at..self.at + 3).filter(|_| self.at == self.line && self.ends(3))?;
        matches!(three, b"---" | b"...").then_some(three[0])
    }

    /// An anchor or a tag.
    pub(super) fn word(&mut self) {
        while !self.ends(0) {
            self.at += 1;
        }
    }

    pub(super) fn flow_word(&mut self) {
        while !self.ends(0) && !self.peek().is_some_and(is_flow) {
            self.at += 1;
        }
    }

    pub(super) fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    pub(super) fn line_break(&mut self) {
        self.at += if self.bytes[self.at..].starts_with(b"\r\n") { 2 } else { 1 };
        self.line = self.at;
    }

    pub(super) fn rest_of_line(&mut self) {
        while self.peek().is_some_and(|byte| !is_break(byte)) {
            self.at += 1;
        }
    }

    /// Past blanks, comments and line ends.
    pub(super) fn skip_to_content(&mut self) {
        loop {
            self.skip_blank_lines();
            if self.peek() != Some(b'#') {
                return;
            }
            self.rest_of_line();
        }
    }

    pub(super) fn skip_blank_lines(&mut self) {
        loop {
            self.blanks();
            if !self.peek().is_some_and(is_break) {
                return;
            }
            self.line_break();
        }
    }

    /// A tab is a part of a block scalar's text.
    pub(super) fn skip_blank_lines_but_tabs(&mut self) {
        loop {
            while self.peek() == Some(b' ') {
                self.at += 1;
            }
            if !self.peek().is_some_and(is_break) {
                return;
            }
            self.line_break();
        }
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(super) fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

pub(super) fn is_flow(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}
