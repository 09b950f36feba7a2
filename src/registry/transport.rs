//! One HTTP exchange with a registry, bounded in time and size.
//!
//! HTTP/1.1 over pooled connections. Redirects are followed for GET and HEAD only, never down from HTTPS, and
//! `Authorization` never travels to another origin.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use super::body::Passing;
use super::error::Kind;
use crate::model::{causes, text};
use crate::net::client::{HttpClient, Outgoing, client, outgoing};
use crate::net::dial::{DialFault, Dialer, host_and_port, said};

/// How long the parts of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Making one connection.
    pub connect: Duration,
    /// A whole exchange, with redirects and the answer's last byte.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30) }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// GET and HEAD follow redirects.
    pub method: Method,
    /// The whole URL.
    pub uri: Uri,
    /// `Authorization` among them.
    pub headers: HeaderMap,
    /// Empty for GET and HEAD.
    pub body: Bytes,
    /// The most that a good answer's body may have, in bytes.
    pub limit: usize,
    /// What that body is, for messages.
    pub what: &'static str,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status, never a followed redirect's.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The body; of an error answer at most the first 64 KiB.
    pub body: Bytes,
}

/// Redirects that are followed in one exchange.
const MAX_REDIRECTS: usize = 5;
/// Bytes of an error answer's body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// The HTTP client of one registry.
#[derive(Debug)]
pub struct Transport {
    client: HttpClient,
    timeouts: Timeouts,
}

impl Transport {
    /// A client that makes its connections through this dialer.
    pub fn new(dialer: Dialer, timeouts: Timeouts) -> Self {
        Self { client: client(dialer), timeouts }
    }

    /// Sends and reads the answer, whatever its status.
    pub async fn exchange(&self, call: Call) -> Result<Answer, Kind> {
        let limit = self.timeouts.request;
        let timeout = |_| Kind::Timeout { what: "answer", limit };
        tokio::time::timeout(limit, self.follow(call)).await.map_err(timeout)?
    }

    /// Begins to read what may be long: the body comes as it is asked for.
    pub async fn open(&self, call: Call) -> Result<http::Response<Incoming>, Kind> {
        let limit = self.timeouts.request;
        let timeout = |_| Kind::Timeout { what: "answer", limit };
        tokio::time::timeout(limit, self.redirected(call)).await.map_err(timeout)?
    }

    /// Longest time without a byte.
    pub fn patience(&self) -> Duration {
        self.timeouts.request
    }

    /// Sends what another registry is sending. It may take as long as bytes come.
    pub async fn pass(&self, call: Call, body: Passing) -> Result<Answer, Kind> {
        let (limit, progress) = (self.timeouts.request, body.progress());
        let sending = async { answer(self.send(&call, outgoing(body)).await?, call.limit, call.what).await };
        tokio::select! {
            answer = sending => answer,
            () = progress.stalled(limit) => Err(Kind::Timeout { what: "progress", limit }),
        }
    }

    async fn follow(&self, call: Call) -> Result<Answer, Kind> {
        let (limit, what) = (call.limit, call.what);
        answer(self.redirected(call).await?, limit, what).await
    }

