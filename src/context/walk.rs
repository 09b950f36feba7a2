//! The ordered walk over a context: what is sent, in the order in which fsutil's receiver wants it.
//!
//! Entries of a directory come in byte order, a directory before its children. Patterns include and exclude as in fsutil's
//! `FilterFS`: directories in which nothing can match are not entered, and a directory that is itself left out is still sent, late,
//! when something below it is kept. What the patterns leave out may be unreadable; what they keep may not. Names are bytes: what
//! is no UTF-8 is announced as it is, which BuildKit's own daemon takes although the protocol's definition says text.
//!
//! Memory is one listing per open directory and one line per file with several names; the tree is never held.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat, fstat};
use rustix::io::Errno;

use super::Filter;
use super::carriers::Carriers;
use super::entry::{self, Entry, XattrReader};
use super::follow;
use super::git_directory::{Carrier, GitDirectory};
use super::ignore::{Inherited, PatternError, PatternList};
use super::path_text::{as_matched, text_of};
use super::root::{self, Kind, Listing, Root};

pub use super::error::WalkError;

/// A filter made ready for one context.
#[derive(Debug, Clone)]
pub struct Selection {
    include: PatternList,
    exclude: PatternList,
    /// No wildcard in what is included, so a directory that no pattern leads into can be skipped.
    prune_by_include: bool,
    /// The same for what `!` takes back.
    prune_by_exclude: bool,
}

impl Selection {
    /// Compiles the patterns and follows the links among the paths that are asked for.
    pub fn new(root: &Root, filter: &Filter) -> Result<Self, WalkError> {
        let mut include = filter.include.clone();
        if !filter.follow.is_empty()
            && let Some(targets) = follow::follow(root, &filter.follow)?
        {
            include.extend(targets);
            include = follow::without_nested(include).unwrap_or_default();
        }
        let include = PatternList::new(&include)?;
        let exclude = PatternList::new(&filter.exclude)?;
        let fixed = |list: &PatternList, negated: bool| {
            list.patterns().iter().all(|pattern| pattern.is_negated() != negated || !pattern.fixed_part().1)
        };
        Ok(Self {
            prune_by_include: fixed(&include, false),
            prune_by_exclude: fixed(&exclude, true),
            include,
            exclude,
        })
    }

    /// Whether the path is sent, and otherwise whether a directory of this name need not be entered.
    fn judge(
        &self,
        path: &str,
        is_directory: bool,
        above: &Judged,
        found: &mut Judged,
    ) -> Result<Verdict, PatternError> {
        let mut kept = true;
        if !self.include.is_empty()
            && !self.include.matches_below(path, &above.include, &mut found.include)?
        {
            if is_directory && self.prune_by_include && !leads_into(&self.include, false, path) {
                return Ok(Verdict::Prune);
            }
            kept = false;
        }
        if !self.exclude.is_empty() && self.exclude.matches_below(path, &above.exclude, &mut found.exclude)? {
            if is_directory && self.prune_by_exclude && !leads_into(&self.exclude, true, path) {
                return Ok(Verdict::Prune);
            }
            kept = false;
        }
        Ok(if kept { Verdict::Keep } else { Verdict::Skip })
    }
}

