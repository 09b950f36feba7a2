//! An error and what is behind it: the one walk along [`Error::source`].
//!
//! It stands here, at the bottom, because those who speak to daemons and registries read the chains of foreign errors, and the
//! printer of a run's errors is above them. What is read is as hostile as its sources: where it becomes a part of a message
//! of ours, it passes [`super::text`].

use std::error::Error;

/// The most errors of one chain that are looked at. Nobody's chain is that long, unless it is a ring.
const MOST: usize = 64;

/// The most that is told of a chain, in characters: a build step's message may be a few thousand.
const LONGEST: usize = 16 * 1024;

/// The error itself, then what caused it, then what caused that, down to the bottom.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + use<'a> {
    std::iter::successors(Some(error), |error| (*error).source()).take(MOST)
}

/// The error and its causes in one text, outermost first: `pushing: connecting: connection refused`.
///
/// Nothing is said twice: a cause that stands in what is already said is left out, and one that begins with the message
/// before it (some libraries repeat that, and go on) takes its place. No longer than some 16,000 characters, with `…` where it
/// was cut.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    // Where the last message begins.
    let mut last = 0;
    for cause in causes(error) {
        let message = cause.to_string();
        if says(&text, &message) {
            continue;
        }
        if begins_with(&message, &text[last..]) {
            text.truncate(last);
        } else {
            text.push_str(": ");
            last = text.len();
        }
        text.push_str(&message);
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
            text.push('…');
            break;
        }
    }
    text
}

/// Whether these words stand in the text, as words of their own: `of` does not stand in `offset`.
fn says(text: &str, words: &str) -> bool {
    let stands = |(at, found): (usize, &str)| is_edge(text, at) && is_edge(text, at + found.len());
    words.trim().is_empty() || text.match_indices(words).any(stands)
}

fn begins_with(text: &str, words: &str) -> bool {
    text.starts_with(words) && is_edge(text, words.len())
}

/// Whether no word goes on across this place.
fn is_edge(text: &str, at: usize) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !(is_word(text[..at].chars().next_back()) && is_word(text[at..].chars().next()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Says(String, Option<Box<Says>>);

    impl std::fmt::Display for Says {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for Says {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    fn nested(messages: &[&str]) -> Says {
        let (message, rest) = messages.split_first().unwrap();
        let cause = (!rest.is_empty()).then(|| Box::new(nested(rest)));
        Says((*message).to_owned(), cause)
    }

    #[test]
    fn nothing_is_said_twice() {
        for (messages, expected) in [
            (&["pushing", "connecting", "refused"][..], "pushing: connecting: refused"),
            (&["alone"], "alone"),
            (&["client error: refused", "refused"], "client error: refused"),
            (&["no answer (refused) from r.io", "refused"], "no answer (refused) from r.io"),
            (&["a", "b", "a"], "a: b"),
            (&["doing", "transport error", "transport error: refused"], "doing: transport error: refused"),
            (&["an offset", "of"], "an offset: of"),
            (&["read", "reads nothing"], "read: reads nothing"),
            (&["", "bare", "", " "], "bare"),
            (&["Übel", "bel"], "Übel: bel"),
        ] {
            assert_eq!(chain(&nested(messages)), expected, "{messages:?}");
        }
    }

    #[test]
    fn a_ring_of_errors_has_an_end() {
        #[derive(Debug)]
        struct Ring;
        impl std::fmt::Display for Ring {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("round")
            }
        }
        impl Error for Ring {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(chain(&Ring), "round");
        assert_eq!(causes(&Ring).count(), MOST);
    }

    #[test]
    fn the_bottom_is_reached() {
        let error = nested(&["a", "b", "c"]);
        assert_eq!(causes(&error).last().unwrap().to_string(), "c");
    }

    proptest! {
        #[test]
        fn a_chain_is_bounded_and_begins_with_the_error(
            messages in prop::collection::vec("[ab: é]{0,6}|[x]{9000}", 1..6),
        ) {
            let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
            let text = chain(&nested(&messages));
            prop_assert!(text.chars().count() <= LONGEST + 1);
            prop_assert!(messages[0].trim().is_empty() || text.starts_with(messages[0]) || text.ends_with('…'));
        }
    }
}
