//! Texts that others wrote (build output, step names, registry answers), made fit for the runner's log.
//!
//! The runner reads commands out of a step's output: `::name …::data` after leading white space, and
//! `##[name …]data` anywhere in a line (actions/runner, `ActionCommand.cs`). What leaves this module holds
//! neither, under a reading that is more generous than the runner's:
//!
//! * lines end at `\n`, `\r\n` and a lone `\r`, as .NET reads them;
//! * the runner's `StartsWith` and `IndexOf` compare by culture. ICU passes over characters without a collation
//!   weight: controls and format characters, which are dropped here (those that emoji need stay behind a
//!   visible character outside ASCII), but also letters and accents of many scripts (U+0640, U+0591, …:
//!   962 characters in ICU 78), which must stay. So a mark is found with *any* characters outside ASCII in
//!   or before it; and in full width too (`：：`, `＃＃［`), which a Japanese runner takes for the same;
//! * an escape sequence survives only as a well-formed colour (`ESC [ … m`), never behind a `#`, and a line
//!   that coloured something ends with a reset.
//!
//! A mark is broken by a visible `\` (the runner does the same with its own), so that the reader sees what
//! was written; not where a digit or nothing follows, as no command is called so: `::1` is an address. Callers print such a line behind a prefix of their own (`   0.4 s │ `) and, where it is
//! folded, inside a `stop-commands` fence: each of the three is enough alone.

use std::fmt::Write as _;

use crate::model::text;

/// Longest line that is shown, in bytes; the rest is counted and said.
pub const MAX_LINE: usize = 8 * 1024;

/// Cuts bytes into lines, each as [`line()`] makes it. Invalid UTF-8 becomes U+FFFD. A final line end makes no
/// empty line.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace("\r\n", "\n");
    let text = text.strip_suffix(['\n', '\r']).unwrap_or(&text);
    text.split(['\n', '\r']).map(line).collect()
}

/// One line with its colours. Line ends within it become spaces.
pub fn line(text: &str) -> String {
    let mut cleaned = Cleaner::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if cleaned.out.len() >= MAX_LINE {
            break;
        }
        rest = &rest[c.len_utf8()..];
        if c == '\u{1b}' {
            rest = cleaned.escape(rest);
        } else {
            cleaned.push(c);
        }
    }
    cleaned.finish(rest.len())
}

/// One line without colours: names, messages, what goes into Markdown.
pub fn plain(text: &str) -> String {
    strip_colours(&line(text))
}

/// Several lines without colours, joined by `\n`: messages of annotations.
pub fn plain_lines(text: &str) -> String {
    lines(text.as_bytes()).iter().map(|line| strip_colours(line)).collect::<Vec<_>>().join("\n")
}

/// Takes the colours out of what [`line()`] returned.
pub fn strip_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').map_or("", |(_, after)| after));
    }
    break_marks(&out)
}

/// At most `max` bytes of a text, whole characters, with `…` where it was cut.
pub fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(max)])
}

#[derive(Default)]
struct Cleaner {
    out: String,
    coloured: bool,
}

impl Cleaner {
    fn push(&mut self, c: char) {
        match c {
            '\t' => self.out.push('\t'),
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => self.out.push(' '),
            c if c.is_control() => {}
            c if text::is_invisible(c) && !text::is_joiner(c, self.out.chars().next_back()) => {}
            c => self.out.push(c),
        }
    }

    /// Takes the escape sequence whose ESC stood before `rest`; returns what follows it.
    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        let Some(kind) = rest.bytes().next() else { return rest };
        match kind {
            b'[' => {
                let body = rest[1..].find(|c: char| !(' '..='?').contains(&c));
                let Some(end) = body.map(|end| end + 1) else { return "" };
                let parameters = &rest[1..end];
                let after =
                    rest[end..].strip_prefix(|c: char| ('@'..='~').contains(&c)).unwrap_or(&rest[end..]);
                let well_formed =
                    parameters.len() <= 32 && parameters.bytes().all(|b| b.is_ascii_digit() || b == b';');
                let after_hash = self.out.chars().rev().find(char::is_ascii) == Some('#');
                if rest[end..].starts_with('m') && well_formed && !after_hash {
                    let _ = write!(self.out, "\u{1b}[{parameters}m");
                    self.coloured = !parameters.bytes().all(|b| b == b'0');
                }
                after
            }
            // Strings for the terminal (titles, hyperlinks) up to BEL or ST; unended ones keep their text.
            b']' | b'P' | b'X' | b'^' | b'_' => {
                let bell = rest.find('\u{7}').map(|at| (at, 1));
                let st = rest.find("\u{1b}\\").map(|at| (at, 2));
                match [bell, st].into_iter().flatten().min() {
                    Some((at, length)) => &rest[at + length..],
                    None => &rest[1..],
                }
            }
            b' '..=b'/' => rest[1..].strip_prefix(|c: char| ('0'..='~').contains(&c)).unwrap_or(&rest[1..]),
            b'0'..=b'~' => &rest[1..],
            _ => rest,
        }
    }

    fn finish(self, unread: usize) -> String {
        let mut out = break_marks(&self.out);
        if self.coloured {
            out.push_str("\u{1b}[0m");
        }
        if unread > 0 {
            let _ = write!(out, " … ({unread} more bytes)");
        }
        out
    }
}

