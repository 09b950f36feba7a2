//! What a kustomization says of its images.
//!
//! Obeys kustomize's own reader: keys are the same in any case (`newtag`), `imageTags` is the old name of `images` and its
//! entries come after those, and only one document counts (a second one is refused here, as kustomize would drop it unseen).

use serde_yaml::Value;

use super::error::{EditError, Why};
use super::proof::{self, Reading, Subject};
use super::source::SourceFile;
use super::tree::{NodeKind, Pair, YamlDocument, YamlNode};

/// The names of the list that an image stands in, in kustomize's order.
pub(super) const LISTS: [&str; 2] = ["images", "imageTags"];

/// One entry of `images`, as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageEntry {
    /// `name`: the image as the resources name it.
    pub name: String,
    /// `newName`: the repository in its place.
    pub new_name: Option<String>,
    /// `newTag`, as it is written.
    pub new_tag: Option<String>,
    /// `digest`.
    pub digest: Option<String>,
    /// The line of its first key, counted from one.
    pub line: usize,
}

/// A kustomization that was read.
#[derive(Debug)]
pub struct Kustomization<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) document: YamlDocument,
    /// Per list of images: the entries' values, and which node they are. In the order of [`LISTS`].
    pub(super) lists: [Option<ImageList>; 2],
    entries: Vec<ImageEntry>,
}

/// `images` or `imageTags`.
#[derive(Debug)]
pub(super) struct ImageList {
    /// Which pair of the top level it is.
    pub pair: usize,
    /// What is read there.
    pub values: Vec<Value>,
}

