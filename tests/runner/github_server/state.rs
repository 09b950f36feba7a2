//! What the server knows, and the way of a request through it: what was planned for the call, the answer, the record.

use super::access::{self, Kind, Permissions, Token, secret};
use super::apps::{App, Installation};
use super::faults::{Fault, Rule, at_call};
use super::hosted::Home;
use super::http::{self, Answer, Request};
use super::refusal::Refusal;
use super::{graphql, lock, now, routes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::io::BufReader;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Unix seconds of the first thing that happens; each later one is a minute after it.
const FIRST: u64 = 1_795_163_411;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    /// Below the API's root, without the query; of GraphQL the mutation and the repository.
    pub what: String,
    pub query: String,
    /// 0 when the connection was cut.
    pub status: u16,
    /// The token's login, `app` for a JWT, empty for nobody, `?` for credentials that are not known.
    pub who: String,
    /// The `Authorization` header as it came.
    pub authorization: String,
}

/// Where the API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Cloud,
    Enterprise,
}

/// Everything that the server knows.
pub struct State {
    pub shape: Shape,
    pub address: SocketAddr,
    pub root: tempfile::TempDir,
    pub homes: Vec<Home>,
    pub tokens: Vec<Token>,
    pub apps: Vec<App>,
    pub installations: Vec<Installation>,
    pub rules: Vec<Rule>,
    pub calls: Vec<Call>,
    pub ticks: u64,
}

impl State {
    /// Where the server is, without a path.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The root of the REST API.
    pub fn api(&self) -> String {
        match self.shape {
            Shape::Cloud => self.origin(),
            Shape::Enterprise => format!("{}/api/v3", self.origin()),
        }
    }

    pub fn web(&self) -> String {
        self.origin()
    }

    /// The root of the documentation.
    pub fn docs(&self) -> String {
        match self.shape {
            Shape::Cloud => "https://docs.github.com".into(),
            Shape::Enterprise => "https://docs.github.com/enterprise-server@3.17".into(),
        }
    }

    /// A repository's place, by its name in any case.
    pub fn find(&self, full_name: &str) -> Option<usize> {
        let key = full_name.to_lowercase();
        self.homes.iter().position(|home| home.key() == key)
    }

    /// The next moment, in Unix seconds.
    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        FIRST + 60 * self.ticks
    }

    /// The numbers of repositories that there are.
    pub fn ids(&self, names: &[&str]) -> Vec<u64> {
        let id = |name: &&str| self.find(name).map(|at| self.homes[at].id);
        names
            .iter()
            .map(|name| id(name).unwrap_or_else(|| panic!("there is no repository `{name}`")))
            .collect()
    }

    /// A new token; its secret.
    pub fn give(
        &mut self,
        prefix: &str,
        kind: Kind,
        login: &str,
        ids: &[u64],
        granted: &Permissions,
    ) -> String {
        let number = self.tokens.len() as u64 + 7;
        let secret = match (kind, self.shape) {
            (Kind::Installation, Shape::Cloud) => stateless(prefix, login, number),
            _ => format!("{prefix}{:036}", 123_456_789_012_345 * number),
        };
        let grants = ids.iter().map(|id| (*id, granted.clone())).collect();
        self.tokens.push(Token {
            secret: secret.clone(),
            login: login.to_owned(),
            kind,
            grants,
            ended: false,
        });
        secret
    }

    /// The token of a request; none for nobody, refused when it is not known.
    pub fn token(&self, request: &Request) -> Result<Option<Token>, Refusal> {
        if request.header("authorization").is_empty() {
            return Ok(None);
        }
        let known = secret(request)
            .and_then(|secret| self.tokens.iter().find(|token| token.secret == secret && !token.ended));
        known.cloned().map(Some).ok_or_else(access::bad_credentials)
    }

    pub fn who(&self, request: &Request) -> String {
        match self.token(request) {
            Ok(None) => String::new(),
            Ok(Some(token)) => token.login,
            Err(_) if secret(request).is_some_and(|secret| secret.starts_with("eyJ")) => "app".into(),
            Err(_) => "?".into(),
        }
    }
}

/// Answers the requests of one connection, until either side has enough.
pub fn serve(stream: TcpStream, state: &Mutex<State>, stopped: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_mins(2)))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read(&mut reader)? {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        let answer = match handle(state, &request) {
            Ok(answer) => answer,
            Err(Broken::Cut) => break,
            // Until it hangs up.
            Err(Broken::Silent) => {
                http::read(&mut reader)?;
                break;
            }
        };
        http::write(reader.get_mut(), &answer)?;
        if request.header("connection").eq_ignore_ascii_case("close") {
            break;
        }
    }
    Ok(())
}

