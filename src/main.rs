//! The process: environment in, exit code out. The only place that reads the environment, randomness and signals.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use docker_push_action::engine::{self, Process};
use docker_push_action::error::Stop;
use docker_push_action::progress::debug::DebugLines;
use docker_push_action::progress::reporter::Reporter;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// After the first signal; the runner sends the next one after 7.5 seconds.
const GRACE: Duration = Duration::from_millis(6500);

fn main() -> ExitCode {
    let variables = variables();
    let debug = variables.get("RUNNER_DEBUG").is_some_and(|value| value == "1");
    let reporter = Reporter::new(std::io::stdout(), debug);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            reporter.error(&format!("the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = runtime.block_on(dispatch(&arguments, variables, reporter));
    // A file that is being read must not keep a cancelled step alive.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn dispatch(arguments: &[String], variables: BTreeMap<String, String>, reporter: Reporter) -> u8 {
    match arguments.first().map(String::as_str) {
        None => Box::pin(action(variables, reporter)).await,
        // The relay reports on its lifeline; all that is left to say is whether it went well.
        Some("relay") => u8::from(docker_push_action::docker::relay::serve(&arguments[1..]).await.is_err()),
        Some("--version") => {
            reporter.info(concat!("docker-push-action ", env!("CARGO_PKG_VERSION")));
            0
        }
        Some(other) => {
            reporter.error(&format!(
                "`{other}` is no command: this program is a GitHub action and takes its inputs from the runner (`--version` tells which one it is)"
            ));
            2
        }
    }
}

async fn action(variables: BTreeMap<String, String>, reporter: Reporter) -> u8 {
    if variables.get("RUNNER_DEBUG").is_some_and(|value| value == "1") {
        // Only fails when there is one already.
        let _ = tracing::subscriber::set_global_default(DebugLines::new(reporter.clone()));
    }
    let (interrupt, terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => {
            reporter.error(&format!("signals cannot be handled: {error}"));
            return 1;
        }
    };
    let (tell, stop) = watch::channel(None);
    // `/proc` always knows; without it there is the image's own path.
    let program = std::env::current_exe().unwrap_or_else(|_| "/docker-push-action".into());
    let process = Process { variables, reporter, program, random, stop };
    tokio::select! {
        code = engine::run(&process) => code,
        stop = signals(interrupt, terminate, tell) => stop.exit_code(),
    }
}

/// Tells of the first signal; ready at the second one, or when the time for an orderly end is over.
async fn signals(mut interrupt: Signal, mut terminate: Signal, tell: watch::Sender<Option<Stop>>) -> Stop {
    let mut next = async || {
        tokio::select! {
            Some(()) = interrupt.recv() => Stop::Interrupt,
            Some(()) = terminate.recv() => Stop::Terminate,
            else => std::future::pending().await,
        }
    };
    let first = next().await;
    let _ = tell.send(Some(first));
    tokio::select! {
        second = next() => second,
        () = tokio::time::sleep(GRACE) => first,
    }
}

/// The environment. Values that are no UTF-8 are none that a runner sets.
#[allow(clippy::disallowed_methods, reason = "the one place")]
fn variables() -> BTreeMap<String, String> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// Random bytes from the system.
#[allow(clippy::expect_used, reason = "without randomness no delimiter is safe, and Linux always has it")]
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}
