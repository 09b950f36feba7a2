//! Reads an expression: alternatives, repetitions, assertions, quoted text.

use super::class::parse_set;
use super::{Chain, Expression, Node, Place, Set};

/// Repetitions could otherwise turn a short pattern into a long chain.
const MOST_NODES: usize = 16 * 1024;

impl Expression {
    /// Reads the subset of Go's syntax that [`crate::context::pattern`] writes; nothing when Go would refuse it.
    pub(in crate::context) fn parse(source: &str) -> Option<Self> {
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
