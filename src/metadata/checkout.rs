//! What is checked out, as facts: filled in by the module that reads Git, judged by the strategy.

use crate::model::CommitId;

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
            warning,
        }
    }
}
