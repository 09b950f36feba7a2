//! Which container we are, if any, as the daemon sees it: our image, our mounts, our networks.
//!
//! The kernel gives hints (`/proc/self/mountinfo`, `/proc/self/cgroup`, the host name); what the daemon
//! says about such an id decides. A hint that the daemon does not know is none: the daemon may be another
//! machine's, or another container's.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::connection::DaemonClient;
use super::error::DockerError;
use super::inspection::Inspection;

/// The container that we run in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnContainer {
    /// Its whole id.
    pub id: String,
    /// The id of its image, `sha256:…`: good for starting another container, whatever became of its tag.
    pub image: String,
    /// Directories of the host (or volumes) in it.
    pub mounts: Vec<OwnMount>,
    /// Gateways of its networks: the host, as seen from it.
    pub gateways: Vec<IpAddr>,
    /// It shares the host's network.
    pub host_network: bool,
    /// It shares the host's kernel: its runtime brings none of its own.
    pub shares_kernel: bool,
    /// Whether its daemon keeps images in containerd's image store; `None` where the driver of its file system leaves that
    /// open.
    pub containerd_image_store: Option<bool>,
    /// The networks that it is on, by name.
    pub networks: Vec<String>,
}

/// One mount of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMount {
    /// Where it is on the daemon's machine.
    pub source: PathBuf,
    /// Where it is for us.
    pub destination: PathBuf,
    /// It can be written to.
    pub writable: bool,
}

impl OwnContainer {
    /// Where this path of ours is on the daemon's machine, if it is in a mount that can be written to.
    pub fn host_path(&self, path: &Path) -> Option<PathBuf> {
        let covering = self.mounts.iter().filter(|mount| path.starts_with(&mount.destination));
        let mount = covering.max_by_key(|mount| mount.destination.components().count())?;
        if !mount.writable {
            return None;
        }
        let rest = path.strip_prefix(&mount.destination).ok()?;
        // Joined with an empty path it would end in a slash.
        Some(if rest.as_os_str().is_empty() { mount.source.clone() } else { mount.source.join(rest) })
    }

    /// Where this path of the daemon's machine is for us, if it is in one of our mounts: the way back.
    pub fn our_path(&self, host: &Path) -> Option<PathBuf> {
        let covering = self.mounts.iter().filter(|mount| host.starts_with(&mount.source));
        let mount = covering.max_by_key(|mount| mount.source.components().count())?;
        let rest = host.strip_prefix(&mount.source).ok()?;
        Some(if rest.as_os_str().is_empty() {
            mount.destination.clone()
        } else {
            mount.destination.join(rest)
        })
    }
}

