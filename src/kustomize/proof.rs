//! What a parser of YAML reads in a file: the judge of every edit.
//!
//! The file is read before and after, by libyaml's port (`serde_yaml`), which kustomize's and Helm's readers descend from, too;
//! aliases are followed. All that is not the image must be the same. To be quick on long files, what is read is not kept as a
//! tree but written down in one line of bytes; only where two of these differ are trees made, to say what does.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{EnumAccessDeserializer, MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_yaml::Value;

use super::error::{EditError, Why};
use super::scan;
use super::source::SourceFile;
use super::tree::YamlDocument;
use crate::model::text;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key that is a text.
    Key(String),
    /// A key that is something else.
    OtherKey,
    /// A place in a list.
    Index(usize),
}

/// What the edit is about.
pub(super) trait Subject {
    /// Whether the value of this key of the top level is kept as a tree instead of being compared.
    fn keeps(&self, _key: &str) -> bool {
        false
    }

    /// What stands there after the edit, if the value at this place is the image.
    fn rewritten(&self, _path: &[Step], _value: Option<&str>) -> Option<String> {
        None
    }
}

/// What was read.
pub(super) struct Reading {
    /// All but what is kept.
    rest: Vec<u8>,
    /// The values of the keys that are kept, in their order.
    pub kept: Vec<(String, Value)>,
}

impl Reading {
    /// Reads all documents of a file; with `rewrite`, as they should be after the edit.
    pub(super) fn of(file: &SourceFile, subject: &dyn Subject, rewrite: bool) -> Result<Self, EditError> {
        let mut reader = Reader {
            subject,
            rewrite,
            out: Vec::with_capacity(file.text().len()),
            path: Vec::new(),
            kept: Vec::new(),
        };
        for document in serde_yaml::Deserializer::from_str(content(file)) {
            reader.out.push(b'-');
            Seed(&mut reader).deserialize(document).map_err(|fault| broken(file, &fault))?;
            reader.path.clear();
        }
        Ok(Self { rest: reader.out, kept: reader.kept })
    }

    /// Whether what is not kept is the same in both.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        self.rest == other.rest
    }
}

/// Reads a file both ways: where its values stand, and what they are.
///
/// # Errors
/// It is no YAML, has a key twice, or is written in a way that is not known here.
pub(super) fn read(
    file: &SourceFile,
    subject: &dyn Subject,
    rewrite: bool,
) -> Result<(Vec<YamlDocument>, Reading), EditError> {
    let documents = scan::documents(file.text()).map_err(|(at, why)| file.fault(Some(at), why));
    match (documents, Reading::of(file, subject, rewrite)) {
        (Ok(documents), Ok(reading)) => Ok((documents, reading)),
        // Of which the parser knows the mapping only.
        (Err(twice @ EditError { why: Why::DuplicateKey(_), .. }), _) => Err(twice),
        (_, Err(fault)) | (Err(fault), _) => Err(fault),
    }
}

/// The text without its byte-order mark, which this parser takes for a character of the first line.
fn content(file: &SourceFile) -> &str {
    file.text().strip_prefix('\u{feff}').unwrap_or(file.text())
}

fn broken(file: &SourceFile, fault: &serde_yaml::Error) -> EditError {
    let line = fault.location().map(|location| location.line());
    EditError { path: file.path().to_owned(), line, why: Why::Broken(text::line(&fault.to_string())) }
}

struct Reader<'a> {
    subject: &'a dyn Subject,
    rewrite: bool,
    out: Vec<u8>,
    path: Vec<Step>,
    kept: Vec<(String, Value)>,
}

impl Reader<'_> {
    fn put(&mut self, kind: u8, value: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(&value.len().to_le_bytes());
        self.out.extend_from_slice(value);
    }

    /// A value that is no collection; a text, or what was written as something else.
    fn leaf(&mut self, kind: u8, value: &str) {
        let as_text = (kind == b's').then_some(value);
        let rewritten = self.rewrite.then(|| self.subject.rewritten(&self.path, as_text)).flatten();
        match rewritten {
            Some(text) => self.put(b's', text.as_bytes()),
            None => self.put(kind, value.as_bytes()),
        }
    }
}

/// Reads one value into the reader.
struct Seed<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.leaf(b'b', if value { "true" } else { "false" });
        Ok(())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_i128(value.into())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_u128(value.into())
    }
    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.0.leaf(b'i', &value.to_string());
        Ok(())
    }
    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.0.leaf(b'i', &value.to_string());
        Ok(())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.0.leaf(b'f', &value.to_bits().to_string());
        Ok(())
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.leaf(b's', value);
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.0.path.is_empty() {
            // An empty document has no keys yet.
            self.0.out.extend(b"{}");
        } else {
            self.0.leaf(b'n', "");
        }
        Ok(())
    }
    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.out.push(b'[');
        let mut index = 0;
        loop {
            self.0.path.push(Step::Index(index));
            let more = items.next_element_seed(Seed(self.0))?;
            self.0.path.pop();
            if more.is_none() {
                break;
            }
            index += 1;
        }
        self.0.out.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let top = self.0.path.is_empty();
        self.0.out.push(b'{');
        loop {
            let before = self.0.out.len();
            let Some(key) = pairs.next_key_seed(KeySeed(self.0))? else { break };
            if let Step::Key(name) = &key
                && top
                && self.0.subject.keeps(name)
            {
                self.0.out.truncate(before);
                let name = name.clone();
                self.0.kept.push((name, pairs.next_value::<Value>()?));
                continue;
            }
            self.0.path.push(key);
            pairs.next_value_seed(Seed(self.0))?;
            self.0.path.pop();
        }
        self.0.out.push(b'}');
        Ok(())
    }

    /// A value with a tag of its own.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (tag, value) = tagged.variant::<String>()?;
        self.0.put(b'!', tag.as_bytes());
        value.newtype_variant_seed(Seed(self.0))
    }
}

