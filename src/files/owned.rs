//! Files and directories that belong to the owner of the directory that they are made in: what a container writes as root, the
//! runner's next steps must be able to remove. Nothing is made through a link below the directory that is opened first.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chownat, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use crate::context::root::Root;

/// Makes an empty file for reading and writing, also where one was left.
pub fn create(directory: &OwnedFd, name: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    let name = name.as_ref();
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::from_raw_mode(0o644))?;
    give_to_owner(directory, name);
    Ok(file)
}

/// Makes a directory, with those above it.
pub fn make(directory: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found.map(|_| ()),
    }
    let (Some(above), Some(name)) = (directory.parent(), directory.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    make(above)?;
    let above = Root::open(above)?.open_directory(".")?;
    make_below(&above, name).map(|_| ())
}

/// Opens a directory in an open one, and makes it if it is not there.
pub fn make_below(above: &OwnedFd, name: impl AsRef<OsStr>) -> io::Result<OwnedFd> {
    let name = name.as_ref();
    match mkdirat(above, name, Mode::from_raw_mode(0o755)) {
        Ok(()) => give_to_owner(above, name),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(above, name, flags, Mode::empty())?)
}

/// Removes a file from an open directory.
pub fn remove(directory: &OwnedFd, name: &[u8]) -> io::Result<()> {
    Ok(unlinkat(directory, OsStr::from_bytes(name), AtFlags::empty())?)
}

/// Only root may give files away; anybody else owns the directory already.
pub fn give_to_owner(directory: &OwnedFd, name: &OsStr) {
    if let Ok(owner) = fstat(directory.as_fd()) {
        let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
        let _ = chownat(directory, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_with_those_above() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b/c");
        make(&deep).unwrap();
        make(&deep).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn what_is_made_belongs_to_the_owner_of_what_is_around() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let _ = std::os::unix::fs::chown(directory.path(), Some(1001), Some(127));
        let owner = std::fs::metadata(directory.path()).unwrap();
        make(&directory.path().join("a/b")).unwrap();
        let open = Root::open(&directory.path().join("a/b")).unwrap().open_directory(".").unwrap();
        create(&open, "c").unwrap();
        for name in ["a", "a/b", "a/b/c"] {
            let found = std::fs::metadata(directory.path().join(name)).unwrap();
            assert_eq!((found.uid(), found.gid()), (owner.uid(), owner.gid()), "{name}");
        }
    }
}
