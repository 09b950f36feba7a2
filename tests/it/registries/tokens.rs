//! A token server: distribution's token specification, signed with a key of the test's own.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::parts::{PASSWORD, USER};
use crate::registry::fake::{Answer, Fake, Request, answer};

/// Serves until it is dropped. [`USER`] may do everything everywhere, but only read `acme/forbidden`; whoever does not
/// log in may read `public/…`.
pub struct TokenServer {
    pub realm: String,
    /// In PEM: what the registry believes tokens from.
    pub certificate: String,
    _fake: Fake,
}

impl TokenServer {
    pub async fn start(tls: Option<rustls::ServerConfig>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let random = SystemRandom::new();
        let signer =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der(), &random)
                .unwrap();
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate.der())] });
        let reply = move |request: &Request| grant(request, &header, &signer, &random);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let fake = match tls {
            Some(tls) => Fake::start_tls(tls, reply).await,
            None => Fake::start(reply).await,
        };
        let realm = format!("{scheme}://localhost:{}/token", fake.address.port());
        Self { realm, certificate: certificate.pem(), _fake: fake }
    }
}

fn grant(request: &Request, header: &Value, signer: &EcdsaKeyPair, random: &SystemRandom) -> Answer {
    let right = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let user = match request.header("authorization") {
        None => "",
        Some(login) if login == right => USER,
        Some(_) => {
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}"#;
            return answer(401, &[], body);
        }
    };
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let values = |name: &'static str| {
        query
            .split('&')
            .filter_map(move |pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, v)| v)
    };
    assert_eq!(values("service").collect::<Vec<_>>(), ["test-registry"]);
    let access: Vec<Value> = values("scope")
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let may = |action: &str| match (user, name) {
                ("", name) => name.starts_with("public/") && action == "pull",
                (_, "acme/forbidden") => action == "pull",
                _ => true,
            };
            let actions: Vec<&str> = actions.split(',').filter(|action| may(action)).collect();
            Some(json!({ "type": kind, "name": name, "actions": actions }))
        })
        .collect();
    #[allow(clippy::disallowed_methods, reason = "a token is of its time")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "test-issuer", "aud": "test-registry", "sub": user, "jti": "1",
        "iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(header), encode(&claims));
    let signature = signer.sign(random, text.as_bytes()).unwrap();
    let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    answer(200, &["Content-Type: application/json"], json!({ "token": token, "expires_in": 300 }).to_string())
}
