//! The vocabulary everybody shares: pure values, named as in the OCI specifications.
//!
//! Nothing here reads a file, a clock or the network (what a [`Cleanup`] does is its maker's). A value that exists is valid: each type has
//! one way in (`parse`), which says what it would accept.

mod archive;
pub mod attrs;
mod build;
mod builder;
mod cache_trouble;
mod chain;
mod cleanup;
mod compression;
mod credentials;
mod deploy_login;
mod dial;
mod digest;
mod error_code;
mod exporter;
mod git;
mod git_url;
mod github_repository;
mod history;
mod identity;
mod image_name;
mod keyring;
mod platform;
mod protocol;
mod reference;
mod retry;
mod secret;
mod slug;
mod sort;
pub mod stamp;
mod tag;
mod targets;
pub mod text;

pub use archive::ArchiveFormat;
pub use build::{
    Annotation, AnnotationLevel, Attestation, BuildSecret, CacheEntry, ContextSource, HostAddress,
    NamedContext, NamedSource, NetworkMode, RunOptions, SshKeys, SshSource,
};
pub use builder::{BuilderAddress, BuilderChoice, BuilderNode, Tls};
pub use cache_trouble::CacheTrouble;
pub use chain::{causes, chain};
pub use cleanup::{Cleanup, clean_up};
pub use compression::{Compression, CompressionKind};
pub use credentials::{Credentials, LoginSource, Logins};
pub use deploy_login::DeployLogin;
pub use dial::Dial;
pub use digest::{Digest, InvalidDigest};
pub use error_code::ErrorCode;
pub use exporter::ExporterKind;
pub use git::{CommitId, GitRef, InvalidCommitId};
pub use git_url::GitUrl;
pub use github_repository::{GithubRepository, InvalidGithubRepository};
pub use history::{History, Relation};
pub use identity::{AwsIdentity, AwsKeys, Ecr, Identity, IdentityKind, how_to_log_in};
pub use image_name::{ImageName, InvalidImageName};
pub use keyring::Keyring;
pub use platform::{InvalidPlatform, Platform};
pub use protocol::RegistryProtocol;
pub use reference::{InvalidRepository, RegistryHost, Repository};
pub use retry::{Patience, Retries, Standing, Trouble};
pub use secret::Secret;
pub use slug::slug;
pub use sort::{sort_by, sort_by_key};
pub use stamp::{InputsHash, Stamp, Stamped};
pub use tag::{InvalidTag, Tag};
pub use targets::Targets;
