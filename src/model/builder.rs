//! Which BuildKit is to build, as it was asked for.

use std::fmt;
use std::path::PathBuf;

use super::{Platform, Secret};

/// The input `builder`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BuilderChoice {
    /// The daemon's own BuildKit where that can do the job, else a container.
    #[default]
    Auto,
    /// One or more nodes, at least one. With several, each builds its own platforms.
    Nodes(Vec<BuilderNode>),
}

/// One node of a builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderNode {
    /// Where it is.
    pub address: BuilderAddress,
    /// What it is to build; empty: what it runs natively.
    pub platforms: Vec<Platform>,
}

/// Where a BuildKit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuilderAddress {
    /// The Docker daemon's own.
    Docker,
    /// A container that we make from the builder image.
    OwnContainer,
    /// An existing container, by its name or by the name of a builder of buildx.
    Container(String),
    /// buildkitd's socket: a path of ours.
    Unix(PathBuf),
    /// buildkitd on the network.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// TLS; plain HTTP/2 if absent.
        tls: Option<Tls>,
    },
}

/// As the input names it; nothing of the TLS files.
impl fmt::Display for BuilderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker => f.write_str("docker"),
            Self::OwnContainer => f.write_str("docker-container"),
            Self::Container(name) => write!(f, "docker-container://{name}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// What a TLS connection to a builder needs, as PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates to trust; the system's if absent.
    pub ca: Option<String>,
    /// Our certificate, with its chain.
    pub certificate: Option<String>,
    /// Its private key.
    pub key: Option<Secret>,
    /// The name in the server's certificate, when it is not the host.
    pub server_name: Option<String>,
}
