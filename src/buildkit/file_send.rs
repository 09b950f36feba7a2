//! `moby.filesync.v1.FileSend`: the daemon sends the archive that an exporter makes (`session/filesync`, `CopyFileWriter`).
//!
//! The parts go on as they come to whoever takes them, which holds the daemon back: never more than a few are here. An archive
//! that was cut off ends with an error, never like a whole one.

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};

use super::grpc::{Code, Messages, Reply, Status, streaming, unary};
use super::tasks::Spawner;

/// Longest message that is taken: the daemon's are of 32 KiB.
const LIMIT: usize = 4 << 20;

/// A part of an archive, or why it ends here.
pub type ArchivePart = Result<Bytes, std::io::Error>;

/// Who takes an archive. It has room for a few parts.
pub type Archive = mpsc::Sender<ArchivePart>;

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
