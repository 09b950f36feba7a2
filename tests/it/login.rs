//! Identities exchanged on the wire: what each cloud is asked, in which order, and what is said when it says no.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use docker_push_action::login::{Ambient, Endpoints, Exchanger, LoginError, Session};
use docker_push_action::model::{
    AwsIdentity, AwsKeys, Ecr, Identity, IdentityKind, LoginSource, RegistryHost, Repository, Secret, Trouble,
};
use docker_push_action::net::Network;

use crate::clouds::{Clouds, DISTRUSTFUL, KEY, REQUEST_TOKEN, ROLE, SUBJECT};

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const PUBLIC: &str = "public.ecr.aws";
const PROVIDER: &str = "projects/1/locations/global/workloadIdentityPools/github/providers/acme";

/// The environment of a job with `id-token: write`.
fn ambient(clouds: &Clouds) -> Ambient {
    let variables: BTreeMap<String, String> = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", clouds.oidc_url()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN.to_owned()),
        ("AWS_ENDPOINT_URL", clouds.url()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let read = Ambient::read(&variables);
    let url = Some(clouds.url());
    let endpoints = Endpoints {
        google_sts: url.clone(),
        google_iam: url.clone(),
        microsoft: url.clone(),
        azure_registry: url.clone(),
        docker: url,
        ..read.endpoints
    };
    Ambient { endpoints, ..read }
}

#[allow(clippy::disallowed_methods, reason = "a test has no main")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn identity(host: &str, kind: IdentityKind) -> Identity {
    Identity { registry: RegistryHost::parse(host).unwrap(), kind, source: LoginSource::RegistryAuth(3) }
}

fn role(host: &str, arn: &str) -> Identity {
    let ecr = Ecr::of(&RegistryHost::parse(host).unwrap()).unwrap();
    let identity = identity(host, IdentityKind::Ecr { ecr, by: AwsIdentity::Role(arn.into()) });
    Identity { source: LoginSource::AwsRole, ..identity }
}

fn keys(host: &str, secret: &str) -> Identity {
    let ecr = Ecr::of(&RegistryHost::parse(host).unwrap()).unwrap();
    let keys = AwsKeys { id: KEY.0.into(), secret: Secret::new(secret), session: None };
    let identity = identity(host, IdentityKind::Ecr { ecr, by: AwsIdentity::Keys(keys) });
    Identity { source: LoginSource::AwsEnvironment, ..identity }
}

fn google(account: Option<&str>) -> Identity {
    let (provider, service_account) = (PROVIDER.into(), account.map(Into::into));
    identity("europe-docker.pkg.dev", IdentityKind::Google { provider, service_account })
}

fn azure(client: &str) -> Identity {
    identity("acme.azurecr.io", IdentityKind::Azure { client: client.into(), tenant: "acme.example".into() })
}

fn docker_hub(connection: &str) -> Identity {
    let (username, connection) = ("acme".into(), connection.into());
    identity("docker.io", IdentityKind::DockerHub { username, connection, lifetime: 3600 })
}

/// The outcome, and all that was masked on the way.
async fn exchange(ambient: &Ambient, identity: &Identity) -> (Result<Session, LoginError>, Vec<String>) {
    let masked = Mutex::new(Vec::new());
    let mask = |secret: &str| masked.lock().unwrap().push(secret.to_owned());
    let exchanger = Exchanger { ambient, network: &Network::default(), now, mask: &mask };
    let session = tokio::time::timeout(Duration::from_secs(20), exchanger.login(identity)).await.unwrap();
    (session, masked.into_inner().unwrap())
}

const CLIENT: &str = "00000000-0000-4000-8000-00000000000c";
const CONNECTION: &str = "00000000-0000-4000-8000-000000000000";
const ACCOUNT: &str = "push@acme.iam.gserviceaccount.com";
const OIDC: &str = "GET /idtoken/1/2 200";

