//! A build as plain lines.

use std::time::Duration;

use super::*;
use crate::progress::event::{Excerpt, SourceLocation, VertexWarning};
use crate::progress::reporter::Reporter;
use crate::runner::command::Level;
use crate::runner::model::obey;

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
        location: Some(SourceLocation {
            file: "Dockerfile".into(),
            line: 1,
            end_line: 1,
            excerpt: Excerpt::default(),
        }),
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
  cached ✓ amd64 1/3  FROM busybox
::group::   3.4 s ✓ amd64 2/3  RUN make
::stop-commands::0123456789abcdef0123456789abcdef
   0.4 s │ cc -o api
   0.5 s │ link
   3.4 s │ \u{1b}[32mok\u{1b}[0m
::0123456789abcdef0123456789abcdef::
::endgroup::
::group::   3.7 s ✓ arm64 2/3  RUN make
::stop-commands::0123456789abcdef0123456789abcdef
   0.5 s │ cc -o api (arm)
   3.7 s │ \\::error::spoof
   3.7 s │ ##\\[error]spoof
::0123456789abcdef0123456789abcdef::
::endgroup::
   3.0 s ✓ exporting to image (pushing layers 2.2 s)
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
    // What a reader came for is not folded.
    assert_eq!(lines.len(), 32, "{lines:?}");
    assert_eq!(
        (lines[0].as_str(), lines[29].as_str()),
        ("    5 ms │ 2/3  line 1", "    5 ms │ 2/3  line 30")
    );
    assert_eq!(
        lines[30..],
        ["   1.5 s ✗ 2/3  RUN false: exit code 3", "   1.5 s - 1/3  COPY . . (cancelled)"]
    );
    let step = plain.state().failed("b", "[2/3] RUN false").unwrap();
    let tail = step.tail.lines();
    assert_eq!((tail.len(), tail[0].as_str()), (20, "line 11"));
    let location =
        SourceLocation { file: "Dockerfile".into(), line: 7, end_line: 8, excerpt: Excerpt::default() };
    let names = ("Dockerfile".to_owned(), "api/Dockerfile".to_owned());
    let annotation = crate::progress::text::failure(step, Some(&location), Some(&names), Some("do"));
    assert_eq!(annotation.place().unwrap(), "api/Dockerfile:7");
    assert_eq!(annotation.lines, Some((7, 8)));
    assert!(annotation.message.starts_with(
        "`[2/3] RUN false` failed with exit code 3 (`api/Dockerfile:7`)\nits output ends:\n  line 11\n"
    ));
    assert!(annotation.message.ends_with("\n  line 30\nhint: do"), "{}", annotation.message);
    let elsewhere = SourceLocation { file: "other".into(), ..location };
    assert_eq!(crate::progress::text::failure(step, Some(&elsewhere), Some(&names), None).file, None);
}

/// What several steps print at once is told apart, and no step has a second group.
#[test]
fn steps_that_run_at_once() {
    let mut plain = plain();
    let names =
        [("a", "[linux/amd64 2/3] RUN a"), ("b", "[linux/arm64 2/3] RUN b"), ("c", "[docs 1/2] RUN c")];
    let step = |at: usize| vertex(names[at].0, names[at].1, 0);
    plain.update(&vertexes([step(0), step(1), step(2)]), ms(0));
    let said = |plain: &mut Plain, digest: &str, now: u64, text: &str| {
        unfenced(&plain.update(&logs([log(digest, now, text)]), ms(now)))
    };
    assert_eq!(said(&mut plain, "a", 100, "a1\n"), [""; 0]);
    assert_eq!(said(&mut plain, "b", 200, "b1\n"), [""; 0]);
    assert_eq!(said(&mut plain, "c", 300, "c1\n"), [""; 0]);
    // One that ends soon does not wait for the others.
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(step(2), 5000)]), ms(5000))),
        ["::group::   5.0 s ✓ docs 1/2   RUN c", "   0.3 s │ c1", "::endgroup::"]
    );
    assert_eq!(unfenced(&plain.tick(ms(10_000))), [""; 0]);
    assert_eq!(
        unfenced(&plain.tick(ms(10_100))),
        ["  10.1 s … amd64 2/3  RUN a", "   0.1 s │ amd64 2/3  a1"]
    );
    assert_eq!(said(&mut plain, "a", 10_150, "a2\n"), ["  10.2 s │ amd64 2/3  a2"]);
    assert_eq!(
        said(&mut plain, "b", 10_200, "b2\n"),
        ["  10.2 s … arm64 2/3  RUN b", "   0.2 s │ arm64 2/3  b1", "  10.2 s │ arm64 2/3  b2"]
    );
    assert_eq!(said(&mut plain, "a", 60_000, "a3\n"), ["1 m 00 s │ amd64 2/3  a3"]);
    // Its output is open already.
    let error = "process \"x\" did not complete successfully: exit code: 1";
    assert_eq!(
        unfenced(&plain.update(&vertexes([failed(step(0), 61_000, error)]), ms(61_000))),
        ["1 m 01 s ✗ amd64 2/3  RUN a: exit code 1"]
    );
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(step(1), 62_000)]), ms(62_000))),
        ["1 m 02 s ✓ arm64 2/3  RUN b"]
    );
    assert_eq!(shown(&plain.finish(ms(63_000))), [""; 0]);
}

