//! What the mutations do: commits on a branch, refs moved together, auto-merge.
//!
//! The types and words of the refusals are GitHub's. One has none: a ref of `updateRefs` that is not where it was
//! expected is told like a fault of the server (its community's discussion 213655).

use super::State;
use super::access::{Access, Kind, Level, Needs, Token, access};
use super::graphql::No;
use super::hosted::Home;
use super::store::{File, Signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const COMMIT: Needs = &[&[("contents", Level::Write)]];
const MERGE: Needs = &[&[("contents", Level::Write), ("pull_requests", Level::Write)]];
/// What a ref is that does not exist.
const NOTHING: &str = "0000000000000000000000000000000000000000";

fn no<T>(kind: &'static str, message: impl Into<String>) -> Result<T, No> {
    Err((Some(kind), message.into()))
}

/// The place of the repository with this node id.
pub fn home_of(state: &State, id: &str) -> Option<usize> {
    state.homes.iter().position(|home| home.node_id() == id)
}

/// The place and the number of the pull request with this node id.
pub fn pull_of(state: &State, id: &str) -> Option<(usize, u64)> {
    state.homes.iter().enumerate().find_map(|(at, home)| {
        home.pulls.iter().find(|pull| pull.node_id(home) == id).map(|pull| (at, pull.number))
    })
}

/// Whether this may be done with a repository; `hidden` is what somebody reads who does not see it.
fn allowed(home: &Home, token: &Token, needs: Needs, hidden: String) -> Result<(), No> {
    match access(Some(token), home, needs, true) {
        Access::Allowed if home.archived => no("FORBIDDEN", "Repository was archived so is read-only."),
        Access::Allowed => Ok(()),
        Access::Hidden if token.kind == Kind::Classic && home.roles.contains_key(&token.login) => {
            let words = "does not have the correct permissions to execute this mutation";
            no("FORBIDDEN", format!("{} {words}", token.login))
        }
        Access::Hidden | Access::Anonymous => no("NOT_FOUND", hidden),
        Access::Forbidden => no("FORBIDDEN", token.denied()),
    }
}

fn unknown_node(id: &str) -> String {
    format!("Could not resolve to a node with the global id of '{id}'.")
}

/// `createCommitOnBranch`.
pub fn commit(state: &mut State, token: &Token, input: &Value) -> Result<Value, No> {
    let text = |path: &str| input.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (name, branch) = (text("/branch/repositoryNameWithOwner"), text("/branch/branchName"));
    let hidden = format!("Could not resolve to a Repository with the name '{name}'.");
    let Some(at) = state.find(name) else { return no("NOT_FOUND", hidden) };
    allowed(&state.homes[at], token, COMMIT, hidden)?;
    let (second, web) = (state.tick(), state.web());
    let home = &mut state.homes[at];
    let Some(head) = home.store.head(branch) else { return no("NOT_FOUND", "Branch not found") };
    let expected = text("/expectedHeadOid");
    if head != expected {
        let words =
            format!("Expected branch to point to \"{expected}\" but it did not.  Pull and try again.");
        return no("STALE_DATA", words);
    }
    if home.protected.contains(branch) {
        return no("BRANCH_PROTECTION_RULE_VIOLATION", "Changes must be made through a pull request.");
    }
    let list = |path: &str| input.pointer(path).and_then(Value::as_array).into_iter().flatten();
    let mut files = Vec::new();
    for addition in list("/fileChanges/additions") {
        let contents = addition["contents"].as_str().and_then(|text| STANDARD.decode(text).ok());
        let Some(contents) = contents else { return no("UNPROCESSABLE", "`contents` is not valid base64") };
        files.push((addition["path"].as_str().unwrap_or_default().to_owned(), Some(contents)));
    }
    for deletion in list("/fileChanges/deletions") {
        let path = deletion["path"].as_str().unwrap_or_default();
        if home.store.entry(&head, path).is_none() {
            let words = "A path was requested for deletion which does not exist as of commit oid";
            return no("UNPROCESSABLE", format!("{words} `{head}`"));
        }
        files.push((path.to_owned(), None));
    }
    let changes: Vec<(&str, File<'_>)> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_ref().map_or(File::Gone, |bytes| File::Bytes(bytes))))
        .collect();
    let (headline, body) = (text("/message/headline"), text("/message/body"));
    let message = if body.is_empty() { headline.to_owned() } else { format!("{headline}\n\n{body}") };
    let email = format!("{}@users.noreply.github.com", token.login);
    let author = Signature { name: token.login.clone(), email, seconds: second };
    // It signs what it commits.
    let email = "noreply@github.com".to_owned();
    let committer = Signature { name: "GitHub".into(), email, seconds: second };
    let made = home.store.commit(Some(&head), &changes, &message, [&author, &committer]);
    let made = made.map_err(|why| (Some("UNPROCESSABLE"), format!("A path was invalid: {why}")))?;
    home.store.swap(&format!("refs/heads/{branch}"), Some(&head), Some(&made));
    home.moved(branch);
    let url = format!("{web}/{}/commit/{made}", home.full_name());
    Ok(committed(&made, &url, branch))
}

/// The mutation's result, with everything that may be asked of it.
pub fn committed(sha: &str, url: &str, branch: &str) -> Value {
    let short = sha.get(..7).unwrap_or_default();
    json!({
        "clientMutationId": Value::Null,
        "commit": {
            "oid": sha,
            "abbreviatedOid": short,
            "url": url,
            "signature": { "isValid": true, "state": "VALID", "wasSignedByGitHub": true },
        },
        "ref": { "name": branch, "prefix": "refs/heads/", "target": { "oid": sha } },
    })
}

/// What GitHub says of faults of its own, and of refs that are not where they were expected: without a type.
fn went_wrong() -> No {
    let words = "Something went wrong while executing your query. This may be the result of a timeout, or it could be a \
                 GitHub bug. Please include `0401:1234:5678` when reporting this issue.";
    (None, words.to_owned())
}

/// `updateRefs`: all of them or none.
pub fn update_refs(state: &mut State, token: &Token, input: &Value) -> Result<Value, No> {
    let id = input["repositoryId"].as_str().unwrap_or_default();
    let Some(at) = home_of(state, id) else { return no("NOT_FOUND", unknown_node(id)) };
    allowed(&state.homes[at], token, COMMIT, unknown_node(id))?;
    let home = &mut state.homes[at];
    let updates = input["refUpdates"].as_array().cloned().unwrap_or_default();
    let (mut commands, mut branches) = (Vec::new(), Vec::new());
    for update in &updates {
        let text = |field: &str| update[field].as_str().unwrap_or_default();
        let (name, before, after) = (text("name"), text("beforeOid"), text("afterOid"));
        let branch = name.strip_prefix("refs/heads/");
        if !home.store.is_valid(name) || after.len() != 40 {
            return no("UNPROCESSABLE", format!("`{name}` is not a valid ref name or `afterOid` no object"));
        }
        if branch.is_some_and(|branch| home.protected.contains(branch)) {
            return no("UNPROCESSABLE", "Changes must be made through a pull request.");
        }
        let now = home.store.reference(name);
        let expected = match before {
            "" => true,
            NOTHING => now.is_none(),
            before => now.as_deref() == Some(before),
        };
        if !expected {
            return Err(went_wrong());
        }
        let forced = update["force"].as_bool().unwrap_or_default();
        let onward = now.is_none_or(|now| after == NOTHING || home.store.is_ancestor(&now, after));
        if after != NOTHING && home.store.kind(after).as_deref() != Some("commit") {
            return no("UNPROCESSABLE", format!("`{after}` is not a commit of the repository"));
        }
        if !forced && !onward {
            return no("UNPROCESSABLE", format!("{name} is not a fast forward"));
        }
        commands.push(match after {
            NOTHING => format!("delete {name} {before}\n"),
            after => format!("update {name} {after} {before}\n"),
        });
        branches.extend(branch.map(str::to_owned));
    }
    if !home.store.transact(&commands.concat()) {
        return Err(went_wrong());
    }
    for branch in &branches {
        home.moved(branch);
    }
    Ok(json!({ "clientMutationId": input["clientMutationId"] }))
}

/// `enablePullRequestAutoMerge`.
pub fn enable(state: &mut State, token: &Token, input: &Value) -> Result<Value, No> {
    let (at, number) = proposal(state, token, input)?;
    let home = &mut state.homes[at];
    let (allows, checked) = (home.auto_merge, home.checked.clone());
    let Some(pull) = home.pull_mut(number) else { return no("NOT_FOUND", "") };
    let why = match pull.is_open() {
        false => Some("Can't enable auto-merge for this pull request."),
        true if !allows => Some("Auto merge is not allowed for this repository"),
        true if pull.draft => Some("Can't enable auto-merge for this pull request: it is still a draft"),
        true if !checked.contains(&pull.base) => Some("Pull request Pull request is in clean status"),
        true => None,
    };
    if let Some(why) = why {
        return no("UNPROCESSABLE", why);
    }
    let method = input["mergeMethod"].as_str().unwrap_or("MERGE");
    if !matches!(method, "MERGE" | "SQUASH" | "REBASE") {
        return no("UNPROCESSABLE", format!("`{method}` is not a merge method"));
    }
    pull.auto_merge = Some(method.to_owned());
    Ok(automatic(input["pullRequestId"].as_str().unwrap_or_default(), number, Some(method)))
}

/// `disablePullRequestAutoMerge`.
pub fn disable(state: &mut State, token: &Token, input: &Value) -> Result<Value, No> {
    let (at, number) = proposal(state, token, input)?;
    let Some(pull) = state.homes[at].pull_mut(number) else { return no("NOT_FOUND", "") };
    if pull.auto_merge.take().is_none() {
        return no("UNPROCESSABLE", "Can't disable auto-merge for this pull request.");
    }
    Ok(automatic(input["pullRequestId"].as_str().unwrap_or_default(), number, None))
}

/// The pull request of an input, if it may be merged by who asks.
fn proposal(state: &State, token: &Token, input: &Value) -> Result<(usize, u64), No> {
    let id = input["pullRequestId"].as_str().unwrap_or_default();
    let Some((at, number)) = pull_of(state, id) else { return no("NOT_FOUND", unknown_node(id)) };
    allowed(&state.homes[at], token, MERGE, unknown_node(id))?;
    Ok((at, number))
}

/// The result of both, with everything that may be asked of it.
pub fn automatic(id: &str, number: u64, method: Option<&str>) -> Value {
    let request = method.map(|method| json!({ "mergeMethod": method, "enabledAt": "2026-11-29T12:00:00Z" }));
    json!({
        "clientMutationId": Value::Null,
        "actor": { "login": "" },
        "pullRequest": { "id": id, "number": number, "autoMergeRequest": request },
    })
}
