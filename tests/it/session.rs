//! The BuildKit client against a daemon that misbehaves.

use std::future::{Future, pending};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docker_push_action::buildkit::{
    Address, BuildError, BuildIds, BuildOutcome, ConnectError, Connection, Provisions, build,
};
use docker_push_action::inputs::config::Dockerfile;
use docker_push_action::model::{ContextSource, Platform, Repository, Secret, SshKeys, SshSource};
use docker_push_action::plan::build::{BuildPlan, Export};
use tokio::sync::mpsc;

use crate::daemon::{DIGEST, Daemon, Door, Script};

/// Far more than any of these takes; a hang is a failure, not a stuck run.
const DEADLINE: Duration = Duration::from_mins(1);

fn plan(context: &Path) -> BuildPlan {
    let dockerfile = Dockerfile {
        directory: Some(context.to_owned()),
        file_name: "Dockerfile".into(),
        in_workspace: "Dockerfile".into(),
    };
    let platforms = vec![Platform::parse("linux/amd64").unwrap()];
    BuildPlan {
        shared_key: "a key".into(),
        export: Export::PushByDigest(Repository::parse("localhost:5000/api").unwrap().into()),
        ..BuildPlan::new(ContextSource::Directory(context.to_owned()), dockerfile, platforms)
    }
}

async fn run(daemon: &Daemon, cancel: impl Future<Output = ()>) -> Result<BuildOutcome, BuildError> {
    let context = tempfile::tempdir().unwrap();
    for number in 0..200 {
        std::fs::write(context.path().join(format!("file-{number}")), "x").unwrap();
    }
    let connection = Connection::open(&daemon.address()).await.unwrap();
    // Nobody looks at the updates: the build must not mind.
    let (updates, _) = mpsc::channel(1);
    let login = |host: &str| (host == "docker.io").then(|| ("me".to_owned(), Secret::new("pass")));
    let ids = BuildIds { reference: "ref".into(), session: "session-id".into() };
    let plan = plan(context.path());
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ssh/ed25519");
    let ssh = vec![SshSource { id: "default".into(), keys: SshKeys::Files(vec![key]) }];
    let provisions = Provisions { credentials: Arc::new(login), ssh, ..Provisions::default() };
    let building = build(&connection, &plan, &ids, provisions, updates, cancel);
    let outcome = tokio::time::timeout(DEADLINE, building).await.expect("the build ends");
    connection.close().await;
    outcome
}

#[tokio::test]
async fn two_megabytes_of_ignore_patterns() {
    a_transfer(Door::Open, 8_000).await;
}

#[tokio::test]
async fn the_session_as_a_stream() {
    a_transfer(Door::None, 10).await;
}

async fn a_transfer(door: Door, patterns: usize) {
    let daemon = Daemon::start(door, Script::Sync { directory: "context", patterns });
    let outcome = run(&daemon, pending()).await.unwrap();
    assert_eq!(outcome.digest.unwrap().as_str(), DIGEST);
    assert_eq!(outcome.transfers.len(), 1);
    assert_eq!(outcome.transfers[0].1.entries, 200);
    let (bytes, status) = daemon.seen(|seen| seen.answer.clone()).unwrap();
    assert_eq!(status, "0");
    assert!(bytes > 200 * 10, "{bytes} bytes of announcements");
    daemon.seen(|seen| {
        assert_eq!(seen.session["x-docker-expose-session-uuid"], "session-id");
        assert_eq!(seen.session["x-docker-expose-session-sharedkey"], "a key");
        assert_eq!(seen.solve.as_ref().unwrap().session, "session-id");
    });
}

#[tokio::test]
async fn directories_that_were_not_given() {
    for directory in ["", "/", "..", "/etc", "context/..", "ssh"] {
        let daemon = Daemon::start(Door::Open, Script::Sync { directory, patterns: 0 });
        let outcome = run(&daemon, pending()).await.unwrap();
        assert!(outcome.transfers.is_empty());
        assert_eq!(daemon.seen(|seen| seen.answer.clone()).unwrap(), (0, "5".into()), "{directory}");
    }
}

