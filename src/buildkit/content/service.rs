//! The calls of the content service: which store is meant, what it is asked for.
//!
//! It answers as containerd's `contentserver` does, where BuildKit looks at the difference; what BuildKit
//! has no use for (listing, deleting, labels) is refused.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Stores;
use super::passage::EXPORT;
use super::proto::{
    Info, InfoRequest, InfoResponse, ReadContentRequest, ReadContentResponse, WriteAction,
    WriteContentRequest, WriteContentResponse,
};
use super::store::{Ingest, Store};
use crate::buildkit::grpc::{Code, Messages, Reply, Status, encode, streaming, unary};
use crate::buildkit::tasks::Spawner;
use crate::model::Digest;

const CHUNK: u64 = 512 << 10;
/// What containerd's client puts into one message, at most, and room for the rest of it.
const WRITE_LIMIT: usize = (8 << 20) + (64 << 10);
/// A reference is a digest with a word before it.
const REFERENCE_LIMIT: usize = 1024;

/// Answers the method of this name.
pub(super) async fn answer(
    stores: &Stores,
    method: &str,
    headers: &HeaderMap,
    mut messages: Messages<Incoming>,
    spawner: &Spawner,
) -> Response<Reply> {
    let id = match store_id(headers) {
        Ok(id) => id,
        Err(status) => return unary::<()>(Err(status)),
    };
    if let (EXPORT, "Write", Some(passage)) = (id, method, stores.image.clone()) {
        let messages = messages.with_limit(WRITE_LIMIT);
        return stream(spawner, |outgoing| passage.write(messages, outgoing));
    }
    let Some(store) = stores.by_name.get(id).cloned() else {
        return unary::<()>(Err(Status::new(Code::NotFound, format!("unknown store {id}"))));
    };
    match method {
        "Info" => match messages.only().await {
            Ok(request) => unary(blocking(move || info(&store, &request)).await),
            Err(status) => unary::<()>(Err(status)),
        },
        "Read" => match messages.only().await {
            Ok(request) => stream(spawner, |outgoing| read(store, request, outgoing)),
            Err(status) => unary::<()>(Err(status)),
        },
        "Write" => {
            let turn = stores.writers.clone();
            let messages = messages.with_limit(WRITE_LIMIT);
            stream(spawner, |outgoing| write(store, turn, messages, outgoing))
        }
        // Nothing unfinished outlives its writer.
        "Abort" | "Status" => unary::<()>(Err(Status::new(Code::NotFound, "no such ref: not found"))),
        "Update" => {
            let refused = "update not supported on immutable content store";
            unary::<()>(Err(Status::new(Code::FailedPrecondition, refused)))
        }
        other => unary::<()>(Err(Status::unimplemented(other))),
    }
}

/// Which store is meant.
fn store_id(headers: &HeaderMap) -> Result<&str, Status> {
    let id = headers.get("buildkit-attachable-store-id").and_then(|id| id.to_str().ok());
    id.ok_or_else(|| Status::new(Code::InvalidArgument, "the request names no store"))
}

pub(super) fn parse(digest: &str) -> Result<Digest, Status> {
    Digest::parse(digest).map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
}

fn info(store: &Store, request: &InfoRequest) -> Result<InfoResponse, Status> {
    let (_, size) = store.open_blob(&parse(&request.digest)?)?;
    Ok(InfoResponse { info: Some(Info { digest: request.digest.clone(), size: signed(size) }) })
}

async fn read(
    store: Arc<Store>,
    request: ReadContentRequest,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), Status> {
    use std::os::unix::fs::FileExt as _;
    let digest = parse(&request.digest)?;
    let (file, size) = blocking(move || store.open_blob(&digest)).await?;
    let file = Arc::new(file);
    // Below zero: from the beginning, to the end.
    let start = u64::try_from(request.offset).unwrap_or(0);
    let wanted = u64::try_from(request.size).unwrap_or(0);
    if start > size {
        return Err(Status::new(Code::OutOfRange, format!("read past object length {size} bytes")));
    }
    let end = if wanted == 0 { size } else { start.saturating_add(wanted).min(size) };
    let mut at = start;
    while at < end {
        let (file, length) = (file.clone(), (end - at).min(CHUNK));
        let message = blocking(move || {
            let mut data = vec![0; usize::try_from(length).unwrap_or_default()];
            file.read_exact_at(&mut data, at)
                .map_err(|error| Status::new(Code::Unknown, error.to_string()))?;
            Ok(encode(&ReadContentResponse { offset: signed(at - start), data }))
        });
        if outgoing.send(message.await?).await.is_err() {
            break;
        }
        at += length;
    }
    Ok(())
}