/// Reads a key into the reader; its text only where somebody asks for it.
struct KeySeed<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = Step;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Step, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, '_> {
    type Value = Step;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<Step, E> {
        self.0.put(b'k', key.as_bytes());
        let named = self.0.rewrite || self.0.path.is_empty();
        Ok(if named { Step::Key(key.to_owned()) } else { Step::OtherKey })
    }
    fn visit_bool<E: Error>(self, key: bool) -> Result<Step, E> {
        Ok(self.other(&key.into()))
    }
    fn visit_i64<E: Error>(self, key: i64) -> Result<Step, E> {
        Ok(self.other(&key.into()))
    }
    fn visit_u64<E: Error>(self, key: u64) -> Result<Step, E> {
        Ok(self.other(&key.into()))
    }
    fn visit_f64<E: Error>(self, key: f64) -> Result<Step, E> {
        Ok(self.other(&key.into()))
    }
    fn visit_unit<E: Error>(self) -> Result<Step, E> {
        Ok(self.other(&Value::Null))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Step, A::Error> {
        Ok(self.other(&Value::deserialize(SeqAccessDeserializer::new(items))?))
    }
    fn visit_map<A: MapAccess<'de>>(self, pairs: A) -> Result<Step, A::Error> {
        Ok(self.other(&Value::deserialize(MapAccessDeserializer::new(pairs))?))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Step, A::Error> {
        Ok(self.other(&Value::deserialize(EnumAccessDeserializer::new(tagged))?))
    }
}

impl KeySeed<'_, '_> {
    /// A key that is no text.
    fn other(self, key: &Value) -> Step {
        self.0.put(b'o', format!("{key:?}").as_bytes());
        Step::OtherKey
    }
}

/// Holds the edit against what was asked for: all but what is kept is the same, or as it should be.
///
/// # Errors
/// The first place at which it is not, or that the result is no YAML.
pub(super) fn unchanged_but_for(
    subject: &dyn Subject,
    before: &SourceFile,
    expected: &Reading,
    after: &SourceFile,
) -> Result<Reading, EditError> {
    let more = |what: String| before.fault(None, Why::More(what));
    let reading = Reading::of(after, subject, false)
        .map_err(|fault| more(format!("the result would not be YAML ({})", fault.why)))?;
    if expected.agrees(&reading) {
        return Ok(reading);
    }
    let documents = |file: &SourceFile| -> Vec<Value> {
        let all = serde_yaml::Deserializer::from_str(content(file)).map(Value::deserialize);
        all.map(Result::unwrap_or_default).collect()
    };
    let (old, new) = (documents(before), documents(after));
    let place = old.iter().zip(&new).find_map(|(old, new)| difference(subject, &mut Vec::new(), old, new));
    Err(more(match place {
        Some(place) => format!("`{}` would be another value", text::value(&place)),
        None => "the file would be read as something else".to_owned(),
    }))
}

/// The first place at which two values differ though they should not.
fn difference(subject: &dyn Subject, path: &mut Vec<Step>, old: &Value, new: &Value) -> Option<String> {
    match (old, new) {
        (Value::Mapping(old), Value::Mapping(new)) => {
            for (key, value) in old {
                let step = key.as_str().map_or(Step::OtherKey, |key| Step::Key(key.to_owned()));
                if matches!(&step, Step::Key(key) if path.is_empty() && subject.keeps(key)) {
                    continue;
                }
                path.push(step);
                let found = match new.get(key) {
                    Some(new) => difference(subject, path, value, new),
                    None => Some(shown(path)),
                };
                if found.is_some() {
                    return found;
                }
                path.pop();
            }
            let added = new.keys().find(|key| {
                let kept = key.as_str().is_some_and(|key| path.is_empty() && subject.keeps(key));
                !kept && !old.contains_key(*key)
            })?;
            path.push(added.as_str().map_or(Step::OtherKey, |key| Step::Key(key.to_owned())));
            Some(shown(path))
        }
        (Value::Sequence(old), Value::Sequence(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                path.push(Step::Index(index));
                if let Some(found) = difference(subject, path, old, new) {
                    return Some(found);
                }
                path.pop();
            }
            None
        }
        (old, new) => {
            let expected = subject.rewritten(path, old.as_str()).map(Value::String);
            (expected.as_ref().unwrap_or(old) != new).then(|| shown(path))
        }
    }
}

/// A path as people write it.
pub(super) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::OtherKey => text.push_str(".…"),
            Step::Index(index) => text.extend(["[", &index.to_string(), "]"]),
        }
    }
    text
}
