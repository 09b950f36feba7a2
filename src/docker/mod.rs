//! The Docker daemon through its API: what it is, which container we are, the helper container that carries traffic
//! to a registry on the host's loopback, the one that makes a builder ready ahead, emulators, what its machine runs, and
//! containers of an image that is verified.
//!
//! bollard stays inside. The daemon is reached through a Unix socket; its API version is negotiated, as
//! engines differ in the oldest one that they take. Building goes another way: `buildkit/`.

mod archive;
mod binfmt_probe;
pub mod builder;
mod connection;
mod emulator;
mod error;
mod helper;
mod image;
mod insecure;
mod inspection;
mod load;
mod memory;
mod ours;
mod own_container;
mod owner;
mod prepare_helper;
mod reach;
pub mod relay;
mod request;
mod run;
mod version;

pub use binfmt_probe::{DaemonMachine, machine_of_daemon};
pub use connection::DaemonClient;
pub use emulator::{EmulatorError, EmulatorOptions, emulated_by_container, register_emulators};
pub use error::DockerError;
pub use helper::RelayOptions;
pub use image::{HeldImage, ImageError, Pulled, pull_platform, pull_under_names};
pub use insecure::is_insecure_registry;
pub use load::load_archive;
pub use memory::machine_memory;
pub use own_container::{OwnContainer, OwnMount};
pub use owner::owner;
pub use prepare_helper::{PrepareHelperOptions, start_prepare_helper};
pub use reach::{ReachError, Reached, Tried, reach_loopback_as_it_is, reach_loopback_telling};
pub use run::{Channel, Prober, RunOptions, probe, reap_containers, run_container, run_until_healthy};
pub use version::daemon_version;
