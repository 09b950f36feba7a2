//! The HTTP client that everything here speaks through: HTTP/1.1 over pooled connections of ours.
//!
//! Its type is one, whatever a request sends, as each further type would be one more copy of the whole client in the
//! program. What is asked, and how long that may take, is the caller's matter.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::dial::{Connector, Dialer};

/// What a request sends.
pub type Outgoing = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The client.
pub type HttpClient = Client<Connector, Outgoing>;

/// Bytes of an answer's head.
const MAX_HEAD: usize = 64 * 1024;
/// Idle connections that are kept for each host.
const MAX_IDLE: usize = 8;

/// A client that makes its connections through this dialer. Connects to nothing yet.
pub fn client(dialer: Dialer) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(MAX_IDLE)
        .http1_max_buf_size(MAX_HEAD)
        .build(Connector::new(dialer))
}

/// A body of any kind as the client takes it.
pub fn outgoing<B>(body: B) -> Outgoing
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}
