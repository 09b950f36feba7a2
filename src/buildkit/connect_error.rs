//! What can go wrong on the way to a BuildKit, told apart as far as a person does something else about it.

use std::io;
use std::time::Duration;

use super::address::Address;
use super::tls_fault::TlsFault;

/// No connection to a daemon or builder.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing is there.
    #[error("{} does not exist", place(address))]
    Missing {
        /// Where.
        address: Address,
    },
    /// Docker makes a directory for a bind mount whose source is missing.
    #[error("{} is a directory", place(address))]
    Directory {
        /// Where.
        address: Address,
    },
    /// Not for this user.
    #[error("no permission to use {}", place(address))]
    Denied {
        /// Where.
        address: Address,
    },
    /// A socket without a listener, or no socket; a port on which nobody listens.
    #[error("nobody listens on {}", place(address))]
    Refused {
        /// Where.
        address: Address,
    },
    /// Any other trouble with the socket or the network.
    #[error("connecting to {}", side(address))]
    Socket {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("{}: its name cannot be resolved: {said}", side(address))]
    Name {
        /// Where.
        address: Address,
        /// What the resolver said.
        said: String,
    },
    /// TLS, or its absence.
    #[error("{}: {fault}", side(address))]
    Tls {
        /// Where.
        address: Address,
        /// What about it.
        fault: TlsFault,
    },
    /// It answered, but not with the upgrade.
    #[error("{} answers `POST {path}` with {status} instead of an upgrade: {said}", side(address))]
    NoUpgrade {
        /// Where.
        address: Address,
        /// `/grpc` or `/session`.
        path: &'static str,
        /// HTTP status.
        status: u16,
        /// Its message.
        said: String,
    },
    /// The Docker daemon does not run `buildctl dial-stdio` in the container.
    #[error("{}: the Docker daemon answers with {status}: {said}", side(address))]
    NoExec {
        /// Where.
        address: Address,
        /// HTTP status.
        status: u16,
        /// The daemon's message.
        said: String,
    },
    /// `buildctl dial-stdio` ended at once.
    #[error("{}: `buildctl dial-stdio` ended{}{}", side(address), exit(*exit_code), colon(said))]
    ExecEnded {
        /// Where.
        address: Address,
        /// How it ended, if the daemon knows.
        exit_code: Option<i64>,
        /// What it wrote to stderr.
        said: String,
    },
    /// It took the connection and said nothing in time.
    #[error("{} did not answer within {seconds} s{}", side(address), while_(stage))]
    Silent {
        /// Where.
        address: Address,
        /// How long we waited.
        seconds: u64,
        /// What was being done; empty when there is but one thing.
        stage: &'static str,
    },
    /// It took the connection and closed it.
    #[error("{} closes the connection without a word", side(address))]
    HungUp {
        /// Where.
        address: Address,
    },
    /// It speaks, but is no buildkitd.
    #[error("{} is not a buildkitd: {said}", side(address))]
    NotBuildkit {
        /// Where.
        address: Address,
        /// What it did instead.
        said: String,
    },
    /// What it said is not HTTP.
    #[error("talking to {}", side(address))]
    Protocol {
        /// Where.
        address: Address,
        /// What is wrong with it.
        source: hyper::Error,
    },
    /// A header that cannot be sent.
    #[error("making a request for {}", side(address))]
    Request {
        /// Where.
        address: Address,
        /// What is wrong with it.
        source: http::Error,
    },
    /// The session as a stream of the Control service was refused.
    #[error("{} takes no session: {said}", side(address))]
    NoSession {
        /// Where.
        address: Address,
        /// Its message.
        said: String,
    },
}

/// As a place that can be missing.
fn place(address: &Address) -> String {
    match address {
        Address::DockerSocket(_) => format!("the daemon's socket `{address}`"),
        Address::BuildkitSocket(_) => format!("the builder's socket `{address}`"),
        Address::Exec { .. } | Address::Tcp { .. } => format!("the builder's address `{address}`"),
    }
}

