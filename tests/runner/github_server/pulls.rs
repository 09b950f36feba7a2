//! The endpoints of pull requests: their list, opening, changing. Source: REST page "Pull requests".

use super::hosted::user;
use super::http::Answer;
use super::pull::{Pull, PullState};
use super::refusal::Refusal;
use super::routes::{Ask, Reply};
use serde_json::{Value, json};

impl Pull {
    /// The pull request; `whole` as it is shown alone, not in a list.
    fn json(&self, ask: &Ask<'_>, whole: bool) -> Value {
        let (home, api, web) = (ask.home(), ask.state.api(), ask.state.web());
        let full = home.full_name();
        let side = |branch: &str, sha: Option<String>| {
            json!({
                "label": format!("{}:{branch}", home.owner),
                "ref": branch,
                "sha": sha,
                "user": user(&home.owner),
                "repo": home.json(&api, &web),
            })
        };
        let merged = self.state == PullState::Merged;
        let mut pull = json!({
            "id": home.id * 1000 + self.number,
            "node_id": self.node_id(home),
            "number": self.number,
            "url": format!("{api}/repos/{full}/pulls/{}", self.number),
            "html_url": format!("{web}/{full}/pull/{}", self.number),
            "issue_url": format!("{api}/repos/{full}/issues/{}", self.number),
            "state": if self.is_open() { "open" } else { "closed" },
            "locked": false,
            "title": self.title,
            "body": self.body,
            "user": user(&self.author),
            "draft": self.draft,
            "labels": self.labels.iter().map(|name| super::issues::label(name)).collect::<Vec<_>>(),
            "requested_reviewers": self.reviewers.iter().map(|login| user(login)).collect::<Vec<_>>(),
            "requested_teams": self.team_reviewers.iter().map(|slug| json!({ "slug": slug, "name": slug })).collect::<Vec<_>>(),
            "head": side(&self.head, Some(self.head_sha.clone())),
            "base": side(&self.base, home.store.head(&self.base)),
            "auto_merge": self.auto_merge.as_ref().map(|method| json!({ "merge_method": method.to_lowercase() })),
            "merge_commit_sha": self.merge_commit,
            "merged_at": merged.then_some("2026-11-29T12:00:00Z"),
            "closed_at": (!self.is_open()).then_some("2026-11-29T12:00:00Z"),
            "author_association": "COLLABORATOR",
        });
        if whole {
            pull["merged"] = merged.into();
            pull["comments"] = self.comments.len().into();
            let base = home.store.head(&self.base);
            let clean = base.as_ref().map(|base| home.store.merged_tree(base, &self.head_sha).is_some());
            pull["mergeable"] = if self.is_open() { clean.into() } else { Value::Null };
            let standing = match (self.is_open(), clean) {
                (true, Some(true)) if self.draft => "draft",
                (true, Some(true)) if home.checked.contains(&self.base) => "blocked",
                (true, Some(true)) => "clean",
                (true, Some(false)) => "dirty",
                _ => "unknown",
            };
            pull["mergeable_state"] = standing.into();
            pull["commits"] = base.map_or(0, |base| home.store.ahead(&base, &self.head_sha)).into();
        }
        pull
    }
}

/// `GET …/pulls`: newest first, page by page.
#[expect(clippy::unnecessary_wraps, reason = "all endpoints have one signature")]
pub fn list(ask: &mut Ask<'_>) -> Reply {
    let request = ask.request;
    let state = request.parameter("state");
    let wanted = |pull: &&Pull| match state {
        "all" => true,
        "closed" => !pull.is_open(),
        _ => pull.is_open(),
    };
    // Without an owner, GitHub takes no notice of it.
    let head = request.parameter("head").split_once(':');
    let owner = ask.home().owner.to_lowercase();
    let of_head =
        |pull: &&Pull| head.is_none_or(|(who, branch)| who.to_lowercase() == owner && pull.head == branch);
    let base = request.parameter("base");
    let of_base = |pull: &&Pull| base.is_empty() || pull.base == base;
    let found: Vec<&Pull> =
        ask.home().pulls.iter().rev().filter(wanted).filter(of_head).filter(of_base).collect();
    let (page, size) = request.page();
    let shown: Vec<Value> =
        found.iter().skip((page - 1) * size).take(size).map(|pull| pull.json(ask, false)).collect();
    let answer = Answer::json(200, &shown.into());
    if found.len() <= page * size {
        return Ok(answer);
    }
    let next =
        format!("<{}{}?page={}&per_page={size}>; rel=\"next\"", ask.state.origin(), request.path, page + 1);
    Ok(answer.header("link", next))
}

pub fn get(ask: &mut Ask<'_>) -> Reply {
    let pull = ask.home().pull(ask.number(0)?).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(200, &pull.json(ask, true)))
}

