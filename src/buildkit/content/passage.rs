//! Blobs that are not kept but go on as they come, to whoever makes a file of them: one after the other, though BuildKit offers
//! several at once.
//!
//! The exporter `oci` with `tar=false` writes them into a store of the name [`EXPORT`]. It reads them from the builder's store in
//! pieces of 1 MiB then, and of 32 KiB for an archive, each of which is a request where that store is containerd's (BuildKit's
//! `exporter/oci`; `copyWithBuffer` and `images/archive` of containerd).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::{Mutex, mpsc};

use super::proto::{WriteAction, WriteContentRequest, WriteContentResponse};
use super::service::{parse, signed};
use crate::buildkit::grpc::{Code, Messages, Status, encode};
use crate::model::Digest;

/// What BuildKit calls the store that an image is exported to.
pub(super) const EXPORT: &str = "export";

/// A part of an image on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobPart {
    /// A blob begins, of this many bytes. Nobody has looked at them yet.
    Begin(Digest, u64),
    /// Its bytes.
    Data(Bytes),
}

/// Who takes an image's blobs. It has room for a few parts, each of which may be of 1 MiB.
pub type Blobs = mpsc::Sender<BlobPart>;

/// The way through.
#[derive(Debug)]
pub(super) struct Passage {
    blobs: Blobs,
    /// What has passed; whoever holds it has the way for himself.
    passed: Mutex<BTreeSet<Digest>>,
}

/// A blob on its way.
struct Passing {
    digest: Digest,
    size: u64,
    length: u64,
}

impl Passage {
    pub(super) fn to(blobs: Blobs) -> Self {
        Self { blobs, passed: Mutex::default() }
    }

