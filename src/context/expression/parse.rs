//! Reads an expression: alternatives, repetitions, assertions, quoted text.

use super::class::parse_set;
use super::{Assertion, Chain, Expression, Node, Set};

/// Repetitions could otherwise turn a short pattern into a long chain.
const MOST_NODES: usize = 16 * 1024;

/// Go's limit for a repetition, and for the product of repetitions that are applied to each other.
const MOST_TIMES: usize = 1000;

/// What was read last in an alternative: the thing that a repetition repeats.
///
/// Usually one node. It is several after `(.*/)?` or a repetition, which Go lets be repeated when a quotation of nothing
/// (`\Q\E`) stands between.
#[derive(Debug, Clone, Copy)]
struct Atom {
    /// Its first node; all that follow are its own.
    start: usize,
    /// The product of the repetitions that are in it already.
    times: usize,
    /// Whether to find it several times in a row is to find it once or not at all.
    idempotent: bool,
}

impl Atom {
    fn at(start: usize) -> Self {
        Self { start, times: 1, idempotent: false }
    }
}

impl Expression {
    /// Reads the subset of Go's syntax that [`crate::context::pattern`] writes; nothing when Go would refuse it.
    pub(in crate::context) fn parse(source: &str) -> Option<Self> {
        let mut chains = Vec::new();
        let mut nodes = Vec::new();
        // Of the alternative that is being read; none at its start.
        let mut atom: Option<Atom> = None;
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
                atom = Some(repeat(&mut nodes, atom?, times?)?);
                repeated = true;
                rest = after;
                continue;
            }
            repeated = false;
            if let Some(after) = rest.strip_prefix("(.*/)?") {
                atom = Some(Atom { start: nodes.len(), times: 1, idempotent: true });
                nodes.extend([Node::Optional(2), Node::Many(Set::Any), Node::One(Set::Char('/'))]);
                repeated = true;
                rest = after;
            } else if let Some(quoted) = rest.strip_prefix("\\Q") {
                let (text, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                nodes.extend(text.chars().map(|ch| Node::One(Set::Char(ch))));
                if !text.is_empty() {
                    atom = Some(Atom::at(nodes.len() - 1));
                }
                rest = after;
            } else if let Some((assertion, after)) = parse_assertion(rest) {
                atom = Some(Atom::at(nodes.len()));
                nodes.push(Node::At(assertion));
                rest = after;
            } else if ch == '|' {
                atom = None;
                chains.push(Chain::new(std::mem::take(&mut nodes)));
                rest = &rest[1..];
            } else {
                atom = Some(Atom::at(nodes.len()));
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
    let allowed = least <= MOST_TIMES && most.is_none_or(|most| most <= MOST_TIMES && least <= most);
    Some((allowed.then_some((least, most)), after))
}

/// Applies a repetition to what was read last: nothing where Go refuses it, where the chain would get too long, and for one
/// without an end of something that is a repetition of several nodes already, which no chain can say.
fn repeat(nodes: &mut Vec<Node>, atom: Atom, (least, most): (usize, Option<usize>)) -> Option<Atom> {
    let times = atom.times * most.unwrap_or(least);
    if (least >= 2 || most.is_some_and(|most| most >= 2)) && times > MOST_TIMES {
        return None;
    }
    let repeated = Atom { times, ..atom };
    let body = nodes.split_off(atom.start);
    if most == Some(0) {
        return Some(repeated);
    }
    if atom.idempotent || matches!(body.as_slice(), [Node::Many(_)] | []) {
        nodes.extend(body);
        return Some(repeated);
    }
    let copies = most.unwrap_or(least + 1);
    if copies * (body.len() + 1) > MOST_NODES {
        return None;
    }
    for _ in 0..least {
        nodes.extend_from_slice(&body);
    }
    match (most, body.as_slice()) {
        (Some(most), _) => {
            for _ in least..most {
                nodes.push(Node::Optional(body.len()));
                nodes.extend_from_slice(&body);
            }
        }
        (None, [Node::One(set)]) => nodes.push(Node::Many(set.clone())),
        // To require an empty place any number of times says no more than what was pushed above.
        (None, [Node::At(_)]) => {}
        (None, _) => return None,
    }
    Some(repeated)
}

/// An assertion at the start of `rest`, and what follows it.
fn parse_assertion(rest: &str) -> Option<(Assertion, &str)> {
    let assertions = [
        ("^", Assertion::Start),
        ("$", Assertion::End),
        ("\\A", Assertion::Start),
        ("\\z", Assertion::End),
        ("\\b", Assertion::WordEdge),
        ("\\B", Assertion::NoWordEdge),
    ];
    assertions.into_iter().find_map(|(text, assertion)| Some((assertion, rest.strip_prefix(text)?)))
}
