//! A connection to a BuildKit: HTTP/2 for its Control service, and at a Docker daemon further ones for sessions.
//!
//! A Docker daemon speaks HTTP/1.1 on its socket and gives its BuildKit out by two upgrades to `h2c`:
//! `POST /grpc` (we are the client) and `POST /session` (the daemon is). It refuses HTTP/2 without the
//! upgrade; buildkitd takes nothing else. See moby's `api/server/router/{grpc,session}`. How the bytes get
//! there is `dial`'s matter.
//!
//! Both sides of a connection are hyper's: tonic's channel would reconnect by itself, spawn tasks that
//! nobody owns, and keep a limit of 16 KiB for trailers, which a failed build's details exceed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioTimer;
use proto::control_client::ControlClient;
use proto::frontend::llb_bridge_client::LlbBridgeClient;

use super::address::Address;
use super::connect_error::ConnectError;
use super::dial::{self, Io, Witness};
use super::error::BuildError;
use super::tasks::Tasks;
use crate::model::text;

/// Longest wait for a list of workers.
const PATIENCE: Duration = Duration::from_secs(20);
/// BuildKit's own limit of one message.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Trailers of a failed build carry the whole Dockerfile, in Base64.
const HEADER_LIMIT: u32 = 16 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Over a network, silence is broken by pings, so that a machine that is gone is noticed in mid-build. buildkitd
/// (grpc-go) allows one in five minutes, counted from its own last message; it sends one each five seconds, to see
/// whether the session lives.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for the answer to a ping.
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// BuildKit's Control service over this connection.
pub(super) type Control = ControlClient<Http2>;

/// What a frontend can ask of BuildKit, for a client that is one: subrequests have no other way.
pub(super) type Gateway = LlbBridgeClient<Http2>;

/// An open connection. It does not reconnect: what it was used for has failed when it breaks.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    http2: Http2,
    tasks: Tasks,
    witness: Witness,
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

    /// Where its steps reach the host, `host-gateway`. Only a Docker daemon names it.
    pub fn host_gateway(&self) -> Option<std::net::IpAddr> {
        self.labels.get("org.mobyproject.buildkit.worker.moby.host-gateway-ip")?.parse().ok()
    }
}

impl Connection {
    /// Connects. One that does not answer in time is an error: a Docker daemon has 20 seconds, a builder 5, in which
    /// it has to answer a first call too.
    pub async fn open(address: &Address) -> Result<Self, ConnectError> {
        let witness = Witness::default();
        let patience = dial::patience(address);
        let opened = tokio::time::timeout(patience, Self::connect(address, witness.clone())).await;
        opened.unwrap_or_else(|_| Err(ConnectError::silent(address, patience, witness.seen().stage)))
    }

    async fn connect(address: &Address, witness: Witness) -> Result<Self, ConnectError> {
        let io = dial::dial(address, "/grpc", &HeaderMap::new(), &witness).await?;
        let tasks = Tasks::default();
        let mut builder = hyper::client::conn::http2::Builder::new(tasks.spawner());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(HEADER_LIMIT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if address.is_remote() {
            builder.keep_alive_interval(PING_INTERVAL).keep_alive_timeout(PING_PATIENCE);
        }
        let (sender, driver) = match builder.handshake::<_, tonic::body::Body>(io).await {
            Ok(pair) => pair,
            Err(source) if address.is_docker() => return Err(ConnectError::protocol(address, source)),
            Err(source) => return Err(explain(address, &witness, None, &source.to_string()).await),
        };
        tasks.spawn(async move {
            if let Err(error) = driver.await {
                tracing::info!(%error, "the connection to BuildKit broke");
            }
        });
        let http2 = Http2(sender);
        let connection = Self { address: address.clone(), http2, tasks, witness };
        if !address.is_docker() {
            // Whether it is a BuildKit, and takes our certificate, shows in an answer and not before.
            // Not by a list of the workers, for which it tries each emulator.
            if let Err(status) = connection.control().info(proto::InfoRequest::default()).await {
                let answered = std::error::Error::source(&status).is_none().then(|| status.code());
                return Err(explain(address, &connection.witness, answered, status.message()).await);
            }
        }
        Ok(connection)
    }

    /// Where it leads.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the daemon's workers are. At most 20 seconds.
    pub async fn workers(&self) -> Result<Vec<Worker>, BuildError> {
        tokio::time::timeout(PATIENCE, self.list_workers())
            .await
            .map_err(|_| BuildError::silent("listing the workers of BuildKit"))?
            .map_err(|status| BuildError::from_status(&status))
    }

    async fn list_workers(&self) -> Result<Vec<Worker>, tonic::Status> {
        let mut control = self.control();
        let answer = control.list_workers(proto::ListWorkersRequest::default()).await?;
        Ok(answer.into_inner().record.into_iter().map(worker).collect())
    }

    /// What a program between us and BuildKit wrote last, if it wrote anything: why a connection broke.
    pub(super) fn last_words(&self) -> Option<String> {
        let said = text::lines(&String::from_utf8_lossy(&self.witness.seen().stderr));
        (!said.is_empty()).then_some(said)
    }

    /// Ends the connection and everything that runs on it. Dropping it does the same without waiting.
    pub async fn close(self) {
        let Self { http2, tasks, .. } = self;
        drop(http2);
        tasks.close().await;
    }

    pub(super) fn control(&self) -> Control {
        ControlClient::with_origin(self.http2.clone(), origin()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    pub(super) fn gateway(&self) -> Gateway {
        LlbBridgeClient::with_origin(self.http2.clone(), origin()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// A second connection to the same Docker daemon, on which it will be the client.
    pub(super) async fn dial_session(&self, headers: &HeaderMap) -> Result<Box<dyn Io>, ConnectError> {
        let (witness, patience) = (Witness::default(), dial::patience(&self.address));
        let dialled =
            tokio::time::timeout(patience, dial::dial(&self.address, "/session", headers, &witness));
        dialled
            .await
            .unwrap_or_else(|_| Err(ConnectError::silent(&self.address, patience, witness.seen().stage)))
    }
}

fn origin() -> http::Uri {
    http::Uri::from_static("http://buildkit")
}

/// Why the first call to a builder failed; `answered`: it was a BuildKit or the like that said so.
async fn explain(
    address: &Address,
    witness: &Witness,
    answered: Option<tonic::Code>,
    message: &str,
) -> ConnectError {
    match answered {
        Some(code) => ConnectError::NotBuildkit {
            address: address.clone(),
            said: format!("{} ({code:?})", text::lines(message)),
        },
        None => dial::broken(address, &witness.seen(), message).await,
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
