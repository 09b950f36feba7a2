//! Platforms as in the OCI image index: `os/architecture[/variant]`, normalised as containerd does.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// An operating system and a processor, normalised: `linux/arm64/v8` is `linux/arm64`,
/// `linux/x86_64` is `linux/amd64`, `linux/arm` is `linux/arm/v7`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: String,
}

/// The text is no platform that can be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known platform (for example `linux/amd64`, `linux/arm64`, `linux/arm/v7`)")]
pub struct InvalidPlatform(String);

/// Operating systems and architectures that Go (and so BuildKit) knows.
const OS: &[&str] = &["linux", "windows", "darwin", "freebsd", "wasip1"];
const ARCHITECTURES: &[&str] = &[
    "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le", "mips64", "mips",
    "mipsle", "wasm",
];

impl Platform {
    /// Reads `os/arch[/variant]`; both must be known, so that a typing error is found before a build.
    pub fn parse(text: &str) -> Result<Self, InvalidPlatform> {
        let invalid = || InvalidPlatform(text::name(text));
        let lower = text.trim().to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, ""),
            [os, architecture, variant] if !variant.is_empty() => (*os, *architecture, *variant),
            _ => return Err(invalid()),
        };
        let (architecture, variant) = normalise(architecture, variant);
        let known = OS.contains(&os) && ARCHITECTURES.contains(&architecture);
        let plain = variant.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if !known || !plain {
            return Err(invalid());
        }
        Ok(Self { os: os.into(), architecture: architecture.into(), variant: variant.into() })
    }

    /// From the fields of a descriptor's `platform`, which may name anything (`unknown/unknown`).
    pub fn from_fields(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normalise(architecture, variant);
        Self { os: os.into(), architecture: architecture.into(), variant: variant.into() }
    }

    /// The operating system, `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The variant of the architecture, `v7`; mostly nothing.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    /// The processor architecture, `arm64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }
}

/// containerd's `platforms.Normalize` for the architectures people write.
fn normalise<'a>(architecture: &'a str, variant: &'a str) -> (&'a str, &'a str) {
    match (architecture, variant) {
        ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "" | "v8" | "8") => ("arm64", ""),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        ("i386" | "386", _) => ("386", ""),
        other => other,
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_containerd() {
        for (given, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("Linux/ARM64", "linux/arm64"),
            ("linux/i386", "linux/386"),
        ] {
            assert_eq!(Platform::parse(given).unwrap().to_string(), expected);
        }
        for bad in ["", "linux", "amd64", "linux/", "linux/amd46", "linus/amd64", "linux/arm64/", "a/b/c/d"] {
            assert!(Platform::parse(bad).is_err(), "{bad}");
        }
    }
}
