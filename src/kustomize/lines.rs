//! Where the entries of a YAML list and their keys stand: for messages about lists that somebody else has read.

use super::scan;
use super::tree::{NodeKind, YamlNode};

/// The lines of one entry, counted from one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryLines {
    /// Where it begins.
    pub line: usize,
    /// Its keys that are written plainly, with the line of each.
    pub keys: Vec<(String, usize)>,
}

impl EntryLines {
    /// The line of a key; of one that is not known, that of the entry.
    pub fn of(&self, key: &str) -> usize {
        self.keys.iter().find(|(known, _)| known == key).map_or(self.line, |(_, line)| *line)
    }
}

/// The lines of a list's entries, in order. Nothing where the text is no list, or is written in a way that is not known here.
pub fn lines_of_list(text: &str) -> Vec<EntryLines> {
    let Ok(documents) = scan::documents(text) else { return Vec::new() };
    let Some(NodeKind::Sequence(_, items)) = documents.first().map(|document| &document.root.kind) else {
        return Vec::new();
    };
    let line = |at: usize| 1 + text[..at].matches('\n').count();
    let keys = |node: &YamlNode| {
        let pairs = node.pairs().iter();
        let named = pairs.filter_map(|pair| Some((pair.key.text(text)?.into_owned(), pair.key.span.start)));
        named.map(|(key, at)| (key, line(at))).collect()
    };
    items.iter().map(|item| EntryLines { line: line(item.at), keys: keys(&item.node) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_keys_have_lines() {
        let text = "# first\n- a: 1\n  'b': |\n    x\n  c: 2\n\n- {d: 1,\n   e: 2}\n- word\n";
        let lines = lines_of_list(text);
        let read: Vec<(usize, Vec<(&str, usize)>)> = lines
            .iter()
            .map(|entry| (entry.line, entry.keys.iter().map(|(key, line)| (key.as_str(), *line)).collect()))
            .collect();
        let expected =
            vec![(2, vec![("a", 2), ("b", 3), ("c", 5)]), (7, vec![("d", 7), ("e", 8)]), (9, vec![])];
        assert_eq!(read, expected);
        assert_eq!((lines[0].of("c"), lines[0].of("z")), (5, 2));
    }

    #[test]
    fn what_is_no_list_has_none() {
        for text in ["", "a: 1", "word", "- a: [", "? x"] {
            assert_eq!(lines_of_list(text), [], "{text}");
        }
    }
}
