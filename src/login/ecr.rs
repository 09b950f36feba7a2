//! Amazon ECR's API: a login for twelve hours (`GetAuthorizationToken`), and a repository that is missing
//! (`CreateRepository`). Private registries and the public one speak the same JSON under different names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Uri};

use super::Exchanger;
use super::error::{Ask, LoginError, Step};
use super::sigv4::{Unsigned, sign};
use crate::model::{AwsKeys, Ecr, LoginSource, Repository, Secret};

/// The service that a signature names, and the prefix of the operations' names.
fn names(ecr: &Ecr) -> (&'static str, &'static str) {
    match ecr {
        Ecr::Private { .. } => ("ecr", "AmazonEC2ContainerRegistry_V20150921"),
        Ecr::Public => ("ecr-public", "SpencerFrontendService"),
    }
}

/// User name and password for the registry.
pub(super) async fn authorization(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    ecr: &Ecr,
    keys: &AwsKeys,
) -> Result<(String, Secret), LoginError> {
    let call = Operation {
        doing: "get an authorization token".into(),
        name: "GetAuthorizationToken",
        body: "{}".into(),
        right: match ecr {
            Ecr::Private { .. } => "`ecr:GetAuthorizationToken`",
            Ecr::Public => "`ecr-public:GetAuthorizationToken` and `sts:GetServiceBearerToken`",
        },
    };
    let good = call.ask(exchanger, step, ecr, keys, async |ask| ask.send().await).await?;
    let json: serde_json::Value = serde_json::from_slice(&good.body).unwrap_or_default();
    let data = json.get("authorizationData").map(|data| data.get(0).unwrap_or(data));
    let token = data.and_then(|data| data.get("authorizationToken")?.as_str()).unwrap_or_default();
    let pair = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    let Some((username, password)) =
        pair.filter(|(user, password)| !user.is_empty() && password.bytes().all(|b| b.is_ascii_graphic()))
    else {
        return Err(step.useless(&good, "holds no authorization token"));
    };
    exchanger.mask(token);
    exchanger.mask(password);
    Ok((username.to_owned(), Secret::new(password)))
}

/// Whether the repository was made; `false` if it was there.
pub(super) async fn create_repository(
    exchanger: &Exchanger<'_>,
    step: Step<'_>,
    ecr: &Ecr,
    keys: &AwsKeys,
    repository: &Repository,
) -> Result<bool, LoginError> {
    let (name, account) = match ecr {
        Ecr::Private { account, .. } => (repository.path(), Some(account)),
        // The first part is the registry's alias.
        Ecr::Public => (repository.path().split_once('/').map_or("", |(_, name)| name), None),
    };
    let mut body = serde_json::json!({ "repositoryName": name });
    if let (Some(account), Some(body)) = (account, body.as_object_mut()) {
        body.insert("registryId".into(), account.as_str().into());
    }
    let call = Operation {
        doing: format!("make the repository `{repository}`"),
        name: "CreateRepository",
        body: body.to_string(),
        right: match ecr {
            Ecr::Private { .. } => "`ecr:CreateRepository`",
            Ecr::Public => "`ecr-public:CreateRepository`",
        },
    };
    match call.ask(exchanger, step, ecr, keys, async |ask| ask.send_or_code().await).await {
        Ok(_) => Ok(true),
        Err((code, _)) if code == "RepositoryAlreadyExistsException" => Ok(false),
        Err((_, error)) => Err(error),
    }
}

struct Operation {
    doing: String,
    name: &'static str,
    body: String,
    /// The right that it needs.
    right: &'static str,
}

impl Operation {
    async fn ask<T>(
        self,
        exchanger: &Exchanger<'_>,
        step: Step<'_>,
        ecr: &Ecr,
        keys: &AwsKeys,
        send: impl AsyncFnOnce(Ask<'_>) -> T,
    ) -> T {
        let (service, prefix) = names(ecr);
        let url = format!("{}/", exchanger.ambient.endpoints.ecr(ecr));
        let uri: Uri = url.parse().unwrap_or_default();
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("{prefix}.{}", self.name)),
        ];
        let request = Unsigned {
            method: "POST",
            host: &host_header(&uri),
            path: uri.path(),
            headers: &headers,
            body: &self.body,
            region: ecr.region(),
            service,
            now: (exchanger.now)(),
        };
        let signed = sign(&request, keys);
        headers.extend(signed);
        let (right, source) = (self.right, step.identity.source.clone());
        let hint = move |code: &str, _: &str| {
            match code {
            "AccessDeniedException" => Some(match source {
                LoginSource::AwsRole => format!("allow the role in `aws_role` {right}"),
                _ => format!("allow who logs in {right}"),
            }),
            "UnrecognizedClientException" | "InvalidSignatureException" | "InvalidClientTokenId"
            | "ExpiredTokenException" | "SignatureDoesNotMatch" => Some(match source {
                LoginSource::AwsEnvironment => {
                    "check `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, with a temporary key, `AWS_SESSION_TOKEN`".into()
                }
                ref other => format!("check the access key in {other}, and the clock of the runner"),
            }),
            _ => None,
        }
        };
        let session = keys.session.as_ref().map_or("", Secret::expose);
        let ask = Ask {
            step,
            doing: self.doing,
            method: Method::POST,
            url,
            headers,
            body: self.body,
            secrets: &[keys.secret.expose(), session],
            hint: &hint,
        };
        send(ask).await
    }
}

/// What stands in the header `Host`: the port only where it is not the scheme's own.
fn host_header(uri: &Uri) -> String {
    let own = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let host = uri.host().unwrap_or_default();
    match uri.port_u16().filter(|port| *port != own) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
