//! The same file by two names: the runner's host calls the workspace `/home/runner/work/shop/shop`, the
//! container that it starts for an action calls it `/github/workspace`.
//!
//! The runner translates a variable's value when the *whole* value is such a path; this covers what it misses
//! and the way back, for containers that we start beside us. Pure: compares names, looks at no file.
//! Obeys actions/runner `ContainerInfo.TranslateToContainerPath`.

use std::path::{Path, PathBuf};

use super::context::Paths;

impl Paths {
    /// What this process calls a path that the host named; `None` when it is not one of the host's that
    /// we were given. Paths that have one name on both sides come back as they are.
    pub fn from_host(&self, path: &Path) -> Option<PathBuf> {
        self.pairs().find_map(|(host, ours)| moved(path, host, ours))
    }

    /// What the host calls a path of this process; `None` outside the directories that both share, or when the
    /// host's name is not known.
    pub fn to_host(&self, path: &Path) -> Option<PathBuf> {
        self.pairs().find_map(|(host, ours)| moved(path, ours, host))
    }

    fn pairs(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let workspace = self.host_workspace.as_deref().map(|host| (host, self.workspace.as_path()));
        let temp = self.host_temp.as_deref().map(|host| (host, self.temp.as_path()));
        workspace.into_iter().chain(temp)
    }
}

/// Moves a path from one directory to another, by whole components. `..` could lead out of both: none then.
fn moved(path: &Path, from: &Path, to: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(from).ok()?;
    let plain = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain {
        return None;
    }
    Some(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let paths = Paths {
            workspace: "/github/workspace".into(),
            temp: "/github/runner_temp".into(),
            host_workspace: Some("/home/runner/work/shop/shop".into()),
            host_temp: Some("/home/runner/work/_temp".into()),
            ..Paths::default()
        };
        for (host, ours) in [
            ("/home/runner/work/shop/shop", "/github/workspace"),
            ("/home/runner/work/shop/shop/apps/api", "/github/workspace/apps/api"),
            ("/home/runner/work/_temp/x", "/github/runner_temp/x"),
        ] {
            assert_eq!(paths.from_host(Path::new(host)), Some(ours.into()), "{host}");
            assert_eq!(paths.to_host(Path::new(ours)), Some(host.into()), "{ours}");
        }
        for other in [
            "/home/runner/work/shop/shop2",
            "/home/runner/work/shop",
            "/home/runner/work/shop/shop/../../secret",
            "apps/api",
            "/etc",
        ] {
            assert_eq!(paths.from_host(Path::new(other)), None, "{other}");
        }
        assert_eq!(paths.to_host(Path::new("/github/home")), None);
        assert_eq!(Paths::default().to_host(Path::new("/github/workspace")), None);
    }
}
