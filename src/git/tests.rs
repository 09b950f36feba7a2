//! Repositories made by the real `git`, and its answers as the reference.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::gather;
use crate::metadata::{Ancestry, CheckoutFacts, DescribeError};
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
        gather(&self.workspace(), &self.workspace(), commit, true)
    }

    fn description(&self) -> String {
        self.gather(&self.head()).describe.unwrap()
    }

    fn described_by_git(&self) -> String {
        self.run(&["describe", "--tags", "--always"])
    }
}

fn of(workspace: &Path, commit: &CommitId, describe: bool) -> CheckoutFacts {
    gather(workspace, workspace, commit, describe)
}

fn elsewhere() -> CommitId {
    CommitId::parse(&"e".repeat(40)).unwrap()
}

fn warning(facts: &CheckoutFacts) -> &str {
    assert_eq!(facts.head, None);
    assert!(matches!(facts.ancestry, Ancestry::Unknown(_)));
    facts.warning.as_deref().unwrap_or("none")
}

#[test]
fn head_and_ancestry() {
    let mut repo = Repo::new();
    let (first, second) = (repo.commit(), repo.commit());
    let facts = repo.gather(&second);
    assert_eq!((facts.head.as_ref(), facts.ancestry), (Some(&second), Ancestry::Same));
    let time = repo.run(&["show", "-s", "--format=%ct", "HEAD"]);
    assert_eq!(facts.head_time, Some(time.parse().unwrap()));
    assert_eq!(repo.gather(&first).ancestry, Ancestry::Ancestor);
    assert_eq!(repo.gather(&elsewhere()).ancestry, Ancestry::NotAncestor);
    // As actions/checkout leaves it: detached.
    repo.run(&["checkout", "-q", "--detach", first.as_str()]);
    let facts = repo.gather(&second);
    assert_eq!((facts.head, facts.ancestry), (Some(first.clone()), Ancestry::NotAncestor));
    // A pull request's merge commit descends from both sides.
    repo.run(&["checkout", "-q", "-b", "side"]);
    let side = repo.commit();
    repo.run(&["merge", "-q", "--no-ff", "-m", "merge", second.as_str()]);
    for parent in [&side, &second, &first] {
        assert_eq!(repo.gather(parent).ancestry, Ancestry::Ancestor);
    }
    // Packed refs and packs read the same.
    repo.run(&["gc", "-q"]);
    let facts = repo.gather(&side);
    assert_eq!((facts.head, facts.ancestry), (Some(repo.head()), Ancestry::Ancestor));
    assert_eq!(facts.warning, None);
}

#[test]
fn an_annotated_tag_stands_for_its_commit() {
    let mut repo = Repo::new();
    let first = repo.commit();
    repo.run(&["tag", "-m", "x", "v1"]);
    let tag = CommitId::parse(&repo.run(&["rev-parse", "v1"])).unwrap();
    assert_ne!(tag, first);
    assert_eq!(repo.gather(&tag).ancestry, Ancestry::Same);
    repo.commit();
    assert_eq!(repo.gather(&tag).ancestry, Ancestry::Ancestor);
}

/// actions/checkout with `path`, and a submodule.
#[test]
fn the_repository_of_the_context() {
    let mut repo = Repo::new();
    let head = repo.commit();
    let inner = repo.workspace().join("a/b");
    repo.git(&["init", "-q", inner.to_str().unwrap()], repo.root.path());
    let facts = |workspace: &Path, context: &Path| gather(workspace, context, &head, false).head;
    assert_eq!(facts(repo.root.path(), &inner), Some(head.clone()));
    assert_eq!(facts(repo.root.path(), repo.root.path()), None);
    assert_eq!(facts(&repo.workspace(), &inner), Some(head.clone()));
    assert_eq!(facts(&repo.workspace(), Path::new("/")), Some(head.clone()));
    assert_eq!(facts(&inner, &inner), None);
}

