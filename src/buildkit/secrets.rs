//! `moby.buildkit.secrets.v1.Secrets`: the daemon asks for a secret when a step mounts it.
//!
//! "Not found" is a code of its own: BuildKit leaves the mount out if it is not `required`, and names the
//! secret in its error otherwise (`session/secrets`).

use bollard_buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};

use super::grpc::{Code, Status};
use crate::model::BuildSecret;

/// Answers `GetSecret`.
pub(super) fn get_secret(
    secrets: &[BuildSecret],
    request: &GetSecretRequest,
) -> Result<GetSecretResponse, Status> {
    let found = secrets.iter().find(|secret| secret.id == request.id);
    tracing::info!(id = request.id, found = found.is_some(), "the daemon asks for a secret");
    let secret = found.ok_or_else(|| Status::new(Code::NotFound, "not found"))?;
    if secret.value.len() > BuildSecret::MAX {
        let length = secret.value.len();
        let refused = format!("the secret has {length} bytes, at most {} are possible", BuildSecret::MAX);
        return Err(Status::new(Code::FailedPrecondition, refused));
    }
    Ok(GetSecretResponse { data: secret.value.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_gets_its_own() {
        let secret = |id: &str, length| BuildSecret { id: id.into(), value: vec![0; length] };
        let secrets = [
            secret("empty", 0),
            secret("one", 1),
            secret("most", BuildSecret::MAX),
            secret("more", BuildSecret::MAX + 1),
        ];
        let ask = |id: &str| {
            let request = GetSecretRequest { id: id.into(), ..GetSecretRequest::default() };
            get_secret(&secrets, &request).map(|answer| answer.data.len()).map_err(|status| status.code)
        };
        for (id, expected) in [
            ("empty", Ok(0)),
            ("one", Ok(1)),
            ("most", Ok(BuildSecret::MAX)),
            ("more", Err(Code::FailedPrecondition)),
            ("", Err(Code::NotFound)),
            ("../one", Err(Code::NotFound)),
            ("ONE", Err(Code::NotFound)),
        ] {
            assert_eq!(ask(id), expected, "{id}");
        }
    }
}
