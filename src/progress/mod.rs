//! Progress of a build, for people.

pub mod event;