#[test]
fn describes_as_git() {
    let mut repo = Repo::new();
    repo.commit();
    assert_eq!(repo.description(), repo.described_by_git());
    repo.run(&["tag", "light-b"]);
    repo.run(&["tag", "light-a"]);
    let check = |repo: &Repo, expected: &str| {
        assert_eq!(repo.description(), repo.described_by_git());
        assert!(repo.description().starts_with(expected), "{}", repo.description());
    };
    check(&repo, "light-a");
    repo.run(&["tag", "-m", "x", "zz"]);
    check(&repo, "zz");
    repo.clock += 1;
    repo.run(&["tag", "-m", "x", "v1.0.0"]);
    check(&repo, "v1.0.0");
    repo.commit();
    repo.commit();
    check(&repo, "v1.0.0-2-g");
    repo.run(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    repo.commit();
    repo.run(&["tag", "release/é+1"]);
    repo.commit();
    repo.run(&["merge", "-q", "--no-ff", "-m", "merge", "main"]);
    check(&repo, "release/é+1-3-g");
    // A tag on a tag, and one on a tree.
    repo.run(&["tag", "-m", "x", "nested", "v1.0.0"]);
    repo.run(&["tag", "tree", "HEAD^{tree}"]);
    check(&repo, "release/é+1-3-g");
    repo.run(&["pack-refs", "--all"]);
    repo.run(&["gc", "-q"]);
    check(&repo, "release/é+1-3-g");
    assert_eq!(of(&repo.workspace(), &elsewhere(), false).describe, Err(DescribeError::NotAsked));
}

#[test]
fn shallow_checkouts() {
    let mut repo = Repo::new();
    let (first, second) = (repo.commit(), repo.commit());
    repo.run(&["tag", "v1"]);
    let third = repo.commit();
    let url = format!("file://{}", repo.workspace().display());
    let clone = |depth: &str, extra: &str| {
        let directory = repo.root.path().join(format!("clone{depth}{extra}"));
        let into = directory.to_str().unwrap();
        repo.git(&["clone", "-q", "--depth", depth, extra, &url, into], repo.root.path());
        directory
    };
    let one = clone("1", "--no-tags");
    let facts = of(&one, &third, true);
    assert_eq!((facts.head.as_ref(), facts.ancestry), (Some(&third), Ancestry::Same));
    assert_eq!(facts.describe, Err(DescribeError::Shallow));
    let Ancestry::Unknown(why) = of(&one, &second, true).ancestry else { panic!("known") };
    assert!(why.contains("`fetch-depth: 0`"), "{why}");
    let two = clone("2", "--tags");
    assert_eq!(of(&two, &second, true).ancestry, Ancestry::Ancestor);
    assert!(matches!(of(&two, &first, true).ancestry, Ancestry::Unknown(_)));
    assert_eq!(of(&two, &third, true).describe.unwrap(), repo.described_by_git());
}

#[test]
fn nothing_checked_out() {
    let directory = TempDir::new().unwrap();
    let facts = of(directory.path(), &elsewhere(), true);
    assert_eq!((facts.head.clone(), facts.warning.clone()), (None, None));
    assert_eq!(facts.describe, Err(DescribeError::NoRepository));
    let facts = of(&directory.path().join("missing"), &elsewhere(), true);
    assert_eq!((facts.head, facts.warning), (None, None));
    let unborn = Repo::new().root;
    let facts = of(&unborn.path().join("w"), &elsewhere(), true);
    assert_eq!((facts.head, facts.warning), (None, None));
    assert_eq!(facts.describe, Err(DescribeError::NoCommit));
    // A repository around the workspace is not the workspace's.
    std::fs::create_dir(unborn.path().join("w/inner")).unwrap();
    assert_eq!(of(&unborn.path().join("w/inner"), &elsewhere(), true).warning, None);
}

#[test]
fn worktrees_inside_and_outside() {
    let mut repo = Repo::new();
    let head = repo.commit();
    repo.run(&["worktree", "add", "-q", "--detach", "../linked"]);
    let facts = of(&repo.root.path().join("linked"), &head, true);
    assert!(warning(&facts).contains("leads out of the workspace"), "{facts:?}");
    let linked = repo.root.path().join("by-link");
    std::fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(repo.workspace().join(".git"), linked.join(".git")).unwrap();
    assert!(warning(&of(&linked, &head, true)).contains("leads out of the workspace"));
    // `git init --separate-git-dir` inside of the workspace.
    std::fs::rename(repo.workspace().join(".git"), repo.workspace().join("git")).unwrap();
    std::fs::write(repo.workspace().join(".git"), "gitdir: git\n").unwrap();
    assert_eq!(repo.gather(&head).head, Some(head.clone()));
    // Refs and objects of somewhere else.
    let away = Repo::new();
    std::fs::write(away.workspace().join(".git/commondir"), repo.workspace().join("git").to_str().unwrap())
        .unwrap();
    assert!(warning(&of(&away.workspace(), &head, true)).contains("leads out of the workspace"));
}

#[test]
fn configuration_is_not_obeyed() {
    let mut repo = Repo::new();
    let head = repo.commit();
    repo.run(&["tag", "v1"]);
    repo.commit();
    let outside = repo.root.path().join("outside");
    std::fs::write(&outside, "[core]\n\tabbrev = 40\n").unwrap();
    let hostile = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = maybe\n\tabbrev = 39\n\tworktree = /\n\tfsmonitor = false\n\tsshCommand = false\n[include]\n\tpath = {}\n[gpg]\n\tprogram = false\n",
        outside.display()
    );
    std::fs::write(repo.workspace().join(".git/config"), hostile).unwrap();
    let facts = of(&repo.workspace(), &head, true);
    assert_eq!((facts.ancestry, facts.warning), (Ancestry::Ancestor, None));
    // The repository's own abbreviation, as Git has it; 40 would be that of the file it includes.
    assert_eq!(facts.describe.unwrap().len(), "v1-1-g".len() + 39);
}

