//! Which files of a Git directory can hold credentials, by where they lie and what they are called.
//!
//! Pure: names in, a verdict out. Obeys Git's repository layout (gitrepository-layout) for the names; what is searched for
//! in such a file is [`super::credentials`]'s.

use std::path::Path;

use super::root::Listing;

/// How a file that can hold credentials is searched for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// As Git reads its configuration.
    Config,
    /// Line by line, for URLs only.
    Lines,
}

impl Carrier {
    /// The largest file that is searched, in bytes; none of Git's is anywhere near this size. It is less for a configuration file,
    /// of which a line is kept together with where each of its characters stands.
    pub const fn largest(self) -> u64 {
        match self {
            Self::Config => 16 << 20,
            Self::Lines => 64 << 20,
        }
    }
}

/// Where a walk is, as far as Git directories are concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitDirectory {
    inside: bool,
    /// The walk is in one of the directories in which every file holds URLs.
    among_urls: bool,
}

impl GitDirectory {
    /// The state of a walk that begins at this path, by the names of the directories above it.
    pub fn of(path: &Path) -> Self {
        path.components()
            .fold(Self::default(), |at, element| at.below(element.as_os_str().as_encoded_bytes()))
    }

    /// The state in the directory of this name below, whose content is `listing`. A Git directory is one that is called `.git` or
    /// looks like one to Git: a bare repository, a submodule's, one that a link called `.git` leads to.
    #[must_use]
    pub fn enter(self, name: &[u8], listing: &Listing) -> Self {
        let looks_so = || [&b"HEAD"[..], b"objects", b"refs"].iter().all(|name| listing.contains(name));
        let below = self.below(name);
        Self { inside: below.inside || looks_so(), ..below }
    }

    /// The state in the directory of this name below, judged by the name alone.
    fn below(self, name: &[u8]) -> Self {
        let urls = matches!(name, b"logs" | b"remotes" | b"branches");
        Self { inside: self.inside || name == b".git", among_urls: self.among_urls || (self.inside && urls) }
    }

    /// How a file of this name can hold credentials in this directory; nothing when it cannot.
    pub fn carrier(self, name: &[u8]) -> Option<Carrier> {
        let urls = self.among_urls
            || name.starts_with(b"FETCH_HEAD")
            || name == b"credentials"
            || name == b".git-credentials";
        match self.inside {
            true if name.starts_with(b"config") => Some(Carrier::Config),
            true if urls => Some(Carrier::Lines),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_credentials_can_be() {
        let at = |path: &str| {
            let (directory, name) = path.rsplit_once('/').unwrap();
            GitDirectory::of(Path::new(directory)).carrier(name.as_bytes())
        };
        for (path, carrier) in [
            ("/w/.git/config", Some(Carrier::Config)),
            ("/w/.git/config.worktree", Some(Carrier::Config)),
            ("/w/.git/worktrees/x/config.worktree", Some(Carrier::Config)),
            ("/w/.git/modules/a/b/config", Some(Carrier::Config)),
            ("/w/.git/modules/a/FETCH_HEAD", Some(Carrier::Lines)),
            ("/w/.git/remotes/origin", Some(Carrier::Lines)),
            ("/w/.git/branches/origin", Some(Carrier::Lines)),
            ("/w/.git/logs/refs/heads/main", Some(Carrier::Lines)),
            ("/w/.git/description", None),
            ("/w/config", None),
            ("/w/remotes/origin", None),
        ] {
            assert_eq!(at(path), carrier, "{path}");
        }
    }
}
