//! Registries on the wire: a client of the OCI distribution protocol 1.1, as far as publishing needs it.
//!
//! `challenge`, `token` and `index` are sans-IO; `dial` and `transport` are the glue to the network;
//! `login` decides what a request carries; `client` is what the engine calls. It moves no layers: BuildKit
//! does. It never retries by itself, but for one fresh token when a registry no longer takes the one it gave.

mod challenge;
mod client;
mod dial;
mod error;
mod index;
mod login;
mod metadata;
mod retry;
mod token;
mod transport;

pub use client::{Descriptor, Manifest, Reference, RegistryClient};
pub use error::{Answered, Kind, RegistryError};
pub use index::{Attests, Child, Document, Image, InvalidManifest};
pub use metadata::{AttestationMetadata, ImageMetadata, PlatformMetadata};
pub use retry::decide;
pub use token::Access;
pub use transport::Timeouts;
