//! Connections to registries: straight to the host of a URL (`net` resolves and tries), through the proxy that is set
//! for it, or by a given way, which no proxy is on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::answered::clean;
use super::error::Kind;
use crate::model::Dial;
use crate::net::proxy::{Proxy, TunnelFault};
use crate::net::{self, ConnectFault, Network};

/// Makes the connections of one client.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// The way to the registry itself; any other host is dialled directly.
    pub dial: Dial,
    /// Host and port that `dial` is the way to.
    pub registry: (String, u16),
    /// For the whole of one connection.
    pub timeout: Duration,
    /// Proxies, and whom a proxy's TLS is believed from.
    pub network: Network,
}

/// A failure to connect, as an error that the HTTP client passes through.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DialError(pub Kind);

impl Dialer {
    /// Connects to the host of this URL.
    pub async fn connect(&self, uri: &Uri) -> Result<TokioIo<Stream>, DialError> {
        let Some((host, port)) = host_and_port(uri) else {
            return Err(DialError(Kind::Protocol(format!("`{uri}` names no host"))));
        };
        let connect = async {
            if (host, port) == (self.registry.0.as_str(), self.registry.1) {
                match &self.dial {
                    Dial::Direct => {}
                    Dial::Address(address) => {
                        let stream = net::connect_to(vec![*address]).await;
                        return stream.map(Stream::Tcp).map_err(failed);
                    }
                    Dial::Socket(path) => {
                        let stream = UnixStream::connect(path).await;
                        return stream.map(Stream::Unix).map_err(|error| relay_failed(&error));
                    }
                }
            }
            match self.network.proxies.for_url(uri) {
                Ok(None) => net::connect(host, port).await.map(Stream::Tcp).map_err(failed),
                Ok(Some(proxy)) => self.through(proxy, host, port).await.map_err(DialError),
                Err(why) => Err(DialError(Kind::Proxy(clean(why)))),
            }
        };
        let stream = tokio::time::timeout(self.timeout, connect).await;
        let timeout = || Kind::Timeout { what: "connection", limit: self.timeout };
        Ok(TokioIo::new(stream.map_err(|_| DialError(timeout()))??))
    }

    /// A tunnel to the host. A plain `http` URL takes one too: all that may be reached so is a redirect's aim.
    async fn through(&self, proxy: &Proxy, host: &str, port: u16) -> Result<Stream, Kind> {
        let name = clean(&format!("{}:{}", proxy.host, proxy.port));
        let broken = |why: String| Kind::Connect(format!("through the proxy `{name}`: {}", clean(&why)));
        let tcp = net::connect(&proxy.host, proxy.port).await.map_err(|fault| broken(fault.to_string()))?;
        let refused = |fault: TunnelFault| match fault {
            TunnelFault::Refused(status) if status < 500 => {
                Kind::Proxy(format!("the proxy `{name}`: {fault}"))
            }
            fault => broken(fault.to_string()),
        };
        let mut stream = if proxy.tls {
            let roots = self.network.trust.roots(&name).map_err(Kind::Tls)?;
            let client = net::tls::trusting(roots).map_err(|error| Kind::Tls(error.to_string()))?;
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
}

/// Host without brackets and port of a URL.
pub fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Some((host, uri.port_u16().unwrap_or(default)))
}

fn failed(fault: ConnectFault) -> DialError {
    DialError(match fault {
        ConnectFault::Name(why) => Kind::Name(clean(&why)),
        ConnectFault::Refused(address) => Kind::Refused(address.to_string()),
        other @ ConnectFault::Other(..) => Kind::Connect(clean(&other.to_string())),
    })
}

fn relay_failed(error: &io::Error) -> DialError {
    DialError(match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused("the relay".into()),
        _ => Kind::Connect(format!("the relay: {}", clean(&error.to_string()))),
    })
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
