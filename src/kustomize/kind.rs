//! The kinds of files that say which image an environment runs, as one: which images stand there, and the edit that sets ours.

use super::document::{ImageEntry, Kustomization};
use super::edit::edit;
use super::error::EditError;
use super::image::NewImage;
use super::manifest::{edit_manifest, manifest_images};
use super::source::{Edited, SourceFile};
use super::values::{ValuesPaths, edit_values, value_at};

/// A kind of file, and where in it the image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A kustomization: the entry of `images` that has this `name`.
    Kustomization {
        /// The image as the resources name it.
        image: String,
    },
    /// A manifest: every `image:` of our repository.
    Manifest,
    /// A Helm values file: what stands at these paths.
    Values(ValuesPaths),
}

/// An image as a file says it; what is not written there is `None`. The texts are as hostile as the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenImage {
    /// The repository, where the file says one.
    pub repository: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<String>,
}

impl WrittenImage {
    /// Reads `repository[:tag][@digest]`.
    fn of_reference(text: &str) -> Self {
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.to_owned())),
            None => (text, None),
        };
        let (repository, tag) = match named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (named, None),
        };
        Self { repository: Some(repository.to_owned()), tag, digest }
    }

    fn of_entry(entry: &ImageEntry) -> Self {
        let repository = entry.new_name.clone().or_else(|| Some(entry.name.clone()));
        Self { repository, tag: entry.new_tag.clone(), digest: entry.digest.clone() }
    }
}

impl FileKind {
    /// The images that stand in the file where ours is to stand; none where a kustomization has no entry for it yet.
    ///
    /// # Errors
    /// The file cannot be read, or has no place for the image.
    pub fn images(&self, file: &SourceFile, image: &NewImage) -> Result<Vec<WrittenImage>, EditError> {
        match self {
            Self::Kustomization { image: name } => {
                let kustomization = Kustomization::read(file)?;
                Ok(kustomization.image(name)?.map(WrittenImage::of_entry).into_iter().collect())
            }
            Self::Manifest => {
                let found = manifest_images(file, image)?;
                if found.is_empty() {
                    return Err(super::manifest::none(file, image));
                }
                Ok(found.iter().map(|(_, written)| WrittenImage::of_reference(written)).collect())
            }
            Self::Values(paths) => {
                let at = |path| value_at(file, path).map(|text| text.filter(|text| !text.is_empty()));
                let tag = at(&paths.tag)?;
                let repository = paths.repository.as_ref().map(at).transpose()?.flatten();
                let digest = paths.digest.as_ref().map(at).transpose()?.flatten();
                Ok(vec![WrittenImage { repository, tag, digest }])
            }
        }
    }

    /// Sets the image.
    ///
    /// # Errors
    /// The file cannot be read or edited, has no place for the image, or more than the image would change.
    pub fn edit(&self, file: &SourceFile, image: &NewImage) -> Result<Edited, EditError> {
        match self {
            Self::Kustomization { image: name } => edit(file, name, image),
            Self::Manifest => edit_manifest(file, image),
            Self::Values(paths) => edit_values(file, paths, image),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kustomize::KeyPath;
    use crate::model::{Repository, Tag};

    fn image() -> NewImage {
        NewImage {
            repository: Repository::parse("ghcr.io/acme/app").unwrap(),
            tag: Tag::parse("v2").unwrap(),
            digest: None,
        }
    }

    fn written(repository: &str, tag: &str, digest: &str) -> WrittenImage {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        WrittenImage { repository: text(repository), tag: text(tag), digest: text(digest) }
    }

    #[test]
    fn what_each_kind_of_file_says() {
        let kustomization = || FileKind::Kustomization { image: "app".into() };
        let path = |path: &str| KeyPath::parse(path).unwrap();
        let values = |repository: Option<&str>, digest: Option<&str>| {
            FileKind::Values(ValuesPaths {
                tag: path("image.tag"),
                repository: repository.map(path),
                digest: digest.map(path),
            })
        };
        for (kind, text, expected) in [
            (kustomization(), "images:\n- name: app\n", vec![written("app", "", "")]),
            (
                kustomization(),
                "images:\n- name: app\n  newName: r.io/x\n  newTag: 1.10\n  digest: sha256:00\n",
                vec![written("r.io/x", "1.10", "sha256:00")],
            ),
            (kustomization(), "resources: []\n", vec![]),
            (
                FileKind::Manifest,
                "a:\n- image: ghcr.io/acme/app:v1\n- image: ghcr.io/acme/app\n- image: nginx:1\n",
                vec![written("ghcr.io/acme/app", "v1", ""), written("ghcr.io/acme/app", "", "")],
            ),
            (values(None, None), "image: {tag: v1, digest: x}\n", vec![written("", "v1", "")]),
            (
                values(Some("image.name"), Some("image.digest")),
                "image: {tag: v1, name: r.io/x, digest: ''}\n",
                vec![written("r.io/x", "v1", "")],
            ),
        ] {
            let file = SourceFile::new("f.yaml", text.as_bytes()).unwrap();
            assert_eq!(kind.images(&file, &image()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_file_without_a_place_for_the_image_is_told() {
        let file = SourceFile::new("f.yaml", b"image: nginx:1\n").unwrap();
        let fault = FileKind::Manifest.images(&file, &image()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "`f.yaml`: no `image:` of the repository `ghcr.io/acme/app` is in the file"
        );
        let path = KeyPath::parse("image.tag").unwrap();
        let values = FileKind::Values(ValuesPaths { tag: path, repository: None, digest: None });
        assert!(values.images(&file, &image()).is_err());
    }

    #[test]
    fn references_are_taken_apart() {
        for (text, expected) in [
            ("a/b", written("a/b", "", "")),
            ("a/b:1@sha256:00", written("a/b", "1", "sha256:00")),
            ("localhost:5000/a", written("localhost:5000/a", "", "")),
            ("localhost:5000/a:x", written("localhost:5000/a", "x", "")),
        ] {
            assert_eq!(WrittenImage::of_reference(text), expected, "{text}");
        }
    }
}
