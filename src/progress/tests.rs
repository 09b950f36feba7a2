//! Whole builds through the fold, the renderer and the reporter, as a person and as the runner read them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::{SourceLocation, StatusUpdate, Vertex, VertexLog, VertexStatus, VertexWarning};
use super::plain::{Line, Plain, PlainOptions};
use super::reporter::Reporter;
use crate::runner::command::{Annotation, Level};
use crate::runner::model::{hostile, obey, parse};
use proptest::prelude::*;

const FENCE: &str = "0123456789abcdef0123456789abcdef";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(1_700_000_000_000 + millis)
}

fn plain() -> Plain {
    Plain::new(PlainOptions {
        fence: FENCE.into(),
        dockerfile: Some(("Dockerfile".into(), "services/api/Dockerfile".into())),
    })
}

fn vertex(digest: &str, name: &str, started: u64) -> Vertex {
    Vertex { digest: digest.into(), name: name.into(), started: Some(ms(started)), ..Vertex::default() }
}

fn done(vertex: Vertex, completed: u64) -> Vertex {
    Vertex { completed: Some(ms(completed)), ..vertex }
}

fn failed(vertex: Vertex, completed: u64, error: &str) -> Vertex {
    Vertex { error: error.into(), ..done(vertex, completed) }
}

fn log(digest: &str, at: u64, text: &str) -> VertexLog {
    VertexLog { vertex: digest.into(), timestamp: ms(at), stream: 1, message: text.into() }
}

fn status(digest: &str, id: &str, current: i64, total: i64, span: (u64, Option<u64>)) -> VertexStatus {
    VertexStatus {
        id: id.into(),
        vertex: digest.into(),
        current,
        total,
        started: Some(ms(span.0)),
        completed: span.1.map(ms),
        ..VertexStatus::default()
    }
}

fn vertexes(vertexes: impl Into<Vec<Vertex>>) -> StatusUpdate {
    StatusUpdate { vertexes: vertexes.into(), ..StatusUpdate::default() }
}

fn logs(logs: impl Into<Vec<VertexLog>>) -> StatusUpdate {
    StatusUpdate { logs: logs.into(), ..StatusUpdate::default() }
}

fn statuses(statuses: impl Into<Vec<VertexStatus>>) -> StatusUpdate {
    StatusUpdate { statuses: statuses.into(), ..StatusUpdate::default() }
}

fn shown(lines: &[Line]) -> Vec<String> {
    lines
        .iter()
        .map(|line| match line {
            Line::Text(text) => text.clone(),
            Line::Command(command) => command.to_string(),
        })
        .collect()
}

