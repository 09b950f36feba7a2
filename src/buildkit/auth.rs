//! `moby.filesync.v1.Auth`: the daemon asks for the login of a registry that it pulls from or pushes to.
//!
//! Only `Credentials` is answered; the daemon then gets its token from the registry itself. The other
//! methods would let it ask us to get tokens, and are `Unimplemented`, which it knows how to take.

use std::sync::Arc;

use bollard_buildkit_proto::moby::filesync::v1::{CredentialsRequest, CredentialsResponse};

use super::grpc::{Code, Status};
use crate::model::{RegistryHost, Secret};

/// Knows the login of a registry by its host; says nothing for any other.
pub(super) type LoginLookup = Arc<dyn Fn(&str) -> Option<(String, Secret)> + Send + Sync>;

/// Answers `Credentials`. No login is an empty answer: the daemon then tries without.
pub(super) fn credentials(
    lookup: &LoginLookup,
    request: &CredentialsRequest,
) -> Result<CredentialsResponse, Status> {
    let host = canonical_host(&request.host)
        .ok_or_else(|| Status::new(Code::InvalidArgument, "this is not a registry host"))?;
    let login = lookup(host.as_str());
    tracing::info!(asked = %request.host, %host, found = login.is_some(), "the daemon asks for a login");
    let (username, secret) = login.unwrap_or_default();
    Ok(CredentialsResponse { username, secret: secret.expose().to_owned() })
}

/// Docker Hub has several names; people and our config say `docker.io`.
fn canonical_host(asked: &str) -> Option<RegistryHost> {
    RegistryHost::parse(asked).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_gets_its_own_login() {
        let lookup: LoginLookup = Arc::new(|host| match host {
            "docker.io" => Some(("hub".into(), Secret::new("h"))),
            "localhost:5000" => Some(("local".into(), Secret::new("l"))),
            _ => None,
        });
        for (asked, username, secret) in [
            ("registry-1.docker.io", "hub", "h"),
            ("index.docker.io", "hub", "h"),
            ("docker.io", "hub", "h"),
            ("localhost:5000", "local", "l"),
            ("LOCALHOST:5000", "local", "l"),
            ("localhost", "", ""),
            ("localhost:5001", "", ""),
            ("docker.io.evil.example", "", ""),
            ("evil-docker.io", "", ""),
        ] {
            let answer = credentials(&lookup, &CredentialsRequest { host: asked.into() }).unwrap();
            assert_eq!((answer.username.as_str(), answer.secret.as_str()), (username, secret), "{asked}");
        }
        for asked in ["", "docker.io/evil", "https://docker.io", "docker.io@evil.example"] {
            let refused = credentials(&lookup, &CredentialsRequest { host: asked.into() }).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument, "{asked}");
        }
    }
}
