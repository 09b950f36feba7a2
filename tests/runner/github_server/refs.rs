//! The repository itself, and its refs: read, made, moved, deleted.
//!
//! Source: REST page "Git references". A ref that is not there is 404 when it is read, and 422 when it is changed.

use super::access::{Kind, Level};
use super::http::Answer;
use super::refusal::Refusal;
use super::routes::{Ask, Reply};
use serde_json::{Value, json};

/// `GET /repos/O/N`.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints have one signature")]
pub fn repository(ask: &mut Ask<'_>) -> Reply {
    let home = ask.home();
    let mut body = home.json(&ask.state.api(), &ask.state.web());
    body["allow_auto_merge"] = home.auto_merge.into();
    body["delete_branch_on_merge"] = home.delete_on_merge.into();
    if let Some(token) = &ask.token {
        // The role of a person, whatever the token may do; an App has none.
        let role = home.roles.get(&token.login).filter(|_| token.kind != Kind::Installation);
        let (pull, push) = (role.is_some(), role == Some(&Level::Write));
        body["permissions"] =
            json!({ "admin": false, "maintain": false, "push": push, "triage": push, "pull": pull });
    }
    Ok(Answer::json(200, &body))
}

/// `GET …/git/ref/heads/NAME`.
pub fn get(ask: &mut Ask<'_>) -> Reply {
    if ask.home().is_empty() {
        return Err(Refusal::new(409, "Git Repository is empty."));
    }
    let name = format!("refs/{}", ask.captured[0]);
    let sha = ask.home().store.reference(&name).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(200, &object(ask, &name, &sha)))
}

/// `POST …/git/refs`.
pub fn create(ask: &mut Ask<'_>) -> Reply {
    let (name, sha) = (ask.text("ref")?, ask.text("sha")?);
    let home = ask.home();
    if home.is_empty() {
        return Err(Refusal::new(409, "Git Repository is empty."));
    }
    if !name.starts_with("refs/") || name.split('/').count() < 3 {
        let words = "Reference name must contain at least three slash-separated components.";
        return Err(Refusal::unprocessable(words));
    }
    if !home.store.is_valid(&name) {
        return Err(Refusal::unprocessable(format!("{name} is not a valid ref name.")));
    }
    commit(ask, &name, &sha)?;
    if home.store.reference(&name).is_some() {
        return Err(Refusal::unprocessable("Reference already exists"));
    }
    // `a/b` beside `a`: Git has no place for both.
    moves(ask, &name, None, Some(&sha))?;
    Ok(Answer::json(201, &object(ask, &name, &sha)))
}

/// `PATCH …/git/refs/heads/NAME`.
pub fn update(ask: &mut Ask<'_>) -> Reply {
    let name = format!("refs/{}", ask.captured[0]);
    let sha = ask.text("sha")?;
    let home = ask.home();
    let before = home.store.reference(&name).ok_or_else(gone)?;
    commit(ask, &name, &sha)?;
    let forced = ask.body["force"].as_bool().unwrap_or_default();
    if !forced && !home.store.is_ancestor(&before, &sha) {
        return Err(Refusal::unprocessable("Update is not a fast forward"));
    }
    moves(ask, &name, Some(&before), Some(&sha))?;
    Ok(Answer::json(200, &object(ask, &name, &sha)))
}

/// `DELETE …/git/refs/heads/NAME`.
pub fn delete(ask: &mut Ask<'_>) -> Reply {
    let name = format!("refs/{}", ask.captured[0]);
    let before = ask.home().store.reference(&name).ok_or_else(gone)?;
    if name.strip_prefix("refs/heads/") == Some(ask.home().default_branch.as_str()) {
        return Err(Refusal::unprocessable("Cannot delete the default branch"));
    }
    moves(ask, &name, Some(&before), None)?;
    Ok(Answer::nothing())
}

fn gone() -> Refusal {
    Refusal::unprocessable("Reference does not exist")
}

/// Whether a ref may point there.
fn commit(ask: &Ask<'_>, name: &str, sha: &str) -> Result<(), Refusal> {
    if sha.len() < 40 {
        let words = format!("At least 40 characters are required; only {} were supplied.", sha.len());
        return Err(Refusal::unprocessable(format!("Invalid request.\n\n{words}")));
    }
    match ask.home().store.kind(sha).as_deref() {
        Some("commit") => Ok(()),
        Some(_) if !name.starts_with("refs/heads/") => Ok(()),
        Some(_) => Err(Refusal::unprocessable("Reference update failed")),
        None => Err(Refusal::unprocessable("Object does not exist")),
    }
}

fn moves(ask: &mut Ask<'_>, name: &str, old: Option<&str>, new: Option<&str>) -> Result<(), Refusal> {
    let branch = name.strip_prefix("refs/heads/");
    if branch.is_some_and(|branch| ask.home().protected.contains(branch)) {
        let rule = "Changes must be made through a pull request.";
        return Err(Refusal::unprocessable(format!("Repository rule violations found\n\n{rule}\n\n")));
    }
    let home = ask.home_mut();
    if !home.store.swap(name, old, new) {
        return Err(Refusal::unprocessable("Reference update failed"));
    }
    if let Some(branch) = branch {
        home.moved(branch);
    }
    Ok(())
}

fn object(ask: &Ask<'_>, name: &str, sha: &str) -> Value {
    let (home, api) = (ask.home(), ask.state.api());
    let root = format!("{api}/repos/{}/git", home.full_name());
    let kind = home.store.kind(sha).unwrap_or_default();
    json!({
        "ref": name,
        "node_id": format!("REF_kwDO{:08}{name}", home.id),
        "url": format!("{root}/{name}"),
        "object": { "sha": sha, "type": kind, "url": format!("{root}/{kind}s/{sha}") },
    })
}