/// As somebody who answers.
fn side(address: &Address) -> String {
    match address {
        Address::DockerSocket(_) => format!("the daemon at `{address}`"),
        Address::Exec { container, .. } => format!("the builder in the container `{container}`"),
        Address::BuildkitSocket(_) | Address::Tcp { .. } => format!("the builder at `{address}`"),
    }
}

fn exit(code: Option<i64>) -> String {
    code.map(|code| format!(" with {code}")).unwrap_or_default()
}

fn colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn while_(stage: &str) -> String {
    if stage.is_empty() { String::new() } else { format!(" ({stage})") }
}

impl ConnectError {
    pub(super) fn protocol(address: &Address, source: hyper::Error) -> Self {
        Self::Protocol { address: address.clone(), source }
    }

    pub(super) fn silent(address: &Address, patience: Duration, stage: &'static str) -> Self {
        Self::Silent { address: address.clone(), seconds: patience.as_secs(), stage }
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        let of_daemon = self.address().is_docker();
        match self {
            Self::Tls { fault, .. } => fault.hint(),
            Self::Missing { .. } if !of_daemon => Some(
                "`builder: unix://PATH` is a path that this action's container sees: the socket's directory must be in \
                 the workspace or in `RUNNER_TEMP`, or be mounted into the job's container",
            ),
            Self::Refused { .. } if !of_daemon => {
                Some("is buildkitd running there, and is the address in `builder` right?")
            }
            Self::Silent { .. } if !of_daemon => Some(
                "does the address in `builder` lead to a buildkitd, past all firewalls? is that one overloaded?",
            ),
            Self::Name { .. } => {
                Some("is the host in `builder` right, and known to this machine's resolver?")
            }
            Self::Socket { .. } if !of_daemon => {
                Some("is the address in `builder` right, and reachable from this machine?")
            }
            Self::HungUp { address: Address::Tcp { tls: None, .. } } => Some(
                "does it want TLS? then give `cacert=`, `cert=` and `key=` with its address in `builder`",
            ),
            Self::NoExec { status: 404, .. } => {
                Some("no container of this name is there: is the name in `builder` right?")
            }
            Self::NoExec { status: 409, .. } => Some("the container of `builder` must be running"),
            Self::ExecEnded { .. } => {
                Some("the container of `builder` must be one of `moby/buildkit`, with a running buildkitd")
            }
            Self::NotBuildkit { .. } => Some(
                "is the address in `builder` that of a buildkitd? a Docker daemon's own BuildKit is `builder: docker`",
            ),
            Self::Missing { .. } => Some(
                "is Docker installed and running on this runner? in a job with `container:`, mount the host's \
                 `/var/run/docker.sock` into it",
            ),
            Self::Directory { .. } => Some(
                "docker mounted it from a path that does not exist on the host, and made a directory there: the \
                 host's daemon listens elsewhere or is not running",
            ),
            Self::Denied { .. } => Some("run as root or as a member of the socket's group"),
            Self::Refused { .. } => Some("the daemon was stopped or is starting: `systemctl status docker`"),
            Self::NoUpgrade { status: 404, .. } => {
                Some("a Docker daemon of 18.09 or newer is needed; Podman's socket has no BuildKit")
            }
            Self::NoUpgrade { status: 403, .. } => Some(
                "a proxy before the daemon forbids it: it must let `POST /grpc` and `POST /session` through",
            ),
            _ => None,
        }
    }

    /// Where it went wrong.
    pub fn address(&self) -> &Address {
        match self {
            Self::Missing { address }
            | Self::Directory { address }
            | Self::Denied { address }
            | Self::Refused { address }
            | Self::HungUp { address }
            | Self::Socket { address, .. }
            | Self::Name { address, .. }
            | Self::Tls { address, .. }
            | Self::NoUpgrade { address, .. }
            | Self::NoExec { address, .. }
            | Self::ExecEnded { address, .. }
            | Self::Silent { address, .. }
            | Self::NotBuildkit { address, .. }
            | Self::Protocol { address, .. }
            | Self::Request { address, .. }
            | Self::NoSession { address, .. } => address,
        }
    }
}
