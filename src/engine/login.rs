//! Identities exchanged for logins, all at the same time, and once more where one has ended while the build went on; and
//! the repositories that ECR wants to be made first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::RunError;
use crate::inputs::config::Config;
use crate::login::{Ambient, Exchanger, LoginError, Session};
use crate::model::{Credentials, Identity, IdentityKind, RegistryHost, Repository};
use crate::plan::{PushPlan, RunPlan};

use super::Process;
use super::persist::{hurry, persist};

/// Whose logins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Those of the registries that the image goes to: they are looked at first.
    Image,
    /// All other registries'.
    Others,
}

/// The login of each of these identities, in their order. Changes nothing anywhere.
pub async fn exchange(process: &Process, config: &Config, of: Of) -> Result<Vec<Session>, LoginError> {
    let images = |host: &RegistryHost| config.targets().any(|target| target.registry() == host);
    let wanted = |identity: &&Identity| images(&identity.registry) == (of == Of::Image);
    let identities = config.identities.iter().filter(wanted);
    try_join_all(identities.map(|identity| exchange_one(process, config, identity))).await
}

async fn exchange_one(
    process: &Process,
    config: &Config,
    identity: &Identity,
) -> Result<Session, LoginError> {
    let began = Instant::now();
    let login = async |exchanger: Exchanger<'_>| {
        persist(process, hurry(config), async || exchanger.login(identity).await).await
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
pub async fn renewed(process: &Process, config: &Config, registry: &RegistryHost) -> Option<Credentials> {
    let identity = config.identities.iter().find(|identity| identity.registry == *registry)?;
    match exchange_one(process, config, identity).await {
        Ok(session) => Some(session.credentials),
        Err(error) => {
            process
                .reporter
                .info(&format!("the login at {registry} may have ended, and there is no new one: {error}"));
            None
        }
    }
}

/// Logins that are had once more when they have ended while the build went on: one for each registry, however many
/// repositories there ask for it.
pub struct Renewing<'a> {
    process: &'a Process,
    config: &'a Config,
    /// What was had, and where there was none to be had.
    fresh: Mutex<BTreeMap<RegistryHost, Option<Credentials>>>,
}

impl<'a> Renewing<'a> {
    /// With the logins of this configuration, as long as they are taken.
    pub fn new(process: &'a Process, config: &'a Config) -> Self {
        Self { process, config, fresh: Mutex::default() }
    }

    /// Does this, and once more with a fresh login for each registry that refuses one that was exchanged for.
    pub async fn doing<T>(
        &self,
        mut work: impl AsyncFnMut(&Config) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let mut config = Cow::Borrowed(self.config);
        let mut renewed = BTreeSet::new();
        loop {
            let done = work(&config).await;
            let refused = match &done {
                Err(RunError::Registry(error)) if error.is_denial() => self.exchanged(error.host()),
                _ => None,
            };
            let Some(registry) = refused.filter(|registry| renewed.insert(*registry)) else { return done };
            let Some(login) = self.fresh(registry).await else { return done };
            config.to_mut().credentials.renew(login);
        }
    }

    /// The registry of this name, if the login there was exchanged for.
    fn exchanged(&self, host: &str) -> Option<&'a RegistryHost> {
        self.config.identities.iter().map(|identity| &identity.registry).find(|known| known.as_str() == host)
    }

    async fn fresh(&self, registry: &RegistryHost) -> Option<Credentials> {
        // Whoever else wants it waits.
        let mut fresh = self.fresh.lock().await;
        if let Some(known) = fresh.get(registry) {
            return known.clone();
        }
        let login = renewed(self.process, self.config, registry).await;
        fresh.insert(registry.clone(), login.clone());
        login
    }
}

/// The same with the logins that were had.
pub fn with_logins<'a>(config: &Config, sessions: impl IntoIterator<Item = &'a Session>) -> Config {
    let mut config = config.clone();
    for session in sessions {
        config.credentials.add(session.credentials.clone());
    }
    config
}

/// Makes the repositories where the inputs ask for it and the plan will push to them. `own`: the logins at their
/// registries.
pub async fn create_repositories(
    process: &Process,
    config: &Config,
    plan: &RunPlan,
    own: &[Session],
) -> Result<(), RunError> {
    if !config.create_repository || !matches!(plan.push, PushPlan::Push { .. }) {
        return Ok(());
    }
    try_join_all(plan.targets().map(|target| create_repository(process, config, target, own))).await?;
    Ok(())
}

async fn create_repository(
    process: &Process,
    config: &Config,
    repository: &Repository,
    own: &[Session],
) -> Result<(), RunError> {
    let identity = config.identities.iter().find(|identity| identity.registry == *repository.registry());
    let at_home = |session: &&Session| session.credentials.registry == *repository.registry();
    let keys = own.iter().filter(at_home).find_map(|session| session.aws.as_ref());
    let (Some(identity), Some(keys)) = (identity, keys) else { return Ok(()) };
    let IdentityKind::Ecr { ecr, .. } = &identity.kind else { return Ok(()) };
    let make = async |exchanger: Exchanger<'_>| {
        let make = async || exchanger.create_repository(identity, ecr, keys, repository).await;
        persist(process, hurry(config), make).await
    };
    if exchanging(process, make).await? {
        process.reporter.info(&format!("made the repository {repository}"));
    }
    Ok(())
}
