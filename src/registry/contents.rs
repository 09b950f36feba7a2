//! An image that is there already, read as a whole before anybody relies on it: the images of its index, each there and each
//! an image; what it says of itself.
//!
//! Its author is a stranger. What is no image (an artifact, a build cache, a manifest of Docker's schema 1, an index that names
//! none or names an index) is told with the reason, and is no failure of the registry. Layers are not looked for: they are
//! the registry's promise.

use std::collections::{BTreeMap, BTreeSet};

use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Child, Document, ImageConfig};
use super::join::annotations_of;
use super::manifest::Manifest;
use super::stamp;
use crate::model::{Digest, Platform, Repository, Stamp, text};
use futures_util::{StreamExt as _, TryStreamExt as _};

/// Entries of an index that are read; BuildKit knows a quarter as many platforms.
const MAX_CHILDREN: usize = 100;
/// Manifests that are read at the same time.
const IN_PARALLEL: usize = 4;

/// What a manifest or an index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The annotations of the index, if it is one.
    pub index: Option<BTreeMap<String, String>>,
    /// Its images in the order of the index, at least one.
    pub images: Vec<OneImage>,
    /// The images that attestations of the index are about.
    pub attested: BTreeSet<Digest>,
    /// What the index says in its annotations.
    said: Stamp,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it runs on; absent where neither index nor config says it.
    pub platform: Option<Platform>,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// The digest of its config.
    config: Digest,
    /// What its manifest says in its annotations.
    said: Stamp,
}

/// It is no image: why, as the end of a sentence. Free of control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoImage(pub String);

impl RegistryClient {
    /// The digests of the manifests of images in what a digest of this repository names, with their platforms as far as they
    /// are said: an image's own, without one, if it is no index.
    pub async fn manifests_in(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Result<Vec<(Option<Platform>, Digest)>, NoImage>, RegistryError> {
        let top = self.get_manifest(repository, digest).await?;
        Ok(match index::parse(&top.bytes, &top.media_type) {
            Err(error) => Err(NoImage(error.to_string())),
            Ok(Document::Image(_)) => Ok(vec![(None, top.digest)]),
            Ok(Document::Index(children)) => {
                let images = children.into_iter().filter(|child| child.attests.is_none());
                Ok(images.map(|child| (child.platform, child.digest)).collect())
            }
        })
    }

    /// Reads what a manifest or an index of this repository holds.
    pub async fn contents(
        &self,
        repository: &Repository,
        top: &Manifest,
    ) -> Result<Result<Contents, NoImage>, RegistryError> {
        let said = stamp::annotations(top);
        let children = match index::parse(&top.bytes, &top.media_type) {
            Err(error) => return Ok(Err(NoImage(error.to_string()))),
            Ok(Document::Image(image)) => {
                let mut one = match one_image(top, image, None) {
                    Ok(one) => one,
                    Err(why) => return Ok(Err(why)),
                };
                one.platform = self.config_of(repository, &one).await?.platform;
                let (index, attested) = (None, BTreeSet::new());
                return Ok(Ok(Contents { index, images: vec![one], attested, said: Stamp::default() }));
            }
            Ok(Document::Index(children)) if children.len() > MAX_CHILDREN => {
                let why = format!("its index has {} entries, more than {MAX_CHILDREN}", children.len());
                return Ok(Err(NoImage(why)));
            }
            Ok(Document::Index(children)) => children,
        };
        let attests = |child: &Child| child.attests.as_ref()?.0.clone();
        let attested = children.iter().filter_map(attests).collect();
        let images: Vec<Child> = children.into_iter().filter(|child| child.attests.is_none()).collect();
        if images.is_empty() {
            return Ok(Err(NoImage("its index names no image".into())));
        }
        let images: Vec<Result<OneImage, NoImage>> = futures_util::stream::iter(images)
            .map(|child| self.one_of(repository, child))
            .buffered(IN_PARALLEL)
            .try_collect()
            .await?;
        let images: Result<Vec<OneImage>, NoImage> = images.into_iter().collect();
        let index = Some(annotations_of(top));
        Ok(images.map(|images| Contents { index, images, attested, said }))
    }

    async fn one_of(
        &self,
        repository: &Repository,
        child: Child,
    ) -> Result<Result<OneImage, NoImage>, RegistryError> {
        let manifest = self.get_manifest(repository, &child.digest).await?;
        Ok(match index::parse(&manifest.bytes, &manifest.media_type) {
            Ok(Document::Image(image)) => one_image(&manifest, image, child.platform),
            Ok(Document::Index(_)) => {
                Err(NoImage(format!("its index names another index, {}", child.digest)))
            }
            Err(error) => Err(NoImage(format!("of {} {error}", child.digest))),
        })
    }

    /// What the config of an image says. One that is gone or makes no sense says nothing.
    pub async fn config_of(
        &self,
        repository: &Repository,
        image: &OneImage,
    ) -> Result<ImageConfig, RegistryError> {
        match self.get_blob(repository, &image.config).await {
            Ok(config) => Ok(ImageConfig::read(&config)),
            Err(error) => match error.kind() {
                Kind::Digest { .. } | Kind::TooLarge { .. } => Ok(ImageConfig::default()),
                Kind::ErrorResponse(answer) if answer.status == 404 => Ok(ImageConfig::default()),
                _ => Err(error),
            },
        }
    }
}

impl Contents {
    /// What one of its images says of itself: the index's word goes before that of the manifest, and that before the config's.
    pub fn stamp(&self, image: &OneImage, config: &ImageConfig) -> Stamp {
        self.said.clone().or(image.said.clone()).or(Stamp::read(&config.labels))
    }
}

fn one_image(
    manifest: &Manifest,
    image: index::Image,
    platform: Option<Platform>,
) -> Result<OneImage, NoImage> {
    if let Some(kind) = image.artifact_type {
        return Err(NoImage(format!("it is an artifact of type `{}`", text::name(&kind))));
    }
    let said = stamp::annotations(manifest);
    let (digest, config, annotations) = (manifest.digest.clone(), image.config, image.annotations);
    Ok(OneImage { digest, platform, annotations, config, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_word_counts() {
        let commit = |digit: &str| digit.repeat(40);
        let said = |key: &str, digit: &str| Stamp::read(&[(key.to_owned(), commit(digit))].into());
        let (stamp, label) = ("io.github.docker-push-action.commit", "org.opencontainers.image.revision");
        let image = OneImage {
            digest: Digest::of(b"image"),
            platform: None,
            annotations: BTreeMap::new(),
            config: Digest::of(b"config"),
            said: Stamp::default(),
        };
        let contents = |said| Contents { index: None, images: Vec::new(), attested: BTreeSet::new(), said };
        let config = ImageConfig { labels: [(label.to_owned(), commit("3"))].into(), platform: None };
        let annotated = OneImage { said: said(label, "2"), ..image.clone() };
        for (index, image, expected) in [
            (said(stamp, "1"), &annotated, "1"),
            (Stamp::default(), &annotated, "2"),
            (Stamp::default(), &image, "3"),
        ] {
            let found = contents(index).stamp(image, &config).commit.unwrap();
            assert_eq!(found.as_str(), commit(expected));
        }
    }
}
