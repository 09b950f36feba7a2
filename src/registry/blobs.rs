//! Blobs: looked up, read, put when they are small, taken over from another repository; and an upload that is begun
//! and given up, which shows whether one may push without leaving anything.
//!
//! OCI distribution 1.1, "Pushing blobs". Layers of what is built are BuildKit's matter.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::ask::Request;
use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::manifest::{content_digest, wrong_digest};
use super::token::Access;
use super::transport::{Answer, redirect};
use crate::model::{Digest, Repository};

const OCTETS: &str = "application/octet-stream";

/// What became of a blob that was to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// It is in the repository now.
    Mounted,
    /// The registry would have it uploaded: it does not mount, the blob is not there, or may not be read.
    NotMounted,
}

/// An upload that was begun: proof that this login may push.
#[derive(Debug)]
pub struct Upload {
    /// None where the registry named no place that may be asked.
    location: Option<Uri>,
}

impl RegistryClient {
    /// Looks whether a blob is there; its size if the registry says, 0 if not.
    pub async fn head_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, RegistryError> {
        let doing = format!("look up the blob `{digest}` of `{}`", repository.path());
        let (answer, proof) = self.ask(&doing, Request::blob(Method::HEAD, repository, digest)).await?;
        match answer.status.as_u16() {
            404 => return Ok(None),
            405 | 501 => return self.touch_blob(&doing, repository, digest).await,
            _ => self.good(&doing, &answer, &proof)?,
        }
        if let Some(other) = content_digest(&answer.headers).filter(|other| other != digest) {
            return Err(self.fail(&doing, wrong_digest(digest, &other)));
        }
        let size = answer.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        Ok(Some(size.unwrap_or(0)))
    }

