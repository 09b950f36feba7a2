//! Inputs: from the environment's text to what it means.

pub mod config;
