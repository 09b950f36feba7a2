//! The registries before the build, each beside the others: how one is reached, whether this job may push there, and what
//! is under the tags that decide whether there will be one. Begun as soon as the tags are known, beside the other facts.
//!
//! Access is really tried, by an upload that is begun and given up; twice before a registry is believed that refuses. Only
//! a denial counts, and a registry that speaks in a way that nobody has allowed, as it could get no tag: what fails for
//! another reason is a warning, as the push will tell. A registry that takes a helper container to be reached is not waited
//! for: the build begins, and ends if the verdict is bad.
//!
//! A registry is spoken to as `buildkitd_config` says. Where the Docker daemon itself may build, one that refuses TLS is
//! looked for among the daemon's insecure registries; that counts if the plan lets the daemon build.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::docker::{ReachError, RelayOptions, is_insecure_registry, reach_loopback_telling};
use crate::engine::background::Background;
use crate::engine::process::Process;
use crate::engine::registries::{Clients, Way};
use crate::engine::retry::{Trying, second_look};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::metadata::Metadata;
use crate::model::{Patience, RegistryHost, RegistryProtocol, Repository, Tag, Targets};
use crate::plan::RunPlan;
use crate::plan::builder::may_build_by_daemon;
use crate::plan::promote::decisive;
use crate::registry::{Descriptor, RegistryClient, RegistryError, Upload};

/// A build is not kept waiting for longer; the verdict is heard while it runs.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longer than this no verdict is waited for: the push will tell.
const LONGEST: Duration = Duration::from_secs(15);
/// Tags that are looked up at the same time.
const IN_PARALLEL: usize = 8;

/// What is under tags; one that could not be looked up is not there.
pub(in crate::engine) type Existing = BTreeMap<Tag, Option<Descriptor>>;

/// What was found at one registry.
struct Found {
    host: RegistryHost,
    /// How it was reached, if that was not known before.
    way: Option<Way>,
    /// What is still to be cleared up there.
    clearing: Background<()>,
    seen: Vec<Seen>,
}

/// What was found in one repository.
struct Seen {
    repository: Repository,
    /// Whether this job may push; `None` if no answer came in time.
    access: Option<Result<(), RegistryError>>,
    existing: Existing,
    /// How it refused us before the daemon's configuration was asked, and allowed more.
    allowed_by_daemon: Option<RegistryError>,
}

impl Seen {
    fn is_denied(&self) -> bool {
        matches!(&self.access, Some(Err(error)) if error.is_denial())
    }

    fn is_untrusted(&self) -> bool {
        matches!(&self.access, Some(Err(error)) if error.is_untrusted())
    }

    fn is_good(&self, by_daemon: bool) -> bool {
        !self.is_denied() && !self.is_untrusted() && (by_daemon || self.allowed_by_daemon.is_none())
    }

    /// What ends the run.
    fn into_fault(self, by_daemon: bool) -> Option<(Repository, RunError)> {
        if self.is_good(by_daemon) {
            return None;
        }
        let said = self.access.and_then(Result::err).or(self.allowed_by_daemon)?;
        Some((self.repository, said.into()))
    }
}

/// A look at the registries that goes on beside other work; it ends with this value.
pub(in crate::engine) struct AccessCheck {
    looking: Background<Result<Found, ReachError>>,
    /// Registries that are looked at.
    hosts: usize,
    /// Repositories in them.
    repositories: usize,
    /// Set when a helper container has to be started.
    slow: watch::Receiver<bool>,
    /// What is known so far.
    found: Vec<Result<Found, ReachError>>,
    /// What was found under the tags of each repository that decide before the build, once all of it was good.
    verdict: Option<BTreeMap<Repository, Existing>>,
}

/// What looks at one registry.
struct Look {
    process: Process,
    host: RegistryHost,
    repositories: Vec<Repository>,
    /// What is looked up there.
    tags: Vec<Tag>,
    clients: Clients,
    /// The client that has been there before.
    known: Option<Arc<RegistryClient>>,
    socket: PathBuf,
    relay: RelayOptions,
    patience: Patience,
    /// Repositories that are missing are made before the build.
    creates: bool,
    /// The daemon itself may build: what it allows may be allowed.
    asks_daemon: bool,
}

