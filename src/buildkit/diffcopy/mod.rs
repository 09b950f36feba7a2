//! The sender of fsutil's `DiffCopy`: one transfer of (a part of) a directory to the daemon.
//!
//! Protocol (fsutil `send.go`, `receive.go`): every entry is announced in order with a `STAT`, an empty one ends them; the daemon
//! asks for the content of files with `REQ` and their place in that order, whenever it likes; content goes back as `DATA`, an empty
//! one ends the file; the daemon ends with `FIN`, which is answered; `ERR` from either side ends everything.
//!
//! Nothing here knows gRPC but for its five bytes before each message. Disk work is done on blocking threads, one that walks and up
//! to two that read, since the runtime's only thread must answer the daemon's health checks. Requests are never held back by
//! outgoing data (the daemon would deadlock), outgoing data is bounded: memory does not grow with the context.

mod chunk;
mod files;
mod packet;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::chunk::{CAPACITY, Pool};
use self::files::Files;
use crate::context::Filter;
use crate::context::credentials::Blanked;
use crate::context::root::Root;
use crate::context::walk::{Selection, WalkError, walk};

/// Chunks between the threads and the caller's queue.
const QUEUE: usize = 4;

/// Announcements are sent in smaller portions than content, so that the daemon starts early.
const ANNOUNCED_ENOUGH: usize = 32 * 1024;

/// Requests that wait before a second reader is worth its thread.
const SECOND_READER: usize = 8;

/// How many of the largest files are reported.
const LARGEST: usize = 5;

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Files, directories and the rest, as announced.
    pub entries: u64,
    /// Files whose content the daemon wanted.
    pub files_sent: u64,
    /// Bytes of their content.
    pub bytes_sent: u64,
    /// Files in which credentials were blanked, in order of their paths.
    pub blanked: Vec<Blanked>,
    /// The largest files that were sent, with their sizes, largest first.
    pub largest: Vec<(String, u64)>,
}

/// Where a transfer is; read it at any time.
#[derive(Debug, Default)]
pub struct TransferProgress {
    entries: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl TransferProgress {
    /// Entries announced, files sent, bytes of content sent.
    pub fn read(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.entries), read(&self.files), read(&self.bytes))
    }
}

/// Why a transfer failed. The first three are ours to explain, and were told to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The context cannot be sent as it is.
    #[error(transparent)]
    Context(#[from] WalkError),
    /// The content is not what was announced.
    #[error(
        "`{path}` of the build context changed while it was being sent: \
         let nothing write to it during the build, or list it in .dockerignore"
    )]
    Changed {
        /// Relative to the context.
        path: String,
    },
    /// A file of a Git directory is too large to be searched for credentials.
    #[error(
        "`{path}` may hold credentials and is too large to be searched for them: list `.git` in .dockerignore"
    )]
    CarrierTooLarge {
        /// Relative to the context.
        path: String,
    },
    /// The daemon gave up and said why.
    #[error("the daemon stopped receiving the build context: {0}")]
    Daemon(String),
    /// The daemon said something that makes no sense.
    #[error("the daemon broke the transfer protocol: {0}")]
    Protocol(String),
    /// The stream ended before the daemon said that it has everything.
    #[error("the daemon went away while it received the build context")]
    Closed,
}

/// Sends what `filter` keeps of the directory `root`, until the daemon says that it has all it wants.
///
/// `incoming` takes the payloads of the daemon's messages, `outgoing` gets chunks of one or more whole messages with their gRPC
/// frames. On an error of ours the daemon has been told: everything in `outgoing` is to be delivered before the stream is ended.
/// Dropping the future or the receiver of `outgoing` stops the threads at their next file or chunk.
pub async fn send(
    root: PathBuf,
    filter: Filter,
    incoming: mpsc::UnboundedReceiver<Bytes>,
    outgoing: mpsc::Sender<Bytes>,
    progress: Arc<TransferProgress>,
) -> Result<Transfer, TransferError> {
    let (chunks, mut queue) = mpsc::channel(QUEUE);
    let shared = Arc::new(Shared::new(chunks, progress));
    let _stop = StopOnDrop(Arc::clone(&shared));
    let mut threads = JoinSet::new();
    if let Some(out) = shared.outbox() {
        let shared = Arc::clone(&shared);
        threads.spawn_blocking(move || announce(&shared, &root, &filter, out));
    }

    let outcome = {
        let forward = async {
            while let Some(chunk) = queue.recv().await {
                if outgoing.send(chunk).await.is_err() {
                    return Err(TransferError::Closed);
                }
            }
            Ok(())
        };
        let receive = receive(incoming, &shared, &mut threads);
        tokio::pin!(forward, receive);
        let mut finished = None;
        loop {
            tokio::select! {
                received = &mut receive, if finished.is_none() => match received {
                    Ok(()) => {
                        shared.stop();
                        finished = Some(());
                    }
                    Err(fault) => break Err(fault),
                },
                // Ends when the threads have ended: after the daemon's end, or on a fault.
                forwarded = &mut forward => break forwarded.map(|()| finished),
            }
        }
    };
    shared.stop();
    drop(queue);
    while threads.join_next().await.is_some() {}
    let finished = outcome.map_err(|fault| shared.fault.lock_anyway().take().unwrap_or(fault))?;
    if let Some(fault) = shared.fault.lock_anyway().take() {
        return Err(fault);
    }
    if finished.is_none() {
        return Err(TransferError::Closed);
    }
    let mut fin = Vec::new();
    packet::put_fin(&mut fin);
    outgoing.send(Bytes::from(fin)).await.map_err(|_| TransferError::Closed)?;
    Ok(shared.transfer())
}

