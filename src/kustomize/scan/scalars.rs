//! Texts in their five styles, and aliases.

use super::Trouble;
use super::cursor::{Scanner, is_blank, is_flow};
use crate::kustomize::error::Why;
use crate::kustomize::tree::{NodeKind, ScalarStyle, YamlNode};

impl Scanner<'_> {
    /// A text without quotes, which may go on on further lines.
    pub(super) fn plain(&mut self, parent: Option<usize>) -> Result<YamlNode, Trouble> {
        let mut node = self.plain_line(false)?;
        loop {
            let before = (self.at, self.line);
            self.skip_blank_lines();
            let inside = self.line != before.1 && parent.is_none_or(|parent| self.column() > parent);
            let more = inside && !matches!(self.peek(), None | Some(b'#')) && self.at_marker().is_none();
            if !more || self.at_key() {
                (self.at, self.line) = before;
                return Ok(node);
            }
            node.span.end = self.plain_line(false)?.span.end;
        }
    }

    /// What of a text without quotes stands on this line.
    pub(super) fn plain_line(&mut self, flow: bool) -> Result<YamlNode, Trouble> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            let after_blank = self.at > start && is_blank(self.bytes[self.at - 1]);
            let over = match byte {
                b'\n' | b'\r' => true,
                b'#' => after_blank,
                b':' => self.ends(1) || flow && self.bytes.get(self.at + 1).is_some_and(|b| is_flow(*b)),
                byte => flow && is_flow(byte),
            };
            if over {
                break;
            }
            self.at += 1;
        }
        let length = self.text[start..self.at].trim_end_matches([' ', '\t']).len();
        if length == 0 {
            return Err(self.unreadable());
        }
        self.end = start + length;
        Ok(YamlNode { span: start..self.end, kind: NodeKind::Scalar(ScalarStyle::Plain) })
    }

    pub(super) fn quoted(&mut self) -> Result<YamlNode, Trouble> {
        let start = self.at;
        let quote = self.bytes[start];
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err((start, Why::Unreadable)),
                Some(b'\n' | b'\r') => self.line_break(),
                // A break behind it is still a break.
                Some(b'\\') if quote == b'"' => {
                    self.at += if matches!(self.bytes.get(self.at + 1), Some(b'"' | b'\\')) { 2 } else { 1 };
                }
                Some(byte) => {
                    self.at += 1;
                    if byte != quote {
                        continue;
                    }
                    if quote == b'"' || self.peek() != Some(b'\'') {
                        break;
                    }
                    self.at += 1;
                }
            }
        }
        self.end = self.at;
        let style = if quote == b'"' { ScalarStyle::Double } else { ScalarStyle::Single };
        Ok(YamlNode { span: start..self.at, kind: NodeKind::Scalar(style) })
    }

    pub(super) fn alias(&mut self) -> YamlNode {
        let start = self.at;
        self.at += 1;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            self.at += 1;
        }
        self.end = self.at;
        YamlNode { span: start..self.at, kind: NodeKind::Alias }
    }

    /// `|` or `>` and the lines that are indented more than the parent.
    pub(super) fn block_scalar(&mut self, parent: Option<usize>) -> YamlNode {
        let start = self.at;
        let least = parent.map_or(1, |parent| parent + 1);
        let mut indent = None;
        self.at += 1;
        while let Some(byte @ (b'+' | b'-' | b'0'..=b'9')) = self.peek() {
            if byte.is_ascii_digit() {
                indent = Some((parent.unwrap_or(0) + usize::from(byte - b'0')).max(least));
            }
            self.at += 1;
        }
        self.end = self.at;
        self.rest_of_line();
        // Where it ends is known only from the line behind it; blank lines there may be its own or not.
        while self.peek().is_some() {
            let before = (self.at, self.line);
            self.skip_blank_lines_but_tabs();
            let wanted = *indent.get_or_insert(self.column().max(least));
            if self.peek().is_none() || self.column() < wanted || self.at_marker().is_some() {
                (self.at, self.line) = before;
                break;
            }
            self.rest_of_line();
            self.end = self.at;
        }
        YamlNode { span: start..self.end, kind: NodeKind::Scalar(ScalarStyle::Block) }
    }
}