impl AccessCheck {
    /// Begins to look.
    pub(super) fn begin(run: &Run<'_>, metadata: &Metadata, targets: &Targets) -> Self {
        let (tell, slow) = watch::channel(false);
        let Run { process, asked, context, .. } = *run;
        let tags = decisive(asked, context, metadata);
        let mut looking = Background::none();
        let hosts: BTreeSet<&RegistryHost> = targets.registries();
        for host in &hosts {
            let here = |target: &&Repository| target.registry() == *host;
            let look = Look {
                process: process.clone(),
                host: (*host).clone(),
                repositories: targets.iter().filter(here).cloned().collect(),
                tags: tags.clone(),
                clients: run.registries.clients().clone(),
                known: run.registries.known(host),
                socket: run.daemon.path().to_owned(),
                relay: relay_options(run),
                patience: second_look(asked.retries),
                creates: asked.create_repository,
                asks_daemon: may_build_by_daemon(&asked.builder.choice),
            };
            let tell = tell.clone();
            looking.also(async move {
                look.at_registry(|| {
                    let _ = tell.send(true);
                })
                .await
            });
        }
        let (hosts, repositories) = (hosts.len(), targets.count());
        Self { looking, hosts, repositories, slow, found: Vec::new(), verdict: None }
    }

    /// Waits for the verdict as long as that is fair to a build. Fails as [`Self::settle`] would.
    pub(in crate::engine) async fn before_the_build(&mut self, plan: &RunPlan) -> Result<(), RunError> {
        let mut slow = self.slow.clone();
        tokio::select! {
            biased;
            () = self.find() => {}
            // Nobody is left to tell once it is found.
            Ok(_) = slow.wait_for(|slow| *slow) => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        self.fatal(plan)
    }

    /// Waits for the verdict and takes out the repositories that this job may not push to, with what the registries said.
    pub(super) async fn denials(&mut self) -> Vec<(Repository, String)> {
        self.find().await;
        let mut denials = Vec::new();
        for found in self.found.iter_mut().flatten() {
            for denied in found.seen.extract_if(.., |seen| seen.is_denied()) {
                if let Some(Err(error)) = denied.access {
                    denials.push((denied.repository, error.to_string()));
                }
            }
        }
        denials
    }

    /// Waits for the verdict; from then on the run knows how each registry is reached. Gives what is under the tags of each
    /// repository that decide before the build.
    ///
    /// # Errors
    /// A denial, or a registry on this machine that cannot be reached. Anything else that went wrong is a warning.
    pub(in crate::engine) async fn settle(
        &mut self,
        run: &Run<'_>,
        plan: &RunPlan,
    ) -> Result<&BTreeMap<Repository, Existing>, RunError> {
        let verdict = match self.verdict.take() {
            Some(verdict) => verdict,
            None => self.judge(run, plan).await?,
        };
        Ok(self.verdict.insert(verdict))
    }

    async fn judge(
        &mut self,
        run: &Run<'_>,
        plan: &RunPlan,
    ) -> Result<BTreeMap<Repository, Existing>, RunError> {
        self.find().await;
        self.fatal(plan)?;
        if self.found.len() < self.hosts {
            let why = "a look at a registry ended without a result";
            return Err(RunError::Contradiction(vec![why.into()]));
        }
        let mut verdict = BTreeMap::new();
        for Found { host, way, clearing, seen } in self.found.drain(..).flatten() {
            if let Some(way) = way {
                run.registries.reach(&host, way);
            }
            run.registries.clear(clearing);
            for Seen { repository, access, existing, .. } in seen {
                let why = match access {
                    Some(Ok(())) => {
                        run.registries.note_reached(repository.registry());
                        None
                    }
                    Some(Err(error)) => {
                        let hint = error.hint().map_or_else(String::new, |hint| format!(" ({hint})"));
                        Some(format!("{error}{hint}"))
                    }
                    None => {
                        let seconds = LONGEST.as_secs();
                        Some(format!("`{}` did not say within {seconds} s", repository.registry()))
                    }
                };
                if let Some(why) = why {
                    let said = format!("whether this job may push is not known: {why}");
                    run.process.reporter.warn(&said);
                }
                verdict.insert(repository, existing);
            }
        }
        Ok(verdict)
    }

    /// What is known already and ends the run: all of it.
    fn fatal(&mut self, plan: &RunPlan) -> Result<(), RunError> {
        let by_daemon = plan.image.build().is_none_or(|work| work.builder.is_daemon());
        let good = |found: &Result<Found, ReachError>| {
            found.as_ref().is_ok_and(|found| found.seen.iter().all(|seen| seen.is_good(by_daemon)))
        };
        let mut errors = Vec::new();
        for bad in self.found.extract_if(.., |found| !good(found)) {
            errors.extend(bad?.seen.into_iter().filter_map(|seen| seen.into_fault(by_daemon)));
        }
        RunError::each(self.repositories, errors)
    }

    /// Waits until all is found.
    async fn find(&mut self) {
        while let Some(found) = self.looking.take().await {
            self.found.push(found);
        }
    }
}

impl Look {
    /// Finds the way to the registry and looks at its repositories; `slow` is called when that takes a helper container.
    async fn at_registry(self, slow: impl FnOnce()) -> Result<Found, ReachError> {
        let (mut found, mut client) = if let Some(client) = &self.known {
            (None, Arc::clone(client))
        } else {
            let reached = reach_loopback_telling(&self.host, &self.socket, &self.relay, slow).await?;
            let protocol = self.clients.protocol(&self.host);
            let client = self.clients.make_speaking(protocol, &self.host, reached.dial.clone());
            (Some((reached, protocol)), Arc::new(client))
        };
        let mut looks = self.at_repositories(&client).await;
        if let Some((reached, protocol)) = &mut found
            && looks.iter().any(|(seen, _)| seen.is_untrusted())
            && self.is_allowed_by_daemon().await
        {
            *protocol = RegistryProtocol::UnverifiedOrPlain;
            client = Arc::new(self.clients.make_speaking(*protocol, &self.host, reached.dial.clone()));
            for (look, again) in looks.iter_mut().zip(self.at_repositories(&client).await) {
                let (before, _) = std::mem::replace(look, again);
                look.0.allowed_by_daemon = before.access.and_then(Result::err);
            }
        }
        let Self { host, creates, .. } = self;
        let (mut seen, mut clearing) = (Vec::new(), Background::none());
        for (mut one, upload) in looks {
            if let Some(upload) = upload {
                // Nobody waits for its end.
                let (client, repository) = (Arc::clone(&client), one.repository.clone());
                clearing.also(async move { client.end_upload(&repository, upload).await });
            }
            if let Some(access) = &mut one.access
                && access.as_ref().is_err_and(|error| creates && error.is_absence())
            {
                // It is made before the build begins.
                *access = Ok(());
            }
            seen.push(one);
        }
        let way = found.map(|(reached, protocol)| Way::new(reached, protocol, client));
        Ok(Found { host, way, clearing, seen })
    }

