//! What a connection showed below HTTP/2: its first bytes, how it ended, what a tunnel's program wrote to stderr.
//!
//! An HTTP/2 stack tells its calls that "the connection broke" and keeps the reason to itself. TLS 1.3 lets a
//! server refuse our certificate only after our side of the handshake is done, so that reason is the one that matters.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes from the beginning that tell what the other side speaks.
const FIRST: usize = 8;
/// Bytes of stderr that are kept: the last ones say why it ended.
const STDERR: usize = 4096;

/// Shared by a connection and whoever explains its end.
#[derive(Clone, Debug, Default)]
pub(in crate::buildkit) struct Witness(Arc<Mutex<Seen>>);

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub(in crate::buildkit) struct Seen {
    /// What is being done, for an error that says what was waited for.
    pub stage: &'static str,
    /// The other side's first bytes, at most 8.
    pub first: Vec<u8>,
    /// The other side closed in order.
    pub ended: bool,
    /// Reading or writing failed inside TLS.
    pub tls: Option<rustls::Error>,
    /// Reading or writing failed.
    pub failed: Option<String>,
    /// The last of what a program in between wrote to stderr.
    pub stderr: Vec<u8>,
    /// Where that program can be asked for.
    pub exec: Option<String>,
}

impl Witness {
    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.note(|seen| seen.clone())
    }

    /// Says what is being done from now on.
    pub fn stage(&self, stage: &'static str) {
        self.note(|seen| seen.stage = stage);
    }

    pub(super) fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn stderr(&self, bytes: &[u8]) {
        self.note(|seen| {
            seen.stderr.extend_from_slice(bytes);
            let excess = seen.stderr.len().saturating_sub(STDERR);
            seen.stderr.drain(..excess);
        });
    }

    fn failed(&self, error: &io::Error) {
        self.note(|seen| {
            seen.tls = seen.tls.take().or_else(|| super::tls::inside(error).cloned());
            seen.failed.get_or_insert_with(|| error.to_string());
        });
    }
}

/// A stream with a witness.
pub(super) struct Watched<S> {
    stream: S,
    witness: Witness,
    /// How many of the first bytes are still to come.
    curious: usize,
    /// A failure to write that nobody was told yet.
    held_back: Option<io::Error>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, witness: Witness) -> Self {
        Self { stream, witness, curious: FIRST, held_back: None }
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    fn note_read(&mut self, new: &[u8]) {
        if new.is_empty() {
            self.witness.note(|seen| seen.ended = true);
        } else if self.curious > 0 {
            let taken = &new[..new.len().min(self.curious)];
            self.witness.note(|seen| seen.first.extend_from_slice(taken));
            self.curious -= taken.len();
        }
    }

    /// Whoever cannot write ends the connection and reads no more: what the other side said before it closed is the
    /// reason. So, while nothing was read, a failure to write is held back until there is something to read, be it the
    /// end (opening a connection is bounded in time).
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let error = match self.held_back.take() {
            Some(error) => error,
            None => match write(Pin::new(&mut self.stream), cx) {
                Poll::Ready(Err(error)) => error,
                other => return other,
            },
        };
        self.witness.failed(&error);
        if self.curious == FIRST {
            let mut last = [0; 1024];
            let mut last = ReadBuf::new(&mut last);
            match Pin::new(&mut self.stream).poll_read(cx, &mut last) {
                Poll::Ready(Ok(())) => self.note_read(last.filled()),
                Poll::Ready(Err(error)) => self.witness.failed(&error),
                Poll::Pending => {
                    self.held_back = Some(error);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Err(error))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining() > 0);
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &result {
            Poll::Ready(Ok(())) if room => self.note_read(&buf.filled()[before..]),
            Poll::Ready(Err(error)) => self.witness.failed(error),
            _ => {}
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn sees_the_beginning_and_the_end() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let witness = Witness::default();
        let mut watched = Watched::new(ours, witness.clone());
        theirs.write_all(b"HTTP/1.1 400").await.unwrap();
        drop(theirs);
        let mut all = Vec::new();
        watched.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"HTTP/1.1 400");
        let seen = witness.seen();
        assert_eq!((seen.first.as_slice(), seen.ended, seen.failed), (&b"HTTP/1.1"[..], true, None));
    }

    #[test]
    fn keeps_the_end_of_stderr() {
        let witness = Witness::default();
        witness.stderr(&[b'a'; 5000]);
        witness.stderr(b"why");
        let stderr = witness.seen().stderr;
        assert_eq!((stderr.len(), stderr.ends_with(b"awhy")), (4096, true));
    }
}
