//! Whether the Docker daemon pushes to a registry without TLS, or without knowing who answers: its `insecure-registries`.
//!
//! Only a registry that stands there by its name counts. A whole network (`10.0.0.0/8`) is allowed for whatever is in it,
//! and no reason to send a login there.

use std::path::Path;

use bollard::models::SystemInfo;

use super::connection::DaemonClient;
use super::error::DockerError;
use crate::model::RegistryHost;

/// Asks the daemon behind this socket, which takes it some 40 ms.
pub async fn is_insecure_registry(socket: &Path, host: &RegistryHost) -> Result<bool, DockerError> {
    let daemon = DaemonClient::connect(socket).await?;
    let info = daemon.docker.info().await;
    let info = info.map_err(|error| DockerError::of("ask for the insecure registries", &error))?;
    Ok(is_named(&info, host))
}

fn is_named(info: &SystemInfo, host: &RegistryHost) -> bool {
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
        let info: SystemInfo = serde_json::from_str(info).unwrap();
        for (host, expected) in
            [("r.lan:5000", true), ("r.lan", false), ("docker.io", false), ("10.0.0.5:5000", false)]
        {
            assert_eq!(is_named(&info, &RegistryHost::parse(host).unwrap()), expected, "{host}");
        }
        assert!(!is_named(&SystemInfo::default(), &RegistryHost::parse("r.lan:5000").unwrap()));
    }
}
