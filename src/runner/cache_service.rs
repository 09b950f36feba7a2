//! GitHub's cache service as the runner offers it to this job: whether it is there, and what the job may do with it.
//!
//! Container actions get `ACTIONS_RESULTS_URL`, `ACTIONS_RUNTIME_TOKEN` and `ACTIONS_CACHE_MODE`, but no
//! `ACTIONS_CACHE_SERVICE_V2` (actions/runner, `NodeScriptActionHandler.cs` alone sets that). Keeps no token: only what
//! its claims say is read, without proof, as `GitHub` is the one that checks them. Source of the claim `ac`: the
//! cache client of BuildKit (`tonistiigi/go-actions-cache`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What the job may do with GitHub's cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheService {
    /// Its address and the job's token are there.
    pub available: bool,
    /// The variable that is missing where only one of the two is.
    pub lacks: Option<&'static str>,
    /// `ACTIONS_CACHE_MODE`, the workflow's `cache-mode`.
    pub mode: CacheAccess,
    /// The token allows writing; absent where its claims cannot be read.
    pub token_may_write: Option<bool>,
}

/// `ACTIONS_CACHE_MODE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheAccess {
    /// `write`, or not said: everything.
    #[default]
    ReadWrite,
    /// `read`.
    Read,
    /// `write-only`.
    WriteOnly,
    /// `none`.
    Nothing,
}

/// Where the service is.
const URL: &str = "ACTIONS_RESULTS_URL";
/// The job's token for it.
const TOKEN: &str = "ACTIONS_RUNTIME_TOKEN";

impl CacheService {
    /// From the process's variables.
    pub(super) fn read<'a>(get: impl Fn(&str) -> &'a str) -> Self {
        let (url, token) = (get(URL), get(TOKEN));
        Self {
            available: !url.is_empty() && !token.is_empty(),
            lacks: match (url.is_empty(), token.is_empty()) {
                (true, false) => Some(URL),
                (false, true) => Some(TOKEN),
                _ => None,
            },
            mode: match get("ACTIONS_CACHE_MODE") {
                "read" => CacheAccess::Read,
                "write-only" => CacheAccess::WriteOnly,
                "none" => CacheAccess::Nothing,
                _ => CacheAccess::ReadWrite,
            },
            token_may_write: token_may_write(token),
        }
    }
}

/// What the token's claim `ac` says: a JSON text with the cache's scopes, permission 1 reads and 2 writes.
fn token_may_write(token: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct Claims {
        ac: String,
    }
    #[derive(Deserialize)]
    struct Scope {
        #[serde(rename = "Permission", default)]
        permission: u32,
    }
    const WRITE: u32 = 2;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let scopes: Vec<Scope> = serde_json::from_str(&claims.ac).ok()?;
    Some(scopes.iter().any(|scope| scope.permission & WRITE != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_the_runner_says() {
        let read = |variables: &[(&str, &str)]| {
            CacheService::read(|name| {
                variables.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value)
            })
        };
        let both = [("ACTIONS_RESULTS_URL", "https://r/"), ("ACTIONS_RUNTIME_TOKEN", "t")];
        assert_eq!(read(&[]), CacheService::default());
        assert!(read(&both).available);
        for (given, lacks) in [
            (&both[..], None),
            (&both[..1], Some("ACTIONS_RUNTIME_TOKEN")),
            (&both[1..], Some("ACTIONS_RESULTS_URL")),
            (&[], None),
        ] {
            let service = read(given);
            assert_eq!((service.available, service.lacks), (given.len() == 2, lacks));
        }
        for (text, mode) in [
            ("read", CacheAccess::Read),
            ("write", CacheAccess::ReadWrite),
            ("write-only", CacheAccess::WriteOnly),
            ("none", CacheAccess::Nothing),
            ("", CacheAccess::ReadWrite),
        ] {
            assert_eq!(read(&[("ACTIONS_CACHE_MODE", text)]).mode, mode, "{text}");
        }
    }

    #[test]
    fn what_a_token_allows() {
        let scopes = |text: &str| token(&serde_json::json!({ "ac": text }).to_string());
        for (token, expected) in [
            (scopes(r#"[{"Scope":"refs/heads/main","Permission":3}]"#), Some(true)),
            (
                scopes(r#"[{"Scope":"refs/pull/1/merge","Permission":1},{"Scope":"m","Permission":1}]"#),
                Some(false),
            ),
            (scopes(r#"[{"Scope":"a","Permission":1},{"Scope":"b","Permission":2}]"#), Some(true)),
            (scopes("[]"), Some(false)),
            (scopes("{}"), None),
            (token("{}"), None),
            (token("[1"), None),
            ("e30.%%%.x".into(), None),
            ("opaque".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(token_may_write(&token), expected, "{token}");
        }
    }
}
