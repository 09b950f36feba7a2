//! `moby.filesync.v1.FileSync`: the daemon asks for a directory, `diffcopy` sends it.
//!
//! Requests are read by a task of their own and never wait for what is being sent, or both sides would
//! wait for each other (the daemon asks for every file before it reads the first).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Response};
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};

use super::diffcopy;
use super::grpc::{Code, Messages, Reply, Status, streaming, unary};
use super::metadata::FilesWanted;
use super::tasks::Spawner;
use super::transfers::Transfers;

/// Chunks that are ready before the network takes them.
const QUEUE: usize = 1;

/// Answers `DiffCopy` of one of these directories, by the name that the daemon asks for.
pub(super) fn diff_copy(
    directories: &BTreeMap<String, PathBuf>,
    transfers: &Transfers,
    staging: Option<&str>,
    headers: &HeaderMap,
    mut messages: Messages<Incoming>,
    spawner: &Spawner,
) -> Response<Reply> {
    let FilesWanted { dir_name, mut filter } = match FilesWanted::parse(headers) {
        Ok(wanted) => wanted,
        Err(status) => return unary::<()>(Err(status)),
    };
    // Last, so that no pattern takes it back.
    filter.exclude.extend(staging.map(staged));
    let Some(root) = directories.get(dir_name.as_str()).cloned() else {
        let refused = format!("no access allowed to dir {dir_name:?}");
        return unary::<()>(Err(Status::new(Code::NotFound, refused)));
    };
    tracing::info!(dir_name, follow = ?filter.follow, excluded = filter.exclude.len(), "the daemon wants files");

    let (requests, incoming) = mpsc::unbounded_channel();
    spawner.spawn(async move {
        // A broken request ends the queue, and with it the transfer.
        while let Ok(Some(message)) = messages.next().await {
            if requests.send(message).is_err() {
                break;
            }
        }
    });

    let (outgoing, chunks) = mpsc::channel(QUEUE);
    let (end, ending) = oneshot::channel();
    let transfer = transfers.begin(dir_name);
    spawner.spawn(async move {
        let outcome = diffcopy::send(root, filter, incoming, outgoing, Arc::default()).await;
        let told = match &outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(Status::new(Code::Unknown, error.to_string())),
        };
        transfer.end(outcome);
        // The daemon may have gone: then nobody needs to be told.
        let _gone = end.send(told);
    });
    streaming(chunks, ending)
}

/// What this run is writing into the directory at the same time is no part of it.
fn staged(id: &str) -> String {
    format!("**/.*.{id}.partial")
}
