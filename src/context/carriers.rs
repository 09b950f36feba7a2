//! Files outside of a Git directory that are a part of one all the same: other names of its files (hard links), and the files
//! that its configuration includes.
//!
//! They are known by device and inode, so that no name and no link hides them. Looked at are the repositories in which the context
//! lies and those that a walk comes by: of all, what they include; once a walk has met a file with several names, the files that
//! can hold credentials. Only names, metadata and configuration are read, of the latter no more than the paths that it includes;
//! none of it is sent from here.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::git_config::included;
use super::git_directory::{Carrier, GitDirectory};
use super::root::{Kind, Listing, Root, lstat, open_child};

/// Git stops at this depth of includes.
const DEEPEST_INCLUDE: usize = 10;

/// The most that a `.git` file or a `commondir` file may hold, in bytes.
const LONGEST_POINTER: u64 = 64 * 1024;

/// Directories of a Git directory that hold no credentials and may hold very much.
const BULK: [&[u8]; 5] = [b"objects", b"refs", b"hooks", b"lfs", b"annex"];

/// The files that are known, by device and inode, to be parts of a Git directory.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    found: HashMap<(u64, u64), Carrier>,
    /// Git directories that were not yet searched for files with several names.
    unsearched: Vec<PathBuf>,
    known: HashSet<PathBuf>,
}

impl Carriers {
    /// Takes notice of the repositories around a directory, its own included.
    pub(super) fn around(directory: &Path) -> Self {
        let mut carriers = Self::default();
        for worktree in directory.ancestors() {
            carriers.enter(worktree);
        }
        carriers
    }

    /// Takes notice of the repository whose working tree this is, if it is one.
    pub(super) fn enter(&mut self, worktree: &Path) {
        let dot_git = worktree.join(".git");
        let Ok(metadata) = dot_git.metadata() else { return };
        let git = if metadata.is_dir() {
            dot_git
        } else {
            let Some(pointer) = read(&dot_git, LONGEST_POINTER) else { return };
            let Some(path) = pointer.strip_prefix(b"gitdir:") else { return };
            worktree.join(path_of(path))
        };
        let common = read(&git.join("commondir"), LONGEST_POINTER).map(|path| git.join(path_of(&path)));
        for directory in [Some(git), common].into_iter().flatten() {
            if self.known.insert(directory.clone()) {
                for config in ["config", "config.worktree"] {
                    self.include(worktree, &directory.join(config), 0);
                }
                self.unsearched.push(directory);
            }
        }
    }

    /// Takes notice of what a configuration file includes, and of what that includes in turn.
    fn include(&mut self, worktree: &Path, config: &Path, depth: usize) {
        let Some(content) = read(config, Carrier::Config.largest()) else { return };
        for text in included(&content) {
            let path = config.parent().unwrap_or(worktree).join(path_of(&text));
            // The name that the runner's host has for a file of the workspace does not exist in a container.
            let places = [Some(path.clone()), in_workspace(&path).map(|rest| worktree.join(rest))];
            let Some((place, metadata)) = places
                .into_iter()
                .flatten()
                .find_map(|place| place.metadata().ok().map(|found| (place, found)))
            else {
                continue;
            };
            let id = (metadata.dev(), metadata.ino());
            if metadata.is_file()
                && self.found.insert(id, Carrier::Config).is_none()
                && depth < DEEPEST_INCLUDE
            {
                self.include(worktree, &place, depth + 1);
            }
        }
    }

    /// How a regular file can hold credentials because it is a part of a Git directory, whatever it is called here; nothing
    /// when it is none.
    pub(super) fn of(&mut self, stat: &Stat) -> Option<Carrier> {
        if stat.st_nlink > 1 {
            self.search();
        }
        if self.found.is_empty() { None } else { self.found.get(&(stat.st_dev, stat.st_ino)).copied() }
    }

    /// The first of these files, which are given by device and inode, that turned out to be able to hold credentials.
    pub(super) fn any_of<'a>(
        &mut self,
        mut files: impl Iterator<Item = &'a (u64, u64)>,
    ) -> Option<(u64, u64)> {
        self.search();
        files.find(|id| self.found.contains_key(id)).copied()
    }

    /// Finds the files with several names in the Git directories that were not yet searched.
    fn search(&mut self) {
        while let Some(directory) = self.unsearched.pop() {
            let Ok(root) = Root::open(&directory) else { continue };
            let Ok(top) = root.open_directory(".") else { continue };
            let at = GitDirectory::of(Path::new(".git"));
            let mut levels = vec![(top, at)];
            while let Some((directory, at)) = levels.pop() {
                let Ok(listing) = Listing::read(&directory, &mut Vec::new()) else { continue };
                for place in 0.. {
                    let Some((name, kind)) = listing.get(place) else { break };
                    if BULK.contains(&name) {
                        continue;
                    }
                    if kind != Kind::Other
                        && let Ok(child) = open_child(&directory, name)
                    {
                        levels.push((child, at.enter(name, &Listing::default())));
                        continue;
                    }
                    let Some(carrier) = at.carrier(name) else { continue };
                    if let Ok(stat) = lstat(&directory, name)
                        && stat.st_nlink > 1
                        && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    {
                        self.found.insert((stat.st_dev, stat.st_ino), carrier);
                    }
                }
            }
        }
    }
}