/// `POST …/pulls`.
pub fn create(ask: &mut Ask<'_>) -> Reply {
    let (head, base) = (ask.text("head")?, ask.text("base")?);
    let home = ask.home();
    let head = match head.split_once(':') {
        Some((owner, branch)) if owner.eq_ignore_ascii_case(&home.owner) => branch.to_owned(),
        // Branches of forks: none of the server's repositories has one.
        Some(_) => String::new(),
        None => head,
    };
    let title = ask.optional("title").filter(|title| !title.trim().is_empty());
    let title = title.ok_or_else(|| field("title", "missing_field"))?;
    let body = ask.optional("body");
    too_long(Some(&title), body.as_deref())?;
    let at_base = home.store.head(&base).ok_or_else(|| field("base", "invalid"))?;
    let at_head = home.store.head(&head).ok_or_else(|| field("head", "invalid"))?;
    if home.pulls.iter().any(|pull| pull.is_open() && (&pull.head, &pull.base) == (&head, &base)) {
        let message = format!("A pull request already exists for {}:{head}.", home.owner);
        return Err(Refusal::custom("PullRequest", None, message));
    }
    if home.store.is_ancestor(&at_head, &at_base) {
        let message = format!("No commits between {base} and {head}");
        return Err(Refusal::custom("PullRequest", None, message));
    }
    if home.store.merge_base(&at_head, &at_base).is_none() {
        let message = format!("The {head} branch has no history in common with {base}");
        return Err(Refusal::custom("PullRequest", None, message));
    }
    let draft = ask.body["draft"].as_bool().unwrap_or_default();
    if draft && !home.drafts {
        return Err(Refusal::unprocessable("Draft pull requests are not supported in this repository."));
    }
    let author = ask.who();
    let home = ask.home_mut();
    let number = home.pulls.last().map_or(1, |pull| pull.number + 1);
    home.store.swap(&format!("refs/pull/{number}/head"), None, Some(&at_head));
    home.pulls.push(Pull {
        number,
        title,
        body,
        state: PullState::Open,
        draft,
        head,
        base,
        head_sha: at_head,
        author,
        labels: Vec::new(),
        reviewers: Vec::new(),
        team_reviewers: Vec::new(),
        comments: Vec::new(),
        auto_merge: None,
        merge_commit: None,
        sealed: false,
    });
    let pull = ask.home().pull(number).expect("it was just made");
    let mut body = pull.json(ask, true);
    // Nobody has looked yet.
    (body["mergeable"], body["mergeable_state"]) = (Value::Null, "unknown".into());
    Ok(Answer::json(201, &body))
}

/// `PATCH …/pulls/N`: title, body, base, state.
pub fn update(ask: &mut Ask<'_>) -> Reply {
    let number = ask.number(0)?;
    let home = ask.home();
    let pull = home.pull(number).ok_or_else(Refusal::not_found)?;
    let (title, body) = (ask.optional("title"), ask.optional("body"));
    too_long(title.as_deref(), body.as_deref())?;
    if title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(field("title", "missing_field"));
    }
    let base = ask.optional("base").filter(|base| *base != pull.base);
    if let Some(base) = &base {
        if !pull.is_open() {
            let message = "Cannot change the base branch of a closed pull request.";
            let error =
                json!({ "message": message, "resource": "PullRequest", "field": "base", "code": "invalid" });
            return Err(Refusal::invalid(vec![error]));
        }
        home.store.head(base).ok_or_else(|| field("base", "invalid"))?;
    }
    let state = ask.optional("state");
    let opens = state.as_deref() == Some("open") && !pull.is_open();
    if state.as_deref().is_some_and(|state| !matches!(state, "open" | "closed")) {
        return Err(field("state", "invalid"));
    }
    if let Some(why) = home.cannot_reopen(pull).filter(|_| opens) {
        return Err(Refusal::custom("PullRequest", Some("state"), why));
    }
    let at_head = home.store.head(&pull.head);
    let clears = ask.body.get("body").is_some_and(Value::is_null);
    let pull = ask.home_mut().pull_mut(number).expect("it was just there");
    pull.title = title.unwrap_or_else(|| pull.title.clone());
    pull.base = base.unwrap_or_else(|| pull.base.clone());
    pull.body = if clears { None } else { body.or_else(|| pull.body.take()) };
    if opens {
        pull.state = PullState::Open;
        pull.head_sha = at_head.unwrap_or_default();
    } else if state.as_deref() == Some("closed") && pull.is_open() {
        pull.close(false);
    }
    let pull = ask.home().pull(number).expect("it was just there");
    Ok(Answer::json(200, &pull.json(ask, true)))
}

fn field(field: &str, code: &str) -> Refusal {
    Refusal::invalid(vec![json!({ "resource": "PullRequest", "field": field, "code": code })])
}

/// GitHub counts characters.
fn too_long(title: Option<&str>, body: Option<&str>) -> Result<(), Refusal> {
    for (field, text, most) in [("title", title, 256), ("body", body, 65_536)] {
        if text.is_some_and(|text| text.chars().count() > most) {
            let message = format!("{field} is too long (maximum is {most} characters)");
            return Err(Refusal::custom("PullRequest", Some(field), message));
        }
    }
    Ok(())
}
