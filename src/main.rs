//! The process: environment in, exit code out. The only place that reads the environment, the clock, randomness and signals.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use docker_push_action::engine::{self, PROBE, Process, Rescue};
use docker_push_action::error::Stop;
use docker_push_action::model::{chain, clean_up};
use docker_push_action::progress::debug::DebugLines;
use docker_push_action::progress::reporter::Reporter;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// After the first signal; the runner sends the next one after 7.5 seconds.
const GRACE: Duration = Duration::from_millis(6500);

fn main() -> ExitCode {
    let variables = variables();
    let debug = variables.get("RUNNER_DEBUG").is_some_and(|value| value == "1");
    let reporter = reporter(&variables, debug);
    let rescue = Rescue::prepare(reporter.clone());
    let code = start(variables, &reporter, rescue).unwrap_or_else(|error| {
        reporter.error(&chain(&*error));
        1
    });
    // What is held by a thread that panicked.
    clean_up();
    ExitCode::from(code)
}

fn start(variables: BTreeMap<String, String>, reporter: &Reporter, rescue: Rescue) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting the runtime")?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = runtime.block_on(dispatch(&arguments, variables, reporter.clone(), rescue));
    // A file that is being read must not keep a cancelled step alive.
    runtime.shutdown_background();
    code
}

async fn dispatch(
    arguments: &[String],
    variables: BTreeMap<String, String>,
    reporter: Reporter,
    rescue: Rescue,
) -> anyhow::Result<u8> {
    Ok(match arguments.first().map(String::as_str) {
        None => Box::pin(action(variables, reporter, rescue, Work::Run)).await?,
        Some("prepare") => Box::pin(action(variables, reporter, rescue, Work::Prepare)).await?,
        // What `prepare` leaves running.
        Some("prepare-builder") => {
            Box::pin(action(variables, reporter, rescue, Work::Builder(&arguments[1..]))).await?
        }
        // The relay reports on its lifeline; all that is left to say is whether it went well.
        Some("relay") => u8::from(docker_push_action::docker::relay::serve(&arguments[1..]).await.is_err()),
        // What asks an image on its ports: whoever has started it ends it.
        Some(PROBE) => u8::from(docker_push_action::docker::probe(&arguments[1..]).await.is_err()),
        Some("--version") => {
            reporter.info(concat!("docker-push-action ", env!("CARGO_PKG_VERSION")));
            0
        }
        Some(other) => {
            reporter.error(&format!(
                "`{other}` is not a command: this program is a GitHub action and takes its inputs from the runner (`--version` tells which one it is)"
            ));
            2
        }
    })
}

/// What this process is for.
enum Work<'a> {
    /// The action.
    Run,
    /// The second action.
    Prepare,
    /// Its helper.
    Builder(&'a [String]),
}

async fn action(
    variables: BTreeMap<String, String>,
    reporter: Reporter,
    rescue: Rescue,
    work: Work<'_>,
) -> anyhow::Result<u8> {
    if variables.get("RUNNER_DEBUG").is_some_and(|value| value == "1") {
        // Only fails when there is one already.
        let _ = tracing::subscriber::set_global_default(DebugLines::new(reporter.clone()));
    }
    // As PID 1 of its container a program that does not handle them would not even see them.
    let interrupt = signal(SignalKind::interrupt()).context("handling SIGINT")?;
    let terminate = signal(SignalKind::terminate()).context("handling SIGTERM")?;
    let (tell, stop) = watch::channel(None);
    // `/proc` always knows; without it there is the image's own path.
    let program = std::env::current_exe().unwrap_or_else(|_| "/docker-push-action".into());
    let process = Process { variables, reporter, program, now, random, stop, rescue };
    let work = async {
        match work {
            Work::Run => Box::pin(engine::run(&process)).await,
            Work::Prepare => engine::prepare(&process).await,
            Work::Builder(arguments) => engine::prepare_builder(&process, arguments).await,
        }
    };
    Ok(tokio::select! {
        code = work => code,
        stop = signals(interrupt, terminate, tell) => stop.exit_code(),
    })
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

/// GitHub's log, or a terminal with a person before it.
fn reporter(variables: &BTreeMap<String, String>, debug: bool) -> Reporter {
    let is = |name: &str, value: &str| variables.get(name).is_some_and(|found| found == value);
    let person = std::io::stdout().is_terminal() && !is("GITHUB_ACTIONS", "true") && !is("TERM", "dumb");
    let colours = variables.get("NO_COLOR").is_none_or(String::is_empty);
    if person {
        Reporter::on_terminal(std::io::stdout(), debug, columns, colours)
    } else if colours && is("GITHUB_ACTIONS", "true") {
        Reporter::in_colour(std::io::stdout(), debug)
    } else {
        Reporter::new(std::io::stdout(), debug)
    }
}

/// Width of the terminal; what a terminal that does not say has.
fn columns() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| size.ws_col)
}

/// The environment. Values that are no UTF-8 are none that a runner sets.
#[allow(clippy::disallowed_methods, reason = "the one place")]
fn variables() -> BTreeMap<String, String> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// Seconds since 1970; before that it is 1970.
#[allow(clippy::disallowed_methods, reason = "the one place")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Random bytes from the system.
#[allow(clippy::expect_used, reason = "without randomness no delimiter is safe, and Linux always has it")]
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    bytes
}
