//! The service's HTTP: which request is which, what is written down, and how faults look on the wire.

use super::super::form::pairs;
use super::entries::refusal;
use super::{Asked, Blobs, Fault, Half, Scope, State, lock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot::Receiver;

const SERVICE: &str = "/twirp/github.actions.results.api.v1.CacheService/";

/// What is sent back.
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        // Azure's client does not check that its request's number is there before it uses it.
        let headers = vec![
            ("x-ms-request-id", "00000000-0000-0000-0000-000000000001".to_owned()),
            ("x-ms-version", "2025-11-05".to_owned()),
            ("etag", "\"0x8DD\"".to_owned()),
            ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
        ];
        Self { status, headers, body: Vec::new() }
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::new(status).header("content-type", "application/json").body(value.to_string().into_bytes())
    }

    /// An error as Azure tells it.
    pub(super) fn azure(status: u16, code: &str) -> Self {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
        );
        Self::new(status)
            .header("content-type", "application/xml")
            .header("x-ms-error-code", code)
            .body(text.into_bytes())
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

/// Serves until the other end of `stopped` is gone; connections end with this thread's runtime.
pub(super) fn serve(listener: TcpListener, state: &Arc<Mutex<State>>, stopped: Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket of ours");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket of ours");
        let mut connections = tokio::task::JoinSet::new();
        let accept = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let state = Arc::clone(state);
                let service = hyper::service::service_fn(move |request| answer(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(connection);
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let fault = lock(&state).fault_of(&parts);
    match fault {
        Some(Fault::Hangs(_)) => {
            lock(&state).write_down(&parts, &body, 0);
            std::future::pending::<()>().await;
        }
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let reply = lock(&state).reply(&parts, &body, fault);
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(Full::new(reply.body.into())).expect("headers of ours"))
}

impl State {
    fn fault_of(&self, parts: &Parts) -> Option<Fault> {
        let reads =
            parts.method == http::Method::GET || parts.uri.path().ends_with("GetCacheEntryDownloadURL");
        let half = if reads { Half::Read } else { Half::Write };
        let fault = self.faults.iter().find(|(known, _)| *known == half).map(|(_, fault)| *fault)?;
        let (Fault::Lost(which) | Fault::Corrupt(which) | Fault::Hangs(which)) = fault else {
            return Some(fault);
        };
        if fault == Fault::Hangs(Blobs::All) {
            return Some(fault);
        }
        // A blob whose address is wrong is nobody's.
        let at = self.opened(parts.uri.path(), &query(parts))?;
        let layer = self.entries[at.entry].key.starts_with("buildkit-blob-");
        (which == Blobs::All || layer).then_some(fault)
    }

    fn reply(&mut self, parts: &Parts, body: &[u8], fault: Option<Fault>) -> Reply {
        let blob = parts.uri.path().starts_with("/actions-cache/");
        let early = match fault {
            Some(Fault::RateLimited(after)) => {
                let reply = refusal(429, "resource_exhausted", "rate limit exceeded");
                Some(match after {
                    Some(seconds) => reply.header("retry-after", &seconds.to_string()),
                    None => reply,
                })
            }
            Some(Fault::Unavailable) => Some(refusal(503, "unavailable", "the service is down")),
            Some(Fault::Missing) => Some(refusal(404, "bad_route", "no handler for this path")),
            Some(Fault::Lost(_)) => Some(Reply::azure(404, "BlobNotFound")),
            _ => None,
        };
        if let Some(reply) = early {
            self.write_down(parts, body, reply.status);
            return reply;
        }
        let path = parts.uri.path();
        let (what, keys, reply) = match path.strip_prefix(SERVICE) {
            Some(name) if parts.method == http::Method::POST => {
                let token = header(parts, "authorization").and_then(|value| value.strip_prefix("Bearer "));
                let (keys, reply) = self.method(name, token, body);
                (name.to_owned(), keys, reply)
            }
            _ if blob => self.blob(parts, body, matches!(fault, Some(Fault::Corrupt(_)))),
            _ => (
                format!("{} {path}", parts.method),
                Vec::new(),
                refusal(404, "bad_route", "no handler for this path"),
            ),
        };
        self.asked.push(Asked { what, keys, status: reply.status });
        reply
    }

    fn blob(&mut self, parts: &Parts, body: &[u8], corrupt: bool) -> (String, Vec<String>, Reply) {
        let query = query(parts);
        let Some(at) = self.opened(parts.uri.path(), &query) else {
            return ("Blob".to_owned(), Vec::new(), Reply::azure(403, "AuthenticationFailed"));
        };
        let keys = vec![self.entries[at.entry].key.clone()];
        let (what, reply) = match parts.method {
            http::Method::PUT => self.put(&at, &query, header(parts, "x-ms-blob-type"), body),
            http::Method::GET => {
                let range = header(parts, "x-ms-range").or_else(|| header(parts, "range"));
                ("GetBlob", self.get(&at, range, corrupt))
            }
            _ => ("Blob", Reply::azure(405, "UnsupportedHttpVerb")),
        };
        (what.to_owned(), keys, reply)
    }

    /// A request that a fault answered, or nobody.
    fn write_down(&mut self, parts: &Parts, body: &[u8], status: u16) {
        let path = parts.uri.path();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let keys = body["key"].as_str().map(str::to_owned).into_iter().collect();
        let what =
            path.strip_prefix(SERVICE).map_or_else(|| format!("{} {path}", parts.method), str::to_owned);
        self.asked.push(Asked { what, keys, status });
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

fn query(parts: &Parts) -> BTreeMap<String, String> {
    pairs(parts.uri.query().unwrap_or_default())
}

/// What only this service can have written beside a text.
pub(super) fn seal(text: &str) -> String {
    let sum = Sha256::digest(format!("{} {text}", std::process::id()));
    sum.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// A JSON web token with the claims that GitHub's have.
pub(super) fn token(scopes: &[Scope], number: usize) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let claims = json!({
        "ac": serde_json::to_string(scopes).expect("names and numbers"),
        "acsl": "10",
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "https://token.actions.githubusercontent.com",
        "jti": number,
        "nbf": now - 60,
        "iat": now,
        "exp": now + 6 * 3600,
    });
    let parts = [json!({ "typ": "JWT", "alg": "RS256", "kid": "1" }), claims];
    let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = URL_SAFE_NO_PAD.encode(seal(&signed));
    format!("{signed}.{signature}")
}