    /// Answers one call of `Write`, which is one blob. Others wait for its end.
    pub(super) async fn write(
        self: Arc<Self>,
        mut messages: Messages<Incoming>,
        outgoing: mpsc::Sender<Bytes>,
    ) -> Result<(), Status> {
        let mut passed = self.passed.lock().await;
        let mut passing: Option<Passing> = None;
        while let Some(message) = messages.next().await? {
            let request = WriteContentRequest::decode(message)
                .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))?;
            let blob = match &mut passing {
                Some(blob) => blob,
                None => passing.insert(self.begin(&request, &passed).await?),
            };
            let answer = self.take(blob, request).await?;
            let done = answer.action == WriteAction::Commit as i32;
            if done {
                passed.insert(blob.digest.clone());
            }
            if outgoing.send(encode(&answer)).await.is_err() || done {
                break;
            }
        }
        Ok(())
    }

    async fn begin(&self, first: &WriteContentRequest, passed: &BTreeSet<Digest>) -> Result<Passing, Status> {
        let digest = parse(&first.expected)?;
        if passed.contains(&digest) {
            return Err(Status::new(Code::AlreadyExists, format!("content {digest}: already exists")));
        }
        let Ok(size @ 1..) = u64::try_from(first.total) else {
            return Err(Status::new(Code::InvalidArgument, format!("content {digest}: of no size")));
        };
        self.hand_on(BlobPart::Begin(digest.clone(), size)).await?;
        Ok(Passing { digest, size, length: 0 })
    }

    async fn take(
        &self,
        blob: &mut Passing,
        request: WriteContentRequest,
    ) -> Result<WriteContentResponse, Status> {
        let commits = request.action == WriteAction::Commit as i32;
        if request.action != WriteAction::Stat as i32 {
            let (length, size) = (blob.length, blob.size);
            // What has passed cannot be taken back.
            if u64::try_from(request.offset) != Ok(length) {
                let refused = format!("write @{} must occur at current offset {length}", request.offset);
                return Err(Status::new(Code::OutOfRange, refused));
            }
            let length = length.saturating_add(request.data.len() as u64);
            if length > size || (commits && length != size) {
                let refused = format!("content {}: {length} bytes, and not {size}", blob.digest);
                return Err(Status::new(Code::FailedPrecondition, refused));
            }
            blob.length = length;
            if !request.data.is_empty() {
                self.hand_on(BlobPart::Data(request.data)).await?;
            }
        }
        Ok(WriteContentResponse {
            action: request.action,
            offset: signed(blob.length),
            total: signed(blob.size),
            // Whoever takes the blob looks whether it has it.
            digest: if commits { blob.digest.to_string() } else { String::new() },
        })
    }

    async fn hand_on(&self, part: BlobPart) -> Result<(), Status> {
        // Not `Unavailable`, which means to containerd that it should come again.
        let gone = |_| Status::new(Code::Aborted, "whoever takes the image has ended");
        self.blobs.send(part).await.map_err(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(action: WriteAction, offset: i64, data: &'static [u8]) -> WriteContentRequest {
        WriteContentRequest {
            action: action as i32,
            r#ref: "layer-x".into(),
            total: 5,
            expected: Digest::of(b"abcde").to_string(),
            offset,
            data: Bytes::from_static(data),
        }
    }

    #[tokio::test]
    async fn a_blob_passes_as_it_comes() {
        let (blobs, mut parts) = mpsc::channel(8);
        let passage = Passage::to(blobs);
        let stat = request(WriteAction::Stat, 0, b"");
        let mut blob = passage.begin(&stat, &BTreeSet::new()).await.unwrap();
        let answer = passage.take(&mut blob, stat).await.unwrap();
        assert_eq!((answer.offset, answer.total, answer.digest.as_str()), (0, 5, ""));
        assert_eq!(passage.take(&mut blob, request(WriteAction::Write, 0, b"abc")).await.unwrap().offset, 3);
        let answer = passage.take(&mut blob, request(WriteAction::Commit, 3, b"de")).await.unwrap();
        assert_eq!((answer.offset, answer.digest), (5, Digest::of(b"abcde").to_string()));
        drop(passage);
        let mut came = Vec::new();
        while let Some(part) = parts.recv().await {
            came.push(part);
        }
        let data = |bytes: &'static [u8]| BlobPart::Data(Bytes::from_static(bytes));
        assert_eq!(came, [BlobPart::Begin(Digest::of(b"abcde"), 5), data(b"abc"), data(b"de")]);
    }

    #[tokio::test]
    async fn what_does_not_pass() {
        let (blobs, parts) = mpsc::channel(8);
        let passage = Passage::to(blobs);
        let stat = request(WriteAction::Stat, 0, b"");
        let begin = async |first: &WriteContentRequest, passed: &[Digest]| {
            let passed = passed.iter().cloned().collect();
            passage.begin(first, &passed).await.map(|_| ()).map_err(|status| status.code)
        };
        assert_eq!(begin(&stat, &[Digest::of(b"abcde")]).await, Err(Code::AlreadyExists));
        for total in [0, -1] {
            let sizeless = WriteContentRequest { total, ..stat.clone() };
            assert_eq!(begin(&sizeless, &[]).await, Err(Code::InvalidArgument), "{total}");
        }
        let nameless = WriteContentRequest { expected: "../x".into(), ..stat.clone() };
        assert_eq!(begin(&nameless, &[]).await, Err(Code::InvalidArgument));
        for (bad, code) in [
            (request(WriteAction::Write, 1, b"x"), Code::OutOfRange),
            (request(WriteAction::Write, -1, b"x"), Code::OutOfRange),
            (request(WriteAction::Write, 0, b"abcdef"), Code::FailedPrecondition),
            (request(WriteAction::Commit, 0, b"abcd"), Code::FailedPrecondition),
        ] {
            let mut blob = passage.begin(&stat, &BTreeSet::new()).await.unwrap();
            assert_eq!(passage.take(&mut blob, bad).await.unwrap_err().code, code);
        }
        drop(parts);
        assert_eq!(begin(&stat, &[]).await, Err(Code::Aborted));
    }
}
