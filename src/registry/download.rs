//! An image as a registry has it, in one stream: its documents and blobs, each once, in the order in which one leads to the next.
//!
//! Nothing is kept, however large it is. A connection that breaks within a blob is taken up where it broke (RFC 9110, "Range
//! Requests"). Digests are checked by whoever takes the bytes. OCI distribution 1.1, "Pull".

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;

use super::ask::Request;
use super::body::Passing;
use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Document};
use super::manifest::Manifest;
use crate::model::{Digest, Repository, chain};

/// How often a blob whose connection breaks is taken up again without having come further.
const BREAKS: u32 = 3;

/// What comes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the image is: its index or manifest, whole. Always the first.
    Top(Manifest),
    /// A blob begins: its digest, and its bytes.
    Blob(Digest, u64),
    /// The next of its bytes.
    Data(Bytes),
}

impl RegistryClient {
    /// Sends all of what this digest names to whoever takes it; ends early, if nobody takes it any more.
    pub async fn download(
        &self,
        repository: &Repository,
        digest: &Digest,
        parts: &mpsc::Sender<Part>,
    ) -> Result<(), RegistryError> {
        let mut download = Download { client: self, repository, parts, sent: BTreeSet::new() };
        let top = self.get_manifest(repository, digest).await?;
        download.document(&top, true).await.map(drop)
    }
}

struct Download<'a> {
    client: &'a RegistryClient,
    repository: &'a Repository,
    parts: &'a mpsc::Sender<Part>,
    sent: BTreeSet<Digest>,
}

impl Download<'_> {
    /// Whether somebody has taken it.
    async fn give(&self, part: Part) -> bool {
        self.parts.send(part).await.is_ok()
    }

    /// A manifest with all that it leads to; an index only where one may be.
    async fn document(&mut self, manifest: &Manifest, index: bool) -> Result<bool, RegistryError> {
        let refuse = |why: String| {
            let doing = format!("read the manifest `{}` of `{}`", manifest.digest, self.repository.path());
            self.client.fail(&doing, Kind::Protocol(why))
        };
        let document = index::parse(&manifest.bytes, &manifest.media_type);
        let document = document.map_err(|error| refuse(error.to_string()))?;
        if matches!(document, Document::Index(_)) && !index {
            return Err(refuse("it is an index in an index".into()));
        }
        if !self.sent.insert(manifest.digest.clone()) {
            return Ok(true);
        }
        let given = if self.sent.len() == 1 {
            self.give(Part::Top(manifest.clone())).await
        } else {
            let begins = Part::Blob(manifest.digest.clone(), manifest.bytes.len() as u64);
            self.give(begins).await && self.give(Part::Data(manifest.bytes.clone())).await
        };
        if !given {
            return Ok(false);
        }
        match document {
            Document::Index(children) => {
                for child in children {
                    let manifest = self.client.get_manifest(self.repository, &child.digest).await?;
                    if !Box::pin(self.document(&manifest, false)).await? {
                        return Ok(false);
                    }
                }
            }
            Document::Image(image) => {
                for (digest, size) in [(image.config, image.config_size)].into_iter().chain(image.layers) {
                    if self.sent.insert(digest.clone()) && !self.blob(&digest, size).await? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    async fn blob(&self, digest: &Digest, size: u64) -> Result<bool, RegistryError> {
        if !self.give(Part::Blob(digest.clone(), size)).await {
            return Ok(false);
        }
        let doing = format!("read the blob `{digest}` of `{}`", self.repository.path());
        let (mut there, mut breaks) = (0, 0);
        while there < size {
            let before = there;
            match self.rest(&doing, digest, (&mut there, size)).await {
                Ok(false) => return Ok(false),
                Ok(true) => {}
                Err(error) => {
                    breaks = if there > before { 1 } else { breaks + 1 };
                    let breaks_off = matches!(error.kind(), Kind::Broken(_) | Kind::Timeout { .. });
                    if !breaks_off || breaks > BREAKS {
                        return Err(error);
                    }
                    tracing::info!(%error, there, size, "taken up again");
                }
            }
        }
        Ok(true)
    }

    /// The rest of a blob, of which so much is there.
    async fn rest(
        &self,
        doing: &str,
        digest: &Digest,
        (there, size): (&mut u64, u64),
    ) -> Result<bool, RegistryError> {
        let fail = |kind| self.client.fail(doing, kind);
        // The login that reads is a fresh one then.
        self.client.head_blob(self.repository, digest).await?;
        let mut request = Request::blob(Method::GET, self.repository, digest);
        if *there > 0 {
            request = request.skipping(*there);
        }
        let mut body = self.client.open(doing, request).await?;
        // Who knows no ranges sends what is there already, too.
        let mut known = match body.length() {
            Some(length) if length == size - *there => 0,
            Some(length) if length == size => *there,
            _ => return Err(fail(wrong_length(&body, size - *there))),
        };
        let limit = self.client.patience();
        while *there < size {
            let frame = tokio::time::timeout(limit, body.frame()).await;
            let frame = frame.map_err(|_| fail(Kind::Timeout { what: "progress", limit }))?;
            let frame = frame.transpose().map_err(|error| fail(Kind::Broken(chain(&error))))?;
            let frame = frame.ok_or_else(|| fail(Kind::Broken("it ended before the blob did".into())))?;
            let Ok(mut data) = frame.into_data() else { continue };
            let again = data.split_to(usize::try_from(known).unwrap_or(usize::MAX).min(data.len()));
            known -= again.len() as u64;
            if data.is_empty() {
                continue;
            }
            *there += data.len() as u64;
            if !self.give(Part::Data(data)).await {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn wrong_length(body: &Passing, expected: u64) -> Kind {
    let said = body.length().map_or_else(|| "an unknown number of".into(), |length| length.to_string());
    Kind::Protocol(format!("it sends {said} bytes, and its manifest says {expected}"))
}
