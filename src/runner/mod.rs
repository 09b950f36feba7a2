//! The GitHub runner, as this action meets it.

pub mod context;
pub mod paths;
mod payload;
