//! A Docker daemon as far as its BuildKit goes, on a socket: the two upgrades, the Control service, and a
//! client on the session. It does what its script says, faults included. What it claims about the
//! protocol is what real engines did in `tests/live`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use bytes::Bytes;
use docker_push_action::buildkit::Address;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::control_server::{Control, ControlServer};
use proto::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tonic::codegen::tokio_stream::{Stream, StreamExt, pending};

use crate::gateway;

/// How the daemon answers an upgrade.
#[derive(Clone, Copy, Default)]
pub enum Door {
    /// As it should.
    #[default]
    Open,
    /// With this status and message.
    Shut(u16, &'static str),
    /// With 101, and then with something that is not HTTP/2.
    Garbage,
    /// There is none: HTTP/2 from the first byte, as at buildkitd.
    None,
}

/// What Solve does.
#[derive(Clone)]
pub enum Script {
    /// Ends well at once.
    Succeed,
    /// Asks for a directory with these exclude patterns, takes the announcements, ends well.
    Sync { directory: &'static str, patterns: usize },
    /// Asks for the context and breaks the session after the first announcement.
    BreakSession,
    /// Calls a method of the session with this message and notes the answer.
    Call { method: &'static str, message: Bytes },
    /// Opens this many calls of a method that stays open, ends them when so many are taken and no more, and notes how
    /// many were open at once.
    Flood { method: &'static str, calls: usize, taken: usize },
    /// Answers with this failure.
    Fail(tonic::Status),
    /// The same before there is a build, whose status is then waited for.
    Refuse(tonic::Status),
    /// Breaks the connection.
    Die,
    /// Never answers.
    Hang,
    /// Lets its caller be the frontend, answers what that asks with this `result.json`, or with this failure, and ends as it
    /// returns.
    Lint(Result<String, tonic::Status>),
}

/// What the daemon saw.
#[derive(Default)]
pub struct Seen {
    /// Headers of `POST /session`.
    pub session: HeaderMap,
    /// Solve's request.
    pub solve: Option<proto::SolveRequest>,
    /// What the caller asked as a frontend, and what it returned.
    pub question: Option<frontend::SolveRequest>,
    pub returned: Option<frontend::ReturnRequest>,
    /// Bytes of data frames, and `grpc-status`, of the call on the session.
    pub answer: Option<(usize, String)>,
}

type Session = Option<SendRequest<Outgoing>>;

#[derive(Clone)]
pub struct Daemon(Arc<Inner>);

struct Inner {
    door: Door,
    script: Script,
    digest: String,
    seen: Mutex<Seen>,
    session: watch::Sender<Session>,
    /// Set when the caller, as a frontend, has returned.
    ended: watch::Sender<bool>,
    /// Set when a Solve call was given up by its caller.
    cancelled: watch::Sender<bool>,
    connections: Mutex<JoinSet<()>>,
    grpc: Mutex<Option<AbortHandle>>,
    directory: tempfile::TempDir,
}

impl Daemon {
    pub fn start(door: Door, script: Script) -> Self {
        Self::making(door, script, DIGEST)
    }

    /// The same, whose builds give an image of this digest.
    pub fn making(door: Door, script: Script, digest: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let daemon = Self(Arc::new(Inner {
            door,
            script,
            digest: digest.to_owned(),
            seen: Mutex::default(),
            session: watch::Sender::new(None),
            ended: watch::Sender::new(false),
            cancelled: watch::Sender::new(false),
            connections: Mutex::default(),
            grpc: Mutex::default(),
            directory,
        }));
        let accepting = daemon.clone();
        daemon.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let daemon = accepting.clone();
                if matches!(daemon.0.door, Door::None) {
                    accepting.spawn(async move { daemon.serve(TokioIo::new(socket)).await });
                    continue;
                }
                let answer = service_fn(move |request| {
                    let daemon = daemon.clone();
                    async move { Ok::<_, Infallible>(daemon.upgrade(request)) }
                });
                let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), answer);
                accepting.spawn(async move {
                    let _ended = connection.with_upgrades().await;
                });
            }
        });
        daemon
    }

    pub fn address(&self) -> Address {
        let path = self.0.directory.path().join("docker.sock");
        if matches!(self.0.door, Door::None) {
            Address::BuildkitSocket(path)
        } else {
            Address::DockerSocket(path)
        }
    }

    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.0.seen.lock().unwrap())
    }

    pub fn script(&self) -> Script {
        self.0.script.clone()
    }

    pub fn asked(&self, question: frontend::SolveRequest) {
        self.0.seen.lock().unwrap().question = Some(question);
    }

    pub fn returned(&self, result: frontend::ReturnRequest) {
        self.0.seen.lock().unwrap().returned = Some(result);
        self.0.ended.send_replace(true);
    }

    pub async fn solve_was_cancelled(&self) {
        self.0.cancelled.subscribe().wait_for(|cancelled| *cancelled).await.unwrap();
    }

    pub async fn solve_has_begun(&self) {
        while self.seen(|seen| seen.solve.is_none()) {
            tokio::task::yield_now().await;
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0.connections.lock().unwrap().spawn(task)
    }

    fn upgrade(&self, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!(request.headers()["upgrade"], "h2c");
        if let Door::Shut(status, message) = self.0.door {
            let body = serde_json::json!({ "message": message }).to_string();
            return Response::builder().status(status).body(Full::from(body)).unwrap();
        }
        let path = request.uri().path().to_owned();
        if path == "/session" {
            self.0.seen.lock().unwrap().session = request.headers().clone();
        }
        let upgrade = hyper::upgrade::on(&mut request);
        let daemon = self.clone();
        let task = self.spawn(async move {
            let upgraded = upgrade.await.unwrap();
            match (daemon.0.door, path.as_str()) {
                (Door::Garbage, _) => {
                    let mut socket = TokioIo::new(upgraded);
                    let _gone = socket.write_all(&[0x7f; 4096]).await;
                }
                (_, "/grpc") => daemon.serve(upgraded).await,
                _ => daemon.attach(upgraded).await,
            }
        });
        if request.uri().path() == "/grpc" {
            *self.0.grpc.lock().unwrap() = Some(task);
        }
        let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header("upgrade", "h2c");
        answer.header("connection", "Upgrade").body(Full::default()).unwrap()
    }

    /// The Control service and the gateway on a connection that somebody else has made.
    pub async fn serve(&self, io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static) {
        let (control, daemon) = (ControlServer::new(self.clone()), self.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (mut control, daemon) = (control.clone(), daemon.clone());
            async move {
                if request.uri().path().starts_with(gateway::PATH) {
                    return Ok(gateway::answer(&daemon, request).await);
                }
                tower::Service::call(&mut control, request).await
            }
        });
        let _ended = http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
    }

    async fn attach(&self, io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static) {
        let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, driver) = client.handshake(io).await.unwrap();
        self.0.session.send_replace(Some(sender));
        // `BreakSession` takes the sender away: then the connection is dropped, not closed.
        let mut attached = self.0.session.subscribe();
        tokio::select! {
            _ended = driver => {}
            _taken = attached.wait_for(Option::is_none) => {}
        }
    }

    /// Calls the session; the answer's body comes frame by frame.
    async fn call(&self, method: &str, headers: HeaderMap, body: Outgoing) -> Response<Incoming> {
        let mut attached = self.0.session.subscribe();
        let mut session = attached.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let mut request = Request::post(format!("http://session{method}"));
        request.headers_mut().unwrap().extend(headers);
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        session.send_request(request.body(body).unwrap()).await.unwrap()
    }

    async fn sync(&self, directory: &str, patterns: usize) {
        let mut headers = HeaderMap::new();
        headers.insert("dir-name", directory.parse().unwrap());
        for number in 0..patterns {
            let pattern = format!("directory-{number}/{}", "x".repeat(240));
            headers.append("exclude-patterns", pattern.parse().unwrap());
        }
        let (requests, body) = mpsc::unbounded_channel();
        let response = self.call("/moby.filesync.v1.FileSync/DiffCopy", headers, Outgoing(body)).await;
        assert_eq!(response.status(), 200);
        self.note(response, |received| {
            // After the last announcement, FIN: no content is wanted.
            if received.ends_with(&[0; 5]) {
                let _gone = requests.send(Bytes::from_static(b"\0\0\0\0\x02\x08\x03"));
            }
        })
        .await;
    }

    async fn flood(&self, method: &'static str, calls: usize, taken: usize) {
        // How many are open, and how many were ended.
        let state = watch::Sender::new((0, 0));
        let mut most = 0;
        let mut tasks = JoinSet::new();
        let (release, _) = watch::channel(false);
        for _ in 0..calls {
            let (daemon, state, mut released) = (self.clone(), state.clone(), release.subscribe());
            tasks.spawn(async move {
                let (requests, body) = mpsc::unbounded_channel();
                let response = daemon.call(method, HeaderMap::new(), Outgoing(body)).await;
                state.send_modify(|(open, _)| *open += 1);
                released.wait_for(|released| *released).await.unwrap();
                drop(requests);
                response.into_body().collect().await.unwrap();
                state.send_modify(|(open, ended)| (*open, *ended) = (*open - 1, *ended + 1));
            });
        }
        let mut seen = state.subscribe();
        while seen.borrow_and_update().1 < calls {
            most = most.max(seen.borrow().0);
            if most < taken {
                seen.changed().await.unwrap();
                continue;
            }
            let quiet = std::time::Duration::from_millis(300);
            if tokio::time::timeout(quiet, seen.changed()).await.is_err() {
                release.send_replace(true);
            }
        }
        self.0.seen.lock().unwrap().answer = Some((most, "0".into()));
    }

    /// Reads an answer to its end; `look` sees what has come so far.
    async fn note(&self, response: Response<Incoming>, look: impl Fn(&[u8])) {
        let mut body = response.into_body();
        let mut received = Vec::new();
        let mut status = String::new();
        while let Some(frame) = body.frame().await {
            match frame.unwrap().into_data() {
                Ok(data) => {
                    received.extend_from_slice(&data);
                    look(&received);
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    status.push_str(trailers["grpc-status"].to_str().unwrap());
                }
            }
        }
        self.0.seen.lock().unwrap().answer = Some((received.len(), status));
    }

    async fn act(&self) -> Result<(), tonic::Status> {
        match &self.0.script {
            Script::Succeed => {}
            Script::Sync { directory, patterns } => self.sync(directory, *patterns).await,
            Script::BreakSession => {
                let mut headers = HeaderMap::new();
                headers.insert("dir-name", "context".parse().unwrap());
                let (_requests, body) = mpsc::unbounded_channel();
                let response = self.call("/moby.filesync.v1.FileSync/DiffCopy", headers, Outgoing(body));
                let mut body = response.await.into_body();
                assert!(body.frame().await.unwrap().unwrap().is_data());
                self.0.session.send_replace(None);
                return Err(tonic::Status::unavailable("error reading from server: EOF"));
            }
            Script::Call { method, message } => {
                let (requests, body) = mpsc::unbounded_channel();
                requests.send(message.clone()).unwrap();
                drop(requests);
                let response = self.call(method, HeaderMap::new(), Outgoing(body)).await;
                self.note(response, |_| {}).await;
            }
            Script::Flood { method, calls, taken } => self.flood(method, *calls, *taken).await,
            Script::Fail(status) | Script::Refuse(status) => return Err(status.clone()),
            Script::Die => {
                self.0.grpc.lock().unwrap().take().unwrap().abort();
                std::future::pending::<()>().await;
            }
            Script::Hang => std::future::pending().await,
            Script::Lint(_) => {
                self.0.ended.subscribe().wait_for(|ended| *ended).await.unwrap();
                let returned = self.seen(|seen| seen.returned.clone()).and_then(|returned| returned.error);
                if let Some(error) = returned {
                    return Err(tonic::Status::new(error.code.into(), error.message));
                }
            }
        }
        Ok(())
    }
}

