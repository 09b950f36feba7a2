//! Whether the Docker daemon pushes to a registry without TLS, or without knowing who answers: its `insecure-registries`.
//!
//! Only a registry that stands there by its name counts. A whole network (`10.0.0.0/8`) is allowed for whatever is in it,
//! and no reason to send a login there.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::connection::DaemonClient;
use super::error::DockerError;
use crate::model::RegistryHost;

/// What the daemon says of itself, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    registry_config: Option<RegistryConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RegistryConfig {
    /// By the registry's name.
    index_configs: Option<BTreeMap<String, IndexConfig>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct IndexConfig {
    secure: Option<bool>,
}

/// Asks the daemon behind this socket, which takes it some 40 ms.
pub async fn is_insecure_registry(socket: &Path, host: &RegistryHost) -> Result<bool, DockerError> {
    let daemon = DaemonClient::connect(socket).await?;
    let info = daemon.read("/info", "ask for the insecure registries").await?;
    Ok(is_named(&info, host))
}

fn is_named(info: &Info, host: &RegistryHost) -> bool {
    let named = info.registry_config.as_ref().and_then(|config| config.index_configs.as_ref());
    named.and_then(|named| named.get(host.as_str())).is_some_and(|named| named.secure == Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Docker Engine 28 says it with `"insecure-registries": ["10.0.0.0/8", "r.lan:5000"]`.
    #[test]
    fn only_a_name_counts() {
        let info = r#"{"RegistryConfig": {
            "InsecureRegistryCIDRs": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"],
            "IndexConfigs": {
                "docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": true, "Official": true},
                "r.lan:5000": {"Name": "r.lan:5000", "Mirrors": [], "Secure": false, "Official": false}
            }, "Mirrors": []}}"#;
        let info: Info = serde_json::from_str(info).unwrap();
        for (host, expected) in
            [("r.lan:5000", true), ("r.lan", false), ("docker.io", false), ("10.0.0.5:5000", false)]
        {
            assert_eq!(is_named(&info, &RegistryHost::parse(host).unwrap()), expected, "{host}");
        }
        assert!(!is_named(&Info::default(), &RegistryHost::parse("r.lan:5000").unwrap()));
    }
}
