//! What is half made of a builder: removed unless it is handed over.

use std::path::PathBuf;

use super::super::connection::DaemonClient;
use super::super::ours::Unfinished;
use super::socket_dir;

/// Removes what we make, until it is handed over. Only what we made ourselves: another process's builder in the
/// making is not ours to end.
pub(super) struct Guard {
    socket: PathBuf,
    name: String,
    wanted: bool,
    armed: Option<Unfinished>,
    /// Made for its socket.
    pub(super) directory: Option<PathBuf>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.armed.take());
        if let Some(directory) = self.directory.take() {
            if self.wanted {
                socket_dir::clear(&directory);
            } else {
                // Only if no builder has been there.
                let _ = std::fs::remove_dir(directory);
            }
        }
    }
}

impl Guard {
    /// Of nothing yet; `wanted` says whether the container is to go in the end.
    pub(super) fn new(daemon: &DaemonClient, name: &str, wanted: bool) -> Self {
        Self {
            socket: daemon.socket().to_owned(),
            name: name.to_owned(),
            wanted,
            armed: None,
            directory: None,
        }
    }

    /// The daemon is asked for the container, or has answered.
    pub(super) fn asked(&mut self, asked: bool) {
        if self.wanted {
            let armed = self.armed.get_or_insert_with(|| Unfinished::new(&self.socket, &self.name));
            armed.asked = asked;
        }
    }

    /// It goes with whoever takes this, also when it was found and not made: it is this step's last use.
    pub(super) fn take(mut self) -> Option<Unfinished> {
        if self.wanted {
            self.asked(false);
        }
        self.directory = None;
        self.armed.take()
    }

    /// It is not ours to remove.
    pub(super) fn disarm(&mut self) {
        if let Some(armed) = self.armed.take() {
            armed.keep();
        }
    }
}
