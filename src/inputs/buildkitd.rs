//! What a `buildkitd.toml` says of registries: how the builder speaks to one, so that this process can do the same.
//!
//! The rest of the file is BuildKit's own matter. Of the keys below `[registry."HOST"]` only `http` and `insecure` count
//! here, as BuildKit means them (`util/resolver/config`): mirrors are read from and never pushed to, and the files that
//! `ca`, `keypair` and `tlsconfigdir` name are the builder's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::fault::{InputFault, shown};
use crate::model::{RegistryHost, RegistryProtocol};

/// The part that is read.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    registry: BTreeMap<String, Registry>,
}

#[derive(Deserialize)]
struct Registry {
    #[serde(default)]
    http: bool,
    #[serde(default)]
    insecure: bool,
}

/// The registries that are not only spoken to by HTTPS with a certificate that is believed.
pub(super) fn protocols(text: &str) -> Result<BTreeMap<RegistryHost, RegistryProtocol>, InputFault> {
    let file: File = basic_toml::from_str(text).map_err(|error| {
        let why = shown(&error.to_string());
        InputFault::new("buildkitd_config", format!("it is not a `buildkitd.toml`: {why}"))
    })?;
    let allowed = file.registry.into_iter().filter_map(|(host, keys)| {
        // BuildKit takes it by its letters: a name that no image can have is no one's.
        let host = RegistryHost::parse(&host).ok()?;
        Some((host, RegistryProtocol::allowed(keys.http, keys.insecure)))
    });
    Ok(allowed.filter(|(_, protocol)| *protocol != RegistryProtocol::Https).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_registries_are_spoken_to() {
        let all = r#"
            debug = true
            root = "/var/lib/buildkit"
            insecure-entitlements = [ "network.host" ]
            [log]
              format = "text"
            [worker.oci]
              platforms = [ "linux/amd64", "linux/arm64" ]
              labels = { "foo" = "bar" }
              [[worker.oci.gcpolicy]]
                keepBytes = "512MB"
                filters = [ "type==source.local", '''type==exec.cachemount''' ]
            [registry."docker.io"]
              mirrors = ["mirror.example:5000"]
            [registry."mirror.example:5000"]
              http = true
            [registry."Reg.example"]
              insecure = true
              ca = ["/etc/config/ca.pem"]
              [[registry."Reg.example".keypair]]
                key = "/etc/config/key.pem"
                cert = "/etc/config/cert.pem"
            [registry."10.0.0.5:5000"]
              http = true
              insecure = true
            [registry."strict.example"]
              http = false
              insecure = false
            [registry."not a host"]
              http = true
        "#;
        let told = protocols(all).unwrap();
        let told: Vec<_> = told.iter().map(|(host, protocol)| (host.as_str(), *protocol)).collect();
        let expected = [
            ("10.0.0.5:5000", RegistryProtocol::UnverifiedOrPlain),
            ("mirror.example:5000", RegistryProtocol::Plain),
            ("reg.example", RegistryProtocol::Unverified),
        ];
        assert_eq!(told, expected);
        let dotted = "registry.\"r.io\".http = true";
        assert_eq!(protocols(dotted).unwrap().len(), 1);
        for text in ["", "debug = true", "[registry]"] {
            assert_eq!(protocols(text), Ok(BTreeMap::new()), "{text}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_a_fault() {
        for (text, why) in [
            ("debug = ", "line 1"),
            ("[registry.\"r.io\"]\nhttp = \"yes\"", "expected a boolean"),
            ("[registry]\n\"r.io\" = true", "expected struct"),
        ] {
            let fault = protocols(text).unwrap_err().to_string();
            assert!(fault.starts_with("input `buildkitd_config`: it is not a `buildkitd.toml`: "), "{fault}");
            assert!(fault.contains(why), "{fault}");
        }
    }
}
