//! `moby.filesync.v1.FileSend`: the daemon sends what an exporter makes (`session/filesync`): an archive (`CopyFileWriter`), or files
//! (`CopyToCaller`), for which the service is fsutil's `DiffCopy` with the parts exchanged.
//!
//! The parts go on as they come to whoever takes them, which holds the daemon back: never more than a few are here. An archive
//! that was cut off ends with an error, never like a whole one.

use std::io;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};

use super::diffcopy::Receiver;
use super::grpc::{Code, Messages, Reply, Status, streaming, unary};
use super::tasks::Spawner;
use crate::files::NewDirectory;

/// Longest message that is taken: the daemon's are of 32 KiB.
const LIMIT: usize = 4 << 20;

/// Packets that wait for the disk.
const QUEUE: usize = 16;

/// A part of an archive, or why it ends here.
pub type ArchivePart = Result<Bytes, std::io::Error>;

/// Who takes an archive. It has room for a few parts.
pub type Archive = mpsc::Sender<ArchivePart>;

/// Where files go, and who waits for them. Each platform's come in a transfer of their own, at the same time.
#[derive(Clone, Debug)]
pub struct Files {
    // In this order: who has heard the last word has the directory for himself.
    directory: Arc<NewDirectory>,
    failures: mpsc::UnboundedSender<io::Error>,
}

impl Files {
    /// Into this directory. What went wrong is told; when nobody is left who could tell, all transfers have ended.
    pub fn into(directory: Arc<NewDirectory>) -> (Self, mpsc::UnboundedReceiver<io::Error>) {
        let (failures, told) = mpsc::unbounded_channel();
        (Self { directory, failures }, told)
    }
}

/// Takes files, on a thread that may wait for the disk.
pub(super) fn receive_files(
    files: &Files,
    mut messages: Messages<Incoming>,
    spawner: &Spawner,
) -> Response<Reply> {
    let (outgoing, chunks) = mpsc::channel(QUEUE);
    let (packets, incoming) = mpsc::channel(QUEUE);
    let (end, ending) = oneshot::channel();
    let Files { directory, failures } = files.clone();
    let receiving = tokio::task::spawn_blocking(move || {
        let received = Receiver::new(&directory).run(incoming, &outgoing);
        drop(directory);
        received.map_err(|error| {
            let told = Status::new(Code::Unknown, error.to_string());
            let _gone = failures.send(error);
            told
        })
    });
    spawner.spawn(async move {
        messages = messages.with_limit(LIMIT);
        while let Ok(Some(message)) = messages.next().await {
            if packets.send(message).await.is_err() {
                break;
            }
        }
        drop(packets);
        let received = receiving.await;
        let _gone =
            end.send(received.unwrap_or_else(|error| Err(Status::new(Code::Unknown, error.to_string()))));
    });
    streaming(chunks, ending)
}

/// Takes the archive of the one exporter that there is.
pub(super) fn receive(
    archive: Option<&Archive>,
    messages: Messages<Incoming>,
    spawner: &Spawner,
) -> Response<Reply> {
    let Some(archive) = archive.cloned() else {
        return unary::<()>(Err(Status::new(Code::NotFound, "nobody takes what the build exports")));
    };
    // Nothing is answered but how it ended.
    let (_, chunks) = mpsc::channel(1);
    let (end, ending) = oneshot::channel();
    spawner.spawn(async move {
        let received = pass_on(messages.with_limit(LIMIT), &archive).await;
        if let Err(status) = &received {
            let cut = std::io::Error::other(format!("the archive was cut off: {}", status.message));
            // Who does not listen any more needs no word.
            let _ = archive.send(Err(cut)).await;
        }
        let _gone = end.send(received);
    });
    streaming(chunks, ending)
}

async fn pass_on(mut messages: Messages<Incoming>, archive: &Archive) -> Result<(), Status> {
    while let Some(message) = messages.next().await? {
        let message = BytesMessage::decode(message)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))?;
        if archive.send(Ok(message.data.into())).await.is_err() {
            return Err(Status::new(Code::Unavailable, "whoever takes the archive has ended"));
        }
    }
    Ok(())
}
