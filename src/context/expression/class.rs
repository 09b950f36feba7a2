//! Reads what a single position may be: a character, an escape, a class.

use std::iter::Peekable;
use std::str::Chars;

use super::Set;

/// What a single position of the path may be.
pub(super) fn parse_set(rest: &mut &str) -> Option<Set> {
    if rest.starts_with('[') {
        return parse_class(rest);
    }
    if let Some(class) = perl_class(rest) {
        *rest = &rest[2..];
        return Some(class);
    }
    if let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        return Some(Set::Any);
    }
    class_char(rest).map(Set::Char)
}

/// Go's `[…]`, from its bracket on.
fn parse_class(rest: &mut &str) -> Option<Set> {
    let mut text = &rest[1..];
    let negated = text.starts_with('^');
    if negated {
        text = &text[1..];
    }
    let mut ranges = Vec::new();
    let mut first = true;
    while first || !text.starts_with(']') {
        first = false;
        if let Some(named) = text.strip_prefix("[:")
            && let Some((name, after)) = named.split_once(":]")
        {
            add_named(&mut ranges, name)?;
            text = after;
            continue;
        }
        if let Some(Set::Ranges { negated, ranges: class }) = perl_class(text) {
            add(&mut ranges, &class, negated);
            text = &text[2..];
            continue;
        }
        let low = class_char(&mut text)?;
        let mut high = low;
        if let Some(after) = text.strip_prefix('-')
            && !after.is_empty()
            && !after.starts_with(']')
        {
            text = after;
            high = class_char(&mut text)?;
            if high < low {
                return None;
            }
        }
        ranges.push((low, high));
    }
    *rest = &text[1..];
    Some(Set::Ranges { negated, ranges })
}

fn class_char(text: &mut &str) -> Option<char> {
    let ch = text.chars().next()?;
    if ch == '\\' {
        return parse_escape(text);
    }
    *text = &text[ch.len_utf8()..];
    Some(ch)
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const PERL_SPACE: &[(char, char)] = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// `\d`, `\s`, `\w` and their negations, which are ASCII in Go.
fn perl_class(text: &str) -> Option<Set> {
    let mut chars = text.chars();
    if chars.next() != Some('\\') {
        return None;
    }
    let letter = chars.next()?;
    let ranges = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => PERL_SPACE,
        'w' => WORD,
        _ => return None,
    };
    Some(Set::Ranges { negated: letter.is_ascii_uppercase(), ranges: ranges.to_vec() })
}

/// Adds the POSIX class of this name, `^` for its complement; nothing when there is none.
fn add_named(ranges: &mut Vec<(char, char)>, name: &str) -> Option<()> {
    let (negated, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
    let class: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => DIGIT,
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => WORD,
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    };
    add(ranges, class, negated);
    Some(())
}

/// Adds sorted ranges or what lies between them.
fn add(ranges: &mut Vec<(char, char)>, class: &[(char, char)], negated: bool) {
    if !negated {
        ranges.extend_from_slice(class);
        return;
    }
    // All bounds are ASCII, so the neighbours are characters.
    let mut from = Some('\0');
    for &(low, high) in class {
        if let (Some(start), Some(end)) = (from, before(low))
            && start <= end
        {
            ranges.push((start, end));
        }
        from = char::from_u32(u32::from(high) + 1);
    }
    ranges.extend(from.map(|start| (start, char::MAX)));
}

fn before(ch: char) -> Option<char> {
    u32::from(ch).checked_sub(1).and_then(char::from_u32)
}

/// One escaped character, from its backslash on, as Go reads it.
fn parse_escape(rest: &mut &str) -> Option<char> {
    let mut chars = rest[1..].chars().peekable();
    let read = match chars.next()? {
        first @ '0'..='7' => {
            // A lone non-zero digit would be a back-reference.
            if first != '0' && !matches!(chars.peek(), Some('0'..='7')) {
                return None;
            }
            let mut value = first.to_digit(8)?;
            for _ in 0..2 {
                let Some(digit) = chars.next_if(|ch| matches!(ch, '0'..='7')) else { break };
                value = value * 8 + digit.to_digit(8)?;
            }
            char::from_u32(value)?
        }
        'x' => parse_hex(&mut chars)?,
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        plain if plain.is_ascii() && !plain.is_ascii_alphanumeric() => plain,
        _ => return None,
    };
    let left: usize = chars.map(char::len_utf8).sum();
    *rest = &rest[rest.len() - left..];
    Some(read)
}

/// `HH` or `{H…}` after `\x`.
fn parse_hex(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let first = chars.next()?;
    if first != '{' {
        return char::from_u32(first.to_digit(16)? * 16 + chars.next()?.to_digit(16)?);
    }
    let mut value: Option<u32> = None;
    loop {
        match chars.next()? {
            '}' => return value.and_then(char::from_u32),
            digit => {
                let next = value.unwrap_or(0) * 16 + digit.to_digit(16)?;
                value = (next <= 0x0010_FFFF).then_some(next);
                value?;
            }
        }
    }
}
