//! What a person reads while the daemon pulls an image that a container of ours is made from.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::process::Process;
use crate::docker::Pulled;
use crate::runner::units;

/// Between two lines about a pull.
const PULL: Duration = Duration::from_secs(2);

/// Says how the pull of an image goes, now and then.
pub(super) fn said_pulls(process: &Process, what: &str, image: &str) -> impl Fn(&Pulled) + Send + Sync {
    let last = Mutex::new(None::<Instant>);
    move |pulled| {
        let Ok(mut last) = last.lock() else { return };
        if last.is_none_or(|last| last.elapsed() >= PULL) {
            *last = Some(Instant::now());
            let far = match pulled.total {
                0 => String::new(),
                total => format!(": {} of {}", units::bytes(pulled.done), units::bytes(total)),
            };
            process.reporter.info(&format!("{what}: pulling {image}{far}"));
        }
    }
}
