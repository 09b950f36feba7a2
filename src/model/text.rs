//! Text that others wrote, made fit to stand in a message of ours.
//!
//! A branch name, a file's name, a registry's answer, a daemon's error: each could steer a terminal, hide, or show its reader
//! something else than is there. Whoever makes a part of a message of it takes one of these policies, by what it is:
//!
//! | policy | for | line ends | what cannot be seen | at most |
//! |---|---|---|---|---|
//! | [`name`] | a value in a message, of which enough is told to recognise it | written out | written out | 255 characters |
//! | [`value`] | one that a reader needs whole: a path, a label | written out | written out | 4,096 characters |
//! | [`line`] | what another program says, in a sentence of ours | a space | left out | 500 characters |
//! | [`lines`] | the same where its lines tell something | stay | left out | 8,192 characters |
//!
//! All of them promise: no control characters (but the line ends and tabs of [`lines`]), nothing that [`is_invisible`] but what
//! emoji are joined by, a bounded length with `…` where text was cut, and the same again from what they returned. Text without
//! such characters stays as it is, whatever its script. None of them knows the runner's commands or Markdown: what is shown
//! passes `runner::untrusted` or `runner::markdown` too.

/// The most of a [`name`], in characters: the longest name of a repository, longer than any tag, digest or part of a path.
const NAME: usize = 255;

/// The most of a [`value`], in characters: the longest path that Linux takes.
const VALUE: usize = 4096;

/// The most of a [`line`], in characters.
const LINE: usize = 500;

/// The most of [`lines`], in characters: compilers say much.
const LINES: usize = 8 * 1024;

/// Enough of a value to recognise it, as it stands between backticks: what cannot be seen is written as in Rust, `\n` or
/// `\u{202e}`, so that the reader sees why it was not taken.
pub fn name(text: &str) -> String {
    written_out(text, NAME)
}

/// A value of which every character may count, such as a path; what cannot be seen is written out as in a [`name`].
pub fn value(text: &str) -> String {
    written_out(text, VALUE)
}

/// What another program says, on one line: white space and control characters become one space between words.
pub fn line(text: &str) -> String {
    let mut out = Bounded::new(LINE);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    for word in words.map(|word| seen(word.chars())).filter(|word| !word.is_empty()) {
        let room = out.text.is_empty() || out.push(' ');
        if !room || !word.chars().all(|c| out.push(c)) {
            break;
        }
    }
    out.text
}

/// What another program says on several lines, which end as the runner reads them (`\n`, `\r\n`, `\r`) and keep their
/// indentation; other control characters become a space. No line ends in white space, and none before or after the text is
/// blank.
pub fn lines(text: &str) -> String {
    let mut out = Bounded::new(LINES);
    let text = text.replace("\r\n", "\n");
    // Line ends that wait for something to stand behind them.
    let mut ends = 0;
    'lines: for line in text.split(['\n', '\r']) {
        let line = seen(line.chars().map(|c| if is_blank(c) { ' ' } else { c }));
        let line = line.trim_end();
        if !line.is_empty() {
            for _ in 0..if out.text.is_empty() { 0 } else { ends } {
                if !out.push('\n') {
                    break 'lines;
                }
            }
            ends = 0;
            if !line.chars().all(|c| out.push(c)) {
                break;
            }
        }
        ends += 1;
    }
    out.text
}

/// Whether the character shows nothing, and may change how its neighbours are read: Unicode's format characters (`Cf`, those
/// that turn the direction of text among them) and what it calls `Default_Ignorable_Code_Point`.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d165}'..='\u{1d182}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether the character is one of those that emoji are made with, and stands where they have it: behind a visible character
/// outside ASCII. It cannot be seen, but taking it out would change what is.
pub fn is_joiner(c: char, before: Option<char>) -> bool {
    matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
        && before.is_some_and(|before| !before.is_ascii() && !before.is_whitespace() && !before.is_control())
}

/// Steers a terminal, or ends a line in some reader's eyes.
fn is_blank(c: char) -> bool {
    c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// What can be seen of a text.
fn seen(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        if !is_invisible(c) || is_joiner(c, out.chars().next_back()) {
            out.push(c);
        }
    }
    out
}

fn written_out(text: &str, most: usize) -> String {
    let mut out = Bounded::new(most);
    for c in text.chars() {
        let plain = c != '\t' && !is_blank(c) && !is_invisible(c);
        let room =
            if plain || is_joiner(c, out.last()) { out.push(c) } else { out.push_whole(c.escape_default()) };
        if !room {
            break;
        }
    }
    out.text
}

/// A text that grows up to so many characters, and then ends in `…`.
struct Bounded {
    text: String,
    /// How many may still come.
    left: usize,
}

