//! The client of one registry: what the engine asks and gets.
//!
//! Every answer is checked: digests are computed from the bytes, never believed. Protocol: OCI distribution
//! 1.1, `/v2/<name>/manifests/<reference>`.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::OnceCell;

use super::ask::{Base, Request, origin};
use super::error::{Kind, RegistryError};
use super::error_response::clean;
use super::login::Login;
use super::transport::{Timeouts, Transport};
use crate::model::{Credentials, Dial, Digest, RegistryHost, Repository, Tag};
use crate::net::Network;
use crate::net::dial::{Dialer, host_and_port};

/// A client of one registry. Make one per registry and run; share it by reference.
#[derive(Debug)]
pub struct RegistryClient {
    pub(super) host: RegistryHost,
    pub(super) transport: Transport,
    pub(super) login: Login,
    pub(super) base: OnceCell<Base>,
}

/// What a manifest is asked for by.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// By a name that may move.
    Tag(&'a Tag),
    /// By its content.
    Digest(&'a Digest),
}

impl<'a> From<&'a Tag> for Reference<'a> {
    fn from(tag: &'a Tag) -> Self {
        Self::Tag(tag)
    }
}

impl<'a> From<&'a Digest> for Reference<'a> {
    fn from(digest: &'a Digest) -> Self {
        Self::Digest(digest)
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// What is under a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// Its media type, as the registry says.
    pub media_type: String,
    /// Its bytes, if the registry says.
    pub size: Option<u64>,
}

/// A manifest or index, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The document; its digest is computed from exactly these.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: String,
    /// The digest of `bytes`.
    pub digest: Digest,
}

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

impl Manifest {
    /// A document of this media type.
    pub fn new(bytes: impl Into<Bytes>, media_type: impl Into<String>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), media_type: media_type.into(), bytes }
    }

    /// What names it.
    pub fn descriptor(&self) -> Descriptor {
        let size = u64::try_from(self.bytes.len()).ok();
        Descriptor { digest: self.digest.clone(), media_type: self.media_type.clone(), size }
    }
}

impl RegistryClient {
    /// A client of `host`, without proxies and with the system's certificate authorities. Credentials of another host
    /// are not used. Nothing is sent yet.
    pub fn new(
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        Self::within(&Network::default(), host, credentials, dial, timeouts)
    }

    /// The same with the proxies and certificate authorities of this process. No proxy is on a way that is given.
    pub fn within(
        network: &Network,
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        let origin: Option<http::Uri> = origin(&host, host.is_loopback()).parse().ok();
        let registry = origin.as_ref().and_then(host_and_port).map_or_else(
            || (host.name().to_owned(), host.port().unwrap_or(443)),
            |(name, port)| (name.to_owned(), port),
        );
        let dialer = Dialer {
            timeout: timeouts.connect,
            network: network.clone(),
            registry: Some(host.to_string()),
            way: Some((registry, dial)),
        };
        let login = Login::new(credentials.filter(|credentials| credentials.registry == host).cloned());
        let transport = Transport::new(dialer, timeouts);
        Self { transport, login, base: OnceCell::new(), host }
    }

    /// The registry.
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// Who logs in.
    pub fn login(&self) -> Option<&Credentials> {
        self.login.credentials()
    }

    /// Whether a registry answers there. Needs no login, proves none.
    pub async fn ping(&self) -> Result<(), RegistryError> {
        self.base().await.map(|_| ())
    }

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

    pub(super) fn fail(&self, doing: &str, kind: Kind) -> RegistryError {
        RegistryError::new(self.host.as_str(), doing, self.login.credentials(), kind)
    }
}

pub(super) fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get("docker-content-digest")?.to_str().ok()?).ok()
}

/// The media type without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    clean(value.split(';').next().unwrap_or_default())
}

pub(super) fn wrong_digest(expected: &Digest, actual: &Digest) -> Kind {
    Kind::Digest { expected: expected.to_string(), actual: actual.to_string() }
}
