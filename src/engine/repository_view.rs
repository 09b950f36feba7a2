//! One repository, with what was read of it: whatever was seen by its digest is not read again.

use std::cell::RefCell;
use std::collections::HashMap;

use futures_util::StreamExt as _;

use super::gather::Existing;
use super::process::Process;
use super::retry::retry;
use crate::model::{Digest, Patience, Repository, Stamp, Stamped, Tag};
use crate::plan::order::Putting;
use crate::registry::{ImageMetadata, Manifest, RegistryClient, RegistryError};

/// Tags that are read or put at the same time.
pub(super) const IN_PARALLEL: usize = 8;

/// One repository, with what was read of it.
pub(super) struct RepositoryView<'a> {
    process: &'a Process,
    /// With each request.
    patience: Patience,
    client: &'a RegistryClient,
    repository: &'a Repository,
    /// What was under tags when the registry was looked at first.
    heads: Option<&'a Existing>,
    manifests: RefCell<HashMap<Digest, Manifest>>,
    stamps: RefCell<HashMap<Digest, Stamp>>,
    metadata: RefCell<HashMap<Digest, ImageMetadata>>,
}

impl<'a> RepositoryView<'a> {
    pub(super) fn new(
        process: &'a Process,
        patience: Patience,
        client: &'a RegistryClient,
        repository: &'a Repository,
    ) -> Self {
        let (manifests, stamps, metadata) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { process, patience, client, repository, heads: None, manifests, stamps, metadata }
    }

    /// Takes what was under tags a moment ago for what is: only where nothing is moved after it.
    pub(super) fn with(self, heads: Option<&'a Existing>) -> Self {
        Self { heads, ..self }
    }

    /// A manifest, read once.
    pub(super) async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        if let Some(known) = self.manifests.borrow().get(digest) {
            return Ok(known.clone());
        }
        let get = async || self.client.get_manifest(self.repository, digest).await;
        let manifest = retry(self.process, self.patience.clone(), get).await?;
        self.manifests.borrow_mut().insert(digest.clone(), manifest.clone());
        Ok(manifest)
    }

    /// What is under each tag now.
    pub(super) async fn read(&self, tags: &[Tag]) -> Result<Vec<Option<Stamped>>, RegistryError> {
        let reading = tags.iter().map(|tag| self.stamped(tag));
        let found: Vec<_> = futures_util::stream::iter(reading).buffered(IN_PARALLEL).collect().await;
        found.into_iter().collect()
    }

    async fn stamped(&self, tag: &Tag) -> Result<Option<Stamped>, RegistryError> {
        let found = if let Some(known) = self.heads.and_then(|heads| heads.get(tag)) {
            known.clone()
        } else {
            let head = async || self.client.head_manifest(self.repository, tag).await;
            retry(self.process, self.patience.clone(), head).await?
        };
        let Some(found) = found else { return Ok(None) };
        let digest = found.digest;
        let known = self.stamps.borrow().get(&digest).cloned();
        if let Some(stamp) = known {
            return Ok(Some(Stamped { digest, stamp }));
        }
        let at_hand = self.manifests.borrow().get(&digest).cloned();
        let read = async || match &at_hand {
            Some(manifest) => self.client.stamp_of(self.repository, manifest).await,
            None => self.client.stamp(self.repository, &digest).await,
        };
        let stamp = retry(self.process, self.patience.clone(), read).await?;
        self.stamps.borrow_mut().insert(digest.clone(), stamp.clone());
        Ok(Some(Stamped { digest, stamp }))
    }

    /// An image as the registry holds it, read once.
    pub(super) async fn metadata(&self, digest: &Digest) -> Result<ImageMetadata, RegistryError> {
        if let Some(known) = self.metadata.borrow().get(digest) {
            return Ok(known.clone());
        }
        let manifest = self.manifest(digest).await?;
        let read = async || self.client.metadata_of(self.repository, &manifest).await;
        let metadata = retry(self.process, self.patience.clone(), read).await?;
        self.metadata.borrow_mut().insert(digest.clone(), metadata.clone());
        Ok(metadata)
    }

    /// Puts one tag on an image that is there.
    pub(super) async fn put(&self, tag: &Tag, digest: &Digest) -> Result<Putting, RegistryError> {
        let manifest = self.manifest(digest).await?;
        let put = async || self.client.put_tag(self.repository, tag, &manifest).await;
        match retry(self.process, self.patience.clone(), put).await {
            Ok(()) => {
                self.process.reporter.info(&format!("✓ {}:{tag}", self.repository));
                Ok(Putting::Done)
            }
            Err(error) => error.immutable().map(Putting::Immutable).ok_or(error),
        }
    }
}
