//! The errors of a run, by phase, and the one printer of them.
//!
//! An error says what was being done, to what, and what the other side said; what to change is its hint. The
//! chain of sources is walked here and nowhere else.

use std::error::Error;

use crate::buildkit::{BuildError, ConnectError, InvalidAddress};
use crate::docker::ReachError;
use crate::github::GitHubError;
use crate::inputs::fault::InputFault;
use crate::metadata::StrategyError;
use crate::model::RegistryHost;
use crate::plan::PlanError;
use crate::registry::RegistryError;
use crate::runner::context::ContextError;
use crate::runner::event_file::EventFileError;

/// Why a run ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The event's payload is not there.
    #[error(transparent)]
    Payload(#[from] EventFileError),
    /// The runner's variables or payload make no sense.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// Inputs that cannot be used: all of them.
    #[error("{}", plural(.0.len(), "input cannot be used", "inputs cannot be used"))]
    Inputs(Vec<InputFault>),
    /// `DOCKER_HOST` makes no sense.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// No daemon.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The daemon answers, but not this.
    #[error("asking the daemon what it can do")]
    Daemon(#[source] Box<BuildError>),
    /// GitHub was asked and gave no answer.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// No tags can be made.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// What was asked for cannot be done here.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A plan that contradicts itself: nothing was done.
    #[error("the plan contradicts itself, which is a fault of this action: {}", .0.join("; "))]
    Contradiction(Vec<String>),
    /// The build or its push.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// The registry would not let the daemon push.
    #[error("{source}")]
    Refused {
        /// What the daemon was told.
        source: Box<BuildError>,
        /// The registry.
        registry: RegistryHost,
        /// The user name that was sent, if one was.
        username: Option<String>,
    },
    /// A registry on this machine's loopback cannot be reached from this container.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The registry, when tags were put.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The runner asked to stop.
    #[error("cancelled by {0}")]
    Stopped(Stop),
}

/// A signal that ends the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: the run was cancelled.
    Interrupt,
    /// SIGTERM: the runner's patience or the machine ends.
    Terminate,
}

impl Stop {
    /// The exit code by convention: 128 and the signal's number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

impl From<BuildError> for RunError {
    fn from(error: BuildError) -> Self {
        Self::Build(Box::new(error))
    }
}

impl RunError {
    /// What to change, when that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect(error) => error.hint().map(Into::into),
            Self::Build(error) | Self::Daemon(error) => error.hint().map(Into::into),
            Self::Registry(error) => error.hint(),
            Self::Refused { registry, username, .. } => Some(refused(registry, username.as_deref())),
            Self::GitHub(_) => Some("give `token` the permission to read pull requests".into()),
            _ => None,
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped(stop) => stop.exit_code(),
            _ => 1,
        }
    }
}

/// The error with its causes, and its hint in a line of its own.
pub fn explain(error: &RunError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        // Some libraries repeat their source in their own words.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    if let RunError::Inputs(faults) = error {
        for fault in faults {
            text.push_str("\n  ");
            text.push_str(&fault.to_string());
        }
    }
    if let Some(hint) = error.hint() {
        text.push_str("\nhint: ");
        text.push_str(&hint);
    }
    text
}

/// What to look at when a registry refuses a push.
fn refused(registry: &RegistryHost, username: Option<&str>) -> String {
    let Some(username) = username else {
        return format!("no login was sent to `{registry}`: give `username` and `password`");
    };
    let mut hint = format!(
        "`{registry}` was given the login `{username}`: check `password`, and that it may write there"
    );
    if registry.as_str() == "ghcr.io" {
        hint.push_str(
            "; the job needs `permissions: packages: write`, and a package that exists already must grant this \
             repository the role `write` (package settings, \"Manage Actions access\")",
        );
    }
    hint
}

fn plural(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildkit::Address;

    #[test]
    fn walks_the_chain_and_adds_the_hint() {
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = EventFileError::Read { path: "/github/workflow/event.json".into(), source };
        assert_eq!(
            explain(&error.into()),
            "the event payload `/github/workflow/event.json` cannot be read: no such file"
        );
        let missing = ConnectError::Missing { address: Address::DockerSocket("/nowhere".into()) };
        let text = explain(&missing.into());
        assert!(text.starts_with("the daemon's socket `unix:///nowhere` does not exist\nhint: "), "{text}");
    }

    #[test]
    fn names_every_input() {
        let faults = vec![InputFault::new("version", "bad"), InputFault::new("platform", "worse").hint("do")];
        assert_eq!(
            explain(&RunError::Inputs(faults)),
            "2 inputs cannot be used\n  input `version`: bad\n  input `platform`: worse (do)"
        );
    }

    #[test]
    fn a_refused_push_says_which_login_it_was() {
        let refusal = |host: &str, username: Option<&str>| {
            let source = BuildError::PushFailed { repository: format!("{host}/a"), message: "denied".into() };
            let (source, registry) = (Box::new(source), RegistryHost::parse(host).unwrap());
            explain(&RunError::Refused { source, registry, username: username.map(Into::into) })
        };
        assert_eq!(
            refusal("r.io", None),
            "pushing to `r.io/a`: denied\nhint: no login was sent to `r.io`: give `username` and `password`"
        );
        assert!(refusal("r.io", Some("bob")).contains("the login `bob`"));
        assert!(refusal("ghcr.io", Some("bob")).contains("packages: write"));
    }

    #[test]
    fn exit_codes() {
        assert_eq!(RunError::Stopped(Stop::Interrupt).exit_code(), 130);
        assert_eq!(RunError::Stopped(Stop::Terminate).exit_code(), 143);
        assert_eq!(RunError::Contradiction(vec![]).exit_code(), 1);
    }
}
