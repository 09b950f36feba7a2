//! Waits of tests: for a value, and for so long that only what never comes is given up, however busy the machine is.

use std::time::{Duration, Instant};

/// What has not happened after this time does not happen.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Waits until something is so; false when it never is.
pub fn until(wanted: impl FnMut() -> bool) -> bool {
    within(PATIENCE, wanted)
}

/// The same, for as long as the caller says: only for what must *not* happen meanwhile.
pub fn within(limit: Duration, mut wanted: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !wanted() {
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    true
}