/// The lines of a build without the fence.
fn unfenced(lines: &[Line]) -> Vec<String> {
    shown(lines).into_iter().filter(|line| !line.contains(FENCE)).collect()
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_small_build_as_it_is_read() {
    let memory = Memory::default();
    let reporter = Reporter::new(memory.clone(), false);
    let mut plain = plain();
    let load = || vertex("l", "[internal] load build definition from Dockerfile", 0);
    let from =
        || Vertex { cached: true, ..vertex("f", "[linux/amd64 1/3] FROM docker.io/library/busybox", 100) };
    let make = || vertex("m", "[linux/amd64 2/3] RUN make", 200);
    let arm = || vertex("a", "[linux/arm64 2/3] RUN make", 210);
    let export = || vertex("e", "exporting to image", 4000);
    let warning = VertexWarning {
        vertex: "l".into(),
        level: 1,
        short: "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)".into(),
        detail: vec!["The 'as' keyword should match the case of the 'from' keyword".into()],
        url: "https://docs.docker.com/go/dockerfile/rule/from-as-casing/".into(),
        location: Some(SourceLocation { file: "Dockerfile".into(), line: 1, end_line: 1, excerpt: vec![] }),
    };
    let script: Vec<(u64, StatusUpdate)> = vec![
        (0, vertexes([load()])),
        (20, vertexes([done(load(), 20)])),
        (50, StatusUpdate { warnings: vec![warning.clone(), warning], ..StatusUpdate::default() }),
        (110, vertexes([done(from(), 100), make(), arm()])),
        (551, logs([log("m", 551, "cc -o api\nli")])),
        (700, logs([log("a", 700, "cc -o api (arm)\n"), log("m", 720, "nk\n\u{1b}[32mok")])),
        (3600, vertexes([done(make(), 3600)])),
        (
            3900,
            StatusUpdate {
                logs: vec![log("a", 3890, "::error::spoof\r##[error]spoof")],
                ..vertexes([done(arm(), 3900)])
            },
        ),
        (4000, vertexes([export()])),
        (4000, statuses([status("e", "exporting layers", 0, 0, (4000, None))])),
        (
            6500,
            statuses([
                status("e", "exporting layers", 0, 0, (4000, Some(4300))),
                status("e", "pushing layers", 0, 0, (4300, Some(6500))),
            ]),
        ),
        (7000, vertexes([done(export(), 7000)])),
    ];
    for (now, update) in script {
        reporter.lines(&plain.update(&update, ms(now)));
    }
    reporter.lines(&plain.finish(ms(7000)));
    let expected = "\
::warning file=services/api/Dockerfile,line=1,title=FromAsCasing::'as' and 'FROM' keywords' casing do not match (line 1)%0AThe 'as' keyword should match the case of the 'from' keyword%0Ahttps://docs.docker.com/go/dockerfile/rule/from-as-casing/
✓ #2 [linux/amd64 1/3] FROM docker.io/library/busybox CACHED
::group::#3 [linux/amd64 2/3] RUN make
::stop-commands::0123456789abcdef0123456789abcdef
#3 0.351 cc -o api
#3 0.520 link
#3 3.400 \u{1b}[32mok\u{1b}[0m
::0123456789abcdef0123456789abcdef::
::endgroup::
✓ #3 [linux/amd64 2/3] RUN make 3.4 s
::group::#4 [linux/arm64 2/3] RUN make
::stop-commands::0123456789abcdef0123456789abcdef
#4 0.490 cc -o api (arm)
#4 3.680 \\::error::spoof
#4 3.690 ##\\[error]spoof
::0123456789abcdef0123456789abcdef::
::endgroup::
✓ #4 [linux/arm64 2/3] RUN make 3.6 s
✓ #5 exporting to image 3.0 s (pushing layers 2.2 s)
";
    assert_eq!(memory.text(), expected, "{}", memory.text());
    assert_eq!(plain.state().time_of("pushing"), Duration::from_millis(2200));
    let names: Vec<String> = obey(&memory.text()).into_iter().map(|command| command.name).collect();
    assert_eq!(
        names,
        ["warning", "group", "stop-commands", "endgroup", "group", "stop-commands", "endgroup"]
    );
    assert_eq!(reporter.count(Level::Warning), (1, 0));
}

#[test]
fn a_failing_step_says_its_exit_code_and_the_others_are_cancelled() {
    let mut plain = plain();
    let mut lines = Vec::new();
    let bad = || vertex("b", "[2/3] RUN false", 0);
    let other = || vertex("o", "[1/3] COPY . .", 0);
    lines.extend(plain.update(&vertexes([bad(), other()]), ms(0)));
    let text = (1..=30).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
    lines.extend(plain.update(&logs([log("b", 5, &text)]), ms(5)));
    let error = "process \"/bin/sh -c false\" did not complete successfully: exit code: 3";
    let update = vertexes([failed(bad(), 1500, error), failed(other(), 1501, "Canceled: context canceled")]);
    lines.extend(plain.update(&update, ms(1501)));
    let lines = unfenced(&lines);
    assert_eq!(
        lines[lines.len() - 3..],
        ["::endgroup::", "✗ #1 [2/3] RUN false exit 3 after 1.5 s", "- #2 [1/3] COPY . . cancelled"]
    );
    let step = plain.state().failed().unwrap();
    assert_eq!((step.tail.len(), step.tail[0].as_str()), (20, "line 11"));
    let location = SourceLocation { file: "Dockerfile".into(), line: 7, end_line: 8, excerpt: vec![] };
    let names = ("Dockerfile".to_owned(), "api/Dockerfile".to_owned());
    let annotation = super::text::failure(step, Some(&location), Some(&names));
    assert_eq!(annotation.place().unwrap(), "api/Dockerfile:7");
    assert_eq!(annotation.lines, Some((7, 8)));
    assert!(
        annotation
            .message
            .starts_with("`[2/3] RUN false` failed with exit code 3 (`api/Dockerfile:7`)\n  line 11\n")
    );
    let elsewhere = SourceLocation { file: "other".into(), ..location };
    assert_eq!(super::text::failure(step, Some(&elsewhere), Some(&names)).file, None);
}

#[test]
fn the_floor_passes_on() {
    let mut plain = plain();
    plain.update(&vertexes([vertex("a", "A", 0), vertex("b", "B", 0)]), ms(0));
    let said = |plain: &mut Plain, digest: &str, now: u64, text: &str| {
        unfenced(&plain.update(&logs([log(digest, now, text)]), ms(now)))
    };
    assert_eq!(said(&mut plain, "a", 100, "a1\n"), ["::group::#1 A", "#1 0.100 a1"]);
    assert_eq!(said(&mut plain, "b", 200, "b1\n"), [""; 0]);
    assert_eq!(unfenced(&plain.tick(ms(2000))), [""; 0]);
    // A was silent for two seconds while B waits.
    assert_eq!(unfenced(&plain.tick(ms(2100))), ["::endgroup::", "::group::#2 B", "#2 0.200 b1"]);
    // B talks on; A is not made to wait longer than ten seconds.
    assert_eq!(said(&mut plain, "a", 2500, "a2\n"), [""; 0]);
    let mut handed = Vec::new();
    for now in (3000..13_000).step_by(500) {
        handed.extend(said(&mut plain, "b", now, "b\n"));
    }
    assert!(handed.contains(&"::group::#1 A (continued)".to_owned()), "{handed:?}");
    // A step may have 64 KiB waiting, then it gets the floor.
    let mut many = Vec::new();
    for now in 13_000..13_070 {
        many.extend(said(&mut plain, "b", now, &format!("{}\n", "x".repeat(1000))));
    }
    assert!(many.len() > 60, "{}", many.len());
}

#[test]
fn what_ends_meanwhile_is_shown_after_the_group() {
    let mut plain = plain();
    plain.update(&vertexes([vertex("a", "A", 0), vertex("b", "B", 0), vertex("c", "C", 0)]), ms(0));
    plain.update(&logs([log("a", 10, "a\n")]), ms(10));
    let update = StatusUpdate {
        logs: vec![log("b", 20, "b")],
        ..vertexes([done(vertex("b", "B", 0), 30), done(vertex("c", "C", 0), 30)])
    };
    assert_eq!(unfenced(&plain.update(&update, ms(30))), [""; 0]);
    let lines = unfenced(&plain.update(&vertexes([done(vertex("a", "A", 0), 40)]), ms(40)));
    assert_eq!(
        lines,
        [
            "::endgroup::",
            "✓ #1 A 40 ms",
            "::group::#2 B",
            "#2 0.030 b",
            "::endgroup::",
            "✓ #2 B 30 ms",
            "✓ #3 C 30 ms"
        ]
    );
    assert_eq!(shown(&plain.finish(ms(50))), [""; 0]);
}

#[test]
fn a_step_that_runs_again_is_reported_once_unless_it_worked() {
    let mut plain = plain();
    let probe = done(vertex("a", "A", 0), 10);
    assert_eq!(unfenced(&plain.update(&vertexes([probe]), ms(10))), ["✓ #1 A 10 ms"]);
    assert_eq!(unfenced(&plain.update(&vertexes([vertex("a", "A", 20)]), ms(20))), [""; 0]);
    assert_eq!(unfenced(&plain.update(&vertexes([done(vertex("a", "A", 20), 30)]), ms(30))), [""; 0]);
    plain.update(&vertexes([vertex("a", "A", 100)]), ms(100));
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(vertex("a", "A", 100), 600)]), ms(600))),
        ["✓ #1 A 0.5 s"]
    );
    assert_eq!(plain.state().steps()[0].duration(), Duration::from_millis(520));
}

