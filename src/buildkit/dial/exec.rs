//! The way into a container: `buildctl dial-stdio` is run in it through the Docker API, and its standard streams are
//! the connection to its buildkitd.
//!
//! What it writes comes in frames: a byte for the stream (1 stdout, 2 stderr), three of nothing, four of length; what
//! it reads is sent as it is (Docker's API, "Attach to a container"). When our end closes, the daemon closes its
//! stdin, and it ends. A few times slower than the socket itself: it is for builders that others have made.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::address::Address;
use super::super::connect_error::ConnectError;
use super::Io;
use super::docker::{Exchange, asking_for, message_of, request};
use super::witness::{Watched, Witness};
use crate::model::text;

const HEADER: usize = 8;
/// Bytes that are read at once: more than one of the daemon's frames.
const BUFFER: usize = 64 << 10;

/// Runs the program and gives its streams.
pub(super) async fn start(
    address: &Address,
    socket: &Path,
    container: &str,
    witness: &Witness,
) -> Result<Box<dyn Io>, ConnectError> {
    witness.stage("starting `buildctl dial-stdio` in it");
    let wanted = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Cmd": ["buildctl", "dial-stdio"],
    });
    let body = call(address, socket, &format!("/containers/{}/exec", escape(container)), &wanted).await?;
    let id = body.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    witness.note(|seen| seen.exec = Some(id.clone()));

    let request = request(Method::POST, &format!("/exec/{}/start", escape(&id)), Some(&json!({})));
    let request = request.map_err(|source| ConnectError::Request { address: address.clone(), source })?;
    let exchange = Exchange::send(socket, asking_for(request, "tcp")).await?;
    if exchange.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = exchange.status().as_u16();
        return Err(refused(address, status, &exchange.body().await));
    }
    let streams = Demultiplexed::new(TokioIo::new(exchange.upgraded().await?), witness.clone());
    witness.stage("asking for its version");
    Ok(Box::new(TokioIo::new(Watched::new(streams, witness.clone()))))
}

/// How the program ended, if it did and the daemon says so.
pub(in crate::buildkit) async fn exit_code(socket: &Path, id: &str) -> Option<i64> {
    let request = request(Method::GET, &format!("/exec/{}/json", escape(id)), None).ok()?;
    let exchange = Exchange::send(socket, request).await.ok()?;
    let answer: Value = serde_json::from_slice(&exchange.body().await).ok()?;
    answer.get("ExitCode")?.as_i64()
}

async fn call(address: &Address, socket: &Path, path: &str, json: &Value) -> Result<Value, ConnectError> {
    let request = request(Method::POST, path, Some(json));
    let request = request.map_err(|source| ConnectError::Request { address: address.clone(), source })?;
    let exchange = Exchange::send(socket, request).await?;
    let status = exchange.status();
    let body = exchange.body().await;
    if !status.is_success() {
        return Err(refused(address, status.as_u16(), &body));
    }
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

fn refused(address: &Address, status: u16, body: &[u8]) -> ConnectError {
    ConnectError::NoExec { address: address.clone(), status, said: text::line(&message_of(body)) }
}

/// A name as a part of a path: names and ids of containers need none of this, other texts shall do no harm.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(char::from(byte)),
            b'.' if text != "." && text != ".." => escaped.push('.'),
            other => {
                // A String takes everything.
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

/// Takes the frames apart: stdout is what is read, stderr goes to the witness.
struct Demultiplexed<S> {
    stream: S,
    witness: Witness,
    buffer: Box<[u8]>,
    /// What is in the buffer and not taken yet.
    held: std::ops::Range<usize>,
    frame: Frames,
}

/// Where in the frames one is.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER],
    /// Bytes of the header that are here.
    have: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
}

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// So many bytes of stdout are next.
    Stdout(usize),
    /// So many bytes of stderr are next.
    Stderr(usize),
    /// More bytes are needed.
    More,
    /// No frame begins like this.
    Nonsense,
}

