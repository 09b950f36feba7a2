//! What is checked out, as facts: filled in by the module that reads Git, judged by the strategy.

use crate::model::{CommitId, GitRef};

/// What the workspace's repository says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutFacts {
    /// HEAD; absent without a repository, in one without a commit, or in one that cannot be read.
    pub head: Option<CommitId>,
    /// The parents of HEAD, as it names them: also those that a shallow checkout leaves out.
    pub parents: Vec<CommitId>,
    /// The committer's time of HEAD, Unix seconds, as the commit says it (it can say anything).
    pub head_time: Option<i64>,
    /// The commit that HEAD was compared with.
    pub compared_with: CommitId,
    /// Whether that commit is HEAD or one of its ancestors.
    pub ancestry: Ancestry,
    /// What `git describe --tags --always` says of HEAD.
    pub describe: Result<String, DescribeError>,
    /// Whether that is the name of a Git tag, and HEAD the tag's commit.
    pub tagged: bool,
    /// What HEAD is called.
    pub head_refs: Result<HeadRefs, NoHead>,
    /// Why a repository that is there could not be read.
    pub warning: Option<String>,
}

/// How a commit stands to HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// It is HEAD.
    Same,
    /// HEAD descends from it.
    Ancestor,
    /// HEAD does not descend from it.
    NotAncestor,
    /// It cannot be known; says why, as the end of a sentence.
    Unknown(String),
}

/// What HEAD is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadRefs {
    /// It is on this ref, which is a branch unless somebody made it something else.
    On(GitRef),
    /// It is a commit by itself, and the checkout has these refs at it.
    Detached(RefsAtHead),
}

/// The refs of a checkout that are at its HEAD, each once, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefsAtHead {
    /// Git tags.
    pub tags: Vec<String>,
    /// Pull requests, as actions/checkout keeps them.
    pub pull_requests: Vec<FetchedPull>,
    /// Branches: those of remotes by their names there, and local ones.
    pub branches: Vec<String>,
    /// If there is none of these: the first of the branches that were asked about whose history has HEAD.
    pub in_history_of: Option<String>,
}

/// `refs/remotes/pull/N/merge` or `/head`: what GitHub has as `refs/pull/N/…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchedPull {
    /// Its number.
    pub number: u64,
    /// It is the merge of the request into its base, not the request's own head.
    pub merge: bool,
}

/// Nobody knows what is checked out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHead {
    /// Nobody asked when the checkout was read.
    #[error("the checkout was read without its refs")]
    NotAsked,
    /// No repository in the workspace.
    #[error("nothing is checked out: the workspace holds no Git repository")]
    NoRepository,
    /// The repository has no commit.
    #[error("the repository in the workspace has no commit yet")]
    NoCommit,
    /// The repository cannot be read; says why.
    #[error("the Git repository in the workspace cannot be read: {0}")]
    Unreadable(String),
    /// HEAD is a commit that has no name here.
    #[error(
        "commit {0} is checked out by its id: no branch, Git tag or pull request of the checkout is at it"
    )]
    Nameless(CommitId),
}

impl NoHead {
    /// What to change.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Nameless(_) => {
                "name a branch, a Git tag or `refs/pull/N/merge` in `ref:` of actions/checkout, or give it `fetch-depth: 0`, so that the checkout has the names of its commit"
            }
            _ => "check the code out first, in this job (actions/checkout), also where legs are merged",
        }
    }
}

/// There is no description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescribeError {
    /// Nobody asked when the checkout was read.
    #[error("the checkout was read without its tags")]
    NotAsked,
    /// No repository in the workspace.
    #[error(
        "the workspace holds no Git repository that can be read: check the code out first (actions/checkout)"
    )]
    NoRepository,
    /// What is built is fetched, and is not the commit that is checked out.
    #[error(
        "`context` is fetched, and what is checked out is another commit: check that one out (actions/checkout with `fetch-depth: 0`), or give `version`"
    )]
    Elsewhere,
    /// An image is tagged that is there already, and its commit is not the one that is checked out.
    #[error(
        "the commit of the image that `from` names is not what is checked out: check that one out (actions/checkout with `ref` and `fetch-depth: 0`), or give `version`"
    )]
    OfImage,
    /// The repository has no commit.
    #[error("the repository in the workspace has no commit yet")]
    NoCommit,
    /// The history is cut and no tag is within reach.
    #[error(
        "the checkout is shallow and no Git tag can be reached in it: give actions/checkout `fetch-depth: 0`"
    )]
    Shallow,
    /// The repository cannot be read; says why.
    #[error("the history cannot be read: {0}")]
    Unreadable(String),
}

impl CheckoutFacts {
    /// Whether what is checked out is this commit or made of it: a merge, or a commit on top. Without a checkout there is
    /// nothing to doubt.
    pub(super) fn holds(&self, commit: &CommitId) -> bool {
        self.head.as_ref().is_none_or(|head| head == commit || self.parents.contains(commit))
    }

    /// No repository, or none that says anything.
    pub fn none(compared_with: CommitId, warning: Option<String>) -> Self {
        Self {
            head: None,
            parents: Vec::new(),
            head_time: None,
            compared_with,
            ancestry: Ancestry::Unknown("nothing is checked out".into()),
            describe: Err(DescribeError::NoRepository),
            tagged: false,
            head_refs: Err(NoHead::NoRepository),
            warning,
        }
    }
}
