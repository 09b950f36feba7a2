//! Branches of environments' repositories: made, committed to, moved and deleted.
//!
//! A commit is GitHub's own (`createCommitOnBranch`): it is signed, and made only if its branch is where it is expected. A branch
//! is moved by `updateRefs`, which compares and swaps several refs at once. Sources: GitHub's REST page "Git references" and its
//! GraphQL reference, "Git".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::history::escaped;
use super::{GitHub, GitHubError};
use crate::model::CommitId;

/// What a ref is that is not there.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A file of a commit, whole.
#[derive(Clone, Copy, Debug)]
pub struct FileAddition<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: CommitId,
}

impl GitHub {
    /// Where a branch is, if it is there. The repository is one that this token sees.
    pub async fn branch(&self, repository: &str, branch: &str) -> Result<Option<CommitId>, GitHubError> {
        let route = format!("/repos/{repository}/git/ref/heads/{}", escaped(branch));
        match self.ask::<Reference>(format!("the branch {branch} of {repository}"), route).await {
            Ok(found) => Ok(Some(found.object.sha)),
            // 409: the repository is empty.
            Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a branch. One that is there already is an error with status 422.
    pub async fn create_branch(
        &self,
        repository: &str,
        branch: &str,
        at: &CommitId,
    ) -> Result<(), GitHubError> {
        let body = json!({ "ref": format!("refs/heads/{branch}"), "sha": at });
        let (what, route) = (format!("a branch of {repository}"), format!("/repos/{repository}/git/refs"));
        let IgnoredAny = self.write(&what, Method::POST, &route, Some(&body)).await?;
        Ok(())
    }

    /// Deletes a branch; one that is gone already is one.
    pub async fn delete_branch(&self, repository: &str, branch: &str) -> Result<(), GitHubError> {
        let what = format!("the end of a branch of {repository}");
        let route = format!("/repos/{repository}/git/refs/heads/{}", escaped(branch));
        match self.write(&what, Method::DELETE, &route, None).await {
            Ok(IgnoredAny) => Ok(()),
            Err(error) if matches!(error.status(), Some(404 | 422)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Commits files to a branch that is at this commit; the new one. `None`: the branch is somewhere else.
    pub async fn commit_on_branch(
        &self,
        repository: &str,
        (branch, head): (&str, &CommitId),
        files: &[FileAddition<'_>],
        (headline, body): (&str, &str),
    ) -> Result<Option<CommitId>, GitHubError> {
        let additions: Vec<Value> = files
            .iter()
            .map(|file| json!({ "path": file.path, "contents": STANDARD.encode(file.text) }))
            .collect();
        let input = json!({
            "branch": { "repositoryNameWithOwner": repository, "branchName": branch },
            "expectedHeadOid": head,
            "message": { "headline": headline, "body": body },
            "fileChanges": { "additions": additions },
        });
        let what = format!("a commit to {repository}");
        let mutation = ("createCommitOnBranch", "CreateCommitOnBranchInput", "commit { oid }");
        match self.mutate(&what, mutation, &input).await {
            Ok(result) => {
                let made = result["commit"]["oid"].as_str().map(CommitId::parse);
                match made {
                    Some(Ok(made)) => Ok(Some(made)),
                    _ => Err(self.transport(&what, "the answer names no commit")),
                }
            }
            Err(error) if error.is_stale() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves a branch that is at `from`, or not there, to a commit, and deletes another branch that is at the same commit; both or
    /// none. GitHub does not tell a branch that is somewhere else from its own trouble: who gets an error that
    /// [`GitHubError::is_unclear`] looks where the branch is.
    pub async fn move_branch(
        &self,
        (repository, node_id): (&str, &str),
        branch: &str,
        (from, to): (Option<&CommitId>, &CommitId),
        with: Option<&str>,
    ) -> Result<(), GitHubError> {
        let from = from.map_or(NOTHING, CommitId::as_str);
        let name = |branch: &str| format!("refs/heads/{branch}");
        let mut updates =
            vec![json!({ "name": name(branch), "beforeOid": from, "afterOid": to, "force": true })];
        updates.extend(
            with.map(|scratch| json!({ "name": name(scratch), "beforeOid": to, "afterOid": NOTHING })),
        );
        let input = json!({ "repositoryId": node_id, "refUpdates": updates });
        let what = format!("the branch {branch} of {repository} to move");
        self.mutate(&what, ("updateRefs", "UpdateRefsInput", "clientMutationId"), &input).await.map(drop)
    }
}
