//! What an entry of `deploy` means: an environment, and how it gets to run the image.

use std::fmt;

use super::template::Template;
use crate::kustomize::FileKind;
use crate::model::GithubRepository;

/// One environment that is to run the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its number in the list, from 1.
    pub number: usize,
    /// The repository that says what it runs.
    pub repository: GithubRepository,
    /// The runs that deploy to it; any of these.
    pub when: Vec<DeployWhen>,
    /// How it is told.
    pub means: Means,
}

/// Which runs deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeployWhen {
    /// Of a Git tag, a release or a version.
    Version,
    /// On the branch that owns `latest`.
    Branch,
    /// All that publish, but those about a pull request.
    Always,
}

/// How an environment is told which image it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// By files of its repository.
    Files(Box<FileChange>),
    /// By an event: the repository does the rest by itself.
    Dispatch {
        /// `event_type`.
        event_type: String,
    },
}

/// Files in which the image is set, and how that gets onto their branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// What kind of files they are, and where the image is in them.
    pub kind: FileKind,
    /// Files, and directories with a kustomization; at least one. Without `/` at either end; `.` is the repository's top.
    pub paths: Vec<String>,
    /// The branch; `None`: the repository's default one.
    pub branch: Option<String>,
    /// The title of the pull request, and of the commit.
    pub title: Option<Template>,
    /// The text of the pull request, and of the commit.
    pub body: Option<Template>,
    /// What else a pull request gets; `None`: the commit goes onto the branch itself.
    pub pull_request: Option<PullRequestOptions>,
}

/// What a new pull request gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullRequestOptions {
    /// Labels.
    pub labels: Vec<String>,
    /// Who is asked to review it, by login.
    pub reviewers: Vec<String>,
    /// Teams that are asked to review it, by slug.
    pub team_reviewers: Vec<String>,
    /// It is a draft.
    pub draft: bool,
    /// It is merged by itself as soon as the branch's rules are met.
    pub auto_merge: Option<MergeMethod>,
}

/// How a pull request is merged by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeMethod {
    /// By a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// Commit by commit.
    Rebase,
}

impl DeployWhen {
    /// As the input has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Branch => "branch",
            Self::Always => "always",
        }
    }
}

impl MergeMethod {
    /// As the input has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

/// As people tell environments apart: the repository and what is set in it.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        match &self.means {
            Means::Files(change) => {
                let paths: Vec<&str> = change.paths.iter().map(String::as_str).collect();
                write!(f, " {}", paths.join(", "))?;
                match &change.kind {
                    FileKind::Kustomization { image } => write!(f, " ({image})"),
                    FileKind::Manifest => Ok(()),
                    FileKind::Values(paths) => write!(f, " ({})", paths.tag),
                }
            }
            Means::Dispatch { event_type } => write!(f, " event {event_type}"),
        }
    }
}
