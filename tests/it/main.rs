//! The real code against fakes that speak the wire, and the house against its own rules.

mod architecture;
mod daemon;
mod diffcopy;
mod github;
mod registry;
mod session;