#[test]
fn transfers_and_silence() {
    let mut plain = plain();
    plain.update(&vertexes([vertex("f", "FROM big", 0), vertex("r", "RUN sleep", 0)]), ms(0));
    let pull = |plain: &mut Plain, now: u64, current: i64| {
        let layers = [
            status("f", "sha256:a", current, 100_000_000, (0, None)),
            status("f", "resolve", 0, 0, (0, Some(1))),
        ];
        unfenced(&plain.update(&statuses(layers), ms(now)))
    };
    assert_eq!(pull(&mut plain, 1000, 1_000_000), [""; 0]);
    assert_eq!(pull(&mut plain, 5000, 50_000_000), ["… #1 FROM big: 50.0 MB of 100.0 MB, 10.0 MB/s"]);
    assert_eq!(pull(&mut plain, 6000, 60_000_000), [""; 0]);
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(vertex("f", "FROM big", 0), 8000)]), ms(8000))),
        ["✓ #1 FROM big 8.0 s, 60.0 MB"]
    );
    assert_eq!(unfenced(&plain.tick(ms(37_000))), [""; 0]);
    assert_eq!(unfenced(&plain.tick(ms(38_000))), ["… still running: #2 RUN sleep (38.0 s)"]);
    assert_eq!(unfenced(&plain.tick(ms(39_000))), [""; 0]);
    assert_eq!(unfenced(&plain.tick(ms(68_000))), ["… still running: #2 RUN sleep (1 m 08 s)"]);
    assert_eq!(unfenced(&plain.tick(ms(100_000))), [""; 0]);
    // Silence closes the group, so that the heartbeat is seen.
    plain.update(&logs([log("r", 101_000, "x\n")]), ms(101_000));
    assert_eq!(
        unfenced(&plain.tick(ms(131_000))),
        ["::endgroup::", "… still running: #2 RUN sleep (2 m 11 s)"]
    );
}

