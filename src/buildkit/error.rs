//! What can go wrong with a daemon and with a build, told apart as far as somebody acts on it.
//!
//! `detail.rs` reads what BuildKit attaches to a failed call. All texts from the other side are hostile;
//! they pass `clean` on their way in.

use std::io;

use super::address::Address;
use super::detail::Details;
use super::diffcopy::TransferError;
use super::status::FailedStep;
use crate::progress::event::SourceLocation;

/// No connection to a daemon.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing is there.
    #[error("the daemon's socket `{address}` does not exist")]
    Missing {
        /// Where.
        address: Address,
    },
    /// Docker makes a directory for a bind mount whose source is missing.
    #[error("the daemon's socket `{address}` is a directory")]
    Directory {
        /// Where.
        address: Address,
    },
    /// Not for this user.
    #[error("no permission to use the daemon's socket `{address}`")]
    Denied {
        /// Where.
        address: Address,
    },
    /// A socket without a listener, or no socket.
    #[error("nobody listens on the daemon's socket `{address}`")]
    Refused {
        /// Where.
        address: Address,
    },
    /// Any other trouble with the socket.
    #[error("connecting to the daemon at `{address}`")]
    Socket {
        /// Where.
        address: Address,
        /// What the system said.
        source: io::Error,
    },
    /// It answered, but not with the upgrade.
    #[error("the daemon at `{address}` answers `POST {path}` with {status} instead of an upgrade: {said}")]
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
    /// It took the connection and said nothing.
    #[error("the daemon at `{address}` did not answer within {seconds} s")]
    Silent {
        /// Where.
        address: Address,
        /// How long we waited.
        seconds: u64,
    },
    /// What it said is not HTTP.
    #[error("talking to the daemon at `{address}`")]
    Protocol {
        /// Where.
        address: Address,
        /// What is wrong with it.
        source: hyper::Error,
    },
    /// A header that cannot be sent.
    #[error("making a request for the daemon at `{address}`")]
    Request {
        /// Where.
        address: Address,
        /// What is wrong with it.
        source: http::Error,
    },
    /// The session as a stream of the Control service was refused.
    #[error("the daemon at `{address}` takes no session: {said}")]
    NoSession {
        /// Where.
        address: Address,
        /// Its message.
        said: String,
    },
}

impl ConnectError {
    pub(super) fn protocol(address: &Address, source: hyper::Error) -> Self {
        Self::Protocol { address: address.clone(), source }
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
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
}

/// A build that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A step of the Dockerfile ran and failed, or could not be run.
    #[error("`{step}` failed: {message}{}", at(location.as_ref()))]
    StepFailed {
        /// The step as people read it: `[linux/amd64 2/4] RUN make`.
        step: String,
        /// The step's digest, as in the updates.
        digest: String,
        /// What BuildKit said.
        message: String,
        /// How the step's process ended, if one ran.
        exit_code: Option<u32>,
        /// Where in the Dockerfile.
        location: Option<SourceLocation>,
    },
    /// The Dockerfile cannot be built: its syntax, its stages, its base images.
    #[error("the Dockerfile cannot be built: {message}{}", at(location.as_ref()))]
    Dockerfile {
        /// What the frontend said.
        message: String,
        /// Where in the Dockerfile.
        location: Option<SourceLocation>,
    },
    /// Everything was built; the registry or the way to it failed. Solving again builds nothing twice.
    #[error("pushing to `{repository}`: {message}")]
    PushFailed {
        /// Where to.
        repository: String,
        /// What the registry or the network said to the daemon.
        message: String,
    },
    /// A directory could not be sent.
    #[error("sending the {directory} to the daemon")]
    ContextTransfer {
        /// `context` or `dockerfile`.
        directory: String,
        /// What is wrong with it.
        source: TransferError,
    },
    /// No session with the daemon.
    #[error("opening a session")]
    Session(#[from] ConnectError),
    /// The connection broke, or the daemon ended.
    #[error("the connection to the daemon broke during {doing}: {message}")]
    Disconnected {
        /// What was being done.
        doing: &'static str,
        /// What the transport said.
        message: String,
    },
    /// On our own demand.
    #[error("the build was cancelled")]
    Cancelled,
    /// The daemon answered something that makes no sense.
    #[error("the daemon's answer makes no sense: {0}")]
    Nonsense(String),
    /// Anything else that the daemon said.
    #[error("the daemon says: {message} ({code})")]
    Other {
        /// gRPC's word for it: `Unknown`, `NotFound`.
        code: String,
        /// Its message.
        message: String,
    },
}

impl BuildError {
    pub(super) fn silent(doing: &'static str) -> Self {
        Self::Disconnected { doing, message: "no answer".into() }
    }

