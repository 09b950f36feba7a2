//! The second action, `prepare`: what a job's later step will need is begun while the job does something else.
//!
//! Two processes. The step decides what will be needed, leaves a helper container of our own image with that order and
//! ends. The helper makes the builder's container and registers emulators, by the same code as the run, which finds
//! them ready, half-way or not at all. Nothing here is ever a failure: the run does what was not done.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::buildkit::Address;
use crate::docker::builder::{BuilderContainer, BuilderSetup};
use crate::docker::{DaemonClient, DockerError, PrepareHelperOptions, start_prepare_helper};
use crate::error::{RunError, explain};
use crate::inputs::mask::secrets_to_mask;
use crate::inputs::prepare::Preparation;
use crate::inputs::raw::RawInputs;
use crate::model::{Logins, Platform};
use crate::plan::builder::ContainerPlan;
use crate::plan::prepare::plan_ahead;

use super::emulation::{Registration, register};
use super::process::Process;
use super::run::label;
use super::{gather, read_context};

/// For the step: whoever waits longer had better not have asked.
const PATIENCE: Duration = Duration::from_secs(20);
/// For the helper, pulls included.
const HELPER: Duration = Duration::from_mins(10);
/// Most bytes of an order: a `buildkitd.toml` is most of it.
const LONGEST: u64 = 16 * 1024 * 1024;
/// The helper's command.
const COMMAND: &str = "prepare-builder";

/// What the helper is to do. Holds no secret.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// The daemon's socket.
    socket: PathBuf,
    /// Our directory that the builder's socket is made in.
    temp: PathBuf,
    /// The run's id, for labels.
    run: String,
    /// The builder's container.
    container: Option<ContainerPlan>,
    /// Platforms to register emulators for.
    emulators: Vec<String>,
    /// With this image.
    emulator_image: String,
}

/// The step. Its exit code is 0 but for a signal's.
pub async fn prepare(process: &Process) -> u8 {
    for secret in secrets_to_mask(&process.variables) {
        process.reporter.mask(secret.expose());
    }
    let began = Instant::now();
    let result = tokio::select! {
        result = tokio::time::timeout(PATIENCE, begin(process)) => result,
        stop = process.stopped() => return stop.exit_code(),
    };
    match result {
        Ok(Ok(what)) => {
            process.reporter.info(&format!("{what} ({} ms)", began.elapsed().as_millis()));
        }
        Ok(Err(error)) => given_up(process, &explain(&error)),
        Err(_) => given_up(process, &format!("it took longer than {} s", PATIENCE.as_secs())),
    }
    0
}

fn given_up(process: &Process, why: &str) {
    process.reporter.notice(&format!("nothing is prepared, the build begins from scratch: {why}"));
}

/// Leaves the helper; says what it does, or why there is none.
async fn begin(process: &Process) -> Result<String, RunError> {
    let context = read_context(process)?;
    let asked = Preparation::resolve(RawInputs::read(&process.variables), &context);
    let asked = asked.map_err(RunError::Inputs)?;
    let address = Address::from_docker_host(process.variables.get("DOCKER_HOST").map_or("", String::as_str))?;
    let builders = gather::builders(&asked.builder.choice, false, &address).await?;
    let Some(plan) = plan_ahead(&asked, &context, &builders.facts())? else {
        return Ok("this event builds nothing: there is nothing to prepare".into());
    };
    if plan.is_empty() {
        return Ok(format!("{} builds, and needs nothing", plan.builder));
    }
    let mut what = vec![format!("builder: {}", plan.builder)];
    if !plan.emulators.is_empty() {
        let list: Vec<String> = plan.emulators.iter().map(ToString::to_string).collect();
        what.push(format!("emulation for {}", list.join(", ")));
    }
    let order = Order {
        socket: address.path().to_owned(),
        temp: context.paths.temp.clone(),
        run: label(&context),
        container: plan.container,
        emulators: plan.emulators.iter().map(ToString::to_string).collect(),
        emulator_image: asked.builder.emulator_image,
    };
    let failed = |error: serde_json::Error| DockerError::Failed {
        doing: "write a helper's order".into(),
        why: error.to_string(),
    };
    let options = PrepareHelperOptions {
        run: order.run.clone(),
        makes: order.container.as_ref().map(|container| container.name.as_str()),
        id: process.random_id(),
        program: &process.program,
        command: COMMAND,
        orders: &serde_json::to_string(&order).map_err(failed)?,
        shared: &[address.path(), &context.paths.temp],
    };
    start_prepare_helper(&DaemonClient::connect(address.path()).await?, &options).await?;
    Ok(format!("a helper container prepares {}", what.join("; ")))
}

/// The helper, with the arguments after its command.
pub async fn prepare_builder(process: &Process, arguments: &[String]) -> u8 {
    let made = async {
        match arguments.first().and_then(|path| read(Path::new(path)).ok()) {
            Some(order) => carry_out(process, order).await,
            None => false,
        }
    };
    tokio::select! {
        made = tokio::time::timeout(HELPER, made) => u8::from(!matches!(made, Ok(true))),
        stop = process.stopped() => stop.exit_code(),
    }
}

fn read(path: &Path) -> std::io::Result<Order> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(LONGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Whether all was done. Nobody hears why not: the run will.
async fn carry_out(process: &Process, order: Order) -> bool {
    let (mut done, nobody) = (true, Logins::default());
    if let Some(container) = &order.container {
        let setup = BuilderSetup {
            directories: std::slice::from_ref(&order.temp),
            logins: &nobody,
            ahead: true,
            pulling: &|_| {},
        };
        // It is started and left: whoever builds waits for it to answer.
        done = BuilderContainer::ensure(&order.socket, container, &setup).await.is_ok();
    }
    let platforms: Vec<Platform> =
        order.emulators.iter().filter_map(|text| Platform::parse(text).ok()).collect();
    if platforms.is_empty() {
        return done;
    }
    // Without its container nobody knows what the builder emulates by itself.
    if !done {
        return false;
    }
    let registration = Registration {
        container: order.container.as_ref().map(|container| container.name.as_str()),
        image: &order.emulator_image,
        logins: nobody,
        run: order.run.clone(),
    };
    register(process, &order.socket, &platforms, &registration).await.is_ok()
}
