//! What HEAD is called, as Git and actions/checkout leave it.

use std::path::{Path, PathBuf};

use super::*;
use crate::metadata::{FetchedPull, HeadRefs, NoHead, RefsAtHead};
use crate::model::GitRef;

fn names(workspace: &Path, branches: &[&str]) -> Result<HeadRefs, NoHead> {
    let branches = branches.iter().map(|name| (*name).to_owned()).collect();
    let wanted = Wanted { describe: false, head_refs: Some(branches) };
    gather(workspace, workspace, &elsewhere(), &wanted).head_refs
}

fn at_head(workspace: &Path, branches: &[&str]) -> RefsAtHead {
    match names(workspace, branches).unwrap() {
        HeadRefs::Detached(refs) => refs,
        on @ HeadRefs::On(_) => panic!("{on:?}"),
    }
}

fn on(name: &str) -> HeadRefs {
    HeadRefs::On(GitRef::parse(name))
}

/// A server's repository with a history: `main` of three commits, `dev` of one more, a pull request's head and merge, tags.
struct Origin {
    repo: Repo,
    commits: Vec<CommitId>,
}

impl Origin {
    fn new() -> Self {
        let mut repo = Repo::new();
        let mut commits = vec![repo.commit(), repo.commit()];
        repo.run(&["tag", "-m", "x", "v1.2.3"]);
        repo.run(&["tag", "v1"]);
        repo.run(&["tag", "nightly"]);
        commits.push(repo.commit());
        repo.run(&["checkout", "-q", "-b", "feature/a", "HEAD~1"]);
        commits.push(repo.commit());
        repo.run(&["update-ref", "refs/pull/5/head", "HEAD"]);
        repo.run(&["checkout", "-q", "--detach", "main"]);
        repo.run(&["merge", "-q", "--no-ff", "-m", "merge", "feature/a"]);
        commits.push(repo.head());
        repo.run(&["update-ref", "refs/pull/5/merge", "HEAD"]);
        repo.run(&["checkout", "-q", "main"]);
        // As GitHub's server allows it.
        repo.run(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        Self { repo, commits }
    }

    /// What actions/checkout does: it fetches these into an empty repository and checks `start` out.
    fn checkout(&self, name: &str, fetch: &[&str], checkout: &[&str]) -> PathBuf {
        let directory = self.repo.root.path().join(name);
        let url = format!("file://{}", self.repo.workspace().display());
        self.repo.git(&["init", "-q", directory.to_str().unwrap()], self.repo.root.path());
        let run = |arguments: &[&str]| self.repo.git(arguments, &directory);
        run(&["remote", "add", "origin", &url]);
        run(&[
            &["-c", "protocol.version=2", "fetch", "-q", "--prune", "--no-recurse-submodules", "origin"],
            fetch,
        ]
        .concat());
        run(&[&["checkout", "-q", "--force"], checkout].concat());
        directory
    }
}

/// Each as the action's log shows it for this `ref` and `fetch-depth`.
#[test]
fn as_actions_checkout_leaves_it() {
    let origin = Origin::new();
    let [first, tagged, main, head, merge] = &origin.commits[..] else { panic!("five") };
    let shallow = ["--no-tags", "--depth=1"];
    let all = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];

    // A push of a branch.
    let refspec = format!("+{main}:refs/remotes/origin/main");
    let to = ["-B", "main", "refs/remotes/origin/main"];
    let branch = origin.checkout("branch", &[&shallow[..], &[&refspec]].concat(), &to);
    assert_eq!(names(&branch, &["main"]), Ok(on("refs/heads/main")));

    // A push of a Git tag, of whose names only its own is fetched; an annotated one is made a light one.
    let refspec = format!("+{tagged}:refs/tags/v1.2.3");
    let tag = origin.checkout("tag", &[&shallow[..], &[&refspec]].concat(), &["refs/tags/v1.2.3"]);
    let only = RefsAtHead { tags: vec!["v1.2.3".into()], ..RefsAtHead::default() };
    assert_eq!(at_head(&tag, &["main"]), only);

    // `ref: v1`: all that begin so.
    let refspecs = ["+refs/heads/v1*:refs/remotes/origin/v1*", "+refs/tags/v1*:refs/tags/v1*"];
    let several = origin.checkout("several", &[&shallow[..], &refspecs].concat(), &["refs/tags/v1"]);
    assert_eq!(at_head(&several, &[]).tags, ["v1", "v1.2.3"]);

    // A pull request: its merge, whose parents a shallow checkout names all the same.
    let refspec = format!("+{merge}:refs/remotes/pull/5/merge");
    let pull = origin.checkout("pull", &[&shallow[..], &[&refspec]].concat(), &["refs/remotes/pull/5/merge"]);
    let request = |merge| vec![FetchedPull { number: 5, merge }];
    assert_eq!(
        at_head(&pull, &["main"]),
        RefsAtHead { pull_requests: request(true), ..RefsAtHead::default() }
    );
    assert_eq!(of(&pull, merge, false).parents, [main.clone(), head.clone()]);
    let refspec = ["+refs/pull/5/head:refs/remotes/pull/5/head"];
    let pull = origin.checkout("head", &[&shallow[..], &refspec].concat(), &["refs/remotes/pull/5/head"]);
    assert_eq!(at_head(&pull, &[]).pull_requests, request(false));

