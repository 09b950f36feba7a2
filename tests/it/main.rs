//! The real code against fakes that speak the wire, and the house against its own rules.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at what it did not expect")]

mod architecture;
mod builders;
mod checkout;
#[path = "../runner/clouds.rs"]
#[allow(clippy::disallowed_methods, reason = "a server has a clock")]
mod clouds;
mod daemon;
mod deploy;
mod diffcopy;
#[path = "../runner/fault_proxy/mod.rs"]
#[allow(dead_code, reason = "the live suite uses the rest")]
mod fault_proxy;
mod forks;
#[path = "../runner/form.rs"]
mod form;
mod gateway;
mod github;
#[path = "../runner/github_server/mod.rs"]
#[allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "the live suite uses the rest, and a server has a clock"
)]
mod github_server;
mod kustomize;
mod legs;
mod lint;
mod login;
#[allow(clippy::disallowed_methods, reason = "it is asked to write the list anew")]
mod messages;
mod registries;
mod registry;
mod session;
mod staging;
mod tagging;
mod untrusted;
