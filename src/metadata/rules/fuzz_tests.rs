//! Whole texts of rules that nobody would write, carried out for events that nobody wants. See
//! `crate::rules::mutate_tests_support`.

use std::time::Instant;

use super::{DefaultTags, EventFacts, evaluate};
use crate::model::{CommitId, GitRef, Tag};
use crate::rules::mutate_tests_support::{LINES, Mutations};
use crate::rules::{Fault, Input, parse};

/// An event whose names are another such text's.
fn event(fuzz: &mut Mutations, name: &str) -> EventFacts {
    let name: String = name.chars().take(300).collect();
    let git_ref = match fuzz.below(4) {
        0 => GitRef::Branch(name),
        1 => GitRef::Tag(format!("v1.{}.3{name}", fuzz.below(20))),
        2 => GitRef::Tag(name),
        _ => GitRef::Pull(fuzz.below(1_000).try_into().unwrap()),
    };
    EventFacts {
        event: ["push", "schedule", "pull_request", "create"][fuzz.below(4)].into(),
        git_ref,
        sha: Ok(CommitId::parse(&"ab".repeat(20)).unwrap()),
        default_branch: Some("main".into()),
        base_ref: Some("refs/heads/main".into()),
        short_sha: 1 + fuzz.below(60),
        withheld: None,
        now: i64::try_from(fuzz.below(usize::MAX)).unwrap(),
        committed: None,
    }
}

fn sound(faults: &[Fault], tags: &str, flavor: &str) {
    assert!(!faults.is_empty() && faults.is_sorted_by_key(|fault| fault.place), "{tags:?} {flavor:?}");
    for fault in faults {
        let text = if fault.place.input == Input::Tags { tags } else { flavor };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let line = text.split('\n').nth(fault.place.line - 1).unwrap_or_default();
        assert!(fault.place.column <= line.chars().count() + 1, "{fault}: {line:?}");
        assert!(!fault.to_string().chars().any(char::is_control), "{tags:?} {flavor:?}");
    }
}

#[test]
fn rules() {
    let mut fuzz = Mutations::of(LINES, 0x4171);
    let mut before = String::new();
    while let Some(text) = fuzz.next() {
        let began = Instant::now();
        let flavor = if fuzz.below(3) == 0 { before.as_str() } else { "latest=auto" };
        match parse(&text, flavor) {
            Ok(rules) => {
                let facts = event(&mut fuzz, &before);
                match evaluate(&rules, &facts, DefaultTags::default()) {
                    Ok(made) => {
                        for tag in &made.tags {
                            assert!(Tag::parse(tag.tag.as_str()).is_ok());
                            assert!(!tag.reason.chars().any(char::is_control), "{text:?}");
                        }
                        assert!(
                            made.nothing.iter().all(|one| !one.why.chars().any(char::is_control)),
                            "{text:?}"
                        );
                    }
                    Err(faults) => {
                        assert!(
                            faults.iter().all(|fault| !fault.to_string().chars().any(char::is_control)),
                            "{text:?}"
                        );
                    }
                }
                fuzz.keep(&text);
            }
            Err(faults) => sound(&faults, &text, flavor),
        }
        fuzz.took(&text, began);
        before = text;
    }
    fuzz.tell("rules");
}
