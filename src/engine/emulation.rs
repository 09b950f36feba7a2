//! Emulators, registered before the build: what the plan says, less what the builder's container brings along.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::process::Process;
use super::pulls::said_pulls;
use super::run::Run;
use crate::docker::{DaemonClient, EmulatorOptions, emulated_by_container, register_emulators};
use crate::error::RunError;
use crate::model::{Logins, Platform};

/// For the container that registers them.
const PATIENCE: Duration = Duration::from_mins(1);

/// With what emulators are registered.
#[derive(Debug)]
pub(super) struct Registration<'a> {
    /// The builder's container, if it is one.
    pub container: Option<&'a str>,
    /// The image.
    pub image: &'a str,
    /// Who logs in to the image's registry.
    pub logins: Logins,
    /// The run's id, for a label.
    pub run: String,
}

impl<'a> Registration<'a> {
    /// As the inputs of a run say.
    pub(super) fn of(run: &Run<'a>, container: Option<&'a str>) -> Self {
        let image = &run.asked.builder.emulator_image;
        Self { container, image, logins: run.keyring.logins(), run: run.label() }
    }
}

/// Registers emulators for these platforms on the machine of the Docker daemon behind `socket`. A failure ends the run:
/// a step needs what is missing.
pub(super) async fn register(
    process: &Process,
    socket: &Path,
    platforms: &[Platform],
    registration: &Registration<'_>,
) -> Result<(), RunError> {
    if platforms.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let registering = async {
        let daemon = DaemonClient::connect(socket).await?;
        let mut platforms = platforms.to_vec();
        if let Some(container) = registration.container {
            let emulated = emulated_by_container(&daemon, container, &platforms).await?;
            platforms.retain(|platform| !emulated.contains(platform));
            if !emulated.is_empty() {
                process.reporter.info(&format!("the builder emulates {} by itself", listed(&emulated)));
            }
        }
        if platforms.is_empty() {
            return Ok(());
        }
        let image = registration.image;
        let options = EmulatorOptions {
            run: registration.run.clone(),
            id: process.random_id(),
            image,
            logins: &registration.logins,
            pulling: &said_pulls(process, "emulator", image),
            timeout: PATIENCE,
        };
        register_emulators(&daemon, &platforms, &options).await?;
        process.reporter.info(&format!("QEMU is registered for {}", listed(&platforms)));
        Ok(())
    };
    let result = registering.await;
    process.reporter.phase("emulation", started.elapsed());
    result
}

fn listed(platforms: &[Platform]) -> String {
    platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
