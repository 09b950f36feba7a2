//! From text to a tree with the bytes of each value.
//!
//! Obeys YAML 1.2's syntax as libyaml reads it, which is what kustomize's and Helm's readers are made from. Block collections,
//! flow collections, all five styles of scalars, anchors, tags, aliases, directives and several documents are read; keys that
//! are written with `?` or are collections are refused. Names what is wrong only where it must: every file has been read by a
//! parser of YAML before it comes here (`proof`), and what is made of this tree is read by it again. A file that is
//! misunderstood here is thus refused, never spoilt.
//!
//! Own code rather than a parser's crate, for three reasons: those that give spans (`saphyr-parser`, `granit-parser`) add 80 to
//! 125 KB to an action that each job pulls; compiled for size as the rest is, they take several times as long as this for a
//! file of some thousand lines; and a second reader with faults of its own beside libyaml, which the proof needs anyway, is
//! worth more than a second one that has the last word.

use std::borrow::Cow;
use std::collections::HashSet;

mod cursor;
mod flow;
mod scalars;

use self::cursor::{Scanner, is_blank, is_break};
use super::error::Why;
use super::tree::{Layout, NodeKind, Pair, SequenceItem, YamlDocument, YamlNode};

/// The deepest nesting that is read: libyaml's reader has the same.
const DEEPEST: usize = 128;

/// So many keys are compared with each other sooner than hashed.
const FEW: usize = 8;

/// What is wrong, and at which byte.
pub(super) type Trouble = (usize, Why);

/// The documents of a file; at least one.
pub(super) fn documents(text: &str) -> Result<Vec<YamlDocument>, Trouble> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, line: 0, end: 0, depth: 0 };
    if text.starts_with('\u{feff}') {
        (scanner.at, scanner.line) = (3, 3);
    }
    scanner.stream()
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is the document.
    Root,
    /// Behind a key: a list may begin in the key's own column.
    Value,
    /// Behind a dash: a collection may begin on the same line.
    Item,
}

