//! The way to a BuildKit: one HTTP/2 connection for its Control service, and further ones for sessions.
//!
//! A Docker daemon speaks HTTP/1.1 on its socket and gives its BuildKit out by two upgrades to `h2c`:
//! `POST /grpc` (we are the client) and `POST /session` (the daemon is). It refuses HTTP/2 without the
//! upgrade; buildkitd's own socket takes nothing else. See moby's `api/server/router/{grpc,session}`.
//!
//! Both sides of a connection are hyper's: tonic's channel would reconnect by itself, spawn tasks that
//! nobody owns, and keep a limit of 16 KiB for trailers, which a failed build's details exceed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioIo, TokioTimer};
use proto::control_client::ControlClient;
use tokio::net::UnixStream;

use super::address::Address;
use super::error::{BuildError, ConnectError};
use super::tasks::Tasks;

/// Longest wait for the daemon to answer an upgrade, or to list its workers.
const PATIENCE: Duration = Duration::from_secs(20);
/// BuildKit's own limit of one message.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Trailers of a failed build carry the whole Dockerfile, in Base64.
const HEADER_LIMIT: u32 = 16 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// What a connection is made of, whichever way it was made.
pub(super) trait Io: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}
impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Io for T {}

/// BuildKit's Control service over this connection.
pub(super) type Control = ControlClient<Http2>;

/// An open connection. It does not reconnect: what it was used for has failed when it breaks.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    http2: Http2,
    tasks: Tasks,
}

/// One worker of a BuildKit: what it can build for and how it was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// `os/arch[/variant]`, the machine's own first. Not normalised.
    pub platforms: Vec<String>,
    /// Its labels, by name.
    pub labels: std::collections::BTreeMap<String, String>,
}

impl Worker {
    /// The snapshotter that holds its layers. A Docker daemon names one only with the containerd image
    /// store, and only then it can push what it builds, and build for several platforms.
    pub fn snapshotter(&self) -> Option<&str> {
        self.labels.get("org.mobyproject.buildkit.worker.snapshotter").map(String::as_str)
    }
}

impl Connection {
    /// Connects. A daemon that does not answer within 20 seconds is an error.
    pub async fn open(address: &Address) -> Result<Self, ConnectError> {
        let io = bounded(address, dial(address, "/grpc", &HeaderMap::new())).await?;
        let tasks = Tasks::default();
        let (sender, driver) = hyper::client::conn::http2::Builder::new(tasks.spawner())
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_LIMIT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake::<_, tonic::body::Body>(io)
            .await
            .map_err(|source| ConnectError::protocol(address, source))?;
        tasks.spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the connection to BuildKit broke");
            }
        });
        Ok(Self { address: address.clone(), http2: Http2(sender), tasks })
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the daemon's workers are. At most 20 seconds.
    pub async fn workers(&self) -> Result<Vec<Worker>, BuildError> {
        let mut control = self.control();
        let answer = control.list_workers(proto::ListWorkersRequest::default());
        let answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| BuildError::silent("listing the workers of BuildKit"))?
            .map_err(|status| BuildError::from_status(&status))?;
        Ok(answer.into_inner().record.into_iter().map(worker).collect())
    }

    /// Ends the connection and everything that runs on it. Dropping it does the same without waiting.
    pub async fn close(self) {
        let Self { http2, tasks, .. } = self;
        drop(http2);
        tasks.close().await;
    }

    pub(super) fn control(&self) -> Control {
        let origin = http::Uri::from_static("http://buildkit");
        ControlClient::with_origin(self.http2.clone(), origin).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// A second connection to the same daemon, on which it will be the client.
    pub(super) async fn dial_session(&self, headers: &HeaderMap) -> Result<Box<dyn Io>, ConnectError> {
        bounded(&self.address, dial(&self.address, "/session", headers)).await
    }
}

fn worker(record: proto::types::WorkerRecord) -> Worker {
    let platforms = record.platforms.iter().map(|platform| {
        let mut text = format!("{}/{}", platform.os, platform.architecture);
        if !platform.variant.is_empty() {
            text.push('/');
            text.push_str(&platform.variant);
        }
        text
    });
    Worker { platforms: platforms.collect(), labels: record.labels.into_iter().collect() }
}

