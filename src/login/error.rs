//! What can go wrong on the way to a login: for which registry, by whom it was asked for, what was asked of which
//! server, what that said, what to change.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use crate::model::{Identity, LoginSource, RegistryHost, Trouble, text};
use crate::net::Network;
use crate::registry::{Answer, Kind, Timeouts, Web};

/// An identity that could not be exchanged.
#[derive(Debug)]
pub struct LoginError(Box<Inner>);

/// Boxed: an error is rare, every `Result` carries its size.
#[derive(Debug)]
struct Inner {
    registry: RegistryHost,
    source: LoginSource,
    /// `assume the role …`: continues "cannot …".
    doing: String,
    why: Why,
    hint: Option<String>,
}

#[derive(Debug)]
enum Why {
    /// The exchange failed below the answer.
    Kind(Kind),
    /// It said no.
    Refused { server: String, status: u16, code: Option<String>, message: Option<String> },
    /// It said something that cannot be used.
    Useless { server: String, what: String },
    /// There is nothing to ask with.
    Missing(String),
}

impl LoginError {
    /// What it means for another try. Every request may be repeated.
    pub fn trouble(&self) -> Trouble {
        match &self.0.why {
            Why::Kind(kind) => kind.trouble(),
            Why::Refused { status: 429, .. } => Trouble::Busy(None),
            Why::Refused { code: Some(code), .. } if is_throttling(code) => Trouble::Busy(None),
            Why::Refused { status: 500 | 502..=504, .. } => Trouble::Broken,
            Why::Refused { .. } | Why::Useless { .. } | Why::Missing(_) => Trouble::Lasting,
        }
    }

    /// What to change, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

/// AWS answers 400 to who asks too often.
fn is_throttling(code: &str) -> bool {
    matches!(code, "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded")
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { registry, source, doing, why, .. } = &*self.0;
        write!(f, "no login for `{registry}` by {source}: cannot {doing}: ")?;
        match why {
            Why::Kind(kind) => write!(f, "{kind}"),
            Why::Missing(what) => f.write_str(what),
            Why::Useless { server, what } => write!(f, "the answer of `{server}` {what}"),
            Why::Refused { server, status, code, message } => {
                write!(f, "`{server}` answered {status}")?;
                match (code, message) {
                    (Some(code), Some(message)) => write!(f, " {code}: {message}"),
                    (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for LoginError {}

/// For whom a request is made, and how it gets there.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub identity: &'a Identity,
    pub network: &'a Network,
}

/// One request for a login.
pub(super) struct Ask<'a> {
    pub step: Step<'a>,
    /// `assume the role …`.
    pub doing: String,
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// What no message may show.
    pub secrets: &'a [&'a str],
    /// What to change, by the code and the message of the refusal.
    pub hint: &'a (dyn Fn(&str, &str) -> Option<String> + Send + Sync),
}

/// A good answer.
pub(super) struct Good {
    pub body: Vec<u8>,
    server: String,
    doing: String,
}

impl Step<'_> {
    pub fn missing(self, doing: &str, what: impl Into<String>, hint: &str) -> LoginError {
        self.error(doing, Why::Missing(what.into()), Some(hint.to_owned()))
    }

    fn error(self, doing: &str, why: Why, hint: Option<String>) -> LoginError {
        let Identity { registry, source, .. } = self.identity;
        let (registry, source, doing) = (registry.clone(), source.clone(), doing.to_owned());
        LoginError(Box::new(Inner { registry, source, doing, why, hint }))
    }

    /// The answer was good and is none.
    pub fn useless(self, good: &Good, what: &str) -> LoginError {
        let why = Why::Useless { server: good.server.clone(), what: what.to_owned() };
        self.error(&good.doing, why, None)
    }
}

/// How long one request may take.
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(5), request: Duration::from_secs(15) };

impl Ask<'_> {
    /// The answer, if it is a good one.
    pub async fn send(self) -> Result<Good, LoginError> {
        match self.exchange().await {
            Ok((server, answer)) if answer.status.is_success() => {
                Ok(Good { body: answer.body.to_vec(), server, doing: self.doing })
            }
            Ok((server, answer)) => Err(self.refused(server, &answer)),
            Err(error) => Err(error),
        }
    }

    /// The answer, or the code of the refusal and the error.
    pub async fn send_or_code(self) -> Result<Good, (String, LoginError)> {
        match self.send().await {
            Ok(good) => Ok(good),
            Err(error) => {
                let code = match &error.0.why {
                    Why::Refused { code: Some(code), .. } => code.clone(),
                    _ => String::new(),
                };
                Err((code, error))
            }
        }
    }

