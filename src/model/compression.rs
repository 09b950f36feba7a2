//! How the layers of an image are compressed, in BuildKit's words.

use std::fmt;

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The kind.
    pub kind: CompressionKind,
    /// How hard it is tried; what the kind takes, see [`CompressionKind::levels`].
    pub level: Option<u8>,
    /// Layers that are there already, a base image's among them, are compressed anew.
    pub force: bool,
}

/// A kind of compression (BuildKit's `util/compression`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionKind {
    /// RFC 1952, which every registry and engine takes.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// A gzip that can be read before all of it is there.
    Estargz,
    /// None.
    Uncompressed,
}

impl CompressionKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::Zstd, Self::Estargz, Self::Uncompressed];

    /// BuildKit's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Estargz => "estargz",
            Self::Uncompressed => "uncompressed",
        }
    }

    /// The highest level that it takes; none where it has no levels. The lowest is 0.
    pub fn levels(self) -> Option<u8> {
        match self {
            Self::Gzip | Self::Estargz => Some(9),
            Self::Zstd => Some(22),
            Self::Uncompressed => None,
        }
    }
}

/// As the input is written: `zstd:19,force`.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(level) = self.level {
            write!(f, ":{level}")?;
        }
        if self.force { f.write_str(",force") } else { Ok(()) }
    }
}
