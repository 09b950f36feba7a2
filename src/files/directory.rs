//! A directory that gets what somebody hostile has made: built under another name, then put into its place, file by file.
//!
//! Nothing is reached through a link, in what comes and in what is there: a name that leads out, or through a link that came before
//! it, is refused. Devices, fifos and sockets are none of an export's business; setuid, setgid and attributes such as capabilities
//! are not kept. What is there and is not in the export stays; a checkout's Git directory is never written to.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, linkat, mkdirat, openat,
    renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::for_now;
use super::owned::{self, give_to_owner};
use crate::context::root::{Listing, Root};
use crate::model::Cleanup;

/// Directories deeper than this are refused, as each is open while those below are put in place.
const DEEPEST: usize = 128;

/// A directory on its way.
#[derive(Debug)]
pub struct NewDirectory {
    /// The nearest directory to its place that is there, or the place itself.
    around: Arc<OwnedFd>,
    place: PathBuf,
    /// The name until it is put in place.
    for_now: OsString,
    /// Until it is put in place.
    removal: Option<Cleanup>,
    root: OwnedFd,
}

impl NewDirectory {
    /// Begins one for this place; what is there stays there.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn begin(place: &Path, id: &str) -> io::Result<Self> {
        let around = for_now::around(place)?;
        let temporary = for_now::name(place.file_name().unwrap_or_default(), id);
        loop {
            mkdirat(&around, &temporary, Mode::from_raw_mode(0o755))?;
            give_to_owner(&around, &temporary);
            let root = open(&around, &temporary)?;
            if for_now::hold(&root, &around, &temporary)? {
                let around = Arc::new(around);
                let removal = {
                    let (around, temporary) = (Arc::clone(&around), temporary.clone());
                    Some(Cleanup::new(move || {
                        let _ = remove_all(&around, &temporary, 0);
                    }))
                };
                return Ok(Self { around, place: place.to_owned(), for_now: temporary, removal, root });
            }
        }
    }

    /// Makes a directory in it.
    ///
    /// # Errors
    /// The name leads elsewhere, or the disk does not take it.
    pub fn directory(&self, path: &[u8], mode: u32) -> io::Result<()> {
        let (above, name) = self.above(path, false)?;
        let new = owned::make_below(&above, &name)?;
        // Whoever owns it must be able to remove it.
        Ok(fchmod(&new, Mode::from_raw_mode(mode & 0o777 | 0o700))?)
    }

    /// Makes an empty file in it; with the directories above it, if they are to be made.
    ///
    /// # Errors
    /// The name leads elsewhere or is taken, or the disk does not take it.
    pub fn file(&self, path: &[u8], with_directories: bool) -> io::Result<File> {
        let (above, name) = self.above(path, with_directories)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&above, &name, flags, Mode::from_raw_mode(0o600))?;
        give_to_owner(&above, &name);
        Ok(File::from(file))
    }

    /// Gives a file that is whole its mode and its time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn complete(file: &File, mode: u32, time: i64) -> io::Result<()> {
        fchmod(file, Mode::from_raw_mode(mode & 0o777))?;
        let time =
            Timespec { tv_sec: time.div_euclid(1_000_000_000), tv_nsec: time.rem_euclid(1_000_000_000) };
        Ok(futimens(file, &Timestamps { last_access: time, last_modification: time })?)
    }

    /// Makes a link in it, wherever it leads: nobody follows it here.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn link(&self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (above, name) = self.above(path, false)?;
        symlinkat(OsStr::from_bytes(target), &above, &name)?;
        give_to_owner(&above, &name);
        Ok(())
    }

    /// Gives a file in it another name in it.
    ///
    /// # Errors
    /// As [`Self::file`], or it is no file.
    pub fn same_file(&self, path: &[u8], existing: &[u8]) -> io::Result<()> {
        let (from, old) = self.above(existing, false)?;
        if FileType::from_raw_mode(statat(&from, &old, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            != FileType::RegularFile
        {
            return Err(refused(existing, "is not a file that could have another name"));
        }
        let (to, new) = self.above(path, false)?;
        Ok(linkat(&from, &old, &to, &new, AtFlags::empty())?)
    }

    /// Puts all of it into its place.
    ///
    /// # Errors
    /// Something is in the way, or the disk does not take it.
    pub fn finish(mut self) -> io::Result<PathBuf> {
        owned::make(&self.place)?;
        let place = Root::open(&self.place)?.open_directory(".")?;
        merge(&self.root, &place, 0)?;
        unlinkat(&*self.around, &self.for_now, AtFlags::REMOVEDIR)?;
        if let Some(removal) = self.removal.take() {
            removal.forget();
        }
        Ok(self.place.clone())
    }

    /// The open directory that a path is in, and its name there.
    fn above(&self, path: &[u8], make: bool) -> io::Result<(OwnedFd, OsString)> {
        let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let bad = |part: &&[u8]| matches!(*part, b"" | b"." | b"..") || part.contains(&0);
        if parts.iter().any(bad) || parts.len() > DEEPEST {
            return Err(refused(path, "is not a name in a directory"));
        }
        if parts[0] == b".git" {
            return Err(refused(path, "is a Git directory's"));
        }
        let name = OsStr::from_bytes(parts.pop().unwrap_or_default()).to_owned();
        let mut above = self.root.try_clone()?;
        for part in parts {
            let part = OsStr::from_bytes(part);
            above = if make { owned::make_below(&above, part)? } else { open(&above, part)? };
        }
        Ok((above, name))
    }
}

fn open(above: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(above, name, flags, Mode::empty())?)
}

fn kind(above: &OwnedFd, name: &OsStr) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode))
}

pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    // A duplicate would share its place in the listing.
    let fresh = open(directory, OsStr::new("."))?;
    let listing = Listing::read(&fresh, &mut Vec::new())?;
    Ok(listing.names().map(|name| OsStr::from_bytes(name).to_owned()).collect())
}

/// Moves what is in one directory into another one, which keeps what it has besides.
fn merge(from: &OwnedFd, to: &OwnedFd, depth: usize) -> io::Result<()> {
    for name in names(from)? {
        let new = kind(from, &name)?;
        match (new, kind(to, &name)) {
            (FileType::Directory, Ok(FileType::Directory)) if depth < DEEPEST => {
                merge(&open(from, &name)?, &open(to, &name)?, depth + 1)?;
                unlinkat(from, &name, AtFlags::REMOVEDIR)?;
                continue;
            }
            // Of a link what it leads to stays.
            (FileType::Directory, Ok(_)) => unlinkat(to, &name, AtFlags::empty())?,
            (_, Ok(FileType::Directory)) => {
                return Err(refused(name.as_bytes(), "is a directory there, and a file in the export"));
            }
            (_, Ok(_) | Err(Errno::NOENT)) => {}
            (_, Err(error)) => return Err(error.into()),
        }
        renameat(from, &name, to, &name)?;
    }
    Ok(())
}

pub(super) fn remove_all(above: &OwnedFd, name: &OsStr, depth: usize) -> io::Result<()> {
    if kind(above, name)? != FileType::Directory {
        return Ok(unlinkat(above, name, AtFlags::empty())?);
    }
    let directory = open(above, name)?;
    if depth <= DEEPEST {
        for inner in names(&directory)? {
            remove_all(&directory, &inner, depth + 1)?;
        }
    }
    Ok(unlinkat(above, name, AtFlags::REMOVEDIR)?)
}

fn refused(path: &[u8], why: &str) -> io::Error {
    let path = crate::model::text::name(&String::from_utf8_lossy(path));
    io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` {why}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn tree(directory: &Path) -> Vec<String> {
        fn walk(directory: &Path, base: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(base).unwrap().display().to_string();
                if path.is_symlink() {
                    found.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
                } else if path.is_dir() {
                    found.push(format!("{name}/"));
                    walk(&path, base, found);
                } else {
                    found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(directory, directory, &mut found);
        found.sort();
        found
    }

    fn put(new: &NewDirectory, path: &str, content: &str) {
        let mut file = new.file(path.as_bytes(), false).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        NewDirectory::complete(&file, 0o6755, 1_000_000_001).unwrap();
    }

    #[test]
    fn it_is_put_over_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let (place, outside) = (root.path().join("dist"), root.path().join("outside"));
        fs::create_dir_all(place.join("kept/inner")).unwrap();
        fs::create_dir(&outside).unwrap();
        for (path, content) in [("kept/inner/old", "old"), ("both", "old")] {
            fs::write(place.join(path), content).unwrap();
        }
        symlink(&outside, place.join("away")).unwrap();
        let new = NewDirectory::begin(&place, "1").unwrap();
        new.directory(b"kept", 0o555).unwrap();
        new.directory(b"away", 0o755).unwrap();
        put(&new, "kept/new", "new");
        put(&new, "both", "new");
        put(&new, "away/file", "mine");
        new.link(b"link", b"/etc/passwd").unwrap();
        new.same_file(b"kept/again", b"both").unwrap();
        new.finish().unwrap();
        let expected = [
            "away/",
            "away/file=mine",
            "both=new",
            "kept/",
            "kept/again=new",
            "kept/inner/",
            "kept/inner/old=old",
            "kept/new=new",
            "link -> /etc/passwd",
        ];
        assert_eq!(tree(&place), expected);
        assert_eq!(tree(&outside), [""; 0]);
        let found = fs::metadata(place.join("both")).unwrap();
        assert_eq!((found.permissions().mode() & 0o7777, found.mtime(), found.mtime_nsec()), (0o755, 1, 1));
    }

    #[test]
    fn nothing_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("dist");
        let new = NewDirectory::begin(&place, "1").unwrap();
        new.link(b"up", b"..").unwrap();
        new.link(b"etc", b"/etc").unwrap();
        put(&new, "file", "");
        for path in [
            "../x",
            "/x",
            "a/../../x",
            "",
            ".",
            "..",
            "a//b",
            "up/x",
            "etc/x",
            "file/x",
            ".git/config",
            ".git",
            "a\0b",
        ] {
            assert!(new.file(path.as_bytes(), false).is_err(), "{path}");
            assert!(new.directory(path.as_bytes(), 0o755).is_err(), "{path}");
            assert!(new.link(path.as_bytes(), b"x").is_err(), "{path}");
            assert!(new.same_file(path.as_bytes(), b"file").is_err(), "{path}");
        }
        assert!(new.file(b"file", false).is_err(), "twice");
        for existing in ["../outside", "etc/passwd", "up", "etc"] {
            assert!(new.same_file(b"y", existing.as_bytes()).is_err(), "{existing}");
        }
        drop(new);
        assert_eq!(tree(root.path()), [""; 0]);
    }

    #[test]
    fn a_directory_in_the_place_of_a_file_is_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("dist");
        fs::create_dir_all(place.join("a")).unwrap();
        let new = NewDirectory::begin(&place, "1").unwrap();
        put(&new, "a", "");
        let said = new.finish().unwrap_err().to_string();
        assert!(said.contains("`a` is a directory there"), "{said}");
        assert_eq!(tree(root.path()), ["dist/", "dist/a/"]);
    }
}
