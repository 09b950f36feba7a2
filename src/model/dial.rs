//! How the connection to a registry is made, when its own address is not the way.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The way to one registry. Only the connection changes: names in URLs, in TLS and in headers stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dial {
    /// To the address that its name says.
    #[default]
    Direct,
    /// To this address, for a registry on the host's loopback that also listens where we can reach it.
    Address(SocketAddr),
    /// To this Unix socket, whose other end carries the bytes to the registry.
    Socket(PathBuf),
}
