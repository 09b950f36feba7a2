//! Manifests, indexes and tags of a registry: looked up, read, put, removed.
//!
//! Every answer is checked: digests are computed from the bytes, never believed. Protocol: OCI distribution
//! 1.1, `/v2/<name>/manifests/<reference>`.

use http::{Method, StatusCode, header};

use super::ask::Request;
use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::manifest::{Descriptor, Manifest, Reference, content_digest, media_type, wrong_digest};
use crate::model::{Digest, Repository, Tag};

/// What became of a removal that was no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Done,
    /// It was not there.
    Absent,
    /// This registry removes nothing, or nothing by such a reference.
    Unsupported,
}

impl RegistryClient {
    /// Looks what is under a tag or digest; `None` if nothing is, or the repository does not exist.
    pub async fn head_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let reference = reference.into();
        let doing = format!("look up `{reference}` of `{}`", repository.path());
        let (answer, proof) =
            self.ask(&doing, Request::manifest(Method::HEAD, repository, reference)).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        // Some know no HEAD.
        if matches!(answer.status.as_u16(), 405 | 501) {
            return match self.get_manifest(repository, reference).await {
                Ok(manifest) => Ok(Some(manifest.descriptor())),
                Err(error) if error.is_absence() => Ok(None),
                Err(error) => Err(error),
            };
        }
        self.good(&doing, &answer, &proof)?;
        let Some(digest) = content_digest(&answer.headers) else {
            // Some registries say it for GET only, or never: then the bytes do.
            return Ok(Some(self.get_manifest(repository, reference).await?.descriptor()));
        };
        if let Reference::Digest(asked) = reference
            && *asked != digest
        {
            return Err(self.fail(&doing, wrong_digest(asked, &digest)));
        }
        let size = answer.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        Ok(Some(Descriptor { digest, media_type: media_type(&answer.headers), size }))
    }

    /// Reads a manifest or index; its digest is that of the bytes, and the one asked for if one was.
    pub async fn get_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
    ) -> Result<Manifest, RegistryError> {
        let reference = reference.into();
        let doing = format!("read the manifest `{reference}` of `{}`", repository.path());
        let answer = self.ask_good(&doing, Request::manifest(Method::GET, repository, reference)).await?;
        let digest = Digest::of(&answer.body);
        let expected = match reference {
            Reference::Digest(asked) => Some(asked.clone()),
            Reference::Tag(_) => {
                content_digest(&answer.headers).filter(|digest| digest.as_str().starts_with("sha256:"))
            }
        };
        if let Some(expected) = expected
            && expected != digest
        {
            return Err(self.fail(&doing, wrong_digest(&expected, &digest)));
        }
        Ok(Manifest { media_type: media_type(&answer.headers), bytes: answer.body, digest })
    }

    /// Puts a tag on a manifest that the repository holds already (or whose parts it holds): one PUT.
    pub async fn put_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let doing = format!("put the tag `{tag}` on `{}`", repository.path());
        self.put(&doing, repository, tag.into(), manifest).await
    }

    /// Puts a manifest under its own digest.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let doing = format!("put the manifest `{}` into `{}`", manifest.digest, repository.path());
        self.put(&doing, repository, (&manifest.digest).into(), manifest).await
    }

    async fn put(
        &self,
        doing: &str,
        repository: &Repository,
        reference: Reference<'_>,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let request = Request::manifest(Method::PUT, repository, reference)
            .sending(&manifest.media_type, &manifest.bytes);
        let answer = self.ask_good(doing, request).await?;
        // A registry that stores other bytes than it was given must not pass unseen.
        match content_digest(&answer.headers).filter(|digest| digest.as_str().starts_with("sha256:")) {
            Some(stored) if stored != manifest.digest => {
                Err(self.fail(doing, wrong_digest(&manifest.digest, &stored)))
            }
            _ => Ok(()),
        }
    }

    /// Removes a manifest, or only a tag where the registry tells these apart. Tags of a manifest go with it.
    pub async fn delete_manifest(
        &self,
        repository: &Repository,
        reference: impl Into<Reference<'_>>,
    ) -> Result<Deletion, RegistryError> {
        let reference = reference.into();
        let doing = format!("remove `{reference}` of `{}`", repository.path());
        let (answer, proof) =
            self.ask(&doing, Request::manifest(Method::DELETE, repository, reference)).await?;
        if answer.status.is_success() {
            return Ok(Deletion::Done);
        }
        let said = self.login.read_error(&answer, &proof);
        let unsupported = said.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case("unsupported"));
        match said.status {
            404 | 410 => Ok(Deletion::Absent),
            405 | 501 => Ok(Deletion::Unsupported),
            _ if unsupported => Ok(Deletion::Unsupported),
            _ => Err(self.fail(&doing, Kind::ErrorResponse(said))),
        }
    }
}