#[test]
fn a_gigabyte_of_output_stays_outside() {
    let mut plain = plain();
    plain.update(&vertexes([vertex("a", "A", 0), vertex("b", "B", 0)]), ms(0));
    let chunk = StatusUpdate {
        logs: vec![log("a", 1, &"0123456789abcde\n".repeat(256)), log("b", 1, &"y".repeat(4096))],
        ..StatusUpdate::default()
    };
    let mut lines = 0;
    for now in 0..500 {
        lines += plain.update(&chunk, ms(now)).len();
    }
    assert!(lines >= 128_000, "{lines}");
    let kept = format!("{plain:?}").len();
    assert!(kept < 200_000, "{kept}");
}

#[test]
fn commands_of_ours_leave_the_fence_and_masks_come_first() {
    let memory = Memory::default();
    let reporter = Reporter::new(memory.clone(), true);
    assert!(reporter.mask("hunter2\nabc"));
    assert!(!reporter.mask("abc"));
    let mut plain = plain();
    plain.update(&vertexes([vertex("a", "A hunter2", 0)]), ms(0));
    reporter.lines(&plain.update(&logs([log("a", 0, "password hunter2\n")]), ms(0)));
    reporter.warn("ünder hunter2: 100%");
    reporter.debug("token=hunter2\nsecond");
    reporter.info("::set-output name=a::b\nplain hunter2");
    reporter.lines(&plain.finish(ms(1)));
    let text = memory.text();
    assert!(text.starts_with("::add-mask::hunter2\n::group::#1 A ***\n"), "{text}");
    assert_eq!(text.matches("hunter2").count(), 1);
    let obeyed: Vec<String> = obey(&text).into_iter().map(|c| format!("{}={}", c.name, c.data)).collect();
    let stop = format!("stop-commands={FENCE}");
    assert_eq!(
        obeyed,
        [
            "add-mask=hunter2",
            "group=#1 A ***",
            &stop,
            "warning=ünder ***: 100%",
            &stop,
            "debug=token=***",
            &stop,
            "debug=second",
            &stop,
            "endgroup="
        ]
    );
    assert!(text.contains("\n\\::set-output name=a::b\nplain ***\n"));
    assert_eq!(reporter.annotations()[0].message, "ünder ***: 100%");
}

