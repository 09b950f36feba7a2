//! Tokens for a registry: which server may be asked, with what, and how its answer is read.
//!
//! Sans-IO, after distribution's token specification. Who may see the password: the token server that the
//! registry names, over HTTPS, whatever its host (`auth.docker.io` for `registry-1.docker.io`). Over plain HTTP only where
//! the registry itself is spoken to so: a server on loopback by a registry on loopback, any other on the registry's host.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::Scheme;

use super::transport::is_loopback;
use crate::model::{Secret, text};

/// What a token is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
    /// Removing a manifest.
    Delete,
}

/// The scope of a token, `repository:acme/api:pull,push`.
pub fn scope(path: &str, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
        Access::Delete => "delete",
    };
    format!("repository:{path}:{actions}")
}

/// What one request needs a token for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The repository's path.
    path: String,
    /// What is done in it.
    access: Access,
    /// Scopes besides: of another repository, or what the registry asked for.
    more: Vec<String>,
}

impl Wanted {
    /// This, in this repository.
    pub fn new(path: &str, access: Access) -> Self {
        Self { path: path.to_owned(), access, more: Vec::new() }
    }

    /// And reading of another repository of the same registry.
    #[must_use]
    pub fn and_pull(mut self, path: &str) -> Self {
        self.more.push(scope(path, Access::Pull));
        self
    }

    /// And what the registry asked for when it refused: its own name for what we do. Only for this repository: a
    /// registry is nobody to ask for more. Whether that is anything new.
    pub fn and_asked(&mut self, scopes: &str) -> bool {
        let own = format!("repository:{}:", self.path);
        let before = self.more.len();
        for asked in scopes.split_ascii_whitespace().take(MAX_SCOPES) {
            let known = self.scopes();
            if asked.starts_with(&own) && !known.iter().any(|known| covers(known, asked)) {
                self.more.push(asked.to_owned());
            }
        }
        self.more.len() > before
    }

    /// The scopes that the token must have.
    pub fn scopes(&self) -> Vec<String> {
        [scope(&self.path, self.access)].into_iter().chain(self.more.iter().cloned()).collect()
    }
}

/// Scopes of a challenge that are looked at.
const MAX_SCOPES: usize = 8;

/// Whether a scope holds every action of another one of the same resource.
fn covers(known: &str, asked: &str) -> bool {
    let (Some((resource, actions)), Some((other, wanted))) = (known.rsplit_once(':'), asked.rsplit_once(':'))
    else {
        return known == asked;
    };
    let has = |wanted: &str| actions.split(',').any(|action| action == wanted);
    resource == other && wanted.split(',').all(has)
}

/// Checks the token server that a registry at `registry` named, and adds what it must be told.
///
/// # Errors
/// In words, when the server must not be asked.
pub fn request_uri(registry: &Uri, realm: &str, service: &str, scopes: &[String]) -> Result<Uri, String> {
    let scopes = scopes.iter().map(|scope| ("scope", scope.as_str()));
    let given = [("service", service)].into_iter().chain(scopes).filter(|(_, value)| !value.is_empty());
    uri(registry, realm, &form(given))
}

/// The same for a server that is told in the request's body: see [`refresh`].
///
/// # Errors
/// In words, when the server must not be asked.
pub fn server_uri(registry: &Uri, realm: &str) -> Result<Uri, String> {
    uri(registry, realm, "")
}

/// The body that asks for a token by an identity token, as distribution's OAuth2 page has it: a `POST` of a form.
pub fn refresh(service: &str, scopes: &[String], identity: &Secret) -> String {
    form([
        ("grant_type", "refresh_token"),
        ("service", service),
        ("scope", &scopes.join(" ")),
        ("client_id", "docker-push-action"),
        ("refresh_token", identity.expose()),
    ])
}

/// Names and values as a query or as a form's body (`application/x-www-form-urlencoded`).
pub fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        percent_encode(&mut text, value);
    }
    text
}

fn uri(registry: &Uri, realm: &str, query: &str) -> Result<Uri, String> {
    let shown = text::name(realm);
    let uri: Uri =
        realm.parse().map_err(|_| format!("the token server that it names is not a URL: `{shown}`"))?;
    let authority =
        uri.authority().ok_or_else(|| format!("the token server that it names has no host: `{shown}`"))?;
    if authority.as_str().contains('@') {
        return Err(format!("the token server that it names has a login in its URL: `{shown}`"));
    }
    let near = is_loopback(registry) && is_loopback(&uri) || same_host(registry, &uri);
    let plain = registry.scheme() == Some(&Scheme::HTTP) && uri.scheme() == Some(&Scheme::HTTP);
    if uri.scheme() != Some(&Scheme::HTTPS) && !(plain && near) {
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
    if !query.is_empty() {
        text.push(separator);
        text.push_str(query);
    }
    text.parse().map_err(|_| format!("the token server that it names cannot be asked: `{shown}`"))
}

fn same_host(one: &Uri, other: &Uri) -> bool {
    one.host().zip(other.host()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// Adds a value of a query.
pub fn percent_encode(out: &mut String, value: &str) {
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
        .map_err(|_| "the token server's answer is not a JSON object with a token".to_owned())?;
    let token = [answer.token, answer.access_token].into_iter().flatten().find(|token| !token.is_empty());
    let token = token.ok_or("the token server's answer has no token")?;
    // It becomes a header: what cannot stand in one is no token.
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("the token server's token has characters that no token has".into());
    }
    let lifetime = answer.expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Token { secret: Secret::new(token), lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME).min(MAX_LIFETIME) })
}

/// Tokens by what they are for, with the moment after which each is fetched anew.
#[derive(Default)]
pub struct Cache(HashMap<Wanted, (Secret, Instant)>);

