//! What a failed push means for another try, told from BuildKit's words: it sends no codes for it. Nor does a Docker daemon that
//! pulls an image, whose words are the same: both are containerd's, or those of the daemon's classic store.
//!
//! BuildKit tries 5xx and broken connections again for seven seconds (`util/resolver/retryhandler`), containerd below
//! it 429 five times without any pause (`core/remotes/docker`); what they give up with is what is read here:
//! `unexpected status from PUT request to URL: 503 Service Unavailable`, `failed to do request: Put "URL": EOF`; newer
//! ones say no status where the registry sent the specification's JSON, but its code and words: `unavailable: try later`.

use super::error::BuildError;
use crate::model::Trouble;

/// The network's words for a connection that broke or was too slow.
const BROKEN: &[&str] = &[
    "eof",
    "connection reset",
    "broken pipe",
    "closed network connection",
    "closed connection",
    "timeout",
    "timed out",
    "deadline exceeded",
    "goaway",
    "stream error",
    "server closed idle connection",
    "transport connection broken",
    "unexpected size",
    "short read",
    "short write",
];
const UNREACHED: &[&str] = &[
    "connection refused",
    "no such host",
    "server misbehaving",
    "no route to host",
    "network is unreachable",
    "temporary failure in name resolution",
];
const DENIED: &[&str] = &["denied", "403 forbidden", "insufficient_scope", "insufficient scope"];

impl BuildError {
    /// The registry refused access to the push: not a fault of the network, and none that time mends.
    pub fn is_refusal(&self) -> bool {
        matches!(self.cause(), Self::PushFailed { message, .. } if refuses_access(message))
    }

    /// What another push would meet, if this is one that failed.
    pub fn push_trouble(&self) -> Option<Trouble> {
        match self {
            Self::PushFailed { message, .. } => Some(trouble(message)),
            _ => None,
        }
    }

    /// The same of a solve that had nothing left to do but the push: what keeps it from that is no fault of the build.
    pub fn push_trouble_again(&self) -> Option<Trouble> {
        match self {
            Self::Dockerfile { message, .. } | Self::Other { message, .. } => {
                Some(trouble(message)).filter(|trouble| *trouble != Trouble::Lasting)
            }
            other => other.push_trouble(),
        }
    }
}

/// Whether a registry's answer is about access. URLs in the text are left out: a digest has any three digits in it,
/// and a repository any word.
pub(super) fn refuses_access(message: &str) -> bool {
    const WORDS: &[&str] = &[
        "401 unauthorized",
        "403 forbidden",
        "denied",
        "unauthorized",
        "authorization failed",
        "authentication required",
        "no basic auth credentials",
        "insufficient_scope",
        "insufficient scope",
    ];
    let words = message.split_whitespace().filter(|word| !word.contains("://"));
    let said = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    WORDS.iter().any(|word| said.contains(word))
}

/// What kind of trouble with a registry a builder's or a daemon's message tells of.
pub fn trouble(message: &str) -> Trouble {
    // A digest in a URL has any three digits in it, and a repository any word.
    let words = message.split_whitespace().filter(|word| !word.contains("://"));
    let said = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match status(&said) {
        Some(429) => return Trouble::Busy(None),
        // An upload that another of the registry's servers began, or that it forgot: a new one is another.
        Some(404 | 416) if message.contains("/blobs/uploads/") => return Trouble::Broken,
        Some(408 | 500 | 502..=504 | 520..=527) => return Trouble::Broken,
        Some(401) if !has(DENIED) => return Trouble::LoginEnded,
        Some(401 | 403) => return Trouble::Denied,
        Some(_) => return Trouble::Lasting,
        None => {}
    }
    if has(DENIED) {
        Trouble::Denied
    } else if refuses_access(message) {
        Trouble::LoginEnded
    } else if has(&["toomanyrequests", "too many requests"]) {
        Trouble::Busy(None)
    } else if has(&["blob upload invalid", "blob upload unknown"]) {
        // The same without a status.
        Trouble::Broken
    } else if has(&["name unknown", "not known to registry", "invalid"]) {
        Trouble::Lasting
    } else if said.contains("unavailable: ") {
        Trouble::Broken
    } else if said.contains("unknown: ") {
        // A registry's word for its own error 500, but also containerd's for every code that it does not know, of
        // whatever status; and for a blob that another of the registry's servers has not heard of.
        Trouble::Unclear
    } else if has(UNREACHED) {
        Trouble::Unreached
    } else if has(BROKEN) {
        Trouble::Broken
    } else {
        Trouble::Lasting
    }
}