#[tokio::test]
async fn every_identity_buys_its_login() {
    let ecr = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken 200";
    let public = "SpencerFrontendService.GetAuthorizationToken 200";
    let account = format!("POST /v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken 200");
    for (identity, username, password, asked) in [
        (keys(ECR, KEY.1), "AWS", "ecr-password-0123456789", vec![ecr]),
        (keys(PUBLIC, KEY.1), "AWS", "ecr-password-0123456789", vec![public]),
        (role(ECR, ROLE), "AWS", "ecr-password-0123456789", vec![OIDC, "AssumeRoleWithWebIdentity 200", ecr]),
        (
            role(PUBLIC, ROLE),
            "AWS",
            "ecr-password-0123456789",
            vec![OIDC, "AssumeRoleWithWebIdentity 200", public],
        ),
        (google(None), "oauth2accesstoken", "google-federated-0123", vec![OIDC, "POST /v1/token 200"]),
        (
            google(Some(ACCOUNT)),
            "oauth2accesstoken",
            "google-account-0123",
            vec![OIDC, "POST /v1/token 200", &account],
        ),
        (
            azure(CLIENT),
            "",
            "acr-refresh-0123456789",
            vec![OIDC, "POST /acme.example/oauth2/v2.0/token 200", "POST /oauth2/exchange 200"],
        ),
        (docker_hub(CONNECTION), "acme", "dckr_oat_0123456789", vec![OIDC, "POST /oauth/token 200"]),
    ] {
        let clouds = Clouds::start("127.0.0.1");
        let (session, masked) = exchange(&ambient(&clouds), &identity).await;
        let session = session.unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()));
        assert_eq!(
            (session.credentials.username.as_str(), session.credentials.password.expose()),
            (username, password)
        );
        assert_eq!(
            (session.credentials.registry, session.credentials.source),
            (identity.registry, identity.source)
        );
        assert_eq!(clouds.lines(), asked);
        // Whatever came is masked, before it was used.
        let came = clouds.asked().iter().map(|asked| asked.body.clone()).collect::<String>();
        assert!(masked.iter().any(|mask| mask == password), "{masked:?}");
        for secret in
            clouds.secrets().iter().filter(|secret| secret.starts_with("ey") || came.contains(*secret))
        {
            assert!(masked.contains(secret), "{secret} is not masked");
        }
    }
}

#[tokio::test]
async fn a_role_s_keys_sign_with_their_session() {
    let clouds = Clouds::start("127.0.0.1");
    let (session, _) = exchange(&ambient(&clouds), &role(ECR, ROLE)).await;
    let aws = session.unwrap().aws.unwrap();
    assert!(aws.id.starts_with("ASIA") && aws.session.is_some());
    let signed = clouds.asked().last().unwrap().headers["authorization"].clone();
    assert!(
        signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"),
        "{signed}"
    );
}

/// A refusal: what it says and what to change.
async fn refused(ambient: &Ambient, identity: &Identity) -> (String, String) {
    let (session, _) = exchange(ambient, identity).await;
    let error = session.unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_refusal_says_who_said_what_and_what_to_change() {
    let sub = format!("this job's subject is `{SUBJECT}`");
    for (identity, expected, hints) in [
        (
            role(ECR, DISTRUSTFUL),
            format!(
                "no login for `{ECR}` by `aws_role`: cannot assume the role `{DISTRUSTFUL}`: `127.0.0.1` answered 403 \
                 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
            ),
            vec!["trust policy", &sub],
        ),
        (
            keys(ECR, "wrong-secret"),
            format!(
                "no login for `{ECR}` by the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`: cannot get an \
                 authorization token: `127.0.0.1` answered 400 InvalidSignatureException: the signature does not match"
            ),
            vec!["AWS_SESSION_TOKEN"],
        ),
        (
            google(Some("other@acme.iam.gserviceaccount.com")),
            "no login for `europe-docker.pkg.dev` by entry 3 of `registry_auth`: cannot act as the service account \
             `other@acme.iam.gserviceaccount.com`: `127.0.0.1` answered 403 PERMISSION_DENIED: Permission denied"
                .into(),
            vec!["roles/iam.workloadIdentityUser"],
        ),
        (
            azure("00000000-0000-4000-8000-000000000bad"),
            "no login for `acme.azurecr.io` by entry 3 of `registry_auth`: cannot log in as the application \
             `00000000-0000-4000-8000-000000000bad` of the tenant `acme.example`: `127.0.0.1` answered 401 \
             invalid_client: AADSTS700213: No matching federated identity record found for presented assertion subject. \
             Trace ID: 1 Timestamp: 2"
                .into(),
            vec!["federated credential", &sub],
        ),
        (
            docker_hub("00000000-0000-4000-8000-000000000bad"),
            "no login for `docker.io` by entry 3 of `registry_auth`: cannot exchange the job's OIDC token by the connection \
             `00000000-0000-4000-8000-000000000bad`: `127.0.0.1` answered 403 access_denied: no rule matches"
                .into(),
            vec!["Docker Home", &sub],
        ),
    ] {
        let clouds = Clouds::start("127.0.0.1");
        let (said, hint) = refused(&ambient(&clouds), &identity).await;
        assert_eq!(said, expected);
        assert!(hints.iter().all(|part| hint.contains(part)), "{hint}");
        for secret in clouds.secrets() {
            assert!(!said.contains(&secret) && !hint.contains(&secret), "{secret} in {said} {hint}");
        }
    }
}

#[tokio::test]
async fn a_job_without_the_permission_is_told_of_it() {
    let clouds = Clouds::start("127.0.0.1");
    let mut none = ambient(&clouds);
    none.oidc = None;
    let (said, hint) = refused(&none, &role(ECR, ROLE)).await;
    assert!(said.ends_with("cannot get the job's OIDC token: GitHub gives this job none"), "{said}");
    assert!(hint.starts_with("give the job `permissions: id-token: write`"), "{hint}");
    assert!(clouds.asked().is_empty());

    let mut wrong = ambient(&clouds);
    if let Some(oidc) = &mut wrong.oidc {
        oidc.token = Secret::new("another-token");
    }
    let (said, hint) = refused(&wrong, &role(ECR, ROLE)).await;
    assert!(said.ends_with("`127.0.0.1` answered 401: bad credentials"), "{said}");
    assert!(hint.contains("id-token: write"), "{hint}");
}

#[tokio::test]
async fn what_is_worth_another_try() {
    let clouds = Clouds::start("127.0.0.1");
    let ambient = ambient(&clouds);
    clouds.fail(1);
    let (session, _) = exchange(&ambient, &keys(ECR, KEY.1)).await;
    let error = session.unwrap_err();
    assert!(error.to_string().ends_with("`127.0.0.1` answered 503: try again"), "{error}");
    assert_eq!(error.trouble(), Trouble::Broken);
    let (session, _) = exchange(&ambient, &keys(ECR, "wrong")).await;
    assert_eq!(session.unwrap_err().trouble(), Trouble::Lasting);
    // Nobody listens.
    let url = clouds.url();
    drop(clouds);
    let (session, _) = exchange(&ambient, &keys(ECR, KEY.1)).await;
    let error = session.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Unreached);
    assert!(error.to_string().contains("connection refused"), "{url}: {error}");
}

