//! Commits and refs: what stands before what, and what a ref is now.
//!
//! Sources: GitHub's REST pages "Commits", "Git references", "Git tags", "Branches". The list of a comparison's files,
//! which can be long, stands on its first page only: the second is asked for.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{GitHub, GitHubError};
use crate::model::{CommitId, History, Relation, text};

/// A ref that moving tags follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefName {
    /// A branch, by name.
    Branch(String),
    /// A Git tag, by name.
    Tag(String),
    /// A pull request's head.
    Pull(u64),
}

impl RefName {
    /// By its whole name: `refs/heads/main`, `refs/tags/v1`.
    pub fn parse(name: &str) -> Option<Self> {
        let branch = name.strip_prefix("refs/heads/").map(|name| Self::Branch(name.to_owned()));
        branch.or_else(|| name.strip_prefix("refs/tags/").map(|name| Self::Tag(name.to_owned())))
    }
}

/// Names of branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// They, in GitHub's order.
    pub names: Vec<String>,
    /// There are no others.
    pub all: bool,
}

#[derive(Deserialize)]
struct Comparison {
    status: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: CommitId,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Commit {
    sha: CommitId,
    #[serde(default)]
    parents: Vec<Parent>,
}

#[derive(Deserialize)]
struct Parent {
    sha: CommitId,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

#[derive(Deserialize)]
struct Repository {
    default_branch: String,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    parents: Vec<Parent>,
    committer: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    date: Option<String>,
}

/// What a commit says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitDetails {
    /// Its parents, in order.
    pub parents: Vec<CommitId>,
    /// Its committer's time, Unix seconds, where it is one.
    pub time: Option<i64>,
}

/// Tags of tags that are followed.
const DEEPEST: usize = 4;
/// Branches of one answer, which is the most that GitHub gives, and answers that are asked for.
const PAGE: usize = 100;
const PAGES: usize = 10;

impl GitHub {
    /// How `new` stands to `old`.
    ///
    /// # Errors
    /// `Refused` with status 404 or 422 where GitHub does not know one of them.
    pub async fn relation(
        &self,
        repository: &str,
        old: &CommitId,
        new: &CommitId,
    ) -> Result<Relation, GitHubError> {
        let route = format!("/repos/{repository}/compare/{old}...{new}?per_page=1&page=2");
        let comparison: Comparison = self.ask(format!("how {new} stands to {old}"), route).await?;
        Ok(match comparison.status.as_str() {
            "identical" => Relation::Same,
            "ahead" => Relation::Ahead,
            "behind" => Relation::Behind,
            "diverged" => Relation::Diverged,
            other => Relation::Unknown(format!("GitHub says `{}`", text::name(other))),
        })
    }

    /// The newest commits of a ref, `longest` of them; none when the ref is gone. A ref that is at `known` is not
    /// looked into: there is nothing newer.
    pub async fn history(
        &self,
        repository: &str,
        reference: &RefName,
        known: Option<&CommitId>,
        longest: usize,
    ) -> Result<History, GitHubError> {
        let Some(tip) = self.tip(repository, reference).await? else { return Ok(History::default()) };
        if Some(&tip) == known {
            return Ok(History { commits: vec![(tip.clone(), Vec::new())], tip: Some(tip) });
        }
        let route = format!("/repos/{repository}/commits?sha={tip}&per_page={longest}");
        let listed: Vec<Commit> = self.ask(format!("the commits up to {tip}"), route).await?;
        let commits = listed.into_iter().take(longest);
        let commits =
            commits.map(|one| (one.sha, one.parents.into_iter().map(|parent| parent.sha).collect()));
        Ok(History { tip: Some(tip), commits: commits.collect() })
    }

    /// The branches that point to this commit.
    pub async fn branches_at(&self, repository: &str, commit: &CommitId) -> Result<Vec<String>, GitHubError> {
        let route = format!("/repos/{repository}/commits/{commit}/branches-where-head");
        let branches: Vec<Branch> = self.ask(format!("the branches at {commit}"), route).await?;
        Ok(branches.into_iter().map(|branch| branch.name).collect())
    }

