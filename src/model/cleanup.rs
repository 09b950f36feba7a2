//! What is removed when nobody needs it any more, whatever becomes of the run.
//!
//! A run that ends, fails or is cancelled drops what it has made, and that removes it. A panic ends the process without dropping
//! anything, so what is to be removed is known here, too: [`clean_up`] does what was not done yet.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Work = Box<dyn FnOnce() + Send>;

/// What is to be done, in the order in which it was said.
static LEFT: Mutex<BTreeMap<u64, Work>> = Mutex::new(BTreeMap::new());

fn left() -> MutexGuard<'static, BTreeMap<u64, Work>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work that is done once: with the end of this value, or by [`clean_up`].
pub struct Cleanup(u64);

impl Cleanup {
    /// This work. It blocks, and waits for nothing that has no deadline.
    pub fn new(work: impl FnOnce() + Send + 'static) -> Self {
        let mut left = left();
        let number = left.last_key_value().map_or(0, |(number, _)| number + 1);
        left.insert(number, Box::new(work));
        Self(number)
    }

    /// There is nothing to do any more.
    pub fn forget(self) {
        left().remove(&self.0);
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // The lock is not held while it is done.
        let work = left().remove(&self.0);
        if let Some(work) = work {
            work();
        }
    }
}

impl fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cleanup").field(&self.0).finish()
    }
}

/// Does what is left to do in this process, the newest first. For a process that ends without dropping what it holds.
pub fn clean_up() {
    loop {
        let next = left().pop_last();
        let Some((_, work)) = next else { return };
        work();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// One test, as the list is that of the process.
    #[test]
    fn each_is_done_once_and_the_newest_first() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let cleanup = |what: &'static str| {
            let done = Arc::clone(&done);
            Cleanup::new(move || done.lock().unwrap().push(what))
        };
        drop(cleanup("dropped"));
        cleanup("forgotten").forget();
        let held = [cleanup("first"), cleanup("second")];
        let (first, second) = (held[0].0, held[1].0);
        // Others' tests have their own there: these two are done as `clean_up` does them.
        for number in [second, first] {
            let work = left().remove(&number).unwrap();
            work();
        }
        drop(held);
        assert_eq!(*done.lock().unwrap(), ["dropped", "second", "first"]);
    }
}
