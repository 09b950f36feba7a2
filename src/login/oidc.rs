//! The job's OIDC token, from the server that the runner names: a JWT for one audience.

use http::Method;

use super::error::{Ask, LoginError, Step};
use super::{Exchanger, claims};
use crate::model::Secret;
use crate::registry::form;

/// What is missing without it.
const PERMISSION: &str = "give the job `permissions: id-token: write` (beside `contents: read`); a workflow that is called gets it \
     only if its caller has it too, and a run of a fork's pull request never does";

/// A token of the job.
pub(super) struct JobToken {
    pub jwt: Secret,
}

impl JobToken {
    /// For hints: the job's subject.
    pub fn subject(&self) -> String {
        claims::shown(self.jwt.expose())
    }
}

/// A token of this job for this audience.
pub(super) async fn token(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    audience: &str,
) -> Result<JobToken, LoginError> {
    let doing = "get the job's OIDC token";
    let Some(server) = &exchanger.ambient.oidc else {
        return Err(step.missing(doing, "GitHub gives this job none", PERMISSION));
    };
    let separator = if server.url.contains('?') { '&' } else { '?' };
    let ask = Ask {
        step,
        doing: doing.into(),
        method: Method::GET,
        url: format!("{}{separator}{}", server.url, form([("audience", audience)])),
        headers: vec![
            ("authorization", format!("Bearer {}", server.token.expose())),
            ("accept", "application/json".into()),
        ],
        body: String::new(),
        secrets: &[server.token.expose()],
        hint: &|_, _| Some(PERMISSION.into()),
    };
    let good = ask.send().await?;
    let json: serde_json::Value = serde_json::from_slice(&good.body).unwrap_or_default();
    let jwt = json.get("value").and_then(serde_json::Value::as_str).unwrap_or_default();
    if jwt.is_empty() || !jwt.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(step.useless(&good, "holds no token"));
    }
    exchanger.mask(jwt);
    Ok(JobToken { jwt: Secret::new(jwt) })
}
