//! One directory that is served: blobs that are there, and blobs that come.
//!
//! A blob is written under `ingest/` and gets its name in `blobs/sha256` when all its bytes are there and
//! have the digest that the daemon said: nobody sees half a blob, and no name is the daemon's choice. What
//! is not finished goes away with its writer.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, renameat, unlinkat};
use sha2::{Digest as _, Sha256};

use super::layout;
use crate::buildkit::grpc::{Code, Status};
use crate::files::owned;
use crate::model::{Cleanup, Digest};

/// A directory of the session.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) directory: PathBuf,
    /// Whether the daemon may add blobs.
    writable: bool,
    busy: Mutex<BTreeSet<String>>,
    /// The last blob that the daemon asked us to have, with its size.
    last: Mutex<Option<(Digest, u64)>>,
}

impl Store {
    pub(super) fn new(directory: PathBuf, writable: bool) -> Self {
        Self { directory, writable, busy: Mutex::default(), last: Mutex::default() }
    }

    pub(super) fn last(&self) -> Option<(Digest, u64)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn open_blob(&self, digest: &Digest) -> Result<(File, u64), Status> {
        layout::open_blob(&self.directory, digest).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Status::new(Code::NotFound, format!("content {digest}: not found")),
            _ => Status::new(Code::Unknown, format!("content {digest}: {error}")),
        })
    }

    /// An error if the blob is there.
    pub(super) fn refuse_known(&self, digest: &Digest) -> Result<(), Status> {
        let Ok((_, size)) = self.open_blob(digest) else { return Ok(()) };
        self.remember(digest, size);
        Err(Status::new(Code::AlreadyExists, format!("content {digest}: already exists")))
    }

    fn remember(&self, digest: &Digest, size: u64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((digest.clone(), size));
    }

    /// Begins a blob. One writer for a reference: a second one is told to come again.
    pub(super) fn begin(self: Arc<Self>, reference: &str) -> Result<Ingest, Status> {
        if !self.writable {
            return Err(Status::new(Code::PermissionDenied, "this store is not written to"));
        }
        if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.to_owned()) {
            return Err(Status::new(Code::Unavailable, format!("ref {reference} locked: unavailable")));
        }
        let mut ingest = Ingest {
            name: Digest::of(reference.as_bytes()).as_str().replacen(':', "-", 1),
            store: self,
            reference: reference.to_owned(),
            place: None,
            hash: Sha256::new(),
            length: 0,
        };
        match ingest.open() {
            Ok(place) => ingest.place = Some(place),
            Err(error) => return Err(failed(&error)),
        }
        Ok(ingest)
    }

    fn directory_of(&self, name: &str) -> io::Result<OwnedFd> {
        let top = crate::context::root::Root::open(&self.directory)?.open_directory(".")?;
        name.split('/').try_fold(top, |above, name| owned::make_below(&above, name))
    }

    /// Removes the directory of unfinished blobs, when there are none.
    pub(super) fn tidy(&self) {
        let _ = std::fs::remove_dir(self.directory.join("ingest"));
    }
}

/// A blob on its way in.
pub(super) struct Ingest {
    store: Arc<Store>,
    reference: String,
    name: String,
    place: Option<Place>,
    hash: Sha256,
    length: u64,
}

/// Where the bytes go until all are there. Dropped, it is removed.
struct Place {
    directory: Arc<OwnedFd>,
    file: File,
    removal: Cleanup,
}

impl Ingest {
    fn open(&self) -> io::Result<Place> {
        owned::make(&self.store.directory)?;
        let directory = Arc::new(self.store.directory_of("ingest")?);
        let file = File::from(owned::create(&directory, &self.name)?);
        let (around, name) = (Arc::clone(&directory), self.name.clone());
        let removal = Cleanup::new(move || {
            let _ = unlinkat(&*around, name.as_str(), AtFlags::empty());
        });
        Ok(Place { directory, file, removal })
    }

    /// Bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Of the bytes so far.
    pub(super) fn digest(&self) -> Digest {
        Digest::from_sha256(self.hash.clone().finalize().into())
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Forgets all bytes.
    pub(super) fn restart(&mut self) -> Result<(), Status> {
        // The old one's end would remove the new one.
        self.place = None;
        let place = self.open().map_err(|error| failed(&error))?;
        (self.place, self.hash, self.length) = (Some(place), Sha256::new(), 0);
        Ok(())
    }

    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), Status> {
        let Some(Place { file, .. }) = &mut self.place else { return Err(closed()) };
        file.write_all(data).map_err(|error| failed(&error))?;
        self.hash.update(data);
        self.length += data.len() as u64;
        Ok(())
    }

    /// Gives the blob its name, if it is what was expected.
    pub(super) fn commit(&mut self, total: u64, expected: Option<&Digest>) -> Result<Digest, Status> {
        let Some(Place { directory: from, file, removal }) = self.place.take() else { return Err(closed()) };
        let digest = self.digest();
        let unexpected = |what: String| Err(Status::new(Code::FailedPrecondition, what));
        let committed = if total > 0 && total != self.length {
            unexpected(format!("unexpected commit size {}, expected {total}", self.length))
        } else if expected.is_some_and(|expected| *expected != digest) {
            unexpected(format!("unexpected commit digest {digest}"))
        } else {
            self.store.refuse_known(&digest).and_then(|()| {
                let named = || -> io::Result<()> {
                    file.sync_data()?;
                    let to = self.store.directory_of("blobs/sha256")?;
                    let name = digest.as_str().trim_start_matches("sha256:");
                    Ok(renameat(&*from, self.name.as_str(), &to, name)?)
                };
                named().map_err(|error| failed(&error))
            })
        };
        // Dropped, it removes what was not taken.
        committed?;
        removal.forget();
        self.store.remember(&digest, self.length);
        Ok(digest)
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        // Before the next one with this reference begins.
        self.place = None;
        self.store.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.reference);
    }
}

fn failed(error: &io::Error) -> Status {
    Status::new(Code::Unknown, format!("writing to the directory on the client: {error}"))
}

fn closed() -> Status {
    Status::new(Code::FailedPrecondition, "cannot commit on closed writer")
}
