//! Pull requests of environments: found, opened, renewed, closed.
//!
//! Sources: GitHub's REST pages "Pull requests", "Labels", "Review requests", "Issue comments"; GraphQL reference, "Pulls", for
//! what REST does not have.

use http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::history::escaped;
use super::{GitHub, GitHubError};
use crate::model::CommitId;

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its id in GraphQL.
    pub node_id: String,
    /// Where its branch is.
    pub head: CommitId,
    /// It is open.
    pub is_open: bool,
    /// It is merged by itself.
    pub auto_merge: bool,
}

/// A pull request that is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewPullRequest<'a> {
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
    /// The branch with what is proposed.
    pub head: &'a str,
    /// The branch that it is proposed for.
    pub base: &'a str,
    /// It is a draft.
    pub draft: bool,
}

#[derive(Deserialize)]
struct Found {
    number: u64,
    html_url: String,
    node_id: String,
    state: String,
    head: Head,
    auto_merge: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    name: String,
    sha: CommitId,
    repo: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    full_name: String,
}

impl From<Found> for PullRequest {
    fn from(found: Found) -> Self {
        let Found { number, html_url: url, node_id, state, head, auto_merge } = found;
        let (is_open, auto_merge) = (state == "open", auto_merge.is_some());
        Self { number, url, node_id, head: head.sha, is_open, auto_merge }
    }
}

impl GitHub {
    /// The open pull request of a branch of the repository itself.
    pub async fn open_pull_request(
        &self,
        repository: &str,
        branch: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, GitHubError> {
        let found = self.pull_requests(repository, (branch, base), "open").await?;
        Ok(found.into_iter().next().map(PullRequest::from))
    }

    /// Whether a pull request of this branch was closed, merged or not, when the branch was at this commit.
    pub async fn was_proposed(
        &self,
        repository: &str,
        branch: &str,
        base: &str,
        head: &CommitId,
    ) -> Result<bool, GitHubError> {
        let found = self.pull_requests(repository, (branch, base), "closed").await?;
        Ok(found.iter().any(|found| found.head.sha == *head))
    }

    /// The newest pull requests of a branch of the repository itself.
    async fn pull_requests(
        &self,
        repository: &str,
        (branch, base): (&str, &str),
        state: &str,
    ) -> Result<Vec<Found>, GitHubError> {
        let owner = repository.split('/').next().unwrap_or_default();
        let route = format!(
            "/repos/{repository}/pulls?state={state}&head={owner}:{}&base={}",
            escaped(branch),
            escaped(base)
        );
        let mut found: Vec<Found> = self.ask(format!("the pull requests of {repository}"), route).await?;
        // A fork of the same owner has branches, too; of one that is deleted nothing is known.
        found.retain(|found| {
            let home = found.head.repo.as_ref();
            found.head.name == branch
                && home.is_some_and(|home| home.full_name.eq_ignore_ascii_case(repository))
        });
        Ok(found)
    }

    /// Opens a pull request; `None` where there is one of that branch already.
    pub async fn create_pull_request(
        &self,
        repository: &str,
        new: NewPullRequest<'_>,
    ) -> Result<Option<PullRequest>, GitHubError> {
        let NewPullRequest { title, body, head, base, draft } = new;
        let body = json!({ "title": title, "body": body, "head": head, "base": base, "draft": draft });
        let (what, route) = (format!("a pull request in {repository}"), format!("/repos/{repository}/pulls"));
        match self.write::<Found>(&what, Method::POST, &route, Some(&body)).await {
            Ok(found) => Ok(Some(found.into())),
            Err(GitHubError::Refused { status: 422, message, .. })
                if message.contains("A pull request already exists") =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Renews title and text of a pull request; what it is now.
    pub async fn update_pull_request(
        &self,
        repository: &str,
        number: u64,
        (title, body): (&str, &str),
    ) -> Result<PullRequest, GitHubError> {
        let what = format!("another title of pull request {number} of {repository}");
        let body = json!({ "title": title, "body": body });
        self.change(&what, repository, number, &body).await
    }

    /// Closes a pull request.
    pub async fn close_pull_request(&self, repository: &str, number: u64) -> Result<(), GitHubError> {
        let what = format!("the end of pull request {number} of {repository}");
        self.change(&what, repository, number, &json!({ "state": "closed" })).await.map(drop)
    }

    async fn change(
        &self,
        what: &str,
        repository: &str,
        number: u64,
        body: &Value,
    ) -> Result<PullRequest, GitHubError> {
        let route = format!("/repos/{repository}/pulls/{number}");
        let found: Found = self.write(what, Method::PATCH, &route, Some(body)).await?;
        Ok(found.into())
    }

    /// Adds labels to a pull request. Those that the repository has not got are made.
    pub async fn add_labels(
        &self,
        repository: &str,
        number: u64,
        labels: &[String],
    ) -> Result<(), GitHubError> {
        let body = json!({ "labels": labels });
        self.add(
            &format!("labels of pull request {number} of {repository}"),
            repository,
            ("issues", number, "labels"),
            &body,
        )
        .await
    }

    /// Asks people and teams to review a pull request.
    pub async fn request_reviewers(
        &self,
        repository: &str,
        number: u64,
        (people, teams): (&[String], &[String]),
    ) -> Result<(), GitHubError> {
        let body = json!({ "reviewers": people, "team_reviewers": teams });
        let what = format!("reviewers of pull request {number} of {repository}");
        self.add(&what, repository, ("pulls", number, "requested_reviewers"), &body).await
    }

    /// Comments on a pull request.
    pub async fn comment(&self, repository: &str, number: u64, text: &str) -> Result<(), GitHubError> {
        let what = format!("a comment on pull request {number} of {repository}");
        self.add(&what, repository, ("issues", number, "comments"), &json!({ "body": text })).await
    }

    async fn add(
        &self,
        what: &str,
        repository: &str,
        (kind, number, to): (&str, u64, &str),
        body: &Value,
    ) -> Result<(), GitHubError> {
        let route = format!("/repos/{repository}/{kind}/{number}/{to}");
        let IgnoredAny = self.write(what, Method::POST, &route, Some(body)).await?;
        Ok(())
    }

    /// Has a pull request merged by itself (`MERGE`, `SQUASH`, `REBASE`), or not any more.
    pub async fn auto_merge(&self, pull: &PullRequest, method: Option<&str>) -> Result<(), GitHubError> {
        let what = format!("pull request {} to be merged by itself, or not", pull.number);
        let (mutation, input) = match method {
            Some(method) => (
                ("enablePullRequestAutoMerge", "EnablePullRequestAutoMergeInput", "clientMutationId"),
                json!({ "pullRequestId": pull.node_id, "mergeMethod": method }),
            ),
            None => (
                ("disablePullRequestAutoMerge", "DisablePullRequestAutoMergeInput", "clientMutationId"),
                json!({ "pullRequestId": pull.node_id }),
            ),
        };
        self.mutate(&what, mutation, &input).await.map(drop)
    }
}
