//! How an archive of an image is packed, by the ending of its name.

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// Tar, as it is.
    Plain,
    /// Tar, compressed as gzip does (RFC 1952).
    Gzip,
    /// Tar, compressed as zstd does (RFC 8878).
    Zstd,
}

impl ArchiveFormat {
    /// All of them, with the endings of their names.
    pub const ENDINGS: [(&str, Self); 3] =
        [(".tar", Self::Plain), (".tar.gz", Self::Gzip), (".tar.zst", Self::Zstd)];

    /// The format of an archive of this name, which has more than the ending.
    pub fn of(name: &str) -> Option<Self> {
        let found = Self::ENDINGS
            .into_iter()
            .find(|(ending, _)| name.strip_suffix(ending).is_some_and(|rest| !rest.is_empty()));
        found.map(|(_, format)| format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        for (name, expected) in [
            ("a.tar", Some(ArchiveFormat::Plain)),
            ("a.b.tar.gz", Some(ArchiveFormat::Gzip)),
            ("a.tar.zst", Some(ArchiveFormat::Zstd)),
            (".tar", None),
            ("a.tgz", None),
            ("a.TAR", None),
            ("a.tar.xz", None),
            ("tar", None),
        ] {
            assert_eq!(ArchiveFormat::of(name), expected, "{name}");
        }
    }
}