impl Scanner<'_> {
    fn stream(&mut self) -> Result<Vec<YamlDocument>, Trouble> {
        let mut documents = Vec::new();
        loop {
            self.skip_to_content();
            while self.at == self.line && self.peek() == Some(b'%') {
                self.rest_of_line();
                self.skip_to_content();
            }
            let marked = self.at_marker();
            if marked == Some(b'.') {
                self.at += 3;
                continue;
            }
            if marked.is_none() && self.peek().is_none() {
                break;
            }
            if marked.is_some() {
                self.at += 3;
            }
            self.end = self.at;
            let root = self.block_node(None, Role::Root)?;
            self.skip_to_content();
            if self.peek().is_some() && self.at_marker().is_none() {
                return Err(self.unreadable());
            }
            documents.push(YamlDocument { root, end: self.at });
        }
        if documents.is_empty() {
            let root = YamlNode { span: self.at..self.at, kind: NodeKind::Empty };
            documents.push(YamlDocument { root, end: self.at });
        }
        Ok(documents)
    }

    /// A value in block context; `parent` is the column that it must be indented more than.
    fn block_node(&mut self, parent: Option<usize>, role: Role) -> Result<YamlNode, Trouble> {
        self.nested(|scanner| scanner.block_node_inside(parent, role))
    }

    fn block_node_inside(&mut self, parent: Option<usize>, role: Role) -> Result<YamlNode, Trouble> {
        let mut empty_at = self.at;
        // On a line that nothing of the parent stands on. There, and behind a dash, a collection may begin.
        let mut fresh = role == Role::Root && self.at_line_start();
        // Where an anchor or a tag of this line begins: a mapping's column is that of its first key with these.
        let mut column = None;
        loop {
            self.blanks();
            match self.peek() {
                None | Some(b'\n' | b'\r' | b'#') => {
                    self.skip_to_content();
                    let here = self.column();
                    let inside = parent.is_none_or(|parent| {
                        here > parent || role == Role::Value && here == parent && self.at_dash()
                    });
                    if self.peek().is_none() || self.at_marker().is_some() || !inside {
                        return Ok(YamlNode { span: empty_at..empty_at, kind: NodeKind::Empty });
                    }
                    (fresh, column) = (true, None);
                }
                Some(b'&' | b'!') => {
                    column.get_or_insert(self.column());
                    self.word();
                    empty_at = self.at;
                    self.end = self.at;
                }
                Some(b'|' | b'>') => return Ok(self.block_scalar(parent)),
                Some(_) if self.at_dash() && (fresh || role == Role::Item) => return self.sequence(),
                Some(_) => {
                    let column = column.unwrap_or(self.column());
                    let key = (fresh || role == Role::Item) && self.at_key();
                    return if key { self.mapping(column) } else { self.leaf(parent) };
                }
            }
        }
    }

    fn sequence(&mut self) -> Result<YamlNode, Trouble> {
        let (start, column) = (self.at, self.column());
        let mut items = Vec::new();
        loop {
            let at = self.at;
            self.at += 1;
            self.end = self.at;
            let node = self.block_node(Some(column), Role::Item)?;
            items.push(SequenceItem { at, node });
            self.skip_to_content();
            if !self.goes_on(column)? || !self.at_dash() {
                let kind = NodeKind::Sequence(Layout::Block(column), items);
                return Ok(YamlNode { span: start..self.end, kind });
            }
        }
    }

    fn mapping(&mut self, column: usize) -> Result<YamlNode, Trouble> {
        let start = self.at;
        let mut pairs = Vec::new();
        loop {
            let key = self.key()?;
            let value = self.block_node(Some(column), Role::Value)?;
            pairs.push(Pair { key, value });
            self.skip_to_content();
            if !self.goes_on(column)? {
                self.unique(&pairs)?;
                let kind = NodeKind::Mapping(Layout::Block(column), pairs);
                return Ok(YamlNode { span: start..self.end, kind });
            }
            if self.at_dash() || !self.at_key() {
                return Err(self.unreadable());
            }
        }
    }

    /// Whether what comes next may belong to the collection in this column.
    fn goes_on(&self, column: usize) -> Result<bool, Trouble> {
        if self.peek().is_none() || self.at_marker().is_some() || self.column() < column {
            return Ok(false);
        }
        if self.column() > column { Err(self.unreadable()) } else { Ok(true) }
    }

    /// The key that `at_key` has seen, and its colon.
    fn key(&mut self) -> Result<YamlNode, Trouble> {
        while matches!(self.peek(), Some(b'&' | b'!')) {
            self.word();
            self.blanks();
        }
        let key = match self.peek() {
            Some(b'"' | b'\'') => self.quoted()?,
            Some(b'*') => self.alias(),
            _ => self.plain_line(false)?,
        };
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(self.unreadable());
        }
        self.at += 1;
        self.end = self.at;
        Ok(key)
    }

    /// A text, an alias or a collection in brackets.
    fn leaf(&mut self, parent: Option<usize>) -> Result<YamlNode, Trouble> {
        match self.peek() {
            Some(b'"' | b'\'') => self.quoted(),
            Some(b'[' | b'{') => self.flow(),
            Some(b'*') => Ok(self.alias()),
            Some(b'?') if self.ends(1) => Err((self.at, Why::ExplicitKey)),
            _ => self.plain(parent),
        }
    }

    /// Whether a key begins here and ends in a colon on the same line.
    pub(super) fn at_key(&self) -> bool {
        let (mut at, bytes) = (self.at, self.bytes);
        let blank = |at: usize| bytes.get(at).is_some_and(|byte| is_blank(*byte));
        let over = |at: usize| bytes.get(at).is_none_or(|byte| is_blank(*byte) || is_break(*byte));
        while matches!(bytes.get(at), Some(b'&' | b'!')) {
            while !over(at) {
                at += 1;
            }
            while blank(at) {
                at += 1;
            }
        }
        match bytes.get(at) {
            Some(quote @ (b'"' | b'\'')) => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| byte != quote && !is_break(*byte)) {
                    at += if bytes[at] == b'\\' && *quote == b'"' { 2 } else { 1 };
                    if bytes.get(at) == Some(quote) && *quote == b'\'' && bytes.get(at + 1) == Some(quote) {
                        at += 2;
                    }
                }
                at += 1;
                while blank(at) {
                    at += 1;
                }
                bytes.get(at) == Some(&b':') && over(at + 1)
            }
            None | Some(b'[' | b'{' | b'#') => false,
            Some(b'?' | b'-') if over(at + 1) => false,
            Some(_) => {
                let mut previous = 0;
                loop {
                    match bytes.get(at) {
                        None | Some(b'\n' | b'\r') => return false,
                        Some(b'#') if is_blank(previous) => return false,
                        Some(b':') if over(at + 1) => return true,
                        Some(byte) => previous = *byte,
                    }
                    at += 1;
                }
            }
        }
    }

    /// Keys that are there once only; `<<` may stand there several times.
    pub(super) fn unique(&self, pairs: &[Pair]) -> Result<(), Trouble> {
        let named = pairs.iter().filter_map(|pair| Some((pair.key.span.start, pair.key.text(self.text)?)));
        let mut named = named.filter(|(_, key)| key != "<<");
        let twice = if pairs.len() <= FEW {
            let mut seen: Vec<Cow<'_, str>> = Vec::with_capacity(pairs.len());
            named.find(|(_, key)| {
                seen.contains(key) || {
                    seen.push(key.clone());
                    false
                }
            })
        } else {
            let mut seen = HashSet::with_capacity(pairs.len());
            named.find(|(_, key)| !seen.insert(key.clone()))
        };
        twice.map_or(Ok(()), |(at, key)| Err((at, Why::DuplicateKey(key.into_owned()))))
    }

    pub(super) fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<YamlNode, Trouble>,
    ) -> Result<YamlNode, Trouble> {
        if self.depth == DEEPEST {
            return Err(self.unreadable());
        }
        self.depth += 1;
        let node = read(self);
        self.depth -= 1;
        node
    }
}

#[cfg(test)]
mod tests;
