//! The grammar of single inputs, as the Actions toolkit has it.
//!
//! A line may end in CRLF, blanks around an entry do not count, lines that start with `#` are comments.
//! Values are shown in faults, shortened and on one line; those of build arguments never, they may be secrets.

use super::fault::{InputFault, Notice, shown};
use crate::model::{ImageName, Platform, Retries};

/// What is built for when `platform` says nothing.
const DEFAULT_PLATFORMS: &str = "linux/arm64,linux/amd64";

/// The entries of a list, each with the number of its line, from 1. Empty lines and comments are none.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.split('\n').map(str::trim).enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Reads a text that has to be one line without control characters; nothing if it is empty.
pub(super) fn line(input: &str, text: &str) -> Result<Option<String>, InputFault> {
    let text = text.trim();
    if text.contains(char::is_control) {
        let message = format!("`{}` has more than one line, or a control character", shown(text));
        return Err(InputFault::new(input, message));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// Reads a reference to an image that is not ours.
pub(super) fn image(input: &str, text: &str) -> Result<ImageName, InputFault> {
    ImageName::parse(text).map_err(|why| {
        InputFault::new(input, format!("`{}` is not a reference to an image: {why}", shown(text)))
            .hint("for example `alpine:3.22` or `ghcr.io/acme/api@sha256:…`")
    })
}

/// Reads a boolean as `@actions/core` takes it: no other spelling counts. Empty means the default.
pub(super) fn boolean(input: &str, text: &str, default: bool) -> Result<bool, InputFault> {
    match text.trim() {
        "" => Ok(default),
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        other => {
            let message = format!("`{}` is not a boolean", shown(other));
            Err(InputFault::new(input, message).hint("write `true` or `false`"))
        }
    }
}

/// The value of the word that the text is, of several; that of the first, if it is empty.
pub(super) fn one_of<T: Copy>(input: &str, text: &str, words: &[(&str, T)]) -> Result<T, InputFault> {
    let text = text.trim();
    let found =
        words.iter().find(|(word, _)| *word == text).or_else(|| words.first().filter(|_| text.is_empty()));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        InputFault::new(input, format!("`{}` is not understood", shown(text)))
            .hint(format!("write one of {}", all.join(", ")))
    })
}

/// Reads platforms, separated by lines and commas: each once, in the order given; the default ones if none is given.
pub(super) fn platforms(text: &str) -> Result<Vec<Platform>, Vec<InputFault>> {
    let text = if text.trim().is_empty() { DEFAULT_PLATFORMS } else { text };
    let platforms = platforms_of("platform", text)?;
    if platforms.is_empty() {
        let fault = InputFault::new("platform", "no platform is named").hint("for example `linux/amd64`");
        return Err(vec![fault]);
    }
    Ok(platforms)
}

/// Reads the platforms of an input that may name none: each once, in the order given.
pub(super) fn platforms_of(input: &str, text: &str) -> Result<Vec<Platform>, Vec<InputFault>> {
    let names =
        entries(text).flat_map(|(_, line)| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let (mut platforms, mut faults) = (Vec::new(), Vec::new());
    for name in names {
        match Platform::parse(name) {
            Ok(platform) if platforms.contains(&platform) => {}
            Ok(platform) => platforms.push(platform),
            Err(error) => faults.push(InputFault::new(input, error.to_string())),
        }
    }
    if faults.is_empty() { Ok(platforms) } else { Err(faults) }
}

/// Reads how many characters of a commit's id its tag has: a whole number from 7 to 64, or 40 if nothing is given.
pub(super) fn sha_length(text: &str) -> Result<usize, InputFault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(40);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|length| digits && (7..=64).contains(length)).ok_or_else(|| {
        InputFault::new("sha_length", format!("`{}` is not a whole number from 7 to 64", shown(text)))
    })
}

/// Reads how often a push is tried again: `auto`, or a number.
pub(super) fn retries(text: &str) -> Result<Retries, InputFault> {
    const MOST: u32 = 100;
    let text = text.trim();
    if matches!(text, "" | "auto") {
        return Ok(Retries::Auto);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let times = text.parse().ok().filter(|times| digits && *times <= MOST);
    times.map(Retries::Times).ok_or_else(|| {
        let message = format!("`{}` is neither `auto` nor a whole number from 0 to {MOST}", shown(text));
        InputFault::new("retries", message)
    })
}

/// What a list of `key=value` lines says, in order. A key that comes again has replaced the earlier line, with a warning.
pub(super) struct Pairs {
    pub entries: Vec<(String, String)>,
    pub notices: Vec<Notice>,
    pub faults: Vec<InputFault>,
}

/// Reads `key=value` lines. `alone` says what a line without `=` is, given its number: a value for the key that it is,
/// nothing, or a fault.
pub(super) fn pairs(
    input: &str,
    text: &str,
    mut alone: impl FnMut(usize, &str) -> Result<Option<String>, InputFault>,
) -> Pairs {
    let mut found = Pairs { entries: Vec::new(), notices: Vec::new(), faults: Vec::new() };
    for (number, entry) in entries(text) {
        let (key, value) = match entry.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => match alone(number, entry) {
                Ok(Some(value)) => (entry, value),
                Ok(None) => continue,
                Err(fault) => {
                    found.faults.push(fault);
                    continue;
                }
            },
        };
        let key = key.trim_end();
        if key.is_empty() {
            found.faults.push(InputFault::new(input, format!("line {number} has nothing before its `=`")));
        } else if key.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'')) {
            let message = format!("line {number}: a key has no blanks and no quotes");
            found
                .faults
                .push(InputFault::new(input, message).hint("write `key=value` without quotes around it"));
        } else {
            if let Some(earlier) = found.entries.iter().position(|(name, _)| name == key) {
                found.entries.remove(earlier);
                let message =
                    format!("`{}` is in `{input}` more than once; the last line counts", shown(key));
                found.notices.push(Notice::warning(message));
            }
            found.entries.push((key.to_owned(), value));
        }
    }
    found
}

/// The fault of a line without `=`, where there has to be one.
pub(super) fn without_value(input: &str, number: usize, entry: &str) -> InputFault {
    InputFault::new(input, format!("{} has no `=`", shown_name(number, entry)))
}

/// The name that stands alone in a line, if that is safe to show; else where it stands.
pub(super) fn shown_name(number: usize, entry: &str) -> String {
    if is_name(entry) { format!("`{entry}`") } else { format!("line {number}") }
}

/// Whether the text looks like a variable's name and so is safe to show. Anything else may be a piece of a secret with several
/// lines.
fn is_name(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