#[test]
fn more_annotations_than_github_takes_go_to_the_log() {
    let memory = Memory::default();
    let reporter = Reporter::new(memory.clone(), false);
    for n in 0..12 {
        reporter.annotate(Annotation {
            file: Some("Dockerfile".into()),
            lines: Some((n, n)),
            ..Annotation::new(Level::Warning, "w")
        });
    }
    reporter.error("e");
    assert_eq!(obey(&memory.text()).len(), 11);
    assert!(memory.text().ends_with("\nwarning: Dockerfile:11: w\n::error::e\n"), "{}", memory.text());
    assert_eq!((reporter.count(Level::Warning), reporter.count(Level::Error)), ((12, 2), (1, 0)));
}

#[test]
fn a_closed_terminal_stops_nothing() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let reporter = Reporter::new(Closed, false);
    for _ in 0..3 {
        reporter.info("anybody there?");
        reporter.warn("no");
    }
    assert_eq!(reporter.count(Level::Warning), (3, 0));
}

#[test]
fn debug_lines_are_ours_only() {
    let memory = Memory::default();
    let reporter = Reporter::new(memory.clone(), true);
    reporter.mask("hunter2");
    tracing::subscriber::with_default(super::debug::DebugLines::new(reporter), || {
        let _span = tracing::info_span!("span").entered();
        tracing::debug!(host = "ghcr.io", "asked with hunter2");
        tracing::trace!("too fine");
        tracing::debug!(target: "hyper::proto", "authorization: Bearer x");
    });
    assert_eq!(
        memory.text(),
        "::add-mask::hunter2\n::debug::progress::tests: asked with *** host=\"ghcr.io\"\n"
    );
}

proptest! {
    /// Whatever steps are called, print, warn or die of: the runner obeys our own commands only, every group
    /// that opens is closed, and no text line is a command even without the fence.
    #[test]
    fn a_hostile_build_commands_nothing(
        events in prop::collection::vec((0usize..4, 0usize..7, hostile(), 0u64..40_000), 0..40)
    ) {
        let memory = Memory::default();
        let reporter = Reporter::new(memory.clone(), true);
        let mut plain = plain();
        let (mut groups, mut texts) = (0, Vec::new());
        let mut emit = |lines: Vec<Line>| {
            groups += lines.iter().filter(|l| matches!(l, Line::Command(crate::runner::command::Command::Group(_)))).count();
            texts.extend(lines.iter().filter_map(|l| match l { Line::Text(t) => Some(t.clone()), Line::Command(_) => None }));
            reporter.lines(&lines);
        };
        let mut now = 0;
        for (step, kind, text, gap) in events {
            now += gap;
            let digest = step.to_string();
            let started = vertex(&digest, &format!("{text} {step}"), 0);
            let update = match kind {
                0 => vertexes([started]),
                1 => vertexes([done(started, now)]),
                2 => vertexes([failed(started, now, &text)]),
                3 => StatusUpdate { warnings: vec![VertexWarning { short: text.clone(), detail: vec![text.clone()], url: text, ..VertexWarning::default() }], ..StatusUpdate::default() },
                4 => statuses([status(&digest, &text, 5_000_000, 0, (0, None))]),
                5 => statuses([status(&digest, &text, 0, 0, (0, Some(now)))]),
                _ => logs([log(&digest, now, &text)]),
            };
            emit(plain.update(&update, ms(now)));
            emit(plain.tick(ms(now)));
        }
        emit(plain.finish(ms(now)));
        for text in &texts {
            prop_assert_eq!(parse(text), None, "{:?}", text);
        }
        let obeyed = obey(&memory.text());
        let count = |name: &str| obeyed.iter().filter(|command| command.name == name).count();
        prop_assert_eq!((count("group"), count("endgroup"), count("stop-commands")), (groups, groups, groups));
        prop_assert_eq!(obeyed.len(), 3 * groups + count("warning"));
    }
}
