//! Docker Hub by an OIDC connection of an organisation: the job's OIDC token for an access token (RFC 8693), which is the
//! organisation's password.

use http::Method;

use super::ambient::or;
use super::error::{Ask, LoginError, Step};
use super::google::secret_of;
use super::{Exchanger, oidc};
use crate::model::Secret;
use crate::registry::form;

/// Whom the token is for, and who exchanges it.
const SERVER: &str = "https://identity.docker.com";

pub(super) async fn login(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    connection: &str,
    lifetime: u32,
) -> Result<Secret, LoginError> {
    let token = oidc::token(exchanger, step, SERVER).await?;
    let subject = token.subject();
    let hint = |_: &str, _: &str| {
        Some(format!(
            "check the id of the OIDC connection in Docker Home, that it is active, and that one of its rules allows this \
             job{subject}"
        ))
    };
    let base = or(exchanger.ambient.endpoints.docker.as_ref(), || SERVER.into());
    let ask = Ask {
        step,
        doing: format!("exchange the job's OIDC token by the connection `{connection}`"),
        method: Method::POST,
        url: format!("{base}/oauth/token"),
        headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
        body: form([
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
            ("subject_token", token.jwt.expose()),
            ("connection_id", connection),
            ("expires_in", &lifetime.to_string()),
        ]),
        secrets: &[token.jwt.expose()],
        hint: &hint,
    };
    secret_of(exchanger, step, &ask.send().await?, "access_token")
}
