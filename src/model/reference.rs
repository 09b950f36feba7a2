//! Registry hosts and repositories, by the grammar of `distribution/reference`.

use std::fmt;

use serde::Serialize;

use super::text;

/// The host (and port) of a registry, as people write it: `ghcr.io`, `localhost:5000`, `docker.io`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RegistryHost(String);

/// A repository in a registry: `ghcr.io/acme/shop/api`. Always lower case, never with a tag.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Repository {
    registry: RegistryHost,
    path: String,
}

/// The text is no registry or repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRepository {
    /// The host part cannot be one.
    #[error(
        "`{0}` is not a registry host (for example `ghcr.io` or `localhost:5000`, without `https://` and without a path)"
    )]
    Host(String),
    /// The path part cannot be one.
    #[error(
        "`{0}` cannot name a repository: parts of `a-z` and `0-9`, joined by `.`, `_`, `__` or `-`, separated by `/`"
    )]
    Path(String),
    /// No registry was named.
    #[error("`{0}` names no registry (for example `ghcr.io/acme/api`)")]
    NoHost(String),
    /// A tag or digest was given where a repository is expected.
    #[error("`{0}` has a tag or digest; only the repository belongs here")]
    Tagged(String),
    /// Too long for a registry.
    #[error("`{0}` is longer than 255 characters")]
    TooLong(String),
}

impl RegistryHost {
    /// Docker Hub by the name that people write.
    pub const DOCKER_HUB: &str = "docker.io";

    /// Reads `host[:port]` (also `[::1]:5000`); the several names of Docker Hub become `docker.io`.
    pub fn parse(text: &str) -> Result<Self, InvalidRepository> {
        let invalid = || InvalidRepository::Host(text::name(text));
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(invalid)?;
                let plain = address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
                if !plain || address.is_empty() {
                    return Err(invalid());
                }
                (address, port.strip_prefix(':'))
            }
            None => match lower.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (lower.as_str(), None),
            },
        };
        if port.is_some_and(|p| p.is_empty() || p.parse::<u16>().is_err()) {
            return Err(invalid());
        }
        let label = |l: &str| {
            !l.is_empty()
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if !lower.starts_with('[') && !host.split('.').all(label) {
            return Err(invalid());
        }
        Ok(match lower.as_str() {
            "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
                Self(Self::DOCKER_HUB.into())
            }
            _ => Self(lower),
        })
    }

    /// As people write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name or address without a port (and without brackets).
    pub fn name(&self) -> &str {
        match self.0.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.0.split(':').next().unwrap_or(&self.0),
        }
    }

    /// The port, if one was written.
    pub fn port(&self) -> Option<u16> {
        let rest = self.0.rsplit_once(']').map_or(self.0.as_str(), |(_, rest)| rest);
        rest.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }

    /// Whether this is the machine itself: `localhost`, 127.0.0.0/8 or `::1`. Docker and BuildKit
    /// speak plain HTTP to these when HTTPS is not answered.
    pub fn is_loopback(&self) -> bool {
        let name = self.name();
        name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Repository {
    /// From a whole name: `ghcr.io/acme/api`, `localhost:5000/api`, `docker.io/library/nginx`.
    /// Upper case is lowered, as registries take lower case only. `docker.io/nginx` is `docker.io/library/nginx`.
    pub fn parse(text: &str) -> Result<Self, InvalidRepository> {
        let (host, path) = named_host(text).ok_or_else(|| InvalidRepository::NoHost(text::name(text)))?;
        Self::new(RegistryHost::parse(host)?, path)
    }

    /// From the name of an image without tag and digest, as people write it: `alpine` is `docker.io/library/alpine`.
    pub fn of_image(text: &str) -> Result<Self, InvalidRepository> {
        let (host, path) = named_host(text).unwrap_or((RegistryHost::DOCKER_HUB, text));
        Self::new(RegistryHost::parse(host)?, path)
    }

    /// From a registry and the path in it.
    pub fn new(registry: RegistryHost, path: &str) -> Result<Self, InvalidRepository> {
        let mut path = path.to_ascii_lowercase();
        if path.contains('@') || path.rsplit('/').next().is_some_and(|last| last.contains(':')) {
            return Err(InvalidRepository::Tagged(text::name(&path)));
        }
        if registry.as_str() == RegistryHost::DOCKER_HUB && !path.contains('/') {
            path.insert_str(0, "library/");
        }
        if !path.split('/').all(is_component) {
            return Err(InvalidRepository::Path(text::name(&path)));
        }
        if registry.as_str().len() + 1 + path.len() > 255 {
            return Err(InvalidRepository::TooLong(text::name(&format!("{registry}/{path}"))));
        }
        Ok(Self { registry, path })
    }

    /// The registry.
    pub fn registry(&self) -> &RegistryHost {
        &self.registry
    }

    /// The name in the registry, as in `/v2/<name>/manifests/…`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The host that a name begins with, and the rest; `None` if the name begins with none. As in `distribution/reference`:
/// the first part is a host if it looks like one.
fn named_host(name: &str) -> Option<(&str, &str)> {
    let looks_like_one = |host: &str| host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost");
    name.split_once('/').filter(|(host, _)| looks_like_one(host))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !edge(text.bytes().next()) || !edge(text.bytes().last()) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for (given, expected) in [
            ("ghcr.io/Acme/Shop/API", "ghcr.io/acme/shop/api"),
            ("localhost:5000/api", "localhost:5000/api"),
            ("localhost/api", "localhost/api"),
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/acme/api", "docker.io/acme/api"),
            ("[::1]:5000/a__b/c-d.e", "[::1]:5000/a__b/c-d.e"),
            ("r.io/a--b", "r.io/a--b"),
        ] {
            assert_eq!(Repository::parse(given).unwrap().to_string(), expected);
        }
        for bad in [
            "api",
            "acme/api",
            "ghcr.io/",
            "ghcr.io//a",
            "ghcr.io/a/",
            "ghcr.io/-a",
            "ghcr.io/a-",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            "ghcr.io/a:1",
            "ghcr.io/a@sha256:00",
            "https://ghcr.io/a",
            "ghcr.io/é",
            "ghcr.io/🚀",
            "gh cr.io/a",
            "localhost:x/a",
            "localhost:99999/a",
            "-a.io/b",
        ] {
            assert!(Repository::parse(bad).is_err(), "{bad}");
        }
        assert!(Repository::parse(&format!("ghcr.io/{}", "a".repeat(255))).is_err());
    }

    #[test]
    fn hosts() {
        let host = |text| RegistryHost::parse(text).unwrap();
        for (text, name, port, loopback) in [
            ("localhost", "localhost", None, true),
            ("127.0.0.1:5000", "127.0.0.1", Some(5000), true),
            ("[::1]:5000", "::1", Some(5000), true),
            ("[fe80::1]", "fe80::1", None, false),
            ("ghcr.io", "ghcr.io", None, false),
            ("registry.localhost:80", "registry.localhost", Some(80), true),
        ] {
            assert_eq!(host(text).name(), name);
            assert_eq!(host(text).port(), port);
            assert_eq!(host(text).is_loopback(), loopback, "{text}");
        }
    }
}
