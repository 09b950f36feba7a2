//! A platform of an image that was not pushed, in the daemon's store for as long as it is looked at.
//!
//! Its build is solved once more where it was built, for that platform alone: everything is in the builder's cache.

use tokio::time::Instant;

use crate::docker::{DaemonClient, HeldImage};
use crate::engine::obtain::Workshop;
use crate::engine::run::Run;
use crate::engine::solving::into_daemon;
use crate::error::RunError;
use crate::plan::verify::LoadWork;
use crate::runner::units;

/// Loads it.
///
/// # Errors
/// The builder's words, or the daemon's.
pub(super) async fn loaded(
    run: &Run<'_>,
    daemon: &DaemonClient,
    workshop: &Workshop<'_>,
    load: &LoadWork,
) -> Result<HeldImage, RunError> {
    let began = Instant::now();
    let node = workshop.nodes().get(load.node).zip(workshop.solved.get(load.node));
    let (node, solved) =
        node.ok_or_else(|| RunError::Contradiction(vec!["what is to be loaded was not built".into()]))?;
    let build = solved.clone().for_one(&load.platform, load.export.clone());
    let held = HeldImage::temporary(daemon, &load.name);
    into_daemon(run, &node.connection, &build, daemon).await?;
    let time = units::seconds(began.elapsed());
    run.process.reporter.info(&format!("verify: {} is in the daemon for now ({time})", load.platform));
    Ok(held)
}