async fn write(
    store: Arc<Store>,
    turn: Arc<Semaphore>,
    mut messages: Messages<Incoming>,
    outgoing: mpsc::Sender<Bytes>,
) -> Result<(), Status> {
    // Bounds what unread messages may hold.
    let _turn = turn.acquire().await;
    let mut writing: Option<Writing> = None;
    while let Some(message) = messages.next().await? {
        let request = WriteContentRequest::decode(message)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))?;
        let (so_far, store) = (writing.take(), store.clone());
        let (now, answer) = blocking(move || {
            let mut now = match so_far {
                Some(writing) => writing,
                None => Writing::begin(store, &request)?,
            };
            let answer = now.take(&request)?;
            Ok((now, answer))
        })
        .await?;
        let done = answer.action == WriteAction::Commit as i32;
        writing = Some(now);
        if outgoing.send(encode(&answer)).await.is_err() || done {
            break;
        }
    }
    Ok(())
}

/// One call of `Write`.
struct Writing {
    ingest: Ingest,
    total: u64,
    expected: Option<Digest>,
}

impl Writing {
    fn begin(store: Arc<Store>, first: &WriteContentRequest) -> Result<Self, Status> {
        if first.r#ref.is_empty() || first.r#ref.len() > REFERENCE_LIMIT {
            return Err(Status::new(Code::InvalidArgument, "first message must have a reference"));
        }
        Ok(Self { ingest: store.begin(&first.r#ref)?, total: 0, expected: None })
    }

    fn take(&mut self, request: &WriteContentRequest) -> Result<WriteContentResponse, Status> {
        if !request.expected.is_empty() {
            let expected = parse(&request.expected)?;
            self.ingest.store().refuse_known(&expected)?;
            self.expected = Some(expected);
        }
        if let Ok(total @ 1..) = u64::try_from(request.total) {
            self.total = total;
        }
        if request.action != WriteAction::Stat as i32 {
            let length = self.ingest.length();
            match u64::try_from(request.offset) {
                Ok(0) if length > 0 => self.ingest.restart()?,
                Ok(offset) if offset == length => {}
                _ => {
                    let refused = format!("write @{} must occur at current offset {length}", request.offset);
                    return Err(Status::new(Code::OutOfRange, refused));
                }
            }
            self.ingest.write(&request.data)?;
        }
        let digest = if request.action == WriteAction::Commit as i32 {
            self.ingest.commit(self.total, self.expected.as_ref())?
        } else {
            self.ingest.digest()
        };
        Ok(WriteContentResponse {
            action: request.action,
            offset: signed(self.ingest.length()),
            total: signed(self.total),
            digest: digest.to_string(),
        })
    }
}

/// Runs a call that answers with many messages.
fn stream<F>(spawner: &Spawner, call: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Response<Reply>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (outgoing, chunks) = mpsc::channel(1);
    let (end, ending) = oneshot::channel();
    let call = call(outgoing);
    spawner.spawn(async move {
        // The daemon may have gone: then nobody needs to be told.
        let _gone = end.send(call.await);
    });
    streaming(chunks, ending)
}

/// Files are read and written beside the runtime: the daemon ends a session that does not answer for 15 s.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Status::new(Code::Unknown, error.to_string())))
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(action: WriteAction, offset: i64, data: &'static [u8]) -> WriteContentRequest {
        let (action, data) = (action as i32, Bytes::from_static(data));
        WriteContentRequest { action, offset, data, r#ref: "ref".into(), ..WriteContentRequest::default() }
    }

    fn begin(store: &Arc<Store>) -> Result<Writing, Code> {
        Writing::begin(store.clone(), &request(WriteAction::Stat, 0, b"")).map_err(|status| status.code)
    }

    #[test]
    fn a_blob_comes_in_parts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/cache");
        let store = Arc::new(Store::new(path.clone(), true));
        let mut writing = begin(&store).unwrap();
        assert_eq!(begin(&store).err(), Some(Code::Unavailable), "one writer for a reference");
        let stat = writing.take(&request(WriteAction::Stat, 0, b"")).unwrap();
        assert_eq!((stat.offset, stat.digest), (0, Digest::of(b"").to_string()));
        assert_eq!(writing.take(&request(WriteAction::Write, 0, b"wrong")).unwrap().offset, 5);
        assert_eq!(writing.take(&request(WriteAction::Write, 0, b"ab")).unwrap().offset, 2, "again");
        let gap = writing.take(&request(WriteAction::Write, 3, b"d")).unwrap_err();
        assert_eq!(gap.code, Code::OutOfRange);
        assert_eq!(store.open_blob(&Digest::of(b"abc")).unwrap_err().code, Code::NotFound);
        let commit = WriteContentRequest {
            total: 3,
            expected: Digest::of(b"abc").to_string(),
            ..request(WriteAction::Commit, 2, b"c")
        };
        let done = writing.take(&commit).unwrap();
        assert_eq!((done.offset, done.digest.as_str()), (3, Digest::of(b"abc").as_str()));
        assert_eq!(store.open_blob(&Digest::of(b"abc")).unwrap().1, 3);
        assert_eq!(store.last(), Some((Digest::of(b"abc"), 3)));
        drop(writing);
        store.tidy();
        let mut left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["blobs"]);
        let known = begin(&store).unwrap().take(&commit).unwrap_err();
        assert_eq!(known.code, Code::AlreadyExists);
    }

