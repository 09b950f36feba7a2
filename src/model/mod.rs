//! The vocabulary everybody shares: pure values, named as in the OCI specifications.
//!
//! Nothing here reads a file, a clock or the network. A value that exists is valid: each type has
//! one way in (`parse`), which says what it would accept.

mod credentials;
mod dial;
mod digest;
mod git;
mod platform;
mod reference;
mod secret;
mod slug;
mod tag;

pub use credentials::Credentials;
pub use dial::Dial;
pub use digest::{Digest, InvalidDigest};
pub use git::{CommitId, GitRef, InvalidCommitId};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidRepository, RegistryHost, Repository};
pub use secret::Secret;
pub use slug::slug;
pub use tag::{InvalidTag, Tag};
