//! What is half made of a builder: removed unless it is handed over.

use std::path::{Path, PathBuf};

use super::super::connection::DaemonClient;
use super::super::ours::Unfinished;
use super::socket_dir;
use crate::model::Cleanup;

/// Removes what we make, until it is handed over. Only what we made ourselves: another process's builder in the
/// making is not ours to end.
pub(super) struct Guard {
    socket: PathBuf,
    name: String,
    wanted: bool,
    // In this order: no socket is removed below a builder.
    armed: Option<Unfinished>,
    /// Made for its socket.
    directory: Option<Cleanup>,
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
            armed.asked(asked);
        }
    }

    /// It goes with whoever takes this, also when it was found and not made: it is this step's last use.
    pub(super) fn take(mut self) -> Option<Unfinished> {
        if self.wanted {
            self.asked(false);
        }
        self.keep_directory();
        self.armed.take()
    }

    /// It is not ours to remove.
    pub(super) fn disarm(&mut self) {
        if let Some(armed) = self.armed.take() {
            armed.keep();
        }
    }

    /// This directory is made for its socket.
    pub(super) fn directory(&mut self, directory: &Path) {
        self.keep_directory();
        let (directory, wanted) = (directory.to_owned(), self.wanted);
        self.directory = Some(Cleanup::new(move || {
            if wanted {
                socket_dir::clear(&directory);
            } else {
                // Only if no builder has been there.
                let _ = std::fs::remove_dir(directory);
            }
        }));
    }

    /// The directory is not ours to remove.
    pub(super) fn keep_directory(&mut self) {
        if let Some(directory) = self.directory.take() {
            directory.forget();
        }
    }
}
