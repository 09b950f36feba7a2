//! The machine of the Docker daemon, where the image is to be run or loaded: what it runs, how much memory it has, how its
//! daemon keeps images.

use super::builders::abilities;
use crate::buildkit::Connection;
use crate::docker::{DaemonMachine, machine_memory, machine_of_daemon};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::plan::facts::MachineFacts;

/// Looks at it, if the image is to be there.
///
/// # Errors
/// There is no daemon, or it does not say what it can do.
pub(super) async fn machine(run: &Run<'_>) -> Result<Option<MachineFacts>, RunError> {
    if run.asked.verify.checks.is_empty() && !run.asked.load {
        return Ok(None);
    }
    let memory = machine_memory();
    if let Some(DaemonMachine { platforms, containerd_image_store: Some(containerd_image_store) }) =
        machine_of_daemon(run.daemon.path(), true).await
    {
        return Ok(Some(MachineFacts { platforms, memory, containerd_image_store }));
    }
    let connection = Connection::open(run.daemon).await?;
    let abilities = abilities(&connection).await;
    connection.close().await;
    let (platforms, containerd_image_store, _) = abilities?;
    Ok(Some(MachineFacts { platforms, memory, containerd_image_store }))
}
