//! Regular expressions as JavaScript writes them, carried out by the `regex` crate.
//!
//! People's patterns were written for JavaScript's engine, so they are read by its grammar (ECMA-262, with its annex B) and
//! handed on in the crate's, construct by construct: what is not known here reaches no engine. `\d`, `\w`, `\s`, `\b`, `.`,
//! `$` and the flags mean what they mean there; case folding is done here, so that the crate needs no Unicode tables.
//! Look-around, back-references, Unicode properties and inline flags are errors that name them. The crate's time is linear
//! in the text; the sizes of pattern, program and text are bounded here.
//! One thing is different and cannot be seen from outside: a group in a repetition keeps what it took in an earlier round.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// A pattern that can be matched.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
    groups: usize,
    /// The flag `g`: the whole of each match takes the place of groups.
    global: bool,
}

/// A pattern that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatternError {
    /// The character where it goes wrong, from zero.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be said.
    pub hint: Option<&'static str>,
}

/// The longest pattern, in characters.
const LONGEST_PATTERN: usize = 1_000;
/// The longest text that is matched, in bytes: more than any name that Git keeps in a file.
pub(crate) const LONGEST_TEXT: usize = 1_024;
/// The highest count in braces.
const HIGHEST_COUNT: u32 = 1_000;
/// Matches that are looked for with the flag `g`.
const MOST_MATCHES: usize = 16;
/// The size of a compiled program, in bytes.
const LARGEST_PROGRAM: usize = 1 << 18;
/// The depth of groups within groups.
const DEEPEST: usize = 50;

const DIGITS: &[(u32, u32)] = &[(0x30, 0x39)];
const WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
const BLANKS: &[(u32, u32)] = &[
    (0x9, 0xd),
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
    (0xfeff, 0xfeff),
];
const LINE_ENDS: &[(u32, u32)] = &[(0xa, 0xa), (0xd, 0xd), (0x2028, 0x2029)];

