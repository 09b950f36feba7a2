//! The errors of a run, by phase, and the one printer of them.
//!
//! An error says what was being done, to what, and what the other side said; what to change is its hint.

mod code;
mod deploy;

use std::fmt::Write as _;

use crate::buildkit::{BuildError, ConnectError, InvalidAddress};
use crate::docker::builder::BuilderError;
use crate::docker::{DockerError, EmulatorError, ReachError};
use crate::github::GitHubError;
use crate::inputs::fault::InputFault;
use crate::inputs::tags_key;
use crate::login::LoginError;
use crate::metadata::StrategyError;
use crate::model::{Credentials, ImageName, RegistryHost, Repository, chain, how_to_log_in};
use crate::plan::PlanError;
use crate::plan::given::NotThere;
use crate::plan::order::VersionTaken;
use crate::plan::promote::NoCandidate;
use crate::plan::verify::NotVerified;
use crate::progress::bug::Bug;
use crate::progress::excerpt::quote;
use crate::registry::{JoinError, LegsError, NoImage, RegistryError};
use crate::runner::context::ContextError;
use crate::runner::event_file::EventFileError;

pub use deploy::{DeployError, LoginKind};

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
    /// A builder answers, but not this.
    #[error("asking the builder `{address}` what it can do")]
    Builder {
        /// As the input names it.
        address: String,
        /// What it said.
        source: Box<BuildError>,
    },
    /// A builder container.
    #[error(transparent)]
    Container(#[from] BuilderError),
    /// The builder container ended under a build.
    #[error("{why}; the build ended with it")]
    Fallen {
        /// What became of it.
        why: BuilderError,
        /// What the build heard.
        source: Box<BuildError>,
    },
    /// An identity that buys no login.
    #[error(transparent)]
    Login(#[from] LoginError),
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
    /// The Docker daemon, asked for something besides a build.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Emulators that a step needs.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// The build or its push.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// The build, and what this run knows about it beyond the builder's words.
    #[error("{source}")]
    Hinted {
        /// What went wrong.
        source: Box<BuildError>,
        /// What to change.
        hint: String,
    },
    /// The registry would not let the daemon push.
    #[error("{source}")]
    Refused {
        /// What the daemon was told.
        source: Box<BuildError>,
        /// The registry.
        registry: RegistryHost,
        /// The login that was sent, if one was.
        login: Option<Credentials>,
    },
    /// A registry would not let the daemon read a base image, though it was sent a login.
    #[error("{source}")]
    Unread {
        /// What the daemon was told.
        source: Box<BuildError>,
        /// The registry.
        registry: RegistryHost,
        /// The login that was sent.
        login: Credentials,
    },
    /// A registry on this machine's loopback cannot be reached from this container.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The registry: it lets nobody with this login push, or did not take a tag.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A version's tag is on another commit.
    #[error(transparent)]
    VersionTaken(VersionTaken),
    /// `promote: only`, and nothing to promote.
    #[error(transparent)]
    NoCandidate(NoCandidate),
    /// The image that `from` names.
    #[error("the image `{from}`, which `from` names, cannot be tagged")]
    Given {
        /// As it was asked for.
        from: Box<ImageName>,
        /// Why not.
        source: GivenError,
    },
    /// The Dockerfile has findings, and none is allowed.
    #[error("the build checks of `{dockerfile}` have {}", plural(*.count, "finding", "findings"))]
    Findings {
        /// The Dockerfile.
        dockerfile: String,
        /// How many, at least one.
        count: usize,
    },
    /// The image did not pass.
    #[error(transparent)]
    NotVerified(Box<NotVerified>),
    /// The image cannot be run, to see whether it passes.
    #[error("cannot run the image `{image}` to verify it: {why}")]
    Unverifiable {
        /// The image: `repository@digest`.
        image: String,
        /// Why not. Free of control characters.
        why: String,
    },
    /// The local daemon does not get the image.
    #[error("loading the image `{image}` into the local daemon: {why}")]
    NotLoaded {
        /// The image: `repository@digest`.
        image: String,
        /// Why not. Free of control characters.
        why: String,
    },
    /// A file that was asked for is not there.
    #[error("writing `{place}`: {why}")]
    NotWritten {
        /// The file, for people.
        place: String,
        /// Why not. Free of control characters.
        why: String,
        /// The disk has no room for it: how much it has, as the end of a phrase, if that is known.
        full: Option<String>,
    },
    /// What several nodes have pushed makes no image.
    #[error("joining the images of the builder's nodes: {0}")]
    Join(JoinError),
    /// At some of several repositories, each by itself.
    #[error("{} of {of} repositories failed", .errors.len())]
    Each {
        /// How many there are.
        of: usize,
        /// What went wrong, at least one.
        errors: Vec<(Repository, RunError)>,
    },
    /// The legs of this run make no image.
    #[error(transparent)]
    Legs(LegsError),
    /// What the legs have pushed makes no image.
    #[error("joining the legs: {0}")]
    JoinLegs(JoinError),
    /// Environments that are not told of the image, each by itself.
    #[error(
        "{} of {} cannot be deployed to{}",
        .errors.len(),
        plural(*.of, "environment", "environments"),
        if *.before { ", so that nothing is built" } else { "; the image is published" }
    )]
    Deploy {
        /// How many the run deploys to.
        of: usize,
        /// This was found before anything was done.
        before: bool,
        /// What went wrong, at least one.
        errors: Vec<(String, DeployError)>,
    },
    /// The runner asked to stop.
    #[error("cancelled by {0}")]
    Stopped(Stop),
    /// This program panicked.
    #[error(transparent)]
    Bug(#[from] Bug),
}