    /// The answer at the end of all redirects.
    async fn redirected(&self, mut call: Call) -> Result<http::Response<Incoming>, Kind> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&call, outgoing(Full::new(call.body.clone()))).await?;
            let (status, headers) = (response.status(), response.headers());
            let reads = call.method == Method::GET || call.method == Method::HEAD;
            let location = headers.get(header::LOCATION).filter(|_| reads && is_redirect(status));
            let Some(location) = location else { return Ok(response) };
            let next = redirect(&call.uri, location.as_bytes())?;
            if !same_origin(&call.uri, &next) {
                call.headers.remove(header::AUTHORIZATION);
            }
            call.uri = next;
        }
        Err(Kind::Protocol(format!("it redirects more than {MAX_REDIRECTS} times")))
    }

    async fn send(&self, call: &Call, body: Outgoing) -> Result<http::Response<Incoming>, Kind> {
        let mut request = http::Request::new(body);
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.uri.clone();
        *request.headers_mut() = call.headers.clone();
        let agent = http::HeaderValue::from_static(concat!("docker-push-action/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        self.client.request(request).await.map_err(|error| classify(&error))
    }
}

/// All of an answer.
pub(super) async fn answer(
    response: http::Response<Incoming>,
    limit: usize,
    what: &'static str,
) -> Result<Answer, Kind> {
    let (parts, body) = response.into_parts();
    let body = read(body, parts.status, limit, what).await?;
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

async fn read(
    mut body: Incoming,
    status: StatusCode,
    limit: usize,
    what: &'static str,
) -> Result<Bytes, Kind> {
    let good = status.is_success();
    let limit = if good { limit } else { MAX_ERROR_BODY };
    let mut bytes = bytes::BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            // What came of an error's explanation explains enough.
            Err(_) if !good => break,
            Err(error) => return Err(Kind::Broken(chain(&error))),
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            if good {
                return Err(Kind::TooLarge { what, limit });
            }
            bytes.extend_from_slice(&data[..limit - bytes.len()]);
            break;
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, or what a `Location` means.
pub fn redirect(from: &Uri, location: &[u8]) -> Result<Uri, Kind> {
    let shown = text::name(&String::from_utf8_lossy(location));
    let refuse = |why: &str| Kind::Protocol(format!("it sends us to `{shown}`, {why}"));
    let text = std::str::from_utf8(location).map_err(|_| refuse("which is not a URL"))?;
    let text = text.split('#').next().unwrap_or(text);
    let (scheme, authority) =
        (from.scheme_str().unwrap_or("https"), from.authority().map_or("", |a| a.as_str()));
    let whole = if let Some(rest) = text.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if text.starts_with('/') {
        format!("{scheme}://{authority}{text}")
    } else {
        text.to_owned()
    };
    let next: Uri = whole.parse().map_err(|_| refuse("which is not a URL"))?;
    match (from.scheme_str(), next.scheme_str()) {
        (_, Some("https")) | (Some("http"), Some("http")) => {}
        (_, Some("http")) => return Err(refuse("down from HTTPS, which is not followed")),
        _ => return Err(refuse("which is not followed")),
    }
    if next.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(refuse("which is not followed"));
    }
    Ok(next)
}

/// Whether both are of one scheme, host and port: what is secret may go to both.
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme()
        && match (host_and_port(one), host_and_port(other)) {
            (Some(one), Some(other)) => one.0.eq_ignore_ascii_case(other.0) && one.1 == other.1,
            _ => false,
        }
}

/// Whether the URL's host is this machine.
pub fn is_loopback(uri: &Uri) -> bool {
    host_and_port(uri).is_some_and(|(host, _)| {
        let host = host.to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Finds what is at the bottom of the client's error.
fn classify(error: &hyper_util::client::legacy::Error) -> Kind {
    for cause in causes(error) {
        if let Some(fault) = cause.downcast_ref::<DialFault>() {
            return fault.clone().into();
        }
        if let Some(tls) = tls_error(cause) {
            return tls_kind(tls);
        }
        if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
            return if hyper.is_parse() {
                Kind::Protocol(format!("what it answers is not HTTP: {}", chain(hyper)))
            } else {
                Kind::Broken(chain(hyper))
            };
        }
    }
    if error.is_connect() { Kind::Connect(chain(error)) } else { Kind::Broken(chain(error)) }
}

/// rustls sits inside an `io::Error`, maybe inside another one, which hide it from `source`.
fn tls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut inner = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    while let Some(nested) = inner.downcast_ref::<std::io::Error>() {
        inner = nested.get_ref()?;
    }
    inner.downcast_ref()
}

fn tls_kind(error: &rustls::Error) -> Kind {
    match error {
        // The first bytes were no TLS record: a plain `HTTP/1.0 400 …`.
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Kind::PlainHttp,
        other => Kind::Tls(text::line(&other.to_string())),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    text::line(&said(error))
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
