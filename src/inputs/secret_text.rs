//! The grammar of `secrets`: from one text to ids and values, without quoting.
//!
//! A line `NAME=` at its start begins a secret (`NAME` may end in a port where it names a Git host's token), every other line
//! goes on with the value of the one before. A line inside an open PEM block or an unfinished JSON document goes on whatever
//! it looks like, and so does the last line of wrapped base64, whose padding looks like `NAME=`. build-push-action's quoting
//! is read as well: `"NAME=value"` over several lines, `""` for a quote. Pure; what it says never holds any of the text but
//! ids.

use serde::de::IgnoredAny;

use crate::model::Secret;

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretEntry {
    /// What stands before the first `=`.
    pub id: String,
    /// The rest, without the last line's end.
    pub value: Secret,
}

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SecretText {
    /// In order.
    pub entries: Vec<SecretEntry>,
    /// What stands before the first of them: nobody's, but maybe a secret.
    pub stray: Secret,
    /// What is wrong.
    pub faults: Vec<String>,
}

/// A value as it grows.
struct Open<'a> {
    id: &'a str,
    value: String,
    /// The PEM block that has begun and not ended.
    in_pem: bool,
    /// Its last line.
    last: &'a str,
    /// Lines that look like a secret of their own and were taken as JSON.
    swallowed: bool,
}

/// The text as it is read.
struct Reader<'a> {
    rest: &'a str,
    /// Of the line that `rest` begins with, from 1.
    number: usize,
    open: Option<Open<'a>>,
    stray: String,
    found: SecretText,
}

impl SecretText {
    pub fn parse(text: &str) -> Self {
        // Line ends of Windows are the editor's when every line has one, else the secret's own.
        let breaks = text.matches('\n').count();
        if breaks > 0 && text.matches("\r\n").count() == breaks {
            return Reader::new(&text.replace("\r\n", "\n")).read();
        }
        Reader::new(text).read()
    }
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, number: 1, open: None, stray: String::new(), found: SecretText::default() }
    }

    fn read(mut self) -> SecretText {
        while !self.rest.is_empty() {
            self.step();
        }
        self.close();
        self.found.stray = Secret::new(self.stray);
        self.found
    }

    /// Takes a line, or a quoted record.
    fn step(&mut self) {
        if self.open.is_none() && self.found.entries.is_empty() {
            // Blanks before the first name are the YAML's.
            self.rest = self.rest.trim_start_matches([' ', '\t']);
        }
        let (line, after) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        let continues = self.open.as_mut().is_some_and(|open| open.takes(line));
        let is_quoted = line.strip_prefix('"').is_some_and(|line| starts_secret(line).is_some());
        if is_quoted && !continues {
            return self.quoted_record();
        }
        self.rest = after;
        self.number += 1;
        if let Some((id, value)) = starts_secret(line).filter(|_| !continues) {
            self.close();
            self.open = Some(Open::new(id, value));
            return;
        }
        match &mut self.open {
            Some(open) if open.is_comment(line) => {}
            Some(open) => open.push(line),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None => self.stray_line(line),
        }
    }

    fn quoted_record(&mut self) {
        self.close();
        let Some((record, after)) = quoted(&self.rest[1..]) else {
            self.found.faults.push(format!("line {} starts with a `\"` that is never closed", self.number));
            self.stray.push_str(self.rest);
            self.rest = "";
            return;
        };
        if let Some((id, value)) = starts_secret(&record) {
            self.found.entries.push(SecretEntry { id: id.to_owned(), value: Secret::new(value) });
        }
        self.number += record.matches('\n').count() + 1;
        self.rest = after;
    }

    /// A line that is nobody's; the first one is said.
    fn stray_line(&mut self, line: &str) {
        if self.stray.is_empty() {
            let first = self.found.entries.is_empty();
            let place = if first { "before the first `id=`" } else { "after a quoted secret" };
            let number = self.number - 1;
            let message = if is_id_with_colon(line) {
                format!(
                    "line {number} begins no secret, as its id holds a `:`, which stands only before a port, as in \
                     `GIT_AUTH_TOKEN.git.example:8443=`"
                )
            } else {
                format!("line {number} stands {place} and belongs to no secret")
            };
            self.found.faults.push(message);
        }
        self.stray.push_str(line);
        self.stray.push('\n');
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.found.entries.push(open.close(&mut self.found.faults));
        }
    }
}

