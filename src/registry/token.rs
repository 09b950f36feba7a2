//! Tokens for a registry: which server may be asked, with what, and how its answer is read.
//!
//! Sans-IO, after distribution's token specification. Who may see the password: the token server that the
//! registry names, over HTTPS, whatever its host (`auth.docker.io` for `registry-1.docker.io`); over plain
//! HTTP only on loopback, and only when the registry itself is on loopback and speaks plain HTTP.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::Scheme;

use super::transport::is_loopback;
use crate::model::Secret;

/// What a token is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
}

/// The scope of a token, `repository:acme/api:pull,push`.
pub fn scope(path: &str, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
    };
    format!("repository:{path}:{actions}")
}

/// Checks the token server that a registry at `registry` named, and adds what it must be told.
///
/// # Errors
/// In words, when the server must not be asked.
pub fn request_uri(registry: &Uri, realm: &str, service: &str, scope: &str) -> Result<Uri, String> {
    let shown = super::error::clean(realm);
    let uri: Uri =
        realm.parse().map_err(|_| format!("the token server that it names is no URL: `{shown}`"))?;
    let authority =
        uri.authority().ok_or_else(|| format!("the token server that it names has no host: `{shown}`"))?;
    if authority.as_str().contains('@') {
        return Err(format!("the token server that it names has a login in its URL: `{shown}`"));
    }
    let plain_pair = registry.scheme() == Some(&Scheme::HTTP) && is_loopback(registry) && is_loopback(&uri);
    if uri.scheme() != Some(&Scheme::HTTPS) && !(uri.scheme() == Some(&Scheme::HTTP) && plain_pair) {
        return Err(format!(
            "the token server that it names is not asked, because it is not `https`: `{shown}`"
        ));
    }
    let mut text = format!("{}://{authority}{}", uri.scheme_str().unwrap_or("https"), uri.path());
    let mut separator = '?';
    if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(query);
        separator = '&';
    }
    for (name, value) in [("service", service), ("scope", scope)] {
        if !value.is_empty() {
            text.push(separator);
            text.push_str(name);
            text.push('=');
            percent_encode(&mut text, value);
            separator = '&';
        }
    }
    text.parse().map_err(|_| format!("the token server that it names cannot be asked: `{shown}`"))
}

fn percent_encode(out: &mut String, value: &str) {
    use std::fmt::Write as _;
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A token and how long it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// From now.
    pub lifetime: Duration,
}

/// What a server that does not say means, by the specification.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(1);
/// Longer promises are not believed.
const MAX_LIFETIME: Duration = Duration::from_hours(1);

/// Reads a token server's answer.
///
/// # Errors
/// In words, when there is no usable token in it.
pub fn parse_answer(body: &[u8]) -> Result<Token, String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<f64>,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| "the token server's answer is no JSON object with a token".to_owned())?;
    let token = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
    let token = token.ok_or("the token server's answer has no token")?;
    // It becomes a header: what cannot stand in one is no token.
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the token server's token has characters that no token has".into());
    }
    let lifetime = answer.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Token { secret: Secret::new(token), lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME).min(MAX_LIFETIME) })
}

/// Tokens by path and access, with the moment after which each is fetched anew.
#[derive(Default)]
pub struct Cache(HashMap<(String, Access), (Secret, Instant)>);

/// A token is given up this long before its end, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(5);

impl Cache {
    /// A token that is good at `now` for this access; one for pushing also reads.
    pub fn get(&self, path: &str, access: Access, now: Instant) -> Option<&Secret> {
        let good = |access| {
            self.0.get(&(path.to_owned(), access)).filter(|(_, end)| *end > now).map(|(token, _)| token)
        };
        match access {
            Access::Push => good(Access::Push),
            Access::Pull => good(Access::Push).or_else(|| good(Access::Pull)),
        }
    }

    /// Keeps a token that came at `now`.
    pub fn put(&mut self, path: &str, access: Access, token: Token, now: Instant) {
        let end = now + token.lifetime.saturating_sub(MARGIN.min(token.lifetime / 2));
        self.0.insert((path.to_owned(), access), (token.secret, end));
    }

