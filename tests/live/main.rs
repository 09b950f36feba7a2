//! The live suite: the action's image, started as GitHub's runner starts it, against a real engine and real
//! registries. `tests/parts/with-engine` brings them up; without them the suite stops with one line.
//!
//! What a test asserts is what somebody else sees: the registry read over plain HTTP, the image run by the docker
//! client, the log as the runner reads it. On an engine without the containerd image store only the tests that say
//! so have something to prove; the others end at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and reads the environment that it is started in"
)]

#[path = "../runner/mod.rs"]
#[allow(dead_code, reason = "the demo and the bench use the rest")]
mod runner;

mod bad_input;
mod build_output;
mod cancel;
mod context_parity;
mod default_run;
mod emulator;
mod events;
mod faults;
mod inputs;
mod job;
mod reach;
mod registry;
mod stores;
mod trust;