/// Whether one of the (un)negated patterns names something below this directory.
fn leads_into(list: &PatternList, negated: bool, directory: &str) -> bool {
    list.patterns().iter().filter(|pattern| pattern.is_negated() == negated).any(|pattern| {
        let fixed = pattern.fixed_part().0;
        fixed == directory || fixed.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    Skip,
    Prune,
}

/// What a directory hands down to its children.
#[derive(Debug, Clone, Default)]
struct Judged {
    include: Inherited,
    exclude: Inherited,
}

/// A directory that is being walked.
struct Level {
    directory: OwnedFd,
    listing: Listing,
    next: usize,
    /// Length of the directory's own path in the walker's buffers.
    path_length: usize,
    judged: Judged,
    /// What to send when the first child is kept; nothing once it was.
    unsent: Option<Stat>,
    git: GitDirectory,
}

/// Calls `visit` for every entry that the selection keeps. Stops early, without an error, when it breaks.
pub fn walk(
    root: &Root,
    selection: &Selection,
    visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
) -> Result<(), WalkError> {
    let mut walker = Walker {
        selection,
        visit,
        path: Vec::new(),
        absolute: root.path().as_os_str().as_bytes().to_vec(),
        first_names: HashMap::new(),
        carriers: Carriers::around(root.path()),
        xattrs: XattrReader::default(),
        attributes: Vec::new(),
        scratch: Vec::new(),
        judged: Judged::default(),
    };
    walker.absolute.push(b'/');
    let top = root.open_directory(".").map_err(|fault| WalkError::unreadable(".", fault))?;
    let listing = walker.list(&top)?;
    let git = GitDirectory::of(root.path()).enter(b"", &listing);
    let mut levels = vec![Level {
        directory: top,
        listing,
        next: 0,
        path_length: 0,
        judged: Judged::default(),
        unsent: None,
        git,
    }];
    while !levels.is_empty() {
        if walker.step(&mut levels)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The name by which a file of several was announced, and whether it was as one that can hold credentials.
type FirstName = (Box<[u8]>, bool);

struct Walker<'a> {
    selection: &'a Selection,
    visit: &'a mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    /// Path of the current entry, relative to the context, as the system has it.
    path: Vec<u8>,
    /// The context's own path and a slash, for the calls that have no relative form.
    absolute: Vec<u8>,
    /// First name sent of every file that has several.
    first_names: HashMap<(u64, u64), FirstName>,
    carriers: Carriers,
    xattrs: XattrReader,
    attributes: Vec<(String, Vec<u8>)>,
    scratch: Vec<u8>,
    judged: Judged,
}

impl Walker<'_> {
    /// Handles the next entry of the innermost directory, or leaves it.
    fn step(&mut self, levels: &mut Vec<Level>) -> Result<ControlFlow<()>, WalkError> {
        let Some(level) = levels.last_mut() else { return Ok(ControlFlow::Break(())) };
        self.path.truncate(level.path_length);
        let Some((name, kind)) = level.listing.get(level.next) else {
            levels.pop();
            return Ok(ControlFlow::Continue(()));
        };
        level.next += 1;
        if level.path_length > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);

        let mut stat = None;
        let is_directory = match kind {
            Kind::Directory => true,
            Kind::Other => false,
            Kind::Unknown => {
                let Some(found) = self.stat(&level.directory, name)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                stat = Some(found);
                FileType::from_raw_mode(found.st_mode) == FileType::Directory
            }
        };
        let mut judged = std::mem::take(&mut self.judged);
        let verdict = {
            let path = as_matched(&self.path);
            self.selection.judge(&path, is_directory, &level.judged, &mut judged)?
        };
        if !is_directory || verdict == Verdict::Prune {
            // A file hands nothing down: its lists serve the next entry.
            self.judged = std::mem::take(&mut judged);
        }
        if verdict == Verdict::Prune || (verdict == Verdict::Skip && !is_directory) {
            return Ok(ControlFlow::Continue(()));
        }
        if !is_directory {
            let stat = match stat {
                Some(stat) => stat,
                None => match self.stat(&level.directory, name)? {
                    Some(stat) => stat,
                    None => return Ok(ControlFlow::Continue(())),
                },
            };
            // It was no directory a moment ago.
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                return Err(self.unreadable(Errno::AGAIN));
            }
            if self.send_directories(levels)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            return match levels.last() {
                Some(level) => self.send_file(level, &stat),
                None => Ok(ControlFlow::Break(())),
            };
        }

        let directory = match root::open_child(&level.directory, name) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(ControlFlow::Continue(())),
            Err(Errno::ACCESS) if verdict == Verdict::Skip => return Ok(ControlFlow::Continue(())),
            Err(fault) => return Err(self.unreadable(fault)),
        };
        let stat = fstat(&directory).map_err(|fault| self.unreadable(fault))?;
        let listing = self.list(&directory)?;
        let git = level.git.enter(name, &listing);
        if listing.contains(b".git") {
            self.enter_repository()?;
        }
        levels.push(Level {
            directory,
            listing,
            next: 0,
            path_length: self.path.len(),
            judged,
            unsent: Some(stat),
            git,
        });
        if verdict == Verdict::Keep { self.send_directories(levels) } else { Ok(ControlFlow::Continue(())) }
    }

    /// Sends the directories that lead to the current entry, as far as that was not done.
    fn send_directories(&mut self, levels: &mut [Level]) -> Result<ControlFlow<()>, WalkError> {
        for level in levels.iter_mut() {
            if let Some(stat) = level.unsent.take()
                && self.send(level.path_length, &stat, b"", None)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn send_file(&mut self, level: &Level, stat: &Stat) -> Result<ControlFlow<()>, WalkError> {
        let name = self.path.rsplit(|&byte| byte == b'/').next().unwrap_or(&self.path);
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Symlink {
            let target = match root::link_target(&level.directory, name) {
                Ok(target) => target,
                Err(Errno::NOENT) => return Ok(ControlFlow::Continue(())),
                Err(fault) => return Err(self.unreadable(fault)),
            };
            return self.send(self.path.len(), stat, target.as_bytes(), None);
        }
        let mut carrier = None;
        if kind == FileType::RegularFile {
            carrier = level.git.carrier(name).or_else(|| self.carriers.of(stat));
        }
        if stat.st_nlink > 1 {
            let file = (stat.st_dev, stat.st_ino);
            if let Some((first, _)) = self.first_names.get(&file).cloned() {
                return self.send(self.path.len(), stat, &first, None);
            }
            self.first_names.insert(file, (self.path.as_slice().into(), carrier.is_some()));
        }
        self.send(self.path.len(), stat, b"", carrier)
    }

    /// Takes notice of the repository whose working tree is the current directory. What was announced before cannot be blanked.
    fn enter_repository(&mut self) -> Result<(), WalkError> {
        let prefix = self.absolute.len();
        self.absolute.extend_from_slice(&self.path);
        self.carriers.enter(Path::new(OsStr::from_bytes(&self.absolute)));
        self.absolute.truncate(prefix);
        let mut plain =
            self.first_names.iter().filter(|(_, (_, carrier))| !carrier).map(|(file, _)| file).peekable();
        if plain.peek().is_some()
            && let Some(found) = self.carriers.any_of(plain)
            && let Some((path, _)) = self.first_names.get(&found)
        {
            return Err(WalkError::OtherName { path: text_of(path), repository: text_of(&self.path) });
        }
        Ok(())
    }

    /// Hands one entry over: the first `length` bytes of the current path.
    fn send(
        &mut self,
        length: usize,
        stat: &Stat,
        link: &[u8],
        carrier: Option<Carrier>,
    ) -> Result<ControlFlow<()>, WalkError> {
        let path = &self.path[..length];
        let prefix = self.absolute.len();
        self.absolute.extend_from_slice(path);
        let read = self.xattrs.read(&self.absolute, stat.st_dev, &mut self.attributes);
        self.absolute.truncate(prefix);
        read.map_err(|fault| WalkError::unreadable(&text_of(path), fault))?;
        let mode = entry::go_mode(stat.st_mode);
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        Ok((self.visit)(&Entry {
            path,
            mode,
            size: if is_directory { 0 } else { entry::size(stat) },
            mtime: entry::mtime(stat),
            link,
            device_major: rustix::fs::major(stat.st_rdev),
            device_minor: rustix::fs::minor(stat.st_rdev),
            xattrs: &self.attributes,
            carrier,
        }))
    }

    /// `lstat`; nothing when the file is gone, which is as if it had been deleted before the walk.
    fn stat(&self, directory: &OwnedFd, name: &[u8]) -> Result<Option<Stat>, WalkError> {
        match root::lstat(directory, name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(fault) => Err(self.unreadable(fault)),
        }
    }

    fn list(&mut self, directory: &OwnedFd) -> Result<Listing, WalkError> {
        Listing::read(directory, &mut self.scratch).map_err(|fault| self.unreadable(fault))
    }

    fn unreadable(&self, fault: Errno) -> WalkError {
        WalkError::unreadable(&text_of(&self.path), fault)
    }
}
