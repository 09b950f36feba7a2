//! What every solve of a run has beside its plan: the session's secrets and logins, and a log; and the one solve whose result
//! goes into the daemon's store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use super::run::Run;
use crate::buildkit::{self, ArchivePart, BuildError, BuildIds, Connection, Provisions};
use crate::docker::{DaemonClient, load_archive};
use crate::error::RunError;
use crate::inputs::without_helper;
use crate::model::{BuildSecret, Digest, RegistryHost};
use crate::plan::build::{BuildPlan, Export};
use crate::progress::display::Display;
use crate::progress::plain::PlainOptions;

/// Parts of an archive that wait for the daemon.
const PARTS: usize = 16;

/// A log of this build, with nothing in it.
pub(super) fn log(run: &Run<'_>, build: &BuildPlan) -> Display {
    let name = &build.dockerfile.file_name;
    let options = PlainOptions {
        fence: run.process.random_id(),
        quiet_warnings: run.asked.build.quiet_checks,
        platforms: build.platforms.len() > 1,
        dockerfile: build.dockerfile_place.clone().map(|place| (name.clone(), place)),
    };
    Display::new(options, run.process.reporter.is_live())
}

/// Carries out a build once more whose result goes into the daemon's store: the daemon's own BuildKit puts it there, any other
/// sends an archive, which the daemon loads as it comes. What its steps do was said when they did it.
///
/// # Errors
/// The builder's words, or the daemon's.
pub(super) async fn into_daemon(
    run: &Run<'_>,
    connection: &Connection,
    build: &BuildPlan,
    daemon: &DaemonClient,
) -> Result<(), RunError> {
    let ids = BuildIds::from_random((run.process.random)());
    let (updates, _) = mpsc::channel(1);
    let never = std::future::pending::<()>();
    if !matches!(build.export, Export::Archive(_)) {
        buildkit::build(connection, build, &ids, provisions(run, build), updates, never).await?;
        return Ok(());
    }
    let (archive, mut parts) = mpsc::channel::<ArchivePart>(PARTS);
    let provisions = Provisions { archive: Some(archive), ..provisions(run, build) };
    let stream = futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx));
    let building = buildkit::build(connection, build, &ids, provisions, updates, never);
    let (sent, loaded) = tokio::join!(building, load_archive(daemon, stream));
    // A build that fails sends nothing that could be loaded.
    sent?;
    Ok(loaded?)
}

/// A failed build; with the login, if it is a base image's registry that did not let it be read.
pub(super) fn refused(run: &Run<'_>, error: BuildError) -> RunError {
    let login =
        error.unread_base_image().and_then(|registry| Some((run.keyring.login(&registry)?, registry)));
    match login {
        Some((login, registry)) => RunError::Unread { source: Box::new(error), registry, login },
        None => error.into(),
    }
}

/// Carries out a build once more whose result comes through the session, while files of this ending are on their way; what the
/// builder calls the image, where it is one.
///
/// # Errors
/// The builder's words, or that the run was asked to stop.
pub(super) async fn solve_again(
    run: &Run<'_>,
    connection: &Connection,
    build: &BuildPlan,
    provisions: Provisions,
    staging: &str,
) -> Result<Option<Digest>, RunError> {
    let ids = BuildIds::from_random((run.process.random)());
    let provisions = Provisions { staging: Some(staging.to_owned()), ..provisions };
    let (updates, _) = mpsc::channel(1);
    let (cancel, mut cancelled) = watch::channel(false);
    let stop = async { drop(cancelled.wait_for(|stop| *stop).await) };
    let building = Box::pin(buildkit::build(connection, build, &ids, provisions, updates, stop));
    let outcome = run
        .in_order(building, || {
            cancel.send_replace(true);
        })
        .await;
    match (outcome, run.process.stopping()) {
        (_, Some(stop)) => Err(RunError::Stopped(stop)),
        (outcome, None) => Ok(outcome?.digest),
    }
}

/// What the session gives: secrets, and to each registry its own login, as it is when it is asked for. The token is a
/// secret under the ids that the plan says.
pub(super) fn provisions(run: &Run<'_>, build: &BuildPlan) -> Provisions {
    let (keyring, reporter) = (run.keyring.clone(), run.process.reporter.clone());
    let told = Mutex::new(BTreeSet::new());
    let credentials = Arc::new(move |host: &str| {
        let host = RegistryHost::parse(host).ok()?;
        if let Some(name) = keyring.helper_for(&host)
            && told.lock().is_ok_and(|mut told| told.insert(host.clone()))
        {
            reporter.warn(&without_helper(&host, &name));
        }
        // An identity token goes without a user: that is how BuildKit knows it.
        keyring.login(&host).map(|login| (login.username, login.password))
    });
    let token = run.keyring.token().map(|token| token.expose().as_bytes().to_vec()).unwrap_or_default();
    let tokens = build.token_secrets.iter();
    let tokens = tokens.map(|id| BuildSecret { id: id.clone(), value: token.clone() });
    let proxies = run.keyring.proxies().iter().filter(|(name, _)| build.proxies.contains(name));
    Provisions {
        credentials,
        build_args: proxies.cloned().collect(),
        secrets: run.keyring.secrets().iter().cloned().chain(tokens).collect(),
        ssh: run.asked.build.ssh.clone(),
        github_cache: run.process.github_cache(),
        archive: None,
        blobs: None,
        files: None,
        staging: None,
    }
}
