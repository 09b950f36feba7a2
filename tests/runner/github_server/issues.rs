//! What is added to a pull request: labels, reviewers, comments; and events for other repositories.

use super::hosted::user;
use super::http::Answer;
use super::pulls;
use super::refusal::Refusal;
use super::routes::{Ask, Reply};
use serde_json::{Value, json};

/// A label as it stands in other objects.
pub fn label(name: &str) -> Value {
    json!({ "id": name.len(), "name": name, "color": "ededed", "default": false, "description": Value::Null })
}

/// `POST …/issues/N/labels`: those that are there stay; one that the repository lacks is made.
pub fn labels(ask: &mut Ask<'_>) -> Reply {
    let number = ask.number(0)?;
    ask.home().pull(number).ok_or_else(Refusal::not_found)?;
    let names = ask.texts("labels").ok_or_else(|| Refusal::missing("labels"))?;
    if let Some(name) = names.iter().find(|name| name.trim().is_empty() || name.chars().count() > 50) {
        let error = json!({ "resource": "Label", "code": "invalid", "field": "name", "value": name });
        return Err(Refusal::invalid(vec![error]));
    }
    let pull = ask.home_mut().pull_mut(number).ok_or_else(Refusal::not_found)?;
    for name in names {
        if !pull.labels.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            pull.labels.push(name);
        }
    }
    Ok(Answer::json(200, &pull.labels.iter().map(|name| label(name)).collect()))
}

/// `POST …/pulls/N/requested_reviewers`.
pub fn reviewers(ask: &mut Ask<'_>) -> Reply {
    let number = ask.number(0)?;
    let (people, teams) =
        (ask.texts("reviewers").unwrap_or_default(), ask.texts("team_reviewers").unwrap_or_default());
    let home = ask.home();
    let pull = home.pull(number).ok_or_else(Refusal::not_found)?;
    if people.contains(&pull.author) {
        return Err(Refusal::unprocessable("Review cannot be requested from pull request author."));
    }
    let unknown = people.iter().any(|login| !home.roles.contains_key(login))
        || teams.iter().any(|slug| !home.teams.contains(slug));
    if unknown {
        let who = "One or more of the users or teams you specified is not a collaborator of the";
        return Err(Refusal::unprocessable(format!(
            "Reviews may only be requested from collaborators. {who} {} repository.",
            home.full_name()
        )));
    }
    let pull = ask.home_mut().pull_mut(number).ok_or_else(Refusal::not_found)?;
    for (known, new) in [(&mut pull.reviewers, people), (&mut pull.team_reviewers, teams)] {
        let new: Vec<String> = new.into_iter().filter(|one| !known.contains(one)).collect();
        known.extend(new);
    }
    let shown = pulls::get(ask)?;
    Ok(Answer { status: 201, ..shown })
}

/// `POST …/issues/N/comments`.
pub fn comment(ask: &mut Ask<'_>) -> Reply {
    let number = ask.number(0)?;
    ask.home().pull(number).ok_or_else(Refusal::not_found)?;
    let body = ask.text("body")?;
    if body.trim().is_empty() {
        return Err(Refusal::custom("IssueComment", Some("body"), "body can't be blank"));
    }
    if body.chars().count() > 65_536 {
        let words = "body is too long (maximum is 65536 characters)";
        return Err(Refusal::custom("IssueComment", Some("body"), words));
    }
    let who = ask.who();
    let pull = ask.home_mut().pull_mut(number).ok_or_else(Refusal::not_found)?;
    pull.comments.push((who.clone(), body.clone()));
    let id = number * 1000 + pull.comments.len() as u64;
    let web = ask.state.web();
    let url = format!("{web}/{}/pull/{number}#issuecomment-{id}", ask.home().full_name());
    Ok(Answer::json(201, &json!({ "id": id, "html_url": url, "body": body, "user": user(&who) })))
}

/// `POST …/dispatches`.
pub fn dispatch(ask: &mut Ask<'_>) -> Reply {
    let kind = ask.text("event_type")?;
    if kind.is_empty() || kind.chars().count() > 100 {
        return Err(Refusal::unprocessable("Invalid request.\n\nevent_type must be 1 to 100 characters."));
    }
    let payload = ask.body.get("client_payload").cloned().unwrap_or_else(|| json!({}));
    let Some(fields) = payload.as_object() else {
        let words = format!("For 'properties/client_payload', {payload} is not an object.");
        return Err(Refusal::unprocessable(format!("Invalid request.\n\n{words}")));
    };
    if fields.len() > 10 {
        let words = format!("No more than 10 properties are allowed; {} were supplied.", fields.len());
        return Err(Refusal::unprocessable(format!("Invalid request.\n\n{words}")));
    }
    if payload.to_string().len() > 65_535 {
        return Err(Refusal::unprocessable("client_payload is too large."));
    }
    ask.home_mut().dispatches.push((kind, payload));
    Ok(Answer::nothing())
}
