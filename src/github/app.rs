//! A GitHub App: what its private key signs, and the token that buys.
//!
//! Source: "Generating a JSON Web Token (JWT) for a GitHub App", "Authenticating as a GitHub App installation".

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GitHub, GitHubError};
use crate::model::{GithubRepository, Secret};

/// Seconds that a clock here may be ahead of GitHub's.
const AHEAD: i64 = 60;
/// Seconds that a signed text is good for; GitHub takes ten minutes at most.
const GOOD: i64 = 9 * 60;

/// An App.
pub struct App {
    id: String,
    key: RsaKeyPair,
}

/// The text is no private key that a GitHub App can have. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`deploy_app_key` cannot be read as an RSA private key")]
pub struct InvalidAppKey;

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

impl App {
    /// With its id and its private key (PEM, PKCS #1 as GitHub gives it, or PKCS #8).
    ///
    /// # Errors
    /// The key is none.
    pub fn new(id: &str, key: &Secret) -> Result<Self, InvalidAppKey> {
        let key = match PrivateKeyDer::from_pem_slice(key.expose().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(InvalidAppKey),
        };
        Ok(Self { id: id.to_owned(), key: key.map_err(|_| InvalidAppKey)? })
    }

    /// What proves to GitHub that the App asks; `now` in Unix seconds.
    ///
    /// # Errors
    /// The key signs nothing.
    pub fn proof(&self, now: i64) -> Result<Secret, InvalidAppKey> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iat": now - AHEAD, "exp": now + GOOD, "iss": self.id });
        let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| InvalidAppKey)?;
        Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

impl GitHub {
    /// A token of the App's installation for this repository and no other, with these permissions and no others. This client's
    /// own token is the App's proof.
    pub async fn installation_token(
        &self,
        repository: &GithubRepository,
        permissions: &[(&str, &str)],
    ) -> Result<Secret, GitHubError> {
        let what = format!("the App's installation for {repository}");
        let found: Installation = self.ask(what, format!("/repos/{repository}/installation")).await?;
        let permissions: serde_json::Map<String, Value> =
            permissions.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect();
        let body = json!({ "repositories": [repository.name()], "permissions": permissions });
        let what = format!("the App's token for {repository}");
        let route = format!("/app/installations/{}/access_tokens", found.id);
        let issued: Issued = self.write(&what, Method::POST, &route, Some(&body)).await?;
        Ok(Secret::new(issued.token))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    const KEY: &str = include_str!("../../tests/fixtures/ssh/rsa2048.pem");

    #[test]
    fn a_proof_is_signed_and_ends() {
        let app = App::new("Iv23liAbc", &Secret::new(KEY)).unwrap();
        let proof = app.proof(1_000_000).unwrap();
        let parts: Vec<&str> = proof.expose().split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { panic!("three parts") };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
        assert_eq!(json(header), json!({ "alg": "RS256", "typ": "JWT" }));
        assert_eq!(json(claims), json!({ "iat": 999_940, "exp": 1_000_540, "iss": "Iv23liAbc" }));
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, app.key.public());
        public.verify(format!("{header}.{claims}").as_bytes(), &decoded(signature)).unwrap();
    }

    #[test]
    fn what_is_no_key_is_told_without_it() {
        for text in ["", "hunter2", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"] {
            let fault = App::new("1", &Secret::new(text)).err().unwrap();
            assert_eq!(fault.to_string(), "`deploy_app_key` cannot be read as an RSA private key");
        }
    }
}
