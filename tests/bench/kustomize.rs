//! An edit of a long kustomization, by itself: the library's part of this process does it.

use crate::measure::Bench;
use crate::table::Row;
use docker_push_action::kustomize::{Edited, NewImage, SourceFile, edit};
use docker_push_action::model::{Digest, Repository, Tag};
use std::fmt::Write as _;
use std::time::Instant;

/// Five thousand lines: resources, images with comments, patches.
fn long_file() -> String {
    let mut text = "kind: Kustomization\nresources:\n".to_owned();
    for n in 0..2000 {
        let _ = writeln!(text, "  - base/{n}/deployment.yaml");
    }
    text.push_str("images:\n");
    for n in 0..300 {
        let _ = writeln!(
            text,
            "  # image {n}\n  - name: app-{n:03}\n    newName: ghcr.io/acme/app-{n}\n    newTag: \"1.{n}\" # tag"
        );
    }
    text.push_str("patches:\n");
    for n in 0..300 {
        let _ = writeln!(
            text,
            "  - target:\n      kind: Deployment\n    patch: |-\n      - op: replace\n        path: /spec/{n}\n        value: {n}"
        );
    }
    text
}

/// How long one edit takes.
pub fn long_edit(bench: &Bench) -> Vec<Row> {
    let text = long_file();
    let file = SourceFile::new("kustomization.yaml", text.as_bytes()).expect("a text");
    let image = NewImage {
        repository: Repository::parse("ghcr.io/acme/other").expect("a repository"),
        tag: Tag::parse("1.10").expect("a tag"),
        digest: Some(Digest::of(b"")),
    };
    let mut times = Vec::new();
    // Each takes milliseconds: what the row before has left in the processor's caches is not what is measured.
    for _ in 0..=bench.runs.max(50) {
        let began = Instant::now();
        let edited = edit(&file, "app-270", &image);
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        assert!(matches!(edited, Ok(Edited::Changed(_))), "{edited:?}");
    }
    times.remove(0);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    vec![Row::absolute(
        "an edit of a kustomization of 5,000 lines (the slowest)",
        format!("{median:.1} ms ({:.1} ms)", times[times.len() - 1]),
        "≤ 10 ms",
        median <= 10.0,
    )]
}
