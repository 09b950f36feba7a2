//! Real Git repositories for the tests, and checkouts of them as actions/checkout leaves them.
//!
//! Uses the `git` binary, without the machine's configuration, so that the bytes and the commits' names are the same
//! everywhere.

use base64::Engine as _;
use std::path::Path;
use std::process::Command;

/// The time of a repository's first commit, in seconds; each later one is a minute after it.
pub const FIRST_COMMIT: u64 = 1_795_163_411;

/// A repository with a work tree: the "server's side" of a checkout.
#[derive(Debug)]
pub struct Repository {
    root: tempfile::TempDir,
    commits: std::cell::Cell<u64>,
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Repository {
    /// An empty repository on the branch `main`.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("origin-").tempdir().expect("a temporary directory");
        git(root.path(), &["init", "-q", "-b", "main"]);
        // A checkout fetches commits by name.
        git(root.path(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        Self { root, commits: std::cell::Cell::new(0) }
    }

    /// A repository whose first commit is the tree at `source`.
    pub fn of(source: &Path) -> Self {
        let repository = Self::new();
        copy(source, repository.path());
        repository.commit("First");
        repository
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Writes a file into the work tree.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file in the tree")).expect("a directory of ours");
        std::fs::write(path, text).expect("a file of ours");
    }

    /// Commits everything in the work tree; the commit's name.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.dated(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    /// The time of HEAD's commit in UTC, as in RFC 3339.
    pub fn created(&self) -> String {
        self.git(&["log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%cd"])
    }

    /// Switches to a branch, which is made here if it does not exist.
    pub fn branch(&self, name: &str) {
        // Not `checkout`, which takes a tag of the same name.
        if self.try_git(&["switch", "-q", name]).is_none() {
            self.git(&["switch", "-q", "-c", name]);
        }
    }

    /// Tags HEAD; with a message, the tag is an object of its own.
    pub fn tag(&self, name: &str, message: Option<&str>) {
        match message {
            Some(message) => self.dated(&["tag", "-a", name, "-m", message]),
            None => self.dated(&["tag", name]),
        }
    }

    /// Merges `branch` into the current one with a merge commit; its name.
    pub fn merge(&self, branch: &str) -> String {
        self.dated(&["merge", "-q", "--no-ff", "-m", &format!("Merge {branch}"), branch]);
        self.head()
    }

    /// The commit `refs/pull/N/merge` of a pull request of `branch` into main, as GitHub makes it; its name.
    pub fn pull_request(&self, number: u32, branch: &str) -> String {
        self.git(&["switch", "-q", "--detach", "main"]);
        let merge = self.merge(branch);
        self.git(&["update-ref", &format!("refs/pull/{number}/merge"), &merge]);
        self.branch("main");
        merge
    }

    pub fn head(&self) -> String {
        self.rev("HEAD")
    }

    /// The commit that a name stands for.
    pub fn rev(&self, name: &str) -> String {
        self.git(&["rev-parse", &format!("{name}^{{commit}}")])
    }

    /// Runs git in the work tree; its output without the last newline.
    pub fn git(&self, args: &[&str]) -> String {
        git(self.path(), args)
    }

    fn try_git(&self, args: &[&str]) -> Option<String> {
        run(command(self.path(), args)).ok()
    }

    fn dated(&self, args: &[&str]) {
        let count = self.commits.get();
        self.commits.set(count + 1);
        let date = format!("{} +0100", FIRST_COMMIT + 60 * count);
        let mut command = command(self.path(), args);
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        run(command).unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// Fills `workspace` as actions/checkout does: one commit (or `depth` of them, 0 for all), `reference` checked
    /// out (a branch attached, anything else detached), the job's token kept in `.git/config`.
    pub fn checkout(&self, workspace: &Path, reference: &str, depth: u32, github: &str, token: &str) {
        let sha = self.rev(reference);
        let (local, branch) = match reference.strip_prefix("refs/heads/") {
            Some(branch) => (format!("refs/remotes/origin/{branch}"), Some(branch)),
            None if reference.starts_with("refs/tags/") => (reference.to_owned(), None),
            None => (reference.replace("refs/", "refs/remotes/"), None),
        };
        let at = |args: &[&str]| git(workspace, args);
        at(&["init", "-q", "-b", "main"]);
        at(&["config", "--local", "gc.auto", "0"]);
        let origin = format!("file://{}", self.path().display());
        let depth = format!("--depth={depth}");
        let mut fetch = vec!["fetch", "-q", "--no-tags", "--prune"];
        let mut specs = vec![format!("+{sha}:{local}")];
        if depth == "--depth=0" {
            specs.extend([
                "+refs/heads/*:refs/remotes/origin/*".to_owned(),
                "+refs/tags/*:refs/tags/*".to_owned(),
            ]);
            if reference.starts_with("refs/tags/") || branch.is_some() {
                specs.remove(0);
            }
        } else {
            fetch.push(&depth);
        }
        fetch.push(&origin);
        fetch.extend(specs.iter().map(String::as_str));
        at(&fetch);
        match branch {
            Some(branch) => at(&["checkout", "-q", "--force", "-B", branch, &local]),
            None => at(&["checkout", "-q", "--force", "--detach", &local]),
        };
        at(&["remote", "add", "origin", &format!("https://github.com/{github}")]);
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
        at(&[
            "config",
            "--local",
            "http.https://github.com/.extraheader",
            &format!("AUTHORIZATION: basic {credentials}"),
        ]);
    }
}

/// Copies the tree at `from` into the directory `to`: directories, files with their modes, links as links.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory of ours");
    let entries =
        std::fs::read_dir(from).unwrap_or_else(|fault| panic!("reading `{}`: {fault}", from.display()));
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_symlink() {
            let link = std::fs::read_link(&source).expect("a link");
            std::os::unix::fs::symlink(link, target).expect("a link of ours");
        } else if source.is_dir() {
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("a file of ours");
        }
    }
}

/// Runs git in `dir` without the machine's configuration; panics with git's own words when it fails.
pub fn git(dir: &Path, args: &[&str]) -> String {
    run(command(dir, args)).unwrap_or_else(|fault| panic!("{fault}"))
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(["-c", "safe.directory=*"]).args(args);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "The Octocat"),
        ("GIT_AUTHOR_EMAIL", "octocat@users.noreply.github.com"),
        ("GIT_COMMITTER_NAME", "The Octocat"),
        ("GIT_COMMITTER_EMAIL", "octocat@users.noreply.github.com"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
    ]);
    command
}

fn run(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|fault| format!("starting {command:?}: {fault}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
