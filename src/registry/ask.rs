//! One request to a registry: where it goes, what it shows, what a 401 changes.
//!
//! The first contact finds out how the registry speaks and what it asks for. After a 401 the request is made once more,
//! with a new token that also has the scopes which that answer named. What is secret is shown to the registry's own
//! origin only: an upload's address may be elsewhere.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::body::Passing;
use super::challenge::{self, Challenge};
use super::client::{Reference, RegistryClient};
use super::error::{Kind, RegistryError};
use super::error_response::clean;
use super::index::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use super::login::Proof;
use super::token::{Access, Wanted};
use super::transport::{Answer, Call, answer, same_origin};
use crate::model::{Digest, RegistryHost, Repository};

/// Most bytes of a manifest, an index or a config: what registries take themselves.
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// What the first contact told.
#[derive(Debug)]
pub struct Base {
    /// `https://registry-1.docker.io`, `http://localhost:5000`.
    origin: String,
    uri: Uri,
    challenge: Option<Challenge>,
}

/// A request, before it is known how the registry speaks.
pub struct Request {
    method: Method,
    place: Place,
    wanted: Wanted,
    headers: HeaderMap,
    body: Bytes,
    what: &'static str,
    limit: usize,
}

/// Where it goes.
enum Place {
    /// `/v2/` and this.
    Path(String),
    /// Where the registry has sent us.
    Url(Uri),
}

impl Request {
    /// About a manifest.
    pub fn manifest(method: Method, repository: &Repository, reference: Reference<'_>) -> Self {
        let access = match method {
            Method::PUT => Access::Push,
            Method::DELETE => Access::Delete,
            _ => Access::Pull,
        };
        let reads = access == Access::Pull;
        let mut request = Self::to(method, repository, &format!("manifests/{reference}"), access, "manifest");
        if reads {
            for accepted in [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST] {
                request.headers.append(header::ACCEPT, HeaderValue::from_static(accepted));
            }
        }
        request
    }

    /// About a blob that is there, or not.
    pub fn blob(method: Method, repository: &Repository, digest: &Digest) -> Self {
        Self::to(method, repository, &format!("blobs/{digest}"), Access::Pull, "blob")
    }

    /// About anything of a repository.
    pub fn to(
        method: Method,
        repository: &Repository,
        rest: &str,
        access: Access,
        what: &'static str,
    ) -> Self {
        Self {
            method,
            place: Place::Path(format!("{}/{rest}", repository.path())),
            wanted: Wanted::new(repository.path(), access),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            what,
            limit: MAX_MANIFEST,
        }
    }

    /// Where the registry has sent us, for something of this repository.
    pub fn at(method: Method, repository: &Repository, url: Uri, access: Access, what: &'static str) -> Self {
        Self { place: Place::Url(url), ..Self::to(method, repository, "", access, what) }
    }

    /// It reads from another repository of the registry, too.
    #[must_use]
    pub fn reading(mut self, other: &Repository) -> Self {
        self.wanted = self.wanted.and_pull(other.path());
        self
    }

    /// With this body. A media type that is none is refused when it is sent.
    #[must_use]
    pub fn sending(mut self, media_type: &str, body: &Bytes) -> Self {
        let value = HeaderValue::from_str(media_type);
        self.headers.insert(header::CONTENT_TYPE, value.unwrap_or_else(|_| HeaderValue::from_static("")));
        self.body = body.clone();
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn call(&self, base: &Base, proof: &Proof) -> Result<Call, Kind> {
        let uri = match &self.place {
            Place::Path(path) => {
                let url = format!("{}/v2/{path}", base.origin);
                url.parse().map_err(|_| Kind::Protocol(format!("`{}` is no URL", clean(&url))))?
            }
            Place::Url(uri) => uri.clone(),
        };
        let mut headers = self.headers.clone();
        if headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().trim_ascii().is_empty()) {
            return Err(Kind::Protocol(format!("the {} has no media type that can be sent", self.what)));
        }
        if same_origin(&base.uri, &uri) {
            proof.put(&mut headers);
        }
        let (method, body) = (self.method.clone(), self.body.clone());
        Ok(Call { method, uri, headers, body, limit: self.limit, what: self.what })
    }
}