/// Why an image that should be there already cannot be tagged.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// The registry has nothing under this name.
    #[error("it is not there")]
    Absent(#[source] RegistryError),
    /// The registry does not give it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It is something else.
    #[error(transparent)]
    NoImage(NoImage),
    /// It has not the platform that was asked for.
    #[error(transparent)]
    Platform(NotThere),
}

impl GivenError {
    /// What to change.
    fn hint(&self, from: &ImageName) -> Option<String> {
        match self {
            Self::Absent(_) => Some(
                "check repository, tag and digest; what nothing names any more may have been removed by its registry"
                    .into(),
            ),
            Self::Registry(error) if error.is_denial() => {
                let host = from.repository().registry();
                let how = how_to_log_in(host);
                Some(format!(
                    "the login for `{host}` needs the right to pull it ({how}); some registries say the same of an image \
                     that does not exist"
                ))
            }
            Self::Registry(error) if error.is_absence() => {
                Some("its index names what is not there: build and push it again".into())
            }
            Self::Registry(error) => error.hint(),
            Self::NoImage(_) => Some("name an image, or an index of images".into()),
            Self::Platform(why) => Some(why.hint().into()),
        }
    }
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
    /// What went wrong at this many repositories, if it went wrong at any.
    ///
    /// # Errors
    /// The error itself if there is one repository only.
    pub fn each(of: usize, mut errors: Vec<(Repository, Self)>) -> Result<(), Self> {
        match (errors.len(), of) {
            (0, _) => Ok(()),
            (_, 0 | 1) => errors.pop().map_or(Ok(()), |(_, error)| Err(error)),
            _ => Err(Self::Each { of, errors }),
        }
    }

    /// What went wrong with environments, if anything did.
    ///
    /// # Errors
    /// If there is something.
    pub fn deploy(of: usize, before: bool, errors: Vec<(String, DeployError)>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Deploy { of, before, errors }) }
    }

    /// The build that failed, if it is one.
    pub fn build(&self) -> Option<&BuildError> {
        match self {
            Self::Build(source) | Self::Hinted { source, .. } | Self::Unread { source, .. } => Some(source),
            _ => None,
        }
    }

    /// What to change, when that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect(error) => error.hint().map(Into::into),
            Self::Build(error) | Self::Daemon(error) | Self::Builder { source: error, .. } => {
                error.hint().map(Into::into)
            }
            Self::Hinted { hint, .. } => Some(hint.clone()),
            Self::Container(error) | Self::Fallen { why: error, .. } => error.hint().map(Into::into),
            Self::Registry(error) => error.hint(),
            Self::Login(error) => error.hint().map(Into::into),
            Self::Strategy(error) => error.hint().map(Into::into),
            Self::Docker(error) => error.hint().map(Into::into),
            Self::Emulator(error) => Some(error.hint().into()),
            Self::Refused { registry, login, .. } => Some(refused(registry, login.as_ref())),
            Self::Unread { registry, login, .. } => Some(format!(
                "`{registry}` was given the login {}: check that it is right, that it may read the base image, and the image's \
                 name",
                login.shown()
            )),
            Self::Given { from, source } => source.hint(from),
            Self::Findings { .. } => Some(
                "`check_level` is `warning`; the line `# check=skip=RULE` at the Dockerfile's top leaves a rule out, and \
                 `check_level: error` fails only for what could not be built"
                    .into(),
            ),
            Self::NotVerified(failed) => Some(failed.hint()),
            Self::Unverifiable { .. } => Some(
                "no tag was moved; the Docker daemon itself pulls what is verified, and must be able to (`registry_auth`, its \
                 own mirrors and certificates)"
                    .into(),
            ),
            Self::NotLoaded { .. } => Some(
                "the image is published all the same; the Docker daemon itself pulls it, and must be able to (`registry_auth`, \
                 its own mirrors and certificates)"
                    .into(),
            ),
            Self::NotWritten { full: Some(room), .. } => {
                Some(format!("the disk is full{room}; nothing half was left there"))
            }
            Self::Join(_) => {
                Some("no tag was moved; is each node in `builder` one that builds its platforms?".into())
            }
            Self::Legs(error) => Some(error.hint(tags_key::INPUTS)),
            Self::JoinLegs(_) => Some("no tag was moved; re-run all jobs".into()),
            Self::NoCandidate(_) => Some("`promote` is `only`: build the commit first, or leave `promote` out".into()),
            Self::VersionTaken(_) => Some(
                "release another version, or set `existing_version` to `skip` (it stays) or `overwrite` (it moves)".into(),
            ),
            Self::Bug(bug) => Some(bug.hint().into()),
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
    let mut text = chain(error);
    for line in error.build().and_then(BuildError::location).map(quote).unwrap_or_default() {
        text.extend(["\n", &line]);
    }
    if let RunError::Inputs(faults) = error {
        for fault in faults {
            text.push_str("\n  ");
            text.push_str(&fault.to_string());
        }
    }
    if let RunError::Each { errors, .. } = error {
        for (repository, error) in errors {
            let _ = write!(text, "\n`{repository}`: {}", explain(error));
        }
    }
    if let RunError::Deploy { errors, .. } = error {
        for (environment, error) in errors {
            let _ = write!(text, "\n{environment}: {}", chain(error));
            if let Some(hint) = error.hint() {
                let _ = write!(text, "\nhint: {hint}");
            }
        }
    }
    if let Some(hint) = error.hint() {
        text.push_str("\nhint: ");
        text.push_str(&hint);
    }
    text
}