/// Takes the daemon's messages until it ends the transfer, and starts readers as they are needed.
async fn receive(
    mut incoming: mpsc::UnboundedReceiver<Bytes>,
    shared: &Arc<Shared>,
    threads: &mut JoinSet<()>,
) -> Result<(), TransferError> {
    let mut batch = Vec::new();
    let mut readers = 0;
    while incoming.recv_many(&mut batch, 256).await > 0 {
        let mut wanted = Vec::with_capacity(batch.len());
        let mut finished = false;
        for payload in batch.drain(..) {
            let packet =
                Packet::decode(payload).map_err(|fault| TransferError::Protocol(fault.to_string()))?;
            match packet.r#type() {
                PacketType::PacketReq => wanted.push(packet.id),
                PacketType::PacketFin => finished = true,
                PacketType::PacketErr => {
                    return Err(TransferError::Daemon(String::from_utf8_lossy(&packet.data).into_owned()));
                }
                other => return Err(TransferError::Protocol(format!("unexpected {}", other.as_str_name()))),
            }
        }
        if finished {
            return Ok(());
        }
        let waiting = shared.request(&wanted);
        if (readers == 0 || (readers == 1 && waiting > SECOND_READER))
            && let Some(out) = shared.outbox()
        {
            readers += 1;
            let shared = Arc::clone(shared);
            threads.spawn_blocking(move || serve(&shared, out));
        }
    }
    Err(TransferError::Closed)
}

/// The walking thread.
fn announce(shared: &Shared, path: &std::path::Path, filter: &Filter, mut out: Outbox) {
    let walked = || -> Result<ControlFlow<()>, TransferError> {
        let root = Root::open(path).map_err(|fault| WalkError::unreadable(&path.to_string_lossy(), fault))?;
        let root = shared.root.get_or_init(|| root);
        let selection = Selection::new(root, filter)?;
        let mut flow = ControlFlow::Continue(());
        walk(root, &selection, &mut |entry| {
            {
                let mut files = shared.files.lock_anyway();
                if entry.is_directory() {
                    files.add_directory(entry.path);
                } else if entry.has_content() && entry.link.is_empty() {
                    files.add_file(entry.path, entry.size, entry.mtime, entry.carrier);
                } else {
                    files.add_other();
                }
            }
            shared.progress.entries.fetch_add(1, Ordering::Relaxed);
            packet::put_stat(&mut out.buffer, entry);
            let full = out.buffer.len() >= ANNOUNCED_ENOUGH;
            flow = if shared.stopped() {
                ControlFlow::Break(())
            } else if full {
                out.flush()
            } else {
                ControlFlow::Continue(())
            };
            flow
        })?;
        if flow.is_continue() {
            packet::put_last_stat(&mut out.buffer);
            flow = out.flush();
        }
        Ok(flow)
    };
    let mut walked = walked;
    match walked() {
        Ok(ControlFlow::Continue(())) => {}
        Ok(ControlFlow::Break(())) => shared.stop(),
        Err(fault) => shared.fail(&fault, &mut out),
    }
}