    /// From a failed call, without knowledge of the steps' names.
    pub(super) fn from_status(status: &tonic::Status) -> Self {
        Self::from_failed_call(status, "a call", |_| None)
    }

    /// From a failed call; `failed_step` knows the steps that failed, by digest.
    pub(super) fn from_failed_call(
        status: &tonic::Status,
        doing: &'static str,
        failed_step: impl Fn(&str) -> Option<FailedStep>,
    ) -> Self {
        let message = clean(status.message());
        if let Some(transport) = std::error::Error::source(status) {
            return Self::Disconnected { doing, message: clean(&root_cause(transport)) };
        }
        if let Some((repository, message)) = push_failure(&message) {
            return Self::PushFailed { repository, message };
        }
        let Details { vertex, exit_code, location, frontend } = Details::parse(status.details());
        match vertex {
            Some(digest) => {
                let FailedStep { name, foreign } = failed_step(&digest).unwrap_or_default();
                let step = if name.is_empty() { "a step".into() } else { clean(&name) };
                let message = if foreign { format!("{message}: exec format error") } else { message };
                Self::StepFailed { step, digest, message, exit_code, location }
            }
            None if location.is_some() || frontend || blames_dockerfile(&message) => {
                Self::Dockerfile { message, location }
            }
            None if status.code() == tonic::Code::Unavailable => Self::Disconnected { doing, message },
            None => Self::Other { code: format!("{:?}", status.code()), message },
        }
    }

    /// Where in the Dockerfile, when BuildKit says.
    pub fn location(&self) -> Option<&SourceLocation> {
        match self {
            Self::StepFailed { location, .. } | Self::Dockerfile { location, .. } => location.as_ref(),
            _ => None,
        }
    }

    /// The registry refused access to the push: not a fault of the network, and none that time mends.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::PushFailed { message, .. } if refuses_access(message))
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Session(error) => error.hint(),
            Self::StepFailed { message, .. } | Self::Dockerfile { message, .. }
                if message.contains("exec format error") =>
            {
                Some("this machine cannot run that platform's programs: register an emulator (QEMU) first")
            }
            Self::StepFailed { message, .. }
                if message.contains("failed to calculate checksum of ref")
                    && message.contains("not found") =>
            {
                Some("is the file in the build context, and not excluded by `.dockerignore`?")
            }
            Self::Dockerfile { message, .. } if message.contains("no match for platform") => {
                Some("the base image is not published for that platform")
            }
            Self::Dockerfile { message, .. } if message.contains("failed to resolve source metadata") => {
                pull_hint(message)
            }
            Self::PushFailed { message, .. } => push_hint(message),
            Self::Other { message, .. } if message.contains("exporter \"image\" could not be found") => Some(
                "the daemon does not use the containerd image store, without which it cannot push what it builds",
            ),
            _ => None,
        }
    }
}

/// Whether a registry's answer is about access. URLs in the text are left out: a digest has any three digits in it,
/// and a repository any word.
fn refuses_access(message: &str) -> bool {
    const WORDS: &[&str] = &[
        "401 unauthorized",
        "403 forbidden",
        "denied",
        "unauthorized",
        "authorization failed",
        "authentication required",
        "no basic auth credentials",
        "insufficient_scope",
        "insufficient scope",
    ];
    let words = message.split_whitespace().filter(|word| !word.contains("://"));
    let said = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    WORDS.iter().any(|word| said.contains(word))
}

fn push_hint(message: &str) -> Option<&'static str> {
    if refuses_access(message) {
        Some("check `username` and `password`, and that they may write to this repository")
    } else if has(message, UNREACHABLE) {
        Some("the daemon cannot reach the registry")
    } else if has(message, &["server gave HTTP response to HTTPS client"]) {
        Some("the registry speaks plain HTTP: the daemon needs it in its `insecure-registries`")
    } else {
        None
    }
}

fn pull_hint(message: &str) -> Option<&'static str> {
    if refuses_access(message) {
        Some("the base image's registry does not let us read it: is the name right, is a login needed?")
    } else if has(message, UNREACHABLE) {
        Some("the daemon cannot reach the base image's registry")
    } else {
        None
    }
}