    // A commit by its id: nothing is called so.
    let bare = origin.checkout("bare", &[&shallow[..], &[tagged.as_str()]].concat(), &[tagged.as_str()]);
    assert_eq!(at_head(&bare, &["main"]), RefsAtHead::default());

    // The same with `fetch-depth: 0`.
    let fetched = |name: &str, commit: &CommitId| origin.checkout(name, &all, &[commit.as_str()]);
    let found = at_head(&fetched("all-tagged", tagged), &["main"]);
    assert_eq!(found.tags, ["nightly", "v1", "v1.2.3"]);
    assert_eq!((found.branches, found.in_history_of), (Vec::<String>::new(), None));
    let found = at_head(&fetched("all-head", head), &["main"]);
    assert_eq!(found, RefsAtHead { branches: vec!["feature/a".into()], ..RefsAtHead::default() });
    // A commit of several branches; of one that was not asked about.
    let old = fetched("all-old", first);
    for (asked, expected) in
        [(&["feature/a", "main"][..], Some("feature/a")), (&["gone", "main"], Some("main")), (&[], None)]
    {
        let in_history_of = expected.map(str::to_owned);
        assert_eq!(at_head(&old, asked), RefsAtHead { in_history_of, ..RefsAtHead::default() }, "{asked:?}");
    }
    let found = at_head(&fetched("all-main", main), &["feature/a"]);
    assert_eq!(found.branches, ["main"]);
    // The cut history does not show that the branch has it.
    let refspec = [main.as_str(), first.as_str(), "+refs/heads/main:refs/remotes/origin/main"];
    let cut = origin.checkout("cut", &[&shallow[..], &refspec].concat(), &[first.as_str()]);
    assert_eq!(at_head(&cut, &["main"]), RefsAtHead::default());
}

#[test]
fn as_people_make_it() {
    let mut repo = Repo::new();
    let first = repo.commit();
    let workspace = repo.workspace();
    assert_eq!(names(&workspace, &[]), Ok(on("refs/heads/main")));
    assert_eq!(of(&workspace, &first, false).head_refs, Err(NoHead::NotAsked));
    // On a branch, whatever else is there.
    repo.run(&["checkout", "-q", "-b", "Feature/é"]);
    repo.run(&["tag", "v9.9.9"]);
    assert_eq!(names(&workspace, &[]), Ok(on("refs/heads/Feature/é")));
    repo.run(&["checkout", "-q", "--detach"]);
    repo.run(&["pack-refs", "--all"]);
    repo.run(&["tag", "-m", "x", "nested", "v9.9.9"]);
    repo.run(&["tag", "tree", "HEAD^{tree}"]);
    repo.run(&["tag", "-m", "x", "twice", "nested"]);
    repo.run(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    repo.run(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    repo.run(&["update-ref", "refs/remotes/fork/main", "HEAD"]);
    repo.run(&["update-ref", "refs/remotes/pull/x/merge", "HEAD"]);
    repo.run(&["update-ref", "refs/remotes/pull/12/head", "HEAD"]);
    repo.run(&["update-ref", "refs/remotes/pull/7/merge", "HEAD"]);
    // Beside those that are broken, or lead nowhere.
    std::fs::write(workspace.join(".git/refs/tags/broken"), "rubbish").unwrap();
    std::fs::write(workspace.join(".git/refs/tags/gone"), "e".repeat(40) + "\n").unwrap();
    repo.run(&["symbolic-ref", "refs/remotes/origin/loop", "refs/remotes/origin/loop"]);
    assert_eq!(
        at_head(&workspace, &[]),
        RefsAtHead {
            tags: ["nested", "twice", "v9.9.9"].map(String::from).to_vec(),
            pull_requests: vec![
                FetchedPull { number: 7, merge: true },
                FetchedPull { number: 12, merge: false }
            ],
            branches: ["Feature/é", "main", "x/merge"].map(String::from).to_vec(),
            in_history_of: None,
        }
    );
    // Nothing there, or nothing of use.
    let directory = TempDir::new().unwrap();
    assert_eq!(names(directory.path(), &[]), Err(NoHead::NoRepository));
    let unborn = Repo::new();
    assert_eq!(names(&unborn.workspace(), &[]), Err(NoHead::NoCommit));
    std::fs::write(workspace.join(".git/HEAD"), "rubbish").unwrap();
    let Err(NoHead::Unreadable(why)) = names(&workspace, &[]) else { panic!("readable") };
    assert!(why.contains("HEAD cannot be read"), "{why}");
}
