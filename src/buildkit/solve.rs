//! One build from beginning to end: session, status and Solve together, in one task.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

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

/// Longest silence of the status stream after Solve has returned (buildx waits as long).
const STATUS_IDLE: Duration = Duration::from_secs(5);
/// The same when the request was refused: Status then waits for a build that never begins.
const REFUSED: Duration = Duration::from_millis(250);
/// Longest wait for the last statuses of a build that was cancelled.
const CANCELLED: Duration = Duration::from_secs(2);

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
    provisions: Provisions,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    let beside = Beside { build_args: provisions.build_args, github_cache: provisions.github_cache };
    let (stores, plan) = Stores::open(plan);
    let missing_caches = stores.missing.clone();
    let services = Services {
        directories: contexts::directories(&plan),
        lookup: provisions.credentials,
        secrets: provisions.secrets,
        agents: Agents::open(provisions.ssh).await.map_err(BuildError::Ssh)?,
        stores,
        transfers: Transfers::default(),
        archive: provisions.archive,
        files: provisions.files,
        staging: provisions.staging,
    };
    let mut cancel = pin!(cancel);
    let session = tokio::select! {
        session = Session::open(connection, ids, &plan.shared_key, services) => session?,
        () = &mut cancel => return Err(BuildError::Cancelled),
    };
    let outcome = solve(connection, &plan, ids, &beside, &session, updates, cancel).await;
    let transfers = session.close().await;
    let outcome = outcome.map_err(|error| error.with_last_words(connection.last_words()));
    outcome.map(|digest| BuildOutcome { digest, transfers, missing_caches })
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
    mut cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<Digest>, BuildError> {
    let mut follower = Follower::new(connection.control(), &ids.reference, updates);
    let mut request = solve_request(plan, ids, connection.address());
    add_cache(&mut request, plan, beside.github_cache.as_ref());
    add_arguments(&mut request, &beside.build_args);
    tracing::info!(reference = ids.reference, "solving");
    let mut control = connection.control();
    let mut solving = Some(Box::pin(async move { control.solve(request).await }));
    let mut answer = None;
    let mut following = true;
    let mut deadline = Instant::now();
    while following || solving.is_some() {
        tokio::select! {
            // In this order: Status is to be asked for before Solve.
            biased;
            () = &mut cancel, if solving.is_some() => {
                // Ends the call, which ends the build.
                solving = None;
                deadline = Instant::now() + CANCELLED;
            }
            more = follower.step(), if following => {
                following = more;
                if answer.is_some() {
                    deadline = Instant::now() + STATUS_IDLE;
                }
            }
            solved = ready(&mut solving), if solving.is_some() => {
                solving = None;
                let refused = solved.is_err() && !follower.has_begun();
                deadline = Instant::now() + if refused { REFUSED } else { STATUS_IDLE };
                answer = Some(solved);
            }
            () = sleep_until(deadline), if solving.is_none() => {
                tracing::info!("the status stream does not end");
                break;
            }
        }
    }
    match answer {
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
async fn failure(
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

async fn ready<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
