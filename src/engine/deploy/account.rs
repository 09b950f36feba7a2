//! Who writes to an environment's repository: `deploy_token`, an App, or the job itself in its own repository.

use tokio::time::{Duration, Instant};

use crate::engine::retry::{hurry, retry};
use crate::engine::run::Run;
use crate::error::{DeployError, LoginKind};
use crate::github::{App, GitHub, GitHubError};
use crate::model::{DeployLogin, GithubRepository, Secret};

/// An App's token is good for an hour.
const RENEW: Duration = Duration::from_mins(45);

/// What an App's token may: GitHub gives no other.
const PERMISSIONS: &[(&str, &str)] = &[("contents", "write"), ("pull_requests", "write")];
/// The same where nothing but an event is sent.
const EVENTS: &[(&str, &str)] = &[("contents", "write")];

/// A client for one repository.
pub(in crate::engine) struct Account {
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
    pub(in crate::engine) async fn open(
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
    pub(in crate::engine) async fn renewed(self, run: &Run<'_>) -> Result<Self, DeployError> {
        if self.login != LoginKind::App || self.made.elapsed() < RENEW {
            return Ok(self);
        }
        Self::open(run, &self.repository, self.events_only).await
    }

    /// Asks, and asks again where that is of use.
    pub(in crate::engine) async fn ask<T>(
        &self,
        run: &Run<'_>,
        question: impl AsyncFn(&GitHub, &str) -> Result<T, GitHubError>,
    ) -> Result<T, DeployError> {
        let request = async || question(&self.github, self.repository.as_str()).await;
        let answer = retry(run.process, hurry(run.asked.retries), request).await;
        answer.map_err(|error| self.failed(error))
    }

    /// What GitHub said, of this repository.
    pub(in crate::engine) fn failed(&self, error: GitHubError) -> DeployError {
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
