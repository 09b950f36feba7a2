//! What can go wrong at a registry: who, doing what, what it answered, what to change.
//!
//! Answers are hostile: their text is cleaned, cut and freed of our own secrets before it becomes part of
//! an error (`answered`). Whoever decides on a retry reads [`RegistryError::kind`], never the text.

use std::fmt;
use std::time::Duration;

use super::error_response::ErrorResponse;
use crate::model::{Credentials, Ecr, ErrorCode, LoginSource, RegistryHost, how_to_log_in, text};
use crate::net::dial::DialFault;

/// A request to a registry that did not do what it should.
#[derive(Debug)]
pub struct RegistryError {
    /// The registry, as people write it.
    host: String,
    /// What was being done, `put the tag …`: continues "cannot …".
    doing: String,
    /// Who logged in, if anybody did.
    login: Option<Shown>,
    /// Boxed: an error is rare, every `Result` carries its size.
    kind: Box<Kind>,
}

/// A login without its secret.
#[derive(Clone, Debug)]
struct Shown {
    /// None with an identity token.
    username: Option<String>,
    source: LoginSource,
    /// See [`Credentials::is_job_token`].
    job_token: bool,
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
    /// The proxy on the way would not connect us, or is none.
    #[error("{0}")]
    Proxy(String),
    /// The connection broke before the answer was whole.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It answered, with an error status.
    #[error("{0}")]
    ErrorResponse(ErrorResponse),
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
    /// The token server that it names must not be told a login.
    #[error("{0}")]
    NotAsked(String),
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

impl Kind {
    fn is_untrusted(&self) -> bool {
        match self {
            Self::PlainHttp | Self::Tls(_) | Self::NotAsked(_) => true,
            Self::TokenServer { why, .. } => why.is_untrusted(),
            _ => false,
        }
    }
}

impl Kind {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Name(_)
            | Self::Refused(_)
            | Self::Connect(_)
            | Self::Timeout { .. }
            | Self::Proxy(_)
            | Self::Broken(_) => ErrorCode::RegistryUnavailable,
            Self::Tls(_) | Self::PlainHttp | Self::NotAsked(_) => ErrorCode::RegistryUntrusted,
            Self::Unauthorized(_) | Self::Denied(_) => ErrorCode::RegistryDenied,
            Self::TokenServer { why, .. } => why.code(),
            Self::ErrorResponse(answer) => match (answer.status, answer.code.as_deref()) {
                (404, Some("NAME_UNKNOWN" | "NAME_INVALID")) => ErrorCode::RepositoryNotFound,
                (429 | 500.., _) => ErrorCode::RegistryUnavailable,
                _ => ErrorCode::RegistryFailed,
            },
            Self::Protocol(_) | Self::TooLarge { .. } | Self::Digest { .. } => ErrorCode::RegistryFailed,
        }
    }
}

impl From<DialFault> for Kind {
    fn from(fault: DialFault) -> Self {
        match fault {
            DialFault::NoHost(_) => Self::Protocol(text::line(&fault.to_string())),
            DialFault::Name(why) => Self::Name(text::line(&why)),
            DialFault::Refused(address) => Self::Refused(address),
            DialFault::Broken(why) => Self::Connect(text::line(&why)),
            DialFault::Timeout { what, limit } => Self::Timeout { what, limit },
            DialFault::Proxy(why) => Self::Proxy(text::line(&why)),
            DialFault::Trust(why) => Self::Tls(text::line(&why)),
        }
    }
}

impl RegistryError {
    /// The registry's words, if it lets nobody move a tag that is there: ECR's `TAG_INVALID`, Harbor's 412, the 400 of
    /// Google's Artifact Registry.
    pub fn immutable(&self) -> Option<String> {
        let Kind::ErrorResponse(answer) = self.kind() else { return None };
        let said = answer.message.clone().or_else(|| answer.code.clone()).unwrap_or_default();
        let lower = said.to_lowercase();
        let means = ["immutab", "cannot be overwritten"].iter().any(|word| lower.contains(word));
        (matches!(answer.status, 400 | 403 | 405 | 409 | 412) && means).then_some(said)
    }

    /// Whether the registry would not take a document for what is in it: the same in another form it may take.
    pub(super) fn refuses_content(&self) -> bool {
        let answered = matches!(self.kind(), Kind::ErrorResponse(answer) if matches!(answer.status, 400 | 404 | 405 | 415 | 422));
        answered && !self.is_denial() && self.immutable().is_none()
    }

    pub(super) fn new(host: &str, doing: &str, login: Option<&Credentials>, kind: Kind) -> Self {
        let login = login.map(|login| Shown {
            username: login.identity_token().is_none().then(|| login.username.clone()),
            source: login.source.clone(),
            job_token: login.is_job_token(),
        });
        Self { host: host.into(), doing: doing.into(), login, kind: Box::new(kind) }
    }

