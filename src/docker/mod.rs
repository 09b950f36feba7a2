//! The Docker daemon through its API: what it is, which container we are, and the helper container that
//! carries traffic to a registry on the host's loopback.
//!
//! bollard stays inside. The daemon is reached through a Unix socket; its API version is negotiated, as
//! engines differ in the oldest one that they take. Building goes another way: `buildkit/`.

mod connection;
mod error;
mod helper;
mod own_container;
mod reach;
pub mod relay;
mod version;

pub use connection::DaemonClient;
pub use error::DockerError;
pub use helper::RelayOptions;
pub use own_container::{OwnContainer, OwnMount};
pub use reach::{ReachError, Reached, Tried, reach_loopback};
pub use version::daemon_version;
