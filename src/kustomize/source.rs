//! The file that is edited, as text; and what replaces a part of it.

use std::ops::Range;

use super::error::{EditError, Why};
use crate::model::sort_by_key;

/// A file in its repository: where it is, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    path: String,
    text: String,
    /// Where each line begins; a byte-order mark belongs to none.
    line_starts: Vec<usize>,
}

/// What an edit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The image is there already.
    Unchanged,
    /// The file's new text.
    Changed(String),
}

/// Bytes of the file, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement {
    pub range: Range<usize>,
    pub text: String,
}

impl SourceFile {
    /// The file at this path of its repository. The path is for messages only.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    pub fn new(path: &str, bytes: &[u8]) -> Result<Self, EditError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::of(path.to_owned(), text.to_owned())),
            Err(fault) => {
                let at = fault.valid_up_to();
                let before = Self::of(path.to_owned(), String::from_utf8_lossy(&bytes[..at]).into_owned());
                Err(before.fault(Some(at), Why::NotUtf8))
            }
        }
    }

    fn of(path: String, text: String) -> Self {
        let mut line_starts = vec![if text.starts_with('\u{feff}') { 3 } else { 0 }];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            // A carriage return ends a line, too, if no line feed follows.
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                line_starts.push(at + 1);
            }
        }
        Self { path, text, line_starts }
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it, at the line of this byte.
    pub(super) fn fault(&self, at: Option<usize>, why: Why) -> EditError {
        EditError { path: self.path.clone(), line: at.map(|at| self.line(at)), why }
    }

    /// The line of this byte, counted from one.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at).max(1)
    }

    /// Where the line of this byte begins.
    pub(super) fn line_start(&self, at: usize) -> usize {
        self.line_starts[self.line(at) - 1]
    }

    /// Where the line of this byte ends, before its line end.
    pub(super) fn line_end(&self, at: usize) -> usize {
        self.text[at..].find(['\n', '\r']).map_or(self.text.len(), |length| at + length)
    }

    /// Where the next line begins; the end of the text, if there is none.
    pub(super) fn next_line(&self, at: usize) -> usize {
        let end = self.line_end(at);
        let rest = &self.text[end..];
        end + if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) }
    }

    /// How the line of this byte ends; the last line as the first one does.
    pub(super) fn line_feed(&self, at: usize) -> &str {
        let own = &self.text[self.line_end(at)..self.next_line(at)];
        let first = &self.text[self.line_end(0)..self.next_line(0)];
        match (own, first) {
            ("", "") => "\n",
            ("", first) => first,
            (own, _) => own,
        }
    }

    /// The text with all of these carried out. They do not overlap; those at one place come in their order.
    pub(super) fn with(&self, mut replacements: Vec<Replacement>) -> Self {
        sort_by_key(&mut replacements, |replacement| replacement.range.start);
        let mut text = String::with_capacity(self.text.len() + 256);
        let mut at = 0;
        for Replacement { range, text: new } in replacements {
            text.push_str(self.text.get(at..range.start).unwrap_or_default());
            text.push_str(&new);
            at = range.end.max(at);
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        Self::of(self.path.clone(), text)
    }
}

impl Replacement {
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }

    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::new(at..at, text)
    }
}
