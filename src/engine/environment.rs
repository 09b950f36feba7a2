//! An environment's repository, as it was opened before the build; and who writes to it: `deploy_token`, an App, or the job itself
//! in its own repository.

use tokio::time::{Duration, Instant};

use super::retry::{hurry, retry};
use super::run::Run;
use crate::error::{DeployError, LoginKind};
use crate::github::{App, GitHub, GitHubError};
use crate::model::{DeployLogin, GithubRepository, Secret};
use crate::plan::deploy::BaseRead;

/// An App's token is good for an hour.
const RENEW: Duration = Duration::from_mins(45);

/// What an App's token may: GitHub gives no other.
const PERMISSIONS: &[(&str, &str)] = &[("contents", "write"), ("pull_requests", "write")];
/// The same where nothing but an event is sent.
const EVENTS: &[(&str, &str)] = &[("contents", "write")];

/// An environment's repository, with what was read of it before the build.
pub(super) struct OpenEnvironment {
    /// Its number in the input.
    pub number: usize,
    /// Who writes to it.
    pub account: Account,
    /// The repository's id in GraphQL.
    pub node_id: String,
    /// What was read of its base branch.
    pub base: Option<BaseRead>,
}

/// A client for one repository.
pub(super) struct Account {
    /// With the login for it.
    pub github: GitHub,
    /// The repository.
    pub repository: GithubRepository,
    /// What is shown to GitHub.
    pub login: LoginKind,
    events_only: bool,
    made: Instant,
}

impl Account {
    /// Of this repository; `events_only`: nothing is to be written but events.
    pub(super) async fn open(
        run: &Run<'_>,
        repository: &GithubRepository,
        events_only: bool,
    ) -> Result<Self, DeployError> {
        let own = repository.is(&run.context.repository.full_name);
        let (token, login) = match (run.keyring.deploy(), run.keyring.token()) {
            (Some(DeployLogin::Token(token)), _) => (token.clone(), LoginKind::Token),
            (Some(DeployLogin::App { id, key }), _) => {
                let app = App::new(id, key)?;
                (app_token(run, &app, repository, events_only).await?, LoginKind::App)
            }
            (None, Some(token)) if own => (token.clone(), LoginKind::Job),
            (None, _) => {
                let app_without_key = run.asked.deploy.app_without_key;
                return Err(DeployError::NoLogin { repository: repository.clone(), app_without_key });
            }
        };
        let github = GitHub::new(&run.context.api_url, Some(&token), &run.process.network());
        let github = github.map_err(|error| failed(repository, login, error))?;
        Ok(Self { github, repository: repository.clone(), login, events_only, made: Instant::now() })
    }

    /// The same with a token that is good for a while: a build may take long.
    pub(super) async fn renewed(self, run: &Run<'_>) -> Result<Self, DeployError> {
        if self.login != LoginKind::App || self.made.elapsed() < RENEW {
            return Ok(self);
        }
        Self::open(run, &self.repository, self.events_only).await
    }

    /// Asks, and asks again where that is of use.
    pub(super) async fn ask<T>(
        &self,
        run: &Run<'_>,
        question: impl AsyncFn(&GitHub, &str) -> Result<T, GitHubError>,
    ) -> Result<T, DeployError> {
        let request = async || question(&self.github, self.repository.as_str()).await;
        let answer = retry(run.process, hurry(run.asked.retries), request).await;
        answer.map_err(|error| self.failed(error))
    }

    /// What GitHub said, of this repository.
    pub(super) fn failed(&self, error: GitHubError) -> DeployError {
        failed(&self.repository, self.login, error)
    }
}

async fn app_token(
    run: &Run<'_>,
    app: &App,
    repository: &GithubRepository,
    events_only: bool,
) -> Result<Secret, DeployError> {
    let proof = app.proof((run.process.now)())?;
    run.process.reporter.mask(proof.expose());
    let refused = |error| failed(repository, LoginKind::App, error);
    let github = GitHub::new(&run.context.api_url, Some(&proof), &run.process.network()).map_err(refused)?;
    let permissions = if events_only { EVENTS } else { PERMISSIONS };
    let request = async || github.installation_token(repository, permissions).await;
    let token = retry(run.process, hurry(run.asked.retries), request).await.map_err(refused)?;
    run.process.reporter.mask(token.expose());
    Ok(token)
}

fn failed(repository: &GithubRepository, login: LoginKind, error: GitHubError) -> DeployError {
    DeployError::GitHub { repository: repository.clone(), login, source: Box::new(error) }
}