/// How a connection ends without an answer.
enum Broken {
    Cut,
    Silent,
}

/// One request with all that was planned for it.
fn handle(state: &Mutex<State>, request: &Request) -> Result<Answer, Broken> {
    let (what, graphql) = lock(state).named(request);
    let call = if graphql { what.clone() } else { format!("{} {what}", request.method) };
    let (hooks, fault) = at_call(&mut lock(state).rules, &call);
    // Whoever pushes now takes the lock.
    for hook in hooks {
        hook();
    }
    let mut state = lock(state);
    // A minted token is known only afterwards.
    let who = state.who(request);
    let done = match fault {
        Some(Fault::Instead(_) | Fault::Cut | Fault::Silence) => None,
        _ => Some(state.answer(request, graphql)),
    };
    let answer = match fault {
        None => done.ok_or(Broken::Cut),
        Some(Fault::Instead(answer) | Fault::After(answer)) => Ok(answer),
        Some(Fault::Cut | Fault::CutAfter) => Err(Broken::Cut),
        Some(Fault::Silence) => Err(Broken::Silent),
    };
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    state.calls.push(Call {
        method: request.method.clone(),
        what,
        query: query.join("&"),
        status: answer.as_ref().map_or(0, |answer| answer.status),
        who,
        authorization: request.header("authorization").to_owned(),
    });
    answer.map(|answer| state.signed(answer, graphql))
}

impl State {
    /// What a request is called in patterns and records, and whether it is GraphQL's.
    fn named(&self, request: &Request) -> (String, bool) {
        let (root, graphql) = match self.shape {
            Shape::Cloud => ("", "/graphql"),
            Shape::Enterprise => ("/api/v3", "/api/graphql"),
        };
        if request.path == graphql && request.method == "POST" {
            return (graphql::operation(self, request).unwrap_or_else(|| request.path.clone()), true);
        }
        (request.path.strip_prefix(root).unwrap_or(&request.path).to_owned(), false)
    }

    fn answer(&mut self, request: &Request, graphql: bool) -> Answer {
        let docs = self.docs();
        if request.header("user-agent").is_empty() {
            let words = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Refusal::new(403, words).answer(&docs, "/rest");
        }
        let version = request.header("x-github-api-version");
        if !matches!(version, "" | "2022-11-28" | "2026-03-10") {
            let words = format!("{version} is not a supported API version.");
            return Refusal::new(400, words).answer(&docs, "/rest/about-the-rest-api/api-versions");
        }
        if graphql {
            return graphql::answer(self, request);
        }
        let root: &[&str] = if self.shape == Shape::Cloud { &[] } else { &["api", "v3"] };
        let parts = request.parts();
        match parts.get(..root.len()) {
            Some(start) if start == root => routes::answer(self, request, &parts[root.len()..]),
            _ => Refusal::not_found().answer(&docs, "/rest"),
        }
    }

    /// What stands in the head of every answer.
    fn signed(&self, answer: Answer, graphql: bool) -> Answer {
        let used = self.calls.len();
        let limits = [
            ("date", date(now())),
            ("x-ratelimit-limit", "5000".to_owned()),
            ("x-ratelimit-remaining", 5000_usize.saturating_sub(used).to_string()),
            ("x-ratelimit-used", used.to_string()),
            ("x-ratelimit-reset", (now() + 1800).to_string()),
            ("x-ratelimit-resource", if graphql { "graphql" } else { "core" }.to_owned()),
            ("x-github-request-id", format!("0401:1234:{used:X}")),
            ("x-github-api-version-selected", "2022-11-28".to_owned()),
        ];
        let missing = |answer: &Answer, name: &str| !answer.headers.iter().any(|(known, _)| known == name);
        limits.into_iter().fold(answer, |answer, (name, value)| {
            if missing(&answer, name) { answer.header(name, value) } else { answer }
        })
    }
}

/// An installation's token as GitHub gives it since 2026: about 520 characters, the App's number and a JWT of its own.
fn stateless(prefix: &str, login: &str, number: u64) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "2026-04" });
    let claims = json!({ "iss": "github", "sub": login, "jti": number, "iat": FIRST, "exp": FIRST + 3600 });
    let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let seed = (0..256_u64).map(|at| (at * 31 + number * 17) % 256);
    let signature: Vec<u8> = seed.map(|byte| u8::try_from(byte).unwrap_or_default()).collect();
    format!("{prefix}{}_{}.{}", 4_000_000 + number, parts.join("."), URL_SAFE_NO_PAD.encode(signature))
}

/// A time as HTTP writes it.
fn date(seconds: u64) -> String {
    let time = jiff::Timestamp::from_second(seconds.try_into().unwrap_or_default()).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