    /// Where HEAD is unknown: one byte is asked for, and how much of it comes does not matter.
    async fn touch_blob(
        &self,
        doing: &str,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<u64>, RegistryError> {
        let request = Request::blob(Method::GET, repository, digest).header(header::RANGE, "bytes=0-0");
        match self.ask_good(doing, request).await {
            Ok(answer) => {
                let range = answer.headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
                let whole = range.and_then(|range| range.rsplit_once('/')?.1.parse().ok());
                Ok(Some(whole.unwrap_or(0)))
            }
            Err(error) if error.is_absence() => Ok(None),
            Err(error) if matches!(error.kind(), Kind::TooLarge { .. }) => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// Reads a small blob, such as an image's config.
    pub async fn get_blob(&self, repository: &Repository, digest: &Digest) -> Result<Bytes, RegistryError> {
        let doing = format!("read the blob `{digest}` of `{}`", repository.path());
        let answer = self.ask_good(&doing, Request::blob(Method::GET, repository, digest)).await?;
        if !digest.matches(&answer.body) {
            return Err(self.fail(&doing, wrong_digest(digest, &Digest::of(&answer.body))));
        }
        Ok(answer.body)
    }

    /// Puts a small blob in one piece; its digest.
    pub async fn put_blob(&self, repository: &Repository, bytes: &Bytes) -> Result<Digest, RegistryError> {
        let digest = Digest::of(bytes);
        let doing = format!("put the blob `{digest}` into `{}`", repository.path());
        let answer = self.ask_good(&doing, uploads(repository)).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(digest);
        }
        let request = self.whole(&doing, repository, &answer, &digest).await?.sending(OCTETS, bytes);
        let answer = self.ask_good(&doing, request).await?;
        self.stored(&doing, &answer, &digest)?;
        Ok(digest)
    }

    /// Brings a blob over from wherever it is, however large; this registry checks its digest. `from` is asked for it
    /// right after another request, as its login is not asked for twice.
    pub(super) async fn pass_blob(
        &self,
        repository: &Repository,
        from: (&Self, &Repository),
        digest: &Digest,
        size: u64,
    ) -> Result<(), RegistryError> {
        let (source, there) = from;
        let doing = format!("read the blob `{digest}` of `{}`", there.path());
        let body = source.open(&doing, Request::blob(Method::GET, there, digest)).await?;
        if body.length() != Some(size) {
            let said =
                body.length().map_or_else(|| "an unknown number of".into(), |length| length.to_string());
            let kind = Kind::Protocol(format!("it sends {said} bytes, and its manifest says {size}"));
            return Err(source.fail(&doing, kind));
        }
        let doing = format!("put the blob `{digest}` into `{}`", repository.path());
        let answer = self.ask_good(&doing, uploads(repository)).await?;
        let request = self.whole(&doing, repository, &answer, digest).await?.sending(OCTETS, &Bytes::new());
        let answer = self.pass(&doing, request, body).await?;
        self.stored(&doing, &answer, digest)
    }

    /// The request that sends a whole blob to the upload that was begun.
    async fn whole(
        &self,
        doing: &str,
        repository: &Repository,
        begun: &Answer,
        digest: &Digest,
    ) -> Result<Request, RegistryError> {
        let location = self.location(doing, repository, begun).await?;
        let separator = if location.query().is_some() { '&' } else { '?' };
        let url = format!("{location}{separator}digest={digest}").parse();
        let url =
            url.map_err(|_| self.fail(doing, Kind::Protocol("the upload's URL is not a URL".into())))?;
        Ok(Request::at(Method::PUT, repository, url, Access::Push, "blob"))
    }

    fn stored(&self, doing: &str, answer: &Answer, digest: &Digest) -> Result<(), RegistryError> {
        match content_digest(&answer.headers) {
            Some(stored) if stored != *digest => Err(self.fail(doing, wrong_digest(digest, &stored))),
            _ => Ok(()),
        }
    }

    /// Takes a blob over from another repository of this registry. That it could not be is no failure.
    pub async fn mount_blob(
        &self,
        repository: &Repository,
        from: &Repository,
        digest: &Digest,
    ) -> Result<Mount, RegistryError> {
        let doing =
            format!("take the blob `{digest}` over from `{}` into `{}`", from.path(), repository.path());
        let rest = format!("blobs/uploads/?mount={digest}&from={}", from.path());
        let request = Request::to(Method::POST, repository, &rest, Access::Push, "upload").reading(from);
        let answer = self.ask_good(&doing, request).await?;
        if answer.status == StatusCode::CREATED {
            return Ok(Mount::Mounted);
        }
        let location = self.location(&doing, repository, &answer).await.ok();
        self.end_upload(repository, Upload { location }).await;
        Ok(Mount::NotMounted)
    }

    /// Begins an upload, which shows whether this login may push to the repository; one that does not exist yet is as
    /// good as any other. Give it to [`Self::end_upload`].
    pub async fn begin_upload(&self, repository: &Repository) -> Result<Upload, RegistryError> {
        let doing = format!("begin an upload to `{}`", repository.path());
        let answer = self.ask_good(&doing, uploads(repository)).await?;
        // That it was let in is the answer; where to does not matter.
        Ok(Upload { location: self.location(&doing, repository, &answer).await.ok() })
    }

    /// Gives an upload up. That takes a right of its own at some registries, and others cannot do it: they forget it in
    /// time.
    pub async fn end_upload(&self, repository: &Repository, upload: Upload) {
        if let Some(location) = upload.location {
            let request = Request::at(Method::DELETE, repository, location, Access::Push, "upload");
            let _ = self.ask("end an upload", request).await;
        }
    }

    /// Where the registry wants the upload.
    async fn location(
        &self,
        doing: &str,
        repository: &Repository,
        answer: &Answer,
    ) -> Result<Uri, RegistryError> {
        let from = self.url("blobs/uploads/", repository).await?;
        let location = answer.headers.get(header::LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        redirect(&from, location).map_err(|kind| self.fail(doing, kind))
    }
}

fn uploads(repository: &Repository) -> Request {
    Request::to(Method::POST, repository, "blobs/uploads/", Access::Push, "upload")
}
