//! The status stream of a build: BuildKit's records become ours and go to whoever shows them.
//!
//! Back pressure reaches only this stream. A slow reader makes the daemon keep what it has not sent
//! yet; its build goes on (`util/progress` never waits for a reader, and a step's log is cut at 2 MiB).

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Timestamp as WireTime;
use bollard_buildkit_proto::moby::buildkit::v1 as proto;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tonic::{Response, Status, Streaming};

use super::connection::Control;
use super::detail::warning_location;
use super::failed_call::FailedStep;
use crate::progress::event::{StatusUpdate, Timestamp, Vertex, VertexLog, VertexStatus, VertexWarning};

/// Longest silence of the status stream after Solve has returned (buildx waits as long).
const STATUS_IDLE: Duration = Duration::from_secs(5);
/// The same when the request was refused: Status then waits for a build that never begins.
const REFUSED: Duration = Duration::from_millis(250);
/// Longest wait for the last statuses of a build that was cancelled.
const CANCELLED: Duration = Duration::from_secs(2);
/// Steps that failed are remembered for the error; a build has few, a hostile daemon may say more.
const FAILED_STEPS: usize = 64;

type Opening =
    Pin<Box<dyn Future<Output = Result<Response<Streaming<proto::StatusResponse>>, Status>> + Send>>;

enum Stream {
    Opening(Opening),
    Open(Box<Streaming<proto::StatusResponse>>),
    Ended,
}

/// Follows one build.
pub(super) struct Follower {
    stream: Stream,
    updates: mpsc::Sender<StatusUpdate>,
    pending: Option<StatusUpdate>,
    failed: BTreeMap<String, String>,
    foreign: BTreeSet<String>,
    /// Something was said.
    begun: bool,
}

