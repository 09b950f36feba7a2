//! Containers that we make: the labels they bear, and their removal whatever becomes of the run.
//!
//! The container list is the daemon's and others use it too: only what bears our role is ever removed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::query_parameters::RemoveContainerOptionsBuilder;

use super::connection::DaemonClient;
use super::inspection::{Listed, Status};
use crate::model::Cleanup;

/// Our label: what the container is for.
pub(super) const LABEL_ROLE: &str = "docker-push-action.role";
/// The role of a container of an image that is verified.
pub(super) const ROLE_VERIFY: &str = "verify";
/// Our label: the run that it belongs to.
pub(super) const LABEL_RUN: &str = "docker-push-action.run";

/// A container that is removed with this value, also when the run is cancelled in the middle of its start, or panics.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The daemon has been asked and has not answered: it may be making the container right now.
    asked: Arc<AtomicBool>,
    /// The directory that goes with it.
    directory: Arc<Mutex<Option<PathBuf>>>,
    removal: Cleanup,
}

impl Unfinished {
    /// Guards the container of this name behind the daemon's socket, there or not.
    pub(super) fn new(socket: &Path, name: &str) -> Self {
        let (asked, directory) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None::<PathBuf>)));
        let removal = {
            let (socket, name) = (socket.to_owned(), name.to_owned());
            let (asked, directory) = (Arc::clone(&asked), Arc::clone(&directory));
            Cleanup::new(move || {
                remove_unfinished(&socket, &name, asked.load(Ordering::Relaxed));
                if let Some(directory) = directory.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    let _ = std::fs::remove_dir_all(directory);
                }
            })
        };
        Self { asked, directory, removal }
    }

    /// The daemon is being asked for it, or has answered.
    pub(super) fn asked(&self, asked: bool) {
        self.asked.store(asked, Ordering::Relaxed);
    }

    /// When it is removed, so is this directory.
    pub(super) fn with_directory(&self, directory: &Path) {
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory.to_owned());
    }

    /// It is somebody else's from now on.
    pub(super) fn keep(self) {
        self.removal.forget();
    }
}

fn remove_unfinished(socket: &Path, name: &str, asked: bool) {
    // Nothing can be awaited here. One that is gone, or going, is as good as removed; one that is not there
    // yet is waited for, as the daemon goes on making it.
    let deadline = Instant::now() + PATIENCE;
    while remove(socket, name, REMOVAL).is_ok_and(|status| status == 404)
        && asked
        && Instant::now() < deadline
    {
        std::thread::sleep(PAUSE);
    }
}

/// How long a cancelled run waits for a container that may be being made, and between two looks.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);

/// The most that removing a container may take when the run is being cancelled.
const REMOVAL: Duration = Duration::from_secs(2);

/// Removes a container and its nameless volumes by one blocking request, and returns the status of the answer.
pub(super) fn remove(socket: &Path, name: &str, patience: Duration) -> std::io::Result<u16> {
    delete(socket, &format!("/containers/{name}?force=1&v=1"), patience)
}

/// Removes what is at this path by one blocking request, and returns the status of the answer. The path has no version, as
/// every engine takes it.
pub(super) fn delete(socket: &Path, path: &str, patience: Duration) -> std::io::Result<u16> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    write!(stream, "DELETE {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")?;
    // The daemon stops working on what nobody waits for.
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    let status = std::str::from_utf8(&status[9..]).ok().and_then(|text| text.parse().ok());
    status.ok_or_else(|| std::io::Error::other("not HTTP"))
}

/// Removes what runs that were killed have left: containers of this role that never ran, or whose daemon forgot to remove them.
/// One that is being started now is younger than a minute, by the daemon's own clock.
pub(super) async fn reap(daemon: &DaemonClient, own: &str, role: &str) {
    let Ok(found) = daemon.list(&[(LABEL_ROLE, role)], false).await else { return };
    for id in orphans(&found, own) {
        let force = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // Another run may be at it too.
        let _ = daemon.docker.remove_container(id, Some(force)).await;
    }
}

/// Seconds after which a container that does not run is nobody's.
pub(super) const ORPHAN_AGE: i64 = 60;

fn orphans<'a>(found: &'a [Listed], own: &str) -> Vec<&'a str> {
    let created = |container: &Listed| container.created.unwrap_or(i64::MAX);
    let Some(now) = found.iter().find(|container| container.id == own).map(created) else {
        return Vec::new();
    };
    found
        .iter()
        .filter(|one| matches!(one.state, Status::Created | Status::Exited | Status::Dead))
        .filter(|one| created(one) < now.saturating_sub(ORPHAN_AGE))
        .map(|one| one.id.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans_are_old_and_do_not_run() {
        let containers = serde_json::json!([
            {"Id": "own", "State": "created", "Created": 1000},
            {"Id": "running", "State": "running", "Created": 10},
            {"Id": "starting", "State": "created", "Created": 990},
            {"Id": "never ran", "State": "created", "Created": 10},
            {"Id": "left", "State": "exited", "Created": 10},
            {"Id": "unknown age", "State": "exited"}
        ]);
        let containers: Vec<Listed> = serde_json::from_value(containers).unwrap();
        assert_eq!(orphans(&containers, "own"), ["never ran", "left"]);
        assert_eq!(orphans(&containers, "not listed"), Vec::<&str>::new());
    }
}