#[tokio::test]
async fn services() {
    const HUB: &[u8] = b"\0\0\0\0\x16\x0a\x14registry-1.docker.io";
    const OTHER: &[u8] = b"\0\0\0\0\x06\x0a\x04evil";
    for (method, message, expected) in [
        // The login `me`, `pass` in a message with its prefix.
        ("/moby.filesync.v1.Auth/Credentials", HUB, (5 + 4 + 6, "0")),
        ("/moby.filesync.v1.Auth/Credentials", OTHER, (5, "0")),
        ("/moby.filesync.v1.Auth/Credentials", b"\0\0\0\0\x01\xff", (0, "3")),
        ("/moby.filesync.v1.Auth/Credentials", b"", (0, "3")),
        ("/moby.filesync.v1.Auth/GetTokenAuthority", HUB, (0, "12")),
        ("/moby.filesync.v1.Auth/VerifyTokenAuthority", HUB, (0, "12")),
        ("/moby.filesync.v1.Auth/FetchToken", HUB, (0, "12")),
        ("/grpc.health.v1.Health/Check", b"\0\0\0\0\0", (7, "0")),
        ("/moby.buildkit.secrets.v1.Secrets/GetSecret", b"\0\0\0\0\0", (0, "5")),
        ("/moby.buildkit.secrets.v1.Secrets/GetSecret", b"\0\0\x10\0\0", (0, "3")),
        ("/moby.sshforward.v1.SSH/CheckAgent", b"\0\0\0\0\0", (5, "0")),
        ("/moby.sshforward.v1.SSH/CheckAgent", b"\0\0\0\0\x03\x0a\x01x", (0, "5")),
        // Nothing, the agent's list of keys, what no agent takes.
        ("/moby.sshforward.v1.SSH/ForwardAgent", b"\0\0\0\0\0", (0, "0")),
        ("/moby.sshforward.v1.SSH/ForwardAgent", b"\0\0\0\0\x07\x0a\x05\0\0\0\x01\x0b", (87, "0")),
        ("/moby.sshforward.v1.SSH/ForwardAgent", b"\0\0\0\0\x07\x0a\x05\x7f\0\0\x01\x0b", (0, "14")),
        ("/containerd.services.content.v1.Content/Info", b"\0\0\0\0\0", (0, "3")),
        ("/containerd.services.content.v1.Content/Delete", b"\0\0\0\0\0", (0, "3")),
    ] {
        let daemon = Daemon::start(Door::Open, Script::Call { method, message: Bytes::from_static(message) });
        run(&daemon, pending()).await.unwrap();
        let (bytes, status) = daemon.seen(|seen| seen.answer.clone()).unwrap();
        assert_eq!((bytes, status.as_str()), expected, "{method} {message:?}");
    }
}

#[tokio::test]
async fn a_thousand_open_calls_wait_outside() {
    let method = "/moby.sshforward.v1.SSH/ForwardAgent";
    let daemon = Daemon::start(Door::Open, Script::Flood { method, calls: 1_000, taken: 128 });
    run(&daemon, pending()).await.unwrap();
    assert_eq!(daemon.seen(|seen| seen.answer.clone()).unwrap().0, 128);
}

#[tokio::test]
async fn a_session_that_breaks_in_a_transfer() {
    let daemon = Daemon::start(Door::Open, Script::BreakSession);
    let error = run(&daemon, pending()).await.unwrap_err();
    assert!(matches!(error, BuildError::Disconnected { .. }), "{error:?}");
    assert!(error.to_string().contains("EOF"), "{error}");
}

