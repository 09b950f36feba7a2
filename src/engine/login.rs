//! Identities exchanged for logins, all at the same time, and once more where one has ended while the build went on; and
//! the repositories that ECR wants to be made first.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join_all, try_join_all};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::process::Process;
use super::retry::{hurry, retry};
use super::run::Run;
use crate::error::RunError;
use crate::login::{Ambient, Exchanger, LoginError, Session};
use crate::model::{Credentials, Identity, IdentityKind, RegistryHost, Repository, chain};
use crate::plan::RunPlan;

/// Whose logins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of<'a> {
    /// Those of the registries that the image goes to: they are looked at first.
    Image,
    /// All other registries'.
    Others,
    /// That of this registry.
    Registry(&'a RegistryHost),
}

/// What exchanging has come to.
pub(super) struct Exchanged {
    sessions: Vec<Session>,
    failed: Vec<(RegistryHost, LoginError)>,
}

impl Exchanged {
    /// The logins that there are. Where nothing is pushed with one, nobody knows whether something is pulled: what is not to be
    /// had is a warning.
    ///
    /// # Errors
    /// One that is not to be had at one of these registries, which the image is pushed to.
    pub(super) fn needed_at(
        self,
        run: &Run<'_>,
        pushed_to: &BTreeSet<&RegistryHost>,
    ) -> Result<Vec<Session>, LoginError> {
        for (registry, error) in self.failed {
            if pushed_to.contains(&registry) {
                return Err(error);
            }
            let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
            let said = format!("the run goes on without a login for `{registry}`: {}{hint}", chain(&error));
            run.process.reporter.warn(&said);
        }
        Ok(self.sessions)
    }
}

/// The login of each of these identities, which is in the keyring then. Changes nothing anywhere else.
pub(super) async fn exchange(run: &Run<'_>, of: Of<'_>) -> Exchanged {
    let registries = run.asked.targets.registries();
    let wanted = |identity: &&Identity| match of {
        Of::Image => registries.contains(&identity.registry),
        Of::Others => !registries.contains(&identity.registry),
        Of::Registry(host) => identity.registry == *host,
    };
    let identities: Vec<_> = run.keyring.identities().iter().filter(wanted).collect();
    let answers = join_all(identities.iter().map(|identity| exchange_one(run, identity))).await;
    let mut exchanged = Exchanged { sessions: Vec::new(), failed: Vec::new() };
    for (identity, answer) in identities.into_iter().zip(answers) {
        match answer {
            Ok(session) => {
                // From here on nobody has to know which login was exchanged for and which was given.
                run.keyring.add(session.credentials.clone());
                exchanged.sessions.push(session);
            }
            Err(error) => exchanged.failed.push((identity.registry.clone(), error)),
        }
    }
    exchanged
}

async fn exchange_one(run: &Run<'_>, identity: &Identity) -> Result<Session, LoginError> {
    let began = Instant::now();
    let Run { process, asked, .. } = run;
    let login = async |exchanger: Exchanger<'_>| {
        retry(process, hurry(asked.retries), async || exchanger.login(identity).await).await
    };
    let session = exchanging(process, login).await?;
    let (registry, source) = (&identity.registry, &identity.source);
    process.reporter.info(&format!("login: {registry} by {source} ({} ms)", began.elapsed().as_millis()));
    Ok(session)
}

/// With whom to ask the clouds.
async fn exchanging<T>(process: &Process, work: impl AsyncFnOnce(Exchanger<'_>) -> T) -> T {
    let ambient = Ambient::read(&process.variables);
    let network = process.network();
    let mask = |secret: &str| {
        process.reporter.mask(secret);
    };
    work(Exchanger { ambient: &ambient, network: &network, now: process.now, mask: &mask }).await
}

/// A fresh login in the place of the one that this registry took no longer; `None` if it was not exchanged for, or cannot
/// be had again.
async fn renewed(run: &Run<'_>, registry: &RegistryHost) -> Option<Credentials> {
    let identity = run.keyring.identity(registry)?;
    match exchange_one(run, identity).await {
        Ok(session) => Some(session.credentials),
        Err(error) => {
            run.process
                .reporter
                .info(&format!("the login at {registry} may have ended, and there is no new one: {error}"));
            None
        }
    }
}

/// Puts a fresh login in the place of the one that this registry took no longer, where it was exchanged for and can be had
/// again.
pub(super) async fn renew(run: &Run<'_>, registry: &RegistryHost) {
    if let Some(login) = renewed(run, registry).await {
        run.keyring.renew(login);
    }
}

/// Logins that are had once more when they have ended while the build went on: one for each registry, however many
/// repositories there ask for it.
pub(super) struct Renewals<'a> {
    run: Run<'a>,
    /// Whether one was had, by registry.
    had: Mutex<BTreeMap<RegistryHost, bool>>,
}

impl<'a> Renewals<'a> {
    /// None yet.
    pub(super) fn new(run: &Run<'a>) -> Self {
        Self { run: *run, had: Mutex::default() }
    }

    /// Does this, and once more with a fresh login for each registry that refuses one that was exchanged for.
    pub(super) async fn doing<T>(
        &self,
        mut work: impl AsyncFnMut() -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let mut renewed = BTreeSet::new();
        loop {
            let done = work().await;
            let refused = match &done {
                Err(RunError::Registry(error)) if error.is_denial() => self.exchanged(error.host()),
                _ => None,
            };
            let Some(registry) = refused.filter(|registry| renewed.insert(*registry)) else { return done };
            if !self.renew(registry).await {
                return done;
            }
        }
    }

    /// The registry of this name, if the login there was exchanged for.
    fn exchanged(&self, host: &str) -> Option<&'a RegistryHost> {
        let identities = self.run.keyring.identities();
        identities.iter().map(|identity| &identity.registry).find(|known| known.as_str() == host)
    }

    async fn renew(&self, registry: &RegistryHost) -> bool {
        // Whoever else wants it waits.
        let mut had = self.had.lock().await;
        if let Some(had) = had.get(registry) {
            return *had;
        }
        let login = renewed(&self.run, registry).await;
        had.insert(registry.clone(), login.is_some());
        login.map(|login| self.run.keyring.renew(login)).is_some()
    }
}

/// Makes the repositories where the inputs ask for it and the plan will push to them. `sessions`: the logins at their
/// registries that were exchanged for.
pub(super) async fn create_repositories(
    run: &Run<'_>,
    plan: &RunPlan,
    sessions: &[Session],
) -> Result<(), RunError> {
    if !run.asked.create_repository || !plan.push.pushes() {
        return Ok(());
    }
    try_join_all(plan.targets.iter().map(|target| create_repository(run, target, sessions))).await?;
    Ok(())
}

async fn create_repository(
    run: &Run<'_>,
    repository: &Repository,
    sessions: &[Session],
) -> Result<(), RunError> {
    let identity = run.keyring.identity(repository.registry());
    let at_home = |session: &&Session| session.credentials.registry == *repository.registry();
    let keys = sessions.iter().filter(at_home).find_map(|session| session.aws.as_ref());
    let (Some(identity), Some(keys)) = (identity, keys) else { return Ok(()) };
    let IdentityKind::Ecr { ecr, .. } = &identity.kind else { return Ok(()) };
    let make = async |exchanger: Exchanger<'_>| {
        let make = async || exchanger.create_repository(identity, ecr, keys, repository).await;
        retry(run.process, hurry(run.asked.retries), make).await
    };
    if exchanging(run.process, make).await? {
        run.process.reporter.info(&format!("made the repository {repository}"));
    }
    Ok(())
}