    #[test]
    fn what_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(directory.path().join("cache"), true));
        let digest = Digest::of(b"other").to_string();
        for (total, expected, data, code) in [
            (0, digest.as_str(), &b"abc"[..], Code::FailedPrecondition),
            (4, "", b"abc", Code::FailedPrecondition),
            (0, "sha256:../../x", b"abc", Code::InvalidArgument),
            (0, "../../x", b"abc", Code::InvalidArgument),
        ] {
            let mut writing = begin(&store).unwrap();
            let commit = request(WriteAction::Commit, 0, data);
            let commit = WriteContentRequest { total, expected: expected.into(), ..commit };
            assert_eq!(writing.take(&commit).unwrap_err().code, code, "{total} {expected}");
        }
        // A name in the reference leads nowhere either.
        let bad = WriteContentRequest { r#ref: "../../x".into(), ..request(WriteAction::Write, 0, b"x") };
        let mut unfinished = Writing::begin(store.clone(), &bad).unwrap();
        unfinished.take(&bad).unwrap();
        drop(unfinished);
        assert_eq!(std::fs::read_dir(directory.path().join("cache/ingest")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let nameless = WriteContentRequest { r#ref: String::new(), ..bad };
        assert!(Writing::begin(store, &nameless).is_err());
        let readable = Arc::new(Store::new(directory.path().join("other"), false));
        assert_eq!(begin(&readable).err(), Some(Code::PermissionDenied));
        assert!(!directory.path().join("other").exists());
    }

    #[tokio::test]
    async fn ranges() {
        let directory = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..1_300_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let digest = Digest::of(&content);
        let blobs = directory.path().join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(digest.as_str().trim_start_matches("sha256:")), &content).unwrap();
        let store = Arc::new(Store::new(directory.path().to_owned(), false));
        for (offset, size, expected) in [
            (0, 0, Ok(0..1_300_000)),
            (-1, -1, Ok(0..1_300_000)),
            (600_000, 600_000, Ok(600_000..1_200_000)),
            (1_299_999, 10, Ok(1_299_999..1_300_000)),
            (1_300_000, 10, Ok(1_300_000..1_300_000)),
            (5, i64::MAX, Ok(5..1_300_000)),
            (1_300_001, 1, Err(Code::OutOfRange)),
        ] {
            let request = ReadContentRequest { digest: digest.to_string(), offset, size };
            let (outgoing, mut incoming) = mpsc::channel(64);
            let outcome = read(store.clone(), request, outgoing).await.map_err(|status| status.code);
            let mut got = Vec::new();
            while let Some(message) = incoming.recv().await {
                let part = ReadContentResponse::decode(&message[5..]).unwrap();
                assert_eq!(usize::try_from(part.offset).unwrap(), got.len());
                got.extend(part.data);
            }
            match expected {
                Ok(range) => assert!(outcome.is_ok() && got == content[range], "{offset} {size}"),
                Err(code) => assert_eq!(outcome, Err(code)),
            }
        }
    }
}
