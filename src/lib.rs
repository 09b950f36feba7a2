//! A native BuildKit client as one step of a GitHub workflow.

pub mod buildkit;
pub mod context;
