//! What a registry says with an error status: the specification's JSON, another one's, a page, or plain text.
//!
//! It is hostile: cleaned and cut before it becomes part of anything.

use std::fmt;
use std::time::Duration;

use crate::model::text;

/// An error status with the registry's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// HTTP status.
    pub status: u16,
    /// The registry's own code, `MANIFEST_INVALID`, if it sent one.
    pub code: Option<String>,
    /// Its own message, cleaned and cut.
    pub message: Option<String>,
    /// `Retry-After` in seconds, if it sent one.
    pub retry_after: Option<Duration>,
    /// The body is an API's: not a web page, as whoever stands between us and the registry sends it, and not empty.
    pub in_words: bool,
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered {}", self.status)?;
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, " {code}: {message}"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}

/// Reads the body of an error answer: the specification's JSON, `{"message": …}`, a page, or plain text.
pub(super) fn error_response(status: u16, retry_after: Option<&str>, body: &[u8]) -> ErrorResponse {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<Entry>,
        #[serde(flatten)]
        entry: Entry,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        code: Option<serde_json::Value>,
        #[serde(alias = "details", alias = "error_description")]
        message: Option<serde_json::Value>,
    }
    let text = |value: Option<&serde_json::Value>| match value {
        Some(serde_json::Value::String(text)) if !text.trim().is_empty() => Some(text::line(text)),
        _ => None,
    };
    let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    let (code, message) = match serde_json::from_slice::<Body>(body) {
        Ok(body) => {
            let entry = body.errors.first().unwrap_or(&body.entry);
            (text(entry.code.as_ref()), text(entry.message.as_ref()))
        }
        Err(_) => (None, page_or_text(&String::from_utf8_lossy(body))),
    };
    let in_words = body.trim_ascii_start().first().is_some_and(|first| *first != b'<');
    ErrorResponse { status, code, message, retry_after, in_words }
}

/// The title of an HTML page, or the text itself.
fn page_or_text(body: &str) -> Option<String> {
    let trimmed = body.trim_start();
    let text = if trimmed.starts_with('<') {
        let lower = trimmed.to_ascii_lowercase();
        let title = lower.find("<title>").map(|start| start + 7).and_then(|start| {
            let end = lower[start..].find("</title>")? + start;
            Some(text::line(&trimmed[start..end]))
        });
        title.filter(|t| !t.is_empty()).unwrap_or_else(|| "a web page instead of an answer".into())
    } else {
        text::line(trimmed)
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_error_answers() {
        let cases: &[(&str, Option<&str>, Option<&str>)] = &[
            (
                r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":{"x":1}}]}"#,
                Some("MANIFEST_INVALID"),
                Some("manifest invalid"),
            ),
            (r#"{"details":"incorrect username or password"}"#, None, Some("incorrect username or password")),
            (r#"{"message":"nope\u001b[31m\r\n::error::x"}"#, None, Some("nope [31m ::error::x")),
            (r#"{"errors":[]}"#, None, None),
            (r#"{"errors":[{"code":7,"message":{"a":1}}]}"#, None, None),
            ("<html><head><TITLE>502 Bad Gateway</TITLE></head>", None, Some("502 Bad Gateway")),
            ("<html>", None, Some("a web page instead of an answer")),
            ("404 page not found\n", None, Some("404 page not found")),
            ("", None, None),
            ("[1,2", None, Some("[1,2")),
            ("a\u{202e}b", None, Some("ab")),
        ];
        for (body, code, message) in cases {
            let answered = error_response(400, None, body.as_bytes());
            assert_eq!((answered.code.as_deref(), answered.message.as_deref()), (*code, *message), "{body}");
        }
        let long = error_response(500, Some(" 7 "), "x ".repeat(1_000_000).as_bytes());
        assert_eq!(long.message.unwrap().chars().count(), 500, "no space before the mark");
        assert_eq!(long.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(error_response(429, Some("-1"), b"").retry_after, None);
    }
}
