//! Work that is begun before it is needed and goes on beside everything else.

use std::future::Future;

use tokio::task::JoinSet;

/// Work that was begun early. It is owned by this value: taken when it is needed, given up when this is dropped.
#[derive(Debug)]
pub(super) struct Background<T>(JoinSet<T>);

impl<T: Send + 'static> Background<T> {
    /// Nothing.
    pub(super) fn none() -> Self {
        Self(JoinSet::new())
    }

    /// This work.
    pub(super) fn begin(work: impl Future<Output = T> + Send + 'static) -> Self {
        let mut begun = Self::none();
        begun.also(work);
        begun
    }

    /// This work besides.
    pub(super) fn also(&mut self, work: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(work);
    }

    /// Waits for what is done next, in whatever order; `None` when nothing is left. What panicked is passed over. Can be
    /// given up while it waits: nothing is lost.
    pub(super) async fn take(&mut self) -> Option<T> {
        loop {
            if let Ok(done) = self.0.join_next().await? {
                return Some(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_taken_once_and_a_panic_is_nothing() {
        let mut work = Background::begin(async { 1 });
        work.also(async { panic!("on purpose") });
        work.also(async { 2 });
        let mut taken = vec![work.take().await, work.take().await];
        taken.sort();
        assert_eq!(taken, [Some(1), Some(2)]);
        assert_eq!(work.take().await, None);
        assert_eq!(Background::<u8>::none().take().await, None);
    }

    #[tokio::test]
    async fn dropped_it_is_given_up() {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        drop(Background::begin(async move {
            std::future::pending::<()>().await;
            drop(tell);
        }));
        assert!(told.await.is_err());
    }
}
