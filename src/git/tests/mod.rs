//! Repositories made by the real `git`, and its answers as the reference.

mod damage;
mod facts;
mod head;
mod relation;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{Wanted, gather};
use crate::metadata::{Ancestry, CheckoutFacts};
use crate::model::CommitId;

/// A workspace `w` in a directory of its own, so that there is an outside.
struct Repo {
    root: TempDir,
    clock: u32,
}

impl Repo {
    fn new() -> Self {
        let repo = Self { root: TempDir::new().unwrap(), clock: 0 };
        repo.git(&["init", "-q", "-b", "main", "w"], repo.root.path());
        repo
    }

    fn workspace(&self) -> PathBuf {
        self.root.path().join("w")
    }

    /// Runs git with nothing of this machine's configuration; its output without the last line feed.
    fn git(&self, arguments: &[&str], directory: &Path) -> String {
        let date = format!("{} +0200", 1_700_000_000 + self.clock * 60);
        let output = Command::new("git")
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("HOME", "/nonexistent"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ])
            .envs([
                ("GIT_AUTHOR_NAME", "a"),
                ("GIT_AUTHOR_EMAIL", "a@x"),
                ("GIT_AUTHOR_DATE", "1000000000 +0000"),
            ])
            .envs([
                ("GIT_COMMITTER_NAME", "c"),
                ("GIT_COMMITTER_EMAIL", "c@x"),
                ("GIT_COMMITTER_DATE", &date),
            ])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.git(arguments, &self.workspace())
    }

    /// A new commit, a minute after the one before.
    fn commit(&mut self) -> CommitId {
        self.clock += 1;
        self.run(&["commit", "-q", "--allow-empty", "-m", &format!("commit {}", self.clock)]);
        self.head()
    }

    fn head(&self) -> CommitId {
        CommitId::parse(&self.run(&["rev-parse", "HEAD"])).unwrap()
    }

    fn gather(&self, commit: &CommitId) -> CheckoutFacts {
        of(&self.workspace(), commit, true)
    }

    fn description(&self) -> String {
        self.gather(&self.head()).describe.unwrap()
    }

    fn described_by_git(&self) -> String {
        self.run(&["describe", "--tags", "--always"])
    }
}

fn of(workspace: &Path, commit: &CommitId, describe: bool) -> CheckoutFacts {
    gather(workspace, workspace, commit, &Wanted { describe, head_refs: None })
}

fn elsewhere() -> CommitId {
    CommitId::parse(&"e".repeat(40)).unwrap()
}

fn warning(facts: &CheckoutFacts) -> &str {
    assert_eq!(facts.head, None);
    assert!(matches!(facts.ancestry, Ancestry::Unknown(_)));
    facts.warning.as_deref().unwrap_or("none")
}
