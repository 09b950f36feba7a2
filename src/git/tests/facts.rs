//! What is read, compared with what git says.

use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::metadata::DescribeError;

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
    let facts = |workspace: &Path, context: &Path| gather(workspace, context, &head, &Wanted::default()).head;
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
fn whose_commit_is_described_and_from_which_it_was_made() {
    let mut repo = Repo::new();
    let first = repo.commit();
    let facts = repo.gather(&first);
    assert_eq!((facts.tagged, facts.parents), (false, vec![]), "{:?}", facts.describe);
    repo.run(&["tag", "v1.2.3"]);
    assert!(repo.gather(&first).tagged);
    assert!(!of(&repo.workspace(), &first, false).tagged, "nobody asked");
    let second = repo.commit();
    let facts = repo.gather(&second);
    assert_eq!((facts.tagged, facts.parents), (false, vec![first.clone()]));
    // A tag that is called as descriptions are.
    repo.run(&["tag", "-m", "x", "v1.2.3-1-gabcdef0"]);
    assert!(repo.gather(&second).tagged);
    repo.run(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    let side = repo.commit();
    repo.run(&["merge", "-q", "--no-ff", "-m", "merge", "main"]);
    let merge = repo.head();
    assert_eq!(repo.gather(&merge).parents, [side.clone(), second.clone()]);
    // The parents are named where they are not there.
    let url = format!("file://{}", repo.workspace().display());
    let shallow = repo.root.path().join("shallow");
    repo.git(&["clone", "-q", "--depth", "1", &url, shallow.to_str().unwrap()], repo.root.path());
    assert_eq!(of(&shallow, &merge, true).parents, [side, second]);
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
    // A HEAD of somewhere else, over the workspace's own objects.
    let out = repo.root.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("HEAD"), format!("{head}\n")).unwrap();
    std::fs::write(out.join("commondir"), repo.workspace().join("git").to_str().unwrap()).unwrap();
    std::fs::write(repo.workspace().join(".git"), "gitdir: ../out\n").unwrap();
    assert!(warning(&repo.gather(&head)).contains("leads out of the workspace"));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Histories of commits, branches, merges and tags: what Git says of HEAD and its past, we say.
    #[test]
    fn any_history_reads_as_git_reads_it(
        steps in proptest::collection::vec((0..5, any::<proptest::sample::Index>()), 1..14),
    ) {
        let mut repo = Repo::new();
        let mut commits = vec![repo.commit()];
        for (number, (step, which)) in steps.iter().enumerate() {
            let other = commits[which.index(commits.len())].clone();
            match step {
                0 | 1 => commits.push(repo.commit()),
                2 => drop(repo.run(&["tag", &format!("light-{number}"), other.as_str()])),
                3 => drop(repo.run(&["tag", "-m", "x", &format!("v{number}"), other.as_str()])),
                _ => {
                    repo.clock += 1;
                    repo.run(&["checkout", "-q", "--detach", other.as_str()]);
                    commits.push(repo.commit());
                    repo.run(&["merge", "-q", "--no-ff", "-m", "merge", commits[0].as_str()]);
                    let side = commits[(number + 1) % commits.len()].clone();
                    repo.run(&["merge", "-q", "--no-ff", "-m", "merge", side.as_str()]);
                    commits.push(repo.head());
                }
            }
        }
        prop_assert_eq!(repo.description(), repo.described_by_git());
        let past = repo.run(&["rev-list", "HEAD"]);
        for commit in &commits {
            let descends = past.contains(commit.as_str());
            let ancestry = repo.gather(commit).ancestry;
            let same = matches!(ancestry, Ancestry::Same | Ancestry::Ancestor);
            prop_assert_eq!(same, descends, "{:?} {:?}", commit, ancestry);
        }
    }
}
