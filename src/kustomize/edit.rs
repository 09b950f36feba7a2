//! Sets an image in a kustomization: text in, text out.
//!
//! The result is what `kustomize edit set image NAME=REPOSITORY:TAG@DIGEST` makes of the file (kustomize 5, `edit/set/setimage`):
//! `newName`, `newTag` and `digest` are set, a `tagSuffix` and a digest that is not given are removed, a missing entry or list
//! is added. But kustomize writes the whole file anew, and here nothing else is touched:
//!
//! | what | kustomize | here |
//! |---|---|---|
//! | comments, quotes, indentation, line ends, order of keys | written anew; comments within fields are lost | stay |
//! | the order of entries | sorted by name | stays; a new entry goes where it belongs if they are sorted, else to the end |
//! | `imageTags`, `bases`, missing `kind` and `apiVersion` | brought up to date | stay |
//! | an entry whose name is the repository, without `newName` | gets one | stays without one, which means the same |
//! | the same repository in another spelling (`acme/api`, `docker.io/acme/api`) | set | stays |
//! | two entries of the name | made one | refused |
//! | an entry that makes another image of what this one gives (`chain`) | set, and lost | refused |
//!
//! What an anchor shares with other places is refused by the proof, unless only the image changes.

use serde_yaml::{Mapping, Value};

use super::chain;
use super::document::{Fields, ImageEntry, Images, Kustomization, LISTS, field_pair, field_value};
use super::error::{EditError, Why};
use super::image::NewImage;
use super::proof::{self, Reading};
use super::scalar::{set_value, written};
use super::source::{Edited, Replacement, SourceFile};
use super::tree::{Layout, NodeKind, Pair, ScalarStyle};

