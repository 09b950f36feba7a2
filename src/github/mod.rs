//! This GitHub server's REST API through octocrab: only what the payload of an event leaves open.
//!
//! The token goes to `GITHUB_API_URL` and nowhere else. Every call is bounded by [`TIMEOUT`]. Connections are `net`'s, as
//! those to registries are: by the same proxies, and with the same certificate authorities.
//! Source: <https://docs.github.com/rest>.

mod cache;
mod history;

use std::time::Duration;

use http::{HeaderValue, Request, Uri, header};
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use crate::model::{CommitId, Secret, text};
use crate::net::Network;
use crate::net::client::{client as http_client, outgoing};
use crate::net::dial::{Dialer, said};

pub use cache::cache_trouble;
pub use history::{CommitDetails, Listed, RefName};

/// How long one answer may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The REST API of one GitHub server.
#[derive(Debug)]
pub struct GitHub {
    client: Octocrab,
    api_url: String,
}

/// A question to GitHub that got no answer we can use.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// The address cannot be one.
    #[error("`GITHUB_API_URL` is `{0}`, which is no address")]
    Address(String),
    /// GitHub answered with an error.
    #[error("asking {api_url} for {what}: {status} {message}")]
    Refused {
        /// The API's address.
        api_url: String,
        /// What was asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// GitHub's own words.
        message: String,
    },
    /// No answer, or none that can be read.
    #[error("asking {api_url} for {what}: {}", said(.cause.as_ref()))]
    Transport {
        /// The API's address.
        api_url: String,
        /// What was asked for.
        what: String,
        /// What went wrong.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took longer than [`TIMEOUT`].
    #[error("asking {api_url} for {what}: no answer within {} s", TIMEOUT.as_secs())]
    Timeout {
        /// The API's address.
        api_url: String,
        /// What was asked for.
        what: String,
    },
}

impl GitHubError {
    /// Whether GitHub does not know what it was asked about, or hides it from this token.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 409 | 422, .. })
    }
}

/// The head of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestHead {
    /// Tip of the head branch.
    pub sha: CommitId,
    /// `owner/name` that it is in; absent when that repository was deleted.
    pub repository: Option<String>,
}

#[derive(Deserialize)]
struct Pull {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: CommitId,
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    full_name: String,
}

impl GitHub {
    /// A client for the API at `api_url`, with `token` if there is one. Connects to nothing yet.
    pub fn new(api_url: &str, token: Option<&Secret>, network: &Network) -> Result<Self, GitHubError> {
        let client = client(api_url, token, network, TIMEOUT);
        let client = client.ok_or_else(|| GitHubError::Address(api_url.to_owned()))?;
        Ok(Self { client, api_url: api_url.to_owned() })
    }

    /// The head of pull request `number` of `repository` (`owner/name`): for events that do not carry it.
    pub async fn pull_request_head(
        &self,
        repository: &str,
        number: u64,
    ) -> Result<PullRequestHead, GitHubError> {
        let what = format!("pull request {number} of {repository}");
        let pull: Pull = self.ask(what, format!("/repos/{repository}/pulls/{number}")).await?;
        Ok(PullRequestHead { sha: pull.head.sha, repository: pull.head.repo.map(|repo| repo.full_name) })
    }

    /// One question, whose answer is JSON.
    async fn ask<T: DeserializeOwned>(&self, what: String, route: String) -> Result<T, GitHubError> {
        let answer = self.answer(&what, &route).await?;
        serde_json::from_str(&answer).map_err(|error| self.transport(&what, error))
    }

    /// The answer as it came: what is the same for all questions is in the program once.
    async fn answer(&self, what: &str, route: &str) -> Result<String, GitHubError> {
        let asked = async {
            let response = octocrab::map_github_error(self.client._get(route).await?).await?;
            self.client.body_to_string(response).await
        };
        let Ok(answer) = tokio::time::timeout(TIMEOUT, asked).await else {
            return Err(GitHubError::Timeout { api_url: self.api_url.clone(), what: what.to_owned() });
        };
        answer.map_err(|error| match error {
            octocrab::Error::GitHub { source, .. } => GitHubError::Refused {
                api_url: self.api_url.clone(),
                what: what.to_owned(),
                status: source.status_code.as_u16(),
                message: text::line(&source.message),
            },
            cause => self.transport(what, cause),
        })
    }

    fn transport(&self, what: &str, cause: impl std::error::Error + Send + Sync + 'static) -> GitHubError {
        let (api_url, what) = (self.api_url.clone(), what.to_owned());
        GitHubError::Transport { api_url, what, cause: Box::new(cause) }
    }
}

/// A client of the server at this URL; `None` if that is no address. `connect`: for making one connection.
fn client(url: &str, token: Option<&Secret>, network: &Network, connect: Duration) -> Option<Octocrab> {
    let base: Uri = url.trim_end_matches('/').parse().ok()?;
    base.scheme()?;
    let login = token.filter(|token| !token.is_empty());
    let login = login.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose())));
    let mut login = login.transpose().ok()?;
    if let Some(value) = &mut login {
        value.set_sensitive(true);
    }
    let network = network.clone();
    let dialer = Dialer { timeout: connect, network, registry: None, unverified: None, way: None };
    let client = http_client(dialer).map_request(|request: Request<OctoBody>| request.map(outgoing));
    // GitHub refuses who does not say their name.
    let agent = HeaderValue::from_static(concat!("docker-push-action/", env!("CARGO_PKG_VERSION")));
    let client = OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&ExtraHeadersLayer::new(vec![(header::USER_AGENT, agent)].into()))
        .with_layer(&BaseUriLayer::new(base.clone()))
        .with_layer(&AuthHeaderLayer::new(login, base.clone(), base))
        .with_auth(AuthState::None)
        .build();
    match client {
        Ok(client) => Some(client),
        Err(never) => match never {},
    }
}
