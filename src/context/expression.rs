//! The subset of Go's regular expressions that patterns of ignore files are turned into, with Go's meaning; `\p{…}` is refused.
//!
//! Cost is bounded whatever a pattern says: the expression is a chain of nodes, run as a set of positions over the path, so matching
//! takes path × pattern steps at worst and no memory to speak of. It cannot back-track. (The `regex` crate is linear too; it would
//! cost tens of kilobytes and microseconds of compilation for each of a thousand patterns, and its syntax differs from Go's just
//! where it hurts: classes in classes, `\d` beyond ASCII, `\Q`, `\<`.)

use std::iter::Peekable;
use std::str::Chars;

/// Alternatives, of which one must be found in the path; nearly always a single one that spans it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression(Vec<Chain>);

/// Nodes that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Chain {
    nodes: Vec<Node>,
    /// Starts with [`Place::Start`], so it is tried at the start only.
    anchored: bool,
    /// Every match ends with this text: a cheap reason to say no.
    tail: String,
    /// Every match starts with this text.
    head: String,
}

/// Repetitions could otherwise turn a short pattern into a long chain.
const MOST_NODES: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Consumes one character.
    One(Set),
    /// Consumes any number of them.
    Many(Set),
    /// Continues with the next node or this many nodes further.
    Optional(usize),
    /// Consumes nothing, holds at some places only.
    At(Place),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Set {
    Char(char),
    /// Any character but a line feed: Go's `.`.
    Any,
    Ranges {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    WordEdge,
    NoWordEdge,
}

impl Set {
    fn contains(&self, ch: char) -> bool {
        match self {
            Self::Char(wanted) => ch == *wanted,
            Self::Any => ch != '\n',
            Self::Ranges { negated, ranges } => {
                ranges.iter().any(|&(low, high)| low <= ch && ch <= high) != *negated
            }
        }
    }
}

impl Place {
    fn holds(self, before: Option<char>, after: Option<char>) -> bool {
        let word = |ch: Option<char>| ch.is_some_and(|ch| ch.is_ascii_alphanumeric() || ch == '_');
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::WordEdge => word(before) != word(after),
            Self::NoWordEdge => word(before) == word(after),
        }
    }
}

impl Expression {
    /// What is found in no path.
    pub(super) fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Whether the expression is found in the path.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|chain| chain.found_in(path))
    }

    /// Reads the subset of Go's syntax that [`super::pattern`] writes; nothing when Go would refuse it.
    pub(super) fn parse(source: &str) -> Option<Self> {
        let mut chains = Vec::new();
        let mut nodes = Vec::new();
        // A repetition must not follow a repetition.
        let mut repeated = false;
        let mut rest = source;
        while let Some(ch) = rest.chars().next() {
            if nodes.len() > MOST_NODES {
                return None;
            }
            if let Some((times, after)) = parse_times(rest) {
                if repeated {
                    return None;
                }
                repeat(&mut nodes, times?)?;
                repeated = true;
                rest = after;
                continue;
            }
            repeated = false;
            if let Some(after) = rest.strip_prefix("(.*/)?") {
                nodes.extend([Node::Optional(2), Node::Many(Set::Any), Node::One(Set::Char('/'))]);
                repeated = true;
                rest = after;
            } else if let Some(quoted) = rest.strip_prefix("\\Q") {
                let (text, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                nodes.extend(text.chars().map(|ch| Node::One(Set::Char(ch))));
                rest = after;
            } else if let Some((place, after)) = parse_place(rest) {
                nodes.push(Node::At(place));
                rest = after;
            } else if ch == '|' {
                chains.push(Chain::new(std::mem::take(&mut nodes)));
                rest = &rest[1..];
            } else {
                let set = parse_set(&mut rest)?;
                nodes.push(match rest.strip_prefix('*') {
                    Some(after) => {
                        repeated = true;
                        rest = after;
                        Node::Many(set)
                    }
                    None => Node::One(set),
                });
            }
        }
        chains.push(Chain::new(nodes));
        Some(Self(chains))
    }
}

impl Chain {
    fn new(nodes: Vec<Node>) -> Self {
        let literal = |node: &Node| match node {
            Node::One(Set::Char(ch)) => Some(*ch),
            _ => None,
        };
        let inner = match nodes.as_slice() {
            [Node::At(Place::Start), inner @ .., Node::At(Place::End)] => inner,
            _ => &[],
        };
        let head = inner.iter().map_while(literal).collect();
        let mut tail: Vec<char> = inner.iter().rev().map_while(literal).collect();
        // What an optional part ends with is no part of every match.
        for (at, node) in inner.iter().enumerate() {
            if let Node::Optional(length) = node {
                tail.truncate(inner.len().saturating_sub(at + 1 + length));
            }
        }
        let tail = tail.into_iter().rev().collect();
        let anchored = nodes.first() == Some(&Node::At(Place::Start));
        Self { nodes, anchored, tail, head }
    }