async fn bounded<T>(
    address: &Address,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let silent = || ConnectError::Silent { address: address.clone(), seconds: PATIENCE.as_secs() };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| silent())?
}

/// Opens the socket and, where the address needs it, upgrades it.
async fn dial(
    address: &Address,
    path: &'static str,
    headers: &HeaderMap,
) -> Result<Box<dyn Io>, ConnectError> {
    let socket = UnixStream::connect(address.path()).await.map_err(|error| unreachable(address, error))?;
    let socket = TokioIo::new(socket);
    match address {
        Address::BuildkitSocket(_) => Ok(Box::new(socket)),
        Address::DockerSocket(_) => upgrade(address, socket, path, headers).await,
    }
}

/// The file system's part of the answer: `connect` says "refused" for a directory too.
fn unreachable(address: &Address, error: io::Error) -> ConnectError {
    let address = address.clone();
    match std::fs::metadata(address.path()) {
        Ok(found) if found.is_dir() => ConnectError::Directory { address },
        _ => match error.kind() {
            io::ErrorKind::NotFound => ConnectError::Missing { address },
            io::ErrorKind::PermissionDenied => ConnectError::Denied { address },
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
            _ => ConnectError::Socket { address, source: error },
        },
    }
}

async fn upgrade(
    address: &Address,
    socket: TokioIo<UnixStream>,
    path: &'static str,
    headers: &HeaderMap,
) -> Result<Box<dyn Io>, ConnectError> {
    let failed = |source| ConnectError::protocol(address, source);
    let mut request = Request::post(path)
        .header(http::header::HOST, "docker")
        .header(http::header::CONNECTION, "Upgrade")
        .header(http::header::UPGRADE, "h2c")
        .body(Empty::<Bytes>::new())
        .map_err(|source| ConnectError::Request { address: address.clone(), source })?;
    request.headers_mut().extend(headers.clone());

    let (mut sender, driver) = hyper::client::conn::http1::handshake(socket).await.map_err(failed)?;
    let tasks = Tasks::default();
    // It hands the socket over when the upgrade is done, and ends.
    tasks.spawn(async move {
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%error, path, "the daemon's side of an upgrade broke");
        }
    });
    let response = sender.send_request(request).await.map_err(failed)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        let said = Limited::new(response.into_body(), 4096).collect().await;
        let said = said.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return Err(ConnectError::NoUpgrade {
            address: address.clone(),
            path,
            status: status.as_u16(),
            said: super::error::clean(&message_of(&said)),
        });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(failed)?;
    tasks.close().await;
    Ok(Box::new(upgraded))
}

/// Docker answers `{"message":"…"}`.
fn message_of(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

/// hyper's HTTP/2 client as tonic wants it.
#[derive(Clone, Debug)]
pub(super) struct Http2(SendRequest<tonic::body::Body>);

impl tower::Service<Request<tonic::body::Body>> for Http2 {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_said() {
        assert_eq!(message_of(br#"{"message":"page not found"}"#), "page not found");
        assert_eq!(message_of(br#"{"message":7}"#), r#"{"message":7}"#);
        assert_eq!(message_of(b"404 page not found\n"), "404 page not found\n");
    }

    #[test]
    fn platforms_and_snapshotter() {
        let platform = |os: &str, architecture: &str, variant: &str| bollard_buildkit_proto::pb::Platform {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.into(),
            ..Default::default()
        };
        let mut record = proto::types::WorkerRecord {
            platforms: vec![platform("linux", "amd64", ""), platform("linux", "arm", "v7")],
            ..Default::default()
        };
        assert_eq!(worker(record.clone()).platforms, ["linux/amd64", "linux/arm/v7"]);
        assert_eq!(worker(record.clone()).snapshotter(), None);
        let label = "org.mobyproject.buildkit.worker.snapshotter";
        record.labels.insert(label.into(), "overlayfs".into());
        assert_eq!(worker(record).snapshotter(), Some("overlayfs"));
    }
}