/// A request's body that stays open until its sender is dropped.
struct Outgoing(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

/// Tells that the call ended without an answer.
struct CancelGuard(Option<watch::Sender<bool>>);

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(cancelled) = &self.0 {
            cancelled.send_replace(true);
        }
    }
}

type Reply<T> = Result<tonic::Response<T>, tonic::Status>;
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, tonic::Status>> + Send>>;

/// The digest that a build gives, unless it is told another.
pub const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[tonic::async_trait]
impl Control for Daemon {
    type PruneStream = Messages<proto::UsageRecord>;
    type StatusStream = Messages<proto::StatusResponse>;
    type SessionStream = Messages<proto::BytesMessage>;
    type ListenBuildHistoryStream = Messages<proto::BuildHistoryEvent>;

    async fn solve(&self, request: tonic::Request<proto::SolveRequest>) -> Reply<proto::SolveResponse> {
        self.0.seen.lock().unwrap().solve = Some(request.into_inner());
        let mut guard = CancelGuard(Some(self.0.cancelled.clone()));
        let acted = self.act().await;
        guard.0 = None;
        acted?;
        let exporter_response = [("containerimage.digest".into(), self.0.digest.clone())].into();
        Ok(tonic::Response::new(proto::SolveResponse { exporter_response }))
    }

