//! The sender of fsutil's `DiffCopy`: one transfer of (a part of) a directory to the daemon; and its receiver (`receive`), for what is
//! exported.
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
mod receive;
mod shared;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard_buildkit_proto::fsutil::types::Packet;
use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) use self::receive::Receiver;
use self::shared::{LockAnyway, Outbox, Shared, StopOnDrop};
use crate::context::Filter;
use crate::context::credentials::Blanked;
use crate::context::large::LargeContext;
use crate::context::root::Root;
use crate::context::walk::{Selection, WalkError, walk};
use crate::model::text;

/// Chunks between the threads and the caller's queue.
const QUEUE: usize = 2;

/// Announcements are sent in smaller portions than content, so that the daemon starts early.
const ANNOUNCED_ENOUGH: usize = 32 * 1024;

/// Requests that wait before a second reader is worth its thread.
const SECOND_READER: usize = 8;

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
    /// What was sent, by directory, if that is more than anyone would want.
    pub large: Option<LargeContext>,
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

/// Why a transfer failed. The first three are ours to explain, and were told to the daemon; so is the fourth, if the daemon says
/// that it means it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The context cannot be sent as it is.
    #[error(transparent)]
    Context(#[from] WalkError),
    /// The content is not what was announced.
    #[error(
        "`{}` of the build context changed while it was being sent: \
         let nothing write to it during the build, or list it in .dockerignore",
        text::value(path)
    )]
    Changed {
        /// Relative to the context.
        path: String,
    },
    /// A file of a Git directory is too large to be searched for credentials.
    #[error(
        "`{}` may hold credentials and is too large to be searched for them: list `.git` in .dockerignore",
        text::value(path)
    )]
    CarrierTooLarge {
        /// Relative to the context.
        path: String,
    },
    /// The daemon ended the transfer, and had been given a name that is no UTF-8. A container of BuildKit takes any name, Docker's
    /// own BuildKit does not in every version: it says so when it ends the build.
    #[error(
        "`{}` has a name or leads to one that is not UTF-8, which this BuildKit does not take: rename it, list it in .dockerignore, \
         or set `builder: docker-container`",
        text::value(path)
    )]
    NotText {
        /// Relative to the context; bytes that are no UTF-8 as `\xHH`.
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
    let finished = outcome.map_err(|fault| shared.explained(fault))?;
    if let Some(fault) = shared.fault.lock_anyway().take() {
        return Err(fault);
    }
    if finished.is_none() {
        return Err(shared.explained(TransferError::Closed));
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
    let mut walked = || -> Result<ControlFlow<()>, TransferError> {
        let root = Root::open(path).map_err(|fault| WalkError::unreadable(&path.to_string_lossy(), fault))?;
        let root = shared.root.get_or_init(|| root);
        let selection = Selection::new(root, filter)?;
        let mut flow = ControlFlow::Continue(());
        walk(root, &selection, &mut |entry| {
            shared.note(entry);
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
            Some((file, Ok(ControlFlow::Continue(blanked)))) => shared.sent(&file, blanked),
            Some((_, Ok(ControlFlow::Break(())))) => return shared.stop(),
            Some((_, Err(fault))) => return shared.fail(&fault, &mut out),
        }
    }
}
