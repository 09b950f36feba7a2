//! A stand-in for actions/runner: starts a container action as it does and reads its log as it does.
//!
//! Shared by the live suite, the demo and the bench. It obeys the runner's source (2.336), not its documentation;
//! each file names the class that it follows. What GitHub's server does (billing, permissions, the page) is not here.

pub mod action;
pub mod cache_service;
pub mod clouds;
pub mod command;
pub mod event;
pub mod fault_proxy;
pub mod files;
mod form;
pub mod github_api;
pub mod github_server;
pub mod log;
pub mod machine;
pub mod mask;
pub mod parts;
pub mod paths;
pub mod registry;
pub mod repository;
pub mod step;
pub mod wait;
pub mod workflow;
