//! The real client code against fakes that speak the wire.

#![allow(clippy::unwrap_used)]

mod registry;