    /// What went wrong: the one thing that a retry may depend on.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The registry, as people write it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the registry said that there is no such thing.
    pub fn is_absence(&self) -> bool {
        matches!(&*self.kind, Kind::ErrorResponse(answered) if answered.status == 404)
    }

    /// Whether the registry said that this login, or nobody, may do this: another try with it is refused again. A 403
    /// without a word, or with a web page, is not its own: a proxy or a firewall on the way has a bad moment.
    pub fn is_denial(&self) -> bool {
        match &*self.kind {
            Kind::Unauthorized(_) | Kind::Denied(_) => true,
            Kind::ErrorResponse(answered) => {
                answered.status == 401
                    || answered.status == 403 && answered.in_words
                    || answered.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case("denied"))
            }
            _ => false,
        }
    }

    /// Whether the registry speaks in a way that nobody has allowed: without TLS, or with a certificate that is not
    /// believed. Every other request ends the same.
    pub fn is_untrusted(&self) -> bool {
        self.kind.is_untrusted()
    }

    /// What kind of trouble it is.
    pub fn code(&self) -> ErrorCode {
        if self.is_denial() { ErrorCode::RegistryDenied } else { self.kind.code() }
    }

    /// What to change, where that is known.
    pub fn hint(&self) -> Option<String> {
        let Self { host, .. } = self;
        let hint = match &*self.kind {
            Kind::Unauthorized(_) => self.login_hint(),
            Kind::Denied(_) => self.right_hint(),
            Kind::ErrorResponse(answered) => match (answered.status, answered.code.as_deref()) {
                (401, _) => self.login_hint(),
                (403, _) | (_, Some("DENIED" | "denied")) => self.right_hint(),
                (404, Some("NAME_UNKNOWN")) if self.is_amazons() => {
                    "the repository does not exist: `create_repository: true` makes it".into()
                }
                (404, Some("NAME_UNKNOWN" | "NAME_INVALID")) => {
                    "make the repository at the registry first, or check the spelling of its name".into()
                }
                (429, _) => "wait and run again; a login often has a higher limit than none".into(),
                (500.., _) => "this is the registry's own trouble: run again later".into(),
                _ => return None,
            },
            Kind::Name(_) => format!("check the spelling of `{host}`, and the network's DNS"),
            Kind::Refused(_) => format!("check that the registry is up and listens at `{host}`"),
            Kind::PlainHttp => format!(
                "only registries on `localhost` are spoken to without TLS, unless that is allowed: give it a certificate, \
                 or write `http = true` below `[registry.\"{host}\"]` in `buildkitd_config`; where the Docker daemon itself \
                 builds, name `{host}` in the daemon's `insecure-registries`"
            ),
            Kind::Tls(text) if text.contains("UnknownIssuer") || text.contains("certificate authorit") => {
                "its certificate is not signed by a certificate authority that is known here: name a file with it in \
                 the step's `env` as `SSL_CERT_FILE` (the builder has authorities of its own)"
                    .into()
            }
            Kind::Proxy(_) => "check `HTTPS_PROXY`; hosts in `NO_PROXY` are reached without it".into(),
            _ => return None,
        };
        Some(hint)
    }

    fn is_amazons(&self) -> bool {
        RegistryHost::parse(&self.host).is_ok_and(|host| Ecr::of(&host).is_some())
    }

    fn how_to_log_in(&self) -> String {
        match RegistryHost::parse(&self.host) {
            Ok(host) => how_to_log_in(&host),
            Err(_) => format!("give `username` and `password` for `{}`", self.host),
        }
    }

    fn right_hint(&self) -> String {
        // GitHub refuses a wrong token in the same words as one that may not do this.
        if let Some(login) = self.login.as_ref().filter(|login| self.host == "ghcr.io" && !login.job_token) {
            return format!(
                "check that {} for {} is right and has not expired, that it is a personal access token (classic) with the \
                 scope `write:packages`, and that its owner may write this package",
                login.source,
                login.who()
            );
        }
        match self.login.as_ref().map(Shown::who) {
            // The token may write packages, but not this one, which is there already.
            _ if self.host == "ghcr.io" && self.kind.to_string().contains("write_package") => {
                "the package exists and does not let this repository write: open it on GitHub, choose \"Package \
                 settings\", then \"Manage Actions access\", and add this repository with the role Write; the job \
                 needs `permissions: packages: write` as well"
                    .into()
            }
            _ if self.host == "ghcr.io" => {
                "give the job `permissions: packages: write`; if the package exists already, open its settings, \
                 \"Manage Actions access\", and add this repository with the role Write"
                    .into()
            }
            Some(who) => format!("give {who} the right to push there, or use another login"),
            None => format!("give `username` and `password` of a login that may push to `{}`", self.host),
        }
    }

    fn login_hint(&self) -> String {
        match &self.login {
            Some(login) => {
                format!("the login {} was refused: check {} for `{}`", login.who(), login.source, self.host)
            }
            None => self.how_to_log_in(),
        }
    }
}