/// Sets the entry of this name to the image.
///
/// # Errors
/// The file cannot be read or edited, or more than the image would change; it names the line, where it can.
pub fn edit(file: &SourceFile, name: &str, image: &NewImage) -> Result<Edited, EditError> {
    let (kustomization, reading) = Kustomization::read_whole(file)?;
    let candidates = match kustomization.image(name)? {
        Some(entry) => {
            let fields = fields(name, Some(entry), image);
            let changes = kustomization.changed_entry(name, &fields)?;
            if changes.is_empty() {
                let lists = kustomization.lists.iter().flatten();
                effective(&kustomization, name, lists.flat_map(|list| &list.values))?;
                return Ok(Edited::Unchanged);
            }
            vec![changes]
        }
        None => kustomization.added(name, &fields(name, None, image))?,
    };
    let mut first = None;
    for changes in candidates {
        let after = file.with(changes);
        match proven(&kustomization, &reading, name, image, &after) {
            Ok(()) => return Ok(Edited::Changed(after.text().to_owned())),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    Err(first.unwrap_or_else(|| kustomization.fault(0, Why::Unreadable)))
}

/// As kustomize's command sets them.
fn fields(name: &str, entry: Option<&ImageEntry>, image: &NewImage) -> Fields {
    let new_name = entry.and_then(|entry| entry.new_name.as_deref());
    let new_name = match new_name {
        Some(written) => Some(image.repository_beside(written)),
        None if image.is_at(name) => None,
        None => Some(image.repository.to_string()),
    };
    [
        ("newName", new_name),
        ("newTag", Some(image.tag.to_string())),
        ("digest", image.digest.as_ref().map(ToString::to_string)),
        ("tagSuffix", None),
    ]
}

/// Nothing but the entry is another one, and the entry is what it should be.
fn proven(
    before: &Kustomization<'_>,
    reading: &Reading,
    name: &str,
    image: &NewImage,
    after: &SourceFile,
) -> Result<(), EditError> {
    let result = proof::unchanged_but_for(&Images, before.file, reading, after)?;
    let more = |what: &str| before.file.fault(None, Why::More(what.to_owned()));
    let is_it = |value: &&Value| field_value(value, "name").and_then(Value::as_str) == Some(name);
    let kept = |list: &str| {
        let mut kept = result.kept.iter().filter(|(key, _)| key.eq_ignore_ascii_case(list));
        kept.next().and_then(|(_, value)| value.as_sequence()).map_or(&[][..], Vec::as_slice)
    };
    let had = |list: usize| before.lists[list].as_ref().map_or(&[][..], |list| list.values.as_slice());
    let lists: [(&[Value], &[Value]); 2] = std::array::from_fn(|list| (had(list), kept(LISTS[list])));
    let named = || Value::from(Mapping::from_iter([("name".into(), name.into())]));
    let was = lists.iter().flat_map(|(old, _)| *old).find(is_it).cloned().unwrap_or_else(named);
    let Some(found) = lists.iter().flat_map(|(_, new)| *new).find(is_it) else {
        return Err(more("its entry would not be there"));
    };
    if mapping_without(&was) != mapping_without(found) {
        return Err(more("its entry would have other keys"));
    }
    let wrong = fields(name, before.image(name)?, image).into_iter().find(|(key, wanted)| {
        let value = field_value(found, key).filter(|value| !value.is_null());
        value.map(|value| value.as_str().unwrap_or_default()) != wanted.as_deref()
    });
    if let Some((key, _)) = wrong {
        return Err(more(&format!("`{key}` would not be what it should be")));
    }
    let others = |(old, new): &(&[Value], &[Value])| {
        old.iter().filter(|value| !is_it(value)).eq(new.iter().filter(|value| !is_it(value)))
    };
    if !lists.iter().all(others) {
        return Err(more("another entry of `images` would change"));
    }
    effective(before, name, lists.iter().flat_map(|(_, new)| *new))
}

/// What the entry sets is what comes of the image in the end.
fn effective<'v>(
    before: &Kustomization<'_>,
    name: &str,
    entries: impl Iterator<Item = &'v Value>,
) -> Result<(), EditError> {
    let Some(place) = chain::overriding(entries, name) else { return Ok(()) };
    let other = before.images().iter().filter(|entry| entry.name != name).nth(place);
    Err(EditError {
        path: before.file.path().to_owned(),
        line: other.map(|entry| entry.line),
        why: Why::Overridden {
            name: name.to_owned(),
            by: other.map(|entry| entry.name.clone()).unwrap_or_default(),
        },
    })
}

/// What an entry has besides the keys that are set.
fn mapping_without(entry: &Value) -> Mapping {
    let set = |key: &str| {
        ["newName", "newTag", "digest", "tagSuffix"].iter().any(|set| set.eq_ignore_ascii_case(key))
    };
    let pairs = entry.as_mapping().into_iter().flatten();
    let others = pairs.filter(|(key, _)| !key.as_str().is_some_and(set));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Kustomization<'_> {
    /// What has to change in the entry that is there; nothing, if it is right.
    fn changed_entry(&self, name: &str, fields: &Fields) -> Result<Vec<Replacement>, EditError> {
        let text = self.file.text();
        let place = self.images().iter().position(|entry| entry.name == name);
        let Some((node, value)) = place.and_then(|place| self.entry_nodes().nth(place)) else {
            return Ok(Vec::new());
        };
        let at = node.span.start;
        let what = || format!("the entry of `{}`", crate::model::text::name(name));
        let NodeKind::Mapping(layout, pairs) = &node.kind else {
            return Err(self.fault(at, Why::Elsewhere { what: what() }));
        };
        if field_pair(text, node, "<<").is_some() {
            return Err(self.fault(at, Why::Elsewhere { what: what() }));
        }
        for (index, pair) in pairs.iter().enumerate() {
            let first = pair.key.text(text).and_then(|key| field_pair(text, node, &key));
            if let (Some((first, _)), Some(key)) = (first, pair.key.text(text))
                && first != index
            {
                return Err(self.fault(pair.key.span.start, Why::DuplicateKey(key.into_owned())));
            }
        }
        let Some((mut after, _)) = field_pair(text, node, "name") else {
            return Err(self.fault(at, Why::Elsewhere { what: what() }));
        };
        let mut changes = Vec::new();
        for (key, wanted) in fields {
            match (field_pair(text, node, key), wanted) {
                (Some((index, pair)), Some(wanted)) => {
                    let same = field_value(value, key).and_then(Value::as_str) == Some(wanted);
                    if !same {
                        changes.push(set_value(self.file, pair, wanted)?);
                    }
                    after = index;
                }
                (Some((index, _)), None) => changes.push(self.without(*layout, pairs, index)),
                (None, Some(wanted)) => changes.push(self.with(*layout, &pairs[after], key, wanted)),
                (None, None) => {}
            }
        }
        Ok(changes)
    }

    /// A further key of an entry, behind this one.
    fn with(&self, layout: Layout, behind: &Pair, key: &str, wanted: &str) -> Replacement {
        let file = self.file;
        match layout {
            Layout::Flow => {
                let quoted = file.text()[behind.key.span.clone()].starts_with('"');
                let style = if quoted { ScalarStyle::Double } else { ScalarStyle::Plain };
                let key = if quoted { format!("\"{key}\"") } else { key.to_owned() };
                Replacement::insert(behind.value.end(), format!(", {key}: {}", written(wanted, style)))
            }
            Layout::Block(column) => {
                let at = file.line_end(behind.value.end());
                let (feed, indent) = (file.line_feed(at), " ".repeat(column));
                let line = format!("{feed}{indent}{key}: {}", written(wanted, ScalarStyle::Plain));
                Replacement::insert(at, line)
            }
        }
    }

    /// An entry without this key.
    fn without(&self, layout: Layout, pairs: &[Pair], index: usize) -> Replacement {
        let file = self.file;
        let Pair { key, value } = &pairs[index];
        let range = match (layout, index.checked_sub(1), pairs.get(index + 1)) {
            (Layout::Flow, Some(previous), _) => pairs[previous].value.end()..value.end(),
            (Layout::Flow, None, Some(next)) => key.span.start..next.key.span.start,
            (Layout::Flow, None, None) => key.span.start..value.end(),
            (Layout::Block(_), Some(_), _) => {
                let (start, end) = (file.line_start(key.span.start), file.next_line(value.end()));
                // The last line of a file that does not end in a line end.
                let open = file.line_end(value.end()) == end;
                if open { file.line_end(pairs[index - 1].value.end())..end } else { start..end }
            }
            // What comes next moves up behind the dash.
            (Layout::Block(_), None, _) => {
                let next = file.next_line(value.end());
                let rest = &file.text()[next..];
                key.span.start..next + (rest.len() - rest.trim_start_matches([' ', '\n', '\r']).len())
            }
        };
        Replacement::new(range, "")
    }
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
