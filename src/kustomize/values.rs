//! Sets an image in a Helm values file, by paths of keys: `image.tag`, `"app.kubernetes.io/web".image.digest`,
//! `containers[0].tag`.

use std::fmt;

use super::error::{EditError, Why};
use super::image::NewImage;
use super::proof::{self, Reading, Step, Subject, shown};
use super::scalar::set_value;
use super::source::{Edited, SourceFile};
use super::tree::{NodeKind, Pair, YamlDocument, YamlNode};
use crate::model::text;

/// A way into a file, key by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath(Vec<Step>);

/// The text is no path of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a path of keys (for example `image.tag`, `containers[0].tag`, or `\"a.b\".tag` for a key with a dot)"
)]
pub struct InvalidKeyPath(String);

/// Where a values file has the parts of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesPaths {
    /// The tag.
    pub tag: KeyPath,
    /// The repository, where it is to be set.
    pub repository: Option<KeyPath>,
    /// The digest, where it is to be set; an image without one empties it.
    pub digest: Option<KeyPath>,
}

impl KeyPath {
    /// Reads `key.key`, `key[0]` and `"key with dots".key`.
    ///
    /// # Errors
    /// It is empty, or a part of it is.
    pub fn parse(path: &str) -> Result<Self, InvalidKeyPath> {
        let invalid = || InvalidKeyPath(text::name(path));
        let (mut steps, mut rest) = (Vec::new(), path);
        loop {
            let key;
            (key, rest) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(invalid)?,
                None => rest.split_at(rest.find(['.', '[', '"']).unwrap_or(rest.len())),
            };
            if key.is_empty() {
                return Err(invalid());
            }
            steps.push(Step::Key(key.to_owned()));
            while let Some(index) = rest.strip_prefix('[') {
                let (index, behind) = index.split_once(']').ok_or_else(invalid)?;
                steps.push(Step::Index(index.parse().map_err(|_| invalid())?));
                rest = behind;
            }
            match rest.strip_prefix('.') {
                Some(more) => rest = more,
                None if rest.is_empty() => return Ok(Self(steps)),
                None => return Err(invalid()),
            }
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// The paths, with what is to stand there.
struct Wanted(Vec<(KeyPath, String)>);

impl Subject for Wanted {
    fn rewritten(&self, path: &[Step], _: Option<&str>) -> Option<String> {
        let mut found = self.0.iter().filter(|(wanted, _)| wanted.0 == path);
        found.next().map(|(_, value)| value.clone())
    }
}

/// The text at this path, if the file has it.
///
/// # Errors
/// The file cannot be read.
pub fn value_at(file: &SourceFile, path: &KeyPath) -> Result<Option<String>, EditError> {
    let document = document(file)?;
    let pair = find(file, &document.root, path)?;
    Ok(pair.value.text(file.text()).map(std::borrow::Cow::into_owned))
}

/// Sets the image at these paths.
///
/// # Errors
/// The file cannot be read or edited, lacks a path, or more than the image would change.
pub fn edit_values(file: &SourceFile, paths: &ValuesPaths, image: &NewImage) -> Result<Edited, EditError> {
    let document = document(file)?;
    let mut wanted = vec![(paths.tag.clone(), image.tag.to_string())];
    if let Some(path) = &paths.repository {
        let written = find(file, &document.root, path)?.value.text(file.text()).unwrap_or_default();
        wanted.push((path.clone(), image.repository_beside(&written)));
    }
    if let Some(path) = &paths.digest {
        let digest = image.digest.as_ref().map(ToString::to_string).unwrap_or_default();
        wanted.push((path.clone(), digest));
    }
    let mut changes = Vec::new();
    for (path, value) in &wanted {
        let pair = find(file, &document.root, path)?;
        // A number in place of a text is written anew: `1.10` is `1.1` for Helm.
        let same = pair.value.text(file.text()).is_some_and(|text| text == value.as_str());
        let replacement = set_value(file, pair, value)?;
        let is_text = file.text().get(replacement.range.clone()) == Some(replacement.text.as_str())
            || file.text()[pair.value.span.clone()].starts_with(['"', '\'']);
        if !(same && is_text) {
            changes.push(replacement);
        }
    }
    if changes.is_empty() {
        return Ok(Edited::Unchanged);
    }
    let wanted = Wanted(wanted);
    let expected = Reading::of(file, &wanted, true)?;
    let after = file.with(changes);
    proof::unchanged_but_for(&wanted, file, &expected, &after)?;
    Ok(Edited::Changed(after.text().to_owned()))
}

/// The one document of a values file.
fn document(file: &SourceFile) -> Result<YamlDocument, EditError> {
    let (mut documents, _) = proof::read(file, &Wanted(Vec::new()), false)?;
    match documents.get(1) {
        Some(second) if !matches!(second.root.kind, NodeKind::Empty) => {
            Err(file.fault(Some(second.root.span.start), Why::SeveralDocuments))
        }
        _ => Ok(documents.swap_remove(0)),
    }
}

/// The pair that a path leads to.
fn find<'n>(file: &SourceFile, root: &'n YamlNode, path: &KeyPath) -> Result<&'n Pair, EditError> {
    let (mut node, mut pair) = (root, None);
    for (depth, step) in path.0.iter().enumerate() {
        let next = match (step, &node.kind) {
            (_, NodeKind::Alias) => {
                let what = format!("`{}`", shown(&path.0[..depth]));
                return Err(file.fault(Some(node.span.start), Why::Elsewhere { what }));
            }
            (Step::Key(key), _) => {
                let mut pairs = node.pairs().iter();
                let found =
                    pairs.find(|pair| pair.key.text(file.text()).is_some_and(|text| text == key.as_str()));
                pair = found;
                found.map(|pair| &pair.value)
            }
            (Step::Index(index), NodeKind::Sequence(_, items)) => items.get(*index).map(|item| &item.node),
            _ => None,
        };
        node = next.ok_or_else(|| {
            let why = Why::NoPath { path: path.to_string(), missing: shown(&path.0[..=depth]) };
            let at = (depth > 0).then_some(node.span.start);
            file.fault(at, why)
        })?;
    }
    pair.filter(|pair| std::ptr::eq(&raw const pair.value, node))
        .ok_or_else(|| file.fault(Some(node.span.start), Why::NotOneLine(path.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, Repository, Tag};

    fn edited(text: &str, paths: [&str; 3], tag: &str) -> Result<Edited, EditError> {
        let path = |path: &str| (!path.is_empty()).then(|| KeyPath::parse(path).unwrap());
        let [tag_path, repository, digest] = paths.map(path);
        let paths = ValuesPaths { tag: tag_path.unwrap(), repository, digest };
        let image = NewImage {
            repository: Repository::parse("ghcr.io/acme/app").unwrap(),
            tag: Tag::parse(tag).unwrap(),
            digest: Some(Digest::of(b"")),
        };
        edit_values(&SourceFile::new("values.yaml", text.as_bytes()).unwrap(), &paths, &image)
    }

    #[test]
    fn values_are_set_where_the_paths_lead() {
        let digest = Digest::of(b"");
        let all = ["image.tag", "image.repository", "image.digest"];
        for (before, paths, tag, after) in [
            ("image:\n  tag: v1 # t\n", ["image.tag", "", ""], "v2", "image:\n  tag: v2 # t\n".to_owned()),
            (
                "image: {tag: 'v1', x: 1}\n",
                ["image.tag", "", ""],
                "v2",
                "image: {tag: 'v2', x: 1}\n".to_owned(),
            ),
            ("image:\n  tag:\n", ["image.tag", "", ""], "1.10", "image:\n  tag: \"1.10\"\n".to_owned()),
            ("image:\n  tag: 1.10\n", ["image.tag", "", ""], "1.10", "image:\n  tag: \"1.10\"\n".to_owned()),
            ("image:\n  tag: ~\n", ["image.tag", "", ""], "v2", "image:\n  tag: v2\n".to_owned()),
            (
                "\"a.b\":\n- {}\n- tag: v1\n",
                ["\"a.b\"[1].tag", "", ""],
                "v2",
                "\"a.b\":\n- {}\n- tag: v2\n".to_owned(),
            ),
            (
                "image:\r\n  repository: \"x/y\"\r\n  digest: ''\r\n  tag: v1",
                all,
                "v2",
                format!("image:\r\n  repository: \"ghcr.io/acme/app\"\r\n  digest: '{digest}'\r\n  tag: v2"),
            ),
        ] {
            assert_eq!(edited(before, paths, tag), Ok(Edited::Changed(after.clone())), "{before}");
            assert_eq!(edited(&after, paths, tag), Ok(Edited::Unchanged), "{after}");
        }
    }

    #[test]
    fn paths_that_lead_nowhere_and_values_that_are_shared_are_refused() {
        for (text, path, message) in [
            (
                "image:\n  name: x\n",
                "image.tag",
                "`values.yaml`, line 2: `image.tag` is not in the file: there is no `image.tag`",
            ),
            ("a: b\n", "image.tag", "`values.yaml`: `image.tag` is not in the file: there is no `image`"),
            (
                "image: v1\n",
                "image.tag",
                "`values.yaml`, line 1: `image.tag` is not in the file: there is no `image.tag`",
            ),
            (
                "image:\n  tag: [a]\n",
                "image.tag",
                "`values.yaml`, line 2: the value of `tag` is not a text on one line",
            ),
            ("a:\n- v1\n", "a[0]", "`values.yaml`, line 2: the value of `a[0]` is not a text on one line"),
            (
                "d: &d\n  tag: v1\nimage: *d\n",
                "image.tag",
                "`values.yaml`, line 3: `image` comes from an anchor elsewhere in the file (`*…` or `<<`)",
            ),
            (
                "tag: &t v1\nb:\n  c: *t\n",
                "tag",
                "`values.yaml`: the edit would change more than the image: `b.c` would be another value",
            ),
            (
                "tag: v1\n---\na: b\n",
                "tag",
                "`values.yaml`, line 3: the file has to be one document, and here a second one begins",
            ),
        ] {
            assert_eq!(edited(text, [path, "", ""], "v2").unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn paths() {
        for good in ["tag", "image.tag", "a[0][12].b", "a-b.c_d"] {
            assert_eq!(KeyPath::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(
            KeyPath::parse("\"a.b\".c").unwrap().0,
            [Step::Key("a.b".to_owned()), Step::Key("c".to_owned())]
        );
        for bad in ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[x]", "a[0]b", "\"a", "\"\"", "a\"b\""] {
            assert!(KeyPath::parse(bad).is_err(), "{bad}");
        }
        let file = SourceFile::new("v", b"image: {tag: 1.10}\n").unwrap();
        assert_eq!(value_at(&file, &KeyPath::parse("image.tag").unwrap()), Ok(Some("1.10".to_owned())));
    }
}
