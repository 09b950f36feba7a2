//! The body of a request that is what another registry is sending at the same time.
//!
//! What passes through is not kept, however long it is, and is counted, so that a transfer which stands still is seen.
//! Its digest is for the registry that takes it to check: it may keep it under no other.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What another registry is sending.
pub struct Passing {
    body: Incoming,
    progress: Progress,
}

impl Passing {
    /// This body.
    pub fn new(body: Incoming) -> Self {
        Self { body, progress: Progress::default() }
    }

    /// How far it has come, also when it is on its way.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Its bytes, if the other registry says.
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }
}

/// How far a body has come.
#[derive(Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Ready when nothing has come for so long.
    pub async fn stalled(&self, limit: Duration) {
        let mut before = None;
        loop {
            let bytes = self.0.load(Ordering::Relaxed);
            if before.replace(bytes) == Some(bytes) {
                return;
            }
            tokio::time::sleep(limit).await;
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let passing = self.get_mut();
        let polled = Pin::new(&mut passing.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
            passing.progress.0.fetch_add(bytes, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