    /// The branches, as many as can be listed in a few answers.
    pub async fn branches(&self, repository: &str) -> Result<Listed, GitHubError> {
        let mut names = Vec::new();
        for page in 1..=PAGES {
            let route = format!("/repos/{repository}/branches?per_page={PAGE}&page={page}");
            let branches: Vec<Branch> = self.ask(format!("the branches of {repository}"), route).await?;
            let last = branches.len() < PAGE;
            names.extend(branches.into_iter().map(|branch| branch.name));
            if last {
                return Ok(Listed { names, all: true });
            }
        }
        Ok(Listed { names, all: false })
    }

    /// Whether GitHub has this commit of the repository.
    pub async fn has_commit(&self, repository: &str, commit: &CommitId) -> Result<bool, GitHubError> {
        let route = format!("/repos/{repository}/git/commits/{commit}");
        let found = self.ask::<IgnoredAny>(format!("whether there is {commit}"), route).await;
        Ok(self.there(repository, found).await?.is_some())
    }

    /// Whether a branch of this name exists and has the commit.
    pub async fn is_on_branch(
        &self,
        repository: &str,
        branch: &str,
        commit: &CommitId,
    ) -> Result<bool, GitHubError> {
        let Some(tip) = self.tip(repository, &RefName::Branch(branch.to_owned())).await? else {
            return Ok(false);
        };
        let relation =
            if tip == *commit { Relation::Same } else { self.relation(repository, commit, &tip).await? };
        Ok(matches!(relation, Relation::Same | Relation::Ahead))
    }

    /// The commit that a ref points to; `None` where it is gone, or points to something else.
    ///
    /// # Errors
    /// Also where this token does not see the repository at all: then every ref seems to be gone.
    pub async fn tip(&self, repository: &str, reference: &RefName) -> Result<Option<CommitId>, GitHubError> {
        let (kind, name) = match reference {
            RefName::Pull(number) => {
                let head = self.pull_request_head(repository, *number).await;
                return self.there(repository, head.map(|head| head.sha)).await;
            }
            RefName::Branch(name) => ("heads", name),
            RefName::Tag(name) => ("tags", name),
        };
        self.commit_of(repository, &format!("{kind}/{name}")).await
    }

    /// The commit that a ref of this whole name, without `refs/`, points to: `heads/main`, `pull/7/merge`. `None` where it is
    /// gone, or points to something else.
    ///
    /// # Errors
    /// Also where this token does not see the repository at all.
    pub async fn commit_of(&self, repository: &str, name: &str) -> Result<Option<CommitId>, GitHubError> {
        let route = format!("/repos/{repository}/git/ref/{}", escaped(name));
        let found = self.ask::<Reference>(format!("what {name} is"), route).await;
        let Some(found) = self.there(repository, found).await? else { return Ok(None) };
        let mut object = found.object;
        for _ in 0..DEEPEST {
            if object.kind != "tag" {
                break;
            }
            let route = format!("/repos/{repository}/git/tags/{}", object.sha);
            object = self.ask::<Reference>(format!("what the tag {name} is"), route).await?.object;
        }
        Ok((object.kind == "commit").then_some(object.sha))
    }

    /// The branch that is fetched when none is named.
    pub async fn default_branch(&self, repository: &str) -> Result<String, GitHubError> {
        let found: Repository = self.ask(repository.to_owned(), format!("/repos/{repository}")).await?;
        Ok(found.default_branch)
    }

    /// What a commit says of itself.
    pub async fn commit(&self, repository: &str, commit: &CommitId) -> Result<CommitDetails, GitHubError> {
        let route = format!("/repos/{repository}/git/commits/{commit}");
        let found: Details = self.ask(format!("commit {commit}"), route).await?;
        let time = found.committer.and_then(|by| by.date?.parse::<jiff::Timestamp>().ok());
        Ok(CommitDetails {
            parents: found.parents.into_iter().map(|parent| parent.sha).collect(),
            time: time.map(jiff::Timestamp::as_second),
        })
    }

    /// What is not there is no error, where the repository itself is: GitHub hides that from who may not read it.
    async fn there<T>(
        &self,
        repository: &str,
        answer: Result<T, GitHubError>,
    ) -> Result<Option<T>, GitHubError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_unknown() => {
                self.ask::<IgnoredAny>(repository.to_owned(), format!("/repos/{repository}")).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A ref's name as a part of a path: slashes stay.
pub(super) fn escaped(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths() {
        assert_eq!(escaped("feature/A_b.1-x"), "feature/A_b.1-x");
        assert_eq!(escaped("a b?c#d%é&"), "a%20b%3Fc%23d%25%C3%A9%26");
    }
}
