//! A platform of an image that was not pushed, in the daemon's store for as long as it is looked at.
//!
//! Its build is solved once more where it was built, for that platform alone: everything is in the builder's cache. The daemon's
//! own BuildKit puts it into the store; any other sends an archive, which the daemon loads as it comes.

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::buildkit::{self, ArchivePart, BuildIds, Provisions};
use crate::docker::{DaemonClient, HeldImage, load_archive};
use crate::engine::obtain::Workshop;
use crate::engine::run::Run;
use crate::engine::solving::provisions;
use crate::error::RunError;
use crate::plan::build::Export;
use crate::plan::verify::LoadWork;
use crate::runner::units;

/// Parts of an archive that wait for the daemon.
const PARTS: usize = 16;

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
    let built = workshop.nodes().get(load.node).zip(workshop.solved.get(load.node));
    let (node, solved) =
        built.ok_or_else(|| RunError::Contradiction(vec!["what is to be loaded was not built".into()]))?;
    let build = solved.clone().for_one(&load.platform, load.export.clone());
    let held = HeldImage::temporary(daemon, &load.name);
    let ids = BuildIds::from_random((run.process.random)());
    // What its steps do was said when they did it.
    let (updates, _) = mpsc::channel(1);
    let never = std::future::pending::<()>();
    if matches!(load.export, Export::Archive(_)) {
        let (archive, mut parts) = mpsc::channel::<ArchivePart>(PARTS);
        let provisions = Provisions { archive: Some(archive), ..provisions(run, &build) };
        let stream = futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx));
        let building = buildkit::build(&node.connection, &build, &ids, provisions, updates, never);
        let (built, loaded) = tokio::join!(building, load_archive(daemon, stream));
        // A build that fails sends nothing that could be loaded.
        built?;
        loaded?;
    } else {
        buildkit::build(&node.connection, &build, &ids, provisions(run, &build), updates, never).await?;
    }
    let time = units::seconds(began.elapsed());
    run.process.reporter.info(&format!("verify: {} is in the daemon for now ({time})", load.platform));
    Ok(held)
}
