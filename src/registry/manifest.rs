//! A manifest or index as a value: what it is asked for by, what is known of one, its bytes, and what a registry's headers say.
//!
//! Nothing of it is believed: a digest is computed from the bytes, one that a registry names is only held against it. Obeys
//! OCI distribution 1.1 (`Docker-Content-Digest`) and RFC 9110 (media types).

use bytes::Bytes;
use http::{HeaderMap, header};

use super::error::Kind;
use crate::model::{Digest, Tag, text};

/// Most bytes of a manifest, an index or a config: what registries take themselves.
pub(super) const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// What a manifest is asked for by.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// By a name that may move.
    Tag(&'a Tag),
    /// By its content.
    Digest(&'a Digest),
}

impl<'a> From<&'a Tag> for Reference<'a> {
    fn from(tag: &'a Tag) -> Self {
        Self::Tag(tag)
    }
}

impl<'a> From<&'a Digest> for Reference<'a> {
    fn from(digest: &'a Digest) -> Self {
        Self::Digest(digest)
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// What is under a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// Its media type, as the registry says.
    pub media_type: String,
    /// Its bytes, if the registry says.
    pub size: Option<u64>,
}

/// A manifest or index, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The document; its digest is computed from exactly these.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: String,
    /// The digest of `bytes`.
    pub digest: Digest,
}

impl Manifest {
    /// Makes a manifest of a document and its media type; the digest is computed.
    pub fn new(bytes: impl Into<Bytes>, media_type: impl Into<String>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), media_type: media_type.into(), bytes }
    }

    /// The digest, media type and size by which other documents name this one.
    pub fn descriptor(&self) -> Descriptor {
        let size = u64::try_from(self.bytes.len()).ok();
        Descriptor { digest: self.digest.clone(), media_type: self.media_type.clone(), size }
    }
}

/// The digest that an answer names, if it names a valid one.
pub(super) fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(headers.get("docker-content-digest")?.to_str().ok()?).ok()
}

/// The media type that an answer names, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text::line(value.split(';').next().unwrap_or_default())
}

/// The error of content that has another digest than it must have.
pub(super) fn wrong_digest(expected: &Digest, actual: &Digest) -> Kind {
    Kind::Digest { expected: expected.to_string(), actual: actual.to_string() }
}