    async fn status(&self, _: tonic::Request<proto::StatusRequest>) -> Reply<Self::StatusStream> {
        let vertex =
            proto::Vertex { digest: "sha256:a".into(), name: "[1/1] RUN".into(), ..Default::default() };
        let failed = proto::Vertex { error: "exit code: 3".into(), ..vertex };
        let update = proto::StatusResponse { vertexes: vec![failed], ..Default::default() };
        let first = tonic::codegen::tokio_stream::once(Ok(update));
        Ok(tonic::Response::new(match self.0.script {
            Script::Succeed => Box::pin(tonic::codegen::tokio_stream::empty()),
            Script::Hang => Box::pin(first.chain(pending())),
            Script::Refuse(_) => Box::pin(pending()),
            _ => Box::pin(first),
        }))
    }

    async fn listen_build_history(
        &self,
        _: tonic::Request<proto::BuildHistoryRequest>,
    ) -> Reply<Self::ListenBuildHistoryStream> {
        unreachable!()
    }

    async fn list_workers(
        &self,
        _: tonic::Request<proto::ListWorkersRequest>,
    ) -> Reply<proto::ListWorkersResponse> {
        Ok(tonic::Response::new(proto::ListWorkersResponse {
            record: vec![proto::types::WorkerRecord::default()],
        }))
    }

