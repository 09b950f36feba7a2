//! A YAML file as it is written: each value with the bytes that it takes up.
//!
//! Owns no meaning: which type a scalar has, what an alias stands for and what a merge key adds are for a reader of YAML to
//! say (`proof`). Here is only where things stand, so that some of them can be replaced and nothing else is touched.

use std::borrow::Cow;
use std::ops::Range;

/// One document of a file.
#[derive(Debug)]
pub(super) struct YamlDocument {
    /// Its value.
    pub root: YamlNode,
    /// Where its content ends: at the next marker, or the file's end.
    pub end: usize,
}

/// A value, or a key.
#[derive(Debug)]
pub(super) struct YamlNode {
    /// Its bytes, without an anchor or a tag before them; of an empty value, the place where one would be written.
    pub span: Range<usize>,
    /// What it is.
    pub kind: NodeKind,
}

/// What a value is, as it is written.
#[derive(Debug)]
pub(super) enum NodeKind {
    /// Nothing stands there.
    Empty,
    /// `*name`.
    Alias,
    /// A text.
    Scalar(ScalarStyle),
    /// A list.
    Sequence(Layout, Vec<SequenceItem>),
    /// Keys and values.
    Mapping(Layout, Vec<Pair>),
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScalarStyle {
    /// Without quotes.
    Plain,
    /// `'…'`.
    Single,
    /// `"…"`.
    Double,
    /// `|` and `>`: lines of their own.
    Block,
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// By indentation; where its keys or dashes stand, in bytes from the line's start.
    Block(usize),
    /// In brackets.
    Flow,
}

/// An entry of a list.
#[derive(Debug)]
pub(super) struct SequenceItem {
    /// Where its dash is; in brackets, where it begins.
    pub at: usize,
    /// The value.
    pub node: YamlNode,
}

/// An entry of a mapping.
#[derive(Debug)]
pub(super) struct Pair {
    /// The key.
    pub key: YamlNode,
    /// The value.
    pub value: YamlNode,
}

impl YamlNode {
    /// The text of a scalar that stands on one line, without its quotes. `None` for all else, and for a text with escapes that
    /// nobody writes in a key or the name of an image.
    pub(super) fn text<'a>(&self, file: &'a str) -> Option<Cow<'a, str>> {
        let NodeKind::Scalar(style) = self.kind else { return None };
        let written = file.get(self.span.clone())?;
        if written.contains(['\n', '\r']) {
            return None;
        }
        let inside = || written.get(1..written.len().checked_sub(1)?);
        match style {
            ScalarStyle::Plain => Some(Cow::Borrowed(written)),
            ScalarStyle::Single if written.contains("''") => {
                inside().map(|text| Cow::Owned(text.replace("''", "'")))
            }
            ScalarStyle::Single => inside().map(Cow::Borrowed),
            ScalarStyle::Double => inside().and_then(unescaped),
            ScalarStyle::Block => None,
        }
    }

    /// The pairs of a mapping.
    pub(super) fn pairs(&self) -> &[Pair] {
        match &self.kind {
            NodeKind::Mapping(_, pairs) => pairs,
            _ => &[],
        }
    }

    /// Where it ends; an empty value, where it would stand.
    pub(super) fn end(&self) -> usize {
        self.span.end
    }
}

/// A double-quoted text without its escapes, as far as JSON's `\"`, `\\` and `\/` go.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('\\') {
        let escaped = after.chars().next().filter(|c| matches!(c, '"' | '\\' | '/'))?;
        plain.push_str(before);
        plain.push(escaped);
        rest = &after[1..];
    }
    plain.push_str(rest);
    Some(Cow::Owned(plain))
}