    /// Forgets a token that was refused, wherever it is kept.
    pub fn forget(&mut self, refused: &Secret) {
        self.0.retain(|_, (token, _)| token != refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_asked() {
        let cases: &[(&str, &str, Result<&str, &str>)] = &[
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
                Ok("https://auth.docker.io/token?service=s&scope=repository:a/b:pull,push"),
            ),
            (
                "https://r.io",
                "https://r.io/t?x=1",
                Ok("https://r.io/t?x=1&service=s&scope=repository:a/b:pull,push"),
            ),
            (
                "http://localhost:5000",
                "http://127.0.0.1:5001",
                Ok("http://127.0.0.1:5001/?service=s&scope=repository:a/b:pull,push"),
            ),
            (
                "http://localhost:5000",
                "https://auth.io/t",
                Ok("https://auth.io/t?service=s&scope=repository:a/b:pull,push"),
            ),
            ("https://r.io", "http://r.io/token", Err("not `https`")),
            ("https://r.io", "http://localhost/token", Err("not `https`")),
            ("https://localhost:5000", "http://localhost:5001/token", Err("not `https`")),
            ("http://localhost:5000", "http://auth.io/token", Err("not `https`")),
            ("https://r.io", "ftp://r.io/token", Err("not `https`")),
            ("https://r.io", "https://u:p@r.io/token", Err("has a login")),
            ("https://r.io", "/token", Err("no host")),
            ("https://r.io", "", Err("no URL")),
            ("https://r.io", "https://r.io/ token", Err("no URL")),
        ];
        for (registry, realm, expected) in cases {
            let made = request_uri(&registry.parse().unwrap(), realm, "s", &scope("a/b", Access::Push));
            match (made, expected) {
                (Ok(made), Ok(expected)) => assert_eq!(made.to_string(), *expected),
                (Err(made), Err(expected)) => assert!(made.contains(expected), "{made}"),
                (made, expected) => panic!("{realm}: {made:?}, not {expected:?}"),
            }
        }
        let hostile =
            request_uri(&"https://r.io".parse().unwrap(), "https://r.io/t", "a&b=c d#é", "").unwrap();
        assert_eq!(hostile.to_string(), "https://r.io/t?service=a%26b%3Dc%20d%23%C3%A9");
    }

    #[test]
    fn answers() {
        let token =
            |text: &str, seconds| Token { secret: Secret::new(text), lifetime: Duration::from_secs(seconds) };
        for (body, expected) in [
            (r#"{"token":"a"}"#, Some(token("a", 60))),
            (r#"{"access_token":"b","expires_in":300}"#, Some(token("b", 300))),
            (r#"{"token":"","access_token":"b","expires_in":300.0,"x":[]}"#, Some(token("b", 300))),
            (r#"{"token":"a","expires_in":1e300}"#, Some(token("a", 60))),
            (r#"{"token":"a","expires_in":-5}"#, Some(token("a", 60))),
            (r#"{"token":"a","expires_in":99999999}"#, Some(token("a", 3600))),
            (r#"{"token":"a\r\nX: y"}"#, None),
            (r#"{"token":""}"#, None),
            (r#"{"token":7}"#, None),
            ("{}", None),
            ("", None),
            ("<html>", None),
        ] {
            assert_eq!(parse_answer(body.as_bytes()).ok(), expected, "{body}");
        }
    }

    #[test]
    fn kept_by_access_until_shortly_before_the_end() {
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let mut cache = Cache::default();
        let push = Token { secret: Secret::new("push"), lifetime: Duration::from_mins(1) };
        cache.put("a/b", Access::Push, push.clone(), now);
        assert_eq!(cache.get("a/b", Access::Pull, now), Some(&push.secret));
        assert_eq!(cache.get("a/b", Access::Push, later(54)), Some(&push.secret));
        assert_eq!(cache.get("a/b", Access::Push, later(55)), None);
        assert_eq!(cache.get("a/c", Access::Pull, now), None);
        let pull = Token { secret: Secret::new("pull"), lifetime: Duration::from_secs(2) };
        cache.put("a/c", Access::Pull, pull.clone(), now);
        assert_eq!(cache.get("a/c", Access::Push, now), None);
        assert_eq!(cache.get("a/c", Access::Pull, now), Some(&pull.secret));
        cache.forget(&pull.secret);
        assert_eq!(cache.get("a/c", Access::Pull, now), None);
    }
}
