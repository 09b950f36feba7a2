//! The transfers of a session: which are under way, and how each one ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::diffcopy::{Transfer, TransferError};

/// Longest wait for transfers that the daemon has given up to end by themselves.
const ENDING: Duration = Duration::from_secs(1);

/// What a session has sent and is sending. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Transfers(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    done: Vec<(String, Transfer)>,
    failed: Option<(String, TransferError)>,
    /// Ended by the daemon after a name that it may not have taken.
    not_text: Option<(String, TransferError)>,
}

/// What a daemon says that takes no name but in UTF-8.
const NOT_UTF8: &str = "invalid UTF-8";

/// One transfer. One that is dropped without an end (its session was closed) counts as nothing.
#[derive(Debug)]
pub(super) struct Running {
    directory: String,
    transfers: Transfers,
}

impl Transfers {
    /// A transfer of the directory that the daemon calls so.
    pub(super) fn begin(&self, directory: String) -> Running {
        self.0.send_modify(|state| state.under_way += 1);
        Running { directory, transfers: self.clone() }
    }

    /// The first failure that is our side's to explain: then the daemon's own words say less. The daemon
    /// may know of it before we have noted it. `said` is what it says.
    pub(super) async fn take_failure(&self, said: &str) -> Option<(String, TransferError)> {
        let mut changes = self.0.subscribe();
        // What is waited for holds the lock: it must not live on. Too slow: nothing to explain yet.
        drop(timeout(ENDING, changes.wait_for(|state| state.under_way == 0)).await);
        let mut failed = None;
        self.0.send_modify(|state| {
            let not_text = state.not_text.take().filter(|_| said.contains(NOT_UTF8));
            failed = state.failed.take().or(not_text);
        });
        failed
    }

    /// What has been sent, in the order in which it ended.
    pub(super) fn take_done(&self) -> Vec<(String, Transfer)> {
        let mut done = Vec::new();
        self.0.send_modify(|state| done = std::mem::take(&mut state.done));
        done
    }
}

impl Running {
    /// Notes how it ended.
    pub(super) fn end(mut self, outcome: Result<Transfer, TransferError>) {
        let directory = std::mem::take(&mut self.directory);
        self.transfers.0.send_modify(|state| match outcome {
            Ok(transfer) => state.done.push((directory, transfer)),
            Err(error) if is_ours(&error) => {
                state.failed.get_or_insert((directory, error));
            }
            Err(error @ TransferError::NotText { .. }) => {
                state.not_text.get_or_insert((directory, error));
            }
            Err(error) => tracing::info!(%error, directory, "the daemon ended a transfer"),
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.transfers.0.send_modify(|state| state.under_way -= 1);
    }
}

/// Whether the fault is in the files, not in the daemon or the way to it.
fn is_ours(error: &TransferError) -> bool {
    match error {
        TransferError::Context(_) | TransferError::Changed { .. } | TransferError::CarrierTooLarge { .. } => {
            true
        }
        TransferError::NotText { .. }
        | TransferError::Daemon(_)
        | TransferError::Protocol(_)
        | TransferError::Closed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(path: &str) -> TransferError {
        TransferError::Changed { path: path.into() }
    }

    #[tokio::test]
    async fn the_first_fault_of_ours_counts() {
        let transfers = Transfers::default();
        transfers.begin("a".into()).end(Ok(Transfer { entries: 1, ..Transfer::default() }));
        transfers.begin("b".into()).end(Err(TransferError::Closed));
        transfers.begin("c".into()).end(Err(changed("x")));
        transfers.begin("d".into()).end(Err(changed("y")));
        drop(transfers.begin("e".into()));
        assert_eq!(transfers.take_failure("").await, Some(("c".into(), changed("x"))));
        assert_eq!(transfers.take_failure("").await, None);
        assert_eq!(transfers.take_done().len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_no_text_counts_where_the_daemon_says_so() {
        let not_text = || TransferError::NotText { path: "caf\\xe9".into() };
        for (said, found) in
            [("string field contains invalid UTF-8", Some(("a".into(), not_text()))), ("exit code: 1", None)]
        {
            let transfers = Transfers::default();
            transfers.begin("a".into()).end(Err(not_text()));
            assert_eq!(transfers.take_failure(said).await, found);
        }
    }

    #[tokio::test]
    async fn a_fault_that_is_still_on_its_way_is_waited_for() {
        let transfers = Transfers::default();
        let running = transfers.begin("a".into());
        let (found, ()) = tokio::join!(transfers.take_failure(""), async {
            tokio::task::yield_now().await;
            running.end(Err(changed("x")));
        });
        assert_eq!(found, Some(("a".into(), changed("x"))));
    }
}
