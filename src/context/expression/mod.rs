//! The subset of Go's regular expressions that patterns of ignore files are turned into, with Go's meaning; `\p{…}` is refused.
//!
//! Cost is bounded whatever a pattern says: the expression is a chain of nodes, run as a set of positions over the path, so matching
//! takes path × pattern steps at worst and no memory to speak of. It cannot back-track. (The `regex` crate is linear too; it would
//! cost tens of kilobytes and microseconds of compilation for each of a thousand patterns, and its syntax differs from Go's just
//! where it hurts: classes in classes, `\d` beyond ASCII, `\Q`, `\<`.)

mod class;
mod parse;

/// Alternatives, of which one must be found in the path; nearly always a single one that spans it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression(Vec<Chain>);

/// Nodes that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Chain {
    nodes: Vec<Node>,
    /// Starts with [`Assertion::Start`], so it is tried at the start only.
    anchored: bool,
    /// Every match ends with this text: a cheap reason to say no.
    tail: String,
    /// Every match starts with this text.
    head: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// Consumes one character.
    One(Set),
    /// Consumes any number of them.
    Many(Set),
    /// Continues with the next node or this many nodes further.
    Optional(usize),
    /// Consumes nothing, holds at some places only.
    At(Assertion),
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

/// What is true at a place between two characters, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assertion {
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

impl Assertion {
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
}

impl Chain {
    fn new(nodes: Vec<Node>) -> Self {
        let literal = |node: &Node| match node {
            Node::One(Set::Char(ch)) => Some(*ch),
            _ => None,
        };
        let inner = match nodes.as_slice() {
            [Node::At(Assertion::Start), inner @ .., Node::At(Assertion::End)] => inner,
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
        let anchored = nodes.first() == Some(&Node::At(Assertion::Start));
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
                Node::At(assertion) if assertion.holds(before, after) => (at + 1, at + 1),
                Node::One(_) | Node::At(_) => continue,
            };
            set[one / 64] |= 1 << (one % 64);
            set[other / 64] |= 1 << (other % 64);
        }
    }
}

fn bit(set: &[u64], at: usize) -> bool {
    set[at / 64] >> (at % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a source and holds a path against it; says whether no node leads out of its chain.
    fn is_whole(source: &str, path: &str) -> bool {
        let Some(expression) = Expression::parse(source) else { return true };
        expression.matches(path);
        let leads_out = |chain: &Chain, (at, node): (usize, &Node)| matches!(node, Node::Optional(length) if at + 1 + length > chain.nodes.len());
        expression.0.iter().all(|chain| !chain.nodes.iter().enumerate().any(|node| leads_out(chain, node)))
    }

    /// One piece of what patterns are turned into, now and then a quotation of nothing and a repetition.
    const PIECE: &str =
        r"(\(\.\*/\)\?|\[\^/\]\*|\[ab\]|a|é|\^|\\b|\||\.\*|\\Qab?\\E|\\Q\\E)(\\Q\\E)?(\{[0-3](,[0-9]?)?\})?";

    proptest! {
        /// Nothing that a `.dockerignore` holds can bring the matcher down.
        #[test]
        fn any_source_is_read(source in r"[\^\$a\[\]{}0-9,:|*.\-()?/\\QEpxdwbzé ]{0,24}", path in "[a-c/é0\n.]{0,12}") {
            prop_assert!(is_whole(&source, &path), "{source}");
        }

        /// Positions are kept in words of 64 bits: no chain may be taken past its last word.
        #[test]
        fn any_length_around_a_word_is_read(
            words in 1_usize..4,
            off in 0_usize..8,
            pieces in prop::collection::vec(PIECE, 1..6),
            ends in any::<bool>(),
        ) {
            let text = "a".repeat(words * 64 - off);
            let tail = pieces.concat();
            for source in [format!("^{text}{tail}"), format!("^{tail}{text}"), format!("^{text}{tail}|x")] {
                let source = if ends { source + "$" } else { source };
                for path in [&text, "a/b", ""] {
                    prop_assert!(is_whole(&source, path), "{source}");
                }
            }
        }
    }

    #[test]
    fn a_repetition_behind_an_empty_quotation_repeats_all_of_what_stands_before_it() {
        for (source, path, expected) in [
            (r"^(.*/)?\Q\E{0}|x", "a", true),
            (r"^(.*/)?\Q\E{0}x$", "x", true),
            (r"^(.*/)?\Q\E{0}x$", "a/x", false),
            (r"^(.*/)?\Q\E{2,}x$", "a/b/x", true),
            (r"^(.*/)?\Q\E{2,3}x$", "x", true),
            (r"^(.*/)?\Q\E{2,3}x$", "ax", false),
            (r"^[^/]*\Q\E{0,}x$", "aax", true),
            (r"^[^/]*\Q\E{0}x$", "ax", false),
            (r"^[ab]{1,2}\Q\E{2}x$", "abx", true),
            (r"^[ab]{1,2}\Q\E{2}x$", "ababx", true),
            (r"^[ab]{1,2}\Q\E{2}x$", "ax", false),
            (r"^[ab]{2}\Q\E{0,1}x$", "x", true),
            (r"^[ab]{2}\Q\E{0,1}x$", "ax", false),
            (r"^a\Qbc\E{2}$", "abcc", true),
        ] {
            assert_eq!(Expression::parse(source).unwrap().matches(path), expected, "{source} {path:?}");
        }
        for refused in [r"^a|\Q\E{2}", r"^a{500}\Q\E{3}", r"^a{1000}\Q\E{1000}\Q\E{1000}"] {
            assert_eq!(Expression::parse(refused), None, "{refused}");
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
