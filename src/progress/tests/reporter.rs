//! What reaches the terminal: our own commands and nobody else's.

use std::io::{self, Write};

use super::*;
use crate::progress::event::VertexWarning;
use crate::progress::reporter::Reporter;
use crate::runner::command::{Annotation, Command, Level};
use crate::runner::model::{hostile, obey, parse};
use proptest::prelude::*;

#[test]
fn commands_of_ours_leave_the_fence_and_masks_come_first() {
    let memory = Memory::default();
    let reporter = Reporter::new(memory.clone(), true);
    assert!(reporter.mask("hunter2\nabc"));
    assert!(!reporter.mask("abc"));
    let mut plain = plain();
    let printing = vertex("a", "A hunter2", 0);
    plain.update(&vertexes([printing.clone()]), ms(0));
    plain.update(&logs([log("a", 0, "password hunter2\n")]), ms(0));
    let lines = plain.update(&vertexes([done(printing, 1)]), ms(1));
    let end = lines.iter().position(|line| matches!(line, Line::Command(Command::Resume(_)))).unwrap();
    reporter.lines(&lines[..end]);
    reporter.warn("ünder hunter2: 100%");
    reporter.debug("token=hunter2\nsecond");
    reporter.info("::set-output name=a::b\nplain hunter2");
    reporter.lines(&lines[end..]);
    let text = memory.text();
    assert!(text.starts_with("::add-mask::hunter2\n::group::    1 ms ✓ A ***\n"), "{text}");
    assert_eq!(text.matches("hunter2").count(), 1);
    let obeyed: Vec<String> = obey(&text).into_iter().map(|c| format!("{}={}", c.name, c.data)).collect();
    let stop = format!("stop-commands={FENCE}");
    assert_eq!(
        obeyed,
        [
            "add-mask=hunter2",
            "group=    1 ms ✓ A ***",
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
    tracing::subscriber::with_default(crate::progress::debug::DebugLines::new(reporter), || {
        let _span = tracing::info_span!("span").entered();
        tracing::info!(host = "ghcr.io", "asked with hunter2");
        tracing::trace!("too fine");
        tracing::info!(target: "hyper::proto", "authorization: Bearer x");
    });
    assert_eq!(
        memory.text(),
        "::add-mask::hunter2\n::debug::progress::tests::reporter: asked with *** host=\"ghcr.io\"\n"
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
            groups += lines.iter().filter(|line| matches!(line, Line::Group(_))).count();
            let ours = lines.iter().filter(|line| !matches!(line, Line::Command(_) | Line::Group(_)));
            texts.extend(shown(&ours.cloned().collect::<Vec<_>>()));
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
