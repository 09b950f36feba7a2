//! Which paths of a context a list of patterns covers: `.dockerignore` as `docker build` understands it.
//!
//! The meaning is moby/patternmatcher's, bit for bit (`tests/fixtures/dockerignore` holds what the Go library itself answered):
//! patterns are tried in order, `!` takes back, a match of a parent directory is handed down, `**` spans directories. BuildKit's
//! frontend reads the ignore file and sends the patterns; [`parse_dockerignore`] does the same for those who need it before.

use super::pattern::Matcher;
use super::{glob, slash_path};
use crate::model::text;

/// Why a list of patterns cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A `!` that takes nothing back.
    #[error("pattern `!` excludes nothing: write what to keep after it")]
    LoneExclamation,
    /// Unbalanced brackets, a dangling backslash, a reversed range.
    #[error("pattern `{}` is malformed: check its brackets and backslashes", text::value(.0))]
    Malformed(String),
}

/// One pattern of a list.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    negated: bool,
    matcher: Matcher,
}

impl Pattern {
    /// The pattern's cleaned text, without its `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the pattern takes back what earlier ones covered.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    fn matches(&self, path: &str) -> Result<bool, PatternError> {
        self.matcher.matches(path).ok_or_else(|| PatternError::Malformed(self.text.clone()))
    }

    /// The pattern's text up to a trailing `/*` or `/**`, and whether wildcards are left in it.
    pub(super) fn fixed_part(&self) -> (&str, bool) {
        let text = self.text.strip_suffix("/**").unwrap_or(&self.text);
        let text = text.strip_suffix("/*").unwrap_or(text);
        (text, text.contains(['*', '[', ']', '?', '^', '\\']))
    }
}

/// What was found out about a directory, for its children.
///
/// One bit per pattern: whether it matched the directory or one above. Empty for the top of the context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited(Vec<bool>);

/// An ordered list of patterns.
#[derive(Debug, Clone, Default)]
pub struct PatternList {
    patterns: Vec<Pattern>,
    any_negated: bool,
}

impl PatternList {
    /// Makes a list of patterns, which are trimmed, cleaned and compiled; empty ones are dropped.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, PatternError> {
        let mut list = Self::default();
        for given in patterns {
            let given = given.as_ref().trim();
            if given.is_empty() {
                continue;
            }
            let cleaned = slash_path::clean(given);
            let (negated, text) = match cleaned.strip_prefix('!') {
                Some("") => return Err(PatternError::LoneExclamation),
                Some(text) => (true, text),
                None => (false, cleaned.as_str()),
            };
            if glob::matches(text, ".").is_err() {
                return Err(PatternError::Malformed(given.to_owned()));
            }
            list.any_negated |= negated;
            list.patterns.push(Pattern { text: text.to_owned(), negated, matcher: Matcher::new(text) });
        }
        Ok(list)
    }

    /// Whether there is no pattern in the list.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether one of the patterns takes something back.
    pub fn has_negated(&self) -> bool {
        self.any_negated
    }

    /// The patterns in order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether the path itself or through a parent directory is covered. For single look-ups; a walk uses [`Self::matches_below`].
    pub fn matches(&self, path: &str) -> Result<bool, PatternError> {
        self.matches_below(path, &Inherited::default(), &mut Inherited::default())
    }

    /// Whether a path is covered, given what its directory found out; `found` receives the same for the path's own children.
    ///
    /// With an empty `inherited` the path's parents are tried too.
    pub fn matches_below(
        &self,
        path: &str,
        inherited: &Inherited,
        found: &mut Inherited,
    ) -> Result<bool, PatternError> {
        found.0.clear();
        found.0.resize(self.patterns.len(), false);
        let known = inherited.0.as_slice();
        let mut covered = false;
        for (at, pattern) in self.patterns.iter().enumerate() {
            let mut hit = known.get(at).copied().unwrap_or(false);
            if !hit {
                // A pattern that could not change the answer is not tried, and its children will not inherit it.
                if pattern.negated != covered {
                    continue;
                }
                hit = pattern.matches(path)?;
                if !hit && known.is_empty() {
                    hit = parents(path).any(|parent| pattern.matches(parent) == Ok(true));
                }
            }
            found.0[at] = hit;
            if hit {
                covered = !pattern.negated;
            }
        }
        Ok(covered)
    }
}

