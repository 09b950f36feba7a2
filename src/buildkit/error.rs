//! What can go wrong with a build, told apart as far as somebody acts on it.
//!
//! Only the words for it: `connect_error` has those for what goes wrong before there is one. `failed_call` makes them of a
//! call that failed, `push_trouble` and `cache` say what another try would meet, `advice` what to change; each adds its methods.
//! All texts from the other side are hostile; they pass `model::text` on their way in.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::connect_error::ConnectError;
use super::diffcopy::TransferError;
use super::ssh::{SshError, joined};
use super::wording::{how, not_built, without_uploads};
use crate::progress::event::SourceLocation;
use crate::progress::node::step_of_node;

/// A build that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A step of the Dockerfile ran and failed, or could not be run.
    #[error("`{step}` {}{}", how(step, *exit_code, message), at(location.as_ref()))]
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
    #[error("{}{}", not_built(message), at(location.as_ref()))]
    Dockerfile {
        /// What the frontend said.
        message: String,
        /// Where in the Dockerfile.
        location: Option<SourceLocation>,
    },
    /// Everything was built; the registry or the way to it failed. Solving again builds nothing twice.
    #[error("pushing to `{repository}`: {}", without_uploads(message))]
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
    /// The frontend has no build checks: it, or the BuildKit that it comes with, is too old.
    #[error("the Dockerfile cannot be checked: {0}")]
    NoChecks(String),
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

    /// The same, with the Dockerfile called as in the workspace: the frontend knows it by its file name alone.
    #[must_use]
    pub fn in_workspace(mut self, file_name: &str, path: &str) -> Self {
        match &mut self {
            Self::Node { source, .. } => {
                let inner = std::mem::replace(&mut **source, Self::Cancelled);
                **source = inner.in_workspace(file_name, path);
            }
            Self::StepFailed { location: Some(location), .. }
            | Self::Dockerfile { location: Some(location), .. }
                if location.file == file_name =>
            {
                path.clone_into(&mut location.file);
            }
            _ => {}
        }
        self
    }

    /// What went wrong, on whichever node.
    pub fn cause(&self) -> &Self {
        match self {
            Self::Node { source, .. } => source.cause(),
            other => other,
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

    /// Whether a newer BuildKit, or a newer frontend, would have had the checks.
    pub fn lacks_checks(&self) -> bool {
        matches!(self, Self::NoChecks(_))
    }

    /// Whether the connection ended in the middle of it: what was at the other end may be gone.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }
}

fn at(location: Option<&SourceLocation>) -> String {
    location.map(|place| format!(" (`{}:{}`)", place.file, place.line)).unwrap_or_default()
}