#[test]
fn what_is_too_much_to_wait_is_shown() {
    let mut plain = plain();
    let step = || vertex("a", "[1/2] RUN a", 0);
    plain.update(&vertexes([step()]), ms(0));
    let text = format!("{}\n", "x".repeat(1000)).repeat(70);
    let lines = unfenced(&plain.update(&logs([log("a", 10, &text)]), ms(10)));
    assert_eq!(lines.len(), 71);
    assert_eq!(lines[0], "   10 ms … 1/2  RUN a");
    assert!(lines[1..].iter().all(|line| line.starts_with("   10 ms │ 1/2  xxx")), "{lines:?}");
    // What is still to come is shown when the stream breaks off.
    plain.update(&vertexes([vertex("b", "[2/2] RUN b", 10)]), ms(10));
    plain.update(&logs([log("b", 20, "b\n")]), ms(20));
    assert_eq!(unfenced(&plain.finish(ms(30))), ["   20 ms … 2/2  RUN b", "   10 ms │ 2/2  b"]);
}

#[test]
fn a_step_that_runs_again_is_reported_once_unless_it_worked() {
    let mut plain = plain();
    let probe = done(vertex("a", "A", 0), 10);
    assert_eq!(unfenced(&plain.update(&vertexes([probe]), ms(10))), ["   10 ms ✓ A"]);
    assert_eq!(unfenced(&plain.update(&vertexes([vertex("a", "A", 20)]), ms(20))), [""; 0]);
    assert_eq!(unfenced(&plain.update(&vertexes([done(vertex("a", "A", 20), 30)]), ms(30))), [""; 0]);
    plain.update(&vertexes([vertex("a", "A", 100)]), ms(100));
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(vertex("a", "A", 100), 1600)]), ms(1600))),
        ["   1.5 s ✓ A"]
    );
    assert_eq!(plain.state().steps()[0].duration(), Duration::from_millis(1520));
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
    assert_eq!(pull(&mut plain, 5000, 50_000_000), ["   5.0 s … FROM big: 50.0 MB of 100.0 MB, 10.0 MB/s"]);
    assert_eq!(pull(&mut plain, 6000, 60_000_000), [""; 0]);
    assert_eq!(
        unfenced(&plain.update(&vertexes([done(vertex("f", "FROM big", 0), 8000)]), ms(8000))),
        ["   8.0 s ✓ FROM big: 60.0 MB"]
    );
    assert_eq!(unfenced(&plain.tick(ms(37_000))), [""; 0]);
    assert_eq!(unfenced(&plain.tick(ms(38_000))), ["  38.0 s … RUN sleep (still running)"]);
    assert_eq!(unfenced(&plain.tick(ms(39_000))), [""; 0]);
    assert_eq!(unfenced(&plain.tick(ms(68_000))), ["1 m 08 s … RUN sleep (still running)"]);
    assert_eq!(unfenced(&plain.tick(ms(100_000))), [""; 0]);
    plain.update(&logs([log("r", 101_000, "x\n")]), ms(101_000));
    assert_eq!(unfenced(&plain.tick(ms(111_000))), ["1 m 51 s … RUN sleep", "1 m 41 s │ RUN sleep  x"]);
    assert_eq!(unfenced(&plain.tick(ms(141_000))), ["2 m 21 s … RUN sleep (still running)"]);
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
fn quiet_warnings_are_lines_of_the_log_that_obey_nothing() {
    let warning = VertexWarning {
        vertex: "l".into(),
        short: "FromAsCasing: casing\n::error::x".into(),
        detail: vec!["two".into()],
        location: Some(SourceLocation {
            file: "Dockerfile".into(),
            line: 3,
            end_line: 3,
            excerpt: Excerpt::default(),
        }),
        ..VertexWarning::default()
    };
    let mut plain = Plain::new(PlainOptions {
        fence: FENCE.into(),
        dockerfile: Some(("Dockerfile".into(), "api/Dockerfile".into())),
        quiet_warnings: true,
        platforms: false,
    });
    let update = StatusUpdate { warnings: vec![warning], ..StatusUpdate::default() };
    let lines = plain.update(&update, ms(1));
    let [Line::Text(said)] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(said.starts_with("warning: FromAsCasing: casing"), "{said}");
    assert!(said.contains("two") && said.ends_with("(api/Dockerfile:3)") && !said.contains('\n'), "{said}");
}

