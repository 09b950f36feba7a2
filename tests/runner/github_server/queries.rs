//! What queries show: a repository, its branches with their pull requests, and its trees.
//!
//! What a token does not see of a repository is null, with an error that names the path and its type; what there is not is
//! null without one. A branch shows the pull requests of the repository itself, never those of forks. A repository that was
//! renamed is found by its old name. Source: GitHub's GraphQL reference.

use super::State;
use super::access::{Access, Level, Needs, Token, access};
use super::document::{Field, Operation, select};
use super::hosted::Home;
use super::pull::{Pull, PullState};
use serde_json::{Map, Value, json};

const METADATA: Needs = &[&[("metadata", Level::Read)]];
const CONTENTS: Needs = &[&[("contents", Level::Read)]];
const PULLS: Needs = &[&[("pull_requests", Level::Read)]];

/// The repository that a field asks for.
pub fn named(field: &Field, variables: &Value) -> Option<String> {
    let text = |name: &str| field.argument(name, variables).as_str().map(str::to_owned);
    Some(format!("{}/{}", text("owner")?, text("name")?))
}

/// The answer to a query; a fault of the document.
pub fn answer(
    state: &State,
    token: &Token,
    operation: &Operation,
    variables: &Value,
) -> Result<Value, String> {
    let mut shown = Shown { token, variables, web: state.web(), errors: Vec::new(), path: Vec::new() };
    let mut data = Map::new();
    for field in &operation.fields {
        if field.name != "repository" {
            return Err(format!("Field '{}' doesn't exist on type 'Query'", field.name));
        }
        let name =
            named(field, variables).ok_or("Field 'repository' is missing required arguments: name, owner")?;
        shown.path = vec![field.alias.clone()];
        let moved = || state.homes.iter().position(|home| home.former.contains(&name.to_lowercase()));
        let home = state.find(&name).or_else(moved).map(|at| &state.homes[at]);
        let home = home.filter(|home| access(Some(token), home, METADATA, false) == Access::Allowed);
        let found = if let Some(home) = home {
            shown.repository(home, &field.shown)?
        } else {
            shown.error("NOT_FOUND", &format!("Could not resolve to a Repository with the name '{name}'."));
            Value::Null
        };
        data.insert(field.alias.clone(), found);
    }
    let mut body = json!({ "data": data });
    if !shown.errors.is_empty() {
        body["errors"] = shown.errors.into();
    }
    Ok(body)
}

/// What is gathered for an answer.
struct Shown<'a> {
    token: &'a Token,
    variables: &'a Value,
    web: String,
    errors: Vec<Value>,
    /// Where in the answer we are.
    path: Vec<String>,
}

