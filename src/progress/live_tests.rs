//! A build at a terminal, as it stands there: the lines, and the frame below them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::super::event::{Vertex, VertexLog, VertexStatus};
use super::super::reporter::Reporter;
use super::*;
use crate::runner::untrusted;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(1_700_000_000_000 + millis)
}

fn vertex(digest: &str, name: &str, started: u64, completed: Option<u64>) -> Vertex {
    Vertex {
        digest: digest.into(),
        name: name.into(),
        started: Some(ms(started)),
        completed: completed.map(ms),
        ..Vertex::default()
    }
}

fn live() -> Live {
    Live::new(PlainOptions {
        fence: "f".repeat(32),
        dockerfile: None,
        quiet_warnings: false,
        platforms: false,
    })
}

fn text(line: &Line) -> String {
    match line {
        Line::Step(line) => line.text(80, false),
        Line::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn vertexes(vertexes: Vec<Vertex>) -> StatusUpdate {
    StatusUpdate { vertexes, ..StatusUpdate::default() }
}

/// A terminal that knows what a screen uses: lines, cursor up, erase to the end.
#[derive(Clone, Default)]
struct Glass(Arc<Mutex<Vec<String>>>);

impl Write for Glass {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap();
        let mut text = std::str::from_utf8(bytes).unwrap();
        while !text.is_empty() {
            if let Some(rest) = text.strip_prefix("\r\u{1b}[") {
                let (up, rest) = rest.split_once("A\u{1b}[J").expect("up, then erase");
                let kept = lines.len() - up.parse::<usize>().unwrap();
                lines.truncate(kept);
                text = rest;
                continue;
            }
            let (line, rest) = text.split_once('\n').expect("whole lines");
            // What is in colour is set back on the same line.
            let coloured = line.matches('\u{1b}').count();
            assert!(coloured == 0 || line.matches("\u{1b}[0m").count() * 2 == coloured, "{line:?}");
            assert!(!line.contains('\r'), "{line:?}");
            lines.push(line.to_owned());
            text = rest;
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_build_as_it_stands_on_the_terminal() {
    let glass = Glass::default();
    let reporter = Reporter::on_terminal(glass.clone(), false, || 48, false);
    let shown = || glass.0.lock().unwrap().clone();
    reporter.mask("hunter22");
    reporter.info("Push localhost:5000/api");
    let mut live = live();
    let at = Duration::from_secs;
    reporter.lines(&live.update(
        &vertexes(vec![
            vertex("a", "[1/3] FROM busybox", 0, None),
            vertex("b", "[2/3] RUN make", 0, None),
            vertex("i", "[internal] load metadata", 0, Some(20)),
        ]),
        at(0),
    ));
    let update = StatusUpdate {
        statuses: vec![VertexStatus {
            id: "sha256:0".into(),
            vertex: "a".into(),
            current: 2_000_000,
            total: 8_000_000,
            ..VertexStatus::default()
        }],
        logs: vec![VertexLog {
            vertex: "b".into(),
            message: b"one\ntwo\nthree\nfour hunter22\n\x1b[31mfive, which is far too long for the width of this\x1b[0m\n".to_vec(),
            ..VertexLog::default()
        }],
        ..StatusUpdate::default()
    };
    reporter.lines(&live.update(&update, at(1)));
    reporter.lines(&live.tick(at(2)));
    assert_eq!(
        shown(),
        [
            "Push localhost:5000/api",
            "   2.0 s … 1/3  FROM busybox: 2.0 MB of 8.0 MB…",
            "   2.0 s … 2/3  RUN make",
            "         │ two",
            "         │ three",
            "         │ four ***",
            "         │ five, which is far too long for the…",
        ]
    );
    // What we say ourselves goes above the frame.
    reporter.warn("slow");
    assert_eq!((shown().len(), shown()[1].as_str()), (8, "warning: slow"));
    reporter.lines(&live.update(
        &vertexes(vec![
            vertex("a", "[1/3] FROM busybox", 0, Some(2500)),
            Vertex {
                error: "process \"make\" did not complete successfully: exit code: 2".into(),
                ..vertex("b", "[2/3] RUN make", 0, Some(3000))
            },
        ]),
        at(3),
    ));
    reporter.lines(&live.tick(at(3)));
    reporter.lines(&live.finish());
    assert_eq!(
        shown(),
        [
            "Push localhost:5000/api",
            "warning: slow",
            "   2.5 s ✓ 1/3  FROM busybox: 2.0 MB",
            "   3.0 s ✗ 2/3  RUN make: exit code 2",
        ]
    );
}

/// No line that is drawn over, or is about a step, is wider than the terminal, in colour or not; none loses half of a colour.
#[test]
fn a_narrow_terminal_wraps_nothing() {
    let columns = || 60;
    for colours in [false, true] {
        let glass = Glass::default();
        let reporter = Reporter::on_terminal(glass.clone(), false, columns, colours);
        let mut live = live();
        let long = "RUN apt-get update && apt-get install --yes --no-install-recommends build-essential";
        let name = |n: usize| format!("[a-stage-with-a-long-name {n}/3] {long} 日本語");
        let cached = Vertex { cached: true, ..vertex("c", &name(1), 0, Some(0)) };
        let failed = Vertex {
            error: "failed to solve: a registry says a great deal about what it cannot do at this time"
                .into(),
            ..vertex("f", &name(2), 0, Some(700))
        };
        let logs = vec![VertexLog {
            vertex: "r".into(),
            message: format!("\u{1b}[31m{}\u{1b}[0m\n日本語{}\n", "x".repeat(70), "語".repeat(40))
                .into_bytes(),
            ..VertexLog::default()
        }];
        let running = vertex("r", &name(3), 0, None);
        let update = StatusUpdate { logs, ..vertexes(vec![cached, failed, running]) };
        reporter.lines(&live.update(&update, Duration::from_secs(1)));
        reporter.lines(&live.tick(Duration::from_secs(3)));
        let shown = glass.0.lock().unwrap().clone();
        assert_eq!(shown.len(), 5, "{shown:?}");
        assert_eq!(shown.iter().any(|line| line.contains('\u{1b}')), colours, "{shown:?}");
        for line in &shown {
            let plain = untrusted::strip_colours(line);
            assert!(super::super::width::columns(&plain) < 60, "{plain}");
        }
        assert!(shown[0].contains("cached ✓ a-stage-with-a-long-name"), "{shown:?}");
    }
}

#[test]
fn a_frame_stays_small() {
    let mut live = live();
    let many = (0..100).map(|n| vertex(&n.to_string(), &format!("[{n}/100] RUN x"), 0, None)).collect();
    assert_eq!(live.update(&vertexes(many), Duration::ZERO), []);
    let [Line::Frame(frame)] = &live.tick(Duration::from_secs(65))[..] else { panic!("one frame") };
    assert_eq!(frame.len(), STEPS + 1);
    assert_eq!(text(&frame[0]), "1 m 05 s … 0/100   RUN x");
    assert_eq!(text(&frame[STEPS]), "         … and 92 more");
}

#[test]
fn a_rate_is_taken_over_a_second_at_least() {
    let mut live = live();
    live.update(&vertexes(vec![vertex("a", "context", 0, None)]), Duration::ZERO);
    let mut frame = |bytes: i64, now: u64| {
        let status =
            VertexStatus { vertex: "a".into(), id: "x".into(), current: bytes, ..VertexStatus::default() };
        let update = StatusUpdate { statuses: vec![status], ..StatusUpdate::default() };
        live.update(&update, Duration::from_millis(now));
        match live.tick(Duration::from_millis(now)).pop() {
            Some(Line::Frame(lines)) => text(&lines[0]),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(frame(1000, 500), "   0.5 s … context: 1.0 kB");
    assert_eq!(frame(4000, 1000), "   1.0 s … context: 4.0 kB, 4.0 kB/s");
    assert_eq!(frame(5000, 1500), "   1.5 s … context: 5.0 kB, 4.0 kB/s");
    assert_eq!(frame(5000, 2000), "   2.0 s … context: 5.0 kB, 1.0 kB/s");
}
