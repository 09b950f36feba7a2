//! Workflow commands as values and as the lines that the runner reads: what it owns is the escaping.
//!
//! Obeys actions/runner `ActionCommand.cs` and `ActionCommandManager.cs`. Only commands that this action
//! needs exist here; `set-output`, `save-state` and the like go through files (`runner::files`).

use std::fmt::{self, Write as _};

use super::untrusted;
use crate::model::sort_by_key;

/// Longest message of an annotation that GitHub keeps, in UTF-16 units.
pub const MAX_MESSAGE: usize = 4096;

/// Shortest text that is masked, in characters: masking `{` or `no` would make the log unreadable.
pub const MIN_MASK: usize = 4;

/// How grave an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `error`
    Error,
    /// `warning`
    Warning,
    /// `notice`
    Notice,
}

impl Level {
    /// The command's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A message that GitHub shows beside the code and on the run's page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// How grave.
    pub level: Level,
    /// Any text; made safe and cut when rendered.
    pub message: String,
    /// A short heading instead of the step's name.
    pub title: Option<String>,
    /// Path relative to the workspace.
    pub file: Option<String>,
    /// First and last line, from 1; equal for one line. Ignored without `file`.
    pub lines: Option<(u32, u32)>,
}

impl Annotation {
    /// A message without a place.
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self { level, message: message.into(), title: None, file: None, lines: None }
    }

    /// `Dockerfile:3`, when it has a place.
    pub fn place(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(self.lines.map_or_else(|| file.clone(), |(line, _)| format!("{file}:{line}")))
    }
}

/// A line that the runner carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `error`, `warning` or `notice`.
    Annotation(Annotation),
    /// Shown only when the run has step debugging on.
    Debug(String),
    /// Opens a foldable group; groups do not nest.
    Group(String),
    /// Closes it.
    EndGroup,
    /// Hides a text in the log from here on. One line, see [`masks`].
    AddMask(String),
    /// No command is obeyed until [`Command::Resume`] with the same token.
    StopCommands(String),
    /// Ends [`Command::StopCommands`].
    Resume(String),
}

impl fmt::Display for Command {
    /// The line without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(annotation) => write_annotation(f, annotation),
            Self::Debug(text) => write!(f, "::debug::{}", escape_data(&untrusted::plain(text))),
            Self::Group(title) => write!(f, "::group::{}", escape_data(&untrusted::plain(title))),
            Self::EndGroup => f.write_str("::endgroup::"),
            Self::AddMask(value) => write!(f, "::add-mask::{}", escape_data(value)),
            Self::StopCommands(token) => write!(f, "::stop-commands::{}", escape_data(token)),
            Self::Resume(token) => write!(f, "::{token}::"),
        }
    }
}

fn write_annotation(f: &mut fmt::Formatter<'_>, annotation: &Annotation) -> fmt::Result {
    let mut properties = String::new();
    let mut property = |name: &str, value: &str| {
        let separator = if properties.is_empty() { ' ' } else { ',' };
        let _ = write!(properties, "{separator}{name}={}", escape_property(&untrusted::plain(value)));
    };
    if let Some(file) = &annotation.file {
        property("file", file);
        if let Some((first, last)) = annotation.lines.filter(|(first, _)| *first > 0) {
            property("line", &first.to_string());
            if last > first {
                property("endLine", &last.to_string());
            }
        }
    }
    if let Some(title) = &annotation.title {
        property("title", title);
    }
    let message = cut_message(&untrusted::plain_lines(&annotation.message));
    write!(f, "::{}{properties}::{}", annotation.level.as_str(), escape_data(&message))
}

/// What GitHub would cut silently, cut with a mark.
fn cut_message(message: &str) -> String {
    let mut units = 0;
    for (at, c) in message.char_indices() {
        units += c.len_utf16();
        if units > MAX_MESSAGE {
            // One unit for the mark.
            let end = message[..at].char_indices().next_back().map_or(0, |(last, _)| last);
            return format!("{}…", &message[..end]);
        }
    }
    message.to_owned()
}

/// Escapes a command's data: everything behind the second `::`.
pub fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
pub fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The texts to mask for a secret: each of its lines, trimmed, of at least [`MIN_MASK`] characters.
///
/// A secret of several lines is never masked as a whole: the runner would take each of its lines, and the
/// `{` of a JSON key would hide every brace of the log. No line of the log holds more than one of them anyway.
pub fn masks(secret: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in secret.split(['\n', '\r']).map(str::trim) {
        if line.chars().count() >= MIN_MASK && !found.iter().any(|mask| mask == line) {
            found.push(line.to_owned());
        }
    }
    // The longest first: replacing a part of it first would leave the rest readable.
    sort_by_key(&mut found, |mask| std::cmp::Reverse(mask.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_the_runner_expects_them() {
        let annotation = |level, message: &str, title: Option<&str>, file: Option<&str>, lines| {
            Command::Annotation(Annotation {
                level,
                message: message.into(),
                title: title.map(Into::into),
                file: file.map(Into::into),
                lines,
            })
        };
        for (command, expected) in [
            (annotation(Level::Error, "no\n100%", None, None, None), "::error::no%0A100%25"),
            (
                annotation(Level::Warning, "a::b", Some("x: y, z"), Some("a,b:c/Dockerfile"), Some((3, 3))),
                "::warning file=a%2Cb%3Ac/Dockerfile,line=3,title=x%3A y%2C z::a::b",
            ),
            (
                annotation(Level::Notice, "m", None, Some("Dockerfile"), Some((3, 5))),
                "::notice file=Dockerfile,line=3,endLine=5::m",
            ),
            (annotation(Level::Notice, "m", None, None, Some((3, 5))), "::notice::m"),
            (annotation(Level::Error, "m", None, Some("D"), Some((0, 0))), "::error file=D::m"),
            (Command::Debug("a\rb\u{1b}[31mc".into()), "::debug::a bc"),
            (Command::Group("#7 [1/2] RUN a%b\n::x::".into()), "::group::#7 [1/2] RUN a%25b ::x::"),
            (Command::EndGroup, "::endgroup::"),
            (Command::AddMask("50%".into()), "::add-mask::50%25"),
            (Command::StopCommands("abc".into()), "::stop-commands::abc"),
            (Command::Resume("abc".into()), "::abc::"),
        ] {
            assert_eq!(command.to_string(), expected);
        }
    }

    #[test]
    fn messages_are_cut_where_github_cuts_them() {
        let shown = |length: usize| {
            let line = Command::Annotation(Annotation::new(Level::Error, "é".repeat(length))).to_string();
            line["::error::".len()..].encode_utf16().count()
        };
        assert_eq!(shown(MAX_MESSAGE), MAX_MESSAGE);
        assert_eq!(shown(MAX_MESSAGE + 1), MAX_MESSAGE);
        let line = Command::Annotation(Annotation::new(Level::Error, "𝄞".repeat(3000))).to_string();
        assert!(line.ends_with('…') && line["::error::".len()..].encode_utf16().count() <= MAX_MESSAGE);
    }

    #[test]
    fn masks_of_secrets() {
        for (secret, expected) in [
            ("hunter2", vec!["hunter2"]),
            ("  padded \n", vec!["padded"]),
            ("abc", vec![]),
            ("", vec![]),
            ("{\n  \"key\": \"value\"\n}\n", vec!["\"key\": \"value\""]),
            ("-----BEGIN-----\r\nMIIEow\r\nMIIEow\r\n", vec!["-----BEGIN-----", "MIIEow"]),
        ] {
            assert_eq!(masks(secret), expected, "{secret:?}");
        }
    }
}
