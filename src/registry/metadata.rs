//! What was published, read again from the registry: digests and sizes for the outputs and the summary.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Child, Document, Image};
use super::manifest::Manifest;
use crate::model::{Digest, Platform, Repository};

/// An image as the registry holds it: the output `metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageMetadata {
    /// Of the index, or of the manifest of an image for one platform.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Bytes in the registry, compressed; what platforms share counts for each of them.
    pub size: u64,
    /// The images in the order of the index.
    pub platforms: Vec<PlatformMetadata>,
    /// Attestation manifests in the order of the index.
    pub attestations: Vec<AttestationMetadata>,
}

/// The image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformMetadata {
    /// Absent where neither index nor config says it.
    pub platform: Option<Platform>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Bytes of manifest, config and layers, compressed.
    pub size: u64,
    /// The digest of its config, Docker's image id; absent for what is no image.
    pub config_digest: Option<Digest>,
    /// Its layers from the first, without those that a registry does not keep.
    #[serde(skip)]
    pub layers: Vec<Layer>,
}

/// A layer as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its digest, compressed.
    pub digest: Digest,
    /// Its bytes, compressed.
    pub size: u64,
    /// The instruction that made it, on one line without control characters, where that is known.
    pub made_by: Option<String>,
}

/// Statements about one image of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttestationMetadata {
    /// The digest of the attestation manifest.
    pub digest: Digest,
    /// The manifest that it is about.
    pub subject: Option<Digest>,
    /// Bytes of the manifest alone.
    pub size: u64,
}

/// Entries of an index that are read; BuildKit knows a quarter as many platforms.
const MAX_CHILDREN: usize = 100;
/// Manifests that are read at the same time.
const IN_PARALLEL: usize = 4;

impl RegistryClient {
    /// Reads an image's index and manifests from the registry.
    pub async fn metadata(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<ImageMetadata, RegistryError> {
        let manifest = self.get_manifest(repository, digest).await?;
        self.metadata_of(repository, &manifest).await
    }

    /// As [`Self::metadata`], for an index or manifest that was just read: its own bytes are not fetched again.
    pub async fn metadata_of(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<ImageMetadata, RegistryError> {
        let own_size = length(manifest);
        let mut metadata = ImageMetadata {
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            size: 0,
            platforms: Vec::new(),
            attestations: Vec::new(),
        };
        match self.document(repository, manifest)? {
            Document::Image(image) => {
                let config = self.get_blob(repository, &image.config).await?;
                let platform = index::config_platform(&config);
                metadata.platforms.push(of_image(platform, &manifest.digest, own_size, image));
                metadata.size = metadata.platforms[0].size;
            }
            Document::Index(children) => {
                if children.len() > MAX_CHILDREN {
                    let kind = Kind::Protocol(format!(
                        "its index has {} entries, more than {MAX_CHILDREN}",
                        children.len()
                    ));
                    return Err(self.fail(&doing(repository, &manifest.digest), kind));
                }
                metadata.attestations = children.iter().filter_map(attestation).collect();
                let images = children.into_iter().filter(|child| child.attests.is_none());
                metadata.platforms = futures_util::stream::iter(images)
                    .map(|child| self.child(repository, child))
                    .buffered(IN_PARALLEL)
                    .try_collect()
                    .await?;
                let sizes = metadata.platforms.iter().map(|p| p.size);
                let sizes = sizes.chain(metadata.attestations.iter().map(|a| a.size));
                metadata.size = sizes.fold(own_size, u64::saturating_add);
            }
        }
        Ok(metadata)
    }

    /// What a manifest or an index names as its content: layers, or manifests. A build cache is kept in either form.
    pub fn content_of(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<BTreeSet<Digest>, RegistryError> {
        Ok(match self.document(repository, manifest)? {
            Document::Image(image) => image.layers.into_iter().map(|(digest, _)| digest).collect(),
            Document::Index(children) => children.into_iter().map(|child| child.digest).collect(),
        })
    }

    async fn child(&self, repository: &Repository, child: Child) -> Result<PlatformMetadata, RegistryError> {
        let manifest = self.get_manifest(repository, &child.digest).await?;
        match self.document(repository, &manifest)? {
            Document::Image(image) => Ok(of_image(child.platform, &child.digest, length(&manifest), image)),
            // An index in an index: nobody runs it as an image.
            Document::Index(_) => Ok(PlatformMetadata {
                platform: child.platform,
                digest: child.digest,
                size: length(&manifest),
                config_digest: None,
                layers: Vec::new(),
            }),
        }
    }

    fn document(&self, repository: &Repository, manifest: &Manifest) -> Result<Document, RegistryError> {
        index::parse(&manifest.bytes, &manifest.media_type).map_err(|error| {
            self.fail(&doing(repository, &manifest.digest), Kind::Protocol(error.to_string()))
        })
    }
}

fn doing(repository: &Repository, digest: &Digest) -> String {
    format!("read the manifest `{digest}` of `{}`", repository.path())
}

fn length(manifest: &Manifest) -> u64 {
    u64::try_from(manifest.bytes.len()).unwrap_or(u64::MAX)
}

fn of_image(platform: Option<Platform>, digest: &Digest, own_size: u64, image: Image) -> PlatformMetadata {
    let layers = image.layers.into_iter();
    PlatformMetadata {
        platform,
        digest: digest.clone(),
        size: own_size.saturating_add(image.blobs_size),
        config_digest: Some(image.config),
        layers: layers.map(|(digest, size)| Layer { digest, size, made_by: None }).collect(),
    }
}

fn attestation(child: &Child) -> Option<AttestationMetadata> {
    let subject = child.attests.as_ref()?.0.clone();
    Some(AttestationMetadata { digest: child.digest.clone(), subject, size: child.size })
}
