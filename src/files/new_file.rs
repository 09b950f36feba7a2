//! A file that is there whole or not at all: written under another name beside its place, and given its own when all of it is on
//! the disk. Dropped before, nothing is left. Its SHA-256 stands beside it, as `sha256sum` writes and checks it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustix::fs::{AtFlags, renameat, unlinkat};
use rustix::io::Errno;

use super::{for_now, owned};
use crate::context::root::Root;
use crate::model::{Cleanup, Digest};

/// What the name of the sum ends in.
const SUM: &str = ".sha256";

/// A file on its way.
pub struct NewFile {
    /// Where it is on its way: the nearest directory to its place that is there.
    directory: Arc<OwnedFd>,
    path: PathBuf,
    above: PathBuf,
    name: OsString,
    /// The name until it is whole.
    for_now: OsString,
    /// Until it is whole.
    removal: Option<Cleanup>,
    file: File,
    hash: Context,
    size: u64,
}

/// A file that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

impl NewFile {
    /// Begins a file; directories that it is in and that are not there are made at its end. `id` tells what is left of a run
    /// that was killed from what is on its way.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn begin(path: &Path, id: &str) -> io::Result<Self> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let directory = for_now::around(above)?;
        let temporary = for_now::name(name, id);
        let mut file = File::from(owned::create(&directory, &temporary)?);
        while !for_now::hold(&file, &directory, &temporary)? {
            file = File::from(owned::create(&directory, &temporary)?);
        }
        let directory = Arc::new(directory);
        let removal = {
            let (directory, temporary) = (Arc::clone(&directory), temporary.clone());
            Some(Cleanup::new(move || {
                let _ = unlinkat(&*directory, &temporary, AtFlags::empty());
            }))
        };
        let (path, above, name) = (path.to_owned(), above.to_owned(), name.to_owned());
        let hash = Context::new(&SHA256);
        Ok(Self { directory, path, above, name, for_now: temporary, removal, file, hash, size: 0 })
    }

    /// Waits until the disk has it: what it could not take, it may say only now.
    ///
    /// # Errors
    /// It could not.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives it its name, and writes its sum beside it.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(self) -> io::Result<Written> {
        self.name_it(true)
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish_alone(self) -> io::Result<Written> {
        self.name_it(false)
    }

    fn name_it(mut self, with_sum: bool) -> io::Result<Written> {
        let sum = self.hash.clone().finish();
        let sum: [u8; 32] = sum.as_ref().try_into().map_err(|_| io::ErrorKind::Other)?;
        let digest = Digest::from_sha256(sum);
        let mut beside = self.name.clone();
        beside.push(SUM);
        // Never beside another file than its own.
        owned::make(&self.above)?;
        let place = Root::open(&self.above)?.open_directory(".")?;
        if with_sum {
            match unlinkat(&place, &beside, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        renameat(&*self.directory, &self.for_now, &place, &self.name)?;
        if let Some(removal) = self.removal.take() {
            removal.forget();
        }
        if with_sum {
            self.write_sum(&place, &beside, &digest)?;
        }
        Ok(Written { path: self.path.clone(), size: self.size, digest })
    }

    fn write_sum(&self, place: &OwnedFd, beside: &OsStr, digest: &Digest) -> io::Result<()> {
        let hex = digest.as_str().trim_start_matches("sha256:");
        let mut line = Vec::new();
        let name = self.name.as_encoded_bytes();
        // As `sha256sum` marks a line with a name in which it replaces something.
        let odd = name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
        line.extend_from_slice(if odd { b"\\" } else { b"" });
        line.extend_from_slice(format!("{hex}  ").as_bytes());
        for byte in name {
            match byte {
                b'\\' => line.extend_from_slice(b"\\\\"),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                byte => line.push(*byte),
            }
        }
        line.push(b'\n');
        let written = owned::create(place, beside).and_then(|file| File::from(file).write_all(&line));
        if written.is_err() {
            let _ = unlinkat(place, beside, AtFlags::empty());
        }
        written
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::files::names_in;

    #[test]
    fn it_is_there_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dist/api.tar");
        let mut file = NewFile::begin(&path, "1").unwrap();
        file.write_all(b"abc").unwrap();
        // A directory that was not there would be a change of a build context.
        assert_eq!(names_in(directory.path()), [".api.tar.1.partial"]);
        let written = file.finish().unwrap();
        assert_eq!((written.size, written.digest), (3, Digest::of(b"abc")));
        assert_eq!(names_in(&directory.path().join("dist")), ["api.tar", "api.tar.sha256"]);
        let checked = std::process::Command::new("sha256sum")
            .args(["--check", "--quiet", "api.tar.sha256"])
            .current_dir(directory.path().join("dist"))
            .status();
        assert!(checked.unwrap().success());
    }

    #[test]
    fn dropped_it_leaves_nothing_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.tar");
        fs::write(&path, "old").unwrap();
        fs::write(directory.path().join("a.tar.sha256"), "old").unwrap();
        let mut file = NewFile::begin(&path, "1").unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(names_in(directory.path()), ["a.tar", "a.tar.sha256"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let mut file = NewFile::begin(&path, "1").unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::read_to_string(directory.path().join("a.tar.sha256")).unwrap().ends_with("  a.tar\n"));
    }

    #[test]
    fn a_link_in_its_place_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        fs::write(&outside, "theirs").unwrap();
        for name in ["a.tar", "a.tar.sha256", ".a.tar.1.partial"] {
            symlink(&outside, directory.path().join(name)).unwrap();
        }
        let path = directory.path().join("a.tar");
        let mut file = NewFile::begin(&path, "1").unwrap();
        file.write_all(b"ours").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn names_that_sha256sum_would_mark() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a\\b\nc.tar");
        NewFile::begin(&path, "1").unwrap().finish().unwrap();
        let checked = std::process::Command::new("sha256sum")
            .args(["--check", "--quiet", "a\\b\nc.tar.sha256"])
            .current_dir(directory.path())
            .status();
        assert!(checked.unwrap().success());
    }
}