#[tokio::test]
async fn a_daemon_that_dies() {
    let daemon = Daemon::start(Door::Open, Script::Die);
    let error = run(&daemon, pending()).await.unwrap_err();
    assert!(matches!(error, BuildError::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_failure_with_a_megabyte_of_details() {
    use bollard_buildkit_proto::google::{protobuf::Any, rpc};
    use prost::Message as _;
    let any = |name: &str, value: String| Any {
        type_url: format!("github.com/moby/buildkit/{name}+json"),
        value: value.into_bytes(),
    };
    let details = rpc::Status {
        details: vec![
            any("stack.Stack", format!("\"{}\"", "x".repeat(1 << 20))),
            any("gatewayapi.ExitMessage", "{\"Code\":3}".into()),
            any("errdefs.Vertex", "{\"digest\":\"sha256:a\"}".into()),
        ],
        ..rpc::Status::default()
    };
    let bytes = Bytes::from(details.encode_to_vec());
    let status = tonic::Status::with_details(tonic::Code::Unknown, "process failed", bytes);
    let daemon = Daemon::start(Door::Open, Script::Fail(status));
    let error = run(&daemon, pending()).await.unwrap_err();
    let BuildError::StepFailed { step, exit_code, message, .. } = error else { panic!("{error:?}") };
    assert_eq!((step.as_str(), exit_code, message.as_str()), ("[1/1] RUN", Some(3), "process failed"));
}

#[tokio::test]
async fn a_request_that_is_refused() {
    let refusal = tonic::Status::unknown("exporter \"image\" could not be found");
    let daemon = Daemon::start(Door::Open, Script::Refuse(refusal));
    let begun = std::time::Instant::now();
    let error = run(&daemon, pending()).await.unwrap_err();
    assert!(error.hint().unwrap().contains("containerd image store"), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "the status of no build was waited for");
}

#[tokio::test]
async fn cancelling_gives_up_the_call() {
    let daemon = Daemon::start(Door::Open, Script::Hang);
    let begun = daemon.clone();
    let error = run(&daemon, async move { begun.solve_has_begun().await }).await.unwrap_err();
    assert!(matches!(error, BuildError::Cancelled), "{error:?}");
    tokio::time::timeout(DEADLINE, daemon.solve_was_cancelled()).await.expect("the daemon hears of it");
}

#[tokio::test]
async fn doors_that_stay_shut() {
    for (status, hint) in [(404, Some("18.09")), (403, Some("proxy")), (500, None)] {
        let daemon = Daemon::start(Door::Shut(status, "page not found"), Script::Hang);
        let error = Connection::open(&daemon.address()).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoUpgrade { status: said, .. } if said == status), "{error:?}");
        assert!(error.to_string().contains(&format!("`POST /grpc` with {status}")), "{error}");
        assert!(error.to_string().ends_with("page not found"), "{error}");
        assert_eq!(error.hint().is_some(), hint.is_some());
        assert!(error.hint().unwrap_or_default().contains(hint.unwrap_or_default()));
    }
}

#[tokio::test]
async fn garbage_behind_the_door() {
    let daemon = Daemon::start(Door::Garbage, Script::Hang);
    let opened = tokio::time::timeout(DEADLINE, Connection::open(&daemon.address())).await.expect("no hang");
    if let Ok(connection) = opened {
        let workers = tokio::time::timeout(DEADLINE, connection.workers()).await.expect("no hang");
        let error = workers.unwrap_err();
        assert!(matches!(error, BuildError::Disconnected { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn sockets_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let open = async |name: &str| {
        let address = Address::DockerSocket(directory.path().join(name));
        Connection::open(&address).await.unwrap_err()
    };
    assert!(matches!(open("nothing.sock").await, ConnectError::Missing { .. }));
    std::fs::create_dir(directory.path().join("docker.sock")).unwrap();
    let error = open("docker.sock").await;
    assert!(matches!(error, ConnectError::Directory { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("does not exist on the host"));
    drop(std::os::unix::net::UnixListener::bind(directory.path().join("left.sock")).unwrap());
    assert!(matches!(open("left.sock").await, ConnectError::Refused { .. }));
    std::fs::write(directory.path().join("file"), "").unwrap();
    assert!(matches!(open("file").await, ConnectError::Refused { .. }));
}
