//! Collections in brackets, which may take several lines.

use super::Trouble;
use super::cursor::{Scanner, is_flow};
use crate::kustomize::error::Why;
use crate::kustomize::tree::{Layout, NodeKind, Pair, SequenceItem, YamlNode};

impl Scanner<'_> {
    /// A collection in brackets, which may take several lines.
    pub(super) fn flow(&mut self) -> Result<YamlNode, Trouble> {
        self.nested(Self::flow_inside)
    }

    pub(super) fn flow_inside(&mut self) -> Result<YamlNode, Trouble> {
        let start = self.at;
        let list = self.bytes[start] == b'[';
        let close = if list { b']' } else { b'}' };
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        self.at += 1;
        loop {
            self.skip_to_content();
            match self.peek() {
                None => return Err((start, Why::Unreadable)),
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => break,
                Some(_) => {
                    let before = self.at;
                    let key = self.flow_node()?;
                    let behind = (self.at, self.line, self.end);
                    self.skip_to_content();
                    let pair = self.peek() == Some(b':');
                    let value = if pair {
                        self.at += 1;
                        self.end = self.at;
                        self.flow_node()?
                    } else if behind.0 == before {
                        // The other bracket.
                        return Err(self.unreadable());
                    } else {
                        (self.at, self.line, self.end) = behind;
                        YamlNode { span: self.end..self.end, kind: NodeKind::Empty }
                    };
                    let at = key.span.start;
                    if !list {
                        pairs.push(Pair { key, value });
                    } else if pair {
                        let span = at..self.end;
                        let kind = NodeKind::Mapping(Layout::Flow, vec![Pair { key, value }]);
                        items.push(SequenceItem { at, node: YamlNode { span, kind } });
                    } else {
                        items.push(SequenceItem { at, node: key });
                    }
                }
            }
        }
        self.at += 1;
        self.end = self.at;
        self.unique(&pairs)?;
        let kind = if list {
            NodeKind::Sequence(Layout::Flow, items)
        } else {
            NodeKind::Mapping(Layout::Flow, pairs)
        };
        Ok(YamlNode { span: start..self.at, kind })
    }

    /// A key or a value within brackets.
    pub(super) fn flow_node(&mut self) -> Result<YamlNode, Trouble> {
        let mut empty_at = self.end;
        loop {
            self.skip_to_content();
            match self.peek() {
                Some(b'&' | b'!') => {
                    self.flow_word();
                    (empty_at, self.end) = (self.at, self.at);
                }
                None | Some(b',' | b']' | b'}') => {
                    return Ok(YamlNode { span: empty_at..empty_at, kind: NodeKind::Empty });
                }
                Some(b':') if self.flow_colon() => {
                    return Ok(YamlNode { span: self.at..self.at, kind: NodeKind::Empty });
                }
                Some(b'"' | b'\'') => return self.quoted(),
                Some(b'[' | b'{') => return self.flow(),
                Some(b'*') => return Ok(self.alias()),
                Some(b'?') if self.ends(1) => return Err((self.at, Why::ExplicitKey)),
                Some(_) => return self.flow_plain(),
            }
        }
    }

    pub(super) fn flow_plain(&mut self) -> Result<YamlNode, Trouble> {
        let mut node = self.plain_line(true)?;
        loop {
            let before = (self.at, self.line);
            self.skip_blank_lines();
            let other_line = self.line != before.1;
            if !other_line
                || self.peek().is_none_or(|byte| is_flow(byte) || byte == b'#')
                || self.flow_colon()
            {
                (self.at, self.line) = before;
                return Ok(node);
            }
            node.span.end = self.plain_line(true)?.span.end;
        }
    }

    pub(super) fn flow_colon(&self) -> bool {
        self.peek() == Some(b':')
            && (self.ends(1) || self.bytes.get(self.at + 1).is_some_and(|b| is_flow(*b)))
    }
}
