//! Every message that the program may say, listed from its source, so that a change of one is read as a whole before it is made:
//! `UPDATE=1` writes `tests/fixtures/messages.txt` anew.
//!
//! A message is a string of the source in which words stand beside each other; texts of documentation and of tests are none. Words
//! of BuildKit or of registries that are only looked for are among them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

/// The source's files, but for those of tests.
fn files(directory: &Path) -> Vec<PathBuf> {
    let only_tests =
        Regex::new(r#"#\[cfg\(test\)\]\s*(?:#\[path = "([^"]+)"\]\s*)?(?:pub(?:\([a-z]+\))? )?mod (\w+);"#)
            .unwrap();
    let mut all = Vec::new();
    let mut left: BTreeSet<PathBuf> = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // The modules of `a/mod.rs` stand beside it, those of `a.rs` below `a`.
            let beside = ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name));
            let below = if beside { directory.clone() } else { path.with_extension("") };
            for found in only_tests.captures_iter(&text) {
                match found.get(1) {
                    Some(named) => left.insert(directory.join(named.as_str())),
                    None => left.insert(below.join(&found[2])),
                };
            }
            all.push(path);
        }
    }
    let is_left = |path: &Path| {
        left.contains(path) || path.ancestors().any(|one| left.contains(&one.with_extension("")))
    };
    all.retain(|path| !is_left(path));
    all.sort();
    all
}

/// The strings in these tokens, but for those of attributes, of which only `error` holds a message, and of tests.
fn strings(tokens: TokenStream, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut of_tests = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                // `#![…]` is about what stands around it.
                tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) =
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)))
                else {
                    continue;
                };
                let text = attribute.stream().to_string();
                of_tests |= text.starts_with("cfg") && text.contains("test");
                if text.starts_with("error") {
                    strings(attribute.stream(), found);
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => of_tests = false,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && of_tests => of_tests = false,
            TokenTree::Group(group) => strings(group.stream(), found),
            TokenTree::Literal(literal) => found.extend(text(&literal.to_string())),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// The text of a literal, if it is a string: on one line, as it stands in the source.
fn text(literal: &str) -> Option<String> {
    let raw = literal.strip_prefix('r').map(|rest| rest.trim_matches('#'));
    let inside = raw.unwrap_or(literal).strip_prefix('"')?.strip_suffix('"')?;
    let continued = Regex::new(r"\\\n\s*").unwrap();
    Some(continued.replace_all(inside, "").replace('\n', "\\n"))
}

#[test]
fn every_message_is_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = Regex::new("[a-z]{2,}[,:;]? [a-z`{]").unwrap();
    let mut list = String::new();
    for file in files(&root.join("src")) {
        let source = std::fs::read_to_string(&file).unwrap();
        let tokens: TokenStream =
            source.parse().unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        let mut found = Vec::new();
        strings(tokens, &mut found);
        found.retain(|text| words.is_match(text));
        if !found.is_empty() {
            let _ = writeln!(list, "{}", file.strip_prefix(root).unwrap().display());
            for text in found {
                let _ = writeln!(list, "  {text}");
            }
        }
    }
    let kept = root.join("tests/fixtures/messages.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&kept, &list).unwrap();
    }
    let kept = std::fs::read_to_string(&kept).unwrap();
    let (new, old): (BTreeSet<_>, BTreeSet<_>) = (list.lines().collect(), kept.lines().collect());
    let new: Vec<_> = new.difference(&old).collect();
    assert!(
        list == kept,
        "messages have changed: read them aloud, then write the list anew (`UPDATE=1 cargo test --test it messages`): {new:#?}"
    );
}
