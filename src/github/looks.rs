//! What one query tells of an environment's repository: before the build what it is, and right before something is written
//! where its branches are.
//!
//! Files are not read here: GraphQL gives texts, and a file must stay what it is byte by byte. Of a branch it gives the pull
//! requests of the repository itself; those of forks, whose branches may have the same name, are not among them. Source:
//! GitHub's GraphQL reference, `Repository`, `Ref` and `Tree`.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{GitHub, GitHubError, PullRequest};
use crate::model::CommitId;

/// Branches and closed pull requests that are told at once.
const LISTED: usize = 20;

/// What a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryDetails {
    /// Its name, as GitHub spells it: another one where it was renamed.
    pub full_name: String,
    /// Its id in GraphQL.
    pub node_id: String,
    /// Nothing can be written.
    pub archived: bool,
    /// The branch that was asked for, else the default branch, and where it is; nothing where it is not there.
    pub branch: Option<(String, CommitId)>,
    /// What is in each directory that was asked for; nothing of what is none.
    pub directories: Vec<Option<Vec<String>>>,
}

/// Where the branches of an environment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchesRead {
    /// The base, if it is there.
    pub base: Option<CommitId>,
    /// The branch of the pull request, if it is there.
    pub branch: Option<CommitId>,
    /// The open pull request of it.
    pub proposal: Option<PullRequest>,
    /// Where the branch was when the last pull requests of it were closed, merged or not.
    pub closed: Vec<CommitId>,
    /// Branches whose names have a certain text in them.
    pub others: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    id: String,
    name_with_owner: String,
    is_archived: bool,
    default_branch_ref: Option<Named>,
    branch: Option<Reference>,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    target: Target,
}

#[derive(Deserialize)]
struct Reference {
    target: Target,
    open: Option<Listed<Pull>>,
    closed: Option<Listed<Closed>>,
}

#[derive(Deserialize)]
struct Target {
    oid: CommitId,
}

#[derive(Deserialize)]
struct Listed<T> {
    nodes: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pull {
    id: String,
    number: u64,
    url: String,
    head_ref_oid: CommitId,
    auto_merge_request: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Closed {
    head_ref_oid: CommitId,
}

#[derive(Deserialize)]
struct Tree {
    entries: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
}

#[derive(Deserialize)]
struct Branches {
    base: Option<Reference>,
    head: Option<Reference>,
    others: Listed<Entry>,
}

impl From<Pull> for PullRequest {
    fn from(found: Pull) -> Self {
        let Pull { id, number, url, head_ref_oid, auto_merge_request } = found;
        let auto_merge = auto_merge_request.is_some_and(|request| !request.is_null());
        Self { number, url, node_id: id, head: head_ref_oid, is_open: true, auto_merge }
    }
}

impl GitHub {
    /// What a repository is, where a branch of it is, and what is in directories there.
    pub async fn details(
        &self,
        repository: &str,
        branch: Option<&str>,
        directories: &[String],
    ) -> Result<RepositoryDetails, GitHubError> {
        let mut declared = String::from("$owner: String!, $name: String!");
        let mut shown = String::from("id nameWithOwner isArchived defaultBranchRef { name target { oid } }");
        let mut variables = of(repository);
        let mut at = "HEAD".to_owned();
        if let Some(branch) = branch {
            declared.push_str(", $branch: String!");
            shown.push_str(" branch: ref(qualifiedName: $branch) { target { oid } }");
            at = head(branch);
            variables["branch"] = at.clone().into();
        }
        for (number, path) in directories.iter().enumerate() {
            let name = format!("path{number}");
            let _ = write!(declared, ", ${name}: String!");
            let _ = write!(
                shown,
                " {name}: object(expression: ${name}) {{ ... on Tree {{ entries {{ name }} }} }}"
            );
            let path = if path == "." { "" } else { path };
            variables[name] = format!("{at}:{path}").into();
        }
        let query = format!(
            "query Repository({declared}) {{ repository(owner: $owner, name: $name) {{ {shown} }} }}"
        );
        let what = format!("the repository {repository}");
        let found: Repository = self.look(&what, &query, &variables).await?;
        let Repository { id, name_with_owner, is_archived, default_branch_ref, branch: asked, mut more } =
            found;
        let mut listed = Vec::new();
        for number in 0..directories.len() {
            let tree = more.remove(&format!("path{number}")).filter(|found| !found.is_null());
            let tree = tree.map(serde_json::from_value::<Tree>).transpose();
            let tree = tree.map_err(|error| self.transport(&what, error))?;
            let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect();
            listed.push(tree.and_then(|tree| tree.entries).map(names));
        }
        Ok(RepositoryDetails {
            full_name: name_with_owner,
            node_id: id,
            archived: is_archived,
            branch: match branch {
                Some(branch) => asked.map(|found| (branch.to_owned(), found.target.oid)),
                None => default_branch_ref.map(|found| (found.name, found.target.oid)),
            },
            directories: listed,
        })
    }

    /// Where a base branch and the branch of its pull request are, the open pull request of it, and branches whose names have
    /// `others` in them.
    pub async fn environment_branches(
        &self,
        repository: &str,
        (base, branch): (&str, &str),
        others: &str,
    ) -> Result<BranchesRead, GitHubError> {
        let query = format!(
            "query Branches($owner: String!, $name: String!, $base: String!, $into: String!, $head: String!, $others: String!) {{ \
             repository(owner: $owner, name: $name) {{ \
             base: ref(qualifiedName: $base) {{ target {{ oid }} }} \
             head: ref(qualifiedName: $head) {{ target {{ oid }} \
             open: associatedPullRequests(states: OPEN, baseRefName: $into, first: 1) {{ \
             nodes {{ id number url headRefOid autoMergeRequest {{ enabledAt }} }} }} \
             closed: associatedPullRequests(states: [CLOSED, MERGED], baseRefName: $into, first: {LISTED}, \
             orderBy: {{ field: CREATED_AT, direction: DESC }}) {{ nodes {{ headRefOid }} }} }} \
             others: refs(refPrefix: \"refs/heads/\", query: $others, first: {LISTED}) {{ nodes {{ name }} }} }} }}"
        );
        let mut variables = of(repository);
        variables["base"] = head(base).into();
        variables["into"] = base.into();
        variables["head"] = head(branch).into();
        variables["others"] = others.into();
        let found: Branches = self.look(&format!("the branches of {repository}"), &query, &variables).await?;
        let (at, open, closed) = match found.head {
            Some(Reference { target, open, closed }) => (Some(target.oid), open, closed),
            None => (None, None, None),
        };
        let closed = closed.map(|listed| listed.nodes).unwrap_or_default();
        Ok(BranchesRead {
            base: found.base.map(|base| base.target.oid),
            branch: at,
            proposal: open.and_then(|listed| listed.nodes.into_iter().next()).map(PullRequest::from),
            closed: closed.into_iter().map(|closed| closed.head_ref_oid).collect(),
            others: found.others.nodes.into_iter().map(|found| found.name).collect(),
        })
    }

    /// A query about one repository.
    async fn look<T: DeserializeOwned>(
        &self,
        what: &str,
        query: &str,
        variables: &Value,
    ) -> Result<T, GitHubError> {
        let mut data = self.query(what, query, variables).await?;
        serde_json::from_value(data["repository"].take()).map_err(|error| self.transport(what, error))
    }
}

/// The variables that name a repository.
fn of(repository: &str) -> Value {
    let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
    json!({ "owner": owner, "name": name })
}

fn head(branch: &str) -> String {
    format!("refs/heads/{branch}")
}