/// The directories above a relative path, topmost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// The patterns of an ignore file: comments (`#` in the first column) and blank lines dropped, a byte order mark and leading
/// slashes removed, paths cleaned. Nothing is compiled.
pub fn parse_dockerignore(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut patterns = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (mark, pattern) = match line.strip_prefix('!') {
            Some(pattern) => ("!", pattern.trim()),
            None => ("", line),
        };
        if pattern.is_empty() {
            patterns.push(mark.to_owned());
            continue;
        }
        let cleaned = slash_path::clean(pattern);
        let relative = match cleaned.strip_prefix('/') {
            Some(relative) if !relative.is_empty() => relative,
            _ => &cleaned,
        };
        patterns.push(format!("{mark}{relative}"));
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        #[serde(rename = "k")]
        kind: String,
        #[serde(rename = "t", default)]
        text: String,
        #[serde(rename = "p")]
        patterns: Vec<String>,
        #[serde(default)]
        bad: bool,
        #[serde(rename = "q", default)]
        paths: Vec<String>,
        #[serde(rename = "w", default)]
        walked: String,
        #[serde(rename = "n", default)]
        no_parent: String,
    }

    fn mark<E>(answer: Result<bool, E>) -> char {
        answer.map_or('e', |hit| if hit { '1' } else { '0' })
    }

    fn walked(list: &PatternList, path: &str) -> Result<bool, PatternError> {
        let (mut inherited, mut found) = (Inherited::default(), Inherited::default());
        for parent in parents(path) {
            list.matches_below(parent, &inherited, &mut found)?;
            std::mem::swap(&mut inherited, &mut found);
        }
        list.matches_below(path, &inherited, &mut found)
    }

    /// What the Go libraries answered to thousands of generated questions (see the generator beside the file).
    #[test]
    fn agrees_with_moby() {
        let mut counts = std::collections::HashMap::new();
        for line in include_str!("../../tests/fixtures/dockerignore/cases.jsonl").lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            *counts.entry(case.kind.clone()).or_insert(0) += 1;
            match case.kind.as_str() {
                "file" => assert_eq!(parse_dockerignore(&case.text), case.patterns, "{line}"),
                "glob" => {
                    let ours: String =
                        case.paths.iter().map(|name| mark(glob::matches(&case.patterns[0], name))).collect();
                    assert_eq!(ours, case.walked, "{line}");
                }
                _ => match PatternList::new(&case.patterns) {
                    Err(_) => assert!(case.bad, "{line}"),
                    Ok(list) => {
                        assert!(!case.bad, "{line}");
                        let ours: String = case.paths.iter().map(|path| mark(walked(&list, path))).collect();
                        assert_eq!(ours, case.walked, "walked {line}");
                        let ours: String = case.paths.iter().map(|path| mark(list.matches(path))).collect();
                        assert_eq!(ours, case.no_parent, "without context {line}");
                    }
                },
            }
        }
        assert!(counts["list"] > 3000 && counts["file"] >= 400 && counts["glob"] >= 800);
    }

    #[test]
    fn no_line_panics_the_matcher_at_any_length() {
        // The jump over `**/` led past the end of the chain, and at a multiple of 64 out of the set of positions.
        for length in (0..=200).chain([4000]) {
            let path = "a".repeat(length);
            for line in
                [format!("{path}**/\\Q\\E{{0}}|x"), format!("**/\\Q\\E{{0}}|{path}"), format!("**/{path}?")]
            {
                let list = PatternList::new(&parse_dockerignore(&line)).unwrap();
                list.matches(&path).unwrap();
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_file_can_be_read_and_used(text in r"[!#a\*?\[\]\\^|{}0-9,/.\-QE \n\r\t\ufeffé]{0,160}", path in "[ab/é0.]{0,140}") {
            for line in parse_dockerignore(&text) {
                if let Ok(list) = PatternList::new(&[line]) {
                    let _ = list.matches(&path);
                    list.patterns()[0].fixed_part();
                }
            }
            let _ = PatternList::new(&parse_dockerignore(&text)).map(|list| list.matches(&path));
        }
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(PatternList::new(&["a", "!"]).unwrap_err(), PatternError::LoneExclamation);
        assert_eq!(PatternList::new(&["a[b"]).unwrap_err(), PatternError::Malformed("a[b".into()));
        // Accepted when read, refused when used: as in Go, and by both entry points.
        let list = PatternList::new(&["x*[b-a]"]).unwrap();
        assert_eq!(list.matches("x"), Err(PatternError::Malformed("x*[b-a]".into())));
    }
}
