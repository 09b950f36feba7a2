//! The live suite: the action's image, started as GitHub's runner starts it, against a real engine and real
//! registries. `tests/parts/with-engine` brings them up; without them the suite stops with one line.
//!
//! What a test asserts is what somebody else sees: the registry read over plain HTTP, the image run by the docker
//! client, the log as the runner reads it. Of what the suite's builder leaves nothing to prove a test says
//! `not run`, by `builder::not_here`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and reads the environment that it is started in"
)]

#[path = "../runner/mod.rs"]
#[allow(dead_code, reason = "the demo and the bench use the rest")]
mod runner;

mod archive;
mod bad_exports;
mod bad_input;
mod build_output;
mod build_surface;
mod builder;
mod builders;
mod cache;
mod cancel;
mod check;
mod compression;
mod context_parity;
mod default_run;
mod deploy;
mod emulation;
mod emulator;
mod errors;
mod events;
mod faults;
mod git_context;
mod git_server;
mod github_cache;
mod health;
mod inputs;
mod job;
mod kill;
mod leftovers;
mod legs;
mod load;
mod log;
mod login;
mod login_ends;
mod lost;
mod nodes;
mod order;
mod outage;
mod outputs;
mod page;
mod pages;
mod preflight;
mod prepare;
mod reach;
mod registry;
mod rendering;
mod retry;
mod session;
mod several;
mod staging;
mod stores;
mod tagging;
mod tags;
mod transports;
mod trust;
mod unpushed;
mod untrusted;
mod verify;
mod verify_modes;