/// What an entry's keys are to be; `None` for one that is not to be there.
pub(super) type Fields = [(&'static str, Option<String>); 4];

/// All but the lists of images stays.
pub(super) struct Images;

impl Subject for Images {
    fn keeps(&self, key: &str) -> bool {
        LISTS.iter().any(|list| list.eq_ignore_ascii_case(key))
    }
}

impl<'a> Kustomization<'a> {
    /// Reads a kustomization.
    ///
    /// # Errors
    /// It is no YAML, has several documents or a key twice, or its `images` is no list of mappings.
    pub fn read(file: &'a SourceFile) -> Result<Self, EditError> {
        Ok(Self::read_whole(file)?.0)
    }

    /// Also what was read besides the images.
    pub(super) fn read_whole(file: &'a SourceFile) -> Result<(Self, Reading), EditError> {
        let fault = |at: usize, why: Why| file.fault(Some(at), why);
        let (mut documents, mut reading) = proof::read(file, &Images, false)?;
        let more = documents.iter().skip(1).find(|document| !matches!(document.root.kind, NodeKind::Empty));
        if let Some(second) = more {
            return Err(fault(second.root.span.start, Why::SeveralDocuments));
        }
        let document = documents.swap_remove(0);
        if !matches!(document.root.kind, NodeKind::Empty | NodeKind::Mapping(..)) {
            return Err(fault(document.root.span.start, Why::NoMapping));
        }
        let mut found = Self { file, document, lists: [None, None], entries: Vec::new() };
        for (list, name) in LISTS.iter().enumerate() {
            found.lists[list] = found.list(name, &mut reading)?;
        }
        found.entries = found.read_entries()?;
        Ok((found, reading))
    }

    /// The entries of its images, in kustomize's order.
    pub fn images(&self) -> &[ImageEntry] {
        &self.entries
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// There are two.
    pub fn image(&self, name: &str) -> Result<Option<&ImageEntry>, EditError> {
        let mut found = self.entries.iter().filter(|entry| entry.name == name);
        let Some(first) = found.next() else { return Ok(None) };
        match found.next() {
            None => Ok(Some(first)),
            Some(second) => Err(EditError {
                path: self.file.path().to_owned(),
                line: Some(second.line),
                why: Why::TwoEntries { name: name.to_owned(), first: first.line },
            }),
        }
    }

    pub(super) fn fault(&self, at: usize, why: Why) -> EditError {
        self.file.fault(Some(at), why)
    }

    pub(super) fn list_node(&self, list: &ImageList) -> &Pair {
        &self.document.root.pairs()[list.pair]
    }

    fn list(&self, name: &str, reading: &mut Reading) -> Result<Option<ImageList>, EditError> {
        let text = self.file.text();
        let named = |key: &str| key.eq_ignore_ascii_case(name);
        let pairs = self.document.root.pairs().iter().enumerate();
        let mut pairs = pairs.filter(|(_, pair)| pair.key.text(text).is_some_and(|key| named(&key)));
        let value =
            reading.kept.iter_mut().find(|(key, _)| named(key)).map(|(_, value)| std::mem::take(value));
        let (found, value) = match (pairs.next(), value) {
            (None, None) => return Ok(None),
            (Some(found), Some(value)) => (found, value),
            // One that is written with escapes, or comes from a merge key.
            _ => return Err(self.fault(self.document.root.span.start, Why::Unreadable)),
        };
        if let Some((_, second)) = pairs.next() {
            return Err(self.fault(second.key.span.start, Why::DuplicateKey(name.to_owned())));
        }
        let (index, pair) = found;
        let at = pair.key.span.start;
        match (&pair.value.kind, value) {
            (NodeKind::Alias, _) => {
                Err(self.fault(at, Why::Elsewhere { what: format!("the list `{name}`") }))
            }
            (_, Value::Null) => Ok(Some(ImageList { pair: index, values: Vec::new() })),
            (NodeKind::Sequence(_, items), Value::Sequence(values)) if items.len() == values.len() => {
                Ok(Some(ImageList { pair: index, values }))
            }
            _ => Err(self.fault(at, Why::NoList(name.to_owned()))),
        }
    }

    /// The nodes and values of all entries.
    pub(super) fn entry_nodes(&self) -> impl Iterator<Item = (&YamlNode, &Value)> {
        self.lists.iter().flatten().flat_map(|list| {
            let items: &[_] = match &self.list_node(list).value.kind {
                NodeKind::Sequence(_, items) => items,
                _ => &[],
            };
            items.iter().map(|item| &item.node).zip(&list.values)
        })
    }

    fn read_entries(&self) -> Result<Vec<ImageEntry>, EditError> {
        let read = |(node, value): (&YamlNode, &Value)| {
            let mut merged;
            let value = if value.get("<<").is_some() {
                merged = value.clone();
                merged.apply_merge().map_err(|_| self.fault(node.span.start, Why::NoEntry))?;
                &merged
            } else {
                value
            };
            if !value.is_mapping() {
                return Err(self.fault(node.span.start, Why::NoEntry));
            }
            let field = |key: &str| field_text(self.file.text(), node, value, key);
            Ok(ImageEntry {
                name: field("name").unwrap_or_default(),
                new_name: field("newName"),
                new_tag: field("newTag"),
                digest: field("digest"),
                line: self.file.line(node.span.start),
            })
        };
        self.entry_nodes().map(read).collect()
    }
}

/// The pair of this key in an entry, whatever its case.
pub(super) fn field_pair<'n>(file: &str, node: &'n YamlNode, key: &str) -> Option<(usize, &'n Pair)> {
    let mut pairs = node.pairs().iter().enumerate();
    pairs.find(|(_, pair)| pair.key.text(file).is_some_and(|text| text.eq_ignore_ascii_case(key)))
}

/// The value of this key, whatever its case.
pub(super) fn field_value<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let pairs = value.as_mapping()?.iter();
    let mut found =
        pairs.filter(|(name, _)| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(key)));
    found.next().map(|(_, value)| value)
}

/// A field as a text: of a number, what is written there (`1.10`, which is `1.1` for YAML).
fn field_text(file: &str, node: &YamlNode, value: &Value, key: &str) -> Option<String> {
    match field_value(value, key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        _ => field_pair(file, node, key)?.1.value.text(file).map(std::borrow::Cow::into_owned),
    }
}