impl DaemonClient {
    /// Finds our own container; `None` when we are in none that this daemon knows.
    pub async fn own_container(&self) -> Result<Option<OwnContainer>, DockerError> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (mountinfo, cgroup) = (read("/proc/self/mountinfo"), read("/proc/self/cgroup"));
        let hostname = read("/proc/sys/kernel/hostname");
        for hint in hints(&mountinfo, &cgroup, &hostname) {
            let found = self.inspect(&hint, "look up our own container").await?;
            if let Some(own) = found.and_then(|found| own(found, &hint)) {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }
}

// Lengths of a whole container id, in hexadecimal characters, and of the short one that names its host.
const WHOLE: usize = 64;
const SHORT: usize = 12;

/// Ids that the kernel hints at, the surest first.
fn hints(mountinfo: &str, cgroup: &str, hostname: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |id: &str| {
        if !found.iter().any(|known| known.starts_with(id)) {
            found.push(id.to_owned());
        }
    };
    // The daemon mounts …/containers/<id>/hostname and its siblings into every container that it makes.
    for line in mountinfo.lines() {
        let mut fields = line.split(' ').skip(3);
        let (Some(root), Some(target)) = (fields.next(), fields.next()) else { continue };
        if !matches!(target, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
            continue;
        }
        let mut parts = root.rsplit('/').skip(1);
        if let (Some(id), Some("containers")) = (parts.next(), parts.next())
            && is_id(id, WHOLE)
        {
            add(id);
        }
    }
    // `0::/system.slice/docker-<id>.scope` or `4:memory:/docker/<id>`; hidden by cgroup namespaces.
    for line in cgroup.lines() {
        let last = line.rsplit('/').next().unwrap_or_default();
        let id = last.strip_prefix("docker-").and_then(|rest| rest.strip_suffix(".scope")).unwrap_or(last);
        if is_id(id, WHOLE) {
            add(id);
        }
    }
    let hostname = hostname.trim();
    if is_id(hostname, SHORT) {
        add(hostname);
    }
    found
}

fn is_id(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Reads the daemon's answer, if it is about a running container of this id.
fn own(found: Inspection, hint: &str) -> Option<OwnContainer> {
    if !found.id.starts_with(hint) || !found.is_running() || found.image.is_empty() {
        return None;
    }
    let mounts = found.mounts.into_iter().filter(|mount| mount.source.starts_with('/'));
    let mounts = mounts.map(|mount| OwnMount {
        source: mount.source.into(),
        destination: mount.destination.into(),
        writable: mount.writable,
    });
    let networks = found.network_settings.networks;
    let gateways = networks.values().flat_map(|network| [&network.gateway, &network.ipv6_gateway]);
    Some(OwnContainer {
        id: found.id,
        image: found.image,
        mounts: mounts.collect(),
        gateways: gateways.filter_map(|gateway| gateway.parse().ok()).collect(),
        networks: networks.into_keys().collect(),
        host_network: found.host_config.network_mode == "host",
        containerd_image_store: keeps_in_containerd(&found.driver),
        shares_kernel: matches!(&*found.host_config.runtime, "runc" | "io.containerd.runc.v2" | "crun"),
    })
}

/// Whether this driver of a container's file system is one of containerd's snapshotters, and not one of the daemon's own
/// graph drivers (moby's `daemon/graphdriver/register`, containerd's `plugins/snapshots`). Some names are both's.
fn keeps_in_containerd(driver: &str) -> Option<bool> {
    match driver {
        "overlayfs" | "native" | "stargz" | "soci" | "nydus" => Some(true),
        "overlay2" | "overlay" | "vfs" | "aufs" | "devicemapper" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_of_the_kernel() {
        let id = "a1".repeat(32);
        let other = "b2".repeat(32);
        let mountinfo = format!(
            "700 600 0:50 / / rw - overlay overlay rw\n\
             701 700 8:1 /var/lib/docker/containers/{id}/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw\n\
             702 700 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n\
             703 700 8:1 /srv/containers/{other}/hosts /data rw - ext4 /dev/sda1 rw\nshort\n"
        );
        let cgroup = format!("0::/system.slice/docker-{other}.scope\n4:memory:/docker/{id}\n3:cpu:/\n");
        assert_eq!(hints(&mountinfo, "0::/\n", "a1a1a1a1a1a1\n"), std::slice::from_ref(&id));
        assert_eq!(hints(&mountinfo, &cgroup, "runner"), [id.clone(), other.clone()]);
        assert_eq!(hints("", &cgroup, "0123456789ab\n"), [other, id, "0123456789ab".into()]);
        assert_eq!(hints("", "", "runner-host"), Vec::<String>::new());
        assert_eq!(hints("", "", "../../version"), Vec::<String>::new());
    }

    #[test]
    fn reads_an_inspect() {
        let id = "a1".repeat(32);
        let json = serde_json::json!({
            "Id": id, "Image": "sha256:00", "State": {"Status": "running"}, "Driver": "overlayfs",
            "HostConfig": {"NetworkMode": "bridge", "Runtime": "runc"},
            "Mounts": [
                {"Type": "bind", "Source": "/tmp/runner", "Destination": "/github/runner_temp", "RW": true},
                {"Type": "bind", "Source": "/tmp/home", "Destination": "/github/runner_temp/home", "RW": false},
                {"Type": "tmpfs", "Source": "", "Destination": "/scratch", "RW": true}
            ],
            "NetworkSettings": {"Networks": {
                "job": {"Gateway": "172.18.0.1", "IPv6Gateway": ""}, "a": {"Gateway": "10.0.0.1"}
            }}
        });
        let parse =
            |json: &serde_json::Value, hint: &str| own(serde_json::from_value(json.clone()).unwrap(), hint);
        let own = parse(&json, "a1a1a1a1a1a1").unwrap();
        assert_eq!(own.gateways, ["10.0.0.1".parse::<IpAddr>().unwrap(), "172.18.0.1".parse().unwrap()]);
        assert!(!own.host_network && own.shares_kernel);
        for (driver, expected) in [
            ("overlayfs", Some(true)),
            ("overlay2", Some(false)),
            ("vfs", Some(false)),
            ("btrfs", None),
            ("zfs", None),
            ("fuse-overlayfs", None),
            ("", None),
        ] {
            let mut by = json.clone();
            by["Driver"] = driver.into();
            assert_eq!(parse(&by, "a1").unwrap().containerd_image_store, expected, "{driver}");
        }
        for (path, expected) in [
            ("/github/runner_temp/x/y", Some("/tmp/runner/x/y")),
            ("/github/runner_temp", Some("/tmp/runner")),
            ("/github/runner_temperature", None),
            ("/github/runner_temp/home/x", None),
            ("/scratch/x", None),
            ("/etc", None),
        ] {
            assert_eq!(own.host_path(Path::new(path)).as_deref(), expected.map(Path::new), "{path}");
        }
        assert_eq!(parse(&json, "b1b1"), None);
        let mut inside = json.clone();
        inside["HostConfig"]["Runtime"] = "kata".into();
        assert!(!parse(&inside, "a1").unwrap().shares_kernel);
        let mut stopped = json.clone();
        stopped["State"]["Status"] = "exited".into();
        assert_eq!(parse(&stopped, "a1"), None);
    }
}