/// What to look at when a registry refuses a push.
fn refused(registry: &RegistryHost, login: Option<&Credentials>) -> String {
    let Some(login) = login else {
        return format!("no login was sent to `{registry}`: {}", how_to_log_in(registry));
    };
    let mut hint = format!(
        "`{registry}` was given the login {}: check that it is right, and that it may write there",
        login.shown()
    );
    if registry.as_str() == "ghcr.io" && !login.is_job_token() {
        hint.push_str(
            "; it has to be a personal access token (classic) with the scope `write:packages` that has not expired",
        );
    } else if registry.as_str() == "ghcr.io" {
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
    fn names_every_repository() {
        let at = |name: &str| Repository::parse(name).unwrap();
        assert!(RunError::each(2, Vec::new()).is_ok());
        let one = RunError::each(1, vec![(at("r.io/a"), RunError::Contradiction(vec!["x".into()]))]);
        assert!(matches!(one, Err(RunError::Contradiction(_))));
        let taken = || RunError::NoCandidate(NoCandidate("none".into()));
        let both = RunError::each(3, vec![(at("r.io/a"), taken()), (at("s.io/a"), taken())]).unwrap_err();
        let line = "no image of this commit can be promoted: none\n\
                    hint: `promote` is `only`: build the commit first, or leave `promote` out";
        assert_eq!(explain(&both), format!("2 of 3 repositories failed\n`r.io/a`: {line}\n`s.io/a`: {line}"));
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
            let login = username.map(|name| {
                Credentials::new(
                    RegistryHost::parse(host).unwrap(),
                    name,
                    crate::model::Secret::new(if name == "job" { "ghs_1" } else { "hunter2" }),
                )
            });
            let source = BuildError::PushFailed { repository: format!("{host}/a"), message: "denied".into() };
            let (source, registry) = (Box::new(source), RegistryHost::parse(host).unwrap());
            explain(&RunError::Refused { source, registry, login })
        };
        assert_eq!(
            refusal("r.io", None),
            "pushing to `r.io/a`: denied\nhint: no login was sent to `r.io`: give `username` and `password`, or an entry of `registry_auth`, for `r.io`"
        );
        assert!(refusal("r.io", Some("bob")).contains("the login `bob` from `username` and `password`"));
        assert!(refusal("ghcr.io", Some("job")).contains("the job needs `permissions: packages: write`"));
        assert!(refusal("ghcr.io", Some("bob")).ends_with("`write:packages` that has not expired"));
    }

    #[test]
    fn exit_codes() {
        assert_eq!(RunError::Stopped(Stop::Interrupt).exit_code(), 130);
        assert_eq!(RunError::Stopped(Stop::Terminate).exit_code(), 143);
        assert_eq!(RunError::Contradiction(vec![]).exit_code(), 1);
    }
}
