//! The GitHub runner, as this action meets it.

pub mod cache_service;
pub mod command;
pub mod context;
pub mod event;
pub mod event_file;
pub mod files;
pub mod markdown;
#[cfg(test)]
pub(crate) mod model;
pub mod paths;
mod payload;
pub mod stranger;
pub mod summary;
pub mod units;
pub mod untrusted;
