//! The two names of one file: on the runner's machine and in the action's container.
//!
//! Obeys `ContainerInfo.cs` of actions/runner 2.336: a value is translated only when the whole of it is, or starts
//! with, a mapped directory; the mapping that was added last is asked first.

use std::path::Path;

/// Directory pairs, host and container, in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct PathMap(Vec<(String, String)>);

impl PathMap {
    /// The mounts of a container action, from the runner's temp directory and the workspace.
    pub fn of_an_action(temp: &Path, workspace: &Path) -> Self {
        let temp_path = |name: &str| temp.join(name).display().to_string();
        let mut map = Self::default();
        map.add(temp.display().to_string(), "/github/runner_temp");
        map.add(temp_path("_github_home"), "/github/home");
        map.add(temp_path("_github_workflow"), "/github/workflow");
        map.add(temp_path("_runner_file_commands"), "/github/file_commands");
        map.add(workspace.display().to_string(), "/github/workspace");
        map
    }

    fn add(&mut self, host: String, container: &str) {
        self.0.insert(0, (host, container.to_owned()));
    }

    /// The mounts, `host:container`, in the order of the runner's command line.
    pub fn mounts(&self) -> impl Iterator<Item = String> {
        self.0.iter().rev().map(|(host, container)| format!("{host}:{container}"))
    }

    /// `value` as the container sees it.
    pub fn to_container(&self, value: &str) -> String {
        translate(value, self.0.iter().map(|(host, container)| (host.as_str(), container.as_str())))
    }

    /// `value` as the host sees it.
    pub fn to_host(&self, value: &str) -> String {
        translate(value, self.0.iter().map(|(host, container)| (container.as_str(), host.as_str())))
    }
}

fn translate<'a>(value: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    for (from, to) in pairs {
        match value.strip_prefix(from) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => return format!("{to}{rest}"),
            _ => {}
        }
    }
    value.to_owned()
}