/// A reading thread.
fn serve(shared: &Shared, mut out: Outbox) {
    while let Some(id) = shared.next_request(&mut out) {
        let served = shared.files.lock_anyway().take(id).zip(shared.root.get()).map(|(file, root)| {
            let sent = reader::send_file(root, id, &file, &mut out);
            (file, sent)
        });
        match served {
            None => {
                let fault =
                    TransferError::Protocol(format!("it asked for file {id}, which is none or was sent"));
                return shared.fail(&fault, &mut out);
            }
            Some((file, Ok(ControlFlow::Continue(blanked)))) => shared.sent(file, blanked),
            Some((_, Ok(ControlFlow::Break(())))) => return shared.stop(),
            Some((_, Err(fault))) => return shared.fail(&fault, &mut out),
        }
    }
}

/// What is reported at the end.
#[derive(Default)]
struct Notes {
    blanked: Vec<Blanked>,
    largest: Vec<(String, u64)>,
}

/// What the threads and the caller's task have in common.
struct Shared {
    root: std::sync::OnceLock<Root>,
    stop: AtomicBool,
    files: Mutex<Files>,
    requests: Mutex<VecDeque<u32>>,
    /// A request came, or the end.
    wake: Condvar,
    /// Where threads get their way out from; nothing once no more should start.
    chunks: Mutex<Option<mpsc::Sender<Bytes>>>,
    pool: Pool,
    fault: Mutex<Option<TransferError>>,
    progress: Arc<TransferProgress>,
    notes: Mutex<Notes>,
}

impl Shared {
    fn new(chunks: mpsc::Sender<Bytes>, progress: Arc<TransferProgress>) -> Self {
        Self {
            root: std::sync::OnceLock::new(),
            stop: AtomicBool::new(false),
            files: Mutex::default(),
            requests: Mutex::default(),
            wake: Condvar::new(),
            chunks: Mutex::new(Some(chunks)),
            pool: Pool::default(),
            fault: Mutex::default(),
            progress,
            notes: Mutex::default(),
        }
    }

    fn outbox(&self) -> Option<Outbox> {
        let chunks = self.chunks.lock_anyway().clone()?;
        Some(Outbox { buffer: self.pool.take(), pool: self.pool.clone(), chunks })
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Lets every thread end as soon as it looks.
    fn stop(&self) {
        self.chunks.lock_anyway().take();
        let _requests = self.requests.lock_anyway();
        self.stop.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    /// Records the first fault and tells the daemon.
    fn fail(&self, fault: &TransferError, out: &mut Outbox) {
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

    /// Queues requests; how many are waiting now.
    fn request(&self, ids: &[u32]) -> usize {
        let mut requests = self.requests.lock_anyway();
        requests.extend(ids);
        if ids.len() == 1 {
            self.wake.notify_one();
        } else {
            self.wake.notify_all();
        }
        requests.len()
    }

    /// The next file to send. Whatever was collected goes out before this waits.
    fn next_request(&self, out: &mut Outbox) -> Option<u32> {
        let mut requests = self.requests.lock_anyway();
        loop {
            if self.stopped() {
                return None;
            }
            if let Some(id) = requests.pop_front() {
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
            requests = self.wake.wait(requests).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn sent(&self, file: files::Announced, blanked: Option<Blanked>) {
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        self.progress.bytes.fetch_add(file.size, Ordering::Relaxed);
        let mut notes = self.notes.lock_anyway();
        notes.blanked.extend(blanked);
        let largest = &mut notes.largest;
        if largest.len() < LARGEST || largest.last().is_some_and(|(_, size)| *size < file.size) {
            let at = largest.partition_point(|(_, size)| *size >= file.size);
            largest.insert(at, (file.path, file.size));
            largest.truncate(LARGEST);
        }
    }

    fn transfer(&self) -> Transfer {
        let (entries, files_sent, bytes_sent) = self.progress.read();
        let Notes { mut blanked, largest } = std::mem::take(&mut *self.notes.lock_anyway());
        blanked.sort_by(|a, b| a.path.cmp(&b.path));
        Transfer { entries, files_sent, bytes_sent, blanked, largest }
    }
}

/// Stops the threads when the future that owns them goes.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Messages collected by one thread, on their way out.
struct Outbox {
    buffer: Vec<u8>,
    pool: Pool,
    chunks: mpsc::Sender<Bytes>,
}

impl Outbox {
    /// Sends what was collected; breaks when nobody takes it.
    fn flush(&mut self) -> ControlFlow<()> {
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
    fn make_room(&mut self, bytes: usize) -> ControlFlow<()> {
        if CAPACITY - self.buffer.len().min(CAPACITY) < bytes {
            self.flush()
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// A lock whose holder panicked guards nothing here that could be half done.
trait LockAnyway<T> {
    fn lock_anyway(&self) -> MutexGuard<'_, T>;
}

impl<T> LockAnyway<T> for Mutex<T> {
    fn lock_anyway(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
