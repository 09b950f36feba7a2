//! Whether a repository can be read at all: a pipe, a socket or a device in the place of one of its files could block for ever.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The most that a file may hold that names directories, in bytes.
const LONGEST_POINTER: u64 = 64 * 1024;

/// The file that blocks whoever reads it, if there is one among those that gix may open: those of the Git directory itself, its
/// references and objects, and the same where the repository says that it keeps some of them elsewhere.
pub(super) fn special_file(git: &Path) -> Option<PathBuf> {
    let mut search = Search { seen: HashSet::new(), below: Vec::new() };
    if let Some(found) = search.files_of(git) {
        return Some(found);
    }
    let common = pointed(git, &git.join("commondir"));
    if let Some(found) = common.iter().find_map(|common| search.files_of(common)) {
        return Some(found);
    }
    search.everything_below()
}

struct Search {
    /// Directories without links in their names: a link may lead back.
    seen: HashSet<PathBuf>,
    /// Directories of which everything is to be looked at.
    below: Vec<PathBuf>,
}

impl Search {
    /// The files of a Git directory, not of the directories in it.
    fn files_of(&mut self, git: &Path) -> Option<PathBuf> {
        self.below.extend(["refs", "objects", "info", "reftable"].map(|name| git.join(name)));
        let entries = fs::read_dir(git).ok()?.flatten();
        entries.into_iter().find(|entry| kind(entry) == Kind::Special).map(|entry| entry.path())
    }

    fn everything_below(&mut self) -> Option<PathBuf> {
        while let Some(directory) = self.below.pop() {
            let Ok(real) = directory.canonicalize() else { continue };
            if !self.seen.insert(real) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                match kind(&entry) {
                    Kind::Special => return Some(entry.path()),
                    Kind::Directory => self.below.push(entry.path()),
                    Kind::File if entry.file_name() == "alternates" => {
                        let objects = directory.parent().unwrap_or(&directory);
                        self.below.extend(pointed(objects, &entry.path()));
                    }
                    Kind::File => {}
                }
            }
        }
        None
    }
}

#[derive(PartialEq)]
enum Kind {
    Directory,
    File,
    Special,
}

/// What an entry is, or what it leads to; what cannot be told is left to whoever opens it, who will not be able to either.
fn kind(entry: &fs::DirEntry) -> Kind {
    let found = match entry.file_type() {
        Ok(found) if found.is_symlink() => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
        found => found,
    };
    match found {
        Ok(found) if found.is_dir() => Kind::Directory,
        Ok(found) if !found.is_file() => Kind::Special,
        _ => Kind::File,
    }
}

/// The directories that the lines of a file name, from `start`. The file is known to be none that blocks.
fn pointed(start: &Path, file: &Path) -> Vec<PathBuf> {
    let small =
        fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LONGEST_POINTER);
    let content = if small { fs::read(file).unwrap_or_default() } else { Vec::new() };
    let lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(|line| start.join(OsStr::from_bytes(line))).collect()
}

/// The directory that a `.git` file names (`gitdir: …`); the path itself if it is a directory.
pub(super) fn git_directory(dot_git: &Path) -> PathBuf {
    if dot_git.is_dir() {
        return dot_git.to_owned();
    }
    let content = fs::read(dot_git).unwrap_or_default();
    let named = content.strip_prefix(b"gitdir:").map(<[u8]>::trim_ascii).unwrap_or_default();
    dot_git.parent().unwrap_or(dot_git).join(OsStr::from_bytes(named))
}