/// Whether a line looks as if it were to begin a secret whose id holds a `:`. What it says is not told: it may be a secret.
fn is_id_with_colon(line: &str) -> bool {
    let Some((id, _)) = line.split_once('=') else { return false };
    let in_ids = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    id.contains(':') && id.starts_with(|c: char| c.is_ascii_alphabetic()) && id.chars().all(in_ids)
}

impl<'a> Open<'a> {
    fn new(id: &'a str, value: &'a str) -> Self {
        let mut open = Self { id, value: value.to_owned(), in_pem: false, last: value, swallowed: false };
        open.follow_pem(value);
        open
    }

    /// Whether a line goes on with this value although it may look like another secret.
    fn takes(&mut self, line: &str) -> bool {
        let candidate = line.strip_prefix('"').unwrap_or(line);
        let Some((_, rest)) = starts_secret(candidate) else { return false };
        if self.in_pem || (candidate.len() == line.len() && ends_base64(self.last, line, rest)) {
            return true;
        }
        let unfinished = is_unfinished_json(&self.value);
        self.swallowed |= unfinished;
        unfinished
    }

    /// A line for people, below a value of one line.
    fn is_comment(&self, line: &str) -> bool {
        line.starts_with('#') && !self.value.is_empty() && !self.value.contains('\n')
    }

    fn push(&mut self, line: &'a str) {
        self.value.push('\n');
        self.value.push_str(line);
        self.last = line;
        self.follow_pem(line);
    }

    fn follow_pem(&mut self, line: &str) {
        if line.contains("-----BEGIN ") {
            self.in_pem = true;
        }
        if line.contains("-----END ") {
            self.in_pem = false;
        }
    }

    fn close(self, faults: &mut Vec<String>) -> SecretEntry {
        if self.in_pem {
            faults.push(format!("the PEM block of `{}` has no end", self.id));
        } else if self.swallowed && serde_json::from_str::<IgnoredAny>(&self.value).is_err() {
            // No such line can be in JSON, so it cannot be known whose the rest is.
            faults.push(format!("the JSON document of `{}` does not end before the next `id=`", self.id));
        }
        let value = Secret::new(without_empty_lines(&self.value));
        SecretEntry { id: self.id.to_owned(), value }
    }
}

/// A value without the lines at its end that hold blanks only: those are between two secrets. Blanks at the end of a line that
/// says something stay.
fn without_empty_lines(value: &str) -> &str {
    let said = value.trim_end().len();
    let end = value[said..].find('\n').map_or(value.len(), |at| said + at);
    value[..end].trim_end_matches('\r')
}

/// The id and the rest of a line that begins a secret.
fn starts_secret(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('=')?;
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (first && without_port(name).bytes().all(plain)).then_some((name, rest))
}

/// An id without the port that BuildKit puts at the end of those that it forms itself, from a Git URL's host. In other
/// ids there is no `:`, as it is in many a line of YAML or of a list of hosts.
fn without_port(name: &str) -> &str {
    let of_git = ["GIT_AUTH_TOKEN.", "GIT_AUTH_HEADER."].iter().any(|id| name.starts_with(id));
    match name.rsplit_once(':').filter(|_| of_git) {
        Some((id, port)) if port.parse::<u16>().is_ok() => id,
        _ => name,
    }
}

/// Whether a line `NAME=` or `NAME==` is the padded end of base64 that was wrapped: whole groups of four, not longer
/// than the line before, which is as wide as encoders wrap.
fn ends_base64(before: &str, line: &str, rest: &str) -> bool {
    let before = before.trim_end_matches('\r');
    let alphabet = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    let line = line.trim_end_matches('\r');
    matches!(rest.trim_end_matches('\r'), "" | "=")
        && before.len() >= 60
        && before.len().is_multiple_of(4)
        && alphabet(before)
        && line.len().is_multiple_of(4)
        && line.len() <= before.len()
        && alphabet(line.trim_end_matches('='))
}

/// Starts like a JSON object or array, and is right as far as it goes.
fn is_unfinished_json(value: &str) -> bool {
    value.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<IgnoredAny>(value).is_err_and(|error| error.is_eof())
}

/// A record after its opening quote, and what follows its last line.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut record, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"')?;
        record.push_str(part);
        let Some(more) = after.strip_prefix('"') else {
            let (left, after) = after.split_once('\n').unwrap_or((after, ""));
            return left.trim().is_empty().then_some((record, after));
        };
        record.push('"');
        rest = more;
    }
}

#[cfg(test)]
#[path = "secret_text_tests.rs"]
mod tests;
