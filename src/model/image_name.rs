//! References to images that are not ours: `alpine`, `moby/buildkit:rootless`, `ghcr.io/a/b:1@sha256:…`.
//!
//! Obeys distribution's `reference.ParseNormalizedNamed`: no host means Docker Hub, one part means `library/`.

use std::fmt;

use super::{Digest, InvalidRepository, Repository, Tag};

/// A reference in its parts: `repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Why a text is no reference to an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidImageName(String);

impl ImageName {
    /// Reads a reference; upper case in the repository is lowered.
    ///
    /// # Errors
    /// Which part cannot be one.
    pub fn parse(text: &str) -> Result<Self, InvalidImageName> {
        Self::read(text, Repository::of_image)
    }

    /// Reads a reference that names its registry: `acme/api:1` is none.
    ///
    /// # Errors
    /// Which part cannot be one, or that there is no registry.
    pub fn parse_whole(text: &str) -> Result<Self, InvalidImageName> {
        Self::read(text, Repository::parse)
    }

    fn read(
        text: &str,
        repository: impl FnOnce(&str) -> Result<Repository, InvalidRepository>,
    ) -> Result<Self, InvalidImageName> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).map_err(InvalidImageName::of)?)),
            None => (text, None),
        };
        // A colon before the last slash is a port's.
        let (name, tag) = match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, tag)) => (name, Some(Tag::parse(tag).map_err(InvalidImageName::of)?)),
            None => (rest, None),
        };
        let repository = repository(name).map_err(InvalidImageName::of)?;
        Ok(Self { repository, tag, digest })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The digest, if it has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether it says which image of the repository is meant: by a tag or by a digest.
    pub fn says_which(&self) -> bool {
        self.tag.is_some() || self.digest.is_some()
    }

    /// What a registry is asked for: the digest before the tag, `latest` where neither says which.
    pub fn version(&self) -> &str {
        let tag = self.tag.as_ref().map_or("latest", Tag::as_str);
        self.digest.as_ref().map_or(tag, Digest::as_str)
    }

    /// The tag, `latest` where neither tag nor digest say which; none where a digest does.
    pub fn tag(&self) -> Option<Tag> {
        match &self.digest {
            Some(_) => None,
            None => self.tag.clone().or_else(|| Tag::parse("latest").ok()),
        }
    }

    /// The name without its tag, where a digest says which image it is.
    pub fn pinned(&self) -> Option<String> {
        self.digest.as_ref().map(|digest| format!("{}@{digest}", self.repository))
    }

    /// As Dockerfiles name it: without Docker Hub's prefixes and without `latest`.
    pub fn familiar(&self) -> String {
        let whole = self.repository.to_string();
        let hub = whole.strip_prefix("docker.io/");
        let short = hub.map_or(whole.as_str(), |hub| hub.strip_prefix("library/").unwrap_or(hub));
        let tag = self.tag.as_ref().filter(|tag| tag.as_str() != "latest" || self.digest.is_some());
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{short}{tag}{}", self.at_digest())
    }

    fn at_digest(&self) -> String {
        self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default()
    }
}

impl InvalidImageName {
    fn of(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// The whole reference; with `latest` where neither tag nor digest say which.
impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        match (&self.tag, &self.digest) {
            (Some(tag), _) => write!(f, ":{tag}")?,
            (None, Some(_)) => {}
            (None, None) => f.write_str(":latest")?,
        }
        f.write_str(&self.at_digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let digest = Digest::of(b"");
        let pinned = format!("moby/buildkit:v1@{digest}");
        for (text, whole, familiar, version) in [
            ("alpine", "docker.io/library/alpine:latest", "alpine", "latest"),
            ("Alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20", "3.20"),
            ("docker.io/library/alpine:latest", "docker.io/library/alpine:latest", "alpine", "latest"),
            ("moby/buildkit", "docker.io/moby/buildkit:latest", "moby/buildkit", "latest"),
            ("localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a", "latest"),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c", "c"),
            ("ghcr.io/library/x", "ghcr.io/library/x:latest", "ghcr.io/library/x", "latest"),
            (&pinned, &format!("docker.io/{pinned}"), &pinned, digest.as_str()),
        ] {
            let name = ImageName::parse(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.version()), (whole, version));
            assert_eq!(name.familiar(), familiar);
        }
        for bad in [
            "",
            "a b",
            "a:",
            "a@sha256:1",
            "https://a/b",
            "a:b:c",
            "-a",
            "a/../b",
            "a?b",
            "a%2e",
            ":tag",
            "@sha256:0",
        ] {
            assert!(ImageName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_digest_pins() {
        let digest = Digest::of(b"");
        let pinned = |text: &str| ImageName::parse(text).unwrap().pinned();
        assert_eq!(pinned("alpine:3"), None);
        assert_eq!(
            pinned(&format!("r.io:5/a/b:v1@{digest}")).unwrap(),
            format!("r.io:5/a/b@{digest}"),
            "without its tag"
        );
    }
}
