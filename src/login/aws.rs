//! AWS Security Token Service: the job's OIDC token for keys of a role that live an hour (`AssumeRoleWithWebIdentity`).

use http::Method;

use super::error::{Ask, LoginError, Step, xml_text};
use super::{Exchanger, oidc};
use crate::model::{AwsKeys, Ecr, Secret};
use crate::registry::form;

/// Whom the token is for, as AWS's provider for GitHub has it.
const AUDIENCE: &str = "sts.amazonaws.com";

pub(super) async fn assume_role(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    ecr: &Ecr,
    role: &str,
) -> Result<AwsKeys, LoginError> {
    let token = oidc::token(exchanger, step, AUDIENCE).await?;
    let subject = token.subject();
    let hint = |code: &str, message: &str| match code {
        "AccessDenied" => Some(format!(
            "the role's trust policy must allow `sts:AssumeRoleWithWebIdentity` to the provider \
             `token.actions.githubusercontent.com`, with the audience `{AUDIENCE}` and a condition on `sub` that this job \
             meets{subject}"
        )),
        "InvalidIdentityToken" if message.contains("provider") => Some(format!(
            "add the identity provider `https://token.actions.githubusercontent.com` with the audience `{AUDIENCE}` to the \
             role's account in IAM"
        )),
        "ValidationError" => Some("check the ARN in `aws_role`".into()),
        _ => None,
    };
    let ask = Ask {
        step,
        doing: format!("assume the role `{role}`"),
        method: Method::POST,
        url: format!("{}/", exchanger.ambient.endpoints.sts(ecr)),
        headers: vec![
            ("content-type", "application/x-www-form-urlencoded".into()),
            ("accept", "text/xml".into()),
        ],
        body: form([
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            // What AWS's trail shows; the claims of the job stand beside it.
            ("RoleSessionName", "docker-push-action"),
            ("WebIdentityToken", token.jwt.expose()),
        ]),
        secrets: &[token.jwt.expose()],
        hint: &hint,
    };
    let good = ask.send().await?;
    let xml = String::from_utf8_lossy(&good.body);
    let text = |name: &str| {
        xml_text(&xml, name).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
    };
    let (Some(id), Some(secret), Some(session)) =
        (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"))
    else {
        return Err(step.useless(&good, "holds no keys"));
    };
    exchanger.mask(&secret);
    exchanger.mask(&session);
    Ok(AwsKeys { id, secret: Secret::new(secret), session: Some(Secret::new(session)) })
}
