//! One compiled pattern of an ignore file, with moby/patternmatcher's meaning.
//!
//! moby turns a pattern into the text of a Go regular expression and lets Go's `regexp` give it its meaning, so that `\d` is a
//! digit, `[[:upper:]]` works and `[a*]` is something nobody expects. The same text is built here and read by
//! [`super::expression`]. The common shapes (a plain path, `dir/**`, `**/name`) never get that far.

use super::expression::Expression;

/// How a pattern is matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matcher {
    /// The path is this text.
    Exact(String),
    /// The path starts with this text (a trailing `**` and nothing else special).
    Prefix(String),
    /// The path ends with this text, or is it without its leading slash (a leading `**` and nothing else special).
    Suffix(String),
    /// Anything else.
    Expression(Box<Expression>),
    /// Accepted by the syntax check, refused by Go's `regexp`: an error as soon as a path is held against it.
    Broken,
}

impl Matcher {
    /// Compiles a cleaned pattern, without its `!`.
    pub(super) fn new(pattern: &str) -> Self {
        #[derive(PartialEq)]
        enum Shape {
            Exact,
            Prefix,
            Suffix,
            Expression,
        }
        let mut source = String::from("^");
        let mut shape = Shape::Exact;
        let mut chars = pattern.chars().peekable();
        // Go's text/scanner swallows a byte order mark at the start.
        chars.next_if_eq(&'\u{feff}');
        let mut first = true;
        while let Some(ch) = chars.next() {
            match ch {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_some() {
                        source.push_str("(.*/)?");
                        shape = Shape::Expression;
                    } else if shape == Shape::Exact {
                        shape = Shape::Prefix;
                    } else {
                        source.push_str(".*");
                        shape = Shape::Expression;
                    }
                    if first {
                        shape = Shape::Suffix;
                    }
                }
                '*' => {
                    source.push_str("[^/]*");
                    shape = Shape::Expression;
                }
                '?' => {
                    source.push_str("[^/]");
                    shape = Shape::Expression;
                }
                // moby means to escape `|`, `{` and `}` too; its table has no room for them, so they keep Go's meaning.
                '.' | '+' | '(' | ')' | '$' => source.extend(['\\', ch]),
                '\\' => {
                    source.push('\\');
                    if let Some(escaped) = chars.next() {
                        source.push(escaped);
                        shape = Shape::Expression;
                    }
                }
                '[' | ']' => {
                    source.push(ch);
                    shape = Shape::Expression;
                }
                _ => source.push(ch),
            }
            first = false;
        }
        match shape {
            Shape::Exact => Self::Exact(pattern.to_owned()),
            Shape::Prefix => Self::Prefix(pattern[..pattern.len() - 2].to_owned()),
            Shape::Suffix => match pattern.strip_prefix("**") {
                Some(suffix) => Self::Suffix(suffix.to_owned()),
                // A byte order mark in front: moby cuts it in half and finds nothing that ends so.
                None => Self::Expression(Box::new(Expression::nothing())),
            },
            Shape::Expression => {
                source.push('$');
                Expression::parse(&source).map_or(Self::Broken, |parsed| Self::Expression(Box::new(parsed)))
            }
        }
    }

    /// Whether the whole path matches; nothing when the pattern is broken.
    pub(super) fn matches(&self, path: &str) -> Option<bool> {
        Some(match self {
            Self::Exact(text) => path == text,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/').is_some_and(|name| name == path)
            }
            Self::Expression(expression) => expression.matches(path),
            Self::Broken => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_shapes_need_no_expression() {
        assert_eq!(Matcher::new("a/b.c"), Matcher::Exact("a/b.c".into()));
        assert_eq!(Matcher::new("a/**"), Matcher::Prefix("a/".into()));
        assert_eq!(Matcher::new("**"), Matcher::Suffix(String::new()));
        assert_eq!(Matcher::new("**/a.b"), Matcher::Suffix("/a.b".into()));
        assert!(matches!(Matcher::new("*.log"), Matcher::Expression(_)));
    }

    #[test]
    fn cost_is_bounded() {
        // Exponential for a matcher that goes back, and too long for one machine word.
        let pattern = "**/*a*a*a*a*a*a*a*a".repeat(20);
        let path = "a".repeat(4000);
        assert_eq!(Matcher::new(&pattern).matches(&path), Some(true));
        assert_eq!(Matcher::new(&format!("{pattern}*b")).matches(&path), Some(false));
    }
}