/// A token is given up this long before its end, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(5);

impl Cache {
    /// A token that is good at `now` for this; one for pushing also reads.
    pub fn get(&self, wanted: &Wanted, now: Instant) -> Option<&Secret> {
        let good = |wanted: &Wanted| self.0.get(wanted).filter(|(_, end)| *end > now).map(|(token, _)| token);
        match wanted.access {
            Access::Pull => good(&Wanted { access: Access::Push, ..wanted.clone() }).or_else(|| good(wanted)),
            Access::Push | Access::Delete => good(wanted),
        }
    }

    /// Keeps a token that came at `now`.
    pub fn put(&mut self, wanted: &Wanted, token: Token, now: Instant) {
        let end = now + token.lifetime.saturating_sub(MARGIN.min(token.lifetime / 2));
        self.0.insert(wanted.clone(), (token.secret, end));
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
    fn an_identity_token_goes_into_the_body() {
        let registry: Uri = "https://r.io".parse().unwrap();
        let scopes = [scope("a/b", Access::Pull), scope("a/c", Access::Pull)];
        assert_eq!(server_uri(&registry, "https://r.io/oauth2/token").unwrap(), "https://r.io/oauth2/token");
        assert!(server_uri(&registry, "http://r.io/oauth2/token").is_err());
        assert_eq!(
            refresh("r.io", &scopes, &Secret::new("i+d/t=")),
            "grant_type=refresh_token&service=r.io&scope=repository:a/b:pull%20repository:a/c:pull&client_id=docker-push-action&\
             refresh_token=i%2Bd/t%3D"
        );
    }

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
            // It is spoken to without TLS, as somebody has allowed for that host.
            (
                "http://r.io:5000",
                "http://R.io:5001/t",
                Ok("http://R.io:5001/t?service=s&scope=repository:a/b:pull,push"),
            ),
            ("http://r.io:5000", "http://auth.r.io/t", Err("not `https`")),
            ("http://r.io:5000", "http://localhost/t", Err("not `https`")),
            ("https://r.io", "http://r.io/token", Err("not `https`")),
            ("https://r.io", "http://localhost/token", Err("not `https`")),
            ("https://localhost:5000", "http://localhost:5001/token", Err("not `https`")),
            ("http://localhost:5000", "http://auth.io/token", Err("not `https`")),
            ("https://r.io", "ftp://r.io/token", Err("not `https`")),
            ("https://r.io", "https://u:p@r.io/token", Err("has a login")),
            ("https://r.io", "/token", Err("no host")),
            ("https://r.io", "", Err("not a URL")),
            ("https://r.io", "https://r.io/ token", Err("not a URL")),
        ];
        for (registry, realm, expected) in cases {
            let made = request_uri(&registry.parse().unwrap(), realm, "s", &[scope("a/b", Access::Push)]);
            match (made, expected) {
                (Ok(made), Ok(expected)) => assert_eq!(made.to_string(), *expected),
                (Err(made), Err(expected)) => assert!(made.contains(expected), "{made}"),
                (made, expected) => panic!("{realm}: {made:?}, not {expected:?}"),
            }
        }
        let hostile =
            request_uri(&"https://r.io".parse().unwrap(), "https://r.io/t", "a&b=c d#é", &[]).unwrap();
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
        let (push_b, pull_b) = (Wanted::new("a/b", Access::Push), Wanted::new("a/b", Access::Pull));
        let (push_c, pull_c) = (Wanted::new("a/c", Access::Push), Wanted::new("a/c", Access::Pull));
        let push = Token { secret: Secret::new("push"), lifetime: Duration::from_mins(1) };
        cache.put(&push_b, push.clone(), now);
        assert_eq!(cache.get(&pull_b, now), Some(&push.secret));
        assert_eq!(cache.get(&push_b, later(54)), Some(&push.secret));
        assert_eq!(cache.get(&push_b, later(55)), None);
        assert_eq!(cache.get(&pull_c, now), None);
        let pull = Token { secret: Secret::new("pull"), lifetime: Duration::from_secs(2) };
        cache.put(&pull_c, pull.clone(), now);
        assert_eq!(cache.get(&push_c, now), None);
        assert_eq!(cache.get(&pull_c, now), Some(&pull.secret));
        // A token for more, or for removing, is one of its own.
        assert_eq!(cache.get(&push_b.clone().and_pull("a/c"), now), None);
        assert_eq!(cache.get(&Wanted::new("a/b", Access::Delete), now), None);
        cache.forget(&pull.secret);
        assert_eq!(cache.get(&pull_c, now), None);
    }

    #[test]
    fn what_a_registry_may_ask_for_besides() {
        for (access, asked, expected) in [
            (Access::Pull, "", vec!["repository:a/b:pull"]),
            (Access::Push, "repository:a/b:pull", vec!["repository:a/b:pull,push"]),
            (Access::Push, "repository:a/b:push,pull", vec!["repository:a/b:pull,push"]),
            (Access::Push, "repository:a/b:*", vec!["repository:a/b:pull,push", "repository:a/b:*"]),
            (
                Access::Delete,
                "repository:a/b:delete,pull",
                vec!["repository:a/b:delete", "repository:a/b:delete,pull"],
            ),
            (Access::Pull, "repository:a/c:push registry:catalog:* x", vec!["repository:a/b:pull"]),
        ] {
            let mut wanted = Wanted::new("a/b", access);
            assert_eq!(wanted.and_asked(asked), expected.len() > 1, "{asked}");
            assert_eq!(wanted.scopes(), expected, "{asked}");
        }
        let both = Wanted::new("a/b", Access::Push).and_pull("base");
        assert_eq!(both.scopes(), ["repository:a/b:pull,push", "repository:base:pull"]);
    }
}
