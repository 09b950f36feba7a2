//! What holds for any text and any event.

use proptest::prelude::*;

use super::super::planned::{Moves, PlannedTag, Stage};
use super::*;
use crate::model::{CommitId, GitRef, Tag};
use crate::rules::*;

/// Texts made of pieces of the language and of noise.
pub(crate) fn text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "type=",
        "semver",
        "pep440",
        "match",
        "schedule",
        "edge",
        "ref",
        "raw",
        "sha",
        "default",
        ",",
        ",",
        ",",
        "\n",
        "\n",
        "pattern=",
        "value=",
        "event=",
        "branch",
        "tag",
        "pr",
        "enable=",
        "true",
        "false",
        "priority=",
        "prefix=",
        "suffix=",
        "format=long",
        "group=1",
        "match=",
        "latest=",
        "auto",
        "onlatest=",
        "{{",
        "}}",
        "{{version}}",
        "{{major}}",
        "{{raw}}",
        "{{branch}}",
        "{{sha}}",
        "{{is_default_branch}}",
        "{{date 'YYYY'}}",
        "{{commit_date '[x]DDDo' tz='Asia/Tokyo'}}",
        "v(.*)",
        "(a+)+$",
        r"\d{1,2}",
        "ghcr.io/a/b:",
        "ghcr.io/c/d",
        "1.2.3",
        "v1.2.3-rc.1",
        "-",
        ".",
        "/",
        "x",
        "é",
        "\"",
        "#",
        "=",
        " ",
        "'",
    ];
    let piece = prop_oneof![8 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Rules that can be read, most of which make something.
pub(crate) fn rules() -> impl Strategy<Value = String> {
    const LINES: &[&str] = &[
        "type=schedule,pattern={{date 'YYYYMMDD'}}",
        "type=semver,pattern={{version}}",
        "type=semver,pattern={{raw}}",
        "type=semver,pattern=v{{major}}.{{minor}}",
        "type=semver,pattern={{major}},value=1.2.3-rc.1",
        "type=pep440,pattern={{version}}",
        "type=match,pattern=[a-z]*(.*),group=1",
        "type=edge",
        "type=ref,event=branch",
        "type=ref,event=tag",
        "type=ref,event=pr",
        "type=raw,value=a-{{branch}}{{tag}}",
        "{{base_ref}}x",
        "type=sha,prefix={{branch}}",
        "type=sha,format=long",
        "latest,enable={{is_default_branch}}",
        "ghcr.io/a/b:{{tag}}{{branch}},ghcr.io/c/d:latest",
        "type=default",
    ];
    prop::collection::vec(prop::sample::select(LINES), 0..8).prop_map(|lines| lines.join("\n"))
}

fn event() -> impl Strategy<Value = EventFacts> {
    const EVENTS: &[&str] = &["push", "schedule", "pull_request", "create", "release"];
    let name = || {
        prop_oneof![
            "v?[0-9]{1,2}\\.[0-9]\\.[0-9](-rc\\.1|\\+b|b2|\\.post1)?",
            "[a-zA-Z0-9./#_é-]{0,140}",
            "master"
        ]
    };
    let git_ref = prop_oneof![
        name().prop_map(GitRef::Branch),
        name().prop_map(GitRef::Tag),
        any::<u64>().prop_map(GitRef::Pull),
        name().prop_map(GitRef::Other),
    ];
    let sha = prop_oneof![
        Just(Ok(CommitId::parse(&"ab".repeat(20)).unwrap())),
        Just(Err("nobody knows it".to_owned()))
    ];
    let some = (
        prop::option::of(name()),
        prop::option::of(name()),
        prop::option::of(Just("another commit".to_owned())),
    );
    (prop::sample::select(EVENTS), git_ref, sha, some, 1usize..50, any::<i64>(), any::<Option<i64>>())
        .prop_map(|(event, git_ref, sha, (default_branch, base_ref, withheld), short_sha, now, committed)| {
            EventFacts {
                event: event.into(),
                git_ref,
                sha,
                default_branch,
                base_ref,
                short_sha,
                withheld,
                now,
                committed,
            }
        })
}

proptest! {
    /// Any text is rules or faults, whose places are in it, in order; and no sentence steers a terminal.
    #[test]
    fn any_text_is_read(tags in text(), flavor in text()) {
        match parse(&tags, &flavor) {
            Ok(rules) => {
                for notice in rules.notices {
                    prop_assert!(!notice.to_string().chars().any(char::is_control));
                }
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.is_sorted_by_key(|fault| fault.place));
                for fault in faults {
                    let text = if fault.place.input == Input::Tags { &tags } else { &flavor };
                    let text = text.replace("\r\n", "\n").replace('\r', "\n");
                    let line = text.split('\n').nth(fault.place.line - 1).unwrap_or_default();
                    prop_assert!(fault.place.column <= line.chars().count() + 1, "{fault} in {line:?}");
                    prop_assert!(!fault.to_string().chars().any(char::is_control));
                }
            }
        }
    }

    /// Whatever is carried out makes valid tags, each once and explained, the same each time.
    #[test]
    fn what_rules_make_holds(tags in prop_oneof![4 => rules(), 1 => text()], flavor in prop_oneof![
        Just(""), Just("latest=true"), Just("latest=false"), Just("suffix=-x,onlatest=true"), Just("prefix={{branch}},onlatest=true")
    ], facts in event()) {
        let Ok(rules) = parse(&tags, flavor) else { return Ok(()) };
        let made = evaluate(&rules, &facts, DefaultTags::default());
        prop_assert_eq!(&made, &evaluate(&rules, &facts, DefaultTags::default()));
        let Ok(made) = made else { return Ok(()) };
        for (index, tag) in made.tags.iter().enumerate() {
            prop_assert!(Tag::parse(tag.tag.as_str()).is_ok());
            prop_assert!(!tag.reason.chars().any(char::is_control), "{}", tag.reason);
            let same = |other: &PlannedTag| other.tag == tag.tag && other.repository == tag.repository;
            prop_assert!(!made.tags[..index].iter().any(same), "{} twice", tag.tag);
            // Where versions are compared, there is one.
            prop_assert!(tag.policy.moves != Moves::Upwards || tag.version.is_some());
            prop_assert_eq!(tag.tag.as_str() == "latest" && tag.policy.stage != Stage::Last, false);
        }
        // Each line is accounted for: it made a tag, or it says why not.
        let made_something = |line| made.tags.iter().any(|tag| tag.source.line() == Some(line));
        for entry in &rules.entries {
            let place = match entry {
                Entry::Rule(rule) => rule.place,
                Entry::Reference(reference) => reference.place,
            };
            let said = made.nothing.iter().any(|nothing| nothing.place.line == place.line);
            prop_assert!(said || made_something(place.line), "line {}", place.line);
        }
        prop_assert_eq!(made.version.is_some(), !made.tags.is_empty());
        for nothing in made.nothing {
            prop_assert!(!nothing.why.chars().any(char::is_control), "{}", nothing.why);
        }
    }
}

/// As many rules as an input can hold, which no step of the reading may take more than once.
#[test]
fn many_lines_and_long_lines_end() {
    let many = "a\n".repeat(20_000) + &"type=raw,value={{branch}}\n".repeat(1_000);
    let facts = EventFacts {
        event: "push".into(),
        git_ref: GitRef::Branch("main".into()),
        sha: Err("none".into()),
        default_branch: None,
        base_ref: None,
        short_sha: 7,
        withheld: None,
        now: 0,
        committed: None,
    };
    let made = evaluate(&parse(&many, "").unwrap(), &facts, DefaultTags::default()).unwrap();
    assert_eq!((made.tags.len(), made.nothing.len()), (2, 20_998));
    for long in ["{{", "{{x}}", "\"", "\"\"", "=", ",", "((", "[", "\\"] {
        for line in
            [long.repeat(100_000), long.repeat(2_000), format!("type=match,pattern={}", long.repeat(400))]
        {
            let _ = parse(&line, &line);
        }
    }
}
