//! Inputs: from the environment's text to what it means.
//!
//! [`raw::RawInputs`] is what was typed, [`config::Config`] what it means; only the second travels. Every fault
//! of a run is found in one go and names its input. The names, defaults and descriptions live in one table
//! ([`table`]), which `action.yml`, the reusable workflow and the README are checked against.
//! The grammar is that of the Actions toolkit: exact booleans, one list entry a line.
//!
//! Files use each other one way. At the bottom are what is typed (`raw`), what can be wrong (`fault`), the grammar of single
//! texts (`parse`) and names held against the disk (`files`, `shared`); above them one file for each input or group of inputs,
//! with the type of what it means; `config` puts these together, and `prepare` and `mask` use it.

mod annotations;
mod archive;
mod attestations;
mod build_args;
mod build_options;
mod builder;
mod buildkitd;
mod cache;
mod check;
mod compression;
pub mod config;
#[cfg(test)]
mod config_tests_support;
mod credentials;
mod deploy;
mod docker_config;
mod docker_env;
mod dockerfile;
mod exporters;
pub mod fault;
mod files;
#[cfg(test)]
mod files_tests_support;
pub mod from;
mod identity;
mod image;
pub mod input;
mod logins;
pub mod mask;
mod metadata_context;
mod missing_login;
mod mode;
mod named_contexts;
mod names;
mod nearest;
mod node;
pub mod outputs;
mod parse;
mod platform_tags;
pub mod prepare;
mod push;
pub mod raw;
pub mod reference;
mod registry_auth;
mod remote;
mod repository;
mod repository_line;
mod run_options;
mod scope;
mod script;
mod secret_text;
mod secrets;
mod shared;
mod ssh;
pub mod table;
mod tag_options;
mod tags;
pub mod tags_key;
mod time_limit;
mod verify;
mod version;
mod words;

pub use logins::without_helper;
