//! The steps of one environment as values: what is to be done, what came of it, and what it comes to in the end.

use super::standing::{DeployAnswer, DeployQuestion};
use super::steps::ROUNDS;
use super::text::Message;
use crate::inputs::config::MergeMethod;
use crate::kustomize::{EditError, SourceFile};
use crate::model::CommitId;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployStep {
    /// Read where the base and the pull request's branch are, the base's files, and the open pull request.
    Look,
    /// Look for the open pull request of the branch alone.
    FindProposal,
    /// Read the files at this commit; one that is not there, or no text, is nothing.
    ReadFiles(CommitId),
    /// Read where the pull request's branch is, if it is there.
    ReadBranch,
    /// Find out whether there is a closed pull request with this head.
    FindClosed(CommitId),
    /// Find something out.
    Ask(DeployQuestion),
    /// Commit these files on top of this commit, on a scratch branch.
    Commit {
        /// The commit that it is on top of.
        base: CommitId,
        /// The files, whole.
        files: Vec<ChangedFile>,
        /// What the commit says.
        message: Message,
    },
    /// Move the pull request's branch, if it is where it was read. The scratch branch goes away with it.
    Move {
        /// Where it was; nothing: it was not there.
        from: Option<CommitId>,
        /// Where it goes.
        to: CommitId,
    },
    /// Open the pull request of the branch.
    Open(Opening),
    /// Give the new pull request its labels and reviewers.
    Decorate(u64),
    /// Renew title and text of the pull request.
    Update {
        /// Its number.
        number: u64,
        /// What it says.
        message: Message,
    },
    /// Have the pull request merged by itself, or by nobody but a person.
    AutoMerge {
        /// Which.
        proposal: Proposal,
        /// How; `None`: not any more.
        method: Option<MergeMethod>,
    },
    /// Close the pull request, with a word.
    Close {
        /// Its number.
        number: u64,
        /// Why.
        comment: String,
    },
    /// Commit these files to the base branch itself, if that is where it was read.
    CommitToBase {
        /// Where it was.
        base: CommitId,
        /// The files, whole.
        files: Vec<ChangedFile>,
        /// What the commit says.
        message: Message,
    },
    /// Nothing more: this came of it.
    Done(DeployOutcome),
    /// Nothing more: it cannot be done.
    Fail(DeployTrouble),
}

/// A pull request that is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What it says.
    pub message: Message,
    /// It is a draft.
    pub draft: bool,
}

/// A file after its edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path.
    pub path: String,
    /// All of its text.
    pub text: String,
}

/// The base branch, as it was read.
#[derive(Clone, Debug)]
pub struct BaseRead {
    /// Where it is.
    pub head: CommitId,
    /// The files, in the plan's order.
    pub files: Vec<SourceFile>,
}

/// All that is asked before anything is decided, as it was at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The base.
    pub base: BaseRead,
    /// Where the pull request's branch is, if it is there.
    pub branch: Option<CommitId>,
    /// The open pull request of it.
    pub proposal: Option<Proposal>,
    /// The branch is where a pull request was closed. Only the last ones are told.
    pub closed: bool,
}

/// A pull request, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its id in GraphQL.
    pub node_id: String,
    /// Where its branch is.
    pub head: CommitId,
    /// It is open. One that is not is a branch whose pull request is still to be opened.
    pub is_open: bool,
    /// It is merged by itself.
    pub auto_merge: bool,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub enum DeployReply {
    /// What is there.
    Seen(Seen),
    /// The open pull request, if there is one; or what became of one that was opened or renewed.
    Proposal(Option<Proposal>),
    /// The files.
    Files(Vec<Option<SourceFile>>),
    /// Where the branch is.
    Branch(Option<CommitId>),
    /// Whether there is a closed pull request.
    Closed(bool),
    /// The answer.
    Answer(DeployAnswer),
    /// The commit that was made.
    Committed(CommitId),
    /// It is not where it was read: nothing was done.
    Stale,
    /// There is one already: nothing was done.
    Exists,
    /// It is done.
    Done,
}

/// What became of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployOutcome {
    /// What was done.
    pub action: Action,
    /// The pull request that it is about.
    pub pull_request: Option<PullRequestRef>,
    /// The commit that was made, if one was.
    pub commit: Option<CommitId>,
    /// Why, for people. May hold what files say.
    pub reason: String,
}

/// A pull request, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestRef {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A pull request was opened.
    Opened,
    /// The open one was moved on.
    Updated,
    /// The open one was closed.
    Closed,
    /// The base branch has a new commit.
    Committed,
    /// An event was sent.
    Dispatched,
    /// Nothing: it is as it should be.
    Unchanged,
    /// Nothing: something newer is there.
    HeldBack,
}

impl Action {
    /// As the output `pull_requests` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Closed => "closed",
            Self::Committed => "committed",
            Self::Dispatched => "dispatched",
            Self::Unchanged => "unchanged",
            Self::HeldBack => "held_back",
        }
    }
}

/// Why an environment cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeployTrouble {
    /// A file cannot be edited.
    #[error(transparent)]
    Edit(EditError),
    /// Others write all the time.
    #[error("others have changed it {ROUNDS} times meanwhile")]
    Contended,
    /// The environment is not told by files: a fault of this action.
    #[error("there are no files to set the image in")]
    NoFiles,
}
