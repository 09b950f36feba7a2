//! `moby.filesync.v1.FileSync`: the daemon asks for a directory, `diffcopy` sends it.
//!
//! Requests are read by a task of their own and never wait for what is being sent, or both sides would
//! wait for each other (the daemon asks for every file before it reads the first).

use std::sync::{Arc, PoisonError};

use bollard_buildkit_proto::fsutil::types::Packet;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::mpsc;

use super::diffcopy::{self, Filter};
use super::grpc::{Code, Messages, Reply, Status, streaming, trailers, unary};
use super::metadata::FilesWanted;
use super::session::Services;
use super::tasks::Spawner;

/// Chunks that are ready before the network takes them.
const QUEUE: usize = 16;

/// Answers `DiffCopy`.
pub(super) fn diff_copy(
    services: &Arc<Services>,
    headers: &HeaderMap,
    mut messages: Messages<Incoming>,
    spawner: &Spawner,
) -> Response<Reply> {
    let wanted = match FilesWanted::parse(headers) {
        Ok(wanted) => wanted,
        Err(status) => return unary::<()>(Err(status)),
    };
    let Some(root) = services.directories.get(wanted.dir_name.as_str()).cloned() else {
        let refused = format!("no access allowed to dir {:?}", wanted.dir_name);
        return unary::<()>(Err(Status::new(Code::NotFound, refused)));
    };
    tracing::debug!(?wanted, "the daemon wants files");
    let filter = Filter { include: wanted.include, exclude: wanted.exclude, follow: wanted.follow };

    let (requests, incoming) = mpsc::unbounded_channel();
    spawner.spawn(async move {
        // A broken request ends the queue, and with it the transfer.
        while let Ok(Some(message)) = messages.next().await {
            let Ok(packet) = Packet::decode(message) else { break };
            if requests.send(packet).is_err() {
                break;
            }
        }
    });

    let (frames, reply) = mpsc::channel(QUEUE);
    let services = services.clone();
    spawner.spawn(async move {
        let outgoing = frames.clone();
        let outcome = diffcopy::send(root, filter, incoming, outgoing).await;
        let ending = match &outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(Status::new(Code::Unknown, error.to_string())),
        };
        // Noted before the daemon can know, and so before Solve can end.
        services.transfers.lock().unwrap_or_else(PoisonError::into_inner).push((wanted.dir_name, outcome));
        let _: Result<(), mpsc::error::SendError<Frame<Bytes>>> =
            frames.send(Frame::trailers(trailers(&ending))).await;
    });
    streaming(reply)
}
