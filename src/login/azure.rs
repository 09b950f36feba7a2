//! Azure Container Registry by a federated credential: the job's OIDC token for an access token of Microsoft Entra, that
//! one for a refresh token of the registry, which is the login's identity token. It lives three hours.

use http::Method;

use super::ambient::or;
use super::error::{Ask, LoginError, Step};
use super::google::secret_of;
use super::{Exchanger, oidc};
use crate::model::Secret;
use crate::registry::form;

/// Whom the token is for, as federated credentials have it by default.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// What every registry takes, also one that takes no token for Azure's resource manager.
const SCOPE: &str = "https://containerregistry.azure.net/.default";

pub(super) async fn login(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    client: &str,
    tenant: &str,
) -> Result<Secret, LoginError> {
    let registry = step.identity.registry.as_str();
    let endpoints = &exchanger.ambient.endpoints;
    let token = oidc::token(exchanger, step, AUDIENCE).await?;
    let subject = token.subject();
    let hint = |_: &str, message: &str| {
        if message.contains("AADSTS90002") {
            return Some("check `azure_tenant`".into());
        }
        if message.contains("AADSTS700016") {
            return Some("check `azure_client`: it is the application's (client) id, in this tenant".into());
        }
        Some(format!(
            "add a federated credential for GitHub to the application `{client}`, with the audience `{AUDIENCE}` and this \
             job's subject{subject}"
        ))
    };
    let form_type = || vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    let ask = Ask {
        step,
        doing: format!("log in as the application `{client}` of the tenant `{tenant}`"),
        method: Method::POST,
        url: format!("{}/{tenant}/oauth2/v2.0/token", endpoints.microsoft(registry)),
        headers: form_type(),
        body: form([
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", SCOPE),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token.jwt.expose()),
        ]),
        secrets: &[token.jwt.expose()],
        hint: &hint,
    };
    let access = secret_of(exchanger, step, &ask.send().await?, "access_token")?;
    let hint = |_: &str, _: &str| {
        Some(format!(
            "give the application `{client}` the role `AcrPush` on the registry; is `azure_tenant` the registry's?"
        ))
    };
    let ask = Ask {
        step,
        doing: "exchange Microsoft's token for one of the registry".into(),
        method: Method::POST,
        url: format!(
            "{}/oauth2/exchange",
            or(endpoints.azure_registry.as_ref(), || format!("https://{registry}"))
        ),
        headers: form_type(),
        body: form([
            ("grant_type", "access_token"),
            ("service", registry),
            ("tenant", tenant),
            ("access_token", access.expose()),
        ]),
        secrets: &[access.expose()],
        hint: &hint,
    };
    secret_of(exchanger, step, &ask.send().await?, "refresh_token")
}
