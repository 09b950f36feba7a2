//! GitHub Apps: an App proves itself with a JWT that its key has signed, finds its installation, and is given a token
//! for some of its repositories with some of its permissions, for an hour.
//!
//! The signature is checked again with the App's public key, and so are the times: `iat` is not in the future, `exp` is,
//! by ten minutes at most. Source: GitHub's page "Generating a JSON Web Token (JWT) for a GitHub App", and the words
//! of its refusals.

use super::access::{Kind, Level, Permissions, secret};
use super::hosted::user;
use super::http::{Answer, Request};
use super::refusal::Refusal;
use super::routes::Reply;
use super::{State, now};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::OnceLock;

/// An App.
#[derive(Debug)]
pub struct App {
    pub id: u64,
    pub slug: String,
    /// What GitHub would rather have as issuer than the number.
    pub client_id: String,
    /// RFC 8017's `RSAPublicKey`, in DER.
    key: Vec<u8>,
}

/// An App's installation with an account.
#[derive(Debug)]
pub struct Installation {
    pub id: u64,
    pub app: u64,
    pub account: String,
    /// Their numbers.
    pub repositories: Vec<u64>,
    pub permissions: Permissions,
    pub suspended: bool,
}

/// An RSA key in both forms in which people have it.
#[derive(Debug)]
pub struct AppKey {
    /// `BEGIN RSA PRIVATE KEY`, as GitHub gives it.
    pub pkcs1: String,
    /// `BEGIN PRIVATE KEY`.
    pub pkcs8: String,
}

impl AppKey {
    /// A key that is made once in each process: making one takes a while.
    pub fn shared() -> &'static Self {
        static KEY: OnceLock<AppKey> = OnceLock::new();
        KEY.get_or_init(Self::generate)
    }

    /// A key of its own.
    pub fn generate() -> Self {
        let pkcs1 = openssl(&["genrsa", "-traditional", "2048"], "");
        let pkcs8 = openssl(&["pkcs8", "-topk8", "-nocrypt"], &pkcs1);
        Self { pkcs1, pkcs8 }
    }

    /// The key pair, to sign with what the code under test would not.
    pub fn pair(&self) -> RsaKeyPair {
        let base64: String = self.pkcs1.lines().filter(|line| !line.starts_with('-')).collect();
        RsaKeyPair::from_der(&STANDARD.decode(base64).expect("base64")).expect("an RSA key")
    }
}

fn openssl(args: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut command = Command::new("openssl");
    let (input_pipe, output_pipe) = (std::process::Stdio::piped(), std::process::Stdio::piped());
    let command =
        command.args(args).stdin(input_pipe).stdout(output_pipe).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("openssl");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().expect("openssl");
    assert!(output.status.success(), "openssl {args:?}");
    String::from_utf8(output.stdout).expect("a PEM file")
}

impl App {
    pub fn new(id: u64, slug: &str, key: &AppKey) -> Self {
        let client_id = format!("Iv23li{id:014}");
        Self { id, slug: slug.to_owned(), client_id, key: key.pair().public_key().as_ref().to_vec() }
    }
}

/// The App whose JWT this is.
fn authenticated<'a>(state: &'a State, request: &Request) -> Result<&'a App, Refusal> {
    let no = |status, words: &str| Refusal { page: Some("/rest"), ..Refusal::new(status, words) };
    let undecodable = || no(401, "A JSON web token could not be decoded");
    let token = secret(request).ok_or_else(undecodable)?;
    let (signed, signature) = token.rsplit_once('.').ok_or_else(undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(undecodable)?;
    let part =
        |text: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok() };
    let (header, claims) = (part(header).ok_or_else(undecodable)?, part(claims).ok_or_else(undecodable)?);
    if header["alg"] != "RS256" {
        return Err(undecodable());
    }
    let issuer = claims["iss"].as_u64().map(|id| id.to_string());
    let issuer = issuer.or_else(|| claims["iss"].as_str().map(str::to_owned)).ok_or_else(|| {
        no(401, "'Issuer' claim ('iss') must be an Integer or a String which is the GitHub App ID")
    })?;
    let app = state.apps.iter().find(|app| app.client_id == issuer || app.id.to_string() == issuer);
    let app = app.ok_or_else(|| no(404, "Integration not found"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecodable())?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.key);
    key.verify(signed.as_bytes(), &signature).map_err(|_| undecodable())?;
    let now = now();
    let ends = claims["exp"].as_u64().filter(|ends| *ends > now).ok_or_else(|| {
        let words = "must be a numeric value representing the future time at which the assertion expires";
        no(401, &format!("'Expiration time' claim ('exp') {words}"))
    })?;
    if ends > now + 600 {
        return Err(no(401, "'Expiration time' claim ('exp') is too far in the future"));
    }
    claims["iat"].as_u64().filter(|begun| *begun <= now).ok_or_else(|| {
        let words = "must be an Integer representing the time that the assertion was issued";
        no(401, &format!("'Issued at' claim ('iat') {words}"))
    })?;
    Ok(app)
}