impl Shown {
    fn who(&self) -> String {
        match &self.username {
            Some(username) => format!("`{username}`"),
            None => format!("by {}", self.source),
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, doing, login, kind } = self;
        match (&**kind, login) {
            (Kind::Denied(said), None) => {
                write!(
                    f,
                    "cannot {doing} at `{host}`: it lets nobody do this without a login{}{said}",
                    colon(said)
                )
            }
            _ => write!(f, "cannot {doing} at `{host}`: {kind}"),
        }
    }
}

impl std::error::Error for RegistryError {}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

fn colon(text: &str) -> &'static str {
    if text.is_empty() { "" } else { ": " }
}

#[cfg(test)]
mod tests {
    use super::super::error_response::error_response;
    use super::*;

    #[test]
    fn who_denies() {
        let denies = |status, body: &str| {
            let kind = Kind::ErrorResponse(error_response(status, None, body.as_bytes()));
            RegistryError::new("r.io", "begin an upload", None, kind).is_denial()
        };
        let said = r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#;
        for (status, body, expected) in [
            (403, said, true),
            (400, said, true),
            (401, "", true),
            (403, r#"{"errors":[{"status":403,"message":"Forbidden"}]}"#, true),
            (403, "access forbidden\n", true),
            (403, "", false),
            (403, "\r\n<!DOCTYPE html><title>Request blocked</title>", false),
            (503, r#"{"errors":[{"code":"UNAVAILABLE"}]}"#, false),
        ] {
            assert_eq!(denies(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn says_who_what_and_what_to_do() {
        let error = |host, user: Option<&str>, status, code: Option<&str>| {
            let login = user.map(|user| {
                let host = RegistryHost::parse(host).unwrap();
                let password = if user == "octo" { "ghs_1" } else { "hunter2" };
                Credentials::new(host, user, crate::model::Secret::new(password))
            });
            let answered = ErrorResponse {
                status,
                code: code.map(Into::into),
                message: Some("requested access to the resource is denied".into()),
                retry_after: None,
                in_words: true,
            };
            RegistryError::new(
                host,
                "put the tag `v1` on `acme/api`",
                login.as_ref(),
                Kind::ErrorResponse(answered),
            )
        };
        let denied = error("ghcr.io", Some("octo"), 403, Some("DENIED"));
        assert_eq!(
            denied.to_string(),
            "cannot put the tag `v1` on `acme/api` at `ghcr.io`: it answered 403 DENIED: requested access to the \
             resource is denied"
        );
        assert!(denied.hint().unwrap().starts_with("give the job `permissions: packages: write`"));
        // A person's token has scopes, whatever the job is given.
        let hint = error("ghcr.io", Some("bob"), 403, Some("DENIED")).hint().unwrap();
        assert!(
            hint.starts_with("check that `username` and `password` for `bob` is right and has not expired"),
            "{hint}"
        );
        assert!(hint.contains("`write:packages`") && !hint.contains("the job"), "{hint}");
        // Nobody who has no login is told of the right of one.
        let denied = |login: Option<&Credentials>| {
            RegistryError::new("docker.io", "begin an upload", login, Kind::Denied("denied".into()))
                .to_string()
        };
        assert_eq!(
            denied(None),
            "cannot begin an upload at `docker.io`: it lets nobody do this without a login: denied"
        );
        let login =
            Credentials::new(RegistryHost::parse("docker.io").unwrap(), "a", crate::model::Secret::new("b"));
        assert!(denied(Some(&login)).ends_with("the login has no right to this: denied"));
        let message = Some("permission_denied: write_package".into());
        let code = Some("DENIED".into());
        let answered = ErrorResponse { status: 403, code, message, retry_after: None, in_words: true };
        let package = RegistryError::new("ghcr.io", "begin an upload", None, Kind::ErrorResponse(answered));
        assert!(package.is_denial());
        assert!(package.hint().unwrap().contains("\"Manage Actions access\", and add this repository"));
        assert!(error("r.io", Some("octo"), 401, None).hint().unwrap().contains("`octo` was refused"));
        assert!(error("r.io", None, 401, None).hint().unwrap().contains("give `username` and `password`"));
        assert!(
            error("r.io", None, 404, Some("NAME_UNKNOWN")).hint().unwrap().contains("make the repository")
        );
        assert!(error("r.io", None, 418, None).hint().is_none());
        let hint = error("public.ecr.aws", None, 404, Some("NAME_UNKNOWN")).hint().unwrap();
        assert!(hint.contains("create_repository: true"), "{hint}");
        let unauthorized = |text: &str| Kind::Unauthorized(text.into()).to_string();
        assert_eq!(unauthorized(""), "it wants a login");
        assert_eq!(unauthorized("nope"), "it wants a login: nope");
    }
}
