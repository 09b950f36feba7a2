//! What is wrong with the text of rules, and what else is worth saying about it.

use std::fmt;

use crate::model::text;

/// Which input a text is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Input {
    /// `tags`.
    Tags,
    /// `flavor`.
    Flavor,
    /// `labels`.
    Labels,
    /// `annotations`.
    Annotations,
    /// `platform_tags`.
    PlatformTags,
}

/// A place in the text of an input. Lines and columns count from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The input.
    pub input: Input,
    /// Its line.
    pub line: usize,
    /// The character in that line.
    pub column: usize,
}

/// One thing that is wrong with one line. Free of control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong, with what would be accepted.
    pub message: String,
    /// What to write instead, if that can be said.
    pub hint: Option<String>,
}

/// Something to tell about a line that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// The sentence. Free of control characters.
    pub message: String,
}

impl Input {
    /// The input's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Flavor => "flavor",
            Self::Labels => "labels",
            Self::Annotations => "annotations",
            Self::PlatformTags => "platform_tags",
        }
    }
}

impl Place {
    /// The place so many characters further on in the same line.
    pub(crate) fn after(self, characters: usize) -> Self {
        Self { column: self.column + characters, ..self }
    }

    pub(crate) fn fault(self, message: impl AsRef<str>) -> Fault {
        Fault { place: self, message: text::value(message.as_ref()), hint: None }
    }

    pub(crate) fn notice(self, message: impl AsRef<str>) -> Notice {
        Notice { place: self, message: text::value(message.as_ref()) }
    }
}

impl Fault {
    /// Says what to write instead.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(text::value(hint.as_ref()));
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}, column {}", self.input.name(), self.line, self.column)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Enough of a text to recognise it, in backticks.
pub(crate) fn shown(text: &str) -> String {
    format!("`{}`", shortened(text, 80))
}

/// The first of a text's characters, as many as this, and `…` where there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let more = if text.chars().nth(most).is_some() { "…" } else { "" };
    let kept: String = text.chars().take(most).collect();
    format!("{}{more}", text::name(&kept))
}

/// Names for a sentence: `a`, `b`, `c`.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The name that was probably meant: at most two letters inserted, dropped, replaced or swapped, one in a short name.
pub(crate) fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = if name.len() < 4 { 1 } else { 2 };
    let distances = known.iter().map(|candidate| (distance(name, candidate), *candidate));
    distances
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// The edit distance of two names, of which only the first thirty-two characters count.
fn distance(left: &str, right: &str) -> usize {
    let chars = |text: &str| text.chars().take(32).collect::<Vec<char>>();
    let (left, right) = (chars(left), chars(right));
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, r) in right.iter().enumerate() {
            let replaced = row[j] + usize::from(l != r);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *l == right[j - 1] && left[i - 1] == *r {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_was_meant() {
        let known = ["enable", "pattern", "priority", "value", "sha", "semver"];
        for (name, expected) in [
            ("enabled", Some("enable")),
            ("patern", Some("pattern")),
            ("pattren", Some("pattern")),
            ("values", Some("value")),
            ("sah", Some("sha")),
            ("sever", Some("semver")),
            ("x", None),
            ("onlatest", None),
            ("", None),
        ] {
            assert_eq!(meant(name, &known), expected, "{name}");
        }
        assert_eq!(meant(&"e".repeat(100_000), &known), None);
    }

    #[test]
    fn what_others_wrote_is_shortened_and_plain() {
        assert_eq!(shown("a\u{1b}[31m\n"), "`a\\u{1b}[31m\\n`");
        assert_eq!(shown(&"a".repeat(81)), format!("`{}…`", "a".repeat(80)));
        let place = Place { input: Input::Tags, line: 2, column: 3 };
        assert_eq!(place.fault("wrong").hint("right").to_string(), "`tags`, line 2, column 3: wrong (right)");
    }
}
