//! Repositories that are broken, strange or made to do harm: a warning, never a panic, never a wait.

use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

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

/// Each of these hung the run for good.
#[test]
fn a_pipe_among_the_files_of_a_repository_is_not_waited_for() {
    let pipe = |path: &Path| {
        let _ = std::fs::remove_file(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    for name in [
        "config",
        "HEAD",
        "packed-refs",
        "shallow",
        "commondir",
        "config.worktree",
        "refs/heads/main",
        "refs/tags/v9",
        "objects/info/alternates",
        "objects/pack/pack-1.idx",
        "objects/ab/cdef",
    ] {
        let mut repo = Repo::new();
        repo.commit();
        pipe(&repo.workspace().join(".git").join(name));
        let facts = repo.gather(&elsewhere());
        let expected =
            format!("the Git repository in the workspace is not used: `.git/{name}` is not a regular file");
        assert_eq!(warning(&facts), expected);
    }
    // Where a link, an alternate or a worktree's directory leads to.
    let mut repo = Repo::new();
    repo.commit();
    let git = repo.workspace().join(".git");
    pipe(&repo.workspace().join("elsewhere/ab/cd"));
    std::fs::write(git.join("objects/info/alternates"), "../../elsewhere\n").unwrap();
    assert!(warning(&repo.gather(&elsewhere())).ends_with("ab/cd` is not a regular file"));
    std::fs::remove_file(git.join("objects/info/alternates")).unwrap();
    std::os::unix::fs::symlink("../elsewhere/ab/cd", git.join("MERGE_HEAD")).unwrap();
    assert!(warning(&repo.gather(&elsewhere())).ends_with("`.git/MERGE_HEAD` is not a regular file"));
    // A loop of directories ends.
    std::fs::remove_file(git.join("MERGE_HEAD")).unwrap();
    std::os::unix::fs::symlink("..", git.join("refs/loop")).unwrap();
    repo.gather(&elsewhere());
}

/// Files of a repository with loose objects, a pack, packed refs, a commit graph and a shallow boundary.
fn template() -> &'static (CommitId, Vec<(PathBuf, Vec<u8>)>) {
    fn collect(root: &Path, directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                files.push((path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    type Files = Vec<(PathBuf, Vec<u8>)>;
    static FILES: std::sync::OnceLock<(CommitId, Files)> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let mut repo = Repo::new();
        let first = repo.commit();
        repo.run(&["tag", "-m", "x", "v1"]);
        repo.commit();
        repo.run(&["gc", "-q"]);
        repo.run(&["commit-graph", "write", "--reachable"]);
        repo.commit();
        repo.run(&["tag", "-m", "x", "v2", first.as_str()]);
        // Detached at a commit that is in the history of two branches, and at no ref.
        repo.run(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        repo.run(&["branch", "old"]);
        repo.run(&["checkout", "-q", "--detach", "HEAD~1"]);
        std::fs::write(repo.workspace().join(".git/shallow"), format!("{first}\n")).unwrap();
        std::fs::remove_dir_all(repo.workspace().join(".git/hooks")).unwrap();
        let mut files = Vec::new();
        collect(&repo.workspace(), &repo.workspace(), &mut files);
        files.sort();
        (first, files)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is broken: an answer, in text that steers nothing. A panic would end the action.
    #[test]
    fn any_damage_is_survived(
        file in any::<proptest::sample::Index>(),
        at in any::<proptest::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..9),
        cut in any::<bool>(),
    ) {
        let directory = TempDir::new().unwrap();
        let (first, files) = template();
        let damaged = file.index(files.len());
        for (number, (path, content)) in files.iter().enumerate() {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut content = content.clone();
            if number == damaged && !content.is_empty() {
                let at = at.index(content.len());
                let end = if cut { content.len() } else { content.len().min(at + bytes.len()) };
                content.splice(at..end, bytes.iter().copied());
            }
            std::fs::write(path, content).unwrap();
        }
        let wanted = Wanted { describe: true, head_refs: Some(vec!["main".into(), "old".into()]) };
        let facts = gather(directory.path(), directory.path(), first, &wanted);
        let warning = facts.warning.unwrap_or_default();
        prop_assert!(!warning.chars().any(char::is_control), "{warning:?}");
        if let Err(why) = facts.head_refs {
            prop_assert!(!why.to_string().chars().any(char::is_control), "{why:?}");
        }
    }
}
