//! What the daemon says about itself.

use bollard::models::SystemInfo;

use super::connection::DaemonClient;
use super::error::DockerError;

/// A daemon, as far as a plan depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonFacts {
    /// Its version, for people only: distributions write it as they like.
    pub version: String,
    /// The API version agreed on, `1.45`.
    pub api_version: String,
    /// Images are in containerd's store: the one that can push from BuildKit, and hold several platforms.
    pub containerd_image_store: bool,
    /// `linux`.
    pub operating_system: String,
    /// As the kernel names it, `x86_64`.
    pub architecture: String,
    /// It runs without root: its `localhost` is its own network namespace's.
    pub rootless: bool,
    /// User namespaces are remapped for containers.
    pub userns_remap: bool,
    /// Registries that it speaks to without TLS: networks, then hosts.
    pub insecure_registries: Vec<String>,
}

impl DaemonClient {
    /// The daemon's version, `28.0.4`: a tenth of the time of asking for everything.
    pub async fn version(&self) -> Result<String, DockerError> {
        let version = self.docker.version().await;
        let version = version.map_err(|error| DockerError::of("read the Docker daemon's version", &error))?;
        Ok(super::error::clean(&version.version.unwrap_or_default()))
    }

    /// Asks the daemon about itself: one request.
    pub async fn facts(&self) -> Result<DaemonFacts, DockerError> {
        let info = self.docker.info().await;
        let info = info.map_err(|error| DockerError::of("read what the Docker daemon can do", &error))?;
        Ok(facts(info, self.docker.client_version().to_string()))
    }
}

fn facts(info: SystemInfo, api_version: String) -> DaemonFacts {
    let status = info.driver_status.unwrap_or_default();
    let option = |name: &str| {
        let options = info.security_options.as_deref().unwrap_or_default();
        options.iter().any(|option| option.split(',').any(|part| part.strip_prefix("name=") == Some(name)))
    };
    let registries = info.registry_config.unwrap_or_default();
    let mut insecure = registries.insecure_registry_cidrs.unwrap_or_default();
    let mut hosts: Vec<String> = registries
        .index_configs
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, index)| index.secure == Some(false))
        .map(|(host, _)| host)
        .collect();
    hosts.sort();
    insecure.append(&mut hosts);
    DaemonFacts {
        version: info.server_version.unwrap_or_default(),
        api_version,
        containerd_image_store: status.iter().any(
            |pair| matches!(pair.as_slice(), [key, value] if key == "driver-type" && value == SNAPSHOTTER),
        ),
        operating_system: info.os_type.unwrap_or_default(),
        architecture: info.architecture.unwrap_or_default(),
        rootless: option("rootless"),
        userns_remap: option("userns"),
        insecure_registries: insecure,
    }
}

/// The driver type that containerd's image store shows.
const SNAPSHOTTER: &str = "io.containerd.snapshotter.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_info() {
        let info = serde_json::json!({
            "ServerVersion": "26.1.5+dfsg1", "OSType": "linux", "Architecture": "x86_64",
            "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
            "RegistryConfig": {
                "InsecureRegistryCIDRs": ["127.0.0.0/8"],
                "IndexConfigs": {"docker.io": {"Secure": true}, "r.local:5000": {"Secure": false}}
            }
        });
        let read = facts(serde_json::from_value(info).unwrap(), "1.45".into());
        let expected = DaemonFacts {
            version: "26.1.5+dfsg1".into(),
            api_version: "1.45".into(),
            containerd_image_store: true,
            operating_system: "linux".into(),
            architecture: "x86_64".into(),
            rootless: true,
            userns_remap: false,
            insecure_registries: vec!["127.0.0.0/8".into(), "r.local:5000".into()],
        };
        assert_eq!(read, expected);
        let overlay = serde_json::json!({"DriverStatus": [["Backing Filesystem", "extfs"], ["x"]]});
        assert!(!facts(serde_json::from_value(overlay).unwrap(), String::new()).containerd_image_store);
    }
}
