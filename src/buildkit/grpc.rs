//! gRPC over HTTP/2 by hand, for the side where the daemon calls us: messages in and out of bodies,
//! and the two ways in which an answer ends.
//!
//! Obeys gRPC's `PROTOCOL-HTTP2.md`: a message is one byte of flags, four of length, and the bytes.
//! Compressed messages are refused, since we never say that we could read them.

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use tokio::sync::{mpsc, oneshot};

/// Bytes before each message.
pub(super) const PREFIX: usize = 5;
/// Longest message that is taken where nothing else is said. The daemon's are short: a number, a host, a
/// name. Each open call may hold this much, so that a hostile daemon's many calls stay bearable.
const LIMIT: usize = 256 << 10;

/// The codes of gRPC's `status.proto` that a session answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    Unknown = 2,
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Unavailable = 14,
}

/// How a call ended, when not well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Status {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Status {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn unimplemented(method: &str) -> Self {
        Self::new(Code::Unimplemented, format!("unknown method {method}"))
    }
}

/// Takes the next whole message, of at most `limit` bytes, off the buffer; `None` when more bytes are needed.
fn take_message(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, Status> {
    let Some((&[flags, a, b, c, d], _)) = buffer.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    if flags != 0 {
        return Err(Status::new(Code::Unimplemented, "compressed messages are not supported"));
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > limit {
        return Err(Status::new(Code::InvalidArgument, format!("a message of {length} bytes is too long")));
    }
    if buffer.len() < PREFIX + length {
        buffer.reserve(PREFIX + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// One message as it goes over the wire.
pub(super) fn encode(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut buffer = BytesMut::with_capacity(PREFIX + length);
    buffer.put_u8(0);
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // The buffer grows: there is always room.
    let _ = message.encode(&mut buffer);
    buffer.freeze()
}

/// The messages of a request, one after the other.
pub(super) struct Messages<B> {
    body: B,
    buffer: BytesMut,
    limit: usize,
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    pub(super) fn new(body: B) -> Self {
        Self { body, buffer: BytesMut::new(), limit: LIMIT }
    }

    /// The same with messages of up to this many bytes.
    pub(super) fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The next message; `None` when the caller has sent its last.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(message) = take_message(&mut self.buffer, self.limit)? {
                return Ok(Some(message));
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            match frame {
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Status::new(Code::InvalidArgument, "the last message is cut off")),
                Some(Err(error)) => return Err(Status::new(Code::Unknown, error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// The only message of a call that has one.
    pub(super) async fn only<M: prost::Message + Default>(&mut self) -> Result<M, Status> {
        let message = self.next().await?;
        let message = message.ok_or_else(|| Status::new(Code::InvalidArgument, "the call has no message"))?;
        M::decode(message).map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }
}

/// What an answer is made of: chunks of whole messages, then trailers.
pub(super) struct Reply {
    chunks: Chunks,
    ending: Option<Ending>,
}

enum Chunks {
    Ready(Option<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

enum Ending {
    Known(Result<(), Status>),
    Coming(oneshot::Receiver<Result<(), Status>>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut self.chunks {
            Chunks::Ready(chunk) => chunk.take(),
            Chunks::Stream(chunks) => ready!(chunks.poll_recv(cx)),
        };
        if let Some(chunk) = chunk {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        let outcome = match self.ending.take() {
            None => return Poll::Ready(None),
            Some(Ending::Known(outcome)) => outcome,
            Some(Ending::Coming(mut coming)) => match Pin::new(&mut coming).poll(cx) {
                Poll::Ready(outcome) => {
                    outcome.unwrap_or_else(|_| Err(Status::new(Code::Unknown, "the call was given up")))
                }
                Poll::Pending => {
                    self.ending = Some(Ending::Coming(coming));
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&outcome)))))
    }
}

/// The answer to a call with one message.
pub(super) fn unary<M: prost::Message>(outcome: Result<M, Status>) -> Response<Reply> {
    let (chunk, ending) = match outcome {
        Ok(message) => (Some(encode(&message)), Ok(())),
        Err(status) => (None, Err(status)),
    };
    response(Reply { chunks: Chunks::Ready(chunk), ending: Some(Ending::Known(ending)) })
}

/// The answer to a call with many: chunks of whole messages until their senders are gone, then the ending.
pub(super) fn streaming(
    chunks: mpsc::Receiver<Bytes>,
    ending: oneshot::Receiver<Result<(), Status>>,
) -> Response<Reply> {
    response(Reply { chunks: Chunks::Stream(chunks), ending: Some(Ending::Coming(ending)) })
}

fn trailers(outcome: &Result<(), Status>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(2);
    let code = outcome.as_ref().err().map_or(Code::Ok, |status| status.code);
    map.insert("grpc-status", HeaderValue::from(code as u16));
    if let Err(status) = outcome
        && let Ok(message) = HeaderValue::from_str(&percent_encode(&status.message))
    {
        map.insert("grpc-message", message);
    }
    map
}

fn response(reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    response
}

/// Visible ASCII and spaces stay, all else becomes `%XX`. Also for header values in general.
pub(super) fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::moby::filesync::v1::CredentialsRequest;
    use http_body_util::Full;

    #[test]
    fn messages_come_whole() {
        let mut buffer = BytesMut::new();
        let wire = [encode(&CredentialsRequest { host: "a".into() }), encode(&CredentialsRequest::default())]
            .concat();
        let mut taken = Vec::new();
        for byte in wire {
            buffer.put_u8(byte);
            while let Some(message) = take_message(&mut buffer, LIMIT).unwrap() {
                taken.push(message);
            }
        }
        assert_eq!(taken, [Bytes::from_static(b"\x0a\x01a"), Bytes::new()]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_refused() {
        let refused = |bytes: &[u8]| take_message(&mut BytesMut::from(bytes), LIMIT).unwrap_err().code;
        assert_eq!(refused(b"\x01\0\0\0\0"), Code::Unimplemented);
        assert_eq!(refused(b"\0\xff\xff\xff\xff"), Code::InvalidArgument);
        assert!(take_message(&mut BytesMut::from(&b"\0\0\0\0\x03abc"[..]), 3).is_ok());
        assert!(take_message(&mut BytesMut::from(&b"\0\0\0\0\x03abc"[..]), 2).is_err());
    }

    #[tokio::test]
    async fn a_cut_message_is_an_error() {
        let body = |bytes: &'static [u8]| Messages::new(Full::new(Bytes::from_static(bytes)));
        assert_eq!(body(b"").next().await, Ok(None));
        assert!(body(b"\0\0\0\0\x02a").next().await.is_err());
        assert!(body(b"").only::<CredentialsRequest>().await.is_err());
        assert!(body(b"\0\0\0\0\x01\xff").only::<CredentialsRequest>().await.is_err());
    }

    #[test]
    fn errors_travel_in_trailers() {
        let map = trailers(&Err(Status::new(Code::NotFound, "no ü 100%\n")));
        assert_eq!(map["grpc-status"], "5");
        assert_eq!(map["grpc-message"], "no %C3%BC 100%25%0A");
        assert_eq!(trailers(&Ok(()))["grpc-status"], "0");
    }
}
