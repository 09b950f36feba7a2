//! An image brought over from one repository to another, byte for byte: of the same registry by mounts, of another one
//! by a stream that passes through here.
//!
//! Children before their index, blobs before their manifest, as registries demand: what is there under its digest is
//! whole, so that a copy that was interrupted is begun again and does only what is missing. What refers to the image
//! (signatures) is not a part of it. OCI distribution 1.1, "Push".

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::blobs::Mount;
use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Document};
use super::manifest::Manifest;
use crate::model::{Digest, Repository};

/// Entries of an index that are copied; BuildKit knows a quarter as many platforms.
const MAX_CHILDREN: usize = 100;
/// Blobs that are brought over at the same time.
const IN_PARALLEL: usize = 4;

/// From where to where.
#[derive(Debug)]
pub struct Copying<'a> {
    /// Where it is.
    pub from: (&'a RegistryClient, &'a Repository),
    /// Where it is to be.
    pub to: (&'a RegistryClient, &'a Repository),
}

/// What was done. Nothing, where all of it was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs that the registry took over itself.
    pub mounted: u64,
    /// Blobs that passed through here.
    pub passed: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Copied {
    fn and(&self, other: &Self) -> Self {
        Self {
            mounted: self.mounted.saturating_add(other.mounted),
            passed: self.passed.saturating_add(other.passed),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Copying<'_> {
    /// Brings over the image or index of this digest.
    pub async fn image(&self, digest: &Digest) -> Result<Copied, RegistryError> {
        let mut copied = Copied::default();
        let Some(top) = self.missing(digest).await? else { return Ok(copied) };
        let children = match self.read(&top)? {
            Document::Image(image) => {
                copied = self.blobs(&image).await?;
                return self.put(&top).await.map(|()| copied);
            }
            Document::Index(children) if children.len() > MAX_CHILDREN => {
                let why = format!("its index has {} entries, more than {MAX_CHILDREN}", children.len());
                return Err(self.refuse(&top, why));
            }
            Document::Index(children) => children,
        };
        for child in children {
            let Some(manifest) = self.missing(&child.digest).await? else { continue };
            match self.read(&manifest)? {
                Document::Image(image) => copied = copied.and(&self.blobs(&image).await?),
                Document::Index(_) => return Err(self.refuse(&manifest, "it is an index in an index".into())),
            }
            self.put(&manifest).await?;
        }
        self.put(&top).await.map(|()| copied)
    }

    /// A manifest, if it has to be copied.
    async fn missing(&self, digest: &Digest) -> Result<Option<Manifest>, RegistryError> {
        let (to, there) = self.to;
        if to.head_manifest(there, digest).await?.is_some() {
            return Ok(None);
        }
        let (from, here) = self.from;
        from.get_manifest(here, digest).await.map(Some)
    }

    fn read(&self, manifest: &Manifest) -> Result<Document, RegistryError> {
        index::parse(&manifest.bytes, &manifest.media_type)
            .map_err(|error| self.refuse(manifest, error.to_string()))
    }

    fn refuse(&self, manifest: &Manifest, why: String) -> RegistryError {
        let (from, here) = self.from;
        from.fail(
            &format!("read the manifest `{}` of `{}`", manifest.digest, here.path()),
            Kind::Protocol(why),
        )
    }

    async fn put(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let (to, there) = self.to;
        to.put_manifest(there, manifest).await
    }

    /// Config and layers of one image.
    async fn blobs(&self, image: &index::Image) -> Result<Copied, RegistryError> {
        let config = (image.config.clone(), image.config_size);
        // Images name an empty layer again and again.
        let blobs: BTreeMap<Digest, u64> = image.layers.iter().cloned().chain([config]).collect();
        let copying = blobs.into_iter().map(async |(digest, size)| self.blob(&digest, size).await);
        let all = futures_util::stream::iter(copying).buffer_unordered(IN_PARALLEL);
        all.try_fold(Copied::default(), |sum, one| std::future::ready(Ok(sum.and(&one)))).await
    }

    async fn blob(&self, digest: &Digest, size: u64) -> Result<Copied, RegistryError> {
        let ((from, here), (to, there)) = (self.from, self.to);
        if to.head_blob(there, digest).await?.is_some() {
            return Ok(Copied::default());
        }
        if from.host() == to.host() && to.mount_blob(there, here, digest).await? == Mount::Mounted {
            return Ok(Copied { mounted: 1, ..Copied::default() });
        }
        // The login that reads is a fresh one then.
        from.head_blob(here, digest).await?;
        to.pass_blob(there, (from, here), digest, size).await?;
        Ok(Copied { passed: 1, bytes: size, ..Copied::default() })
    }
}
