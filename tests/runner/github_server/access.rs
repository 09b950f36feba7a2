//! Who asks, and what may be done with which repository: tokens with their permissions, as GitHub refuses them.
//!
//! A repository that a token does not see is not there (404). One that it sees is refused with 403, in words that tell
//! an App's token from a person's. What a person's token may do is limited by the person's own role as well.
//! Source: GitHub's pages "Permissions required for GitHub Apps" and "Troubleshooting the REST API".

use super::hosted::Home;
use super::http::Request;
use super::refusal::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// What a permission allows; writing includes reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Read,
    Write,
}

impl Level {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        if self == Self::Read { "read" } else { "write" }
    }
}

/// Permissions by their names in the API: `contents`, `pull_requests`, `issues`.
pub type Permissions = BTreeMap<String, Level>;

/// Permissions, written as `contents:write, pull_requests:write`. `metadata:read` is always among them.
pub fn permissions(text: &str) -> Permissions {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let mut all: Permissions = pairs
        .map(|pair| {
            let (name, level) = pair.split_once(':').expect("name:level");
            (name.to_owned(), Level::parse(level).expect("read or write"))
        })
        .collect();
    all.insert("metadata".into(), Level::Read);
    all
}

/// What an endpoint needs: one of these sets, all of it.
pub type Needs = &'static [&'static [(&'static str, Level)]];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A fine-grained personal access token.
    FineGrained,
    /// A classic one, with the scope `repo`.
    Classic,
    /// An installation's of an App.
    Installation,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub secret: String,
    /// The person, or `SLUG[bot]`.
    pub login: String,
    pub kind: Kind,
    /// By the repository's number; a classic token has none and sees what its person sees.
    pub grants: BTreeMap<u64, Permissions>,
    /// Expired or revoked.
    pub ended: bool,
}

/// The secret in the `Authorization` header, in each of the forms that GitHub takes.
pub fn secret(request: &Request) -> Option<String> {
    let (scheme, value) = request.header("authorization").split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Some(value.trim().to_owned()),
        "basic" => {
            let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

pub fn bad_credentials() -> Refusal {
    Refusal { page: Some("/rest"), ..Refusal::new(401, "Bad credentials") }
}

/// The header that names what an endpoint accepts.
pub fn accepted(needs: Needs) -> String {
    let set = |set: &&[(&str, Level)]| {
        let parts: Vec<String> = set.iter().map(|(name, level)| format!("{name}={}", level.name())).collect();
        parts.join(",")
    };
    needs.iter().map(set).collect::<Vec<_>>().join("; ")
}

/// How far a request got.
#[derive(Debug, PartialEq, Eq)]
pub enum Access {
    Allowed,
    /// The repository is hidden from whoever asks.
    Hidden,
    /// It is seen, and this is not allowed.
    Forbidden,
    /// Nobody has said who it is.
    Anonymous,
}

impl Token {
    /// What the words for a missing permission call this token.
    pub fn denied(&self) -> &'static str {
        match self.kind {
            Kind::Installation => "Resource not accessible by integration",
            _ => "Resource not accessible by personal access token",
        }
    }

    fn has(&self, home: &Home, needs: Needs) -> bool {
        let Some(granted) = self.grants.get(&home.id) else { return false };
        let held = |(name, level): &(&str, Level)| granted.get(*name).is_some_and(|held| held >= level);
        needs.is_empty() || needs.iter().any(|set| set.iter().all(held))
    }
}

/// Whether this may be done with a repository.
pub fn access(token: Option<&Token>, home: &Home, needs: Needs, writes: bool) -> Access {
    let Some(token) = token else {
        return match (home.public, writes) {
            (true, false) => Access::Allowed,
            (true, true) => Access::Anonymous,
            (false, _) => Access::Hidden,
        };
    };
    let role = home.roles.get(&token.login).copied();
    let (sees, may) = match token.kind {
        Kind::Installation => (token.grants.contains_key(&home.id), token.has(home, needs)),
        Kind::FineGrained => {
            let by_role = !writes || role == Some(Level::Write);
            (token.grants.contains_key(&home.id) && role.is_some(), token.has(home, needs) && by_role)
        }
        Kind::Classic => (role.is_some(), !writes && role.is_some() || role == Some(Level::Write)),
    };
    match (sees || home.public, may || home.public && !writes) {
        (false, _) => Access::Hidden,
        (true, true) => Access::Allowed,
        // GitHub hides what a classic token may not write, as if it were not there.
        (true, false) if token.kind == Kind::Classic => Access::Hidden,
        (true, false) => Access::Forbidden,
    }
}
