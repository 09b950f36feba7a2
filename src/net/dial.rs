//! Connections for HTTP clients: straight to the host of a URL, through the proxy that is set for it, or by a given way,
//! which no proxy is on; TLS where the URL says so.
//!
//! TLS is set up when the first `https` URL is met, not before: its authorities cost time and memory that a server on
//! loopback never needs.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::proxy::{Proxy, TunnelFault};
use super::{ConnectFault, Network, connect, connect_to, tls};
use crate::model::{Dial, causes, chain};

/// Makes the connections of one client.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// For the whole of one connection.
    pub timeout: Duration,
    /// Proxies, and who is believed.
    pub network: Network,
    /// The registry that it is for, `HOST` or `HOST:PORT`: its own certificate authorities count too.
    pub registry: Option<String>,
    /// The host whose certificate does not matter.
    pub unverified: Option<String>,
    /// A way to this host and port; any other host is dialled directly.
    pub way: Option<((String, u16), Dial)>,
}

/// There is no connection. Texts are as they came: hostile.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DialFault {
    /// The URL names no host.
    #[error("`{0}` names no host")]
    NoHost(String),
    /// Its name has no address.
    #[error("its name cannot be resolved: {0}")]
    Name(String),
    /// Nothing listens there.
    #[error("connection refused ({0})")]
    Refused(String),
    /// Another failure.
    #[error("cannot connect: {0}")]
    Broken(String),
    /// It took too long.
    #[error("no {what} within {} s", limit.as_secs_f32())]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The proxy on the way would not connect us, or is none.
    #[error("{0}")]
    Proxy(String),
    /// Nobody can be believed: no certificate authorities.
    #[error("{0}")]
    Trust(String),
}

/// What an HTTP client's error says, with all that is behind it; if there was no connection, that alone. Hostile.
pub fn said(error: &(dyn Error + 'static)) -> String {
    let fault = causes(error).find_map(|cause| cause.downcast_ref::<DialFault>());
    fault.map_or_else(|| chain(error), ToString::to_string)
}

impl Dialer {
    /// Connects to the host of this URL.
    pub async fn connect(&self, uri: &Uri) -> Result<TokioIo<Stream>, DialFault> {
        let Some((host, port)) = host_and_port(uri) else {
            return Err(DialFault::NoHost(uri.to_string()));
        };
        let way = self.way.as_ref().filter(|((name, at), _)| (name.as_str(), *at) == (host, port));
        let connect = async {
            match way {
                Some((_, Dial::Address(address))) => {
                    return Ok(Stream::Tcp(connect_to(vec![*address]).await?));
                }
                Some((_, Dial::Socket(path))) => {
                    let stream = UnixStream::connect(path).await;
                    return stream.map(Stream::Unix).map_err(|error| relay_failed(&error));
                }
                Some((_, Dial::Direct)) | None => {}
            }
            match self.network.proxies.for_url(uri) {
                Ok(None) => Ok(Stream::Tcp(connect(host, port).await?)),
                Ok(Some(proxy)) => self.through(proxy, host, port).await,
                Err(why) => Err(DialFault::Proxy(why.to_owned())),
            }
        };
        let stream = tokio::time::timeout(self.timeout, connect).await;
        let timeout = |_| DialFault::Timeout { what: "connection", limit: self.timeout };
        Ok(TokioIo::new(stream.map_err(timeout)??))
    }

    /// A tunnel to the host. A plain `http` URL takes one too: all that may be reached so is a redirect's aim.
    async fn through(&self, proxy: &Proxy, host: &str, port: u16) -> Result<Stream, DialFault> {
        let name = format!("{}:{}", proxy.host, proxy.port);
        let broken = |why: String| DialFault::Broken(format!("through the proxy `{name}`: {why}"));
        let tcp = connect(&proxy.host, proxy.port).await.map_err(|fault| broken(fault.to_string()))?;
        let refused = |fault: TunnelFault| match fault {
            TunnelFault::Refused(status) if status < 500 => {
                DialFault::Proxy(format!("the proxy `{name}`: {fault}"))
            }
            fault => broken(fault.to_string()),
        };
        let mut stream = if proxy.tls {
            let roots = self.network.trust.roots(Some(&name)).map_err(DialFault::Trust)?;
            let client = tls::trusting(roots).map_err(|error| DialFault::Trust(error.to_string()))?;
            let connector = TlsConnector::from(Arc::new(client.with_no_client_auth()));
            let server =
                ServerName::try_from(proxy.host.clone()).map_err(|error| broken(error.to_string()))?;
            let tls = connector.connect(server, tcp).await.map_err(|error| broken(error.to_string()))?;
            Stream::Tls(Box::new(tls))
        } else {
            Stream::Tcp(tcp)
        };
        proxy.tunnel(&mut stream, host, port).await.map_err(refused)?;
        Ok(stream)
    }

    fn https(&self, verified: bool) -> Result<HttpsConnector<Plain>, DialFault> {
        let client = if verified {
            tls::trusting(self.network.trust.roots(self.registry.as_deref()).map_err(DialFault::Trust)?)
        } else {
            tls::trusting_anybody()
        };
        let client = client.map_err(|error| DialFault::Trust(error.to_string()))?;
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(client.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(Plain(self.clone())))
    }
}

/// Host without brackets and port of a URL.
pub fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Some((host, uri.port_u16().unwrap_or(default)))
}

