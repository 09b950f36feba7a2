//! A repository on the server: what GitHub knows of it, and the handle by which a test is somebody else who pushes,
//! merges, archives and looks.

use super::State;
use super::access::Level;
use super::pull::Pull;
use super::store::{File, Signature, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

/// What the server keeps of a repository beside its Git objects.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "settings of a repository, each by itself")]
pub struct Home {
    pub id: u64,
    pub owner: String,
    pub name: String,
    /// What it was called before: lower-cased `owner/name`.
    pub former: Vec<String>,
    pub store: Store,
    pub default_branch: String,
    pub archived: bool,
    pub public: bool,
    /// Auto-merge may be asked for.
    pub auto_merge: bool,
    /// Draft pull requests may be opened.
    pub drafts: bool,
    /// A merged pull request's branch goes.
    pub delete_on_merge: bool,
    /// Branches that take changes through pull requests only.
    pub protected: BTreeSet<String>,
    /// Branches into which a pull request is merged only after checks.
    pub checked: BTreeSet<String>,
    /// People by login, and what they may do. They can be asked for reviews.
    pub roles: BTreeMap<String, Level>,
    /// Teams that can be asked for reviews, by slug.
    pub teams: BTreeSet<String>,
    pub pulls: Vec<Pull>,
    /// Events that were sent by `repository_dispatch`: type and payload.
    pub dispatches: Vec<(String, Value)>,
}

impl Home {
    pub fn new(id: u64, full_name: &str, store: Store, branch: &str) -> Self {
        let (owner, name) = full_name.split_once('/').expect("owner/name");
        Self {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            former: Vec::new(),
            store,
            default_branch: branch.to_owned(),
            archived: false,
            public: false,
            auto_merge: false,
            drafts: true,
            delete_on_merge: false,
            protected: BTreeSet::new(),
            checked: BTreeSet::new(),
            roles: BTreeMap::new(),
            teams: BTreeSet::new(),
            pulls: Vec::new(),
            dispatches: Vec::new(),
        }
    }

    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Names differ by more than case.
    pub fn key(&self) -> String {
        self.full_name().to_lowercase()
    }

    /// Its name in GraphQL.
    pub fn node_id(&self) -> String {
        format!("R_kgDO{:08}", self.id)
    }

    pub fn is_empty(&self) -> bool {
        self.store.branches().is_empty()
    }

    /// The repository as it stands in other objects.
    pub fn json(&self, api: &str, web: &str) -> Value {
        let full = self.full_name();
        json!({
            "id": self.id,
            "node_id": self.node_id(),
            "name": self.name,
            "full_name": full,
            "private": !self.public,
            "owner": user(&self.owner),
            "html_url": format!("{web}/{full}"),
            "url": format!("{api}/repos/{full}"),
            "clone_url": format!("{web}/{full}.git"),
            "fork": false,
            "archived": self.archived,
            "disabled": false,
            "visibility": if self.public { "public" } else { "private" },
            "default_branch": self.default_branch,
        })
    }
}

/// A user, an organization or an App's bot, as it stands in other objects.
pub fn user(login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    let id = login.bytes().fold(17_u64, |id, byte| (id * 31 + u64::from(byte)) % 100_000_000);
    json!({ "login": login, "id": id, "node_id": format!("U_kgDO{id:08}"), "type": kind, "site_admin": false })
}

/// A repository of the server, in the hands of a test.
#[derive(Clone)]
pub struct Hosted {
    state: Arc<Mutex<State>>,
    id: u64,
}

impl Hosted {
    pub fn new(state: &Arc<Mutex<State>>, id: u64) -> Self {
        Self { state: Arc::clone(state), id }
    }

    /// It is called otherwise from now on; under its old name, REST says where it is.
    pub fn rename(&self, full_name: &str) {
        self.set(|home| {
            home.former.push(home.key());
            let (owner, name) = full_name.split_once('/').expect("owner/name");
            (home.owner, home.name) = (owner.to_owned(), name.to_owned());
        });
    }

    /// Somebody pushes files with these texts to a branch, which is made off the default branch if it is not there;
    /// the commit.
    pub fn push(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, File::Text(text))).collect();
        self.push_files(branch, message, &files)
    }

    /// The same with anything that Git keeps.
    pub fn push_files(&self, branch: &str, message: &str, files: &[(&str, File<'_>)]) -> String {
        self.with(|home, second| {
            let old = home.store.head(branch);
            let parent = old.clone().or_else(|| home.store.head(&home.default_branch));
            let somebody = somebody(second);
            let commit = home.store.commit(parent.as_deref(), files, message, [&somebody, &somebody]);
            let commit = commit.unwrap_or_else(|fault| panic!("{fault}"));
            let reference = format!("refs/heads/{branch}");
            assert!(home.store.swap(&reference, old.as_deref(), Some(&commit)), "{branch} moved meanwhile");
            home.moved(branch);
            commit
        })
    }

    /// Somebody sets a branch to a commit, as a forced push does.
    pub fn reset(&self, branch: &str, commit: &str) {
        self.with(|home, _| {
            let old = home.store.head(branch);
            assert!(home.store.swap(&format!("refs/heads/{branch}"), old.as_deref(), Some(commit)));
            home.moved(branch);
        });
    }

    /// Somebody deletes a branch.
    pub fn delete(&self, branch: &str) {
        self.with(|home, _| {
            let old = home.store.head(branch).unwrap_or_else(|| panic!("there is no branch `{branch}`"));
            assert!(home.store.swap(&format!("refs/heads/{branch}"), Some(&old), None));
            home.moved(branch);
        });
    }

    /// Somebody merges a pull request with a merge commit; that commit.
    pub fn merge(&self, number: u64) -> String {
        self.with(|home, second| {
            let pull =
                home.pull(number).unwrap_or_else(|| panic!("there is no pull request {number}")).clone();
            home.merge(&pull, &somebody(second))
        })
    }

    /// Somebody closes a pull request without merging it.
    pub fn close(&self, number: u64) {
        self.with(|home, _| home.pull_mut(number).expect("a pull request").close(false));
    }

    /// The checks of a branch's head have ended well: a pull request that waits for them is merged.
    pub fn checks_pass(&self, number: u64) {
        let waits = self.pull(number).auto_merge.is_some();
        if waits {
            self.merge(number);
        }
    }

    /// A file's text at a branch; None where there is none.
    pub fn read(&self, branch: &str, path: &str) -> Option<String> {
        self.with(|home, _| {
            let bytes = home.store.read(&home.store.head(branch)?, path)?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    /// The commit that a branch is at.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.with(|home, _| home.store.head(branch))
    }

    pub fn branches(&self) -> Vec<String> {
        self.with(|home, _| home.store.branches())
    }

    /// Every pull request, oldest first.
    pub fn pulls(&self) -> Vec<Pull> {
        self.with(|home, _| home.pulls.clone())
    }

    pub fn pull(&self, number: u64) -> Pull {
        self.with(|home, _| home.pull(number).cloned()).unwrap_or_else(|| panic!("no pull request {number}"))
    }

    /// Events that `repository_dispatch` sent: type and payload.
    pub fn dispatches(&self) -> Vec<(String, Value)> {
        self.with(|home, _| home.dispatches.clone())
    }

    /// A real clone of a branch into a directory that is not there yet.
    pub fn clone_to(&self, branch: &str, directory: &Path) {
        let source = self.with(|home, _| format!("file://{}", home.store.path().display()));
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*", "clone", "-q", "--branch", branch, &source]).arg(directory);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let output = command.output().expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs git in the repository itself.
    pub fn git(&self, args: &[&str]) -> Option<String> {
        self.with(|home, _| home.store.git(args))
    }

    /// It becomes read-only.
    pub fn archive(&self) {
        self.set(|home| home.archived = true);
    }

    /// A branch takes changes through pull requests only.
    pub fn protect(&self, branch: &str) {
        self.set(|home| home.protected.extend([branch.to_owned()]));
    }

    /// Pull requests into a branch wait for checks.
    pub fn require_checks(&self, branch: &str) {
        self.set(|home| home.checked.extend([branch.to_owned()]));
    }

    /// Somebody who may read or write, and be asked for reviews.
    pub fn person(&self, login: &str, role: Level) {
        self.set(|home| home.roles.extend([(login.to_owned(), role)]));
    }

    /// A team that can be asked for reviews.
    pub fn team(&self, slug: &str) {
        self.set(|home| home.teams.extend([slug.to_owned()]));
    }

    /// Changes anything else that the server knows of the repository.
    pub fn set(&self, change: impl FnOnce(&mut Home)) {
        self.with(|home, _| change(home));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Home, u64) -> T) -> T {
        let mut state: MutexGuard<'_, State> = super::lock(&self.state);
        let second = state.tick();
        let home = state.homes.iter_mut().find(|home| home.id == self.id);
        act(home.expect("a repository of this server"), second)
    }
}

fn somebody(seconds: u64) -> Signature {
    let email = "octocat@users.noreply.github.com".to_owned();
    Signature { name: "The Octocat".into(), email, seconds }
}
