//! Apps: the JWT that is taken and those that are not, and what an installation's token may.

use super::{ALL, Client, Reply, infra};
use crate::runner::github_server::{AppKey, GithubServer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::SystemTime;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn signed(key: &AppKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let pair = key.pair();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    pair.sign(&ring::signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn jwt(key: &AppKey, issuer: &Value, begun: i64, ends: i64) -> String {
    let claims = json!({ "iss": issuer, "iat": now() + begun, "exp": now() + ends });
    signed(key, &json!({ "alg": "RS256", "typ": "JWT" }), &claims)
}

fn with_app() -> (GithubServer, u64) {
    let (server, ..) = infra();
    server.repository("acme/shop").push("main", "First", &[("a", "b")]);
    server.repository("acme/other").push("main", "First", &[("a", "b")]);
    let client_id = server.app(4711, "deployer", AppKey::shared());
    assert!(client_id.starts_with("Iv"), "{client_id}");
    let installation = server.install(4711, &["acme/infra", "acme/shop"], &format!("{ALL}, issues:read"));
    (server, installation)
}

fn find(server: &GithubServer, token: &str) -> Reply {
    Client::new(server, token).get("/repos/acme/infra/installation")
}

#[test]
fn a_jwt_is_taken_for_ten_minutes_at_most() {
    let (server, installation) = with_app();
    let key = AppKey::shared();
    for issuer in [json!(4711), json!("4711"), json!("Iv23li00000000004711")] {
        let found = find(&server, &jwt(key, &issuer, -60, 540));
        assert_eq!((found.status, &found.json()["id"]), (200, &json!(installation)));
    }
    let undecodable = "A JSON web token could not be decoded";
    let ends = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
                assertion expires";
    let begun =
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
    let header = json!({ "alg": "RS256" });
    let times = json!({ "iss": 4711, "iat": now(), "exp": now() + 60 });
    let mut claims = times.clone();
    claims["exp"] = json!("soon");
    let table = [
        (jwt(key, &json!(4711), -60, -1), 401, ends),
        (signed(key, &header, &claims), 401, ends),
        (jwt(key, &json!(4711), 0, 700), 401, "'Expiration time' claim ('exp') is too far in the future"),
        (jwt(key, &json!(4711), 90, 300), 401, begun),
        (jwt(key, &json!(4712), 0, 60), 404, "Integration not found"),
        (jwt(&AppKey::generate(), &json!(4711), 0, 60), 401, undecodable),
        (signed(key, &json!({ "alg": "none" }), &times), 401, undecodable),
        (format!("{}x", jwt(key, &json!(4711), 0, 60)), 401, undecodable),
        (server.token("octo", &["acme/infra"], ALL), 401, undecodable),
        (String::new(), 401, undecodable),
    ];
    for (token, status, words) in table {
        assert_eq!(find(&server, &token).told(), (status, words.to_owned()), "{token}");
    }
    // Not where it is not installed, and it is no token for anything else.
    let good = Client::new(&server, &jwt(key, &json!(4711), 0, 60));
    assert_eq!(good.get("/repos/acme/other/installation").told(), (404, "Not Found".into()));
    assert_eq!(good.get("/repos/acme/infra").told(), (401, "Bad credentials".into()));
}

#[test]
fn an_installation_gives_tokens_for_what_was_asked() {
    let (server, installation) = with_app();
    let app = Client::new(&server, &jwt(AppKey::shared(), &json!(4711), 0, 60));
    let path = format!("/app/installations/{installation}/access_tokens");
    let asked = json!({ "repositories": ["infra"], "permissions": { "contents": "write" } });
    let reply = app.post(&path, &asked);
    let body = reply.json();
    assert_eq!(reply.status, 201);
    assert_eq!(body["permissions"], json!({ "contents": "write", "metadata": "read" }));
    assert_eq!(body["repositories"][0]["full_name"], "acme/infra");
    let secret = body["token"].as_str().unwrap();
    assert!(secret.starts_with("ghs_") && server.secrets().contains(&secret.to_owned()));
    // As long as they have become, with dots.
    assert!(secret.len() > 500 && secret.split('.').count() == 3, "{secret}");
    assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
    let client = Client::new(&server, secret);
    let reference = |name: &str| client.get(&format!("/repos/acme/{name}/git/ref/heads/main")).status;
    assert_eq!((reference("infra"), reference("shop")), (200, 404));
    let told = client.post("/repos/acme/infra/pulls", &json!({})).told();
    assert_eq!(told, (403, "Resource not accessible by integration".into()));
    // Without a body, everything that the installation has.
    let all = app.post(&path, &json!({})).json();
    assert_eq!((&all["permissions"]["issues"], all.get("repositories")), (&json!("read"), None));
    let all = Client::new(&server, all["token"].as_str().unwrap());
    assert_eq!(all.get("/repos/acme/shop/pulls").status, 200);
    let words = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    for name in ["other", "nothing", ""] {
        assert_eq!(app.post(&path, &json!({ "repositories": [name] })).told(), (422, words.into()));
    }
    let words = "The permissions requested are not granted to this installation.";
    for permissions in [json!({ "issues": "write" }), json!({ "administration": "read" })] {
        let body = json!({ "permissions": permissions });
        assert_eq!(app.post(&path, &body).told(), (422, words.into()));
    }
    assert_eq!(app.post("/app/installations/1/access_tokens", &json!({})).status, 404);
    server.suspend(installation);
    assert_eq!(app.post(&path, &json!({})).told(), (403, "This installation has been suspended".into()));
    // The commit names the App.
    let hosted_head = all.get("/repos/acme/infra/git/ref/heads/main").json();
    let head = hosted_head["object"]["sha"].as_str().unwrap().to_owned();
    all.commit("acme/infra", "main", &head, "a", "b");
    let calls = server.calls();
    let last = calls.last().unwrap();
    assert_eq!((last.what.as_str(), last.who.as_str()), ("createCommitOnBranch acme/infra", "deployer[bot]"));
    assert_eq!(calls[0].who, "app");
}

#[test]
fn a_key_has_two_forms() {
    let key = AppKey::shared();
    assert!(key.pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(key.pkcs8.starts_with("-----BEGIN PRIVATE KEY-----\n"));
}
