//! An entry that a kustomization does not have yet: where it goes, and how it is written there.

use super::document::{Fields, Kustomization, LISTS, field_pair};
use super::error::{EditError, Why};
use super::scalar::written;
use super::source::{Replacement, SourceFile};
use super::tree::{Layout, NodeKind, Pair, ScalarStyle, SequenceItem, YamlNode};

impl Kustomization<'_> {
    /// The file with a new entry; several ways, of which the first that proves right is taken.
    pub(super) fn added(&self, name: &str, fields: &Fields) -> Result<Vec<Vec<Replacement>>, EditError> {
        let fields: Vec<(&str, &str)> = [("name", name)]
            .into_iter()
            .chain(fields.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))))
            .collect();
        let root = &self.document.root;
        let Some(list) = self.lists[0].as_ref() else {
            if field_pair(self.file.text(), root, "<<").is_some() {
                let what = "what the top level has".to_owned();
                return Err(self.fault(root.span.start, Why::Elsewhere { what }));
            }
            return Ok(self.with_new_list(&fields));
        };
        let Pair { value, .. } = self.list_node(list);
        Ok(vec![match &value.kind {
            NodeKind::Sequence(layout, items) if !items.is_empty() => {
                vec![self.with_entry(*layout, items, &fields)]
            }
            NodeKind::Sequence(..)
                if !matches!(self.file.text().get(value.span.clone()), Some("[]" | "[ ]")) =>
            {
                vec![Replacement::insert(value.span.start + 1, flow_entry(&fields, false))]
            }
            NodeKind::Empty if root_is_flow(root) => {
                vec![Replacement::insert(value.span.start, format!(" [{}]", flow_entry(&fields, false)))]
            }
            _ if root_is_flow(root) => {
                vec![Replacement::new(value.span.clone(), format!("[{}]", flow_entry(&fields, false)))]
            }
            // Nothing, `~` or `[]`: the entry goes below.
            _ => {
                let (file, start) = (self.file, value.span.start);
                let blanks = file.text()[..start].len() - file.text()[..start].trim_end_matches(' ').len();
                let at = file.line_end(value.end());
                let entry = block_entry(self.usual_column(), "- ", &fields, file.line_feed(at));
                let entry = Replacement::insert(at, format!("{}{entry}", file.line_feed(at)));
                if value.span.is_empty() {
                    vec![entry]
                } else {
                    vec![Replacement::new(start - blanks..value.end(), ""), entry]
                }
            }
        }])
    }

    /// A further entry of a list that has some: where it belongs if they are sorted by name, as kustomize sorts them; at the end
    /// otherwise.
    fn with_entry(&self, layout: Layout, items: &[SequenceItem], fields: &[(&str, &str)]) -> Replacement {
        let (file, name) = (self.file, fields[0].1);
        let names: Vec<&str> = self.images()[..items.len()].iter().map(|entry| entry.name.as_str()).collect();
        let place =
            if names.is_sorted() { names.partition_point(|other| *other <= name) } else { items.len() };
        let next = items.get(place);
        let Layout::Block(column) = layout else {
            let quoted = file.text()[items[0].node.span.clone()].starts_with("{\"");
            let entry = flow_entry(fields, quoted);
            return match next {
                Some(next) => Replacement::insert(next.at, format!("{entry}, ")),
                None => Replacement::insert(items[items.len() - 1].node.end(), format!(", {entry}")),
            };
        };
        let dash = file.text().get(items[0].at..items[0].node.span.start);
        let dash = dash.filter(|dash| dash[1..].bytes().all(|byte| byte == b' ')).unwrap_or("- ");
        let dash = if dash.len() > 1 { dash } else { "- " };
        if let Some(next) = next {
            // The comments right above an entry are its own.
            let mut at = file.line_start(next.at);
            while let Some(above) = at.checked_sub(1).map(|above| file.line_start(line_above(file, above)))
                && above < at
                && is_comment_at(&file.text()[above..at], |indent| indent == column)
            {
                at = above;
            }
            let feed = file.line_feed(at);
            let entry = block_entry(column, dash, fields, feed);
            return Replacement::insert(at, format!("{entry}{feed}"));
        }
        // So are those below it that are indented more than its dash.
        let last = &items[items.len() - 1];
        let mut at = file.line_end(last.node.end());
        loop {
            let below = file.next_line(at);
            let line = &file.text()[below..file.line_end(below)];
            if below == at || !is_comment_at(line, |indent| indent > column) {
                break;
            }
            at = file.line_end(below);
        }
        let feed = file.line_feed(at);
        Replacement::insert(at, format!("{feed}{}", block_entry(column, dash, fields, feed)))
    }

    /// A file that has no `images`: they come at its end, as from kustomize.
    fn with_new_list(&self, fields: &[(&str, &str)]) -> Vec<Vec<Replacement>> {
        let (file, root) = (self.file, &self.document.root);
        let (text, key) = (file.text(), LISTS[0]);
        if let NodeKind::Mapping(Layout::Flow, pairs) = &root.kind {
            let quoted = pairs.first().is_some_and(|pair| text[pair.key.span.clone()].starts_with('"'));
            let key = if quoted { format!("\"{key}\"") } else { key.to_owned() };
            let images = format!("{key}: [{}]", flow_entry(fields, quoted));
            return vec![vec![match pairs.last() {
                Some(last) => Replacement::insert(last.value.end(), format!(", {images}")),
                None => Replacement::insert(root.span.start + 1, images),
            }]];
        }
        let column = match &root.kind {
            NodeKind::Mapping(Layout::Block(column), _) => *column,
            _ => 0,
        };
        let before = &text[..self.document.end];
        // What follows the last line that says something stays behind it; unless it is a part of that, as of `|+`.
        let said = before.trim_end_matches([' ', '\t', '\n', '\r']).len();
        let at = file.line_end(said);
        let begins = said == 0 || before[..said] == *"\u{feff}";
        let feed = file.line_feed(at).to_owned();
        let list = |feed: &str| {
            let entry = block_entry(self.usual_column(), "- ", fields, feed);
            format!("{}{key}:{feed}{entry}", " ".repeat(column))
        };
        let first = if begins {
            Replacement::insert(said, format!("{}{feed}", list(&feed)))
        } else {
            Replacement::insert(at, format!("{feed}{}", list(&feed)))
        };
        let open = !before.is_empty() && !before.ends_with(['\n', '\r']);
        let at_end = format!("{}{}{feed}", if open { feed.as_str() } else { "" }, list(&feed));
        vec![vec![first], vec![Replacement::insert(self.document.end, at_end)]]
    }

    /// Where the file's lists have their dashes.
    fn usual_column(&self) -> usize {
        let root = &self.document.root;
        let lists = root.pairs().iter().filter_map(|pair| match &pair.value.kind {
            NodeKind::Sequence(Layout::Block(column), _) => Some(*column),
            _ => None,
        });
        let own = match root.kind {
            NodeKind::Mapping(Layout::Block(column), _) => column,
            _ => 0,
        };
        lists.into_iter().next().unwrap_or(own)
    }
}