/// The last HTTP status of an error that a text names.
fn status(said: &str) -> Option<u16> {
    // The classic store says: `received unexpected HTTP status: 503 Service Unavailable`.
    let (_, after) =
        said.rsplit_once("unexpected status").or_else(|| said.rsplit_once("unexpected http status"))?;
    let words = after.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .find(|status| (400..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_pushers() {
        let asked = "request to https://r.io/v2/a/manifests/sha256:429503";
        for (message, expected) in [
            (format!("unexpected status from PUT {asked}: 503 Service Unavailable"), Trouble::Broken),
            (format!("failed commit on ref \"m\": unexpected status from PUT {asked}: 500 Internal Server Error"), Trouble::Broken),
            (format!("unexpected status from HEAD {asked}: 429 Too Many Requests"), Trouble::Busy(None)),
            ("received unexpected HTTP status: 503 Service Unavailable".into(), Trouble::Broken),
            (format!("unexpected status from PUT {asked}: 400 Bad Request"), Trouble::Lasting),
            (format!("unexpected status from PUT {asked}: 404 Not Found"), Trouble::Lasting),
            ("unexpected status from PUT request to https://r.io/v2/a/blobs/uploads/503?_state=x: 404 Not Found".into(), Trouble::Broken),
            (format!("unexpected status from PUT {asked}: 401 Unauthorized"), Trouble::LoginEnded),
            (format!("unexpected status from PUT {asked}: 403 Forbidden"), Trouble::Denied),
            ("failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://a/t: 502 Bad Gateway".into(), Trouble::Broken),
            ("failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized".into(), Trouble::LoginEnded),
            ("server message: insufficient_scope: authorization failed".into(), Trouble::Denied),
            ("push access denied, repository does not exist or may require authorization".into(), Trouble::Denied),
            ("failed to do request: Put \"https://r.io/denied\": EOF".into(), Trouble::Broken),
            ("failed to do request: Head \"https://r.io/v2/\": read tcp 10.0.0.1:2->10.0.0.2:443: read: connection reset by peer".into(), Trouble::Broken),
            ("failed to do request: Head \"https://r.io/v2/\": net/http: TLS handshake timeout".into(), Trouble::Broken),
            ("failed to do request: Head \"https://r.io/v2/\": dial tcp 10.0.0.2:443: connect: connection refused".into(), Trouble::Unreached),
            ("failed to do request: Head \"https://r.io/v2/\": dial tcp: lookup r.io: no such host".into(), Trouble::Unreached),
            ("http: server gave HTTP response to HTTPS client".into(), Trouble::Lasting),
            ("tls: failed to verify certificate: x509: certificate signed by unknown authority".into(), Trouble::Lasting),
            ("unknown: unknown error".into(), Trouble::Unclear),
            ("unknown: blob upload invalid".into(), Trouble::Broken),
            ("blob upload unknown: blob upload unknown to registry".into(), Trouble::Broken),
            ("unknown: invalid repository name".into(), Trouble::Lasting),
            ("unknown: repository name not known to registry".into(), Trouble::Lasting),
            ("manifest blob unknown: blob unknown to registry".into(), Trouble::Unclear),
            ("name unknown: repository name not known to registry".into(), Trouble::Lasting),
            ("unavailable: service unavailable".into(), Trouble::Broken),
            ("toomanyrequests: retry-after: 1s, allowed: 44000/minute".into(), Trouble::Busy(None)),
            ("denied: permission_denied: write_package".into(), Trouble::Denied),
            ("unauthorized: authentication required".into(), Trouble::LoginEnded),
            ("manifest invalid: manifest invalid".into(), Trouble::Lasting),
            (String::new(), Trouble::Lasting),
        ] {
            assert_eq!(trouble(&message), expected, "{message}");
        }
    }
    #[test]
    fn a_refusal_is_told_from_a_hiccup() {
        for (message, refusal) in [
            ("unexpected status from HEAD request to http://r/v2/a/blobs/sha256:00: 401 Unauthorized", true),
            ("failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden", true),
            ("push access denied, repository does not exist or may require authorization", true),
            ("server message: insufficient_scope: authorization failed", true),
            (
                "unexpected status from HEAD request to http://r/v2/denied/blobs/sha256:401403: 500 Internal",
                false,
            ),
            (
                "failed to do request: Put \"https://r/v2/unauthorized/manifests/x\": connection reset by peer",
                false,
            ),
        ] {
            let error = BuildError::PushFailed { repository: "r/a".into(), message: message.into() };
            assert_eq!(error.is_refusal(), refusal, "{message}");
        }
    }
}
