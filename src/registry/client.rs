//! The client of one registry: what the engine asks and gets.
//!
//! Every answer is checked: digests are computed from the bytes, never believed. Protocol: OCI distribution
//! 1.1, `/v2/<name>/manifests/<reference>`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use tokio::sync::OnceCell;

use super::challenge::{self, Challenge};
use super::dial::{Dialer, host_and_port};
use super::error::{Kind, RegistryError, clean};
use super::index::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use super::login::{Login, Proof};
use super::token::Access;
use super::transport::{Answer, Call, Timeouts, Transport};
use crate::model::{Credentials, Dial, Digest, RegistryHost, Repository, Tag};

/// Most bytes of a manifest, an index or a config: what registries take themselves.
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// A client of one registry. Make one per registry and run; share it by reference.
#[derive(Debug)]
pub struct RegistryClient {
    host: RegistryHost,
    transport: Transport,
    login: Login,
    base: OnceCell<Base>,
}

/// What the first contact told.
#[derive(Debug)]
struct Base {
    /// `https://registry-1.docker.io`, `http://localhost:5000`.
    origin: String,
    uri: Uri,
    challenge: Option<Challenge>,
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

impl RegistryClient {
    /// A client of `host`. Credentials of another host are not used. Nothing is sent yet.
    pub fn new(
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        let origin: Option<Uri> = origin(&host, host.is_loopback()).parse().ok();
        let registry = origin.as_ref().and_then(host_and_port).map_or_else(
            || (host.name().to_owned(), host.port().unwrap_or(443)),
            |(name, port)| (name.to_owned(), port),
        );
        let dialer = Dialer { dial, registry, timeout: timeouts.connect };
        let login = Login::new(credentials.filter(|credentials| credentials.registry == host).cloned());
        Self { transport: Transport::new(dialer, timeouts), login, base: OnceCell::new(), host }
    }

