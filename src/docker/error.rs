//! What can go wrong with the daemon, in words.

use std::path::{Path, PathBuf};

use crate::model::{chain, text};

/// A request to the daemon that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// There is nothing at the socket's path.
    #[error("there is no Docker socket at `{0}`")]
    NoSocket(PathBuf),
    /// What is there is no socket.
    #[error("`{path}` is {what}, not the socket of a Docker daemon")]
    NotASocket {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The socket cannot be used.
    #[error("cannot connect to the Docker daemon at `{path}`: {why}")]
    Connect {
        /// Where.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The daemon refused.
    #[error("cannot {doing}: the Docker daemon answered {status}: {message}")]
    ErrorResponse {
        /// Continues "cannot …".
        doing: String,
        /// HTTP status.
        status: u16,
        /// Its words, in one line.
        message: String,
    },
    /// Anything else on the way.
    #[error("cannot {doing}: {why}")]
    Failed {
        /// Continues "cannot …".
        doing: String,
        /// What happened.
        why: String,
    },
}

impl DockerError {
    /// What to change, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSocket(_) => Some(
                "a container action needs a runner with a Docker daemon; elsewhere start one, or name its socket in \
                 `DOCKER_HOST`",
            ),
            // What `docker run -v /var/run/docker.sock:…` makes where the daemon's socket is elsewhere.
            Self::NotASocket { what: "a directory", .. } => Some(
                "the daemon's socket is at another place on this runner (rootless Docker or Podman): set `DOCKER_HOST` \
                 and mount that socket",
            ),
            Self::NotASocket { .. } => Some("name the daemon's socket in `DOCKER_HOST`"),
            Self::Connect { why, .. } if why.contains("ermission denied") => {
                Some("run as a user who may use Docker (root, or a member of the group `docker`)")
            }
            Self::Connect { .. } => Some("check that the Docker daemon is running"),
            Self::ErrorResponse { .. } | Self::Failed { .. } => None,
        }
    }

    pub(super) fn of(doing: impl Into<String>, error: &bollard::errors::Error) -> Self {
        let doing = doing.into();
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code, message } => {
                Self::ErrorResponse { doing, status: *status_code, message: text::line(message) }
            }
            bollard::errors::Error::RequestTimeoutError => {
                Self::Failed { doing, why: "the Docker daemon does not answer".into() }
            }
            other => Self::Failed { doing, why: text::line(&chain(other)) },
        }
    }

    /// Whether the daemon knows no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::ErrorResponse { status: 404, .. })
    }

    /// Whether it stands in the way of another request, or of what is there.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::ErrorResponse { status: 409, .. })
    }

    pub(super) fn connect(path: &Path, error: &std::io::Error) -> Self {
        Self::Connect { path: path.to_owned(), why: text::line(&error.to_string()) }
    }
}
