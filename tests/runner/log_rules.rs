//! What a line of output does to a step.

use crate::runner::log::{Annotation, Level, Log};
use crate::runner::paths::PathMap;
use std::path::Path;

fn log() -> Log {
    let workspace = Path::new("/home/runner/work/shop/shop");
    let paths = PathMap::of_an_action(Path::new("/home/runner/work/_temp"), workspace);
    Log::new(paths, workspace.display().to_string(), &["ghs_secret".to_owned()])
}

fn after(lines: &[&str]) -> Log {
    let mut log = log();
    for line in lines {
        log.line(line);
    }
    log
}

#[test]
fn a_line_is_a_command_or_text() {
    // (line, the names and data of the commands that it runs, the lines that it leaves)
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let table: &[Row<'_>] = &[
        ("plain", &[], &["plain"]),
        ("", &[], &[""]),
        ("::notice::hi", &[("notice", "hi")], &["##[notice]hi"]),
        ("  \t::NOTICE::hi", &[("notice", "hi")], &["##[notice]hi"]),
        ("x ::notice::hi", &[], &["x ::notice::hi"]),
        ("::nothing::hi", &[], &["::nothing::hi"]),
        ("::notice hi", &[], &["::notice hi"]),
        ("::group::Build%0Ax", &[("group", "Build\nx")], &["##[group]Build", "x"]),
        ("::endgroup::", &[("endgroup", "")], &["##[endgroup]"]),
        ("#12 0.3 ##[error]boo", &[("error", "boo")], &["##[error]boo"]),
        ("##[group]a%3Bb%5D", &[("group", "a;b]")], &["##[group]a;b]"]),
        ("##[nothing]x", &[], &["##[nothing]x"]),
        ("##[error", &[], &["##[error"]),
        ("##\\[error]x", &[], &["##\\[error]x"]),
        // The first `##[` decides: a later one is not looked at.
        ("##[x] ##[error]y", &[], &["##[x] ##[error]y"]),
        ("::unknown::##[error]y", &[("error", "y")], &["##[error]y"]),
        ("##[start-action x]", &[], &["##[\\start-action x]"]),
        (
            "::error::100%25 sure%0D%0Amore",
            &[("error", "100% sure\r\nmore")],
            &["##[error]100% sure", "more"],
        ),
        ("::error::%250A", &[("error", "%0A")], &["##[error]%0A"]),
        ("::debug::quiet", &[("debug", "quiet")], &[]),
        ("::internal-set-repo-path repoFullName=a::b", &[], &["::internal-set-repo-path repoFullName=a::b"]),
    ];
    for (line, commands, lines) in table {
        let log = after(&[line]);
        let seen: Vec<_> =
            log.commands.iter().map(|known| (known.name.as_str(), known.data.as_str())).collect();
        assert_eq!(&seen, commands, "{line:?}");
        assert_eq!(&log.lines, lines, "{line:?}");
    }
}

#[test]
fn properties_are_read_as_dotnet_splits_them() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("::error file=a,line=3::x", &[("file", "a"), ("line", "3")]),
        ("::error FILE=a::x", &[("file", "a")]),
        ("::error file=a%3Ab%2Cc%25::x", &[("file", "a:b,c%")]),
        ("::error title=a=b,,line=::x", &[("title", "a=b")]),
        ("::error =file=a::x", &[("file", "a")]),
        ("##[error file=a;line=3]x", &[("file", "a"), ("line", "3")]),
        ("##[error file=a,line=3]x", &[("file", "a,line=3")]),
    ];
    for (line, properties) in table {
        let log = after(&[line]);
        let seen: Vec<_> = log.commands[0].properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(&seen, properties, "{line:?}");
    }
}

#[test]
fn stopped_commands_are_text_until_the_token() {
    let token = "0123456789abcdef";
    let log = after(&[
        &format!("::stop-commands::{token}"),
        "::error::a",
        "##[set-output name=x]y",
        "##[group]still drawn by the page",
        "::wrong::",
        &format!("::{}::", token.to_uppercase()),
        "::notice::b",
    ]);
    assert!(!log.stopped());
    assert_eq!(log.annotations.len(), 1);
    assert!(log.outputs.is_empty());
    assert_eq!(log.lines[0], "::stop-commands::***", "a token longer than six characters is hidden");
    assert_eq!(log.lines[1..4], ["::error::a", "##[set-output name=x]y", "##[group]still drawn by the page"]);
    assert_eq!(log.groups().len(), 1);

    for bad in ["", "error", "pause-logging"] {
        let log = after(&[&format!("::stop-commands::{bad}"), "::notice::b"]);
        assert!(log.failed && !log.stopped(), "{bad:?}");
    }
    let short = after(&["##[stop-commands]abc", "abc ::error::x"]);
    assert!(short.stopped());
    assert_eq!(short.lines[1], "abc ::error::x", "a short token is not hidden");
}

#[test]
fn old_output_commands_still_work() {
    let log = after(&["::set-output name=digest::sha256:1", "::save-state name=a::b", "::set-env name=A::b"]);
    assert_eq!(log.outputs["digest"], "sha256:1");
    assert_eq!(log.state["a"], "b");
    assert!(log.failed, "set-env is refused");
    let levels: Vec<_> = log.annotations.iter().map(|known| known.level).collect();
    assert_eq!(levels, [Level::Warning, Level::Warning, Level::Error, Level::Error]);
    assert!(after(&["::set-output::x"]).failed, "a name is needed");
}