impl Pattern {
    /// Reads a pattern; with `literal`, `/…/flags` is one, too.
    pub(super) fn parse(text: &str, literal: bool) -> Result<Self, PatternError> {
        let (body, start, flags) = match text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
            Some((body, flags)) if literal && !body.is_empty() => (body, 1, Flags::parse(flags, text)?),
            _ => (text, 0, Flags::default()),
        };
        let characters: Vec<char> = body.chars().collect();
        if characters.len() > LONGEST_PATTERN {
            let message = format!("a regular expression can have {LONGEST_PATTERN} characters at most");
            return Err(PatternError { at: start, message, hint: None });
        }
        let reader = Reader { characters, at: 0, out: String::new(), groups: 0, depth: Vec::new(), flags };
        let (program, groups) =
            reader.read().map_err(|error| PatternError { at: error.at + start, ..error })?;
        let program = if flags.sticky { format!(r"\A(?:{program})") } else { program };
        let regex = RegexBuilder::new(&program).size_limit(LARGEST_PROGRAM).build().map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(_) => {
                    "the regular expression is too large when its counts are carried out"
                }
                _ => "the regular expression cannot be read",
            };
            PatternError { at: start, message: message.into(), hint: None }
        })?;
        Ok(Self { source: text.to_owned(), regex, groups, global: flags.global })
    }

    /// The highest number that `group` can have.
    pub(super) fn highest_group(&self) -> usize {
        if self.global { MOST_MATCHES - 1 } else { self.groups }
    }

    /// What a group took, `0` for the whole match. `Err` when nothing matches, `Ok(None)` when the group took no part.
    pub(crate) fn group<'t>(&self, text: &'t str, group: usize) -> Result<Option<&'t str>, NoMatch> {
        if text.len() > LONGEST_TEXT {
            return Err(NoMatch);
        }
        if self.global {
            let mut all = self.regex.find_iter(text).take(MOST_MATCHES).map(|found| found.as_str());
            let first = all.next().ok_or(NoMatch)?;
            return Ok(if group == 0 { Some(first) } else { all.nth(group - 1) });
        }
        let captures = self.regex.captures(text).ok_or(NoMatch)?;
        Ok(captures.get(group).map(|found| found.as_str()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

/// The text does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMatch;

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

/// What stands after `/…/`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Flags {
    any_case: bool,
    lines: bool,
    dot_is_all: bool,
    unicode: bool,
    global: bool,
    sticky: bool,
}

impl Flags {
    fn parse(text: &str, whole: &str) -> Result<Self, PatternError> {
        let mut flags = Self::default();
        let at = whole.chars().count() - text.chars().count();
        let mut seen = String::new();
        for (index, c) in text.chars().enumerate() {
            let wrong = |message: String| PatternError {
                at: at + index,
                message,
                hint: Some("flags are `i`, `m`, `s`, `u`, `g`, `y`; without flags, leave the slashes out"),
            };
            match c {
                _ if seen.contains(c) => return Err(wrong(format!("the flag `{c}` is given twice"))),
                'i' => flags.any_case = true,
                'm' => flags.lines = true,
                's' => flags.dot_is_all = true,
                'u' => flags.unicode = true,
                'g' => flags.global = true,
                'y' => flags.sticky = true,
                // Indices of groups, which nobody sees here.
                'd' => {}
                other => return Err(wrong(format!("`{other}` is not a flag of a regular expression"))),
            }
            seen.push(c);
        }
        if flags.global && flags.sticky {
            let message = "the flags `g` and `y` cannot be together".to_owned();
            return Err(PatternError { at, message, hint: Some("leave one of them out") });
        }
        Ok(flags)
    }
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    out: String,
    groups: usize,
    /// Where each open group begins.
    depth: Vec<usize>,
    flags: Flags,
}

/// A set of characters, or one.
enum Item {
    One(char),
    Set(Vec<(u32, u32)>),
}

impl Reader {
    fn read(mut self) -> Result<(String, usize), PatternError> {
        // Whether there is something that a count can belong to.
        let mut repeats = false;
        while let Some(c) = self.peek(0) {
            let start = self.at;
            self.at += 1;
            repeats = match c {
                '^' => self.push(if self.flags.lines { "(?m:^)" } else { r"\A" }, false),
                '$' => self.push(if self.flags.lines { "(?m:$)" } else { r"\z" }, false),
                '|' => self.push("|", false),
                '.' if self.flags.dot_is_all => self.push("(?s:.)", true),
                '.' => self.set(&complement(LINE_ENDS)),
                '(' => self.open(start)?,
                ')' if self.depth.pop().is_some() => self.push(")", true),
                ')' => {
                    return Err(error(start, "this `)` closes nothing").hint("write `\\)` for the character"));
                }
                '[' => self.class(start)?,
                '*' | '+' | '?' => {
                    self.out.push(c);
                    self.repeat(start, repeats)?
                }
                '{' => match self.count(start)? {
                    Some(count) => {
                        self.out.push_str(&count);
                        self.repeat(start, repeats)?
                    }
                    None => self.literal('{'),
                },
                '\\' => self.escape(start)?,
                other => self.literal(other),
            };
        }
        match self.depth.last() {
            Some(start) => Err(error(*start, "this `(` is not closed").hint("write `\\(` for the character")),
            None => Ok((self.out, self.groups)),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn follows(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn push(&mut self, text: &str, repeats: bool) -> bool {
        self.out.push_str(text);
        repeats
    }

    fn literal(&mut self, c: char) -> bool {
        let one = [(u32::from(c), u32::from(c))];
        self.set(&one)
    }

    /// Any one character of these.
    fn set(&mut self, ranges: &[(u32, u32)]) -> bool {
        let folded = if self.flags.any_case { fold(ranges) } else { ranges.to_vec() };
        self.write_set(&folded)
    }

    fn write_set(&mut self, ranges: &[(u32, u32)]) -> bool {
        let range = |(low, high): &(u32, u32)| format!(r"\x{{{low:x}}}-\x{{{high:x}}}");
        let text = match ranges {
            [] => r"[^\x{0}-\x{10ffff}]".to_owned(),
            [(low, high)] if low == high => format!(r"\x{{{low:x}}}"),
            ranges => format!("[{}]", ranges.iter().map(range).collect::<String>()),
        };
        self.out.push_str(&text);
        true
    }

    fn open(&mut self, start: usize) -> Result<bool, PatternError> {
        const LOOK: &str = "look-around is not supported: the text around a match cannot be a condition";
        if self.depth.len() == DEEPEST {
            return Err(error(start, &format!("groups can be {DEEPEST} deep at most")));
        }
        self.depth.push(start);
        if self.follows("?=") || self.follows("?!") {
            return Err(error(
                start,
                &format!("{LOOK} (look-ahead `({}{}`)", '?', self.peek(1).unwrap_or('=')),
            ));
        }
        if self.follows("?<=") || self.follows("?<!") {
            return Err(error(start, &format!("{LOOK} (look-behind `(?<{}`)", self.peek(2).unwrap_or('='))));
        }
        if self.follows("?:") {
            self.at += 2;
            return Ok(self.push("(?:", false));
        }
        self.groups += 1;
        if self.follows("?<") {
            let name: Vec<char> =
                self.characters[self.at + 2..].iter().copied().take_while(|c| *c != '>').collect();
            let plain = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '$');
            let closed = self.peek(2 + name.len()) == Some('>');
            if name.is_empty() || !closed || !name.iter().all(plain) {
                return Err(
                    error(start, "this is not a name for a group").hint("write `(?<name>…)` or `(…)`")
                );
            }
            self.at += 3 + name.len();
        } else if self.follows("?") {
            let shown: String = self.characters[start..].iter().take(4).filter(|c| !c.is_control()).collect();
            return Err(error(start, &format!("`{shown}` begins no group that is known"))
                .hint("flags stand after the pattern: `/…/i`; groups are `(…)`, `(?:…)` and `(?<name>…)`"));
        }
        Ok(self.push("(", false))
    }

    /// After a count, `?` makes it lazy. Another count cannot follow.
    fn repeat(&mut self, start: usize, repeats: bool) -> Result<bool, PatternError> {
        if !repeats {
            return Err(error(start, "there is nothing before this that can be repeated")
                .hint("write `\\` before it for the character"));
        }
        if self.peek(0) == Some('?') {
            self.at += 1;
            self.out.push('?');
        }
        Ok(false)
    }

    /// `{1}`, `{1,}` or `{1,2}`, whose brace is read; `None` if it is only a brace.
    fn count(&mut self, start: usize) -> Result<Option<String>, PatternError> {
        let Some(length) = self.characters[self.at..].iter().position(|c| *c == '}') else { return Ok(None) };
        let text: String = self.characters[self.at..self.at + length].iter().collect();
        let (low, high) = text.split_once(',').map_or((text.as_str(), None), |(low, high)| (low, Some(high)));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if low.is_empty() || !digits(low) || !high.is_none_or(digits) {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= HIGHEST_COUNT);
        let too_high = || error(start, &format!("a count can be {HIGHEST_COUNT} at most"));
        let low = number(low).ok_or_else(too_high)?;
        let count = match high {
            None => format!("{{{low}}}"),
            Some("") => format!("{{{low},}}"),
            Some(high) => {
                let high = number(high).ok_or_else(too_high)?;
                if high < low {
                    return Err(error(start, "the second number of this count is lower than the first"));
                }
                format!("{{{low},{high}}}")
            }
        };
        self.at += length + 1;
        Ok(Some(count))
    }

    /// What `\` begins, which is read.
    fn escape(&mut self, start: usize) -> Result<bool, PatternError> {
        match self.peek(0) {
            Some(c @ ('b' | 'B')) => {
                self.at += 1;
                Ok(self.push(if c == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" }, false))
            }
            Some(c @ '1'..='9') => Err(error(
                start,
                &format!(
                    "back-references are not supported (`\\{c}`): what a group took cannot be a condition"
                ),
            )),
            Some('k') if self.peek(1) == Some('<') => Err(error(
                start,
                "back-references are not supported (`\\k<…>`): what a group took cannot be a condition",
            )),
            _ => Ok(match self.item(start)? {
                Item::One(c) => self.literal(c),
                Item::Set(ranges) => self.set(&ranges),
            }),
        }
    }

    /// What `\` begins in a class and outside of it.
    fn item(&mut self, start: usize) -> Result<Item, PatternError> {
        let Some(c) = self.peek(0) else {
            return Err(error(start, "nothing follows this `\\`").hint("write `\\\\` for the character"));
        };
        self.at += 1;
        Ok(match c {
            'd' => Item::Set(DIGITS.to_vec()),
            'D' => Item::Set(complement(DIGITS)),
            'w' => Item::Set(WORD.to_vec()),
            'W' => Item::Set(complement(WORD)),
            's' => Item::Set(BLANKS.to_vec()),
            'S' => Item::Set(complement(BLANKS)),
            'p' | 'P' if self.peek(0) == Some('{') => {
                return Err(error(start, &format!("Unicode properties are not supported (`\\{c}{{…}}`)"))
                    .hint("write the characters as a class, `[A-Za-z]`"));
            }
            't' => Item::One('\t'),
            'n' => Item::One('\n'),
            'v' => Item::One('\u{b}'),
            'f' => Item::One('\u{c}'),
            'r' => Item::One('\r'),
            '0' => Item::One('\0'),
            'c' => {
                let letter = self.peek(0).filter(char::is_ascii_alphabetic);
                // Without a letter the backslash stands for itself, and what follows is read again.
                self.at = if letter.is_some() { self.at + 1 } else { self.at - 1 };
                Item::One(letter.map_or('\\', |letter| char::from(letter as u8 & 0x1f)))
            }
            'x' => self.hexadecimal(2).map_or(Item::One('x'), Item::One),
            'u' if self.flags.unicode && self.peek(0) == Some('{') => {
                let digits: String =
                    self.characters[self.at + 1..].iter().take_while(|c| c.is_ascii_hexdigit()).collect();
                let closed = self.peek(1 + digits.len()) == Some('}');
                let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).filter(|_| closed);
                self.at += 2 + digits.len();
                Item::One(c.ok_or_else(|| error(start, "this is not a character").hint("write `\\u{61}`"))?)
            }
            'u' => self.hexadecimal(4).map_or(Item::One('u'), Item::One),
            other => Item::One(other),
        })
    }

    /// So many hexadecimal digits, if they are there.
    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let text: String = self.characters[self.at..].iter().take(digits).collect();
        let all = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        let c = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32).filter(|_| all)?;
        self.at += digits;
        Some(c)
    }

    /// A class, whose bracket is read.
    fn class(&mut self, start: usize) -> Result<bool, PatternError> {
        let negated = self.peek(0) == Some('^');
        self.at += usize::from(negated);
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        while let Some(first) = self.class_item(start)? {
            let dash = self.peek(0) == Some('-') && self.peek(1).is_some_and(|c| c != ']');
            match first {
                Item::One(low) if dash => {
                    let at = self.at;
                    self.at += 1;
                    match self.class_item(start)? {
                        Some(Item::One(high)) if high < low => {
                            return Err(error(at, "the end of this range is before its beginning"));
                        }
                        Some(Item::One(high)) => ranges.push((u32::from(low), u32::from(high))),
                        Some(Item::Set(set)) => {
                            ranges.extend([(u32::from(low), u32::from(low)), (0x2d, 0x2d)]);
                            ranges.extend(set);
                        }
                        None => {}
                    }
                }
                Item::One(c) => ranges.push((u32::from(c), u32::from(c))),
                Item::Set(set) => ranges.extend(set),
            }
        }
        let ranges = if self.flags.any_case { fold(&ranges) } else { merged(ranges) };
        Ok(self.write_set(&if negated { complement(&ranges) } else { ranges }))
    }

    /// The next member of a class; `None` at its end.
    fn class_item(&mut self, start: usize) -> Result<Option<Item>, PatternError> {
        let Some(c) = self.peek(0) else {
            return Err(error(start, "this `[` is not closed").hint("write `\\[` for the character"));
        };
        let at = self.at;
        self.at += 1;
        match c {
            ']' => Ok(None),
            '\\' if self.peek(0) == Some('b') => {
                self.at += 1;
                Ok(Some(Item::One('\u{8}')))
            }
            '\\' => self.item(at).map(Some),
            other => Ok(Some(Item::One(other))),
        }
    }
}

/// Sorted, and those that touch as one.
fn merged(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}

/// All other characters. The halves of surrogate pairs are none.
fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    const LAST: u32 = 0x0010_ffff;
    let (mut rest, mut next) = (Vec::new(), 0);
    for (low, high) in merged(ranges.to_vec()) {
        if low > next {
            rest.push((next, low - 1));
        }
        next = high.saturating_add(1);
    }
    if next <= LAST {
        rest.push((next, LAST));
    }
    let halves = 0xd800..=0xdfff;
    rest.retain(|(low, high)| !(halves.contains(low) && halves.contains(high)));
    for (low, high) in &mut rest {
        *low = if halves.contains(low) { 0xe000 } else { *low };
        *high = if halves.contains(high) { 0xd7ff } else { *high };
    }
    rest
}

/// These characters in either case: of ASCII all, of others those that stand alone.
fn fold(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut all = ranges.to_vec();
    for (low, high) in ranges {
        for (first, last, other) in [(0x41, 0x5a, 0x61), (0x61, 0x7a, 0x41)] {
            let (from, to) = ((*low).max(first), (*high).min(last));
            if from <= to {
                all.push((from - first + other, to - first + other));
            }
        }
        if let Some(c) = char::from_u32(*low).filter(|c| low == high && !c.is_ascii()) {
            let cases = c.to_lowercase().chain(c.to_uppercase()).filter(|c| !c.is_ascii());
            all.extend(cases.map(|c| (u32::from(c), u32::from(c))));
        }
    }
    merged(all)
}

fn error(at: usize, message: &str) -> PatternError {
    PatternError { at, message: message.to_owned(), hint: None }
}

impl PatternError {
    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What group 0 or the numbered one takes, `-` for no match, `?` for a group without a part.
    fn take(pattern: &str, text: &str, group: usize) -> String {
        let pattern = Pattern::parse(pattern, true).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        match pattern.group(text, group) {
            Err(NoMatch) => "-".into(),
            Ok(None) => "?".into(),
            Ok(Some(found)) => found.into(),
        }
    }

    #[test]
    fn what_a_pattern_takes() {
        for (pattern, text, group, expected) in [
            (r"\d.\d.\d", "v1.2.3", 0, "1.2.3"),
            (r"v(.*)", "v2.0.8-beta.67", 1, "2.0.8-beta.67"),
            (r"/v(\d.\d)/", "v2.0", 1, "2.0"),
            ("/V(.*)/i", "v1", 1, "1"),
            ("V", "v", 0, "-"),
            ("/[A-C]+/i", "xabcd", 0, "abc"),
            ("/[^a-c]+/i", "ABCx", 0, "x"),
            ("/É/i", "é", 0, "é"),
            (r"\d+", "٣4", 0, "4"),
            (r"\w+", "é_a", 0, "_a"),
            (r"[\w-]+", "!a-b", 0, "a-b"),
            (r"[\d-x]+", "1-x2", 0, "1-x2"),
            (r"[a-]+", "-a", 0, "-a"),
            (r"[]", "a", 0, "-"),
            (r"[^]", "\n", 0, "\n"),
            (r"[\]\\]+", r"a]\", 0, r"]\"),
            ("[[:alpha:]]", "a]", 0, "a]"),
            ("[a&&b]+", "&b", 0, "&b"),
            (r"\bx\B", "a xy", 0, "x"),
            (r"\bé", "é", 0, "-"),
            ("a.b", "a\rb", 0, "-"),
            ("/a.b/s", "a\nb", 0, "a\nb"),
            ("^b", "a\nb", 0, "-"),
            ("/^b$/m", "a\nb\nc", 0, "b"),
            ("/b/y", "ab", 0, "-"),
            ("/a|ab/y", "ab", 0, "a"),
            (r"/\d/g", "a1b2", 1, "2"),
            (r"/\d/g", "a1b2", 2, "?"),
            (r"/\d/g", "ab", 0, "-"),
            ("(a)|(b)", "b", 1, "?"),
            ("(?<year>\\d{4})-(?:x)(y)", "2020-xy", 2, "y"),
            ("a{2}b{1,}c{0,1}?", "aabbc", 0, "aabb"),
            ("a{,2}", "a{,2}", 0, "a{,2}"),
            ("a{x", "a{x", 0, "a{x"),
            ("}]", "}]", 0, "}]"),
            (r"\/\-\_\:\z", "/-_:z", 0, "/-_:z"),
            (r"\x41\u0042\t\cA\0", "AB\t\u{1}\0", 0, "AB\t\u{1}\0"),
            (r"\xg\u12", "xgu12", 0, "xgu12"),
            (r"/\u{e9}/u", "é", 0, "é"),
            (r"\c!", r"\c!", 0, r"\c!"),
            (r"[\b]", "\u{8}", 0, "\u{8}"),
            (r"\s\S", "\u{feff}x", 0, "\u{feff}x"),
            ("//", "a//", 0, "//"),
            ("/a", "/a", 0, "/a"),
            ("", "x", 0, ""),
            ("a#b c", "a#b c", 0, "a#b c"),
        ] {
            assert_eq!(take(pattern, text, group), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn constructs_that_are_not_supported_are_named() {
        for (pattern, at, words) in [
            ("v(?=1)", 1, "look-ahead `(?=`"),
            ("(?!a)", 0, "look-ahead `(?!`"),
            ("x(?<=a)", 1, "look-behind `(?<=`"),
            ("/(?<!a)/", 1, "look-behind `(?<!`"),
            (r"(a)\1", 3, r"back-references are not supported (`\1`)"),
            (r"(?<n>a)\k<n>", 7, r"back-references are not supported (`\k<…>`)"),
            (r"\p{L}", 0, r"Unicode properties are not supported (`\p{…}`)"),
            (r"[\P{L}]", 1, r"Unicode properties are not supported (`\P{…}`)"),
            ("(?i)a", 0, "`(?i)` begins no group"),
            ("(?P<a>b)", 0, "`(?P<` begins no group"),
            ("(?<>b)", 0, "not a name for a group"),
            ("a(b", 1, "not closed"),
            ("a)b", 1, "closes nothing"),
            ("[a", 0, "not closed"),
            ("[b-a]", 2, "before its beginning"),
            ("*a", 0, "nothing before this"),
            ("a**", 2, "nothing before this"),
            ("^*", 1, "nothing before this"),
            ("(?:|*)", 4, "nothing before this"),
            ("a{2}{3}", 4, "nothing before this"),
            ("a{3,2}", 1, "lower than the first"),
            ("a{1001}", 1, "1000 at most"),
            ("a{99999999999}", 1, "1000 at most"),
            ("a\\", 1, "nothing follows"),
            ("/a/x", 3, "`x` is not a flag"),
            ("/a/ii", 4, "given twice"),
            ("/a/gy", 3, "cannot be together"),
            (r"/\u{110000}/u", 1, "not a character"),
            ("((a{1000}){1000}){1000}", 0, "too large"),
            ("(?:){1000}(?:(?:){1000}){1000}.{1000}.{1000}", 0, "too large"),
            (&"a".repeat(1_001), 0, "1000 characters"),
            (&"(".repeat(51), 50, "50 deep"),
        ] {
            let error = Pattern::parse(pattern, true).map(|_| ()).expect_err(pattern);
            assert!(error.message.contains(words), "{pattern}: {}", error.message);
            assert_eq!(error.at, at, "{pattern}: {}", error.message);
        }
    }

    #[test]
    fn a_text_that_is_too_long_matches_nothing() {
        let pattern = Pattern::parse(".*", true).unwrap();
        assert!(pattern.group(&"a".repeat(LONGEST_TEXT), 0).is_ok());
        assert_eq!(pattern.group(&"a".repeat(LONGEST_TEXT + 1), 0), Err(NoMatch));
    }

    /// These take time beyond measure where an engine goes back.
    #[test]
    fn hostile_patterns_end() {
        for pattern in ["(a+)+$", "(a|a)*$", "(.*a){20}$", "/(a*)*b/g", "(?:a?){500}a{500}"] {
            if let Ok(pattern) = Pattern::parse(pattern, true) {
                let _ = pattern.group(&"a".repeat(LONGEST_TEXT), 0);
            }
        }
    }

    proptest! {
        /// What is handed to the crate is always in its grammar: only its size can be too much.
        #[test]
        fn never_panics(pattern in r"(\\.|[a-c(){}\[\]|*+?^$.,/0-9<>!=:k-])*|.*", text in "[a-c0-9 é]*") {
            match Pattern::parse(&pattern, true) {
                Ok(parsed) => { let _ = parsed.group(&text, parsed.highest_group()); }
                Err(error) => {
                    prop_assert!(error.message != "the regular expression cannot be read", "{pattern}");
                    prop_assert!(error.at <= pattern.chars().count());
                }
            }
        }
    }
}
