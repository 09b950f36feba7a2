//! Sets an image in plain manifests: any YAML file in which `image: REPOSITORY[:TAG][@DIGEST]` stands.
//!
//! All places of the repository are set, in all documents of the file and however deep; the repository keeps its spelling and
//! the value its quotes. An `image` that is no reference (a mapping, a placeholder) is none.

use super::error::{EditError, Why};
use super::image::NewImage;
use super::proof::{self, Step, Subject};
use super::scalar::set_value;
use super::source::{Edited, SourceFile};
use super::tree::{NodeKind, Pair, YamlDocument, YamlNode};
use crate::model::ImageName;

/// The key.
const IMAGE: &str = "image";

/// The images of one repository.
struct Places<'a>(&'a NewImage);

impl Places<'_> {
    /// What the value becomes, if it is an image of the repository.
    fn set(&self, value: &str) -> Option<String> {
        ImageName::parse(value).ok()?;
        // What stands before the tag, as it is written.
        let written = value.split_once('@').map_or(value, |(written, _)| written);
        let tag = written.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let repository = tag.map_or(written, |(repository, _)| repository);
        self.0.is_at(repository).then(|| self.0.reference(repository))
    }
}

impl Subject for Places<'_> {
    fn rewritten(&self, path: &[Step], value: Option<&str>) -> Option<String> {
        let image = matches!(path.last(), Some(Step::Key(key)) if key == IMAGE);
        value.filter(|_| image).and_then(|value| self.set(value))
    }
}

/// The images of this repository that stand in a manifest, each as it is written, with its line.
///
/// # Errors
/// The file cannot be read.
pub fn manifest_images(file: &SourceFile, image: &NewImage) -> Result<Vec<(usize, String)>, EditError> {
    let (documents, _) = proof::read(file, &Places(image), false)?;
    let mut found = Vec::new();
    each_image(file, &documents, &mut |node, _, value| {
        if Places(image).set(value).is_some() {
            found.push((file.line(node.span.start), value.to_owned()));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The file has no image of the repository.
pub(super) fn none(file: &SourceFile, image: &NewImage) -> EditError {
    file.fault(None, Why::NoImage(image.repository.to_string()))
}

/// Sets all images of the repository.
///
/// # Errors
/// The file cannot be read or edited, has no image of the repository, or more than the images would change.
pub fn edit_manifest(file: &SourceFile, image: &NewImage) -> Result<Edited, EditError> {
    let places = Places(image);
    let (documents, expected) = proof::read(file, &places, true)?;
    let (mut changes, mut found) = (Vec::new(), false);
    each_image(file, &documents, &mut |_, pair, value| {
        if let Some(wanted) = places.set(value) {
            found = true;
            if wanted != value {
                changes.push(set_value(file, pair, &wanted)?);
            }
        }
        Ok(())
    })?;
    if !found {
        return Err(none(file, image));
    }
    if changes.is_empty() {
        return Ok(Edited::Unchanged);
    }
    let after = file.with(changes);
    proof::unchanged_but_for(&places, file, &expected, &after)?;
    Ok(Edited::Changed(after.text().to_owned()))
}

type Visit<'v> = dyn FnMut(&YamlNode, &Pair, &str) -> Result<(), EditError> + 'v;

/// All texts that are the value of a key `image`.
fn each_image(file: &SourceFile, documents: &[YamlDocument], visit: &mut Visit<'_>) -> Result<(), EditError> {
    documents.iter().try_for_each(|document| walk(file, &document.root, visit))
}

fn walk(file: &SourceFile, node: &YamlNode, visit: &mut Visit<'_>) -> Result<(), EditError> {
    match &node.kind {
        NodeKind::Sequence(_, items) => items.iter().try_for_each(|item| walk(file, &item.node, visit)),
        NodeKind::Mapping(_, pairs) => pairs.iter().try_for_each(|pair| {
            let image = pair.key.text(file.text()).is_some_and(|key| key == IMAGE);
            match pair.value.text(file.text()).filter(|_| image) {
                Some(value) => visit(&pair.value, pair, &value),
                None => walk(file, &pair.value, visit),
            }
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, Repository, Tag};

    fn edited(text: &str) -> Result<Edited, EditError> {
        let repository = Repository::parse("docker.io/acme/app").unwrap();
        let image = NewImage { repository, tag: Tag::parse("v2").unwrap(), digest: Some(Digest::of(b"")) };
        edit_manifest(&SourceFile::new("m.yaml", text.as_bytes()).unwrap(), &image)
    }

    #[test]
    fn all_places_of_the_repository_are_set_and_no_others() {
        let set = format!("v2@{}", Digest::of(b""));
        let before = "# a\r\nspec:\r\n  image: acme/app\r\n  containers:\r\n  - image: 'acme/app:v1' # c\r\n    name: acme/app\r\n  \
                      - {image: \"docker.io/acme/app@sha256:0000000000000000000000000000000000000000000000000000000000000000\", n: 1}\r\n\
                      ---\r\nimage:\r\n  image: acme/app2:v1\r\n  images: acme/app:v1\r\n---\r\nimage: index.docker.io/acme/app:v0\r\n\
                      more:\r\n- image: acme/app:$TAG\r\n- image: Acme/app:v1\r\n- text: |\r\n    image: acme/app:v1\r\n";
        let after = before
            .replace("image: acme/app\r", &format!("image: acme/app:{set}\r"))
            .replace("'acme/app:v1'", &format!("'acme/app:{set}'"))
            .replace(
                "app@sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
                &format!("app:{set}\""),
            )
            .replace("index.docker.io/acme/app:v0", &format!("index.docker.io/acme/app:{set}"));
        assert_eq!(edited(before), Ok(Edited::Changed(after.clone())));
        assert_eq!(edited(&after), Ok(Edited::Unchanged));
        let image = NewImage {
            repository: Repository::parse("docker.io/acme/app2").unwrap(),
            tag: Tag::parse("v2").unwrap(),
            digest: None,
        };
        let file = SourceFile::new("m.yaml", before.as_bytes()).unwrap();
        assert_eq!(manifest_images(&file, &image), Ok(vec![(10, "acme/app2:v1".to_owned())]));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for (text, message) in [
            (
                "image: acme/other:v1\n",
                "`m.yaml`: no `image:` of the repository `docker.io/acme/app` is in the file",
            ),
            (
                "a: &a acme/app:v1\nimage: *a\n",
                "`m.yaml`: no `image:` of the repository `docker.io/acme/app` is in the file",
            ),
            (
                "image: &a acme/app:v1\nb: *a\n",
                "`m.yaml`: the edit would change more than the image: `b` would be another value",
            ),
            (
                "a: &a acme/app:v1\nb: {image: acme/app}\nimage: *a\n",
                "`m.yaml`: the edit would change more than the image: `image` would be another value",
            ),
            ("image: acme/app\nimage: acme/app\n", "`m.yaml`, line 2: the key `image` appears twice"),
        ] {
            assert_eq!(edited(text).unwrap_err().to_string(), message, "{text}");
        }
        let shared = "image: &a acme/app:v1\nb: {image: *a}\n";
        let set = format!("image: &a acme/app:v2@{}\nb: {{image: *a}}\n", Digest::of(b""));
        assert_eq!(edited(shared), Ok(Edited::Changed(set)), "an alias that is the image, too");
    }
}
