//! `make bench`: the action's binary beside `docker buildx build`, interleaved in one run, on one engine and one
//! registry; a Markdown table with the targets. It reports and never fails for being slow: machines differ, ratios
//! of one run count.
//!
//! Both clients do the same: build the same Dockerfile for the same platforms and, in the first case, push it under
//! the same tags; the cases about transfer push nothing. The binary is the static one of the image; it runs on the
//! host, since buildx does. Each run's peak memory is the kernel's own figure for the process and its children, taken
//! by a parent that is small itself (busybox `time`), as a child's figure begins with its parent's.
//!
//! `BENCH_BEFORE=BINARY` puts an older binary of ours in buildx's place: what a change costs or saves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints its figures and stops at what it did not expect"
)]

#[path = "../runner/mod.rs"]
#[allow(dead_code, reason = "the live suite and the demo use the rest")]
mod runner;

mod cases;
mod deploy;
mod kustomize;
mod measure;
mod plan;
mod publisher;
mod shipping;
mod table;
mod tags;
mod verify;

use runner::parts::Parts;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, arguments @ ..] = words.as_slice()
        && first == "publish"
    {
        publisher::publish(arguments);
        return ExitCode::SUCCESS;
    }
    // cargo adds `--bench`; other words choose cases: `cargo bench --bench bench -- small files`.
    let wanted: Vec<String> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
    if wanted == ["plan"] {
        // Nothing but this process takes part.
        println!("{}", table::render(&[plan::of_500_lines()], "nothing"));
        return ExitCode::SUCCESS;
    }
    let parts = match Parts::from_environment() {
        Ok(parts) => parts,
        Err(fault) => {
            println!("error: {}", fault.replace("make test", "make bench"));
            return ExitCode::FAILURE;
        }
    };
    let bench = measure::Bench::new(parts);
    println!("{}\n", bench.heading());
    let rows = cases::measure(&bench, &wanted);
    println!("{}", table::render(&rows, bench.peer_name()));
    ExitCode::SUCCESS
}
