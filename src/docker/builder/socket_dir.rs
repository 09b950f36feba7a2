//! The directory of the builder's socket: one of ours that the daemon's machine sees too.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::{BuilderError, SOCKET};
use crate::docker::own_container::OwnContainer;
use crate::model::text;

/// One directory by its two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SocketDir {
    /// For us.
    pub ours: PathBuf,
    /// For the daemon's machine.
    pub host: PathBuf,
}

/// Bytes of a Unix socket's path, without its end (`sun_path` in `unix(7)`).
const LONGEST: usize = 107;

impl SocketDir {
    /// The first of these directories that the daemon's machine sees too, whose sockets can be named, and that we may
    /// write into. Without a container of our own this machine is the daemon's.
    pub fn find(own: Option<&OwnContainer>, directories: &[PathBuf], name: &str) -> Option<Self> {
        directories.iter().find_map(|directory| {
            let host = match own {
                Some(own) => own.host_path(directory)?,
                None => directory.is_absolute().then(|| directory.clone())?,
            };
            let socket_dir = Self { ours: directory.join(name), host: host.join(name) };
            let fits = socket_dir.ours.join(SOCKET).as_os_str().len() <= LONGEST;
            // What is not there will tell when it is made.
            let ours = !matches!(access(directory, Access::WRITE_OK), Err(Errno::ACCESS | Errno::ROFS));
            (fits && ours).then_some(socket_dir)
        })
    }

    /// Makes it, for our user only, and says who that is. One that is there already is as good.
    pub fn make(&self) -> Result<(u32, u32), BuilderError> {
        let failed = |error: std::io::Error| BuilderError::Directory {
            path: self.ours.display().to_string(),
            why: text::line(&error.to_string()),
        };
        match std::fs::DirBuilder::new().mode(0o700).create(&self.ours) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        // Not through a link: the directory above may be writable to others.
        let metadata = std::fs::symlink_metadata(&self.ours).map_err(failed)?;
        if !metadata.is_dir() {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::NotADirectory)));
        }
        Ok((metadata.uid(), metadata.gid()))
    }

    /// Whether it is there: a runner empties its temporary directory after each job.
    pub fn is_there(&self) -> bool {
        std::fs::symlink_metadata(&self.ours).is_ok_and(|metadata| metadata.is_dir())
    }
}

/// Removes the directory with the sockets in it; what cannot be removed goes with the runner's temporary directory.
pub(super) fn clear(directory: &Path) {
    let _ = std::fs::remove_dir_all(directory);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::own_container::OwnMount;

    #[test]
    fn the_first_that_both_see() {
        let mount = |source: &str, destination: &str| OwnMount {
            source: source.into(),
            destination: destination.into(),
            writable: true,
        };
        let own = OwnContainer {
            mounts: vec![
                mount("/home/runner/_temp", "/github/runner_temp"),
                mount("/w", "/github/workspace"),
            ],
            ..OwnContainer::default()
        };
        let find = |own: Option<&OwnContainer>, directories: &[&str]| {
            let directories: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
            let socket_dir = SocketDir::find(own, &directories, "b")?;
            Some((socket_dir.ours.display().to_string(), socket_dir.host.display().to_string()))
        };
        let pair = |ours: &str, host: &str| Some((ours.to_owned(), host.to_owned()));
        let usual = ["/github/runner_temp", "/github/workspace"];
        assert_eq!(find(Some(&own), &usual), pair("/github/runner_temp/b", "/home/runner/_temp/b"));
        assert_eq!(find(Some(&own), &["/tmp", "/github/workspace"]), pair("/github/workspace/b", "/w/b"));
        assert_eq!(find(Some(&own), &["/tmp"]), None);
        assert_eq!(find(None, &["/tmp"]), pair("/tmp/b", "/tmp/b"));
        assert_eq!(find(None, &["tmp"]), None);
        // 107 bytes with the socket's name: `/b/buildkitd.sock` is 17 of them.
        assert!(find(None, &[&format!("/{}", "x".repeat(89))]).is_some());
        assert_eq!(find(None, &[&format!("/{}", "x".repeat(90))]), None);
    }

    #[test]
    fn made_once_and_never_through_a_link() {
        let parent = tempfile::tempdir().unwrap();
        let socket_dir = |name: &str| SocketDir { ours: parent.path().join(name), host: "/x".into() };
        assert!(!socket_dir("a").is_there());
        let owner = socket_dir("a").make().unwrap();
        assert_eq!(socket_dir("a").make().unwrap(), owner);
        assert!(socket_dir("a").is_there());
        std::os::unix::fs::symlink("/tmp", parent.path().join("link")).unwrap();
        assert!(socket_dir("link").make().is_err());
        assert!(!socket_dir("link").is_there());
        clear(&socket_dir("a").ours);
        assert!(!socket_dir("a").is_there());
    }
}
