//! Who is shown the password, and who the token.

use docker_push_action::model::{Dial, RegistryHost, Repository};
use docker_push_action::registry::{Kind, RegistryClient, Timeouts};

use super::fake::{Fake, Request, answer, octo};
use super::{Case, INDEX, manifest, tag};

/// base64 of `octo:hunter2`
const BASIC: &str = "Basic b2N0bzpodW50ZXIy";

fn token_of(request: &Request) -> &str {
    request.header("authorization").unwrap_or("")
}

/// A registry with a token server on the same port; `accepts` says whether a token is good.
async fn token_registry(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Fake {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Fake::start(move |request| {
        let host = request.header("host").unwrap_or_default();
        let challenge = format!(r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="s""#);
        if request.is("GET", "/token") {
            let number = 1 + count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            return answer(200, &[], format!(r#"{{"token":"t{number}","expires_in":300}}"#));
        }
        match token_of(request).strip_prefix("Bearer ") {
            Some(token) if accepts(token) => answer(201, &[], ""),
            _ => answer(
                401,
                &[&challenge],
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
            ),
        }
    })
    .await
}

#[tokio::test]
async fn tags_in_parallel_share_one_token() {
    let fake = token_registry(|token| token == "t1").await;
    let (client, repository, index) = (fake.client_of_octo(), fake.repository(), manifest("{}", INDEX));
    let tags = ["a", "b", "c", "d", "e"].map(tag);
    let puts = tags.iter().map(|tag| client.put_tag(&repository, tag, &index));
    futures_util::future::try_join_all(puts).await.unwrap();
    let asked = fake.asked();
    let tokens: Vec<_> = asked.iter().filter(|request| request.is("GET", "/token")).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].target, "/token?service=s&scope=repository:acme/api:pull,push");
    assert_eq!(token_of(tokens[0]), BASIC);
    for put in asked.iter().filter(|request| request.method == "PUT") {
        assert_eq!(token_of(put), "Bearer t1");
    }
    assert_eq!(token_of(&asked[0]), "", "the first contact shows nothing");
    // Reading uses the same token.
    let _ = client.head_manifest(&repository, &tag("a")).await;
    assert_eq!(fake.asked().iter().filter(|request| request.is("GET", "/token")).count(), 1);
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_replaced_once() {
    let fake = token_registry(|token| token == "t2").await;
    fake.client_of_octo().put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap();
    let lines = fake.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("PUT")).count(), 2, "{lines:?}");

    let never = token_registry(|_| false).await;
    let put = never.client_of_octo();
    let error = put.put_tag(&never.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Unauthorized("authentication required".into()));
    assert!(error.hint().unwrap().contains("`octo`"), "{:?}", error.hint());
    assert_eq!(never.lines().iter().filter(|line| line.starts_with("PUT")).count(), 2);
}

#[tokio::test]
async fn a_login_without_the_right_is_told_from_a_wrong_one() {
    // As Docker Hub answers a push to somebody else's repository.
    let fake = Fake::start(|request| {
        let host = request.header("host").unwrap_or_default();
        let error = if token_of(request).is_empty() { "" } else { r#",error="insufficient_scope""# };
        let challenge = format!(r#"WWW-Authenticate: Bearer realm="http://{host}/token",service="s"{error}"#);
        if request.is("GET", "/token") {
            return answer(200, &[], r#"{"token":"t"}"#);
        }
        answer(
            401,
            &[&challenge],
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
        )
    })
    .await;
    let client = fake.client_of_octo();
    let error = client.put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Denied("authentication required".into()));
    assert!(error.hint().unwrap().contains("give `octo` the right to push"), "{error}");
}

async fn basic_registry() -> Fake {
    Fake::start(|request| match token_of(request) {
        BASIC => answer(201, &[], ""),
        "" => answer(401, &[r#"WWW-Authenticate: Basic realm="r""#], ""),
        // Hostile: shows what it was given, plain and escaped.
        shown => {
            let message = format!(r#"{{"errors":[{{"code":"X","message":"bad {shown} s3cr\u0065t"}}]}}"#);
            answer(401, &[r#"WWW-Authenticate: Basic realm="r""#], message)
        }
    })
    .await
}

#[tokio::test]
async fn basic_goes_to_the_registry_itself() {
    let fake = basic_registry().await;
    let (repository, index) = (fake.repository(), manifest("{}", INDEX));
    fake.client_of_octo().put_tag(&repository, &tag("a"), &index).await.unwrap();
    assert_eq!(fake.lines(), ["GET /v2/", "PUT /v2/acme/api/manifests/a"]);

    // Nobody: nothing is sent that is refused anyway.
    let error = fake.client().put_tag(&repository, &tag("a"), &index).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Unauthorized(String::new()));
    assert!(error.hint().unwrap().starts_with("give `username` and `password`"));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_never_shown() {
    let fake = basic_registry().await;
    let mut wrong = octo(fake.host());
    wrong.password = docker_push_action::model::Secret::new("s3cret");
    let client = RegistryClient::new(fake.host(), Some(&wrong), Dial::Direct, Timeouts::default());
    let error = client.put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::Unauthorized("bad Basic *** ***".into()));
    assert!(!format!("{error:?} {client:?}").contains("s3cret"));
    assert_eq!(fake.lines().iter().filter(|line| line.starts_with("PUT")).count(), 1);
}

#[tokio::test]
async fn credentials_of_another_host_are_not_used() {
    let fake = basic_registry().await;
    let other = octo(RegistryHost::parse("ghcr.io").unwrap());
    let client = RegistryClient::new(fake.host(), Some(&other), Dial::Direct, Timeouts::default());
    client.put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap_err();
    assert!(fake.asked().iter().all(|request| token_of(request).is_empty()));
}

#[tokio::test]
async fn a_login_that_nobody_asked_for_before_is_given() {
    // `/v2/` is open, the repository is not.
    let fake = Fake::start(|request| match (request.target.as_str(), token_of(request)) {
        ("/v2/", _) => answer(200, &[], ""),
        (_, BASIC) => answer(201, &[], ""),
        _ => answer(401, &["WWW-Authenticate: Basic"], ""),
    })
    .await;
    fake.client_of_octo().put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await.unwrap();
    assert_eq!(fake.lines().len(), 3);
}

#[tokio::test]
async fn a_redirect_takes_no_login_along() {
    let elsewhere = Fake::start(|_| answer(200, &["Content-Type: text/plain"], "{}")).await;
    let there = elsewhere.address;
    let fake = Fake::start(move |request| match (request.target.as_str(), token_of(request)) {
        (_, "") => answer(401, &["WWW-Authenticate: Basic"], ""),
        ("/v2/acme/api/manifests/here", _) => answer(307, &["Location: /moved"], ""),
        ("/moved", _) => answer(302, &[&format!("Location: http://{there}/x")], ""),
        ("/v2/acme/api/manifests/loop", _) => answer(307, &["Location: /v2/acme/api/manifests/loop"], ""),
        (_, BASIC) => answer(307, &[&format!("Location: http://{there}/x")], ""),
        _ => answer(500, &[], ""),
    })
    .await;
    let (client, repository) = (fake.client_of_octo(), fake.repository());
    client.get_manifest(&repository, &tag("here")).await.unwrap();
    assert_eq!(token_of(fake.asked().last().unwrap()), BASIC, "the same origin keeps it");
    assert_eq!(elsewhere.asked().len(), 1);
    assert_eq!(token_of(&elsewhere.asked()[0]), "", "another one does not get it");

    let error = client.get_manifest(&repository, &tag("loop")).await.unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    // A PUT is not sent anywhere else.
    let error = client.put_tag(&repository, &tag("x"), &manifest("{}", INDEX)).await.unwrap_err();
    assert!(error.to_string().contains("it answered 307"), "{error}");
    assert_eq!(elsewhere.asked().len(), 1);
}

#[tokio::test]
async fn token_servers_that_must_not_be_asked() {
    for (realm, why) in [
        ("http://tokens.example/t", "not `https`"),
        ("file:///etc/passwd", "not a URL"),
        ("https://u:p@127.0.0.1/t", "has a login"),
        ("", "none that is known"),
    ] {
        let fake =
            Fake::start(move |_| answer(401, &[&format!(r#"WWW-Authenticate: Bearer realm="{realm}""#)], ""))
                .await;
        let error =
            fake.client_of_octo().put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(why), "{realm}: {error}");
    }
}

#[tokio::test]
async fn token_servers_that_fail() {
    let cases: [Case; 4] = [
        (
            || answer(401, &[], r#"{"details":"incorrect username or password hunter2"}"#),
            "401: no token from `127.0.0.1`: incorrect username or password ***",
        ),
        (|| answer(200, &[], "{}"), "has no token"),
        (|| answer(503, &[], "<html><title>Sorry</title>"), "503: no token from `127.0.0.1`: Sorry"),
        (|| answer(200, &[], "x".repeat(300_000)), "larger than 262144 bytes"),
    ];
    for (reply, expected) in cases {
        let fake = Fake::start(move |request| {
            let realm = format!(
                r#"WWW-Authenticate: Bearer realm="http://{}/token""#,
                request.header("host").unwrap()
            );
            if request.is("GET", "/token") { reply() } else { answer(401, &[&realm], "") }
        })
        .await;
        let error =
            fake.client_of_octo().put_tag(&fake.repository(), &tag("a"), &manifest("{}", INDEX)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_repository_of_a_name_with_parts() {
    let fake = token_registry(|_| true).await;
    let repository = Repository::new(fake.host(), "a/b/c").unwrap();
    fake.client_of_octo().put_tag(&repository, &tag("a"), &manifest("{}", INDEX)).await.unwrap();
    assert!(fake.lines().contains(&"GET /token?service=s&scope=repository:a/b/c:pull,push".into()));
}

#[tokio::test]
async fn an_identity_token_buys_tokens_and_goes_nowhere_else() {
    let fake = Fake::start(|request| {
        let host = request.header("host").unwrap();
        let challenge = format!(r#"WWW-Authenticate: Bearer realm="http://{host}/oauth2/token",service="s""#);
        match (request.method.as_str(), request.target.as_str(), token_of(request)) {
            ("POST", "/oauth2/token", "") => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let form = request.header("content-type") == Some("application/x-www-form-urlencoded");
                let asked = "grant_type=refresh_token&service=s&scope=repository:acme/api:pull,push";
                if form && body.starts_with(asked) && body.ends_with("&refresh_token=identity%2B1") {
                    answer(200, &[], r#"{"access_token":"bought","refresh_token":"another"}"#)
                } else {
                    answer(400, &[], format!(r#"{{"error_description":"not {body}"}}"#))
                }
            }
            ("PUT", _, "Bearer bought") => answer(201, &[], ""),
            _ => answer(401, &[&challenge], ""),
        }
    })
    .await;
    let login = |token: &str| {
        let token = docker_push_action::model::Secret::new(token);
        docker_push_action::model::Credentials::new(fake.host(), "", token)
            .given_by(docker_push_action::model::LoginSource::RegistryAuth(2))
    };
    let client =
        |token| RegistryClient::new(fake.host(), Some(&login(token)), Dial::Direct, Timeouts::default());
    let (repository, index) = (fake.repository(), manifest("{}", INDEX));
    client("identity+1").put_tag(&repository, &tag("a"), &index).await.unwrap();
    let shown: Vec<_> =
        fake.asked().iter().filter(|r| r.method != "POST").map(|r| token_of(r).to_owned()).collect();
    assert_eq!(shown, ["", "Bearer bought"]);

    let error = client("wrong-identity").put_tag(&repository, &tag("a"), &index).await.unwrap_err();
    assert!(error.to_string().contains("400: no token from `127.0.0.1`: not grant_type"), "{error}");
    assert!(!error.to_string().contains("wrong-identity"), "{error}");

    // Where a password is wanted, it is of no use and is not shown.
    let basic = basic_registry().await;
    let mut other = login("identity+1");
    other.registry = basic.host();
    let client = RegistryClient::new(basic.host(), Some(&other), Dial::Direct, Timeouts::default());
    let error = client.put_tag(&basic.repository(), &tag("a"), &index).await.unwrap_err();
    assert!(error.to_string().contains("not an identity token"), "{error}");
    assert!(error.hint().unwrap().contains("entry 2 of `registry_auth`"));
    assert!(basic.asked().iter().all(|request| token_of(request).is_empty()));
}
