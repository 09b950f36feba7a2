//! Templates, references, regular expressions and versions that nobody would write. See `mutate_tests_support`.

use std::time::Instant;

use super::fault::{Fault, Input, Place};
use super::mutate_tests_support::Mutations;
use super::pattern::{LONGEST_TEXT, Pattern};
use super::rule::Scheme;
use super::template::{Scope, Template, Values};
use super::version::RuleVersion;
use super::{line, reference};
use crate::model::{Repository, Tag};

const PLACE: Place = Place { input: Input::Tags, line: 1, column: 1 };

/// Places are within the text, and no sentence steers a terminal.
fn sound(faults: &[Fault], text: &str) {
    assert!(!faults.is_empty(), "{text:?}");
    for fault in faults {
        assert!(fault.place.column <= text.chars().count() + 1, "{fault}: {text:?}");
        assert!(!fault.to_string().chars().any(char::is_control), "{text:?}");
        assert!(fault.to_string().len() < 4_000, "{fault}");
    }
}

fn values(branch: &str) -> Values {
    let names = [("branch", branch), ("sha", "860c190"), ("version", "1.2.3"), ("major", "1")];
    let names = names.map(|(name, value)| (name, value.to_owned())).into();
    Values { names, now: 1_578_616_200_000, committed: i64::MIN }
}

#[test]
fn templates() {
    let corpus = [
        "{{branch}}-{{sha}}",
        "{{version}}",
        "v{{ major }}.{{minor}}",
        "{{date 'YYYY-MM-DD'}}",
        "{{date 'dddd, MMMM Do YYYY, h:mm:ss a' tz='Europe/Berlin'}}",
        "{{commit_date \"[it's] X\" tz=\"America/New_York\"}}",
        r"\{{raw}} {{{tag}}} {{& sha}}",
        r"{{date '[it\'s] DDDo Qo ww GGGG SSS Z ZZ'}}",
        "{{#if x}}y{{/if}}",
    ];
    let mut fuzz = Mutations::of(&corpus, 0x7e11);
    let values = values("feat/x&<y>");
    while let Some(text) = fuzz.next() {
        let began = Instant::now();
        let mut is_read = false;
        for scope in [Scope::GLOBAL, Scope::TEXT, Scope::SEMVER, Scope::SCHEDULE] {
            match Template::parse(&text, scope, PLACE) {
                Ok(template) => {
                    is_read = true;
                    assert_eq!(template.render(&values), template.render(&values));
                    // What is an expression here is one where others are left as they are.
                    if !text.contains('\\') {
                        let lenient = Template::lenient(&text, scope).render(&values);
                        assert_eq!(lenient, template.render(&values), "{text:?}");
                    }
                }
                Err(faults) => sound(&faults, &text),
            }
            if !text.contains("{{") {
                assert_eq!(Template::lenient(&text, scope).literal(), Some(text.as_str()));
            }
        }
        fuzz.took(&text, began);
        if is_read {
            fuzz.keep(&text);
        }
    }
    fuzz.tell("templates");
}

#[test]
fn references() {
    let corpus = [
        "ghcr.io/acme/api:1.2",
        "docker.io/library/nginx:latest",
        "localhost:5000/a:{{branch}}",
        "registry.example.com:443/a/b/c_d/e--f.g:{{date 'YYYY'}}-x",
        "[::1]:5000/a:1",
        "acme/api:1",
        "ghcr.io/acme/api",
        "ghcr.io/acme/api:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    let mut fuzz = Mutations::of(&corpus, 0x4ef5);
    while let Some(text) = fuzz.next() {
        let began = Instant::now();
        reference::looks_like_one(&text);
        match reference::parse(&text, PLACE) {
            Ok((repository, tag)) => {
                assert_eq!(Repository::parse(&repository.to_string()).unwrap(), repository, "{text:?}");
                if let Some(tag) = tag.literal() {
                    assert!(Tag::parse(tag).is_ok(), "{text:?}");
                }
                fuzz.keep(&text);
            }
            Err(faults) => sound(&faults, &text),
        }
        fuzz.took(&text, began);
    }
    fuzz.tell("references");
}

#[test]
fn regular_expressions() {
    let corpus = [
        r"v(\d+)\.(\d+)\.(\d+)(?:-([a-z]+\.\d+))?$",
        r"/^release\/v(?<major>[0-9]{1,4})[^\s]*?$/gim",
        "(a+)+$",
        "(a|a)*b",
        "((a{2,5}){3}){4}",
        r"[\w\-\]a-z][^\d]\b.\B\x41\u0042\cA",
        "/./s",
        "x{0,1000}",
        "(?:(?:(?:a?)*)*)*",
        r"[😀-😎]|é+",
    ];
    let mut fuzz = Mutations::of(&corpus, 0x4e6e);
    let texts = [
        "a".repeat(LONGEST_TEXT),
        "v1.2.3-rc.1".into(),
        "release/v2024é🚀\u{2028}\n".repeat(30),
        String::new(),
    ];
    while let Some(text) = fuzz.next() {
        let began = Instant::now();
        for literal in [true, false] {
            match Pattern::parse(&text, literal) {
                Ok(pattern) => {
                    for subject in &texts {
                        for group in [0, pattern.highest_group()] {
                            if let Ok(Some(found)) = pattern.group(subject, group) {
                                assert!(subject.contains(found), "{text:?}");
                            }
                        }
                    }
                    if literal {
                        fuzz.keep(&text);
                    }
                }
                Err(error) => {
                    assert_ne!(error.message, "the regular expression cannot be read", "{text:?}");
                    assert!(error.at <= text.chars().count(), "{text:?}: {error:?}");
                }
            }
        }
        fuzz.took(&text, began);
    }
    fuzz.tell("regular expressions");
}

#[test]
fn lines_and_versions() {
    let corpus = [
        r#"type=match,"pattern=v(\d{2},.*)",group=1"#,
        r#""type=raw,value=say ""hi""""#,
        "1!2.0.post1.dev2+ab.1",
        "v1.2.3-rc.1+build.5",
        "1.0a1",
        "99999.88888.77777",
    ];
    let mut fuzz = Mutations::of(&corpus, 0x11e5);
    while let Some(text) = fuzz.next() {
        let began = Instant::now();
        let (lines, faults) = line::read(Input::Tags, &text);
        assert!(lines.iter().all(|line| !line.fields.is_empty()));
        assert!(lines.iter().flat_map(|line| &line.fields).all(|field| !field.text.is_empty()));
        let mut is_read = faults.is_empty();
        for scheme in [Scheme::Semver, Scheme::Pep440] {
            if let Some(version) = RuleVersion::parse(scheme, &text) {
                is_read = true;
                let again = version.compare(&version.to_string());
                let itself = version.compare(&text);
                assert!(matches!(again, None | Some(std::cmp::Ordering::Equal)), "{text:?}");
                assert!(matches!(itself, None | Some(std::cmp::Ordering::Equal)), "{text:?}");
                version.parts(&text);
            }
        }
        fuzz.took(&text, began);
        if is_read {
            fuzz.keep(&text);
        }
    }
    fuzz.tell("lines and versions");
}
