//! What is shown of another attempt, who is left out, and what the last error says.

use super::*;
use crate::model::Targets;
use crate::progress::event::{Vertex, VertexLog, VertexStatus};

#[test]
fn of_a_second_solve_only_the_export_is_shown() {
    let vertex = |name: &str| Vertex { digest: format!("of {name}"), name: name.into(), ..Vertex::default() };
    let status = |name: &str| VertexStatus { vertex: format!("of {name}"), ..VertexStatus::default() };
    let log = |name: &str| VertexLog { vertex: format!("of {name}"), ..VertexLog::default() };
    let mut export = ExportOnly { attempt: 2, digests: HashSet::new() };
    let steps = ["[1/2] FROM a", "[2/2] RUN b"];
    let update = StatusUpdate {
        vertexes: steps.iter().map(|name| vertex(name)).collect(),
        logs: vec![log(steps[1])],
        ..StatusUpdate::default()
    };
    assert_eq!(export.of(update), None);
    let exporting = "exporting to image";
    let update = StatusUpdate {
        vertexes: vec![vertex(steps[0]), vertex(exporting)],
        statuses: vec![status(steps[0]), status(exporting)],
        logs: vec![log(exporting)],
        ..StatusUpdate::default()
    };
    let shown = export.of(update).unwrap();
    assert_eq!((shown.vertexes.len(), shown.statuses.len(), shown.logs.len()), (1, 1, 1));
    assert_eq!(shown.vertexes[0].name, "exporting to image (attempt 2)");
    let digest = "of exporting to image#2";
    assert_eq!(
        (&*shown.vertexes[0].digest, &*shown.statuses[0].vertex, &*shown.logs[0].vertex),
        (digest, digest, digest)
    );
}

#[test]
fn who_would_not_take_it() {
    let at = |name: &str| Repository::parse(name).unwrap();
    let targets = Targets::new(at("r.io/a"), [at("localhost:5000/a")]);
    let build = |targets: &Targets| BuildPlan {
        export: Export::PushByDigest(targets.clone()),
        ..BuildPlan::new(
            crate::model::ContextSource::Directory("/w".into()),
            crate::metadata::fixture::config().dockerfile,
            Vec::new(),
        )
    };
    let failed = |name: &str| BuildError::PushFailed { repository: name.into(), message: "503".into() };
    let both = build(&targets);
    assert_eq!(pushed_to(&failed("localhost:5000/a"), &both), Some(at("localhost:5000/a")));
    assert_eq!(pushed_to(&failed("s.io/a"), &both), None);
    assert_eq!(pushed_to(&failed("whatever"), &build(&at("r.io/a").into())), Some(at("r.io/a")));
    assert_eq!(pushed_to(&BuildError::Cancelled, &both), None);
    let rest = both.without(&at("r.io/a")).unwrap();
    assert_eq!(rest.export, Export::PushByDigest(at("localhost:5000/a").into()));
    assert_eq!(rest.without(&at("localhost:5000/a")), None);
}

#[test]
fn the_last_error_says_how_often() {
    let failed = || BuildError::PushFailed { repository: "r.io/a".into(), message: "503".into() };
    let text = |attempts, but| given_up(failed(), attempts, but).to_string();
    assert_eq!(text(1, ""), "pushing to `r.io/a`: 503");
    assert_eq!(text(3, ""), "pushing to `r.io/a`: 503 (attempt 3)");
    assert_eq!(text(1, "; not"), "pushing to `r.io/a`: 503; not");
}
