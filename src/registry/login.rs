//! What a request to a registry carries to be let in, and what no message may show.
//!
//! Basic goes to the registry's own origin only, a token goes to the registry that it is for, the password
//! goes to the token server only as [`super::token::request_uri`] allows.

use std::time::Instant;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use tokio::sync::Mutex;

use super::challenge::Challenge;
use super::error::Kind;
use super::error_response::error_response;
use super::token::{self, Cache, Token, Wanted};
use super::transport::{Answer, Call, Transport};
use crate::model::{Credentials, Secret, text};

/// Most bytes of a token server's answer.
const MAX_TOKEN_ANSWER: usize = 256 * 1024;

/// The login at one registry, with the tokens that it got.
pub struct Login {
    credentials: Option<Credentials>,
    tokens: Mutex<Cache>,
}

/// The proof that one request carries.
#[derive(Clone)]
pub enum Proof {
    /// Nothing was asked for.
    None,
    /// User name and password.
    Basic(HeaderValue),
    /// A token.
    Bearer(HeaderValue, Secret),
}

impl Proof {
    /// Adds it to a request.
    pub fn put(&self, headers: &mut HeaderMap) {
        if let Self::Basic(value) | Self::Bearer(value, _) = self {
            headers.insert(header::AUTHORIZATION, value.clone());
        }
    }
}

impl Login {
    /// With these credentials, or as nobody.
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, tokens: Mutex::default() }
    }

    /// Who logs in.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The proof that meets this challenge of the registry at `registry`. Requests that come together
    /// share one token.
    pub async fn prove(
        &self,
        transport: &Transport,
        registry: &Uri,
        challenge: Option<&Challenge>,
        wanted: &Wanted,
    ) -> Result<Proof, Kind> {
        match challenge {
            None => Ok(Proof::None),
            Some(Challenge::Basic) => match self.basic() {
                Some(value) => Ok(Proof::Basic(value)),
                None if self.identity_token().is_some() => Err(Kind::Unauthorized(
                    "it takes a user name and a password, not an identity token".into(),
                )),
                None => Err(Kind::Unauthorized(String::new())),
            },
            Some(Challenge::Bearer { realm, service, .. }) => {
                // Held while fetching, so that five tags in parallel cost one token.
                let mut tokens = self.tokens.lock().await;
                let kept = tokens.get(wanted, Instant::now()).cloned();
                let secret = if let Some(secret) = kept {
                    secret
                } else {
                    let call = self.token_call(registry, realm, service, &wanted.scopes());
                    let token = self.fetch(transport, call.map_err(Kind::NotAsked)?).await?;
                    let secret = token.secret.clone();
                    tokens.put(wanted, token, Instant::now());
                    secret
                };
                let value = sensitive(&format!("Bearer {}", secret.expose()));
                value
                    .map(|value| Proof::Bearer(value, secret))
                    .ok_or_else(|| Kind::Protocol("the token server's token cannot stand in a header".into()))
            }
        }
    }

    /// Forgets a proof that the registry did not take.
    pub async fn forget(&self, proof: &Proof) {
        if let Proof::Bearer(_, secret) = proof {
            self.tokens.lock().await.forget(secret);
        }
    }

    /// What the token server is asked: with an identity token by a form, else as distribution has it.
    fn token_call(
        &self,
        registry: &Uri,
        realm: &str,
        service: &str,
        scopes: &[String],
    ) -> Result<Call, String> {
        let (limit, what) = (MAX_TOKEN_ANSWER, "token server's answer");
        let mut headers = HeaderMap::new();
        if let Some(identity) = self.identity_token() {
            headers
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let uri = token::server_uri(registry, realm)?;
            let body = Bytes::from(token::refresh(service, scopes, identity));
            return Ok(Call { method: Method::POST, uri, headers, body, limit, what });
        }
        if let Some(basic) = self.basic() {
            headers.insert(header::AUTHORIZATION, basic);
        }
        let uri = token::request_uri(registry, realm, service, scopes)?;
        Ok(Call { method: Method::GET, uri, headers, body: Bytes::new(), limit, what })
    }

    async fn fetch(&self, transport: &Transport, call: Call) -> Result<Token, Kind> {
        let server = text::name(call.uri.host().unwrap_or_default());
        let answer = transport.exchange(call).await.map_err(|kind| match kind {
            Kind::ErrorResponse(_) | Kind::Protocol(_) | Kind::NotAsked(_) => kind,
            other => Kind::TokenServer { server: server.clone(), why: Box::new(other) },
        })?;
        if !answer.status.is_success() {
            let mut said = self.read_error(&answer, &Proof::None);
            let message = said.message.take().map_or_else(String::new, |message| format!(": {message}"));
            said.message = Some(format!("no token from `{server}`{message}"));
            return Err(Kind::ErrorResponse(said));
        }
        token::parse_answer(&answer.body).map_err(Kind::Protocol)
    }

    /// Reads an error answer; what we hold secret is gone from it.
    pub fn read_error(&self, answer: &Answer, proof: &Proof) -> super::error_response::ErrorResponse {
        let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let body = self.scrub(&String::from_utf8_lossy(&answer.body), proof);
        let mut said = error_response(answer.status.as_u16(), retry_after, body.as_bytes());
        // Again, as an escaped one shows only after the JSON was read.
        said.message = said.message.map(|text| self.scrub(&text, proof));
        said.code = said.code.map(|text| self.scrub(&text, proof));
        said
    }

    fn scrub(&self, text: &str, proof: &Proof) -> String {
        let mut text = text.to_owned();
        let mut remove = |secret: &str| {
            // Shorter ones would make every message unreadable, and protect nothing.
            if secret.len() >= 4 && text.contains(secret) {
                text = text.replace(secret, "***");
            }
        };
        if let Proof::Bearer(_, secret) = proof {
            remove(secret.expose());
        }
        if let Some(credentials) = &self.credentials {
            remove(&encode(credentials));
            remove(credentials.password.expose());
        }
        text
    }

    fn basic(&self) -> Option<HeaderValue> {
        let login = self.credentials.as_ref().filter(|login| login.identity_token().is_none())?;
        sensitive(&format!("Basic {}", encode(login)))
    }

    fn identity_token(&self) -> Option<&Secret> {
        self.credentials.as_ref()?.identity_token()
    }
}

fn encode(credentials: &Credentials) -> String {
    let pair = format!("{}:{}", credentials.username, credentials.password.expose());
    base64::engine::general_purpose::STANDARD.encode(pair)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}
