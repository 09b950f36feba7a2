//! What becomes of an image when every entry of `images` has had its turn.
//!
//! kustomize applies the entries in their order, each to what those before it have made of the image; and the name of an entry is
//! a regular expression there (`api/filters/imagetag` and `api/internal/image`). So an entry whose name is the repository that
//! another one gives replaces that one's tag. An edit that would be lost so is none.

use std::borrow::Cow;

use regex::RegexBuilder;
use serde_yaml::Value;

use super::document::field_value;

/// What may follow a name.
const TAIL: &str = "(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$";

/// Bytes that a compiled name may take: nobody writes one that takes more.
const LARGEST: usize = 1 << 18;

/// An image while it is passed from entry to entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Passed {
    repository: String,
    tag: String,
    digest: String,
}

impl Passed {
    fn is_matched_by(&self, name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
        if name.chars().all(plain) {
            let any = |(theirs, ours): (u8, u8)| theirs == b'.' || theirs == ours;
            return name.len() == self.repository.len() && name.bytes().zip(self.repository.bytes()).all(any);
        }
        let pattern = RegexBuilder::new(&format!("^{name}{TAIL}")).size_limit(LARGEST).build();
        pattern.is_ok_and(|pattern| pattern.is_match(&self.to_string()))
    }

    /// As this entry leaves it.
    fn after(self, entry: &Value) -> Self {
        let set = |key: &str| text(entry, key).filter(|text| !text.is_empty()).map(Cow::into_owned);
        let repository = set("newName").unwrap_or(self.repository);
        let (tag, digest) = match (set("newTag"), set("digest"), set("tagSuffix")) {
            (None, None, None) => (self.tag, self.digest),
            (None, None, Some(suffix)) => (self.tag + &suffix, String::new()),
            (tag, digest, _) => (tag.unwrap_or_default(), digest.unwrap_or_default()),
        };
        Self { repository, tag, digest }
    }
}

impl std::fmt::Display for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repository)?;
        for (before, part) in [(":", &self.tag), ("@", &self.digest)] {
            if !part.is_empty() {
                write!(f, "{before}{part}")?;
            }
        }
        Ok(())
    }
}

/// The entry that makes something else of the image of this name than its own entry says; its place among the others.
pub(super) fn overriding<'v>(entries: impl Iterator<Item = &'v Value>, name: &str) -> Option<usize> {
    let mut image = Passed { repository: name.to_owned(), ..Passed::default() };
    let (mut set, mut place, mut last) = (None, 0, None);
    for entry in entries {
        let own = text(entry, "name").unwrap_or_default();
        let is_it = own == name;
        if image.is_matched_by(&own) {
            let after = image.clone().after(entry);
            if is_it {
                set = Some(after.clone());
            } else if after != image {
                last = Some(place);
            }
            image = after;
        }
        place += usize::from(!is_it);
    }
    last.filter(|_| set != Some(image))
}

/// A field as a text; of what is no text, that there is something.
fn text<'v>(entry: &'v Value, key: &str) -> Option<Cow<'v, str>> {
    match field_value(entry, key)? {
        Value::Null => None,
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => Some("?".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_have_the_last_word() {
        let digest = "digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'";
        for (entries, expected) in [
            ("- {name: api, newTag: v2}", None),
            ("- {name: api, newName: r/api, newTag: v2}\n- {name: r/api, newTag: v1}", Some(0)),
            ("- {name: r/api, newTag: v1}\n- {name: api, newName: r/api, newTag: v2}", None),
            ("- {name: api, newName: r/api, newTag: v2}\n- {name: r/api}", None),
            ("- {name: api, newName: r/api, newTag: v2}\n- {name: r/api, newTag: v2}", None),
            ("- {name: api, newName: r/api, newTag: v2}\n- {name: r/api, tagSuffix: -x}", Some(0)),
            (
                "- {name: web, newTag: v3}\n- {name: api, newName: r/api, newTag: v2}\n- {name: r/api, newName: r/x}",
                Some(1),
            ),
            // What is renamed before its own entry never gets there.
            ("- {name: a.i, newName: r/api}\n- {name: api, newTag: v2}", Some(0)),
            ("- {name: a.i, newTag: v1}\n- {name: api, newTag: v2}", None),
            ("- {name: api, newTag: v2}\n- {name: 'ap.*', newTag: v1}", Some(0)),
            ("- {name: api, newTag: v2}\n- {name: 'a[', newTag: v1}", None),
            ("- {name: api, newTag: v2}\n- {name: 'api:v2', newTag: v1}", Some(0)),
            ("- {name: api, newName: 'r:5000/api', newTag: 2}\n- {name: 'r:5000/api', newTag: 1}", Some(0)),
            (&format!("- {{name: api, newTag: v2, {digest}}}\n- {{name: api., newTag: v1}}"), None),
            // There and back again.
            ("- {name: api, newName: b, newTag: v2}\n- {name: b, newName: c}\n- {name: c, newName: b}", None),
        ] {
            let values: Vec<Value> = serde_yaml::from_str(entries).unwrap();
            assert_eq!(overriding(values.iter(), "api"), expected, "{entries}");
        }
    }
}