impl Shown<'_> {
    fn error(&mut self, kind: &str, message: &str) {
        let at = json!([{ "line": 1, "column": 48 }]);
        self.errors.push(json!({ "type": kind, "path": self.path, "locations": at, "message": message }));
    }

    fn repository(&mut self, home: &Home, fields: &[Field]) -> Result<Value, String> {
        let mut data = Map::new();
        for field in fields {
            self.path.push(field.alias.clone());
            let value = match field.name.as_str() {
                "id" => home.node_id().into(),
                "nameWithOwner" => home.full_name().into(),
                "isArchived" => home.archived.into(),
                "defaultBranchRef" => self.reference(home, &home.default_branch, field)?,
                "ref" => {
                    let name = self.text(field, "qualifiedName")?;
                    match name.strip_prefix("refs/heads/") {
                        Some(branch) => self.reference(home, branch, field)?,
                        None => Value::Null,
                    }
                }
                "refs" => self.references(home, field)?,
                "object" => self.object(home, field)?,
                name => return Err(format!("Field '{name}' doesn't exist on type 'Repository'")),
            };
            self.path.pop();
            data.insert(field.alias.clone(), value);
        }
        Ok(Value::Object(data))
    }

    fn text(&self, field: &Field, name: &str) -> Result<String, String> {
        let found = field.argument(name, self.variables);
        let lacks = || format!("Field '{}' is missing required arguments: {name}", field.name);
        found.as_str().map(str::to_owned).ok_or_else(lacks)
    }

    /// Whether the token may read that; else the error is told.
    fn may(&mut self, home: &Home, needs: Needs) -> bool {
        let may = access(Some(self.token), home, needs, false) == Access::Allowed;
        if !may {
            self.error("FORBIDDEN", self.token.denied());
        }
        may
    }

    fn reference(&mut self, home: &Home, branch: &str, field: &Field) -> Result<Value, String> {
        let Some(at) = home.store.head(branch) else { return Ok(Value::Null) };
        if !self.may(home, CONTENTS) {
            return Ok(Value::Null);
        }
        let of_pulls = |field: &Field| field.name == "associatedPullRequests";
        let (pulls, others): (Vec<Field>, Vec<Field>) = field.shown.iter().cloned().partition(of_pulls);
        let mut shown = select(&reference(branch, &at), &others, "Ref")?;
        for field in pulls {
            self.path.push(field.alias.clone());
            let found = self.proposals(home, branch, &field)?;
            self.path.pop();
            shown[&field.alias] =
                if found.is_null() { found } else { select(&found, &field.shown, "PullRequestConnection")? };
        }
        Ok(shown)
    }

    fn proposals(&mut self, home: &Home, branch: &str, field: &Field) -> Result<Value, String> {
        let first = field.argument("first", self.variables).as_u64();
        let first =
            first.ok_or("You must provide a `first` or `last` value to properly paginate the connection.")?;
        if !self.may(home, PULLS) {
            return Ok(Value::Null);
        }
        let states = match field.argument("states", self.variables) {
            Value::Array(all) => all,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let base = field.argument("baseRefName", self.variables);
        let wanted = |pull: &&Pull| {
            pull.head == branch
                && (states.is_empty() || states.iter().any(|state| state == word(pull.state)))
                && (base.is_null() || base == pull.base.as_str())
        };
        let web = format!("{}/{}", self.web, home.full_name());
        let mut found: Vec<&Pull> = home.pulls.iter().filter(wanted).collect();
        if field.argument("orderBy", self.variables)["direction"] == "DESC" {
            found.reverse();
        }
        found.truncate(usize::try_from(first).unwrap_or_default());
        Ok(json!({ "nodes": found.iter().map(|pull| proposal(pull, home, &web)).collect::<Vec<_>>() }))
    }

    /// Branches, by a part of their names.
    fn references(&mut self, home: &Home, field: &Field) -> Result<Value, String> {
        if self.text(field, "refPrefix")? != "refs/heads/" {
            return Err("the server knows `refs/heads/` alone".into());
        }
        let first = field.argument("first", self.variables).as_u64();
        let first =
            first.ok_or("You must provide a `first` or `last` value to properly paginate the connection.")?;
        if !self.may(home, CONTENTS) {
            return Ok(Value::Null);
        }
        let part = field.argument("query", self.variables);
        let wanted = |name: &String| part.as_str().is_none_or(|part| name.contains(part));
        let names = home.store.branches().into_iter().filter(wanted);
        let nodes = names
            .take(usize::try_from(first).unwrap_or_default())
            .filter_map(|name| home.store.head(&name).map(|at| reference(&name, &at)));
        select(&json!({ "nodes": nodes.collect::<Vec<_>>() }), &field.shown, "RefConnection")
    }

    /// `BRANCH:path`, where `HEAD` is the default branch.
    fn object(&mut self, home: &Home, field: &Field) -> Result<Value, String> {
        let expression = self.text(field, "expression")?;
        if !self.may(home, CONTENTS) {
            return Ok(Value::Null);
        }
        let Some((name, path)) = expression.split_once(':') else { return Ok(Value::Null) };
        let name = if name == "HEAD" { home.default_branch.as_str() } else { name };
        let found = home.store.resolve(name).and_then(|commit| home.store.entry(&commit, path));
        let Some(found) = found else { return Ok(Value::Null) };
        let object = match found.kind.as_str() {
            "tree" => {
                let entries = home.store.entries(&found.sha).into_iter();
                let entries = entries.map(|entry| json!({ "name": entry.name, "type": entry.kind }));
                json!({ "__typename": "Tree", "oid": found.sha, "entries": entries.collect::<Vec<_>>() })
            }
            "blob" => json!({ "__typename": "Blob", "oid": found.sha, "byteSize": found.size }),
            _ => json!({ "__typename": "Commit", "oid": found.sha }),
        };
        select(&object, &field.shown, "GitObject")
    }
}

fn reference(branch: &str, at: &str) -> Value {
    let target = json!({ "__typename": "Commit", "oid": at });
    json!({ "__typename": "Ref", "name": branch, "prefix": "refs/heads/", "target": target })
}

fn proposal(pull: &Pull, home: &Home, web: &str) -> Value {
    let request = pull
        .auto_merge
        .as_ref()
        .map(|method| json!({ "mergeMethod": method, "enabledAt": "2026-11-29T12:00:00Z" }));
    json!({
        "__typename": "PullRequest",
        "id": pull.node_id(home),
        "number": pull.number,
        "url": format!("{web}/pull/{}", pull.number),
        "state": word(pull.state),
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
        "isCrossRepository": false,
        "autoMergeRequest": request,
    })
}

fn word(state: PullState) -> &'static str {
    match state {
        PullState::Open => "OPEN",
        PullState::Closed => "CLOSED",
        PullState::Merged => "MERGED",
    }
}
