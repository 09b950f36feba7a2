//! One build from beginning to end: session, status and Solve together, in one task.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;
use super::diffcopy::Transfer;
use super::error::BuildError;
use super::ids::BuildIds;
use super::request::solve_request;
use super::result::exported_digest;
use super::session::{Services, Session};
use super::status::Follower;
use super::transfers::Transfers;
use crate::model::{Digest, Secret};
use crate::plan::build::{BuildPlan, Export};
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
}

/// Carries out a plan. The connection may carry several builds, one after the other or at once.
///
/// `updates` may be slow: the daemon then keeps what is unread, and builds on. After the end of the build,
/// a reader that takes nothing for five seconds loses the rest. A dropped receiver is no error.
///
/// When `cancel` is ready, the daemon is told to stop; the last updates are waited for, at most two
/// seconds, and the answer is [`BuildError::Cancelled`]. Dropping this future stops the build too.
///
/// `credentials` is asked with the canonical host of a registry (`docker.io` for Docker Hub) and should
/// answer for that host only.
pub async fn build(
    connection: &Connection,
    plan: &BuildPlan,
    ids: &BuildIds,
    credentials: impl Fn(&str) -> Option<(String, Secret)> + Send + Sync + 'static,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    let services = Services {
        directories: BTreeMap::from([
            ("context", plan.context.clone()),
            ("dockerfile", plan.dockerfile.directory.clone()),
        ]),
        keyring: Arc::new(credentials),
        transfers: Transfers::default(),
    };
    let mut cancel = pin!(cancel);
    let session = tokio::select! {
        session = Session::open(connection, ids, &plan.shared_key, services) => session?,
        () = &mut cancel => return Err(BuildError::Cancelled),
    };
    let outcome = solve(connection, plan, ids, &session, updates, cancel).await;
    let transfers = session.close().await;
    outcome.map(|digest| BuildOutcome { digest, transfers })
}

async fn solve(
    connection: &Connection,
    plan: &BuildPlan,
    ids: &BuildIds,
    session: &Session,
    updates: mpsc::Sender<StatusUpdate>,
    mut cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<Option<Digest>, BuildError> {
    let mut follower = Follower::new(connection.control(), &ids.reference, updates);
    let request = solve_request(plan, ids, connection.address());
    tracing::debug!(reference = ids.reference, "solving");
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
                tracing::debug!("the status stream does not end");
                break;
            }
        }
    }
    match answer {
        None => Err(BuildError::Cancelled),
        Some(Err(status)) => Err(failure(&status, session, &follower).await),
        Some(Ok(_)) if plan.export == Export::Nothing => Ok(None),
        Some(Ok(response)) => exported_digest(response.get_ref()).map(Some).map_err(BuildError::Nonsense),
    }
}

/// What goes wrong while files are sent, we know better than the daemon.
async fn failure(status: &tonic::Status, session: &Session, follower: &Follower) -> BuildError {
    if let Some((directory, source)) = session.take_failure().await {
        return BuildError::ContextTransfer { directory, source };
    }
    BuildError::from_failed_call(status, "the build", |digest| follower.failed_step(digest))
}

async fn ready<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
