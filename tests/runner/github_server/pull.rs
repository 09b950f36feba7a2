//! A pull request, and what becomes of it when a branch moves.
//!
//! As on GitHub: an open one follows its head branch. Its base moves onto its commits: merged. Its head comes to have
//! none that the base lacks: closed for good. One of its branches goes: closed. Once closed, it keeps the head that it
//! had. The words for what cannot be reopened are GitHub's own.

use super::hosted::Home;
use super::store::Signature;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    Open,
    Closed,
    Merged,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub state: PullState,
    pub draft: bool,
    /// Branches of the repository.
    pub head: String,
    pub base: String,
    /// Where the head is, or was when it was closed.
    pub head_sha: String,
    pub author: String,
    pub labels: Vec<String>,
    pub reviewers: Vec<String>,
    pub team_reviewers: Vec<String>,
    /// Who, and what.
    pub comments: Vec<(String, String)>,
    /// How it is merged when nothing stands against it any more: `MERGE`, `SQUASH`, `REBASE`.
    pub auto_merge: Option<String>,
    pub merge_commit: Option<String>,
    /// It was closed for having no commits, and stays so.
    pub sealed: bool,
}

impl Pull {
    pub fn is_open(&self) -> bool {
        self.state == PullState::Open
    }

    /// Closes it without merging.
    pub fn close(&mut self, sealed: bool) {
        self.state = PullState::Closed;
        self.sealed = sealed;
        self.auto_merge = None;
    }

    pub fn node_id(&self, home: &Home) -> String {
        format!("PR_kwDO{:08}{:06}", home.id, self.number)
    }
}

impl Home {
    pub fn pull(&self, number: u64) -> Option<&Pull> {
        self.pulls.iter().find(|pull| pull.number == number)
    }

    pub fn pull_mut(&mut self, number: u64) -> Option<&mut Pull> {
        self.pulls.iter_mut().find(|pull| pull.number == number)
    }

    /// What a branch that was made, moved or deleted does to pull requests.
    pub fn moved(&mut self, branch: &str) {
        let store = &self.store;
        let touched = self.pulls.iter_mut().filter(|pull| pull.is_open());
        for pull in touched.filter(|pull| pull.head == branch || pull.base == branch) {
            let (Some(head), Some(base)) = (store.head(&pull.head), store.head(&pull.base)) else {
                pull.close(false);
                continue;
            };
            let contained = store.is_ancestor(&head, &base);
            if pull.head_sha != head {
                let before = std::mem::replace(&mut pull.head_sha, head.clone());
                store.swap(&format!("refs/pull/{}/head", pull.number), Some(&before), Some(&head));
            }
            if contained && pull.base == branch {
                pull.state = PullState::Merged;
                pull.auto_merge = None;
                pull.merge_commit = Some(base);
            } else if contained {
                pull.close(true);
            }
        }
    }

    /// Merges an open pull request with a merge commit, as its button does; the commit.
    pub fn merge(&mut self, pull: &Pull, by: &Signature) -> String {
        assert!(pull.is_open(), "{pull:?} is not open");
        let base = self.store.head(&pull.base).expect("a base");
        let tree = self.store.merged_tree(&base, &pull.head_sha).expect("no conflict");
        let message = format!("Merge pull request #{} from {}/{}", pull.number, self.owner, pull.head);
        let commit = self.store.commit_tree(&tree, &[&base, &pull.head_sha], &message, [by, by]);
        let commit = commit.expect("a commit");
        let (reference, head) = (format!("refs/heads/{}", pull.base), format!("refs/heads/{}", pull.head));
        assert!(self.store.swap(&reference, Some(&base), Some(&commit)));
        self.moved(&pull.base);
        if self.delete_on_merge && self.store.swap(&head, Some(&pull.head_sha), None) {
            self.moved(&pull.head);
        }
        commit
    }

    /// Why a closed pull request cannot be opened again.
    pub fn cannot_reopen(&self, pull: &Pull) -> Option<String> {
        let because = |why: String| Some(format!("state cannot be changed. {why}"));
        if pull.state == PullState::Merged {
            return because("The pull request cannot be reopened.".into());
        }
        let Some(head) = self.store.head(&pull.head) else {
            return because(format!("The {} branch has been deleted.", pull.head));
        };
        let Some(base) = self.store.head(&pull.base) else {
            return because(format!("The {} branch has been deleted.", pull.base));
        };
        if pull.sealed || self.store.is_ancestor(&head, &base) {
            return because(format!("There are no new commits on the {} branch.", pull.head));
        }
        if !self.store.is_ancestor(&pull.head_sha, &head) {
            return because(format!("The {} branch was force-pushed or recreated.", pull.head));
        }
        let other = |other: &&Pull| other.is_open() && (&other.head, &other.base) == (&pull.head, &pull.base);
        let other = self.pulls.iter().find(other)?;
        Some(format!("A pull request already exists for {}:{}.", self.owner, other.head))
    }
}
