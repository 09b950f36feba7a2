//! One build from beginning to end: session, status and Solve together, in one task.

use std::future::Future;
use std::pin::{Pin, pin};

use tokio::sync::mpsc;

use super::cache::add_cache;
use super::connection::Connection;
use super::content::{MissingCache, Stores};
use super::contexts;
use super::diffcopy::Transfer;
use super::error::BuildError;
use super::ids::BuildIds;
use super::provisions::{GithubCache, Provisions};
use super::request::{add_arguments, solve_request};
use super::result::exported_digest;
use super::session::{Services, Session};
use super::ssh::Agents;
use super::status::Follower;
use super::transfers::Transfers;
use crate::model::{Digest, Secret};
use crate::plan::build::BuildPlan;
use crate::progress::event::StatusUpdate;

/// How a build ended, when well.
#[derive(Debug)]
pub struct BuildOutcome {
    /// Of the index or manifest; none when the plan exports nothing.
    pub digest: Option<Digest>,
    /// What was sent, by the daemon's name of the directory (`context`, `dockerfile`).
    pub transfers: Vec<(String, Transfer)>,
    /// Directories of `cache_from` that had no cache.
    pub missing_caches: Vec<MissingCache>,
}

/// Carries out a plan. The connection may carry several builds, one after the other or at once.
///
/// `updates` may be slow: the daemon then keeps what is unread, and builds on. After the end of the build,
/// a reader that takes nothing for five seconds loses the rest. A dropped receiver is no error.
///
/// When `cancel` is ready, the daemon is told to stop; the last updates are waited for, at most two
/// seconds, and the answer is [`BuildError::Cancelled`]. Dropping this future stops the build too.
pub async fn build(
    connection: &Connection,
    plan: &BuildPlan,
    ids: &BuildIds,
    mut provisions: Provisions,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    let mut cancel = pin!(cancel);
    let beside =
        Beside { build_args: provisions.build_args.clone(), github_cache: provisions.github_cache.clone() };
    let (stores, plan) = Stores::open(plan);
    let missing_caches = stores.missing.clone();
    let stores = stores.handing_on(provisions.blobs.take());
    let session = open_session(connection, &plan, stores, ids, provisions, cancel.as_mut()).await?;
    let outcome = solve(connection, &plan, ids, &beside, &session, updates, cancel).await;
    let transfers = session.close().await;
    let outcome = outcome.map_err(|error| error.with_last_words(connection.last_words()));
    outcome.map(|digest| BuildOutcome { digest, transfers, missing_caches })
}

/// Opens the session that serves a plan's files, logins and secrets.
pub(super) async fn open_session(
    connection: &Connection,
    plan: &BuildPlan,
    stores: Stores,
    ids: &BuildIds,
    provisions: Provisions,
    cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<Session, BuildError> {
    let services = Services {
        directories: contexts::directories(plan),
        lookup: provisions.credentials,
        secrets: provisions.secrets,
        agents: Agents::open(provisions.ssh).await.map_err(BuildError::Ssh)?,
        stores,
        transfers: Transfers::default(),
        archive: provisions.archive,
        files: provisions.files,
        staging: provisions.staging,
    };
    tokio::select! {
        session = Session::open(connection, ids, &plan.shared_key, services) => Ok(session?),
        () = cancel => Err(BuildError::Cancelled),
    }
}

/// What the request holds and no plan does.
struct Beside {
    build_args: Vec<(String, Secret)>,
    github_cache: Option<GithubCache>,
}

async fn solve(
    connection: &Connection,
    plan: &BuildPlan,
    ids: &BuildIds,
    beside: &Beside,
    session: &Session,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<Digest>, BuildError> {
    let mut follower = Follower::new(connection.control(), &ids.reference, updates);
    let mut request = solve_request(plan, ids, connection.address());
    add_cache(&mut request, plan, beside.github_cache.as_ref());
    add_arguments(&mut request, &beside.build_args);
    tracing::info!(reference = ids.reference, "solving");
    let mut control = connection.control();
    match follower.beside(control.solve(request), cancel).await {
        None => Err(BuildError::Cancelled),
        Some(Err(status)) => Err(failure(&status, plan, session, &follower).await),
        Some(Ok(response)) => {
            let response = response.into_inner();
            let finished = session.stores().finish(&response.exporter_response);
            finished.map_err(|(directory, source)| BuildError::CacheIndex { directory, source })?;
            if !plan.export.is_image() {
                return Ok(None);
            }
            exported_digest(&response).map(Some).map_err(BuildError::Nonsense)
        }
    }
}

/// What goes wrong while files are sent, we know better than the daemon.
pub(super) async fn failure(
    status: &tonic::Status,
    plan: &BuildPlan,
    session: &Session,
    follower: &Follower,
) -> BuildError {
    if let Some((directory, source)) = session.take_failure(status.message()).await {
        return BuildError::ContextTransfer { directory: contexts::title(plan, &directory), source };
    }
    BuildError::from_failed_call(status, "the build", |digest| follower.failed_step(digest))
}
