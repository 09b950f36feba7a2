//! The repositories that an image goes to.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{RegistryHost, Repository};

/// The repositories that an image goes to: at least one, each once. The first one is the one that outputs, caches and
/// other inputs mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Vec<Repository>")]
pub struct Targets {
    first: Repository,
    others: Vec<Repository>,
}

impl Targets {
    /// This repository, and those besides; one that is named again is left out.
    pub fn new(first: Repository, others: impl IntoIterator<Item = Repository>) -> Self {
        let mut targets = Self { first, others: Vec::new() };
        for other in others {
            if !targets.contains(&other) {
                targets.others.push(other);
            }
        }
        targets
    }

    /// These, if there is at least one.
    pub fn of(repositories: impl IntoIterator<Item = Repository>) -> Option<Self> {
        let mut repositories = repositories.into_iter();
        Some(Self::new(repositories.next()?, repositories))
    }

    /// The first one.
    pub fn first(&self) -> &Repository {
        &self.first
    }

    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Repository> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// How many there are, at least 1.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether this repository is one of them.
    pub fn contains(&self, repository: &Repository) -> bool {
        self.iter().any(|known| known == repository)
    }

    /// Their registries, each once.
    pub fn registries(&self) -> BTreeSet<&RegistryHost> {
        self.iter().map(Repository::registry).collect()
    }

    /// Those that are not left out, if any remain.
    #[must_use]
    pub fn without(&self, left_out: &[Repository]) -> Option<Self> {
        Self::of(self.iter().filter(|one| !left_out.contains(one)).cloned())
    }
}

impl From<Repository> for Targets {
    fn from(only: Repository) -> Self {
        Self { first: only, others: Vec::new() }
    }
}

impl From<Targets> for Vec<Repository> {
    fn from(targets: Targets) -> Self {
        std::iter::once(targets.first).chain(targets.others).collect()
    }
}

/// Their names, separated by commas.
impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, repository) in self.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{repository}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> Repository {
        Repository::parse(name).unwrap()
    }

    #[test]
    fn each_once_and_never_none() {
        let targets = Targets::new(at("r.io/a"), [at("s.io/a"), at("r.io/a"), at("s.io/b")]);
        assert_eq!(targets.to_string(), "r.io/a, s.io/a, s.io/b");
        assert_eq!((targets.count(), targets.are_several()), (3, true));
        assert_eq!(targets.registries().len(), 2);
        assert_eq!(serde_json::to_string(&targets).unwrap(), r#"["r.io/a","s.io/a","s.io/b"]"#);
        let left = targets.without(&[at("r.io/a"), at("s.io/b")]).unwrap();
        assert_eq!(left, Targets::from(at("s.io/a")));
        assert_eq!(left.without(&[at("s.io/a")]), None);
        assert_eq!(Targets::of([]), None);
    }
}
