//! Where a BuildKit is, and how one gets there. Pure: reads `DOCKER_HOST`'s grammar, opens nothing.
//!
//! A further way in (TCP with TLS, `exec` into a container) is a further variant here and a further arm
//! in `connection::dial`.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place that speaks BuildKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The Docker daemon's socket: BuildKit behind the HTTP upgrades of `/grpc` and `/session`.
    DockerSocket(PathBuf),
    /// buildkitd's own socket: HTTP/2 from the first byte, the session as a stream of it.
    BuildkitSocket(PathBuf),
}

/// `DOCKER_HOST` names no address that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// A scheme that docker knows and we do not.
    #[error(
        "`DOCKER_HOST` is `{0}`: only a socket of this machine is supported, `unix:///var/run/docker.sock`"
    )]
    Unsupported(String),
    /// No scheme, or no absolute path.
    #[error("`DOCKER_HOST` is `{0}`, which is no address (expected `unix:///var/run/docker.sock`)")]
    Malformed(String),
}

impl Address {
    /// Where Docker listens unless told otherwise.
    pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

    /// Reads the value of `DOCKER_HOST`; empty means the default socket.
    pub fn from_docker_host(value: &str) -> Result<Self, InvalidAddress> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(Self::DockerSocket(Self::DEFAULT_SOCKET.into()));
        }
        let shown = || value.chars().filter(|c| !c.is_control()).take(200).collect();
        match value.split_once("://") {
            Some(("unix", path)) if Path::new(path).is_absolute() => Ok(Self::DockerSocket(path.into())),
            Some(("tcp" | "http" | "https" | "ssh" | "npipe" | "fd", _)) => {
                Err(InvalidAddress::Unsupported(shown()))
            }
            _ => Err(InvalidAddress::Malformed(shown())),
        }
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        match self {
            Self::DockerSocket(path) | Self::BuildkitSocket(path) => path,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.path().display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host() {
        for (value, path) in [
            ("", "/var/run/docker.sock"),
            (" ", "/var/run/docker.sock"),
            ("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"),
        ] {
            assert_eq!(Address::from_docker_host(value), Ok(Address::DockerSocket(path.into())), "{value}");
        }
        for value in ["tcp://127.0.0.1:2375", "ssh://me@host", "npipe:////./pipe/docker_engine", "fd://"] {
            assert_eq!(Address::from_docker_host(value), Err(InvalidAddress::Unsupported(value.into())));
        }
        for value in ["/var/run/docker.sock", "unix://docker.sock", "unix://", "localhost:2375", "gopher://x"]
        {
            assert_eq!(Address::from_docker_host(value), Err(InvalidAddress::Malformed(value.into())));
        }
    }
}
