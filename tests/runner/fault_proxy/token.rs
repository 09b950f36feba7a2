//! The tokens of a proxy that asks for some: any login gets one, and each is good until the script ends it. Or the logins
//! themselves, likewise.

use super::wire::{Kind, Request, header};
use super::{Act, Answer};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Tokens that are good, by their text.
#[derive(Debug, Default)]
pub struct Tokens {
    given: u32,
    good: BTreeSet<String>,
}

impl Tokens {
    /// None of those that were given is good any more.
    pub fn expire(&mut self) {
        self.good.clear();
    }

    /// An answer for whoever asks for a token or comes without a good one; nothing for the others.
    pub fn judge(&mut self, request: &Request, head: &[u8], host: &str) -> Option<Answer> {
        if request.kind == Kind::Token {
            if request.method != "GET" {
                // BuildKit tries OAuth's way first, and falls back to this.
                return Some(Answer::status(405));
            }
            self.given += 1;
            let token = format!("token-{}", self.given);
            self.good.insert(token.clone());
            let body = format!(r#"{{"token":"{token}","expires_in":3600}}"#).into_bytes();
            return Some(Answer { status: 200, headers: Vec::new(), body });
        }
        let shown = header(head, "authorization");
        let good = shown.as_deref().and_then(|shown| shown.strip_prefix("Bearer "));
        if good.is_some_and(|token| self.good.contains(token)) {
            return None;
        }
        let mut challenge = format!(r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="test""#);
        if let Some(repository) = request.repository() {
            let _ = write!(challenge, r#",scope="repository:{repository}:pull,push""#);
        }
        if good.is_some() {
            challenge.push_str(r#",error="invalid_token""#);
        }
        let mut answer = Answer::status(401);
        answer.headers.push(challenge);
        Some(answer)
    }
}

/// Logins that have ended, as they stood in headers. Any other is good.
#[derive(Debug, Default)]
pub struct Logins {
    ended: BTreeSet<String>,
}

impl Logins {
    /// An answer for whoever comes without a good login; nothing for the others. `ends`: this one ends now.
    pub fn judge(&mut self, head: &[u8], ends: bool) -> Option<Answer> {
        let shown = header(head, "authorization").filter(|shown| shown.starts_with("Basic "));
        if let Some(shown) = shown {
            if ends {
                self.ended.insert(shown.clone());
            }
            if !self.ended.contains(&shown) {
                return None;
            }
        }
        let mut answer = Answer::status(401);
        answer.headers.push("WWW-Authenticate: Basic realm=\"test\"".to_owned());
        Some(answer)
    }
}

/// The head without the token, which the registry behind knows nothing of.
pub fn without(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let lines = text.split_inclusive("\r\n");
    lines
        .filter(|line| !line.to_ascii_lowercase().starts_with("authorization:"))
        .collect::<String>()
        .into_bytes()
}

impl Act {
    /// A push that is forbidden from here on.
    pub fn forbid() -> Self {
        Self::Answer(Answer {
            status: 403,
            headers: Vec::new(),
            body: br#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#
                .to_vec(),
        })
    }
}
