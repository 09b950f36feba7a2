//! Commits and refs as they are asked for when tags are put: what stands before what, and where a ref is.
//!
//! The answers are those of the repository at a path, whatever it is called; `GithubApi` gives them without asking who
//! wants to know.

use super::http::Answer;
use super::refusal::Refusal;
use super::routes::{Ask, Reply};
use super::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Any of these endpoints of a repository that the asker may read.
pub fn ask(ask: &mut Ask<'_>) -> Reply {
    let home = ask.home();
    if home.is_empty() {
        return Err(Refusal::new(409, "Git Repository is empty."));
    }
    let found = answer(&home.store, &ask.rest, &ask.request.query);
    found.map(|body| Answer::json(200, &body)).ok_or_else(Refusal::not_found)
}

/// The answer to what stands below the repository's own path; None is a 404.
pub fn answer(store: &Store, rest: &str, query: &BTreeMap<String, String>) -> Option<Value> {
    let number =
        |name: &str, default: usize| query.get(name).map_or(Some(default), |text| text.parse::<usize>().ok());
    if let Some(reference) = rest.strip_prefix("git/ref/") {
        let sha = store.reference(&format!("refs/{reference}"))?;
        let kind = store.kind(&sha)?;
        return Some(json!({"ref": format!("refs/{reference}"), "object": {"sha": sha, "type": kind}}));
    }
    if let Some(tag) = rest.strip_prefix("git/tags/") {
        let sha = store.git(&["rev-parse", &format!("{tag}^{{}}")])?;
        return Some(json!({"object": {"sha": sha, "type": "commit"}}));
    }
    if let Some((base, head)) = rest.strip_prefix("compare/").and_then(|pair| pair.split_once("...")) {
        return compare(store, &store.resolve(base)?, &store.resolve(head)?);
    }
    if let Some(commit) =
        rest.strip_prefix("commits/").and_then(|rest| rest.strip_suffix("/branches-where-head"))
    {
        let names =
            store.git(&["for-each-ref", "--points-at", commit, "--format=%(refname:short)", "refs/heads"])?;
        return Some(names.lines().map(|name| json!({"name": name})).collect());
    }
    if let Some(commit) = rest.strip_prefix("git/commits/") {
        return details(store, commit);
    }
    if rest == "branches" {
        let (page, size) = (number("page", 1)?, number("per_page", 30)?);
        let names = store.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"])?;
        let names = names.lines().skip((page - 1) * size).take(size);
        return Some(names.map(|name| json!({"name": name})).collect());
    }
    if rest == "commits" {
        let count = format!("-{}", number("per_page", 30)?);
        let lines =
            store.git(&["log", &count, "--format=%H %P", query.get("sha").map_or("HEAD", String::as_str)])?;
        let commit = |line: &str| {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            let sha = words.next().unwrap_or_default();
            json!({"sha": sha, "parents": words.map(|parent| json!({"sha": parent})).collect::<Vec<_>>()})
        };
        return Some(lines.lines().map(commit).collect());
    }
    None
}

fn compare(store: &Store, base: &str, head: &str) -> Option<Value> {
    let status = match (store.is_ancestor(base, head), store.is_ancestor(head, base)) {
        (true, true) => "identical",
        (true, false) => "ahead",
        (false, true) => "behind",
        (false, false) => "diverged",
    };
    // GitHub compares nothing that has no commit in common.
    let merge_base = store.merge_base(base, head)?;
    Some(json!({
        "status": status,
        "ahead_by": store.ahead(base, head),
        "behind_by": store.ahead(head, base),
        "total_commits": store.ahead(base, head),
        "base_commit": {"sha": base},
        "merge_base_commit": {"sha": merge_base},
        "commits": [],
    }))
}

fn details(store: &Store, commit: &str) -> Option<Value> {
    let line = store.git(&["show", "-s", "--format=%cI|%ce|%T|%P", &format!("{commit}^{{commit}}")])?;
    let message = store.git(&["show", "-s", "--format=%B", commit])?;
    let mut words = line.split('|');
    let (date, email, tree) = (words.next()?, words.next()?, words.next()?);
    let parents: Vec<Value> = words.next()?.split_whitespace().map(|parent| json!({"sha": parent})).collect();
    // What GitHub commits itself it signs.
    let verified = email == "noreply@github.com";
    Some(json!({
        "sha": commit,
        "tree": {"sha": tree},
        "message": message.trim_end(),
        "committer": {"date": date, "email": email},
        "parents": parents,
        "verification": {"verified": verified, "reason": if verified { "valid" } else { "unsigned" }},
    }))
}
