//! Registries on the wire: a client of the OCI distribution protocol 1.1, as far as publishing needs it.
//!
//! `challenge`, `token`, `index` and `join` are sans-IO; `transport` is the glue to the network; `login` decides what a
//! request carries, `endpoint` finds out where requests go, `ask` makes one, `body` is what it sends; a `client` holds all of
//! these, and `manifests`, `blobs`, `contents`, `copy`, `download`, `referrers`, `legs`, `stages`, `metadata` and `layers` are what the engine
//! calls on it, `record` what `legs` and `stages` share. Layers of what is built are BuildKit's matter; only an image that
//! is in another repository already passes through here. It never retries by itself, but for one fresh token when a registry
//! no longer takes the one it gave.

mod ask;
mod blobs;
mod body;
mod challenge;
mod client;
mod contents;
mod copy;
mod download;
mod endpoint;
mod error;
mod error_response;
mod index;
mod join;
mod layers;
mod legs;
mod login;
mod manifest;
mod manifests;
mod metadata;
mod record;
mod referrers;
mod retry;
mod stages;
mod stamp;
mod token;
mod transport;
mod web;

pub use blobs::{Mount, Upload};
pub use client::RegistryClient;
pub use contents::{Contents, NoImage, OneImage};
pub use copy::{Copied, Copying};
pub use download::Part;
pub use error::{Kind, RegistryError};
pub use error_response::ErrorResponse;
pub use index::{Attests, Child, Document, Image, ImageConfig, InvalidManifest};
pub use join::{JoinAnnotations, JoinError, NodeImage, annotations_of, join};
pub use legs::{Leg, LegsError, Recorded, Recording, complete, holds_its_platform};
pub use manifest::{Descriptor, Manifest, Reference};
pub use manifests::Deletion;
pub use metadata::{AttestationMetadata, ImageMetadata, Layer, PlatformMetadata};
pub use referrers::Referrer;
pub use stages::{Release, Staged, TAG_PREFIX as STAGE_TAG_PREFIX};
pub use token::{Access, form};
pub use transport::{Answer, Timeouts};
pub use web::Web;
