//! The directory that a context lives in, and the only way to the files below it.
//!
//! Everything is opened relative to a descriptor of that directory and without following a link on the way: the kernel refuses a
//! path that leaves it, also when somebody swaps a directory for a link at the wrong moment. Kernels and sandboxes without
//! `openat2` get the same, one directory at a time.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, ResolveFlags, Stat, openat, openat2, readlinkat, statat};
use rustix::io::Errno;

/// What a directory says an entry is; [`Kind::Unknown`] where the file system does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything that is no directory.
    Other,
    /// Only `lstat` can tell.
    Unknown,
}

/// An open context directory.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    path: PathBuf,
    beneath: AtomicBool,
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

impl Root {
    /// Opens the directory. A link to one is followed here and nowhere below.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(rustix::fs::CWD, path, flags, Mode::empty())?;
        Ok(Self { directory, path: path.to_owned(), beneath: AtomicBool::new(true) })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file for reading; a fifo does not block.
    pub fn open_file(&self, relative: impl AsRef<[u8]>) -> Result<OwnedFd, Errno> {
        self.open_below(relative.as_ref(), READ | OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    /// Opens a directory; `.` is the context itself.
    pub fn open_directory(&self, relative: &str) -> Result<OwnedFd, Errno> {
        self.open_below(relative.as_bytes(), READ | OFlags::DIRECTORY)
    }

    fn open_below(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.beneath.load(Ordering::Relaxed) {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(&self.directory, OsStr::from_bytes(relative), flags, Mode::empty(), resolve) {
                // A sandbox that does not know the call says EPERM; a file never does for reading it.
                Err(Errno::NOSYS | Errno::PERM) => self.beneath.store(false, Ordering::Relaxed),
                answer => return answer,
            }
        }
        self.open_stepwise(relative, flags)
    }

    /// [`Self::open_below`] for systems without `openat2`.
    fn open_stepwise(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut above: Option<OwnedFd> = None;
        let mut elements = relative.split(|&byte| byte == b'/').peekable();
        while let Some(element) = elements.next() {
            if element == b".." {
                return Err(Errno::XDEV);
            }
            let flags = if elements.peek().is_some() { READ | OFlags::DIRECTORY } else { flags };
            let from: BorrowedFd<'_> = above.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
            above = Some(openat(from, OsStr::from_bytes(element), flags, Mode::empty())?);
        }
        above.ok_or(Errno::NOENT)
    }

    /// The target of the link at `relative`; nothing when there is no link.
    pub fn read_link(&self, relative: &str) -> Result<Option<Vec<u8>>, Errno> {
        let (parent, name) = relative.rsplit_once('/').unwrap_or((".", relative));
        let parent = match self.open_directory(parent) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        match readlinkat(&parent, name, Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// The entries of one directory, sorted by name as bytes.
///
/// Names lie end to end in one buffer: a directory of 200,000 files costs megabytes, not an allocation for each.
#[derive(Debug, Default)]
pub struct Listing {
    names: Vec<u8>,
    /// Start and length of a name, what it is.
    entries: Vec<(u32, u16, Kind)>,
}

impl Listing {
    /// Reads a directory, without `.` and `..`. `scratch` is used for the kernel's answers and left as it was.
    pub fn read(directory: &OwnedFd, scratch: &mut Vec<u8>) -> Result<Self, Errno> {
        scratch.clear();
        scratch.reserve(32 * 1024);
        let mut listing = Self::default();
        let mut raw = RawDir::new(directory, scratch.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                rustix::fs::FileType::Directory => Kind::Directory,
                rustix::fs::FileType::Unknown => Kind::Unknown,
                _ => Kind::Other,
            };
            let start = u32::try_from(listing.names.len()).map_err(|_| Errno::FBIG)?;
            let length = u16::try_from(name.len()).map_err(|_| Errno::NAMETOOLONG)?;
            listing.names.extend_from_slice(name);
            listing.entries.push((start, length, kind));
        }
        let Self { names, entries } = &mut listing;
        // A level of the walk lives as long as everything below it.
        names.shrink_to_fit();
        entries.shrink_to_fit();
        entries.sort_unstable_by(|a, b| slice(names, *a).cmp(slice(names, *b)));
        Ok(listing)
    }

    /// The entry at this place of the order.
    pub fn get(&self, at: usize) -> Option<(&[u8], Kind)> {
        self.entries.get(at).map(|&entry| (slice(&self.names, entry), entry.2))
    }

    /// Whether there is an entry of this name.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.entries.binary_search_by(|&entry| slice(&self.names, entry).cmp(name)).is_ok()
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|&entry| slice(&self.names, entry))
    }
}

fn slice(names: &[u8], (start, length, _): (u32, u16, Kind)) -> &[u8] {
    &names[start as usize..start as usize + usize::from(length)]
}

/// `lstat` of a name in an open directory.
pub fn lstat(directory: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
    statat(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)
}

/// Opens a directory by its name in an open one.
pub fn open_child(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(directory, OsStr::from_bytes(name), READ | OFlags::DIRECTORY, Mode::empty())
}

/// The target of a link in an open directory.
pub fn link_target(directory: &OwnedFd, name: &[u8]) -> Result<CString, Errno> {
    readlinkat(directory, OsStr::from_bytes(name), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_way_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("context");
        fs::create_dir_all(inside.join("sub")).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        fs::write(inside.join("sub/file"), "f").unwrap();
        symlink("../secret", inside.join("link")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        let root = Root::open(&inside).unwrap();
        for beneath in [true, false] {
            root.beneath.store(beneath, Ordering::Relaxed);
            assert!(root.open_file("sub/file").is_ok(), "{beneath}");
            for out in ["../secret", "link", "up/secret", "sub/../../secret"] {
                assert!(root.open_file(out).is_err(), "{out} {beneath}");
            }
            assert!(root.open_directory("up").is_err(), "{beneath}");
            assert_eq!(root.read_link("link"), Ok(Some(b"../secret".to_vec())));
            assert_eq!(root.read_link("sub/none"), Ok(None));
            assert_eq!(root.read_link("sub"), Ok(None));
        }
    }

    #[test]
    fn listings_are_sorted_by_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a.b", "a", "a-b", "ä", "B"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let root = Root::open(dir.path()).unwrap();
        let listing = Listing::read(&root.open_directory(".").unwrap(), &mut Vec::new()).unwrap();
        let names: Vec<_> = listing.names().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["B", "a", "a-b", "a.b", "b", "ä"]);
        assert!(listing.contains(b"a-b") && !listing.contains(b"a-"));
    }
}
