//! A Git repository on disk, driven by `git` itself: objects, trees and refs are what a clone will find.
//!
//! It knows nothing of GitHub. Refs move by compare-and-swap; trees are made in an index of their own, so that a
//! repository with a work tree keeps both as they are.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a ref is that does not exist.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What stands at a path after a commit.
#[derive(Debug, Clone, Copy)]
pub enum File<'a> {
    /// A file with this text; one that is executable stays so.
    Text(&'a str),
    /// The same with any bytes.
    Bytes(&'a [u8]),
    /// A file that may be executed.
    Executable(&'a str),
    /// A symbolic link to this target.
    Link(&'a str),
    /// A submodule at this commit.
    Submodule(&'a str),
    /// Nothing: removed.
    Gone,
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As Git writes it: `100644`, `120000`, `160000`.
    pub mode: String,
    /// `blob`, `tree` or `commit`.
    pub kind: String,
    pub sha: String,
    /// Bytes of a blob, else 0.
    pub size: usize,
    /// The last part of its path.
    pub name: String,
}

/// Who wrote a commit, and when.
#[derive(Debug, Clone)]
pub struct Signature {
    pub name: String,
    pub email: String,
    /// Unix seconds.
    pub seconds: u64,
}

#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// Makes an empty bare repository, whose HEAD is this branch.
    pub fn init(directory: &Path, branch: &str) -> Self {
        let store = Self { directory: directory.to_owned() };
        std::fs::create_dir_all(directory).expect("a directory of ours");
        store.must(&["init", "-q", "--bare", "-b", branch]);
        // As GitHub's: a checkout fetches commits by name.
        store.must(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        store
    }

    /// One that is there already, bare or with a work tree.
    pub fn open(directory: &Path) -> Self {
        let inner = directory.join(".git");
        Self { directory: if inner.is_dir() { inner } else { directory.to_owned() } }
    }

    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The commit that a name of Git's stands for.
    pub fn commit_of(&self, name: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "-q", "--end-of-options", &format!("{name}^{{commit}}")])
    }

    /// The commit that GitHub takes this for: a branch, a tag, a whole ref or a commit's name.
    pub fn resolve(&self, name: &str) -> Option<String> {
        let hex = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let written = [format!("refs/heads/{name}"), format!("refs/tags/{name}")];
        let whole = name.starts_with("refs/").then(|| name.to_owned());
        let names = written.into_iter().chain(whole).chain(hex.then(|| name.to_owned()));
        names.into_iter().find_map(|name| self.commit_of(&name))
    }

    /// What a whole ref points to, which may be the object of a tag.
    pub fn reference(&self, name: &str) -> Option<String> {
        self.git(&["rev-parse", "--verify", "-q", "--end-of-options", name])
    }

    pub fn head(&self, branch: &str) -> Option<String> {
        self.reference(&format!("refs/heads/{branch}"))
    }

    pub fn branches(&self) -> Vec<String> {
        let names = self.must(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
        names.lines().map(str::to_owned).collect()
    }

    /// Whether Git takes this for the name of a ref.
    pub fn is_valid(&self, reference: &str) -> bool {
        self.git(&["check-ref-format", reference]).is_some()
    }

    /// `commit`, `tag`, `tree` or `blob`; None where there is no such object.
    pub fn kind(&self, sha: &str) -> Option<String> {
        self.git(&["cat-file", "-t", sha])
    }

    /// Moves a ref from `old` (None: it is made) to `new` (None: it goes); false when it was somewhere else.
    pub fn swap(&self, reference: &str, old: Option<&str>, new: Option<&str>) -> bool {
        match new {
            Some(new) => self.git(&["update-ref", reference, new, old.unwrap_or(NOTHING)]).is_some(),
            None => self.git(&["update-ref", "-d", reference, old.unwrap_or(NOTHING)]).is_some(),
        }
    }

    /// Moves several refs, all or none, by commands of `git update-ref --stdin`.
    pub fn transact(&self, commands: &str) -> bool {
        self.run(&["update-ref", "--stdin"], commands.as_bytes(), &[]).is_ok()
    }

    /// Whether `new` has everything that `old` has; a commit is an ancestor of itself.
    pub fn is_ancestor(&self, old: &str, new: &str) -> bool {
        self.git(&["merge-base", "--is-ancestor", old, new]).is_some()
    }

    /// Commits of `new` that `old` has not.
    pub fn ahead(&self, old: &str, new: &str) -> usize {
        self.must(&["rev-list", "--count", &format!("{old}..{new}")]).parse().unwrap_or_default()
    }

    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.git(&["merge-base", one, other])
    }

    /// The tree of both, merged; None when they conflict.
    pub fn merged_tree(&self, one: &str, other: &str) -> Option<String> {
        self.git(&["merge-tree", "--write-tree", one, other])
    }

    /// The entry at a path, without its leading slash; None where there is none. The root is a tree without a name.
    pub fn entry(&self, commit: &str, path: &str) -> Option<Entry> {
        if path.is_empty() {
            let sha = self.git(&["rev-parse", &format!("{commit}^{{tree}}")])?;
            let (mode, kind) = ("040000".to_owned(), "tree".to_owned());
            return Some(Entry { mode, kind, sha, size: 0, name: String::new() });
        }
        self.list(&["ls-tree", "-z", "-l", commit, "--", path]).pop()
    }

    /// What is in a tree, by its own name or as `COMMIT:path`.
    pub fn entries(&self, tree: &str) -> Vec<Entry> {
        self.list(&["ls-tree", "-z", "-l", tree])
    }

    pub fn blob(&self, sha: &str) -> Option<Vec<u8>> {
        self.run(&["cat-file", "blob", sha], &[], &[]).ok()
    }

    /// The bytes of a file in a commit; None where there is no file.
    pub fn read(&self, commit: &str, path: &str) -> Option<Vec<u8>> {
        let entry = self.entry(commit, path)?;
        if entry.kind == "blob" { self.blob(&entry.sha) } else { None }
    }

    /// A commit on top of `parent`, with these changes; no ref moves.
    pub fn commit(
        &self,
        parent: Option<&str>,
        changes: &[(&str, File<'_>)],
        message: &str,
        by: [&Signature; 2],
    ) -> Result<String, String> {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let index = scratch.path().join("index").display().to_string();
        let index = [("GIT_INDEX_FILE", index.as_str())];
        match parent {
            Some(parent) => self.run(&["read-tree", parent], &[], &index)?,
            None => self.run(&["read-tree", "--empty"], &[], &index)?,
        };
        let mut lines = Vec::new();
        for (path, file) in changes {
            // Git leaves out what it does not take, and says nothing.
            if path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
                return Err(format!("`{path}` cannot be a path"));
            }
            let before = parent.and_then(|parent| self.entry(parent, path)).map(|entry| entry.mode);
            let kept = before.filter(|mode| mode == "100755").unwrap_or_else(|| "100644".to_owned());
            let (mode, sha) = match file {
                File::Text(text) => (kept.as_str(), self.write(text.as_bytes())?),
                File::Bytes(bytes) => (kept.as_str(), self.write(bytes)?),
                File::Executable(text) => ("100755", self.write(text.as_bytes())?),
                File::Link(target) => ("120000", self.write(target.as_bytes())?),
                File::Submodule(sha) => ("160000", (*sha).to_owned()),
                File::Gone => ("0", NOTHING.to_owned()),
            };
            lines.extend_from_slice(format!("{mode} {sha}\t{path}\0").as_bytes());
        }
        self.run(&["update-index", "--replace", "-z", "--index-info"], &lines, &index)?;
        let tree = text(&self.run(&["write-tree"], &[], &index)?);
        self.commit_tree(&tree, parent.as_slice(), message, by)
    }

    /// A commit of a tree that is there; the author first, then the committer.
    pub fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
        [author, committer]: [&Signature; 2],
    ) -> Result<String, String> {
        let (then, now) = (format!("{} +0000", author.seconds), format!("{} +0000", committer.seconds));
        let identity = [
            ("GIT_AUTHOR_NAME", author.name.as_str()),
            ("GIT_AUTHOR_EMAIL", author.email.as_str()),
            ("GIT_AUTHOR_DATE", then.as_str()),
            ("GIT_COMMITTER_NAME", committer.name.as_str()),
            ("GIT_COMMITTER_EMAIL", committer.email.as_str()),
            ("GIT_COMMITTER_DATE", now.as_str()),
        ];
        let mut args = vec!["commit-tree", tree];
        args.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        self.run(&args, message.as_bytes(), &identity).map(|bytes| text(&bytes))
    }

    fn write(&self, bytes: &[u8]) -> Result<String, String> {
        self.run(&["hash-object", "-w", "--stdin"], bytes, &[]).map(|bytes| text(&bytes))
    }

    fn list(&self, args: &[&str]) -> Vec<Entry> {
        let listed = self.run(args, &[], &[]).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let listed = listed.unwrap_or_default();
        let entry = |line: &str| {
            let (about, path) = line.split_once('\t')?;
            let mut words = about.split_whitespace().map(str::to_owned);
            let (mode, kind, sha, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            Some(Entry { mode, kind, sha, size: size.parse().unwrap_or_default(), name })
        };
        listed.split('\0').filter_map(entry).collect()
    }

    /// Runs git; its output without the last newline, None when it fails.
    pub fn git(&self, args: &[&str]) -> Option<String> {
        self.run(args, &[], &[]).ok().map(|bytes| text(&bytes))
    }

    fn must(&self, args: &[&str]) -> String {
        text(&self.run(args, &[], &[]).unwrap_or_else(|fault| panic!("{fault}")))
    }

    fn run(&self, args: &[&str], input: &[u8], more: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("git");
        command.current_dir(&self.directory).args(["-c", "safe.directory=*"]).args(args);
        for variable in ["GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(variable);
        }
        command.env("GIT_DIR", &self.directory).env("GIT_LITERAL_PATHSPECS", "1");
        // Without the machine's configuration.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        command.env("LC_ALL", "C").envs(more.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|fault| format!("starting {command:?}: {fault}"))?;
        // None of these commands answers before it has read everything; one that reads nothing closes its end.
        child.stdin.take().map(|mut stdin| stdin.write_all(input)).transpose().ok();
        let output = child.wait_with_output().map_err(|fault| format!("{command:?}: {fault}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned()
}
