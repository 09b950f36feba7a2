//! What can go wrong at a registry: who, doing what, what it answered, what to change.
//!
//! Answers are hostile: their text is cleaned, cut and freed of our own secrets before it becomes part of
//! an error. Whoever decides on a retry reads [`RegistryError::kind`], never the text.

use std::fmt;
use std::time::Duration;

/// A request to a registry that did not do what it should.
#[derive(Debug)]
pub struct RegistryError {
    /// The registry, as people write it.
    host: String,
    /// What was being done, `put the tag …`: continues "cannot …".
    doing: String,
    /// The user name that was shown, if any.
    username: Option<String>,
    /// Boxed: an error is rare, every `Result` carries its size.
    kind: Box<Kind>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// Its name has no address.
    #[error("its name cannot be resolved: {0}")]
    Name(String),
    /// Nothing listens there.
    #[error("connection refused ({0})")]
    Refused(String),
    /// Another failure to connect.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No connection or no whole answer in time.
    #[error("no {what} within {}", seconds(limit))]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The TLS handshake failed.
    #[error("TLS: {0}")]
    Tls(String),
    /// It speaks plain HTTP where HTTPS is a must.
    #[error("it answers plain HTTP on the port that should speak HTTPS")]
    PlainHttp,
    /// The connection broke before the answer was whole.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It answered, with an error status.
    #[error("{0}")]
    Answered(Answered),
    /// It wants a login, and there is none to give or the one given was not taken.
    #[error("it wants a login{}{}", colon(.0), .0)]
    Unauthorized(String),
    /// The token server that it names cannot be asked.
    #[error("no token from `{server}`: {why}")]
    TokenServer {
        /// Its host.
        server: String,
        /// What went wrong there.
        why: Box<Kind>,
    },
    /// The login was taken, but it has not the right that this needs.
    #[error("the login has no right to this{}{}", colon(.0), .0)]
    Denied(String),
    /// It sent something that must not be followed or cannot be understood.
    #[error("{0}")]
    Protocol(String),
    /// More than anybody needs.
    #[error("the {what} is larger than {limit} bytes")]
    TooLarge {
        /// What it was.
        what: &'static str,
        /// The most that is taken.
        limit: usize,
    },
    /// The bytes are not those that the digest names.
    #[error("the bytes that came are `{actual}`, not `{expected}`")]
    Digest {
        /// What was asked for.
        expected: String,
        /// What came.
        actual: String,
    },
}

/// An error status with the registry's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The registry's own code, `MANIFEST_INVALID`, if it sent one.
    pub code: Option<String>,
    /// Its own message, cleaned and cut.
    pub message: Option<String>,
    /// `Retry-After` in seconds, if it sent one.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answered {}", self.status)?;
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, " {code}: {message}"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}

impl RegistryError {
    pub(super) fn new(host: &str, doing: &str, username: Option<&str>, kind: Kind) -> Self {
        Self {
            host: host.into(),
            doing: doing.into(),
            username: username.map(Into::into),
            kind: Box::new(kind),
        }
    }

    /// What went wrong: the one thing that a retry may depend on.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The registry, as people write it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What to change, where that is known.
    pub fn hint(&self) -> Option<String> {
        let Self { host, .. } = self;
        let hint = match &*self.kind {
            Kind::Unauthorized(_) => self.login_hint(),
            Kind::Denied(_) => self.right_hint(),
            Kind::Answered(answered) => match (answered.status, answered.code.as_deref()) {
                (401, _) => self.login_hint(),
                (403, _) | (_, Some("DENIED" | "denied")) => self.right_hint(),
                (404, Some("NAME_UNKNOWN" | "NAME_INVALID")) => {
                    "make the repository at the registry first, or check the spelling of its name".into()
                }
                (429, _) => "wait and run again; a login often has a higher limit than none".into(),
                (500.., _) => "this is the registry's own trouble: run again later".into(),
                _ => return None,
            },
            Kind::Name(_) => format!("check the spelling of `{host}`, and the network's DNS"),
            Kind::Refused(_) => format!("check that the registry is up and listens at `{host}`"),
            Kind::PlainHttp => {
                "only registries on `localhost` are spoken to without TLS: give the registry a certificate"
                    .into()
            }
            Kind::Tls(text) if text.contains("UnknownIssuer") || text.contains("certificate authorit") => {
                "its certificate is not signed by a certificate authority that is known here".into()
            }
            _ => return None,
        };
        Some(hint)
    }

