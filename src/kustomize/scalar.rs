//! How a text is written as a YAML value.
//!
//! A tag may look like a number, a boolean or a date. kustomize's reader knows YAML 1.1 (`on`, `0123`, `1_000`, `2024-01-01`,
//! `12:30`), others know 1.2 (`0o17`): what one of them reads as something else than a text is put in quotes.

use std::sync::LazyLock;

use regex::Regex;

use super::error::{EditError, Why};
use super::source::{Replacement, SourceFile};
use super::tree::{NodeKind, Pair, ScalarStyle};

/// What is no text without quotes: numbers, dates, and the words for booleans and for nothing.
const OTHER_TYPES: &str = r"(?xi-u) ^ (?:
    [-+]? [0-9][0-9_]* (?: \. [0-9_]* )? (?: e [-+]? [0-9_]+ )?
  | [-+]? \. [0-9_]+ (?: e [-+]? [0-9_]+ )?
  | [-+]? 0 [xob] [0-9a-f_]+
  | [-+]? [0-9][0-9_]* (?: : [0-5]?[0-9] )+ (?: \. [0-9_]* )?
  | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [t\x20] [\x20-\x7e]* )?
  | [-+]? \. inf | \. nan
  | true | false | yes | no | on | off | y | n | null | nil | ~ | = | <<
) $";

/// The text as a value, in this style if it can be, and in quotes where it must.
pub(super) fn written(text: &str, style: ScalarStyle) -> String {
    match style {
        ScalarStyle::Single if is_printable(text) => format!("'{}'", text.replace('\'', "''")),
        ScalarStyle::Plain if is_plain(text) => text.to_owned(),
        _ => format!("\"{}\"", escaped(text)),
    }
}

/// Another value of a key that is there, in the quotes of the one before.
pub(super) fn set_value(file: &SourceFile, pair: &Pair, wanted: &str) -> Result<Replacement, EditError> {
    let Pair { key, value } = pair;
    let one_line = !file.text()[value.span.clone()].contains(['\n', '\r']);
    match value.kind {
        NodeKind::Scalar(style) if one_line && style != ScalarStyle::Block => {
            Ok(Replacement::new(value.span.clone(), written(wanted, style)))
        }
        NodeKind::Alias => Ok(Replacement::new(value.span.clone(), written(wanted, ScalarStyle::Plain))),
        NodeKind::Empty => {
            Ok(Replacement::insert(value.span.start, format!(" {}", written(wanted, ScalarStyle::Plain))))
        }
        _ => {
            let key = key.text(file.text()).unwrap_or_default().into_owned();
            Err(file.fault(Some(value.span.start), Why::NotOneLine(key)))
        }
    }
}

/// Whether the text without quotes is itself, in blocks and in brackets, to every reader.
fn is_plain(text: &str) -> bool {
    #[allow(clippy::expect_used, reason = "a constant that the tests compile")]
    static OTHER: LazyLock<Regex> = LazyLock::new(|| Regex::new(OTHER_TYPES).expect("a constant"));
    let safe =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'@' | b'+');
    let bytes = text.as_bytes();
    // A colon is one character among others unless a key ends in it.
    let colons = bytes.windows(2).all(|two| two[0] != b':' || safe(two[1]));
    bytes.first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'_')
        && bytes.last() != Some(&b':')
        && bytes.iter().all(|byte| safe(*byte) || *byte == b':')
        && colons
        && !OTHER.is_match(text)
}

fn is_printable(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='~' | '\u{a1}'..='\u{d7ff}'))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' | '\u{a1}'..='\u{2027}' | '\u{2030}'..='\u{d7ff}' => out.push(c),
            c => out.extend(hexadecimal(c)),
        }
    }
    out
}

/// `\u00e9`, or `\U0001f600` for what needs more.
fn hexadecimal(c: char) -> [String; 2] {
    let code = u32::from(c);
    if code < 0x1_0000 {
        ["\\u".to_owned(), format!("{code:04x}")]
    } else {
        ["\\U".to_owned(), format!("{code:08x}")]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_stand_where_a_reader_would_see_something_else_than_a_text() {
        for plain in [
            "v1.2.3",
            "1.2.3",
            "1.2.3-rc.1",
            "latest",
            "main",
            "1.10.0",
            "2024-01-01-nightly",
            "sha-1e3",
            "0x1g",
            "1.2.x",
            "_1",
            "nightly",
            "node",
            "only",
            "nulls",
            "sha256:0123456789abcdef",
            "ghcr.io/acme/api",
            "localhost:5000/acme/api",
            "3f786850e387550fdab836ed7e6dc881de23001b",
        ] {
            assert_eq!(written(plain, ScalarStyle::Plain), plain);
        }
        for quoted in [
            "1.10",
            "1",
            "0",
            "007",
            "1_000",
            "1e3",
            "1E3",
            "12345e67",
            "1.e5",
            "0x1",
            "0XfF",
            "0o17",
            "0b1",
            "1.",
            "null",
            "Null",
            "nil",
            "true",
            "TRUE",
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "N",
            "2024-01-01",
            "2024-1-1",
            "2024-01-01t10",
            "12:30",
            "",
            " ",
            "-a",
            "a b",
            "a:",
            "a: b",
            "#a",
            "*a",
            "&a",
            "{{a}}",
            "[a",
            "é",
        ] {
            assert_eq!(written(quoted, ScalarStyle::Plain), format!("\"{quoted}\""));
        }
        assert_eq!(written("it's", ScalarStyle::Single), "'it''s'");
        assert_eq!(written("a\"b\\", ScalarStyle::Double), r#""a\"b\\""#);
        assert_eq!(written("a\nb\u{1f600}", ScalarStyle::Single), r#""a\u000ab\U0001f600""#);
    }

    proptest! {
        #[test]
        fn a_reader_sees_the_text_again(text in "\\PC*|[0-9a-fxobe_.:+-]{1,6}", style in 0..3) {
            let style = [ScalarStyle::Plain, ScalarStyle::Single, ScalarStyle::Double][usize::try_from(style).unwrap()];
            let line = format!("- {}\n", written(&text, style));
            prop_assert_eq!(serde_yaml::from_str::<serde_yaml::Value>(&line).unwrap(), serde_yaml::Value::from(vec![text]));
        }
    }
}
