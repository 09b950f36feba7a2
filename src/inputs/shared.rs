//! Files that inputs name: in the workspace or in `RUNNER_TEMP`, the two directories that a container action
//! shares with the other steps of its job.
//!
//! As for the context: links are followed first, then the place is judged, and a name that leads out of both is
//! refused even if the file is there. What is read has a limit.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::fault::{InputFault, shown};
use super::files::{Found, lexical, localised, look};
use crate::runner::context::Paths;

/// Most bytes of a file that holds text: certificates, a `buildkitd.toml`, an OCI layout's index.
pub(super) const TEXT_MAX: usize = 4 * 1024 * 1024;

/// The two directories.
pub(super) struct Shared<'a> {
    paths: &'a Paths,
    /// Where relative names start.
    workspace: PathBuf,
    roots: Vec<PathBuf>,
}

impl<'a> Shared<'a> {
    pub fn new(paths: &'a Paths) -> Self {
        let mut roots: Vec<PathBuf> = Vec::new();
        for root in [&paths.workspace, &paths.temp] {
            // A root of `` or `/` would be everything.
            if root.is_absolute() && root.parent().is_some() {
                roots.extend(fs::canonicalize(root).ok());
                roots.push(root.clone());
            }
        }
        let workspace = fs::canonicalize(&paths.workspace).unwrap_or_else(|_| paths.workspace.clone());
        Self { paths, workspace, roots }
    }

    /// A regular file, without links in its name.
    pub fn file(&self, input: &str, text: &str) -> Result<PathBuf, InputFault> {
        match self.look(text) {
            Found::File(path) => Ok(path),
            Found::Directory(_) => Err(fault(input, text, "is a directory, not a file")),
            Found::Special => Err(fault(input, text, "is no regular file")),
            other => Err(self.missing(input, text, &other)),
        }
    }

    /// The bytes of a file, at most `max`.
    pub fn bytes(&self, input: &str, text: &str, max: usize) -> Result<Vec<u8>, InputFault> {
        let path = self.file(input, text)?;
        let unreadable = |error: std::io::Error| fault(input, text, &format!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
        if bytes.len() > max {
            return Err(fault(input, text, &format!("is larger than {} KiB", max / 1024)));
        }
        Ok(bytes)
    }

    /// The text of a file, at most [`TEXT_MAX`] bytes.
    pub fn text(&self, input: &str, text: &str) -> Result<String, InputFault> {
        let bytes = self.bytes(input, text, TEXT_MAX)?;
        String::from_utf8(bytes).map_err(|_| fault(input, text, "is no UTF-8 text"))
    }

    /// A directory that need not exist yet; what exists of it does not lead out.
    pub fn destination(&self, input: &str, text: &str) -> Result<PathBuf, InputFault> {
        let path = lexical(&self.workspace.join(localised(text, self.paths)));
        let outside = || self.missing(input, text, &Found::Outside);
        if !self.roots.iter().any(|root| path.starts_with(root)) {
            return Err(outside());
        }
        let mut existing = path.as_path();
        while fs::symlink_metadata(existing).is_err() {
            existing = existing.parent().ok_or_else(outside)?;
        }
        match look(existing, &self.roots) {
            Found::Directory(real) => {
                let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
                Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
            }
            Found::File(_) | Found::Special => Err(fault(input, text, "is no directory")),
            other => Err(self.missing(input, text, &other)),
        }
    }

    /// A socket in the two directories, or elsewhere if the workflow names it whole; nothing if none is there. A link
    /// in a checkout must not choose what the build talks to.
    pub fn socket(&self, input: &str, text: &str) -> Result<Option<PathBuf>, InputFault> {
        let path = lexical(&self.localised(text));
        if !fs::metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            return Ok(None);
        }
        let whole = Path::new(text).is_absolute() && !self.roots.iter().any(|root| path.starts_with(root));
        match self.look(text) {
            Found::Special => Ok(Some(path)),
            Found::Outside if whole => Ok(Some(path)),
            other => Err(self.missing(input, text, &other)),
        }
    }

    /// What this process calls a path that the workflow wrote.
    fn localised(&self, text: &str) -> PathBuf {
        self.workspace.join(localised(text, self.paths))
    }

    /// What is there.
    fn look(&self, text: &str) -> Found {
        look(&self.localised(text), &self.roots)
    }

    fn missing(&self, input: &str, text: &str, found: &Found) -> InputFault {
        match found {
            Found::Outside => fault(input, text, "leads out of the workspace and of `RUNNER_TEMP`")
                .hint("a container action sees no other directories of the runner"),
            Found::Unreadable(error) => fault(input, text, &format!("cannot be read: {error}")),
            _ if text.starts_with('~') => fault(input, text, "does not exist")
                .hint("`~` is not replaced; write the path from the workspace"),
            _ => fault(input, text, "does not exist").hint(if self.workspace_is_empty() {
                super::files::CHECK_OUT
            } else {
                "a path from the workspace, or in `${{ runner.temp }}`"
            }),
        }
    }

    fn workspace_is_empty(&self) -> bool {
        super::files::is_empty(&self.workspace)
    }
}

fn fault(input: &str, text: &str, what: &str) -> InputFault {
    InputFault::new(input, format!("`{}` {what}", shown(text)))
}
