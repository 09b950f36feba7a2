//! Connections to hosts on the network: names resolved, addresses tried, proxies taken, whom to trust. What is said on
//! them, and how long it may take, is the caller's matter.
//!
//! `localhost` never asks a resolver: it is 127.0.0.1, then `::1`. Other names give their addresses in
//! the resolver's order with the families taking turns (RFC 8305), each next one started 300 ms after the one before it.
//! hyper-util's connector does neither: it asks for `localhost` too, begins with the other family once, and has no error
//! that tells a name without an address from a port where nobody listens but by its words.

pub mod client;
pub mod dial;
pub mod proxy;
pub mod tls;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

/// What stands around this process's connections to the outside: read once, passed down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Between us and other machines.
    pub proxies: proxy::Proxies,
    /// Whose certificates are believed.
    pub trust: tls::Trust,
}

impl Network {
    /// From the variables of the environment.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        Self {
            proxies: proxy::Proxies::from_variables(variables),
            trust: tls::Trust::from_variables(variables),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// The name has no address.
    #[error("its name cannot be resolved: {0}")]
    Name(String),
    /// Nothing listens there.
    #[error("connection refused ({0})")]
    Refused(SocketAddr),
    /// Anything else that the system said.
    #[error("{0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// Head start of one address before the next is tried too.
const HEAD_START: Duration = Duration::from_millis(300);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Connects to the first address of a host that takes a connection. Unbounded in time.
pub async fn connect(host: &str, port: u16) -> Result<TcpStream, ConnectFault> {
    connect_to(resolve(host, port).await?).await
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectFault> {
    if host == "localhost" || host.ends_with(".localhost") {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(taking_turns(found.take(MAX_ADDRESSES).collect())),
        Err(error) => Err(ConnectFault::Name(error.to_string())),
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

/// Connects to the first of these that takes a connection; Nagle's delay is off.
pub async fn connect_to(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectFault> {
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
                return Ok(stream);
            }
            // The first failure is told: it belongs to the address that was meant most.
            Some((address, Err(error))) => {
                first_failure.get_or_insert_with(|| match error.kind() {
                    io::ErrorKind::ConnectionRefused => ConnectFault::Refused(address),
                    _ => ConnectFault::Other(address, error),
                });
            }
            None => {
                let nothing = || ConnectFault::Name("it has no address".into());
                return Err(first_failure.unwrap_or_else(nothing));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn the_next_address_is_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(connect_to(vec![closed, closed, good]).await.unwrap().peer_addr().unwrap(), good);
        let error = connect_to(vec![closed]).await.unwrap_err();
        assert!(matches!(error, ConnectFault::Refused(address) if address == closed), "{error}");
        assert!(matches!(connect_to(vec![]).await, Err(ConnectFault::Name(_))));
    }
}
