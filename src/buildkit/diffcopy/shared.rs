//! What the threads of one transfer and the caller's task have in common: requests that wait, the first fault, the way out.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::chunk::{CAPACITY, Pool};
use super::files::{Announced, Files};
use super::{Transfer, TransferError, TransferProgress, packet};
use crate::context::credentials::Blanked;
use crate::context::entry::Entry;
use crate::context::large::Sent;
use crate::context::path_text::text_of;
use crate::context::root::Root;
use crate::model::sort_by;

/// What is reported at the end.
#[derive(Default)]
struct Notes {
    blanked: Vec<Blanked>,
    sent: Sent,
}

/// Files that were asked for and not yet taken up.
#[derive(Default)]
struct Requests {
    ids: VecDeque<u32>,
    /// Readers that wait for more; waking nobody costs a system call too.
    idle: usize,
}

/// What the threads and the caller's task have in common.
pub(super) struct Shared {
    pub(super) root: OnceLock<Root>,
    stop: AtomicBool,
    pub(super) files: Mutex<Files>,
    requests: Mutex<Requests>,
    /// A request came, or the end.
    wake: Condvar,
    /// Where threads get their way out from; nothing once no more should start.
    chunks: Mutex<Option<mpsc::Sender<Bytes>>>,
    pool: Pool,
    pub(super) fault: Mutex<Option<TransferError>>,
    pub(super) progress: Arc<TransferProgress>,
    notes: Mutex<Notes>,
    /// The first entry that was announced with a name or a target that is no UTF-8.
    odd_name: OnceLock<String>,
}

impl Shared {
    pub(super) fn new(chunks: mpsc::Sender<Bytes>, progress: Arc<TransferProgress>) -> Self {
        Self {
            root: OnceLock::new(),
            stop: AtomicBool::new(false),
            files: Mutex::default(),
            requests: Mutex::default(),
            wake: Condvar::new(),
            chunks: Mutex::new(Some(chunks)),
            pool: Pool::default(),
            fault: Mutex::default(),
            progress,
            notes: Mutex::default(),
            odd_name: OnceLock::new(),
        }
    }

    pub(super) fn outbox(&self) -> Option<Outbox> {
        let chunks = self.chunks.lock_anyway().clone()?;
        Some(Outbox { buffer: self.pool.take(), pool: self.pool.clone(), chunks })
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Lets every thread end as soon as it looks.
    pub(super) fn stop(&self) {
        self.chunks.lock_anyway().take();
        let _requests = self.requests.lock_anyway();
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    /// Records the first fault and tells the daemon.
    pub(super) fn fail(&self, fault: &TransferError, out: &mut Outbox) {
        let first = {
            let mut slot = self.fault.lock_anyway();
            let first = slot.is_none();
            slot.get_or_insert_with(|| fault.clone());
            first
        };
        if first {
            // What was collected is whole messages, but of no use to anybody any more.
            out.buffer.clear();
            packet::put_error(&mut out.buffer, &fault.to_string());
            // When nobody takes it, nobody needs it.
            let _gone = out.flush();
        }
        self.stop();
    }

    /// Looks at an entry that is being announced.
    pub(super) fn note(&self, entry: &Entry<'_>) {
        if std::str::from_utf8(entry.path).is_err() || std::str::from_utf8(entry.link).is_err() {
            self.odd_name.get_or_init(|| text_of(entry.path));
        }
    }

    /// Why the transfer ended: our own fault before all, else what the daemon may not have taken.
    pub(super) fn explained(&self, fault: TransferError) -> TransferError {
        let fault = self.fault.lock_anyway().take().unwrap_or(fault);
        match (&fault, self.odd_name.get()) {
            (TransferError::Daemon(_) | TransferError::Closed, Some(path)) => {
                TransferError::NotText { path: path.clone() }
            }
            _ => fault,
        }
    }

    /// Queues requests; how many are waiting now.
    pub(super) fn request(&self, ids: &[u32]) -> usize {
        let mut requests = self.requests.lock_anyway();
        requests.ids.extend(ids);
        for _ in 0..requests.idle.min(ids.len()) {
            self.wake.notify_one();
        }
        requests.ids.len()
    }

    /// The next file to send. Whatever was collected goes out before this waits.
    pub(super) fn next_request(&self, out: &mut Outbox) -> Option<u32> {
        let mut requests = self.requests.lock_anyway();
        loop {
            if self.stopped() {
                return None;
            }
            if let Some(id) = requests.ids.pop_front() {
                return Some(id);
            }
            if !out.buffer.is_empty() {
                drop(requests);
                if out.flush().is_break() {
                    return None;
                }
                requests = self.requests.lock_anyway();
                continue;
            }
            requests.idle += 1;
            requests = self.wake.wait(requests).unwrap_or_else(PoisonError::into_inner);
            requests.idle -= 1;
        }
    }

    pub(super) fn sent(&self, file: &Announced, blanked: Option<Blanked>) {
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        self.progress.bytes.fetch_add(file.size, Ordering::Relaxed);
        let mut notes = self.notes.lock_anyway();
        notes.blanked.extend(blanked);
        notes.sent.add(&file.path, file.size);
    }

    pub(super) fn transfer(&self) -> Transfer {
        let (entries, files_sent, bytes_sent) = self.progress.read();
        let Notes { mut blanked, sent } = std::mem::take(&mut *self.notes.lock_anyway());
        sort_by(&mut blanked, |a, b| a.path.cmp(&b.path));
        Transfer { entries, files_sent, bytes_sent, blanked, large: sent.too_large() }
    }
}

/// Stops the threads when the future that owns them goes.
pub(super) struct StopOnDrop(pub(super) Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Messages collected by one thread, on their way out.
pub(super) struct Outbox {
    /// Whole messages.
    pub(super) buffer: Vec<u8>,
    pool: Pool,
    chunks: mpsc::Sender<Bytes>,
}

impl Outbox {
    /// Sends what was collected; breaks when nobody takes it.
    pub(super) fn flush(&mut self) -> ControlFlow<()> {
        if self.buffer.is_empty() {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut self.buffer, self.pool.take());
        match self.chunks.blocking_send(self.pool.freeze(full)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Makes sure that this many bytes fit without the buffer growing.
    pub(super) fn make_room(&mut self, bytes: usize) -> ControlFlow<()> {
        if CAPACITY - self.buffer.len().min(CAPACITY) < bytes {
            self.flush()
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// A lock whose holder panicked guards nothing here that could be half done.
pub(super) trait LockAnyway<T> {
    /// Locks, poisoned or not.
    fn lock_anyway(&self) -> MutexGuard<'_, T>;
}

impl<T> LockAnyway<T> for Mutex<T> {
    fn lock_anyway(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