    fn found_in(&self, path: &str) -> bool {
        if !path.ends_with(self.tail.as_str()) || !path.starts_with(self.head.as_str()) {
            return false;
        }
        let words = self.nodes.len() / 64 + 1;
        let mut small = [0_u64; 8];
        let mut large = Vec::new();
        let sets = if words * 2 <= small.len() {
            &mut small[..words * 2]
        } else {
            large.resize(words * 2, 0_u64);
            &mut large[..]
        };
        let (now, next) = sets.split_at_mut(words);
        now[0] = 1;
        let mut before = None;
        let mut rest = path.chars();
        loop {
            let after = rest.next();
            self.spread(now, before, after);
            if bit(now, self.nodes.len()) {
                return true;
            }
            let Some(ch) = after else {
                return false;
            };
            let mut alive = !self.anchored;
            next[0] = u64::from(alive);
            for (at, node) in self.nodes.iter().enumerate() {
                if !bit(now, at) {
                    continue;
                }
                let goal = match node {
                    Node::One(set) if set.contains(ch) => at + 1,
                    Node::Many(set) if set.contains(ch) => at,
                    _ => continue,
                };
                next[goal / 64] |= 1 << (goal % 64);
                alive = true;
            }
            if !alive {
                return false;
            }
            now.copy_from_slice(next);
            next.fill(0);
            before = Some(ch);
        }
    }

    /// Adds the positions that can be reached without consuming anything; they all lie ahead, so one pass is enough.
    fn spread(&self, set: &mut [u64], before: Option<char>, after: Option<char>) {
        for (at, node) in self.nodes.iter().enumerate() {
            if !bit(set, at) {
                continue;
            }
            let (one, other) = match node {
                Node::Many(_) => (at + 1, at + 1),
                Node::Optional(length) => (at + 1, at + 1 + length),
                Node::At(place) if place.holds(before, after) => (at + 1, at + 1),
                Node::One(_) | Node::At(_) => continue,
            };
            set[one / 64] |= 1 << (one % 64);
            set[other / 64] |= 1 << (other % 64);
        }
    }
}

/// `{n}`, `{n,}` or `{n,m}` and what follows it: nothing when the brace is a plain character, no numbers when Go refuses them.
#[expect(clippy::type_complexity, reason = "a parser's answer")]
fn parse_times(rest: &str) -> Option<(Option<(usize, Option<usize>)>, &str)> {
    fn number(text: &str) -> Option<(usize, &str)> {
        let length = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = text.split_at(length);
        let plain = length > 0 && (length == 1 || !digits.starts_with('0'));
        plain.then(|| (digits.parse().unwrap_or(usize::MAX), after))
    }
    let (least, after) = number(rest.strip_prefix('{')?)?;
    let (most, after) = match after.strip_prefix(',') {
        None => (Some(least), after),
        Some(after) if after.starts_with('}') => (None, after),
        Some(after) => number(after).map(|(most, after)| (Some(most), after))?,
    };
    let after = after.strip_prefix('}')?;
    let allowed = least <= 1000 && most.is_none_or(|most| most <= 1000 && least <= most);
    Some((allowed.then_some((least, most)), after))
}

/// Applies a repetition to the last node; nothing when there is none.
fn repeat(nodes: &mut Vec<Node>, (least, most): (usize, Option<usize>)) -> Option<()> {
    let node = nodes.pop()?;
    nodes.extend(std::iter::repeat_n(node.clone(), least));
    match (node, most) {
        (Node::One(set), None) => nodes.push(Node::Many(set)),
        (node, Some(most)) => {
            for _ in least..most {
                nodes.extend([Node::Optional(1), node.clone()]);
            }
        }
        // To require an empty place any number of times says no more than what was pushed above.
        _ => {}
    }
    Some(())
}

/// An assertion at the start of `rest`, and what follows it.
fn parse_place(rest: &str) -> Option<(Place, &str)> {
    let places = [
        ("^", Place::Start),
        ("$", Place::End),
        ("\\A", Place::Start),
        ("\\z", Place::End),
        ("\\b", Place::WordEdge),
        ("\\B", Place::NoWordEdge),
    ];
    places.into_iter().find_map(|(text, place)| Some((place, rest.strip_prefix(text)?)))
}

/// What a single position of the path may be.
fn parse_set(rest: &mut &str) -> Option<Set> {
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

fn bit(set: &[u64], at: usize) -> bool {
    set[at / 64] >> (at % 64) & 1 == 1
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Nothing that a `.dockerignore` holds can bring the matcher down.
        #[test]
        fn any_source_is_read(source in r"[\^\$a\[\]{}0-9,:|*.\-()?/\\QEpxdwbzé ]{0,24}", path in "[a-c/é0\n.]{0,12}") {
            if let Some(expression) = Expression::parse(&source) {
                expression.matches(&path);
            }
        }
    }

    #[test]
    fn follows_go() {
        for (source, path, expected) in [
            ("^a|b$", "ax", true),
            ("^a|b$", "xb", true),
            ("^a|b$", "xax", false),
            ("^a{2,3}$", "aaaa", false),
            ("^a{2,}$", "aaaa", true),
            ("^a{,2}$", "a{,2}", true),
            ("^(.*/)?x$", "a/b/x", true),
            ("^(.*/)?x$", "bx", false),
            ("^[^/]*$", "a\nb", true),
            ("^.$", "\n", false),
            (r"^\Qa.b$", "a.b$", true),
            (r"^a\b.c$", "a-c", true),
            (r"^\x{e9}\141$", "éa", true),
        ] {
            assert_eq!(Expression::parse(source).unwrap().matches(path), expected, "{source} {path:?}");
        }
        for refused in
            ["^[a", "^[b-a]", r"^\1$", r"^\q", "^a*{2}", "{2}", "^a{1001}", "^a{3,2}", r"^\pL", "^a{2}{2}"]
        {
            assert_eq!(Expression::parse(refused), None, "{refused}");
        }
    }
}
