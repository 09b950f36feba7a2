//! One question to the daemon, on a connection of its own.
//!
//! The path has no API version: every engine takes that. What may be asked, and how long the answer may take, is the caller's
//! matter.

use std::path::Path;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// Bytes of an answer; a list of a thousand containers has two million.
const LONGEST: usize = 32 << 20;

/// Asks the daemon behind this socket by a GET.
///
/// # Errors
/// What went wrong on the way, as others say it. An answer of any status is none.
pub(super) async fn get(socket: &Path, path: &str) -> Result<Response<Bytes>, String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let stream = UnixStream::connect(socket).await.map_err(|error| told(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| told(&error))?;
    let request = Request::get(path).header(header::HOST, "docker").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| told(&error))?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(|error| told(&error))?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| told(&error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        ended = connection => ended.map_err(|error| told(&error))?,
    }
    // The last of it was read.
    answer.await
}