/// An entry by lines, without a line end behind it.
fn block_entry(column: usize, dash: &str, fields: &[(&str, &str)], feed: &str) -> String {
    let indent = format!("{feed}{}", " ".repeat(column + dash.len()));
    let lines: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key}: {}", written(value, ScalarStyle::Plain))).collect();
    format!("{}{dash}{}", " ".repeat(column), lines.join(&indent))
}

/// An entry in brackets.
fn flow_entry(fields: &[(&str, &str)], quoted: bool) -> String {
    let style = if quoted { ScalarStyle::Double } else { ScalarStyle::Plain };
    let quote = if quoted { "\"" } else { "" };
    let pairs = fields.iter().map(|(key, value)| format!("{quote}{key}{quote}: {}", written(value, style)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn root_is_flow(root: &YamlNode) -> bool {
    matches!(root.kind, NodeKind::Mapping(Layout::Flow, _))
}

/// A byte of the line above the line that begins behind this one.
fn line_above(file: &SourceFile, above: usize) -> usize {
    let bytes = file.text().as_bytes();
    if above > 0 && bytes[above] == b'\n' && bytes[above - 1] == b'\r' { above - 1 } else { above }
}

/// Whether the line is a comment in such a column.
fn is_comment_at(line: &str, indented: impl Fn(usize) -> bool) -> bool {
    let comment = line.trim_start_matches(' ');
    comment.starts_with('#') && indented(line.len() - comment.len())
}
