//! Names that Git gives: commits and refs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// A full commit id: 40 (SHA-1) or 64 (SHA-256) hexadecimal characters, lower case, not all zeros.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// The text is no commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a commit id (expected 40 hexadecimal characters)")]
pub struct InvalidCommitId(String);

impl CommitId {
    /// Reads a full id. The all-zero id, which GitHub sends for a ref that was deleted, is none.
    pub fn parse(text: &str) -> Result<Self, InvalidCommitId> {
        let hex = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if hex && text.bytes().any(|b| b != b'0') {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidCommitId(text::name(text)))
        }
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first `length` characters (all, if there are fewer).
    pub fn cut(&self, length: usize) -> &str {
        &self.0[..length.min(self.0.len())]
    }
}

/// A ref as GitHub names it in `GITHUB_REF`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum GitRef {
    /// `refs/heads/<name>`
    Branch(String),
    /// `refs/tags/<name>`
    Tag(String),
    /// `refs/pull/<number>/merge` or `/head`
    Pull(u64),
    /// Anything else, whole.
    Other(String),
}

impl GitRef {
    /// Reads `refs/…`. Never fails: what has no meaning here is `Other`.
    pub fn parse(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("refs/heads/") {
            return Self::Branch(name.to_owned());
        }
        if let Some(name) = text.strip_prefix("refs/tags/") {
            return Self::Tag(name.to_owned());
        }
        let number = text
            .strip_prefix("refs/pull/")
            .and_then(|rest| rest.split('/').next())
            .and_then(|number| number.parse().ok());
        number.map_or_else(|| Self::Other(text.to_owned()), Self::Pull)
    }

    /// The branch's or tag's name, `N/merge` for a pull request, the whole text of another.
    pub fn name(&self) -> String {
        match self {
            Self::Branch(name) | Self::Tag(name) | Self::Other(name) => name.clone(),
            Self::Pull(number) => format!("{number}/merge"),
        }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitId {
    type Error = InvalidCommitId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_ids() {
        let id = CommitId::parse("0123456789ABCDEF0123456789abcdef01234567").unwrap();
        assert_eq!(id.cut(7), "0123456");
        assert_eq!(id.cut(99), id.as_str());
        assert_eq!(id.as_str(), "0123456789abcdef0123456789abcdef01234567");
        for bad in ["", "abc", &"0".repeat(40), &"g".repeat(40), &"1".repeat(41)] {
            assert!(CommitId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refs() {
        assert_eq!(GitRef::parse("refs/heads/a/b"), GitRef::Branch("a/b".into()));
        assert_eq!(GitRef::parse("refs/tags/v1"), GitRef::Tag("v1".into()));
        assert_eq!(GitRef::parse("refs/pull/12/merge"), GitRef::Pull(12));
        assert_eq!(GitRef::parse("refs/pull/x/merge"), GitRef::Other("refs/pull/x/merge".into()));
        assert_eq!(GitRef::parse("refs/pull/12/merge").name(), "12/merge");
    }
}
