//! Where a BuildKit is, and how one gets there. Pure: reads `DOCKER_HOST`'s grammar, opens nothing.
//!
//! A further way in is a further variant here and a further arm in `dial`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Tls, text};

/// A place that speaks BuildKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The Docker daemon's socket: BuildKit behind the HTTP upgrades of `/grpc` and `/session`.
    DockerSocket(PathBuf),
    /// buildkitd's own socket: HTTP/2 from the first byte, the session as a stream of it.
    BuildkitSocket(PathBuf),
    /// `buildctl dial-stdio` in a container, whose standard streams carry what its buildkitd's socket does.
    Exec {
        /// The Docker daemon's socket.
        socket: PathBuf,
        /// Name or id of the container.
        container: String,
    },
    /// buildkitd on the network: HTTP/2 from the first byte, inside TLS if there is any.
    Tcp {
        /// Host name or IP address, the latter without brackets.
        host: String,
        /// Port.
        port: u16,
        /// How both sides prove who they are; none: plain HTTP/2. Shared: an address is copied into errors.
        tls: Option<Arc<Tls>>,
    },
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
    #[error("`DOCKER_HOST` is `{0}`, which is not an address (expected `unix:///var/run/docker.sock`)")]
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
        let shown = || text::name(value);
        match value.split_once("://") {
            Some(("unix", path)) if Path::new(path).is_absolute() => Ok(Self::DockerSocket(path.into())),
            Some(("tcp" | "http" | "https" | "ssh" | "npipe" | "fd", _)) => {
                Err(InvalidAddress::Unsupported(shown()))
            }
            _ => Err(InvalidAddress::Malformed(shown())),
        }
    }

    /// The socket's path; empty for TCP, which has none.
    pub fn path(&self) -> &Path {
        match self {
            Self::DockerSocket(path) | Self::BuildkitSocket(path) | Self::Exec { socket: path, .. } => path,
            Self::Tcp { .. } => Path::new(""),
        }
    }

    /// Whether it is the BuildKit inside a Docker daemon: it has the daemon's images and its `/session`.
    pub fn is_docker(&self) -> bool {
        matches!(self, Self::DockerSocket(_))
    }

    /// Whether the way there leads over a network.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DockerSocket(path) | Self::BuildkitSocket(path) => write!(f, "unix://{}", path.display()),
            Self::Exec { container, .. } => write!(f, "docker-container://{container}"),
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        let tcp = |host: &str| Address::Tcp { host: host.into(), port: 1234, tls: None };
        let exec = Address::Exec { socket: "/run/docker.sock".into(), container: "b0".into() };
        for (address, text) in [
            (Address::DockerSocket("/run/docker.sock".into()), "unix:///run/docker.sock"),
            (Address::BuildkitSocket("/b.sock".into()), "unix:///b.sock"),
            (exec, "docker-container://b0"),
            (tcp("builder.acme.io"), "tcp://builder.acme.io:1234"),
            (tcp("fd00::1"), "tcp://[fd00::1]:1234"),
        ] {
            assert_eq!(address.to_string(), text);
        }
    }

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