/// A step that two builds have in common is one step of the daemon, which the other build has begun.
#[test]
fn a_step_takes_no_longer_than_the_build() {
    let mut plain = plain();
    let own = vertex("own", "[internal] load build definition from Dockerfile", 60_000);
    let shared = vertex("shared", "[2/3] RUN make", 0);
    plain.update(&vertexes([own, done(shared, 63_000)]), ms(0));
    let made = plain.state().steps().iter().find(|step| step.name.contains("make")).unwrap();
    assert_eq!(made.duration(), Duration::from_secs(3));
}

/// Newer BuildKits end an export before they push, and a second time when they have.
#[test]
fn an_export_is_said_to_have_ended_when_it_has() {
    let export = || vertex("e", "exporting to image (attempt 2)", 0);
    let mut plain = plain();
    assert_eq!(unfenced(&plain.update(&vertexes([done(export(), 1)]), ms(1))), [""; 0]);
    plain.update(&vertexes([export()]), ms(2));
    let pushed = failed(export(), 300, "failed to push r.io/a: 503");
    assert_eq!(
        unfenced(&plain.update(&vertexes([pushed]), ms(300))),
        ["   0.3 s ✗ exporting to image (attempt 2): failed"]
    );
    assert_eq!(shown(&plain.finish(ms(301))), [""; 0]);

    let mut plain = self::plain();
    plain.update(&vertexes([done(export(), 1)]), ms(1));
    assert_eq!(unfenced(&plain.finish(ms(2))), ["    1 ms ✓ exporting to image (attempt 2)"]);
}

#[test]
fn what_is_tried_again_is_said_after_what_failed() {
    let mut plain = plain();
    let (run, export) = (vertex("r", "RUN a", 0), vertex("e", "exporting to image", 10));
    plain.update(&vertexes([run, export.clone()]), ms(10));
    plain.update(&logs([log("r", 20, "a\n")]), ms(20));
    let refused = vertexes([failed(export, 300, "failed to push r.io/a: 503")]);
    assert_eq!(unfenced(&plain.update(&refused, ms(300))), ["   0.3 s ✗ exporting to image: failed"]);
    let lines = plain.update(&StatusUpdate::retry("503; attempt 2 in 2.0 s".into()), ms(301));
    assert_eq!(lines, [Line::Retry("503; attempt 2 in 2.0 s".into())]);
}
