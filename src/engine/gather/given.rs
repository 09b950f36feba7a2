//! The image that the input `from` names: read before anything is decided, as tags are made of its commit, and pinned to its
//! digest. That it can be read is the proof of pull access.
//!
//! Reads only. A registry on this machine's loopback that takes a helper container to be reached is not read in a dry run, as
//! one would have to be started.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::access::{is_allowed_by_daemon, relay_options};
use crate::docker::{Reached, reach_loopback_as_it_is, reach_loopback_telling};
use crate::engine::login;
use crate::engine::registries::Way;
use crate::engine::retry::{hurry, retry};
use crate::engine::run::Run;
use crate::error::{GivenError, RunError};
use crate::git;
use crate::github::GitHub;
use crate::inputs::config::Mode;
use crate::inputs::from;
use crate::metadata::{GivenImage, push_by_event, triggering_commit};
use crate::model::{CommitId, ContextSource, ImageName, RegistryProtocol, Relation, chain};
use crate::plan::builder::may_build_by_daemon;
use crate::plan::given::{CommitSource, GivenWork, annotations, pick, printable};
use crate::plan::keeps;
use crate::registry::{Contents, NoImage, Reference, RegistryClient, RegistryError};

/// For all that is asked of GitHub.
const LONGEST: Duration = Duration::from_secs(15);

/// What is known of it.
pub(super) struct Given {
    /// What tags are made of.
    pub image: GivenImage,
    /// What the plan is made of.
    pub work: GivenWork,
}

/// What comes of the look.
pub(super) enum Found {
    /// This run builds, or joins.
    NotAsked,
    /// Nothing is pushed, so that there is nothing to tag: why.
    Nothing(String),
    /// This is it.
    Image(Box<Given>),
}

/// Looks for the image, if this run is to tag one.
///
/// # Errors
/// There is none, or it cannot be read, or is not what was asked for.
pub(super) async fn find(run: &Run<'_>) -> Result<Found, RunError> {
    if run.asked.mode != Mode::Tag {
        return Ok(Found::NotAsked);
    }
    // An event that makes nothing is told of in every mode alike.
    let Some(by_event) = push_by_event(run.context) else { return Ok(Found::NotAsked) };
    if let Some(why) = keeps(run.asked.push, &by_event) {
        return Ok(Found::Nothing(format!("there is nothing to tag, as nothing is pushed: {why}")));
    }
    let Some(from) = &run.asked.from else { return Err(RunError::Inputs(vec![from::missing()])) };
    let began = tokio::time::Instant::now();
    let host = from.repository().registry();
    if !run.asked.targets.registries().contains(host) {
        // Without a login the registry may still let everybody read.
        login::exchange(run, login::Of::Registry(host)).await.needed_at(run, &BTreeSet::new())?;
    }
    let work = read(run, from).await?;
    let mut image = GivenImage::of(&work.stamp, run.context);
    if let Some((branch, commit)) = image.to_look_up(run.context) {
        image.on_branch = is_on_branch(run, &branch, commit).await;
    }
    run.process.reporter.phase("from", began.elapsed());
    Ok(Found::Image(Box::new(Given { image, work })))
}

/// Finds the way to its registry and reads it there.
async fn read(run: &Run<'_>, from: &ImageName) -> Result<GivenWork, RunError> {
    let host = from.repository().registry();
    let reached = if run.asked.dry_run {
        Reached::from(reach_loopback_as_it_is(host, run.daemon.path()).await?)
    } else {
        reach_loopback_telling(host, run.daemon.path(), &relay_options(run), || {}).await?
    };
    let clients = run.registries.clients();
    let mut protocol = clients.protocol(host);
    let mut client = Arc::new(clients.make_speaking(protocol, host, reached.dial.clone()));
    let mut found = look(run, &client, from).await;
    if let Err(GivenError::Registry(error)) = &found
        && error.is_untrusted()
        && may_build_by_daemon(&run.asked.builder.choice)
        && is_allowed_by_daemon(run.daemon.path(), host).await
    {
        protocol = RegistryProtocol::UnverifiedOrPlain;
        client = Arc::new(clients.make_speaking(protocol, host, reached.dial.clone()));
        found = look(run, &client, from).await;
    }
    let work = found.map_err(|source| RunError::Given { from: Box::new(from.clone()), source })?;
    run.registries.reach(host, Way::new(reached, protocol, client));
    Ok(work)
}