    async fn exchange(&self) -> Result<(String, Answer), LoginError> {
        let failed = |kind| self.step.error(&self.doing, Why::Kind(kind), None);
        let web = Web::new(&self.url, self.step.network, TIMEOUTS).map_err(failed)?;
        let answer = web.send(self.method.clone(), &self.headers, self.body.clone()).await;
        answer.map(|answer| (web.host(), answer)).map_err(|kind| {
            let kind = match kind {
                Kind::Name(why) => {
                    Kind::Connect(format!("the name of `{}` cannot be resolved: {why}", web.host()))
                }
                other => other,
            };
            failed(kind)
        })
    }

    fn refused(&self, server: String, answer: &Answer) -> LoginError {
        let (code, message) = read_refusal(&String::from_utf8_lossy(&answer.body));
        let scrub = |text: String| {
            self.secrets
                .iter()
                .filter(|secret| secret.len() >= 4)
                .fold(text, |text, secret| text.replace(secret, "***"))
        };
        let (code, message) = (code.map(scrub), message.map(scrub));
        let hint = (self.hint)(code.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default())
            .or_else(|| later(answer.status, &server));
        let status = answer.status.as_u16();
        self.step.error(&self.doing, Why::Refused { server, status, code, message }, hint)
    }
}

fn later(status: StatusCode, server: &str) -> Option<String> {
    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    busy.then(|| format!("this is the trouble of `{server}`: run again later"))
}

/// Code and message of a refusal: JSON of AWS, OAuth, Google or Microsoft, XML of AWS, or text.
fn read_refusal(body: &str) -> (Option<String>, Option<String>) {
    let text = |value: Option<&serde_json::Value>| {
        value.and_then(serde_json::Value::as_str).map(text::line).filter(|text| !text.is_empty())
    };
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(body) {
        let inner = json.get("error").filter(|error| error.is_object()).unwrap_or(&json);
        let first = inner.pointer("/errors/0").unwrap_or(inner);
        let code = ["__type", "code", "status", "error"].iter().find_map(|key| text(first.get(*key)));
        let message = ["message", "Message", "error_description", "detail", "title"];
        let message = message.iter().find_map(|key| text(first.get(*key)));
        // `com.amazonaws.ecr#AccessDeniedException`
        let code = code.map(|code| code.rsplit('#').next().unwrap_or(&code).to_owned());
        return (code, message);
    }
    if let Some(code) = xml_text(body, "Code") {
        return (Some(text::line(&code)), xml_text(body, "Message").map(|message| text::line(&message)));
    }
    let shown = if body.trim_start().starts_with('<') { "a page instead of an answer" } else { body };
    (None, Some(text::line(shown)).filter(|text| !text.is_empty()))
}

/// The text of the first element of this name, which holds no other.
pub(super) fn xml_text(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&")];
    (!text.contains('<'))
        .then(|| plain.iter().fold(text.trim().to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_all_clouds() {
        for (body, code, message) in [
            (
                r#"{"__type":"com.amazonaws.ecr#AccessDeniedException","Message":"no"}"#,
                "AccessDeniedException",
                "no",
            ),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not &amp; \
                 never</Message></Error></ErrorResponse>",
                "AccessDenied",
                "Not & never",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"The audience\r\ndoes not match"}"#,
                "invalid_grant",
                "The audience does not match",
            ),
            (
                r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#,
                "PERMISSION_DENIED",
                "Permission denied",
            ),
            (
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
                "UNAUTHORIZED",
                "authentication required",
            ),
            ("<html><body>x</body></html>", "", "a page instead of an answer"),
            ("nope\u{1b}[31m", "", "nope [31m"),
            ("", "", ""),
            ("[]", "", ""),
        ] {
            let (found, said) = read_refusal(body);
            assert_eq!(
                (found.unwrap_or_default().as_str(), said.unwrap_or_default().as_str()),
                (code, message),
                "{body}"
            );
        }
        let long = read_refusal(&"x ".repeat(100_000)).1.unwrap();
        assert!(long.chars().count() < 600);
    }

    #[test]
    fn elements() {
        assert_eq!(xml_text("<a><b> x&lt;&amp;lt; </b></a>", "b").as_deref(), Some("x<&lt;"));
        for none in ["", "<b>", "<b><c/></b>", "</b><b>"] {
            assert_eq!(xml_text(none, "b"), None, "{none}");
        }
    }
}
