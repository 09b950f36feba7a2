//! Masks, files, line endings and paths.

use crate::runner::files::{LineSplitter, pairs};
use crate::runner::mask::Masker;
use crate::runner::paths::PathMap;
use base64::Engine as _;
use std::path::Path;

#[test]
fn a_secret_is_hidden_in_its_encodings() {
    let secret = "p&ss<w\"o'rd/x";
    let mut masker = Masker::default();
    masker.add(secret);
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let hidden = [
        secret.to_owned(),
        base64(secret),
        base64(&secret[1..]),
        base64(&secret[2..]),
        "p%26ss%3Cw%22o%27rd%2Fx".to_owned(),
        "p&amp;ss&lt;w&quot;o&apos;rd/x".to_owned(),
        "p&ss<w\\\"o'rd/x".to_owned(),
        "p&ss<w\"o''rd/x".to_owned(),
    ];
    for text in hidden {
        assert_eq!(masker.mask(&format!("a {text} b")), "a *** b", "{text}");
    }
    // What the three shifts are for: a password after a user's name.
    for user in ["a", "ab", "abc"] {
        let seen = masker.mask(&base64(&format!("{user}:{secret}")));
        assert!(seen.contains("***"), "{user}: {seen}");
    }
}

#[test]
fn matches_that_touch_become_one() {
    let mut masker = Masker::default();
    for value in ["abab", "abc", ""] {
        masker.add(value);
    }
    let table = [
        ("ababab", "***"),
        ("ababc", "***"),
        ("ababxabc", "***x***"),
        ("abcabc", "***"),
        ("ab", "ab"),
        ("ä", "ä"),
    ];
    for (text, seen) in table {
        assert_eq!(masker.mask(text), seen, "{text}");
    }
}

#[test]
fn pairs_are_read_or_refused() {
    type Row<'a> = (&'a str, Result<&'a [(&'a str, &'a str)], &'a str>);
    let table: &[Row<'_>] = &[
        ("", Ok(&[])),
        ("a=b\n\nc=d", Ok(&[("a", "b"), ("c", "d")])),
        ("a=b<<c\n", Ok(&[("a", "b<<c")])),
        ("a<<E\n1\n2\nE\nb=c\n", Ok(&[("a", "1\n2"), ("b", "c")])),
        ("a<<E=F\nx\nE=F\n", Ok(&[("a", "x")])),
        ("a<<E\nE\n", Ok(&[("a", "")])),
        ("a<<E\n\nE", Ok(&[("a", "")])),
        ("a<<E\n1\r\nE\n", Ok(&[("a", "1\r")])),
        ("=b", Ok(&[("", "b")])),
        ("a", Err("Invalid format 'a'")),
        ("a<<E\n1", Err("EOF marker missing new line")),
        ("a<<E\n1\n", Err("Matching delimiter not found 'E'")),
        ("a<<E\n1\nE\r\n", Err("Matching delimiter not found 'E'")),
        ("a<<\n", Err("delimiter must not be empty")),
        ("<<E\n", Err("Name must not be empty")),
    ];
    for (text, expected) in table {
        match (pairs(text), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                assert_eq!(&found, expected, "{text:?}");
            }
            (Err(fault), Err(part)) => assert!(fault.contains(part), "{text:?}: {fault}"),
            (found, _) => panic!("{text:?} gave {found:?}"),
        }
    }
}

#[test]
fn a_lone_carriage_return_ends_a_line() {
    let table: &[(&[&str], &[&str])] = &[
        (&["a\nb\r\nc\rd"], &["a", "b", "c", "d"]),
        (&["a\r", "\nb\n"], &["a", "b"]),
        (&["a\r\r\n\nb"], &["a", "", "", "b"]),
        (&["x\r::error::y"], &["x", "::error::y"]),
        (&["a", "b\n"], &["ab"]),
    ];
    for (chunks, lines) in table {
        let mut splitter = LineSplitter::default();
        let mut seen: Vec<String> = chunks.iter().flat_map(|chunk| splitter.feed(chunk.as_bytes())).collect();
        seen.extend(splitter.finish());
        assert_eq!(&seen, lines, "{chunks:?}");
    }
    let mut splitter = LineSplitter::default();
    assert_eq!(splitter.feed(b"\xff\n"), ["\u{fffd}"]);
}

#[test]
fn only_whole_values_are_translated() {
    let map = PathMap::of_an_action(Path::new("/w/_temp"), Path::new("/w/shop/shop"));
    let table = [
        ("/w/shop/shop", "/github/workspace"),
        ("/w/shop/shop/a b", "/github/workspace/a b"),
        ("/w/shop/shopping", "/w/shop/shopping"),
        ("--file=/w/shop/shop/x", "--file=/w/shop/shop/x"),
        ("/w/_temp", "/github/runner_temp"),
        ("/w/_temp/_github_home", "/github/home"),
        ("/w/_temp/_runner_file_commands/set_output_1", "/github/file_commands/set_output_1"),
        ("/w/_temp/_github_workflow/event.json", "/github/workflow/event.json"),
        ("/w/shop", "/w/shop"),
        ("", ""),
    ];
    for (host, container) in table {
        assert_eq!(map.to_container(host), container);
        if host != container {
            assert_eq!(map.to_host(container), host);
        }
    }
    let mounts: Vec<_> = map.mounts().collect();
    assert_eq!(mounts.first().map(String::as_str), Some("/w/_temp:/github/runner_temp"));
    assert_eq!(mounts.last().map(String::as_str), Some("/w/shop/shop:/github/workspace"));
}
