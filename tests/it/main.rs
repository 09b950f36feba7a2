//! The real code against fakes that speak the wire, and the house against its own rules.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at what it did not expect")]

mod architecture;
mod daemon;
mod diffcopy;
mod github;
mod registry;
mod session;