/// `GET /repos/O/N/installation`.
pub fn find(state: &State, request: &Request, repository: &str) -> Reply {
    let app = authenticated(state, request)?;
    let id = state.find(repository).map(|at| state.homes[at].id).ok_or_else(Refusal::not_found)?;
    let found = state.installations.iter().find(|one| one.app == app.id && one.repositories.contains(&id));
    let found = found.ok_or_else(Refusal::not_found)?;
    let api = state.api();
    let body = json!({
        "id": found.id,
        "app_id": app.id,
        "app_slug": app.slug,
        "account": user(&found.account),
        "target_type": "Organization",
        "repository_selection": "selected",
        "permissions": written(&found.permissions),
        "access_tokens_url": format!("{api}/app/installations/{}/access_tokens", found.id),
        "suspended_at": found.suspended.then_some("2026-11-01T00:00:00Z"),
    });
    Ok(Answer::json(200, &body))
}

/// `POST /app/installations/ID/access_tokens`.
pub fn issue(state: &mut State, request: &Request, id: &str) -> Reply {
    let app = authenticated(state, request)?;
    let (app, login) = (app.id, format!("{}[bot]", app.slug));
    let found = state.installations.iter().find(|one| one.app == app && one.id.to_string() == id);
    let found = found.ok_or_else(Refusal::not_found)?;
    if found.suspended {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    let body = request.json().ok_or_else(|| Refusal::new(400, "Problems parsing JSON"))?;
    let words = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    let known = |name: &str| {
        let id = state.homes[state.find(&format!("{}/{name}", found.account))?].id;
        found.repositories.contains(&id).then_some(id)
    };
    let repositories = match body["repositories"].as_array() {
        None => found.repositories.clone(),
        Some(names) => {
            let ids = names.iter().map(|name| known(name.as_str().unwrap_or_default()));
            ids.collect::<Option<Vec<u64>>>().ok_or_else(|| Refusal::unprocessable(words))?
        }
    };
    let permissions = asked(&body, &found.permissions)?;
    let selected = body.get("repositories").is_some();
    let (api, web) = (state.api(), state.web());
    let homes = state.homes.iter().filter(|home| repositories.contains(&home.id));
    let shown: Vec<Value> = homes.map(|home| home.json(&api, &web)).collect();
    let secret = state.give("ghs_", Kind::Installation, &login, &repositories, &permissions);
    let mut body = json!({
        "token": secret,
        "expires_at": super::time(now() + 3600),
        "permissions": written(&permissions),
        "repository_selection": "selected",
    });
    if selected {
        body["repositories"] = shown.into();
    }
    Ok(Answer::json(201, &body))
}

/// The permissions that a token is asked to have, which the installation must have.
fn asked(body: &Value, granted: &Permissions) -> Result<Permissions, Refusal> {
    let Some(wanted) = body.get("permissions").and_then(Value::as_object) else { return Ok(granted.clone()) };
    let mut permissions = Permissions::from([("metadata".to_owned(), Level::Read)]);
    for (name, level) in wanted {
        let level = level.as_str().and_then(Level::parse);
        let level = level.filter(|level| granted.get(name).is_some_and(|held| held >= level));
        let level = level.ok_or_else(|| {
            Refusal::unprocessable("The permissions requested are not granted to this installation.")
        })?;
        permissions.insert(name.clone(), level);
    }
    Ok(permissions)
}

fn written(permissions: &Permissions) -> Value {
    permissions.iter().map(|(name, level)| (name.clone(), Value::from(level.name()))).collect()
}
