//! Variables in `FROM`: `$NAME`, `${NAME:-word}` and their kin, with quotes and escapes.
//!
//! Obeys `frontend/dockerfile/shell` as far as Dockerfiles use it before a stage begins. What it does not know it does
//! not guess: `None`. Values are bounded, as each may hold an earlier one several times.

use std::collections::HashMap;

/// Longest value, in bytes. A platform or an image's name is far shorter.
const LONGEST: usize = 4 * 1024;
/// Deepest `${A:-${B:-…}}`.
const DEEPEST: usize = 8;

/// Variables of the global scope.
pub(super) type Variables = HashMap<String, String>;

/// The word with its variables filled in and its quotes gone.
pub(super) fn expand(word: &str, variables: &Variables, escape: char) -> Option<String> {
    filled(word, variables, escape, 0)
}

fn filled(word: &str, variables: &Variables, escape: char, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let mut text = String::new();
    let mut quote = None;
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            ('$', None | Some('"')) => {
                let (value, after) = variable(rest, variables, escape, depth)?;
                text.push_str(&value);
                rest = after;
            }
            (c, None | Some('"')) if c == escape => {
                let next = rest.chars().next();
                // Between double quotes it escapes only what has a meaning there.
                if quote.is_some() && !next.is_some_and(|next| matches!(next, '"' | '$') || next == escape) {
                    text.push(c);
                }
                text.extend(next);
                rest = next.map_or(rest, |next| &rest[next.len_utf8()..]);
            }
            _ => text.push(c),
        }
        if text.len() > LONGEST {
            return None;
        }
    }
    quote.is_none().then_some(text)
}

/// What follows a `$`: its value, and the text after it.
fn variable<'a>(
    text: &'a str,
    variables: &Variables,
    escape: char,
    depth: usize,
) -> Option<(String, &'a str)> {
    let braced = text.strip_prefix('{');
    let inner = braced.unwrap_or(text);
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    let (name, after) = inner.split_at(end);
    let first = name.chars().next();
    if first.is_none() && braced.is_none() {
        return Some(("$".into(), text));
    }
    if first.is_none_or(|c| c.is_ascii_digit()) {
        return None;
    }
    let value = variables.get(name);
    if braced.is_none() {
        return Some((value.cloned().unwrap_or_default(), after));
    }
    let (inside, after) = until_brace(after)?;
    let filled_value = value.filter(|value| !value.is_empty());
    let word = |word: &str| filled(word, variables, escape, depth + 1);
    let value = match inside.split_at(inside.find(['-', '+', '?']).map_or(0, |at| at + 1)) {
        ("", "") => value.cloned().unwrap_or_default(),
        (":-", default) => filled_value.cloned().map_or_else(|| word(default), Some)?,
        ("-", default) => value.cloned().map_or_else(|| word(default), Some)?,
        (":+", instead) => filled_value.map_or_else(|| Some(String::new()), |_| word(instead))?,
        ("+", instead) => value.map_or_else(|| Some(String::new()), |_| word(instead))?,
        (":?", _) => filled_value?.clone(),
        ("?", _) => value?.clone(),
        _ => return None,
    };
    Some((value, after))
}

/// The text before the brace that closes, and the text behind it.
fn until_brace(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some((&text[..at], &text[at + 1..])),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let variables =
            Variables::from([("A", "a"), ("E", ""), ("TAG_2", "1.2")].map(|(n, v)| (n.into(), v.into())));
        for (word, expected) in [
            ("alpine:3.20", Some("alpine:3.20")),
            ("$A", Some("a")),
            ("x-${A}-$TAG_2.z", Some("x-a-1.2.z")),
            ("$NONE/${NONE}", Some("/")),
            ("${E:-d}|${E-d}|${N:-d}|${N-d}|${A:-d}", Some("d||d|d|a")),
            ("${A:+x}|${E:+x}|${E+x}|${N+x}", Some("x||x|")),
            ("${N:-${M:-$A}}", Some("a")),
            ("${A:?gone}${A?gone}", Some("aa")),
            ("${E:?gone}", None),
            ("${N?gone}", None),
            ("\"$A b\"'$A'", Some("a b$A")),
            ("\\$A", Some("$A")),
            ("\"\\$A\\x\"", Some("$A\\x")),
            ("${A#x}", None),
            ("${A/x/y}", None),
            ("${A", None),
            ("$1", None),
            ("a$", Some("a$")),
            ("$-", Some("$-")),
            ("'open", None),
            ("", Some("")),
        ] {
            assert_eq!(expand(word, &variables, '\\').as_deref(), expected, "{word}");
        }
        assert_eq!(expand("`$A\\", &variables, '`').as_deref(), Some("$A\\"));
        let deep = format!("{}x{}", "${N:-".repeat(2000), "}".repeat(2000));
        assert_eq!(expand(&deep, &variables, '\\'), None);
    }
}