    async fn disk_usage(
        &self,
        _: tonic::Request<proto::DiskUsageRequest>,
    ) -> Reply<proto::DiskUsageResponse> {
        unreachable!()
    }

    async fn prune(&self, _: tonic::Request<proto::PruneRequest>) -> Reply<Self::PruneStream> {
        unreachable!()
    }

    /// The session without an upgrade, as buildkitd has it.
    async fn session(
        &self,
        request: tonic::Request<tonic::Streaming<proto::BytesMessage>>,
    ) -> Reply<Self::SessionStream> {
        self.0.seen.lock().unwrap().session = request.metadata().clone().into_headers();
        let mut from_client = request.into_inner();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (mut read, mut write) = tokio::io::split(theirs);
        let daemon = self.clone();
        self.spawn(async move { daemon.attach(TokioIo::new(ours)).await });
        self.spawn(async move {
            while let Ok(Some(message)) = from_client.message().await {
                write.write_all(&message.data).await.unwrap();
            }
        });
        let (to_client, messages) = mpsc::unbounded_channel();
        self.spawn(async move {
            let mut data = vec![0; 1 << 14];
            while let Ok(length @ 1..) = read.read(&mut data).await {
                let message = proto::BytesMessage { data: data[..length].to_vec() };
                let _gone = to_client.send(Ok(message));
            }
        });
        let messages = futures_util::stream::unfold(messages, |mut messages| async {
            messages.recv().await.map(|message| (message, messages))
        });
        Ok(tonic::Response::new(Box::pin(messages)))
    }

    /// That it answers is what is asked of it.
    async fn info(&self, _: tonic::Request<proto::InfoRequest>) -> Reply<proto::InfoResponse> {
        Ok(tonic::Response::new(proto::InfoResponse::default()))
    }

    async fn update_build_history(
        &self,
        _: tonic::Request<proto::UpdateBuildHistoryRequest>,
    ) -> Reply<proto::UpdateBuildHistoryResponse> {
        unreachable!()
    }
}
