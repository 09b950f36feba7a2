//! Tables for the runner emulator's own rules: what the runner reads as a command, hides, keeps and refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and reads the environment that it is started in"
)]

#[path = "mod.rs"]
#[allow(dead_code, reason = "the live suite, the demo and the bench use the rest")]
mod runner;

mod fault_rules;
mod github_rules;
mod log_rules;
mod small_rules;
mod start_rules;
mod workflow_rules;