const UNREACHABLE: &[&str] = &["connection refused", "lookup ", "i/o timeout", "no route to host"];

fn has(message: &str, words: &[&str]) -> bool {
    words.iter().any(|word| message.contains(word))
}

/// BuildKit wraps what goes wrong in a push: `failed to push REPOSITORY: …`.
fn push_failure(message: &str) -> Option<(String, String)> {
    let (_, rest) = message.split_once("failed to push ")?;
    let (repository, reason) = rest.split_once(": ")?;
    let plain = !repository.is_empty() && !repository.contains(char::is_whitespace);
    plain.then(|| (repository.to_owned(), reason.to_owned()))
}

fn at(location: Option<&SourceLocation>) -> String {
    location.map(|place| format!(" (`{}:{}`)", place.file, place.line)).unwrap_or_default()
}

/// Faults of the Dockerfile that BuildKit reports without details.
fn blames_dockerfile(message: &str) -> bool {
    message.starts_with("failed to read dockerfile")
        || message.starts_with("target stage ")
        || message.contains("Dockerfile cannot be empty")
        || message.contains("no build stage in current context")
}

/// The innermost cause: the outer ones say "transport error" and the like.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A text of the other side, without control characters but line ends, and of a bearable length.
pub(super) fn clean(text: &str) -> String {
    const LIMIT: usize = 8192;
    text.trim().chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_failures() {
        let split = |message| push_failure(message).map(|(a, b)| format!("{a} | {b}"));
        assert_eq!(
            split("failed to push 127.0.0.1:5000/api: failed to do request: dial tcp: connection refused")
                .unwrap(),
            "127.0.0.1:5000/api | failed to do request: dial tcp: connection refused"
        );
        assert_eq!(split("exporting: failed to push ghcr.io/a/b: denied").unwrap(), "ghcr.io/a/b | denied");
        for other in ["failed to push", "failed to push ", "failed to push a b: c", "process \"x\" failed"] {
            assert_eq!(split(other), None, "{other}");
        }
    }

    #[test]
    fn codes_without_details() {
        let error = |code, message: &str| BuildError::from_status(&tonic::Status::new(code, message));
        let BuildError::Disconnected { message, .. } = error(tonic::Code::Unavailable, "EOF") else {
            panic!("unavailable is a broken connection");
        };
        assert_eq!(message, "EOF");
        let other = error(tonic::Code::Unknown, "exporter \"image\" could not be found\u{1b}[2J");
        assert_eq!(other.to_string(), "the daemon says: exporter \"image\" could not be found[2J (Unknown)");
        assert!(other.hint().unwrap().contains("containerd image store"));
    }

    #[test]
    fn faults_of_the_dockerfile_without_details() {
        for message in [
            "failed to read dockerfile: open Dockerfile: no such file or directory",
            "the Dockerfile cannot be empty",
            "target stage \"nope\" could not be found",
        ] {
            let error = BuildError::from_status(&tonic::Status::unknown(message));
            assert!(matches!(error, BuildError::Dockerfile { location: None, .. }), "{error}");
        }
    }

    #[test]
    fn push_hints() {
        for (message, part) in [
            (
                "unexpected status from POST request to http://r/v2/a/blobs/uploads/: 401 Unauthorized",
                "password",
            ),
            ("denied: requested access to the resource is denied", "password"),
            ("dial tcp 127.0.0.1:5000: connect: connection refused", "reach"),
            ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
        ] {
            let error = BuildError::PushFailed { repository: "r/a".into(), message: message.into() };
            assert!(error.hint().unwrap().contains(part), "{message}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_hiccup() {
        for (message, refusal) in [
            ("unexpected status from HEAD request to http://r/v2/a/blobs/sha256:00: 401 Unauthorized", true),
            ("failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden", true),
            ("push access denied, repository does not exist or may require authorization", true),
            ("server message: insufficient_scope: authorization failed", true),
            (
                "unexpected status from HEAD request to http://r/v2/denied/blobs/sha256:401403: 500 Internal",
                false,
            ),
            (
                "failed to do request: Put \"https://r/v2/unauthorized/manifests/x\": connection reset by peer",
                false,
            ),
        ] {
            let error = BuildError::PushFailed { repository: "r/a".into(), message: message.into() };
            assert_eq!(error.is_refusal(), refusal, "{message}");
        }
    }
}