impl From<ConnectFault> for DialFault {
    fn from(fault: ConnectFault) -> Self {
        match fault {
            ConnectFault::Name(why) => Self::Name(why),
            ConnectFault::Refused(address) => Self::Refused(address.to_string()),
            other @ ConnectFault::Other(..) => Self::Broken(other.to_string()),
        }
    }
}

fn relay_failed(error: &io::Error) -> DialFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialFault::Refused("the relay".into()),
        _ => DialFault::Broken(format!("the relay: {error}")),
    }
}

/// What hyper's client connects by.
#[derive(Clone)]
pub struct Connector {
    dialer: Dialer,
    verified: Arc<OnceLock<Result<HttpsConnector<Plain>, DialFault>>>,
    unverified: Arc<OnceLock<Result<HttpsConnector<Plain>, DialFault>>>,
}

impl Connector {
    /// By this dialer.
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, verified: Arc::default(), unverified: Arc::default() }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("dialer", &self.dialer).finish_non_exhaustive()
    }
}

type BoxError = Box<dyn Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<Stream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if uri.scheme_str() == Some("https") {
            let limit = self.dialer.timeout;
            let host = host_and_port(&uri).map(|(host, _)| host);
            let verified = host
                .zip(self.dialer.unverified.as_deref())
                .is_none_or(|(host, unverified)| !host.eq_ignore_ascii_case(unverified));
            let connector = if verified { &self.verified } else { &self.unverified };
            return match connector.get_or_init(|| self.dialer.https(verified)) {
                Ok(connector) => {
                    let connecting = connector.clone().call(uri);
                    Box::pin(async move {
                        // The handshake is a part of the connection.
                        let timeout = |_| DialFault::Timeout { what: "TLS handshake", limit };
                        tokio::time::timeout(limit, connecting).await.map_err(timeout)?
                    })
                }
                Err(fault) => Box::pin(std::future::ready(Err(fault.clone().into()))),
            };
        }
        let dialer = self.dialer.clone();
        Box::pin(async move { Ok(MaybeHttpsStream::Http(dialer.connect(&uri).await?)) })
    }
}

/// The connection below TLS.
#[derive(Clone)]
struct Plain(Dialer);

impl Service<Uri> for Plain {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move { Ok(dialer.connect(&uri).await?) })
    }
}

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// To an address.
    Tcp(TcpStream),
    /// Through a relay.
    Unix(UnixStream),
    /// To a proxy that speaks TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_urls() {
        for (uri, expected) in [
            ("https://ghcr.io/v2/", Some(("ghcr.io", 443))),
            ("http://localhost:5000/v2/", Some(("localhost", 5000))),
            ("http://[::1]/", Some(("::1", 80))),
            ("/v2/", None),
        ] {
            assert_eq!(host_and_port(&uri.parse().unwrap()), expected);
        }
    }
}
