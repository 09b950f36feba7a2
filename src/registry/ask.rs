//! One request to a registry: where it goes, what it shows, what a 401 changes.
//!
//! How the registry speaks and what it asks for is known from the first contact (`endpoint`). After a 401 the request is made
//! once more, with a new token that also has the scopes which that answer named. What is secret is shown to the registry's
//! own origin only: an upload's address may be elsewhere.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::body::Passing;
use super::challenge::{self, Challenge};
use super::client::RegistryClient;
use super::endpoint::Endpoint;
use super::error::{Kind, RegistryError};
use super::index::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use super::login::Proof;
use super::manifest::{MAX_MANIFEST, Reference};
use super::token::{Access, Wanted};
use super::transport::{Answer, Call, answer, same_origin};
use crate::model::{Digest, Repository, text};

/// A request, before it is known how the registry speaks.
pub struct Request {
    method: Method,
    address: Address,
    wanted: Wanted,
    headers: HeaderMap,
    body: Bytes,
    what: &'static str,
    limit: usize,
}

/// Where a request goes.
enum Address {
    /// `/v2/` and this.
    Path(String),
    /// Where the registry has sent us.
    Url(Uri),
}

impl Request {
    /// A request about the manifest, or tag, of this reference.
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

    /// A request about a blob, which may be there or not.
    pub fn blob(method: Method, repository: &Repository, digest: &Digest) -> Self {
        Self::to(method, repository, &format!("blobs/{digest}"), Access::Pull, "blob")
    }

    /// A request about anything of a repository: `rest` is its address below the repository's, `what` names it in messages.
    pub fn to(
        method: Method,
        repository: &Repository,
        rest: &str,
        access: Access,
        what: &'static str,
    ) -> Self {
        Self {
            method,
            address: Address::Path(format!("{}/{rest}", repository.path())),
            wanted: Wanted::new(repository.path(), access),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            what,
            limit: MAX_MANIFEST,
        }
    }

    /// A request to an address that the registry has sent us to, for something of this repository.
    pub fn at(method: Method, repository: &Repository, url: Uri, access: Access, what: &'static str) -> Self {
        Self { address: Address::Url(url), ..Self::to(method, repository, "", access, what) }
    }

    /// The same request, which reads from another repository of the registry, too.
    #[must_use]
    pub fn reading(mut self, other: &Repository) -> Self {
        self.wanted = self.wanted.and_pull(other.path());
        self
    }

    /// The same request with this body. A media type that is none is refused when the request is sent.
    #[must_use]
    pub fn sending(mut self, media_type: &str, body: &Bytes) -> Self {
        let value = HeaderValue::from_str(media_type);
        self.headers.insert(header::CONTENT_TYPE, value.unwrap_or_else(|_| HeaderValue::from_static("")));
        self.body = body.clone();
        self
    }

    /// The same request with this header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// The same request for what comes after so many bytes.
    #[must_use]
    pub fn skipping(mut self, first: u64) -> Self {
        let range = HeaderValue::try_from(format!("bytes={first}-"));
        self.headers.extend(range.ok().map(|range| (header::RANGE, range)));
        self
    }

    fn call(&self, endpoint: &Endpoint, proof: &Proof) -> Result<Call, Kind> {
        let uri = match &self.address {
            Address::Path(path) => {
                let url = format!("{}/v2/{path}", endpoint.origin);
                url.parse().map_err(|_| Kind::Protocol(format!("`{}` is not a URL", text::name(&url))))?
            }
            Address::Url(uri) => uri.clone(),
        };
        let mut headers = self.headers.clone();
        if headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().trim_ascii().is_empty()) {
            return Err(Kind::Protocol(format!("the {} has no media type that can be sent", self.what)));
        }
        if same_origin(&endpoint.uri, &uri) {
            proof.put(&mut headers);
        }
        let (method, body) = (self.method.clone(), self.body.clone());
        Ok(Call { method, uri, headers, body, limit: self.limit, what: self.what })
    }
}

impl RegistryClient {
    /// Makes a request and gives the registry's answer with what was proved for it, or, with the second 401, the error. This is
    /// where a retry would decide again.
    pub(super) async fn ask(
        &self,
        doing: &str,
        mut request: Request,
    ) -> Result<(Answer, Proof), RegistryError> {
        let endpoint = self.endpoint().await?;
        let fail = |kind| self.fail(doing, kind);
        let mut challenge = endpoint.challenge.clone();
        let mut refused = 0;
        loop {
            let proof = self.login.prove(&self.transport, &endpoint.uri, challenge.as_ref(), &request.wanted);
            let proof = proof.await.map_err(fail)?;
            let call = request.call(endpoint, &proof).map_err(fail)?;
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
            let asked = challenge::offered(&answer.headers);
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

    /// Makes a request and gives an answer whose status says that it is done; any other is an error.
    pub(super) async fn ask_good(&self, doing: &str, request: Request) -> Result<Answer, RegistryError> {
        let (answer, proof) = self.ask(doing, request).await?;
        self.good(doing, &answer, &proof)?;
        Ok(answer)
    }

    /// Makes a request and gives a good answer's body, which comes as it is asked for. Only after another request for the same,
    /// as nothing is asked twice here: a login that is refused is an error.
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

    /// Makes a request whose body is what another registry is sending. As for [`Self::open`], nothing is asked twice.
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

    /// Longest time without a byte.
    pub(super) fn patience(&self) -> Duration {
        self.transport.patience()
    }

    /// The call that a request comes to, with a login proved once.
    async fn call(&self, doing: &str, request: &Request) -> Result<(Call, Proof), RegistryError> {
        let endpoint = self.endpoint().await?;
        let fail = |kind| self.fail(doing, kind);
        let proof = self
            .login
            .prove(&self.transport, &endpoint.uri, endpoint.challenge.as_ref(), &request.wanted)
            .await;
        let proof = proof.map_err(fail)?;
        let call = request.call(endpoint, &proof).map_err(fail)?;
        Ok((call, proof))
    }

    /// The error of an answer whose status says that it is not done.
    pub(super) fn good(&self, doing: &str, answer: &Answer, proof: &Proof) -> Result<(), RegistryError> {
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.fail(doing, Kind::ErrorResponse(self.login.read_error(answer, proof))))
    }

    /// The address of something of a repository.
    pub(super) async fn url(&self, rest: &str, repository: &Repository) -> Result<Uri, RegistryError> {
        let url = format!("{}/v2/{}/{rest}", self.endpoint().await?.origin, repository.path());
        let invalid = || Kind::Protocol(format!("`{}` is not a URL", text::name(&url)));
        url.parse().map_err(|_| self.fail("ask the registry", invalid()))
    }
}