#[tokio::test]
async fn answers_that_cannot_be_used() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for (body, expected) in [
        ("{}", "the answer of `127.0.0.1` holds no authorization token"),
        (r#"{"authorizationData":[{"authorizationToken":"!"}]}"#, "holds no authorization token"),
        // `AWS:a<line break>b`
        (r#"{"authorizationData":[{"authorizationToken":"QVdTOmEKYg=="}]}"#, "holds no authorization token"),
        ("<html>", "holds no authorization token"),
        (&"x".repeat(300_000), "larger than 262144 bytes"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut own = Ambient::default();
        own.endpoints.ecr = Some(format!("http://{}", listener.local_addr().unwrap()));
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await;
        };
        let identity = keys(ECR, KEY.1);
        let ((session, _), ()) = tokio::join!(exchange(&own, &identity), serving);
        let error = session.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_repository_is_made_once() {
    let clouds = Clouds::start("127.0.0.1");
    let ambient = ambient(&clouds);
    let mask = |_: &str| {};
    let exchanger = Exchanger { ambient: &ambient, network: &Network::default(), now, mask: &mask };
    let aws = AwsKeys { id: KEY.0.into(), secret: Secret::new(KEY.1), session: None };
    for (host, path) in [(ECR, "acme/api"), (PUBLIC, "alias/acme/web")] {
        let identity = keys(host, KEY.1);
        let IdentityKind::Ecr { ecr, .. } = &identity.kind else { unreachable!() };
        let repository = Repository::new(identity.registry.clone(), path).unwrap();
        let make = async || exchanger.create_repository(&identity, ecr, &aws, &repository).await.unwrap();
        assert!(make().await);
        assert!(!make().await, "one that is there is fine");
    }
    assert_eq!(clouds.repositories(), ["acme/api", "acme/web"]);
    let asked = clouds.asked();
    assert_eq!(asked[0].body, r#"{"registryId":"123456789012","repositoryName":"acme/api"}"#);
    assert_eq!(asked[2].body, r#"{"repositoryName":"acme/web"}"#);

    let identity = keys(ECR, KEY.1);
    let IdentityKind::Ecr { ecr, .. } = &identity.kind else { unreachable!() };
    let forbidden = Repository::new(identity.registry.clone(), "forbidden").unwrap();
    let error = exchanger.create_repository(&identity, ecr, &aws, &forbidden).await.unwrap_err();
    assert!(error.to_string().contains("cannot make the repository"), "{error}");
    assert!(error.hint().unwrap().contains("`ecr:CreateRepository`"));
}
