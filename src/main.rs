//! The process: environment in, exit code out; dispatch on the first argument.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "relay" => relay(rest),
        _ => ExitCode::FAILURE,
    }
}

/// The relay reports on its lifeline; all that is left to say is whether it went well.
fn relay(arguments: &[String]) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    match runtime.block_on(docker_push_action::docker::relay::serve(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
