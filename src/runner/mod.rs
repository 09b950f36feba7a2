//! The GitHub runner, as this action meets it.

pub mod context;
pub mod event_file;
pub mod paths;
mod payload;