/// Reads the image, all of it but its layers.
async fn look(run: &Run<'_>, client: &RegistryClient, from: &ImageName) -> Result<GivenWork, GivenError> {
    let repository = from.repository();
    let tag = from.tag();
    let reference = match (from.digest(), &tag) {
        (Some(digest), _) => Reference::from(digest),
        (None, Some(tag)) => Reference::from(tag),
        (None, None) => return Err(GivenError::NoImage(NoImage("it has neither tag nor digest".into()))),
    };
    let top = ask(run, async || client.get_manifest(repository, reference).await).await;
    let top =
        top.map_err(|error| if error.is_absence() { GivenError::Absent(error) } else { error.into() })?;
    let contents: Result<Contents, NoImage> =
        ask(run, async || client.contents(repository, &top).await).await?;
    let contents = contents.map_err(GivenError::NoImage)?;
    let Contents { index, images, attested, .. } = &contents;
    let wanted = run.asked.platforms.first();
    let named: Vec<_> = images.iter().map(|one| (one.platform.clone(), one.digest.clone())).collect();
    let picked = pick(&named, wanted).map_err(GivenError::Platform)?;
    let one = &images[picked.unwrap_or(0)];
    let config = ask(run, async || client.config_of(repository, one).await).await?;
    let stamp = contents.stamp(one, &config);
    let tagged = match picked {
        Some(_) => std::slice::from_ref(one),
        None => images.as_slice(),
    };
    let manifests: Vec<_> = tagged.iter().map(|one| (one.platform.clone(), &one.annotations)).collect();
    Ok(GivenWork {
        from: from.clone(),
        digest: picked.map_or(&top.digest, |_| &one.digest).clone(),
        named: top.digest,
        platform: wanted.cloned(),
        platforms: tagged.iter().filter_map(|one| one.platform.clone()).collect(),
        commit_source: CommitSource::of(&stamp, index.iter().chain([&one.annotations])),
        stamp,
        labels: printable(&config.labels),
        annotations: annotations(index.as_ref().filter(|_| picked.is_none()), &manifests),
        leaves_attestations: picked.is_some() && attested.contains(&one.digest),
    })
}

async fn ask<T>(
    run: &Run<'_>,
    request: impl AsyncFn() -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    retry(run.process, hurry(run.asked.retries), request).await
}

/// Whether the branch has the commit: GitHub says it, else the checkout's history.
async fn is_on_branch(run: &Run<'_>, branch: &str, commit: &CommitId) -> Result<bool, String> {
    let Run { context, keyring, process, .. } = *run;
    let asking = async {
        let github = GitHub::new(&context.api_url, keyring.token(), &process.network());
        let github = github.map_err(|error| error.to_string())?;
        let told = github.is_on_branch(&context.repository.full_name, branch, commit).await;
        told.map_err(|error| chain(&error))
    };
    let why = match within(asking).await {
        Ok(told) => return Ok(told),
        Err(why) => why,
    };
    let workspace = context.paths.workspace.clone();
    let directory = match &run.asked.context {
        ContextSource::Directory(directory) => directory.clone(),
        ContextSource::Remote(_) => workspace.clone(),
    };
    let (old, new) = (commit.clone(), triggering_commit(context).clone());
    let read = tokio::task::spawn_blocking(move || git::relation(&workspace, &directory, &old, &new));
    match read.await {
        // The event's commit is on the branch, and descends from it.
        Ok(Relation::Same | Relation::Ahead) => Ok(true),
        Ok(Relation::Diverged) => Ok(false),
        Ok(Relation::Behind | Relation::NotAhead) => Err(format!("{why}; the checkout does not tell")),
        Ok(Relation::Unknown(here)) => Err(format!("{why}; {here}")),
        Err(error) => Err(format!("{why}; reading the checkout failed: {error}")),
    }
}

async fn within(asking: impl Future<Output = Result<bool, String>>) -> Result<bool, String> {
    let late = || Err(format!("GitHub's API took longer than {} s", LONGEST.as_secs()));
    tokio::time::timeout(LONGEST, asking).await.unwrap_or_else(|_| late())
}