/// Root in the container reads what the runner's user checked out.
#[test]
fn owned_by_somebody_else() {
    fn give(path: &Path) -> std::io::Result<()> {
        std::os::unix::fs::lchown(path, Some(1001), Some(1001))?;
        if path.is_dir() && !path.is_symlink() {
            for entry in path.read_dir()? {
                give(&entry?.path())?;
            }
        }
        Ok(())
    }
    let mut repo = Repo::new();
    let (first, second) = (repo.commit(), repo.commit());
    repo.run(&["tag", "v1"]);
    match give(&repo.workspace()) {
        // Only root can give files away; then there is nothing to see here.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return,
        other => other.unwrap(),
    }
    let facts = repo.gather(&first);
    assert_eq!((facts.head, facts.ancestry), (Some(second), Ancestry::Ancestor));
    assert_eq!(facts.describe.unwrap(), "v1");
}

#[test]
fn damaged_and_strange_repositories() {
    let strange = |damage: &dyn Fn(&Repo, &Path)| {
        let mut repo = Repo::new();
        let head = repo.commit();
        repo.run(&["tag", "-m", "x", "v1"]);
        damage(&repo, &repo.workspace().join(".git"));
        (repo.gather(&elsewhere()), head)
    };
    let objects = |git: &Path, change: &dyn Fn(&Path)| {
        for directory in git.join("objects").read_dir().unwrap() {
            for object in directory.unwrap().path().read_dir().unwrap() {
                change(&object.unwrap().path());
            }
        }
    };
    let overwrite = |path: &Path, bytes: &[u8]| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    // A whole zlib stream of a commit that claims to be 4 TiB.
    let bomb = b"\x78\x9c\x4b\xce\xcf\xcd\xcd\x2c\x51\x30\x31\xb6\xb4\x30\x30\x31\x33\x35\x34\x34\x34\x30\x61\x28\x29\x4a\x4d\x55\xa8\x00\x00\x6e\x08\x07\x90";
    for (name, damage) in [
        (
            "no HEAD",
            &(|_: &Repo, git: &Path| std::fs::remove_file(git.join("HEAD")).unwrap())
                as &dyn Fn(&Repo, &Path),
        ),
        ("HEAD is rubbish", &|_, git| std::fs::write(git.join("HEAD"), b"\xff\x00rubbish").unwrap()),
        ("HEAD points nowhere", &|_, git| std::fs::write(git.join("HEAD"), "e".repeat(40) + "\n").unwrap()),
        ("HEAD is a loop", &|_, git| {
            std::fs::write(git.join("HEAD"), "ref: refs/heads/a\n").unwrap();
            std::fs::write(git.join("refs/heads/a"), "ref: refs/heads/b\n").unwrap();
            std::fs::write(git.join("refs/heads/b"), "ref: refs/heads/a\n").unwrap();
        }),
        ("empty objects", &|_, git| objects(git, &|object| overwrite(object, b""))),
        ("broken objects", &|_, git| objects(git, &|object| overwrite(object, bomb))),
        ("no objects", &|_, git| std::fs::remove_dir_all(git.join("objects")).unwrap()),
        ("configuration is rubbish", &|_, git| std::fs::write(git.join("config"), "[core\n\0").unwrap()),
        (".git is a pipe", &|repo, git| {
            std::fs::remove_dir_all(git).unwrap();
            assert!(Command::new("mkfifo").arg(git).status().unwrap().success(), "{:?}", repo.root);
        }),
        (".git is rubbish", &|_, git| {
            std::fs::remove_dir_all(git).unwrap();
            std::fs::write(git, "rubbish").unwrap();
        }),
        ("SHA-256", &|repo, git| {
            std::fs::remove_dir_all(git).unwrap();
            repo.run(&["init", "-q", "--object-format=sha256"]);
            repo.run(&["commit", "-q", "--allow-empty", "-m", "x"]);
        }),
    ] {
        let (facts, _) = strange(damage);
        let warning = warning(&facts);
        assert!(
            warning.starts_with("the Git repository in the workspace is not used: "),
            "{name}: {warning}"
        );
        assert!(!warning.chars().any(char::is_control) && warning.len() < 600, "{name}: {warning}");
    }
    // Damage beside HEAD costs only what it touches.
    let (facts, head) = strange(&|_, git| std::fs::write(git.join("refs/tags/v2"), "rubbish").unwrap());
    assert_eq!((facts.head, facts.warning), (Some(head), None));
}
