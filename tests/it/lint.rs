//! Build checks against a daemon that misbehaves. Real ones stand in `tests/live/check.rs`.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use bollard_buildkit_proto::google::{protobuf::Any, rpc};
use bytes::Bytes;
use docker_push_action::buildkit::{BuildError, BuildIds, Connection, Linted, Provisions, lint};
use docker_push_action::inputs::config::Dockerfile;
use docker_push_action::model::{ContextSource, Platform};
use docker_push_action::plan::build::BuildPlan;
use prost::Message as _;
use tokio::sync::mpsc;

use crate::daemon::{Daemon, Door, Script};

/// Far more than any of these takes; a hang is a failure, not a stuck run.
const DEADLINE: Duration = Duration::from_mins(1);

const FOUND: &str = r#"{"warnings":[{"ruleName":"A","detail":"b","location":{"ranges":[{"start":{"line":1}}]}}],
    "sources":[{"filename":"Dockerfile","data":"RlJPTSBh"}]}"#;

async fn run(daemon: &Daemon, cancel: impl Future<Output = ()>) -> Result<Linted, BuildError> {
    let context = tempfile::tempdir().unwrap();
    let dockerfile = Dockerfile {
        directory: Some(context.path().to_owned()),
        file_name: "Dockerfile".into(),
        in_workspace: "Dockerfile".into(),
    };
    let platforms = vec![Platform::parse("linux/amd64").unwrap()];
    let source = ContextSource::Directory(context.path().to_owned());
    let plan = BuildPlan { target: Some("app".into()), ..BuildPlan::new(source, dockerfile, platforms) };
    let connection = Connection::open(&daemon.address()).await.unwrap();
    let (updates, _) = mpsc::channel(1);
    let ids = BuildIds { reference: "ref".into(), session: "session-id".into() };
    let linting = lint(&connection, &plan, &ids, Provisions::default(), updates, cancel);
    let outcome = tokio::time::timeout(DEADLINE, linting).await.expect("the check ends");
    connection.close().await;
    outcome
}

#[tokio::test]
async fn the_frontend_is_asked_and_its_answer_returned_empty() {
    for door in [Door::Open, Door::None] {
        let daemon = Daemon::start(door, Script::Lint(Ok(FOUND.into())));
        let Linted { warnings, failure } = run(&daemon, pending()).await.unwrap();
        assert!(failure.is_none());
        assert_eq!(warnings[0].short, "A: b (line 1)");
        daemon.seen(|seen| {
            let solve = seen.solve.as_ref().unwrap();
            assert_eq!((solve.frontend.as_str(), solve.session.as_str()), ("", "session-id"));
            assert!(solve.frontend_attrs.is_empty() && solve.exporters.is_empty());
            let asked = seen.question.as_ref().unwrap();
            assert_eq!(asked.frontend, "dockerfile.v0");
            for (key, value) in
                [("requestid", "frontend.lint"), ("target", "app"), ("platform", "linux/amd64")]
            {
                assert_eq!(asked.frontend_opt[key], value);
            }
            assert!(seen.returned.as_ref().unwrap().result.as_ref().unwrap().metadata.is_empty());
        });
    }
}

#[tokio::test]
async fn a_frontend_that_knows_no_checks() {
    let status = tonic::Status::unknown("unsupported request frontend.lint");
    let daemon = Daemon::start(Door::Open, Script::Lint(Err(status)));
    let error = run(&daemon, pending()).await.unwrap_err();
    assert!(error.lacks_checks(), "{error:?}");
    // The solve ends with it as well.
    assert!(daemon.seen(|seen| seen.returned.as_ref().unwrap().error.is_some()));
}

#[tokio::test]
async fn what_a_frontend_attaches_is_read() {
    let source = r#"{"info":{"filename":"Dockerfile","data":"RlJPTSBh"},"ranges":[{"start":{"line":1},"end":{"line":1}}]}"#;
    let details = rpc::Status {
        details: vec![Any {
            type_url: "github.com/moby/buildkit/errdefs.Source+json".into(),
            value: source.into(),
        }],
        ..rpc::Status::default()
    };
    let details = Bytes::from(details.encode_to_vec());
    let status = tonic::Status::with_details(tonic::Code::Unknown, "no such image", details);
    let daemon = Daemon::start(Door::Open, Script::Lint(Err(status)));
    let error = run(&daemon, pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "the Dockerfile cannot be built: no such image (`Dockerfile:1`)");
    let returned = daemon.seen(|seen| seen.returned.clone()).unwrap().error.unwrap();
    assert_eq!(returned.details[0].value, source.as_bytes());
}

#[tokio::test]
async fn answers_that_are_none() {
    for answer in ["", "nonsense", "{\"warnings\":{}}"] {
        let daemon = Daemon::start(Door::Open, Script::Lint(Ok(answer.into())));
        let error = run(&daemon, pending()).await.unwrap_err();
        assert!(matches!(error, BuildError::Nonsense(_)), "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn a_solve_that_does_not_begin_is_not_waited_for() {
    let daemon = Daemon::start(Door::Open, Script::Refuse(tonic::Status::unknown("no such session")));
    let begun = Instant::now();
    let error = run(&daemon, pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "the daemon says: no such session (Unknown)");
    assert!(begun.elapsed() < Duration::from_secs(30), "the gateway was waited for");
    let daemon = Daemon::start(Door::Open, Script::Succeed);
    assert!(run(&daemon, pending()).await.is_err(), "nobody has answered");
    let daemon = Daemon::start(Door::Open, Script::Die);
    let error = run(&daemon, pending()).await.unwrap_err();
    assert!(matches!(error, BuildError::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
async fn cancelling_gives_up_both_calls() {
    let daemon = Daemon::start(Door::Open, Script::Hang);
    let begun = daemon.clone();
    let error = run(&daemon, async move { begun.solve_has_begun().await }).await.unwrap_err();
    assert!(matches!(error, BuildError::Cancelled), "{error:?}");
    tokio::time::timeout(DEADLINE, daemon.solve_was_cancelled()).await.expect("the daemon hears of it");
}