impl Frames {
    /// What is next in these bytes; takes headers off them.
    fn next(&mut self, bytes: &mut &[u8]) -> Part {
        loop {
            if self.left > 0 {
                let length = self.left.min(bytes.len());
                return match (length, self.header[0]) {
                    (0, _) => Part::More,
                    (length, 2) => Part::Stderr(length),
                    (length, _) => Part::Stdout(length),
                };
            }
            let taken = bytes.len().min(HEADER - self.have);
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            *bytes = &bytes[taken..];
            self.have += taken;
            if self.have < HEADER {
                return Part::More;
            }
            let [stream, a, b, c, length @ ..] = self.header;
            if !matches!((stream, a, b, c), (0..=2, 0, 0, 0)) {
                return Part::Nonsense;
            }
            self.have = 0;
            self.left = u32::from_be_bytes(length) as usize;
        }
    }

    fn take(&mut self, length: usize) {
        self.left -= length;
    }
}

impl<S> Demultiplexed<S> {
    fn new(stream: S, witness: Witness) -> Self {
        Self { stream, witness, buffer: vec![0; BUFFER].into(), held: 0..0, frame: Frames::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Demultiplexed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            let mut bytes = &this.buffer[this.held.clone()];
            let part = this.frame.next(&mut bytes);
            this.held.start = this.held.end - bytes.len();
            match part {
                Part::Stdout(length) => {
                    let length = length.min(buf.remaining());
                    if length == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    buf.put_slice(&bytes[..length]);
                    this.held.start += length;
                    this.frame.take(length);
                }
                Part::Stderr(length) => {
                    this.witness.stderr(&bytes[..length]);
                    this.held.start += length;
                    this.frame.take(length);
                }
                Part::Nonsense => {
                    let why = "the daemon's stream of standard output has no frames";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                // What there is, is not held back for what may come.
                Part::More if buf.filled().len() > before => return Poll::Ready(Ok(())),
                Part::More => {
                    let mut space = ReadBuf::new(&mut this.buffer);
                    ready!(Pin::new(&mut this.stream).poll_read(cx, &mut space))?;
                    this.held = 0..space.filled().len();
                    if this.held.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Demultiplexed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut bytes = vec![stream, 0, 0, 0];
        bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    /// What is read, and what the witness heard, when the bytes come in pieces of this size.
    async fn read(bytes: &[u8], piece: usize) -> (io::Result<Vec<u8>>, Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(piece);
        let witness = Witness::default();
        let mut streams = Demultiplexed::new(ours, witness.clone());
        let mut out = Vec::new();
        let writing = async {
            let _unread = theirs.write_all(bytes).await;
            drop(theirs);
        };
        let reading = async {
            let read = streams.read_to_end(&mut out).await;
            drop(streams);
            read
        };
        let ((), read) = tokio::join!(writing, reading);
        (read.map(|_| out), witness.seen().stderr)
    }

    #[tokio::test]
    async fn frames_in_pieces_of_any_size() {
        let mut bytes = Vec::new();
        for (stream, text) in [(1, "PRI * "), (2, "warning: "), (1, ""), (1, "HTTP/2.0"), (2, "x"), (0, "!")]
        {
            bytes.extend(frame(stream, text));
        }
        let long = "y".repeat(200_000);
        bytes.extend(frame(1, &long));
        for piece in [1, 3, 7, 8, 9, 1 << 16, 1 << 20] {
            let (out, stderr) = read(&bytes, piece).await;
            assert_eq!(out.unwrap(), format!("PRI * HTTP/2.0!{long}").into_bytes(), "{piece}");
            assert_eq!(stderr, b"warning: x");
        }
    }

    #[tokio::test]
    async fn what_is_no_frame() {
        let (out, _) = read(b"HTTP/1.1 200 OK\r\n\r\n", 64).await;
        assert_eq!(out.unwrap_err().kind(), io::ErrorKind::InvalidData);
        // Cut off in a header.
        assert_eq!(read(&frame(1, "ab")[..9], 64).await.0.unwrap(), b"a");
    }

    #[test]
    fn names_in_paths() {
        for (name, path) in [
            ("buildx_buildkit_b0", "buildx_buildkit_b0"),
            ("..", "%2E%2E"),
            ("a.b", "a.b"),
            ("a/b?c", "a%2Fb%3Fc"),
        ] {
            assert_eq!(escape(name), path);
        }
    }
}
