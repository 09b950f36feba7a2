//! What a build can be asked for besides its platforms: the vocabulary that inputs, plan and BuildKit client share.
//!
//! Named as in `docker buildx build` and BuildKit. Values of secrets are in [`BuildSecret`] only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::{Digest, Platform};

/// Where a build context comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextSource {
    /// A directory of the workspace, canonical.
    Directory(PathBuf),
    /// A Git repository or an archive that BuildKit fetches by itself: `https://github.com/acme/shop.git#main:api`.
    /// Holds no credentials.
    Remote(String),
}

/// A build context with a name of its own, for `FROM name` and `COPY --from=name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedContext {
    /// The name, as the Dockerfile says it.
    pub name: String,
    /// What it stands for.
    pub source: NamedSource,
}

/// What a named context stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedSource {
    /// A directory of the workspace, canonical.
    Directory(PathBuf),
    /// What BuildKit finds by itself: `docker-image://alpine:3.20`, a Git or HTTP URL.
    Remote(String),
    /// An image of an OCI image layout in the workspace.
    OciLayout {
        /// The layout's directory, canonical.
        directory: PathBuf,
        /// The image's index or manifest in it.
        digest: Digest,
    },
}

/// A key and a value on one of the documents that an image is made of (OCI image spec, "Annotations").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// Which document.
    pub level: AnnotationLevel,
    /// The documents of this platform only; all of them if absent.
    pub platform: Option<Platform>,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// The documents that can be annotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnnotationLevel {
    /// Each platform's manifest.
    Manifest,
    /// The index.
    Index,
    /// The descriptor of a manifest in the index.
    ManifestDescriptor,
    /// The descriptor of the index in a layout.
    IndexDescriptor,
}

impl AnnotationLevel {
    /// The word for it, as buildx takes it (`buildflags.ParseAnnotations`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Index => "index",
            Self::ManifestDescriptor => "manifest-descriptor",
            Self::IndexDescriptor => "index-descriptor",
        }
    }
}

/// One attestation to make: `type=provenance,mode=max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// `provenance`, `sbom`.
    pub kind: String,
    /// The rest, as BuildKit takes it.
    pub attrs: BTreeMap<String, String>,
}

/// A place that a build's cache is read from or written to: `type=registry,ref=…`. May hold keys of an object store;
/// these are not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// `gha`, `registry`, `inline`, `local`, `s3`, `azblob`.
    pub kind: String,
    /// The rest, as BuildKit takes it.
    pub attrs: BTreeMap<String, String>,
}

impl CacheEntry {
    /// Whether the attribute of this name holds a credential, and must be shown to nobody but BuildKit.
    pub fn is_secret(key: &str) -> bool {
        ["token", "secret", "password", "access_key"].iter().any(|part| key.contains(part))
    }
}

impl std::fmt::Debug for CacheEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "type={}", self.kind)?;
        for (key, value) in &self.attrs {
            write!(f, ",{key}={}", if Self::is_secret(key) { "***" } else { value })?;
        }
        Ok(())
    }
}

/// How build steps run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The network of `RUN` steps; the builder's default if absent.
    pub network: Option<NetworkMode>,
    /// Lines of `/etc/hosts`, in order.
    pub add_hosts: Vec<(String, HostAddress)>,
    /// `(name, soft, hard)`, in order; -1 is unlimited.
    pub ulimits: Vec<(String, i64, i64)>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// Parent of the steps' control groups.
    pub cgroup_parent: Option<String>,
}

impl RunOptions {
    /// A line of `/etc/hosts` names `host-gateway`, whose address is not filled in.
    pub fn has_open_gateway(&self) -> bool {
        self.add_hosts.iter().any(|(_, address)| *address == HostAddress::Gateway)
    }
}

/// The network of build steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// The host's.
    Host,
    /// None.
    None,
}

/// An address for `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAddress {
    /// This one.
    Ip(IpAddr),
    /// `host-gateway`: the builder's way to its host.
    Gateway,
}

/// A build secret: what `RUN --mount=type=secret,id=…` reads.
#[derive(Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// Its id.
    pub id: String,
    /// Its bytes, at most [`BuildSecret::MAX`]. Never shown.
    pub value: Vec<u8>,
}

impl BuildSecret {
    /// BuildKit's limit of one secret, in bytes (`session/secrets`).
    pub const MAX: usize = 500 * 1024;
}

impl std::fmt::Debug for BuildSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BuildSecret({})", self.id)
    }
}

/// An SSH agent for `RUN --mount=type=ssh,id=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSource {
    /// Its id, `default` unless given.
    pub id: String,
    /// Who signs.
    pub keys: SshKeys,
}

/// Who signs for an SSH forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshKeys {
    /// The agent behind this socket.
    Agent(PathBuf),
    /// The private keys in these files: we are the agent.
    Files(Vec<PathBuf>),
}