/// The content of a regular file of at most `most` bytes; whatever else is there is not waited for.
fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > most {
        return None;
    }
    let mut content = Vec::new();
    file.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}

/// The path that a line of Git's own files holds.
fn path_of(text: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(text.trim_ascii()))
}

/// What follows the workspace's name in a path of the runner's host, which ends with the repository's name twice.
fn in_workspace(path: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = path.components().collect();
    let twice = parts.windows(2).position(|two| two[0] == two[1])?;
    path.is_absolute().then(|| parts[twice + 2..].iter().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::ops::ControlFlow;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, mknodat};

    use super::super::path_text::text_of;
    use super::super::walk::{Selection, WalkError, walk};
    use super::super::{Filter, entry::Entry};
    use super::*;

    /// What is announced as able to hold credentials.
    fn carriers(context: &Path, exclude: &[&str]) -> Result<Vec<(String, Carrier)>, WalkError> {
        let root = Root::open(context).unwrap();
        let exclude = exclude.iter().map(|&text| text.to_owned()).collect();
        let selection = Selection::new(&root, &Filter { exclude, ..Filter::default() }).unwrap();
        let mut found = Vec::new();
        walk(&root, &selection, &mut |entry: &Entry<'_>| {
            found.extend(entry.carrier.map(|carrier| (text_of(entry.path), carrier)));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn write(directory: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn named(found: &[(String, Carrier)]) -> Vec<&str> {
        found.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn a_second_name_hides_no_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ".git/config",
            ".git/logs/HEAD",
            ".git/modules/lib/config",
            "app/main",
            "app/lib/.git",
            "app/other",
            "plain",
        ];
        write(dir.path(), &files.map(|name| (name, "")));
        fs::write(dir.path().join("app/lib/.git"), "gitdir: ../../.git/modules/lib\n").unwrap();
        let link = |from: &str, to: &str| fs::hard_link(dir.path().join(from), dir.path().join(to)).unwrap();
        link(".git/config", ".copy");
        link(".git/config", "app/settings");
        link(".git/logs/HEAD", "log");
        link(".git/modules/lib/config", "app/lib/settings");
        link("plain", "plain-too");
        let found = carriers(dir.path(), &[".git"]).unwrap();
        // The second name of a file that was sent is told by the first.
        let expected =
            [(".copy", Carrier::Config), ("app/lib/settings", Carrier::Config), ("log", Carrier::Lines)];
        assert_eq!(found, expected.map(|(path, carrier)| (path.to_owned(), carrier)));
        // A context below the repository.
        assert_eq!(named(&carriers(&dir.path().join("app"), &[]).unwrap()), ["lib/settings", "settings"]);
        assert_eq!(named(&carriers(&dir.path().join("app/lib"), &[]).unwrap()), ["settings"]);
    }

    #[test]
    fn a_name_that_was_sent_before_its_repository_was_found_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("z/.git/config", ""), ("b", "")]);
        fs::hard_link(dir.path().join("b"), dir.path().join("c")).unwrap();
        assert_eq!(named(&carriers(dir.path(), &[]).unwrap()), ["z/.git/config"]);
        fs::hard_link(dir.path().join("z/.git/config"), dir.path().join("a")).unwrap();
        let fault = carriers(dir.path(), &[]).unwrap_err();
        assert_eq!(fault, WalkError::OtherName { path: "a".into(), repository: "z".into() });
    }

    #[test]
    fn included_files_are_a_part_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let absolute = dir.path().join("absolute");
        let text = format!(
            "[include]\n path = ../one\n path = {}\n path = ~/home\n path = gone\n path = ../link\n path = ../fifo\n\
             [includeIf \"gitdir:/x\"]\n path = /home/runner/work/shop/shop/app/two\n",
            absolute.display()
        );
        write(
            dir.path(),
            &[
                (".git/config", &text),
                (".git/config.worktree", "[include] path = ../three"),
                ("one", "[include]\n path = deep/four\n path = one\n"),
                ("deep/four", ""),
                ("three", ""),
                ("absolute", ""),
                ("target", ""),
                ("app/two", ""),
                ("plain", ""),
            ],
        );
        symlink("target", dir.path().join("link")).unwrap();
        mknodat(CWD, dir.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let found = carriers(dir.path(), &[".git"]).unwrap();
        assert_eq!(named(&found), ["absolute", "app/two", "deep/four", "one", "target", "three"]);
        assert_eq!(named(&carriers(&dir.path().join("app"), &[]).unwrap()), ["two"]);
    }

    #[test]
    fn pipes_in_a_git_directory_are_not_waited_for() {
        for name in [".git", ".git/config", ".git/commondir", ".git/logs"] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &[("a", ""), ("x/y", "")]);
            fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            mknodat(CWD, dir.path().join(name), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
            assert_eq!(carriers(dir.path(), &[]), Ok(vec![]), "{name}");
        }
    }
}