impl Follower {
    /// Asks for the status of a build that may not have begun: the daemon waits some seconds for it.
    pub(super) fn new(mut control: Control, reference: &str, updates: mpsc::Sender<StatusUpdate>) -> Self {
        let request = proto::StatusRequest { r#ref: reference.to_owned() };
        let opening = Box::pin(async move { control.status(request).await });
        Self {
            stream: Stream::Opening(opening),
            updates,
            pending: None,
            failed: BTreeMap::new(),
            foreign: BTreeSet::new(),
            begun: false,
        }
    }

    /// Follows the build that these calls make, to the end of what is said of it; nothing when `cancel` was ready before
    /// they were answered, which ends them, and with them the build.
    pub(super) async fn beside<T>(
        &mut self,
        calls: impl Future<Output = Result<T, Status>>,
        mut cancel: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<Result<T, Status>> {
        let mut calls = Some(Box::pin(calls));
        let mut answer = None;
        let mut following = true;
        let mut deadline = Instant::now();
        while following || calls.is_some() {
            tokio::select! {
                // In this order: Status is to be asked for before Solve.
                biased;
                () = &mut cancel, if calls.is_some() => {
                    // Ends the call, which ends the build.
                    calls = None;
                    deadline = Instant::now() + CANCELLED;
                }
                more = self.step(), if following => {
                    following = more;
                    if answer.is_some() {
                        deadline = Instant::now() + STATUS_IDLE;
                    }
                }
                answered = ready(&mut calls), if calls.is_some() => {
                    calls = None;
                    let refused = answered.is_err() && !self.begun;
                    deadline = Instant::now() + if refused { REFUSED } else { STATUS_IDLE };
                    answer = Some(answered);
                }
                () = sleep_until(deadline), if calls.is_none() => {
                    tracing::info!("the status stream does not end");
                    break;
                }
            }
        }
        answer
    }

    /// Takes the stream one step further; `false` when it has ended. Loses nothing when dropped halfway.
    async fn step(&mut self) -> bool {
        if let Some(update) = self.pending.take() {
            match self.updates.try_reserve() {
                Ok(place) => place.send(update),
                Err(mpsc::error::TrySendError::Full(())) => {
                    self.pending = Some(update);
                    // Closed: nobody looks any more, and the stream is still to be read to its end.
                    if let Ok(place) = self.updates.reserve().await
                        && let Some(update) = self.pending.take()
                    {
                        place.send(update);
                    }
                }
                Err(mpsc::error::TrySendError::Closed(())) => {}
            }
            return true;
        }
        match &mut self.stream {
            Stream::Opening(opening) => match opening.await {
                Ok(response) => self.stream = Stream::Open(Box::new(response.into_inner())),
                Err(status) => self.end(Some(&status)),
            },
            Stream::Open(stream) => match stream.message().await {
                Ok(Some(message)) => {
                    let update = update(message);
                    self.begun = true;
                    self.remember(&update);
                    self.pending = Some(update);
                }
                Ok(None) => self.end(None),
                Err(status) => self.end(Some(&status)),
            },
            Stream::Ended => return false,
        }
        true
    }

    /// A step that failed, by its digest.
    pub(super) fn failed_step(&self, digest: &str) -> Option<FailedStep> {
        let name = self.failed.get(digest)?.clone();
        Some(FailedStep { name, foreign: self.foreign.contains(digest) })
    }

    fn remember(&mut self, update: &StatusUpdate) {
        for vertex in update.vertexes.iter().filter(|vertex| !vertex.error.is_empty()) {
            if self.failed.len() < FAILED_STEPS {
                self.failed.insert(vertex.digest.clone(), vertex.name.clone());
            }
        }
        for log in update.logs.iter().filter(|log| is_exec_format_error(&log.message)) {
            if self.foreign.len() < FAILED_STEPS {
                self.foreign.insert(log.vertex.clone());
            }
        }
    }

    /// A status stream that broke is no failure of the build: Solve says how that ended.
    fn end(&mut self, status: Option<&Status>) {
        if let Some(status) = status {
            tracing::info!(code = ?status.code(), message = status.message(), "the status stream broke");
        }
        self.stream = Stream::Ended;
    }
}

async fn ready<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// What runc (or the engine) writes when the kernel refuses a program: `exec /bin/sh: exec format error`.
fn is_exec_format_error(log: &[u8]) -> bool {
    log.trim_ascii_end().ends_with(b"exec format error") && log.len() < 4096
}

fn update(message: proto::StatusResponse) -> StatusUpdate {
    StatusUpdate {
        vertexes: message.vertexes.into_iter().map(vertex).collect(),
        statuses: message.statuses.into_iter().map(status).collect(),
        logs: message.logs.into_iter().map(log).collect(),
        warnings: message.warnings.into_iter().map(warning).collect(),
        retry: None,
    }
}

fn vertex(wire: proto::Vertex) -> Vertex {
    Vertex {
        digest: wire.digest,
        inputs: wire.inputs,
        name: wire.name,
        cached: wire.cached,
        started: wire.started.map(time),
        completed: wire.completed.map(time),
        error: wire.error,
    }
}

fn status(wire: proto::VertexStatus) -> VertexStatus {
    VertexStatus {
        id: wire.id,
        vertex: wire.vertex,
        name: wire.name,
        current: wire.current,
        total: wire.total,
        timestamp: wire.timestamp.map(time).unwrap_or_default(),
        started: wire.started.map(time),
        completed: wire.completed.map(time),
    }
}

fn log(wire: proto::VertexLog) -> VertexLog {
    VertexLog {
        vertex: wire.vertex,
        timestamp: wire.timestamp.map(time).unwrap_or_default(),
        stream: wire.stream,
        message: wire.msg,
    }
}

fn warning(wire: proto::VertexWarning) -> VertexWarning {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    VertexWarning {
        vertex: wire.vertex,
        level: wire.level,
        short: text(&wire.short),
        detail: wire.detail.iter().map(text).collect(),
        url: wire.url,
        location: wire.info.as_ref().and_then(|info| warning_location(info, &wire.ranges)),
    }
}

/// Times before 1970 (Go's zero time among them) become 1970.
fn time(wire: WireTime) -> Timestamp {
    match (u64::try_from(wire.seconds), u32::try_from(wire.nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Duration::new(seconds, nanos),
        (Ok(seconds), _) => Duration::from_secs(seconds),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::pb;

    #[test]
    fn times() {
        for (seconds, nanos, expected) in [
            (1, 500_000_000, Duration::from_millis(1500)),
            (-62_135_596_800, 0, Duration::ZERO),
            (i64::MAX, i32::MAX, Duration::from_secs(i64::MAX as u64)),
            (5, -1, Duration::from_secs(5)),
        ] {
            assert_eq!(time(WireTime { seconds, nanos }), expected);
        }
    }

    #[test]
    fn programs_for_another_machine() {
        assert!(is_exec_format_error(b"exec /bin/sh: exec format error\n"));
        assert!(!is_exec_format_error(b"exec /bin/sh: no such file or directory\n"));
        assert!(!is_exec_format_error(b""));
    }

    #[test]
    fn records() {
        let line = |line| Some(pb::Position { line, character: 0 });
        let message = proto::StatusResponse {
            vertexes: vec![proto::Vertex {
                digest: "sha256:a".into(),
                name: "[1/2] RUN".into(),
                started: Some(WireTime { seconds: 3, nanos: 0 }),
                error: "exit code: 1".into(),
                ..Default::default()
            }],
            statuses: vec![proto::VertexStatus {
                id: "l".into(),
                current: 5,
                total: 10,
                ..Default::default()
            }],
            logs: vec![proto::VertexLog { stream: 2, msg: b"\xff\r".to_vec(), ..Default::default() }],
            warnings: vec![proto::VertexWarning {
                short: b"no \xff".to_vec(),
                detail: vec![b"more".to_vec()],
                info: Some(pb::SourceInfo {
                    filename: "Dockerfile".into(),
                    data: b"FROM a as b\nRUN x\n".to_vec(),
                    ..Default::default()
                }),
                ranges: vec![pb::Range { start: line(1), end: line(1) }],
                ..Default::default()
            }],
        };
        let update = update(message);
        assert_eq!(update.vertexes[0].started, Some(Duration::from_secs(3)));
        assert_eq!(update.vertexes[0].completed, None);
        assert_eq!((update.statuses[0].current, update.statuses[0].total), (5, 10));
        assert_eq!(update.logs[0].message, b"\xff\r");
        assert_eq!(update.warnings[0].short, "no \u{fffd}");
        let place = update.warnings[0].location.as_ref().unwrap();
        assert_eq!((place.line, place.excerpt.lines[0].as_str()), (1, "FROM a as b"));
    }
}