impl Bounded {
    fn new(most: usize) -> Self {
        Self { text: String::new(), left: most }
    }

    fn last(&self) -> Option<char> {
        self.text.chars().next_back()
    }

    /// The character, if there is room.
    fn push(&mut self, c: char) -> bool {
        self.push_whole(std::iter::once(c))
    }

    /// All of these characters, or none of them.
    fn push_whole(&mut self, all: impl ExactSizeIterator<Item = char>) -> bool {
        let Some(left) = self.left.checked_sub(all.len()) else {
            let length = self.text.trim_end().len();
            self.text.truncate(length);
            self.text.push('…');
            return false;
        };
        self.left = left;
        self.text.extend(all);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_policy_has_its_way() {
        for (text, name_of_it, line_of_it, lines_of_it) in [
            ("main", "main", "main", "main"),
            ("größe 日本 العربية", "größe 日本 العربية", "größe 日本 العربية", "größe 日本 العربية"),
            ("a\nb", "a\\nb", "a b", "a\nb"),
            ("a\r\n\n  b\t\n", "a\\r\\n\\n  b\\t\\n", "a b", "a\n\n  b"),
            ("\n\n a\rb", "\\n\\n a\\rb", "a b", " a\nb"),
            ("x\u{1b}[2Jy", "x\\u{1b}[2Jy", "x [2Jy", "x [2Jy"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}", "ab", "ab"),
            ("a\u{2028}b\u{85}c", "a\\u{2028}b\\u{85}c", "a b c", "a b c"),
            ("a \u{200b} b", "a \\u{200b} b", "a b", "a  b"),
            (
                "👩\u{200d}💻 ⚠\u{fe0f}",
                "👩\u{200d}💻 ⚠\u{fe0f}",
                "👩\u{200d}💻 ⚠\u{fe0f}",
                "👩\u{200d}💻 ⚠\u{fe0f}",
            ),
            ("a\u{200d}b", "a\\u{200d}b", "ab", "ab"),
            ("", "", "", ""),
            (" ", " ", "", ""),
        ] {
            assert_eq!(
                (name(text).as_str(), value(text).as_str(), line(text).as_str(), lines(text).as_str()),
                (name_of_it, name_of_it, line_of_it, lines_of_it),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_long_is_cut_where_it_can_be_seen() {
        let ends = |text: String, most: usize| {
            assert_eq!((text.chars().count(), text.chars().next_back()), (most + 1, Some('…')), "{text}");
        };
        let long = "é".repeat(10_000);
        ends(name(&long), NAME);
        ends(value(&long), VALUE);
        ends(line(&long), LINE);
        ends(lines(&long), LINES);
        assert_eq!(name(&"é".repeat(NAME)), "é".repeat(NAME));
        assert_eq!(name(&format!("{}\u{1b}", "a".repeat(NAME - 1))), format!("{}…", "a".repeat(NAME - 1)));
        assert!(line(&"a ".repeat(1000)).ends_with(" a…"), "no space before the mark");
    }

    /// Any text, with more than its share of what must not come through.
    fn hostile() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            "\n",
            "\r\n",
            "\r",
            "\t",
            " ",
            "\u{1b}[31m",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{9b}",
            "\u{2028}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{200d}",
            "\u{fe0f}",
            "\u{feff}",
            "\u{ad}",
            "👩",
            "é",
            "…",
            "word",
            "::",
            "\\",
        ]);
        let odd = prop::collection::vec(odd, 0..30).prop_map(|parts| parts.concat());
        prop_oneof![any::<String>(), odd.clone(), odd.prop_map(|text| text.repeat(100))]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn nothing_that_steers_or_hides_comes_through(text in hostile()) {
            for (policy, kept, most) in [
                (name as fn(&str) -> String, "", NAME),
                (value, "", VALUE),
                (line, "", LINE),
                (lines, "\n\t", LINES),
            ] {
                let shown = policy(&text);
                let mut before = None;
                for c in shown.chars() {
                    let control = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
                    prop_assert!(!control || kept.contains(c), "{:?}", shown);
                    prop_assert!(!is_invisible(c) || is_joiner(c, before), "{:?}", shown);
                    before = Some(c);
                }
                prop_assert!(shown.chars().count() <= most + 1);
                prop_assert_eq!(policy(&shown), shown.clone(), "the same again");
            }
        }

        #[test]
        fn plain_text_stays_as_it_is(words in prop::collection::vec("[a-zA-Z0-9é日:/`*#.-]{1,12}", 1..10)) {
            let text = words.join(" ");
            for policy in [name as fn(&str) -> String, value, line, lines] {
                prop_assert_eq!(policy(&text), text.clone());
            }
            let paragraphs = words.join("\n\n\t");
            prop_assert_eq!(lines(&paragraphs), paragraphs);
        }
    }
}
