//! What can go wrong with a build, told apart as far as somebody acts on it.
//!
//! `unreached.rs` has what goes wrong before there is one, `advice.rs` what to change. `detail.rs` reads what BuildKit attaches to a failed call.
//! All texts from the other side are hostile; they pass `model::text` on their way in.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::advice;
use super::connect_error::ConnectError;
use super::detail::Details;
use super::diffcopy::TransferError;
use super::push_trouble;
use super::ssh::{SshError, joined};
use super::status::FailedStep;
use crate::model::{Trouble, causes, text};
use crate::progress::event::SourceLocation;
use crate::progress::node::step_of_node;

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
    /// Nobody to sign for the input `ssh`: every fault. Nothing was begun.
    #[error("{}", joined(.0))]
    Ssh(Vec<SshError>),
    /// Everything was built and the cache written, but not the file that names it.
    #[error("writing `index.json` of the cache directory `{directory}`")]
    CacheIndex {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
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
    /// On one node of several.
    #[error("on the node `{node}`: {source}")]
    Node {
        /// The node.
        node: String,
        /// What went wrong there.
        source: Box<BuildError>,
    },
    /// A layer of a cache does not arrive.
    #[error("nothing of its layers came for {} s", .0.as_secs())]
    CacheStalled(Duration),
    /// BuildKit is still busy with such a layer, which it was not asked for any more.
    #[error(
        "BuildKit has begun no step for {} s: it is held up by the cache that did not arrive",
        .0.as_secs()
    )]
    HeldUp(Duration),
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

    /// A connection that broke, with what the program in between said when it ended.
    pub(super) fn with_last_words(self, said: Option<String>) -> Self {
        match (self, said) {
            (Self::Disconnected { doing, message }, Some(said)) => {
                Self::Disconnected { doing, message: format!("{message}: {said}") }
            }
            (error, _) => error,
        }
    }

    /// The same, of one node of several: `part` stands before its steps' names in the log, `node` is its name.
    #[must_use]
    pub fn on_node(mut self, part: &str, node: &str) -> Self {
        match &mut self {
            Self::Cancelled => return self,
            Self::StepFailed { step, .. } => *step = step_of_node(part, step),
            _ => {}
        }
        Self::Node { node: node.to_owned(), source: Box::new(self) }
    }

    /// What went wrong, on whichever node.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Node { source, .. } => source.cause(),
            other => other,
        }
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
        let message = text::lines(status.message());
        // Of the transport's errors the innermost says it; the outer ones say "transport error" and the like.
        if let Some(innermost) = causes(status).skip(1).last() {
            return Self::Disconnected { doing, message: text::line(&innermost.to_string()) };
        }
        if let Some((repository, message)) = push_failure(&message) {
            return Self::PushFailed { repository, message };
        }
        let Details { vertex, exit_code, location, frontend } = Details::parse(status.details());
        match vertex {
            Some(digest) => {
                let FailedStep { name, foreign } = failed_step(&digest).unwrap_or_default();
                let step = if name.is_empty() { "a step".into() } else { text::line(&name) };
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
        match self.cause() {
            Self::StepFailed { location, .. } | Self::Dockerfile { location, .. } => location.as_ref(),
            _ => None,
        }
    }

    /// BuildKit waits for a layer of a cache; as long as it does it may do nothing else.
    pub fn is_stalled(&self) -> bool {
        matches!(self, Self::CacheStalled(_))
    }

    /// A cache that was read may be why, so that the same build without it may succeed. One that stands still is
    /// [`Self::is_stalled`], as it takes more than that.
    pub fn may_come_from_cache(&self) -> bool {
        super::cache::may_come_from_cache(self)
    }

    /// Whether the connection ended in the middle of it: what was at the other end may be gone.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }

    /// The registry refused access to the push: not a fault of the network, and none that time mends.
    pub fn is_refusal(&self) -> bool {
        matches!(self.cause(), Self::PushFailed { message, .. } if advice::refuses_access(message))
    }

    /// What another push would meet, if this is one that failed.
    pub fn push_trouble(&self) -> Option<Trouble> {
        match self {
            Self::PushFailed { message, .. } => Some(push_trouble::trouble(message)),
            _ => None,
        }
    }

    /// The same of a solve that had nothing left to do but the push: what keeps it from that is no fault of the build.
    pub fn push_trouble_again(&self) -> Option<Trouble> {
        match self {
            Self::Dockerfile { message, .. } | Self::Other { message, .. } => {
                Some(push_trouble::trouble(message)).filter(|trouble| *trouble != Trouble::Lasting)
            }
            other => other.push_trouble(),
        }
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<&'static str> {
        advice::hint(self.cause())
    }
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
        assert_eq!(other.to_string(), "the daemon says: exporter \"image\" could not be found [2J (Unknown)");
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
}
