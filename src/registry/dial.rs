//! Connections to registries: names resolved, addresses tried, or a given way taken.
//!
//! `localhost` never asks a resolver: it is 127.0.0.1, then `::1`. Other names give their addresses in
//! the resolver's order with the families taking turns (RFC 8305), each next one started 300 ms after the one before it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::error::Kind;
use crate::model::Dial;

/// Makes the connections of one client.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// The way to the registry itself; any other host is dialled directly.
    pub dial: Dial,
    /// Host and port that `dial` is the way to.
    pub registry: (String, u16),
    /// For the whole of one connection.
    pub timeout: Duration,
}

/// A failure to connect, as an error that the HTTP client passes through.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DialError(pub Kind);

/// Head start of one address before the next is tried too.
const HEAD_START: Duration = Duration::from_millis(300);

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
                    Dial::Address(address) => return try_addresses(vec![*address]).await,
                    Dial::Socket(path) => {
                        let stream = UnixStream::connect(path).await;
                        return stream.map(Stream::Unix).map_err(|error| failed(&error, "the relay"));
                    }
                }
            }
            try_addresses(resolve(host, port).await?).await
        };
        let stream = tokio::time::timeout(self.timeout, connect).await;
        let timeout = || Kind::Timeout { what: "connection", limit: self.timeout };
        Ok(TokioIo::new(stream.map_err(|_| DialError(timeout()))??))
    }
}

/// Host without brackets and port of a URL.
pub fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    Some((host, uri.port_u16().unwrap_or(default)))
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if host == "localhost" || host.ends_with(".localhost") {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(taking_turns(found.collect())),
        Err(error) => Err(DialError(Kind::Name(super::error::clean(&error.to_string())))),
    }
}

/// The families alternate, the first one's first.
fn taking_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut preferred, mut other): (Vec<_>, Vec<_>) =
        addresses.into_iter().rev().partition(|a| a.is_ipv6() == first);
    let mut ordered = Vec::with_capacity(preferred.len() + other.len());
    while !(preferred.is_empty() && other.is_empty()) {
        ordered.extend(preferred.pop());
        ordered.extend(other.pop());
    }
    ordered
}

async fn try_addresses(addresses: Vec<SocketAddr>) -> Result<Stream, DialError> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut first_failure = None;
    loop {
        if let Some(address) = waiting.next() {
            running.push(async move { (address, TcpStream::connect(address).await) });
        }
        let next = if waiting.len() == 0 {
            running.next().await
        } else {
            match tokio::time::timeout(HEAD_START, running.next()).await {
                Ok(next) => next,
                Err(_) => continue,
            }
        };
        match next {
            Some((_, Ok(stream))) => {
                let _ = stream.set_nodelay(true);
                return Ok(Stream::Tcp(stream));
            }
            // The first failure is told: it belongs to the address that was meant most.
            Some((address, Err(error))) => {
                first_failure.get_or_insert_with(|| failed(&error, &address.to_string()));
            }
            None => {
                let nothing = || DialError(Kind::Name("it has no address".into()));
                return Err(first_failure.unwrap_or_else(nothing));
            }
        }
    }
}

fn failed(error: &io::Error, address: &str) -> DialError {
    DialError(match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused(address.into()),
        _ => Kind::Connect(format!("{address}: {}", super::error::clean(&error.to_string()))),
    })
}

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// To an address.
    Tcp(TcpStream),
    /// Through a relay.
    Unix(UnixStream),
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
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
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

    #[test]
    fn families_take_turns() {
        let ordered = |texts: &[&str]| {
            let parsed = texts.iter().map(|text| text.parse().unwrap()).collect();
            taking_turns(parsed).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            ordered(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "1.1.1.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1"]
        );
        assert_eq!(ordered(&["1.1.1.1:1", "1.1.1.2:1"]), ["1.1.1.1:1", "1.1.1.2:1"]);
        assert_eq!(ordered(&[]), Vec::<String>::new());
    }
}