    fn right_hint(&self) -> String {
        match &self.username {
            _ if self.host == "ghcr.io" => {
                "give the job `permissions: packages: write`; if the package exists already, open its settings, \
                 \"Manage Actions access\", and add this repository with the role Write"
                    .into()
            }
            Some(user) => format!("give `{user}` the right to push there, or use another login"),
            None => format!("give `username` and `password` of a login that may push to `{}`", self.host),
        }
    }

    fn login_hint(&self) -> String {
        match &self.username {
            Some(user) => format!(
                "the login `{user}` was not taken: check `username` and `password` for `{}`",
                self.host
            ),
            None => format!("give `username` and `password` for `{}`", self.host),
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} at `{}`: {}", self.doing, self.host, self.kind)
    }
}

impl std::error::Error for RegistryError {}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

fn colon(text: &str) -> &'static str {
    if text.is_empty() { "" } else { ": " }
}

/// Most characters of a foreign text in an error.
const MAX_TEXT: usize = 300;

/// One line of a foreign text: no control characters, no marks that reorder text, cut.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::new();
    for (count, word) in
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).enumerate()
    {
        if count > 0 {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !is_reordering(*c)));
        if line.chars().count() > MAX_TEXT {
            return line.chars().take(MAX_TEXT).chain("…".chars()).collect();
        }
    }
    line
}

fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Reads the body of an error answer: the specification's JSON, `{"message": …}`, a page, or plain text.
pub(super) fn answered(status: u16, retry_after: Option<&str>, body: &[u8]) -> Answered {
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
        Some(serde_json::Value::String(text)) if !text.trim().is_empty() => Some(clean(text)),
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
    Answered { status, code, message, retry_after }
}

/// The title of an HTML page, or the text itself.
fn page_or_text(body: &str) -> Option<String> {
    let trimmed = body.trim_start();
    let text = if trimmed.starts_with('<') {
        let lower = trimmed.to_ascii_lowercase();
        let title = lower.find("<title>").map(|start| start + 7).and_then(|start| {
            let end = lower[start..].find("</title>")? + start;
            Some(clean(&trimmed[start..end]))
        });
        title.filter(|t| !t.is_empty()).unwrap_or_else(|| "a web page instead of an answer".into())
    } else {
        clean(trimmed)
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
            let answered = answered(400, None, body.as_bytes());
            assert_eq!((answered.code.as_deref(), answered.message.as_deref()), (*code, *message), "{body}");
        }
        let long = answered(500, Some(" 7 "), "x ".repeat(1_000_000).as_bytes());
        assert_eq!(long.message.unwrap().chars().count(), MAX_TEXT + 1);
        assert_eq!(long.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(answered(429, Some("-1"), b"").retry_after, None);
    }

    #[test]
    fn says_who_what_and_what_to_do() {
        let error = |host, user, status, code: Option<&str>| {
            let answered = Answered {
                status,
                code: code.map(Into::into),
                message: Some("requested access to the resource is denied".into()),
                retry_after: None,
            };
            RegistryError::new(host, "put the tag `v1` on `acme/api`", user, Kind::Answered(answered))
        };
        let denied = error("ghcr.io", Some("octo"), 403, Some("DENIED"));
        assert_eq!(
            denied.to_string(),
            "cannot put the tag `v1` on `acme/api` at `ghcr.io`: it answered 403 DENIED: requested access to the \
             resource is denied"
        );
        assert!(denied.hint().unwrap().contains("packages: write"));
        assert!(error("r.io", Some("octo"), 401, None).hint().unwrap().contains("`octo` was not taken"));
        assert!(error("r.io", None, 401, None).hint().unwrap().contains("give `username` and `password`"));
        assert!(
            error("r.io", None, 404, Some("NAME_UNKNOWN")).hint().unwrap().contains("make the repository")
        );
        assert!(error("r.io", None, 418, None).hint().is_none());
        let unauthorized = |text: &str| Kind::Unauthorized(text.into()).to_string();
        assert_eq!(unauthorized(""), "it wants a login");
        assert_eq!(unauthorized("nope"), "it wants a login: nope");
    }
}
