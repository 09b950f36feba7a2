//! Inputs: from the environment's text to what it means.
//!
//! [`raw::RawInputs`] is what was typed, [`config::Config`] what it means; only the second travels. Every fault
//! of a run is found in one go and names its input. The names, defaults and descriptions live in one table
//! ([`table`]), which `action.yml`, the reusable workflow and the README are checked against.
//! The grammar is that of the Actions toolkit: exact booleans, one list entry a line.

pub mod config;
#[cfg(test)]
mod config_tests_support;
mod credentials;
pub mod fault;
mod files;
mod image;
pub mod mask;
mod names;
mod parse;
pub mod raw;
pub mod reference;
mod scope;
mod script;
pub mod table;
