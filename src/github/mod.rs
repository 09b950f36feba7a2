//! This GitHub server's API through octocrab: what the payload of an event leaves open, and what deployments change.
//!
//! Owns the calls, one at a time (`call`, `graphql`): questions about commits and refs (`history`), and about the repositories
//! of environments (`looks`, `repositories`); their branches (`branches`) and pull requests (`pulls`); an App's token (`app`).
//! Refuses to decide what comes after which, and to try anything again: an answer that asks for a pause says how long.
//!
//! The token goes to `GITHUB_API_URL` and nowhere else. Every call is bounded by [`TIMEOUT`]. Connections are `net`'s, as
//! those to registries are: by the same proxies, and with the same certificate authorities.
//! Source: <https://docs.github.com/rest>.

mod app;
mod branches;
mod cache;
mod call;
mod graphql;
mod history;
mod limits;
mod looks;
mod pulls;
mod repositories;

use std::time::Duration;

use http::{HeaderValue, Request, Uri, header};
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::Deserialize;
use tower::ServiceExt as _;

use crate::model::{CommitId, Secret};
use crate::net::Network;
use crate::net::client::{client as http_client, outgoing};
use crate::net::dial::{Dialer, said};

pub use app::{App, InvalidAppKey};
pub use branches::FileAddition;
pub use cache::cache_trouble;
pub use history::{CommitDetails, Listed, RefName};
pub use looks::{BranchesRead, RepositoryDetails};
pub use pulls::{NewPullRequest, PullRequest};
pub use repositories::Contents;

/// How long one answer may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The API of one GitHub server.
#[derive(Clone, Debug)]
pub struct GitHub {
    client: Octocrab,
    /// For GraphQL, where that is not below the REST API.
    graphql: Option<Octocrab>,
    api_url: String,
}

/// A question to GitHub that got no answer we can use.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// The address cannot be one.
    #[error("`GITHUB_API_URL` is `{0}`, which is not an address")]
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
        /// It was refused for a limit of requests, and not carried out: how long to wait.
        pause: Option<Duration>,
        /// The permissions that would do, as GitHub names them.
        accepts: Option<String>,
    },
    /// GitHub answered a query or a mutation with an error.
    #[error("asking {api_url} for {what}: {message}")]
    GraphQl {
        /// The API's address.
        api_url: String,
        /// What was asked for.
        what: String,
        /// Its kind, where GitHub names one: `FORBIDDEN`, `STALE_DATA`.
        kind: Option<String>,
        /// GitHub's own words.
        message: String,
        /// It was refused for a limit of requests, and not carried out: how long to wait.
        pause: Option<Duration>,
        /// It is pull requests that were refused.
        about_pulls: bool,
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
    /// It took longer than it may.
    #[error("asking {api_url} for {what}: no answer within {seconds} s")]
    Timeout {
        /// The API's address.
        api_url: String,
        /// What was asked for.
        what: String,
        /// How long it may take.
        seconds: u64,
    },
}

impl GitHubError {
    /// Whether GitHub does not know what it was asked about, or hides it from this token.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 409 | 422, .. })
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long GitHub wants to be left alone, if that is why it has refused; what it refuses so was not done.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Refused { pause, .. } | Self::GraphQl { pause, .. } => *pause,
            _ => None,
        }
    }

    /// Whether it is not known if what was asked for was done: no answer came, or one of a server in trouble.
    pub fn is_unclear(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            // As GitHub tells its own faults, and a ref that is not where it was expected.
            Self::GraphQl { kind, pause, .. } => kind.is_none() && pause.is_none(),
            Self::Transport { .. } | Self::Timeout { .. } => true,
            Self::Address(_) => false,
        }
    }

    /// Whether a branch was not where it was expected, so that nothing was done.
    pub fn is_stale(&self) -> bool {
        self.is_kind("STALE_DATA")
    }

    /// Whether a mutation was refused with an error of this kind.
    fn is_kind(&self, wanted: &str) -> bool {
        matches!(self, Self::GraphQl { kind: Some(kind), .. } if kind == wanted)
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
        let address = || GitHubError::Address(api_url.to_owned());
        let client = client.ok_or_else(address)?;
        let own = api_url.trim_end_matches('/').strip_suffix("/v3");
        let graphql =
            own.map(|url| self::client(url, token, network, TIMEOUT).ok_or_else(address)).transpose()?;
        Ok(Self { client, graphql, api_url: api_url.to_owned() })
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

    fn transport(
        &self,
        what: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> GitHubError {
        let (api_url, what) = (self.api_url.clone(), what.to_owned());
        GitHubError::Transport { api_url, what, cause: cause.into() }
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
