//! A repository on a GitHub server, by its name.

use std::fmt;

use serde::Serialize;

use super::text;

/// `owner/name`, as it was typed. GitHub compares both without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct GithubRepository(String);

/// The text is no name of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a repository on GitHub (for example `acme/infra`)")]
pub struct InvalidGithubRepository(String);

impl GithubRepository {
    /// Reads `owner/name`: letters, digits, `-`, `_` and `.`, at most 39 and 100 of them.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(name: &str) -> Result<Self, InvalidGithubRepository> {
        let plain = |text: &str, most: usize| {
            let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            (1..=most).contains(&text.len()) && text.bytes().all(known) && !matches!(text, "." | "..")
        };
        let sound = name.split_once('/').is_some_and(|(owner, name)| plain(owner, 39) && plain(name, 100));
        if sound { Ok(Self(name.to_owned())) } else { Err(InvalidGithubRepository(text::name(name))) }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(owner, _)| owner)
    }

    /// Its name beside its owner's other ones.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether both are the same to GitHub.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl fmt::Display for GithubRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["acme/infra", "a-b/c.d_e", "A/B", "u_corp/.github"] {
            assert_eq!(GithubRepository::parse(good).unwrap().as_str(), good);
        }
        let long = format!("a/{}", "b".repeat(101));
        for bad in
            ["", "acme", "/a", "a/", "a/b/c", "a/..", "a b/c", "a/b?x", "https://github.com/a/b", &long]
        {
            assert!(GithubRepository::parse(bad).is_err(), "{bad}");
        }
        let one = GithubRepository::parse("Acme/Infra").unwrap();
        assert_eq!((one.owner(), one.name(), one.is("acme/infra")), ("Acme", "Infra", true));
    }
}
