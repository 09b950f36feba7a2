//! The tasks of one connection: every one is owned, none outlives it.
//!
//! hyper spawns what drives a connection and its streams through an executor. This one keeps them in a
//! `JoinSet`, so that closing a connection can end them and wait for it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

/// Owns a group of tasks. Dropping it aborts them; `close` also waits until they are gone.
#[derive(Debug, Default)]
pub(super) struct Tasks(Spawner);

/// Adds tasks to a group; does not keep the group alive.
#[derive(Clone, Debug, Default)]
pub(super) struct Spawner(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    /// What a task needs in order to start another one in the same group.
    pub(super) fn spawner(&self) -> Spawner {
        self.0.clone()
    }

    /// Starts a task in this group.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Ends all tasks and waits until each is gone.
    pub(super) async fn close(self) {
        let mut set = std::mem::take(&mut *self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        set.abort_all();
        while set.join_next().await.is_some() {}
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // The tasks hold the set in which they are: it does not go away by itself.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Spawner {
    /// Starts a task in this group.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Ended ones are let go here: a long session serves many calls.
        while set.try_join_next().is_some() {}
        set.spawn(task);
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(async move {
            task.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    /// A task that never ends, holds its own group, and whose end can be seen.
    fn endless(tasks: &Tasks) -> oneshot::Receiver<()> {
        let (alive, ended) = oneshot::channel::<()>();
        let spawner = tasks.spawner();
        tasks.spawn(async move {
            let _held = (alive, spawner);
            std::future::pending::<()>().await;
        });
        ended
    }

    #[tokio::test]
    async fn closing_ends_what_would_never_end() {
        let tasks = Tasks::default();
        let mut ended = endless(&tasks);
        tasks.close().await;
        assert_eq!(ended.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[tokio::test]
    async fn dropping_ends_too() {
        let tasks = Tasks::default();
        let ended = endless(&tasks);
        drop(tasks);
        assert!(ended.await.is_err());
    }
}
