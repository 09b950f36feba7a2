//! Build, tag and push container images from GitHub in one step.

pub mod buildkit;
pub mod context;
pub mod docker;
pub mod engine;
pub mod error;
pub mod git;
pub mod github;
pub mod inputs;
pub mod metadata;
pub mod model;
pub mod plan;
pub mod progress;
pub mod registry;
pub mod runner;