/// Puts a `\` into what the runner could take for a command.
fn break_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    // How much of `##[` stands directly before, and where the first colon of the line stands.
    let mut hashes = 0;
    let mut start = Start::Nothing;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            out.push(c);
            out.extend(chars.by_ref().take_while(|c| *c != 'm'));
            out.push('m');
            continue;
        }
        start = match (start, c) {
            (Start::Nothing, ':' | '：') => Start::Colon(out.len()),
            (Start::Colon(at), ':' | '：') => {
                if may_name_a_command(chars.as_str()) {
                    out.insert(at, '\\');
                }
                Start::Over
            }
            (Start::Nothing, c) if c.is_whitespace() => Start::Nothing,
            (_, c) if c.is_ascii() => Start::Over,
            (start, _) => start,
        };
        hashes = match c {
            '#' | '＃' => (hashes + 1).min(2),
            '[' | '［' if hashes == 2 => {
                out.push('\\');
                0
            }
            c if c.is_ascii() => 0,
            _ => hashes,
        };
        out.push(c);
    }
    out
}

/// Whether what follows a mark may be a command's name, whichever characters the runner passes over: those begin with a letter.
fn may_name_a_command(rest: &str) -> bool {
    let colour = |part: &str| part.split_once('m').map_or(String::new(), |(_, after)| after.to_owned());
    let mut parts = rest.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let visible = parts.fold(first, |text, part| text + &colour(part));
    visible.chars().find(char::is_ascii).is_some_and(|c| !c.is_ascii_digit())
}

/// What of `::` was seen at a line's start.
#[derive(Clone, Copy)]
enum Start {
    Nothing,
    Colon(usize),
    Over,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::model::{hostile, parse};
    use proptest::prelude::*;

    #[test]
    fn what_is_dropped_and_what_stays() {
        for (text, expected) in [
            ("plain text\twith tab", "plain text\twith tab"),
            ("::set-output name=tag::evil", "\\::set-output name=tag::evil"),
            (" \u{3000}\u{2028}::add-mask::x", " \u{3000} \\::add-mask::x"),
            ("\u{1b}[0m::add-mask::x", "\u{1b}[0m\\::add-mask::x"),
            ("a ::not at start::", "a ::not at start::"),
            ("::1 localhost", "::1 localhost"),
            (" ::", " ::"),
            ("::\u{640}error::x", "\\::\u{640}error::x"),
            ("::\u{1b}[31m1\u{1b}[0m", "::\u{1b}[31m1\u{1b}[0m"),
            ("::\u{1b}[31merror::\u{1b}[0m", "\\::\u{1b}[31merror::\u{1b}[0m"),
            ("::ffff:10.0.0.1", "\\::ffff:10.0.0.1"),
            ("a ##[add-mask]x", "a ##\\[add-mask]x"),
            ("###[error]x ##[x", "###\\[error]x ##\\[x"),
            (":\u{200b}:stop-commands::x", "\\::stop-commands::x"),
            ("\u{feff}:\u{ad}\u{fe0f}:debug::x", "\\::debug::x"),
            ("#\u{0}#\u{202e}[group]x", "##\\[group]x"),
            ("#\u{1b}[1m#[group]x", "##\\[group]x"),
            ("##\u{1b}[m", "##"),
            ("#\u{640}#\u{591}[group]x", "#\u{640}#\u{591}\\[group]x"),
            ("\u{488}:\u{640}:debug::x", "\u{488}\\:\u{640}:debug::x"),
            ("：：debug：：x", "\\：：debug：：x"),
            ("a ＃#［group]x", "a ＃#\\［group]x"),
            ("é: a::b", "é: a::b"),
            ("Foo::bar(#[x])", "Foo::bar(#[x])"),
            ("👩\u{200d}💻 ⚠\u{fe0f} ok", "👩\u{200d}💻 ⚠\u{fe0f} ok"),
            ("\u{200d}\u{fe0f}x", "x"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[31mred", "\u{1b}[31mred\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}[1;1Hcleared\u{1b}[?25l", "cleared"),
            ("\u{1b}[38;5;4;99999999999999999999999999999999m x", " x"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;never ended", "0;never ended"),
            ("\u{1b}(B\u{1b}[msgr0", "\u{1b}[msgr0"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}é", "é"),
            ("a\rb\nc", "a b c"),
            ("bell\u{7}back\u{8}", "bellback"),
        ] {
            assert_eq!(line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_of_bytes() {
        assert_eq!(lines(b"a\r\nb\rc\n\nd\n"), ["a", "b", "c", "", "d"]);
        assert_eq!(lines(b"\xff::debug::x"), ["\u{fffd}\\::debug::x"]);
        assert_eq!(lines(b""), [""]);
    }

    #[test]
    fn long_lines_say_what_is_missing() {
        let long = line(&"é".repeat(MAX_LINE));
        assert!(long.ends_with(" … (8192 more bytes)"), "{}", &long[MAX_LINE..]);
        assert_eq!(cut("aé", 2), "a…");
        assert_eq!(cut("aé", 3), "aé");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn nothing_parses_as_a_command(text in hostile()) {
            for shown in lines(text.as_bytes()) {
                prop_assert_eq!(parse(&shown), None, "{:?}", &shown);
                prop_assert_eq!(parse(&format!("#7 0.351 {shown}")), None);
                prop_assert_eq!(parse(&strip_colours(&shown)), None);
                prop_assert_eq!(parse(&cut(&shown, 6)), None);
                prop_assert!(!shown.contains(['\n', '\r']));
            }
            prop_assert_eq!(parse(&line(&text)), None);
            prop_assert_eq!(parse(&plain(&text)), None);
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in hostile()) {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once.clone());
            prop_assert!(!once.contains(char::is_control) || once.contains('\t'), "{:?}", once);
        }
    }

    /// The property above would hold for an empty model too.
    #[test]
    fn the_model_finds_raw_attacks() {
        for attack in [
            "::debug::x",
            "  ::debug::x",
            "a ##[debug]x",
            ":\u{200b}:debug::x",
            "##\u{200b}[debug]x",
            "\u{0}::debug::",
        ] {
            assert!(parse(attack).is_some(), "{attack:?}");
        }
    }
}
