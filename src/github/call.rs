//! One call of the API: what is sent, and what an answer that says no comes to.

use std::time::Duration;

use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limits::pause;
use super::{GitHub, GitHubError, TIMEOUT};
use crate::model::text;

/// How long the answer to something that is written may take.
const WRITING: Duration = Duration::from_secs(30);

/// The longest answer that is read into memory: GitHub's longest file is two thirds of that.
const LONGEST: usize = 2 * 1024 * 1024;

/// What GitHub says when it refuses.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    message: String,
    errors: Vec<Value>,
}

/// Why there is no answer.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A successful answer.
pub(super) struct Answer {
    pub headers: HeaderMap,
    pub body: String,
}

impl GitHub {
    /// One question, whose answer is JSON.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: String,
        route: String,
    ) -> Result<T, GitHubError> {
        let answer = self.answer(&what, &Method::GET, &route, None).await?;
        self.read(&what, &answer.body)
    }

    /// Something that is written, whose answer is JSON.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        route: &str,
        body: Option<&Value>,
    ) -> Result<T, GitHubError> {
        let answer = self.answer(what, &method, route, body).await?;
        // 204 has no body.
        let body = if answer.body.trim().is_empty() { "null" } else { &answer.body };
        self.read(what, body)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, what: &str, body: &str) -> Result<T, GitHubError> {
        serde_json::from_str(body).map_err(|error| self.transport(what, error))
    }

    /// The answer as it came: what is the same for all calls is in the program once.
    async fn answer(
        &self,
        what: &str,
        method: &Method,
        route: &str,
        body: Option<&Value>,
    ) -> Result<Answer, GitHubError> {
        self.answer_of(&self.client, what, method, route, body).await
    }

    /// The same by this client.
    pub(super) async fn answer_of(
        &self,
        client: &Octocrab,
        what: &str,
        method: &Method,
        route: &str,
        body: Option<&Value>,
    ) -> Result<Answer, GitHubError> {
        let limit = if *method == Method::GET { TIMEOUT } else { WRITING };
        let sent = async {
            let response = match *method {
                Method::POST => client._post(route, body).await,
                Method::PATCH => client._patch(route, body).await,
                Method::DELETE => client._delete(route, body).await,
                _ => client._get(route).await,
            }?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LONGEST);
            let bytes = body.collect().await?.to_bytes();
            Ok::<_, Cause>((parts, bytes))
        };
        let Ok(answer) = tokio::time::timeout(limit, sent).await else {
            let (api_url, what) = (self.api_url.clone(), what.to_owned());
            return Err(GitHubError::Timeout { api_url, what, seconds: limit.as_secs() });
        };
        let (parts, bytes) = answer.map_err(|cause| self.transport(what, cause))?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        if parts.status.is_success() {
            return Ok(Answer { headers: parts.headers, body });
        }
        let status = parts.status.as_u16();
        let message = words(parts.status, &body);
        Err(GitHubError::Refused {
            api_url: self.api_url.clone(),
            what: what.to_owned(),
            status,
            pause: pause(status, &parts.headers, &message, false),
            accepts: permissions(&parts.headers),
            message: text::line(&message),
        })
    }
}

/// What a refusal says: GitHub's sentence, and that of each field that is wrong; of what is no JSON, the status.
fn words(status: http::StatusCode, body: &str) -> String {
    let Words { message, errors } = serde_json::from_str(body).unwrap_or_default();
    let reason = || status.canonical_reason().unwrap_or_default().to_owned();
    let mut text = if message.is_empty() { reason() } else { message };
    for fault in &errors {
        let of = |key: &str| fault[key].as_str().unwrap_or_default();
        let named = [of("resource"), of("field"), of("code")].join(" ");
        let said = Some(fault.as_str().unwrap_or(of("message"))).filter(|said| !said.is_empty());
        let said = said.unwrap_or(&named);
        text.push_str("; ");
        text.push_str(said.trim());
    }
    text
}

/// The permissions that would do, as GitHub names them: `contents=write`; several with commas.
fn permissions(headers: &HeaderMap) -> Option<String> {
    let named = headers.get("x-accepted-github-permissions")?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '=' | ',' | ';' | ' ');
    let first = named.split(';').next().unwrap_or_default().trim();
    (!first.is_empty() && named.chars().all(plain)).then(|| first.replace('=', ": "))
}