impl RegistryClient {
    /// An answer, or with the second 401 the error. This is where a retry would decide again.
    pub(super) async fn ask(
        &self,
        doing: &str,
        mut request: Request,
    ) -> Result<(Answer, Proof), RegistryError> {
        let base = self.base().await?;
        let fail = |kind| self.fail(doing, kind);
        let mut challenge = base.challenge.clone();
        let mut refused = 0;
        loop {
            let proof = self.login.prove(&self.transport, &base.uri, challenge.as_ref(), &request.wanted);
            let proof = proof.await.map_err(fail)?;
            let call = request.call(base, &proof).map_err(fail)?;
            let answer = self.transport.exchange(call).await.map_err(fail)?;
            if answer.status == StatusCode::FORBIDDEN {
                // Should this be tried again, then with a fresh token.
                self.login.forget(&proof).await;
            }
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok((answer, proof));
            }
            self.login.forget(&proof).await;
            refused += 1;
            let asked = challenges(&answer.headers);
            // The same password again would be refused again; a token may have ended.
            let pointless = matches!((&proof, &asked), (_, None) | (Proof::Basic(_), Some(Challenge::Basic)));
            if refused > 1 || pointless {
                let said = self.login.read_error(&answer, &proof).message.unwrap_or_default();
                // The token was taken for what it is: that of somebody who may not do this.
                let denied =
                    matches!(&asked, Some(Challenge::Bearer { error, .. }) if error == "insufficient_scope");
                return Err(fail(if denied { Kind::Denied(said) } else { Kind::Unauthorized(said) }));
            }
            if let Some(Challenge::Bearer { scope, .. }) = &asked {
                request.wanted.and_asked(scope);
            }
            challenge = asked;
        }
    }

    /// An answer whose status says that it is done.
    pub(super) async fn ask_good(&self, doing: &str, request: Request) -> Result<Answer, RegistryError> {
        let (answer, proof) = self.ask(doing, request).await?;
        self.good(doing, &answer, &proof)?;
        Ok(answer)
    }

    /// A good answer whose body comes as it is asked for. Only after another request for the same, as nothing is asked
    /// twice here: a login that is refused is an error.
    pub(super) async fn open(&self, doing: &str, request: Request) -> Result<Passing, RegistryError> {
        let (call, proof) = self.call(doing, &request).await?;
        let fail = |kind| self.fail(doing, kind);
        let response = self.transport.open(call).await.map_err(fail)?;
        if response.status().is_success() {
            return Ok(Passing::new(response.into_body()));
        }
        let answer = answer(response, request.limit, request.what).await.map_err(fail)?;
        self.login.forget(&proof).await;
        Err(fail(Kind::ErrorResponse(self.login.read_error(&answer, &proof))))
    }

    /// Sends what another registry is sending; the same holds.
    pub(super) async fn pass(
        &self,
        doing: &str,
        request: Request,
        body: Passing,
    ) -> Result<Answer, RegistryError> {
        let (call, proof) = self.call(doing, &request).await?;
        let answer = self.transport.pass(call, body).await.map_err(|kind| self.fail(doing, kind))?;
        if !answer.status.is_success() {
            self.login.forget(&proof).await;
        }
        self.good(doing, &answer, &proof)?;
        Ok(answer)
    }

    async fn call(&self, doing: &str, request: &Request) -> Result<(Call, Proof), RegistryError> {
        let base = self.base().await?;
        let fail = |kind| self.fail(doing, kind);
        let proof =
            self.login.prove(&self.transport, &base.uri, base.challenge.as_ref(), &request.wanted).await;
        let proof = proof.map_err(fail)?;
        let call = request.call(base, &proof).map_err(fail)?;
        Ok((call, proof))
    }

    pub(super) fn good(&self, doing: &str, answer: &Answer, proof: &Proof) -> Result<(), RegistryError> {
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.fail(doing, Kind::ErrorResponse(self.login.read_error(answer, proof))))
    }

    /// Where something of a repository is.
    pub(super) async fn url(&self, rest: &str, repository: &Repository) -> Result<Uri, RegistryError> {
        let url = format!("{}/v2/{}/{rest}", self.base().await?.origin, repository.path());
        let invalid = || Kind::Protocol(format!("`{}` is no URL", clean(&url)));
        url.parse().map_err(|_| self.fail("ask the registry", invalid()))
    }

    /// The first contact, once per client.
    pub(super) async fn base(&self) -> Result<&Base, RegistryError> {
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
                    error @ (Kind::Refused(_)
                    | Kind::Connect(_)
                    | Kind::Timeout { .. }
                    | Kind::ErrorResponse(_)),
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
            _ => Err(Kind::ErrorResponse(self.login.read_error(&answer, &Proof::None))),
        }
    }
}

/// Where the API of a registry is.
pub fn origin(host: &RegistryHost, plain: bool) -> String {
    let authority =
        if host.as_str() == RegistryHost::DOCKER_HUB { "registry-1.docker.io" } else { host.as_str() };
    format!("{}://{authority}", if plain { "http" } else { "https" })
}

fn challenges(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE);
    challenge::choose(challenge::parse(values.iter().map(HeaderValue::as_bytes)))
}