    /// The registry.
    pub fn host(&self) -> &RegistryHost {
        &self.host
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
        let target = Target::manifest(repository, reference);
        let (answer, proof) = self.ask(&doing, &target, Method::HEAD, Access::Pull, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.good(&doing, &answer, &proof)?;
        let Some(digest) = content_digest(&answer.headers) else {
            // Some registries say it for GET only, or never: then the bytes do.
            let manifest = self.get_manifest(repository, reference).await?;
            let size = u64::try_from(manifest.bytes.len()).ok();
            return Ok(Some(Descriptor { digest: manifest.digest, media_type: manifest.media_type, size }));
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
        let target = Target::manifest(repository, reference);
        let (answer, proof) = self.ask(&doing, &target, Method::GET, Access::Pull, None).await?;
        self.good(&doing, &answer, &proof)?;
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

    /// Reads a small blob, such as an image's config.
    pub async fn get_blob(&self, repository: &Repository, digest: &Digest) -> Result<Bytes, RegistryError> {
        let doing = format!("read the blob `{digest}` of `{}`", repository.path());
        let target = Target { path: repository.path(), rest: format!("blobs/{digest}"), what: "blob" };
        let (answer, proof) = self.ask(&doing, &target, Method::GET, Access::Pull, None).await?;
        self.good(&doing, &answer, &proof)?;
        if !digest.matches(&answer.body) {
            return Err(self.fail(&doing, wrong_digest(digest, &Digest::of(&answer.body))));
        }
        Ok(answer.body)
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
        let target = Target::manifest(repository, reference);
        let (answer, proof) = self.ask(doing, &target, Method::PUT, Access::Push, Some(manifest)).await?;
        self.good(doing, &answer, &proof)?;
        // A registry that stores other bytes than it was given must not pass unseen.
        match content_digest(&answer.headers).filter(|digest| digest.as_str().starts_with("sha256:")) {
            Some(stored) if stored != manifest.digest => {
                Err(self.fail(doing, wrong_digest(&manifest.digest, &stored)))
            }
            _ => Ok(()),
        }
    }

    /// An answer, or with the second 401 the error. This is where a retry would decide again.
    async fn ask(
        &self,
        doing: &str,
        target: &Target<'_>,
        method: Method,
        access: Access,
        manifest: Option<&Manifest>,
    ) -> Result<(Answer, Proof), RegistryError> {
        let base = self.base().await?;
        let fail = |kind| self.fail(doing, kind);
        let mut challenge = base.challenge.clone();
        let mut refused = 0;
        loop {
            let proof = self.login.prove(&self.transport, &base.uri, challenge.as_ref(), target.path, access);
            let proof = proof.await.map_err(fail)?;
            let call = target.call(base, method.clone(), manifest, &proof).map_err(fail)?;
            let answer = self.transport.exchange(call).await.map_err(fail)?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok((answer, proof));
            }
            self.login.forget(&proof).await;
            refused += 1;
            let wanted = challenges(&answer.headers);
            // The same password again would be refused again; a token may have ended.
            let pointless =
                matches!((&proof, &wanted), (_, None) | (Proof::Basic(_), Some(Challenge::Basic)));
            if refused > 1 || pointless {
                let said = self.login.read_error(&answer, &proof).message.unwrap_or_default();
                // The token was taken for what it is: that of somebody who may not do this.
                let denied =
                    matches!(&wanted, Some(Challenge::Bearer { error, .. }) if error == "insufficient_scope");
                return Err(fail(if denied { Kind::Denied(said) } else { Kind::Unauthorized(said) }));
            }
            challenge = wanted;
        }
    }

    fn good(&self, doing: &str, answer: &Answer, proof: &Proof) -> Result<(), RegistryError> {
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.fail(doing, Kind::Answered(self.login.read_error(answer, proof))))
    }

    pub(super) fn fail(&self, doing: &str, kind: Kind) -> RegistryError {
        RegistryError::new(self.host.as_str(), doing, self.login.username(), kind)
    }

    /// The first contact, once per client.
    async fn base(&self) -> Result<&Base, RegistryError> {
        self.base.get_or_try_init(|| self.first_contact()).await
    }

    /// On loopback plain HTTP comes first: nothing secret is in this request, no certificate has to be
    /// loaded for it, and a server that speaks TLS says so by what it answers.
    async fn first_contact(&self) -> Result<Base, RegistryError> {
        let secure = origin(&self.host, false);
        let found = if self.host.is_loopback() {
            match self.contact(origin(&self.host, true)).await {
                Ok((base, status)) if status != StatusCode::BAD_REQUEST => Ok(base),
                Err(
                    error @ (Kind::Refused(_) | Kind::Connect(_) | Kind::Timeout { .. } | Kind::Answered(_)),
                ) => Err(error),
                plain => match self.contact(secure).await {
                    Ok((base, _)) => Ok(base),
                    Err(tls @ Kind::Tls(_)) => Err(tls),
                    // It does not speak TLS either: what it answered first is the matter.
                    Err(_) => plain.map(|(base, _)| base),
                },
            }
        } else {
            self.contact(secure).await.map(|(base, _)| base)
        };
        found.map_err(|kind| self.fail("reach the registry", kind))
    }

    async fn contact(&self, origin: String) -> Result<(Base, StatusCode), Kind> {
        let url = |path: &str| format!("{origin}{path}").parse::<Uri>();
        let (Ok(uri), Ok(ping)) = (url("/"), url("/v2/")) else {
            return Err(Kind::Protocol(format!("`{origin}` is no URL")));
        };
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let call =
            Call { method: Method::GET, uri: ping, headers, body, limit: MAX_MANIFEST, what: "answer" };
        let answer = self.transport.exchange(call).await?;
        match answer.status {
            status if status.is_success() => Ok((Base { origin, uri, challenge: None }, status)),
            StatusCode::UNAUTHORIZED => match challenges(&answer.headers) {
                Some(challenge) => Ok((Base { origin, uri, challenge: Some(challenge) }, answer.status)),
                None => Err(Kind::Protocol(
                    "it wants a login, but none that is known here (Basic or Bearer)".into(),
                )),
            },
            // Go's server answers so when it is spoken to without TLS.
            StatusCode::BAD_REQUEST if self.host.is_loopback() && uri.scheme_str() == Some("http") => {
                Ok((Base { origin, uri, challenge: None }, answer.status))
            }
            _ => Err(Kind::Answered(self.login.read_error(&answer, &Proof::None))),
        }
    }
}

/// Where in the registry a request goes.
struct Target<'a> {
    path: &'a str,
    rest: String,
    what: &'static str,
}

impl<'a> Target<'a> {
    fn manifest(repository: &'a Repository, reference: Reference<'_>) -> Self {
        Self { path: repository.path(), rest: format!("manifests/{reference}"), what: "manifest" }
    }

    fn call(
        &self,
        base: &Base,
        method: Method,
        manifest: Option<&Manifest>,
        proof: &Proof,
    ) -> Result<Call, Kind> {
        let url = format!("{}/v2/{}/{}", base.origin, self.path, self.rest);
        let uri = url.parse().map_err(|_| Kind::Protocol(format!("`{url}` is no URL")))?;
        let mut headers = HeaderMap::new();
        if let Some(manifest) = manifest {
            let media_type = HeaderValue::from_str(&manifest.media_type)
                .map_err(|_| Kind::Protocol(format!("`{}` is no media type", clean(&manifest.media_type))))?;
            headers.insert(header::CONTENT_TYPE, media_type);
        } else if self.what == "manifest" {
            for accepted in [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST] {
                headers.append(header::ACCEPT, HeaderValue::from_static(accepted));
            }
        }
        proof.put(&mut headers);
        let body = manifest.map(|manifest| manifest.bytes.clone()).unwrap_or_default();
        Ok(Call { method, uri, headers, body, limit: MAX_MANIFEST, what: self.what })
    }
}

/// Where the API of a registry is.
fn origin(host: &RegistryHost, plain: bool) -> String {
    let authority =
        if host.as_str() == RegistryHost::DOCKER_HUB { "registry-1.docker.io" } else { host.as_str() };
    format!("{}://{authority}", if plain { "http" } else { "https" })
}

fn challenges(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE);
    challenge::choose(challenge::parse(values.iter().map(HeaderValue::as_bytes)))
}

fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get("docker-content-digest")?.to_str().ok()?).ok()
}

/// The media type without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    clean(value.split(';').next().unwrap_or_default())
}

fn wrong_digest(expected: &Digest, actual: &Digest) -> Kind {
    Kind::Digest { expected: expected.to_string(), actual: actual.to_string() }
}