#[test]
fn positions_that_do_not_fit_are_dropped() {
    // (properties, line, end line, column, end column)
    type Row = (&'static str, Option<u32>, Option<u32>, Option<u32>, Option<u32>);
    let table: &[Row] = &[
        ("line=3", Some(3), None, None, None),
        ("line=3,col=4", Some(3), None, Some(4), None),
        ("line=3,endLine=3,col=4,endColumn=9", Some(3), Some(3), Some(4), Some(9)),
        ("line=3,endLine=5,col=4,endColumn=9", Some(3), Some(5), None, None),
        ("endLine=5", Some(5), Some(5), None, None),
        ("col=4", None, None, None, None),
        ("line=5,endLine=3", None, None, None, None),
        ("line=3,col=9,endColumn=4", Some(3), None, None, None),
        ("line=3,endColumn=4", Some(3), None, Some(4), Some(4)),
        ("line=x", None, None, None, None),
    ];
    for (properties, line, end_line, col, end_col) in table {
        let log = after(&[&format!("::error file=Dockerfile,{properties}::m")]);
        let seen = &log.annotations[0];
        assert_eq!(
            (seen.line, seen.end_line, seen.col, seen.end_col),
            (*line, *end_line, *col, *end_col),
            "{properties}"
        );
    }
}

#[test]
fn a_file_is_named_from_the_repository() {
    let table = [
        ("/github/workspace/deploy/Dockerfile", "deploy/Dockerfile"),
        ("/home/runner/work/shop/shop/Dockerfile", "Dockerfile"),
        ("Dockerfile", "Dockerfile"),
        ("/github/workspaces/x", "/github/workspaces/x"),
        ("/github/runner_temp/x", "/home/runner/work/_temp/x"),
    ];
    for (given, seen) in table {
        let log = after(&[&format!("::warning file={given},title=T::m")]);
        assert_eq!(
            log.annotations,
            [Annotation {
                level: Level::Warning,
                message: "m".to_owned(),
                title: Some("T".to_owned()),
                file: Some(seen.to_owned()),
                line: None,
                end_line: None,
                col: None,
                end_col: None,
            }]
        );
    }
}

#[test]
fn annotations_are_counted_and_cut() {
    let message = format!("::error::{}", "ß😀".repeat(3000));
    let lines: Vec<&str> = std::iter::repeat_n(message.as_str(), 12).chain(["::notice::n"]).collect();
    let log = after(&lines);
    assert_eq!(log.annotations.len(), 11, "ten of a level");
    assert_eq!(log.lines.len(), 13, "all of them in the log");
    assert_eq!(log.annotations[0].message.encode_utf16().count(), 4096);
}

#[test]
fn secrets_are_hidden_everywhere() {
    let log = after(&[
        "token ghs_secret here",
        "::add-mask::pa\"ss word%0Asecond-line",
        "second-line and pa\"ss word and cGEic3Mgd29yZ",
        "::error title=ghs_secret::ghs_secret",
        "::add-mask:: ",
        "::echo::on",
        "::add-mask::third",
    ]);
    assert_eq!(log.lines[0], "token *** here");
    assert_eq!(log.lines[1], "*** and *** and cGEic3Mgd29yZ");
    assert_eq!(log.annotations[0].message, "***");
    assert_eq!(log.annotations[0].title.as_deref(), Some("***"));
    assert_eq!(log.annotations[1].level, Level::Warning, "an empty mask is warned about");
    assert_eq!(log.lines.last().unwrap(), "::add-mask::***");
}

#[test]
fn groups_do_not_nest() {
    let log = after(&["::group::A", "1", "::group::B", "2", "::endgroup::", "3", "::endgroup::"]);
    let seen: Vec<_> = log.groups().into_iter().map(|group| (group.name, group.lines)).collect();
    assert_eq!(seen, [("A".into(), vec!["1".into()]), ("B".into(), vec!["2".into()])]);
}

#[test]
fn colours_of_the_action_are_no_part_of_what_is_read() {
    let mut log = log();
    log.line("\u{1b}[32m✓\u{1b}[0m r.io/api:main");
    log.line("   3.4 s \u{1b}[32m✓\u{1b}[0m 2/4  RUN make");
    log.line("\u{1b}[90m  cached ✓ 2/4  RUN make\u{1b}[0m");
    log.line("\u{1b}[90m   0.3 s │ 2/4  \u{1b}[0m\u{1b}[31mred\u{1b}[0m");
    log.line("   0.3 s │ \u{1b}[32m✓\u{1b}[0m");
    assert_eq!(
        log.lines,
        [
            "✓ r.io/api:main",
            "   3.4 s ✓ 2/4  RUN make",
            "  cached ✓ 2/4  RUN make",
            "   0.3 s │ 2/4  \u{1b}[31mred\u{1b}[0m",
            "   0.3 s │ \u{1b}[32m✓\u{1b}[0m",
        ]
    );
    assert_eq!(log.coloured, 4);
}
