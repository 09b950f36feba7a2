//! Google's Artifact Registry by workload identity federation: the job's OIDC token for a federated access token (RFC
//! 8693), that one for a service account's, which is the password of `oauth2accesstoken`. Both live an hour.

use http::Method;

use super::ambient::or;
use super::error::{Ask, Good, LoginError, Step};
use super::{Exchanger, oidc};
use crate::model::Secret;

/// All that can be asked for; the account's roles say what it may.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

pub(super) async fn login(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    provider: &str,
    service_account: Option<&str>,
) -> Result<Secret, LoginError> {
    let token = oidc::token(exchanger, step, &format!("https://iam.googleapis.com/{provider}")).await?;
    let subject = token.subject();
    let hint = |_: &str, _: &str| {
        Some(format!(
            "check `gcp_provider`: the provider must trust `https://token.actions.githubusercontent.com`, and its attribute \
             condition must hold for this job{subject}"
        ))
    };
    let base = or(exchanger.ambient.endpoints.google_sts.as_ref(), || "https://sts.googleapis.com".into());
    let ask = Ask {
        step,
        doing: format!("exchange the job's OIDC token at the provider `{provider}`"),
        method: Method::POST,
        url: format!("{base}/v1/token"),
        headers: vec![("content-type", "application/json".into())],
        body: serde_json::json!({
            "audience": format!("//iam.googleapis.com/{provider}"),
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "scope": SCOPE,
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "subjectToken": token.jwt.expose(),
        })
        .to_string(),
        secrets: &[token.jwt.expose()],
        hint: &hint,
    };
    let federated = secret_of(exchanger, step, &ask.send().await?, "access_token")?;
    let Some(account) = service_account else { return Ok(federated) };
    let hint = |_: &str, _: &str| {
        Some(format!(
            "grant `roles/iam.workloadIdentityUser` on the service account `{account}` to this repository's principal set \
             of the pool"
        ))
    };
    let base = or(exchanger.ambient.endpoints.google_iam.as_ref(), || {
        "https://iamcredentials.googleapis.com".into()
    });
    let ask = Ask {
        step,
        doing: format!("act as the service account `{account}`"),
        method: Method::POST,
        url: format!("{base}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"),
        headers: vec![
            ("authorization", format!("Bearer {}", federated.expose())),
            ("content-type", "application/json".into()),
        ],
        body: serde_json::json!({ "scope": [SCOPE], "lifetime": "3600s" }).to_string(),
        secrets: &[federated.expose()],
        hint: &hint,
    };
    secret_of(exchanger, step, &ask.send().await?, "accessToken")
}

/// A token in a JSON answer, masked.
pub(super) fn secret_of(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    good: &Good,
    key: &str,
) -> Result<Secret, LoginError> {
    let json: serde_json::Value = serde_json::from_slice(&good.body).unwrap_or_default();
    let token = json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(step.useless(good, &format!("holds no `{key}`")));
    }
    exchanger.mask(token);
    Ok(Secret::new(token))
}
