//! The same HTTP client for servers that are no registry: those that give logins for one. To the host of the URL, by the
//! proxies that are set; what is sent and what an answer means is the caller's matter.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::error::Kind;
use super::transport::{Answer, Call, Timeouts, Transport};
use crate::model::text;
use crate::net::Network;
use crate::net::dial::{Dialer, host_and_port};

/// Most bytes of an answer: a token and what is said around it.
const MAX_ANSWER: usize = 256 * 1024;

/// A client of one server.
#[derive(Debug)]
pub struct Web {
    transport: Transport,
    uri: Uri,
}

impl Web {
    /// A client of the server that this URL names. Nothing is sent yet.
    ///
    /// # Errors
    /// If it is no `https` (or `http`) URL of a host, or has a login in it.
    pub fn new(url: &str, network: &Network, timeouts: Timeouts) -> Result<Self, Kind> {
        let bad = || Kind::Protocol(format!("`{}` is not a URL that can be asked", text::name(url)));
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let known = matches!(uri.scheme_str(), Some("https" | "http"));
        let (host, _) = host_and_port(&uri).filter(|_| known).ok_or_else(bad)?;
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(bad());
        }
        let (registry, network) = (Some(host.to_owned()), network.clone());
        let dialer = Dialer { timeout: timeouts.connect, network, registry, unverified: None, way: None };
        Ok(Self { transport: Transport::new(dialer, timeouts), uri })
    }

    /// What is asked.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The host, for messages.
    pub fn host(&self) -> String {
        text::name(self.uri.host().unwrap_or_default())
    }

    /// Asks, and reads the answer, whatever its status. Values of headers are never shown.
    pub async fn send(
        &self,
        method: Method,
        headers: &[(&str, String)],
        body: String,
    ) -> Result<Answer, Kind> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let bad = || Kind::Protocol(format!("what should stand in the header `{name}` cannot"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let (uri, body) = (self.uri.clone(), Bytes::from(body));
        let call = Call { method, uri, headers: map, body, limit: MAX_ANSWER, what: "answer" };
        self.transport.exchange(call).await
    }
}
