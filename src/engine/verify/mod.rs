//! The image is run before it gets a tag: what it must pass stands in the plan, on which platforms too.
//!
//! What is run is what will be tagged: the daemon pulls each platform's own manifest by digest from where it was pushed; what
//! was not pushed is loaded into its store. All checks of a platform run in order, to the first that fails; other platforms
//! are looked at all the same, and what failed is told of all. Nothing is left of it: containers, and images
//! that were pulled for them, go with this phase, however it ends.

mod check;
mod loaded;
mod transcript;

use std::time::Duration;

use tokio::time::Instant;

use super::emulation::{Registration, register};
use super::obtain::{Image, Origin};
use super::pulls::said_pulls;
use super::retry::{patience, pulling, retry};
use super::run::Run;
use crate::docker::{DaemonClient, HeldImage, ImageError, OwnContainer, pull_platform, reap_containers};
use crate::error::RunError;
use crate::model::{Digest, Platform, Repository, text};
use crate::plan::RunPlan;
use crate::plan::given::pick;
use crate::plan::verify::{FailedCheck, NotVerified, VerifyPlan};

use check::Checking;
use loaded::loaded;

/// The command of this program that asks an image on its ports.
pub const PROBE: &str = "probe";

/// For what runs that were killed have left.
const REAPING: Duration = Duration::from_secs(10);

/// Runs the image, if that is planned, unless the run is stopped.
///
/// # Errors
/// What it has not passed, or why it cannot be run. No tag was moved then.
pub(super) async fn all(run: &Run<'_>, plan: &RunPlan, image: &Image<'_>) -> Result<(), RunError> {
    let Some(verify) = &plan.verify else { return Ok(()) };
    let began = Instant::now();
    let verified = run.until_stopped(async {
        let daemon = DaemonClient::connect(run.daemon.path()).await?;
        let own = daemon.own_container().await?;
        let reaping = reap_containers(&daemon, own.as_ref(), &verify.runner, &verify.job);
        let verifying = each(run, verify, image, (&daemon, own.as_ref()));
        tokio::join!(verifying, tokio::time::timeout(REAPING, reaping)).0
    });
    let verified = Box::pin(verified).await;
    run.process.reporter.phase("verify", began.elapsed());
    verified
}

/// Every image that gets tags, on every platform.
async fn each(
    run: &Run<'_>,
    plan: &VerifyPlan,
    image: &Image<'_>,
    (daemon, own): (&DaemonClient, Option<&OwnContainer>),
) -> Result<(), RunError> {
    register(run.process, run.daemon.path(), &plan.emulate, &Registration::of(run, None)).await?;
    let mut failed = Vec::new();
    for (repository, digest) in places(image) {
        for platform in &plan.platforms {
            let pulled = pulled(run, daemon, (repository, digest), platform).await?;
            let checking = Checking { run, plan, daemon, own, platform, name: pulled.name() };
            failed.extend(first_failure(&checking, Some(format!("{repository}@{digest}"))).await?);
        }
    }
    if let (Origin::Built(workshop), [], []) =
        (&image.origin, image.located.as_slice(), image.failed.as_slice())
    {
        for load in &plan.unpushed {
            let held = Box::pin(loaded(run, daemon, workshop, load)).await?;
            let checking = Checking { run, plan, daemon, own, platform: &load.platform, name: held.name() };
            failed.extend(first_failure(&checking, None).await?);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(RunError::NotVerified(Box::new(NotVerified(failed)))) }
}

/// Each digest that gets tags, once, with a repository that has it.
fn places<'a>(image: &'a Image<'_>) -> Vec<(&'a Repository, &'a Digest)> {
    let mut places: Vec<(&Repository, &Digest)> = Vec::new();
    for located in &image.located {
        if places.iter().all(|(_, digest)| **digest != located.digest) {
            places.push((located.copy_from.as_ref().unwrap_or(&located.repository), &located.digest));
        }
    }
    places
}

/// The image of a platform, which the daemon has now.
async fn pulled(
    run: &Run<'_>,
    daemon: &DaemonClient,
    (repository, digest): (&Repository, &Digest),
    platform: &Platform,
) -> Result<HeldImage, RunError> {
    let unverifiable = |why: String| RunError::Unverifiable { image: format!("{repository}@{digest}"), why };
    let client = run.registries.client(repository.registry());
    let patience = patience(run, repository.registry());
    let reading = retry(run.process, patience, async || client.manifests_in(repository, digest).await);
    let manifests = reading.await?.map_err(|why| unverifiable(why.to_string()))?;
    let chosen = match manifests.as_slice() {
        // What is no index does not say what it is for.
        [(None, only)] => only,
        several => {
            let number = pick(several, Some(platform)).map_err(|why| unverifiable(why.to_string()))?;
            number.and_then(|number| several.get(number)).map_or(digest, |(_, digest)| digest)
        }
    };
    let name = format!("{repository}@{chosen}");
    let heard = said_pulls(run.process, "verify", &name);
    let pull = async || pull_platform(daemon, &name, platform, &run.keyring.logins(), &heard).await;
    let pulled = retry(run.process, pulling(run.asked.retries), pull).await;
    pulled.map_err(|error| match error {
        ImageError::Docker(error) => error.into(),
        ImageError::Pull(why) => {
            unverifiable(format!("the Docker daemon cannot pull it: {}", text::line(&why)))
        }
    })
}

/// Makes the checks in order; the first that fails, if one does.
async fn first_failure(
    checking: &Checking<'_>,
    image: Option<String>,
) -> Result<Option<FailedCheck>, RunError> {
    let Checking { plan, platform, .. } = checking;
    for check in &plan.checks {
        let (ending, last) = checking.check(check).await?;
        if !ending.is_well() {
            return Ok(Some(FailedCheck {
                check: check.clone(),
                platform: (*platform).clone(),
                image,
                foreign: plan.foreign.contains(platform),
                ending,
                last,
            }));
        }
    }
    Ok(None)
}
