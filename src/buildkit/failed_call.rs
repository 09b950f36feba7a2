//! What a failed call to BuildKit means: a step, the Dockerfile, the push or the connection.
//!
//! It is told from gRPC's status, from what BuildKit attaches to it (`detail`), and, where it attaches nothing, from its words.

use super::detail::Details;
use super::error::BuildError;
use crate::model::{causes, text};

/// A step that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FailedStep {
    /// What people read.
    pub name: String,
    /// The machine cannot run its program, which only its log says.
    pub foreign: bool,
}

impl BuildError {
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
        if lacks_checks(&message) {
            return Self::NoChecks(message);
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
}

/// BuildKit wraps what goes wrong in a push: `failed to push REPOSITORY: …`.
fn push_failure(message: &str) -> Option<(String, String)> {
    let (_, rest) = message.split_once("failed to push ")?;
    let (repository, reason) = rest.split_once(": ")?;
    let plain = !repository.is_empty() && !repository.contains(char::is_whitespace);
    plain.then(|| (repository.to_owned(), reason.to_owned()))
}

/// What a frontend says that was asked for what it does not know: before 1.8 for the checks, before 1.4 for anything.
fn lacks_checks(message: &str) -> bool {
    message.contains("unsupported request frontend.lint")
        || message.contains("unsupported frontend capability moby.buildkit.frontend.subrequests")
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
    fn a_frontend_without_checks() {
        for (message, lacks) in [
            ("failed to solve: unsupported request frontend.lint", true),
            ("unsupported frontend capability moby.buildkit.frontend.subrequests+forward", true),
            ("unsupported request frontend.outline", false),
            ("unsupported frontend capability moby.buildkit.frontend.contexts", false),
        ] {
            let error = BuildError::from_status(&tonic::Status::unknown(message));
            assert_eq!(error.lacks_checks(), lacks, "{message}");
            assert!(!lacks || error.hint().unwrap().contains("0.14"));
        }
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
