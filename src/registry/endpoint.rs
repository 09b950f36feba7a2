//! Where the API of a registry is and what it asks for: what the first contact finds out.
//!
//! One request to `/v2/`, without a login. Obeys OCI distribution 1.1 ("Determining support").

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::challenge::{self, Challenge};
use super::error::Kind;
use super::login::{Login, Proof};
use super::manifest::MAX_MANIFEST;
use super::transport::{Call, Transport};
use crate::model::{RegistryHost, RegistryProtocol};

/// Where the API of a registry is, and what it asks of those who use it.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// `https://registry-1.docker.io`, `http://localhost:5000`.
    pub origin: String,
    /// The same as an address, with the path `/`.
    pub uri: Uri,
    /// The login that is asked for, if one is.
    pub challenge: Option<Challenge>,
}

impl Endpoint {
    /// Finds out how a registry speaks.
    ///
    /// On loopback plain HTTP comes first: nothing secret is in this request, no certificate has to be
    /// loaded for it, and a server that speaks TLS says so by what it answers.
    ///
    /// Elsewhere it is what was allowed for this registry. Where both are, HTTPS comes first, and HTTP only for a server
    /// that speaks no TLS, or has none on the usual port: nothing that is believed would stand against it.
    pub async fn find(
        host: &RegistryHost,
        protocol: RegistryProtocol,
        transport: &Transport,
        login: &Login,
    ) -> Result<Self, Kind> {
        let contact = |origin| Self::contact(origin, host, transport, login);
        let (secure, plain) = (origin(host, false), origin(host, true));
        if !host.is_loopback() {
            let found = match protocol {
                RegistryProtocol::Https | RegistryProtocol::Unverified => contact(secure).await,
                RegistryProtocol::Plain => contact(plain).await,
                RegistryProtocol::UnverifiedOrPlain => match contact(secure).await {
                    Err(Kind::PlainHttp) => contact(plain).await,
                    Err(Kind::Refused(_) | Kind::Timeout { .. }) if host.port().is_none() => {
                        contact(plain).await
                    }
                    found => found,
                },
            };
            return found.map(|(found, _)| found);
        }
        match contact(plain).await {
            Ok((found, status)) if status != StatusCode::BAD_REQUEST => Ok(found),
            Err(
                error @ (Kind::Refused(_) | Kind::Connect(_) | Kind::Timeout { .. } | Kind::ErrorResponse(_)),
            ) => Err(error),
            plain => match contact(secure).await {
                Ok((found, _)) => Ok(found),
                Err(tls @ Kind::Tls(_)) => Err(tls),
                // It does not speak TLS either: what it answered first is the matter.
                Err(_) => plain.map(|(found, _)| found),
            },
        }
    }

    /// Asks at one origin, and gives with what was found the status of the answer.
    async fn contact(
        origin: String,
        host: &RegistryHost,
        transport: &Transport,
        login: &Login,
    ) -> Result<(Self, StatusCode), Kind> {
        let url = |path: &str| format!("{origin}{path}").parse::<Uri>();
        let (Ok(uri), Ok(ping)) = (url("/"), url("/v2/")) else {
            return Err(Kind::Protocol(format!("`{origin}` is not a URL")));
        };
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let call =
            Call { method: Method::GET, uri: ping, headers, body, limit: MAX_MANIFEST, what: "answer" };
        let answer = transport.exchange(call).await?;
        match answer.status {
            status if status.is_success() => Ok((Self { origin, uri, challenge: None }, status)),
            StatusCode::UNAUTHORIZED => match challenge::offered(&answer.headers) {
                Some(challenge) => Ok((Self { origin, uri, challenge: Some(challenge) }, answer.status)),
                None => Err(Kind::Protocol(
                    "it wants a login, but none that is known here (Basic or Bearer)".into(),
                )),
            },
            // Go's server answers so when it is spoken to without TLS.
            StatusCode::BAD_REQUEST if host.is_loopback() && uri.scheme_str() == Some("http") => {
                Ok((Self { origin, uri, challenge: None }, answer.status))
            }
            _ => Err(Kind::ErrorResponse(login.read_error(&answer, &Proof::None))),
        }
    }
}

/// The origin of a registry's API: Docker Hub's has another name than the registry.
pub(super) fn origin(host: &RegistryHost, plain: bool) -> String {
    let authority =
        if host.as_str() == RegistryHost::DOCKER_HUB { "registry-1.docker.io" } else { host.as_str() };
    format!("{}://{authority}", if plain { "http" } else { "https" })
}