    /// Looks at each of the repositories.
    async fn at_repositories(&self, client: &RegistryClient) -> Vec<(Seen, Option<Upload>)> {
        let look = |repository: &Repository| {
            see(&self.process, self.patience.clone(), client, repository.clone(), &self.tags)
        };
        join_all(self.repositories.iter().map(look)).await
    }

    async fn is_allowed_by_daemon(&self) -> bool {
        self.asks_daemon && is_allowed_by_daemon(&self.socket, &self.host).await
    }
}

/// Whether the daemon pushes there in a way that nobody has told this run. One that cannot be asked does not.
pub(in crate::engine) async fn is_allowed_by_daemon(socket: &Path, host: &RegistryHost) -> bool {
    is_insecure_registry(socket, host).await.unwrap_or(false)
}

/// For a helper container that leads to a registry, if it takes one.
pub(super) fn relay_options(run: &Run<'_>) -> RelayOptions {
    let Run { process, context, .. } = *run;
    RelayOptions {
        run: run.label(),
        id: process.random_id(),
        directories: vec![context.paths.temp.clone(), context.paths.workspace.clone()],
        program: process.program.clone(),
        timeout: Duration::from_secs(10),
    }
}

/// Looks at one repository; what was begun there is to be ended.
async fn see(
    process: &Process,
    patience: Patience,
    client: &RegistryClient,
    repository: Repository,
    tags: &[Tag],
) -> (Seen, Option<Upload>) {
    let (mut begun, mut existing) = (None, Existing::new());
    let mut trying = Trying::new(patience);
    let asking = async {
        // The first one's token is the other's, too.
        tokio::join!(
            async {
                begun = loop {
                    match client.begin_upload(&repository).await {
                        Err(error) if trying.again(process, &error).await => {}
                        answer => break Some(answer),
                    }
                };
            },
            look_up(client, &repository, tags, &mut existing)
        );
    };
    let _ = tokio::time::timeout(LONGEST, asking).await;
    let (access, upload) = match begun {
        Some(Ok(upload)) => (Some(Ok(())), Some(upload)),
        Some(Err(error)) => (Some(Err(error)), None),
        None => (None, None),
    };
    (Seen { repository, access, existing, allowed_by_daemon: None }, upload)
}

/// What these tags name now. Trouble with one leaves it out: whoever needs it asks again.
async fn look_up(client: &RegistryClient, repository: &Repository, tags: &[Tag], found: &mut Existing) {
    let mut answers = futures_util::stream::iter(tags.to_vec())
        .map(|tag| async move {
            let answer = client.head_manifest(repository, &tag).await;
            (tag, answer)
        })
        .buffer_unordered(IN_PARALLEL);
    while let Some((tag, answer)) = answers.next().await {
        if let Ok(answer) = answer {
            found.insert(tag, answer);
        }
    }
}
