//! What a file or a directory is called while it is on its way, and who is at it.
//!
//! That is whoever holds a lock on it (flock(2)), which the kernel lets go with the process, whatever ended it and in whatever
//! container it was.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstat, openat, statat};

use crate::context::root::Root;

/// What ends the name of what is on its way.
const ENDING: &str = ".partial";

/// The name of something on its way to this one; `id` tells it from what others have on theirs.
pub(super) fn name(name: &OsStr, id: &str) -> OsString {
    let mut for_now = OsString::from(".");
    for_now.push(name);
    for_now.push(format!(".{id}{ENDING}"));
    for_now
}

/// The directory in which something is on its way to this path: the nearest that is there.
pub(super) fn around(above: &Path) -> io::Result<OwnedFd> {
    let there = above.ancestors().find(|one| std::fs::symlink_metadata(one).is_ok());
    Ok(Root::open(there.unwrap_or(above))?.open_directory(".")?)
}

/// Holds what was made under this name, as long as `made` is open; `false` if somebody took it for left meanwhile. Where the file
/// system knows no locks, nothing is ever taken for left.
pub(super) fn hold(made: impl AsFd, directory: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    if flock(&made, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(true);
    }
    let mine = fstat(&made)?;
    let named = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    Ok(named.is_ok_and(|named| (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)))
}

/// Whether this is such a name for the other: with an id as runs have them, 32 hexadecimal digits.
pub(super) fn is_name(found: &OsStr, name: &OsStr) -> bool {
    let id = || {
        let rest = found.as_encoded_bytes().strip_prefix(b".")?.strip_prefix(name.as_encoded_bytes())?;
        rest.strip_prefix(b".")?.strip_suffix(ENDING.as_bytes())
    };
    id().is_some_and(|id| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit))
}

/// Whether nobody is at what has this name.
pub(super) fn is_left(directory: &OwnedFd, name: &OsStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(directory, name, flags, Mode::empty());
    opened.is_ok_and(|opened| flock(opened, FlockOperation::NonBlockingLockExclusive).is_ok())
}
