//! The servers that give logins for an identity, on the wire: GitHub's OIDC, AWS's STS and ECR, Google's and Microsoft's
//! token services, ACR's exchange and Docker's.
//!
//! AWS's part computes each signature again from the bytes that arrived, by AWS's "Create a signed AWS API request", and
//! knows nothing of the code under test. The others look at every field that the real ones want. What a cloud checks
//! besides (trust policies, a token's own signature) is not here: a JWT is good if this server gave it for that audience.

use super::form::pairs;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
pub const REQUEST_TOKEN: &str = "request-token-0123456789";
/// The job's claim `sub`.
pub const SUBJECT: &str = "repo:acme/shop:ref:refs/heads/main";
/// A role that may log in, and one whose policy does not trust the job.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/push";
pub const DISTRUSTFUL: &str = "arn:aws:iam::123456789012:role/distrustful";
/// A key that is known for good, with its secret.
pub const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
/// Keys of the role.
const ROLES_KEY: (&str, &str, &str) =
    ("ASIAIOSFODNN7EXAMPLE", "roles/secret+key/0123456789", "session//token+0123456789==");

/// One request that came, and the status of its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /v1/token`, or AWS's operation.
    pub what: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub status: u16,
}

/// The servers, until dropped.
pub struct Clouds {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
    /// Takes connections.
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    /// Tokens that were given, by audience.
    tokens: Vec<(String, String)>,
    repositories: Vec<String>,
    asked: Vec<Asked>,
    /// Answers with 503 that are still to come.
    failures: usize,
    /// Passwords that ECR has given: each is another.
    passwords: usize,
}

/// One of ECR's.
fn password(number: usize) -> String {
    format!("ecr-password-0123456789{}", if number == 0 { String::new() } else { format!("-{number}") })
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

type Reply = (u16, String);

impl Clouds {
    /// Listens on a free port of this address.
    pub fn start(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("an address of this machine");
        let address = listener.local_addr().expect("a bound socket");
        let (state, stopped) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (shared, flag) = (Arc::clone(&state), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || stream.map(|stream| serve(stream, &shared)));
            }
        });
        Self { address, state, stopped, thread: Some(thread) }
    }

    /// `http://host:port`, for each of the servers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `ACTIONS_ID_TOKEN_REQUEST_URL`: as GitHub's, it has a query.
    pub fn oidc_url(&self) -> String {
        format!("{}/idtoken/1/2?api-version=2.0", self.url())
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// What was asked so far, with the status of each answer.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.what, asked.status)).collect()
    }

    /// ECR's repositories.
    pub fn repositories(&self) -> Vec<String> {
        self.lock().repositories.clone()
    }

    /// The next requests are answered with 503.
    pub fn fail(&self, times: usize) {
        self.lock().failures = times;
    }

    /// Everything that was given away and must be in no log.
    pub fn secrets(&self) -> Vec<String> {
        let mut all: Vec<String> = [REQUEST_TOKEN, KEY.1, ROLES_KEY.1, ROLES_KEY.2].map(Into::into).into();
        all.extend(["google-federated-0123", "google-account-0123", "entra-access-0123"].map(Into::into));
        all.extend(["acr-refresh-0123456789", "dckr_oat_0123456789"].map(Into::into));
        for number in 0..self.lock().passwords {
            all.extend([password(number), STANDARD.encode(format!("AWS:{}", password(number)))]);
        }
        all.extend(self.lock().tokens.iter().map(|(_, token)| token.clone()));
        all
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Clouds {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        // Nobody listens from here on.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = Request { method: method.to_owned(), path, query, headers, body };
    let (status, text) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = if state.failures > 0 {
            state.failures -= 1;
            (503, "try again".to_owned())
        } else {
            state.reply(&request)
        };
        let Request { headers, body, .. } = &request;
        let (headers, body) = (headers.clone(), body.clone());
        state.asked.push(Asked { what: request.what(), headers, body, status: reply.0 });
        reply
    };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    reader.get_mut().write_all([head, text].concat().as_bytes())
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn what(&self) -> String {
        match (self.header("x-amz-target"), self.form().get("Action")) {
            ("", None) => format!("{} {}", self.method, self.path),
            ("", Some(action)) => action.clone(),
            (target, _) => target.to_owned(),
        }
    }

    fn form(&self) -> BTreeMap<String, String> {
        pairs(&self.body)
    }
}

impl State {
    fn reply(&mut self, request: &Request) -> Reply {
        let form = request.form();
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/idtoken/1/2") => self.oidc(request),
            ("POST", "/") if !request.header("x-amz-target").is_empty() => self.ecr(request),
            ("POST", "/") => self.sts(&form),
            ("POST", "/v1/token") => self.google(&serde_json::from_str(&request.body).unwrap_or_default()),
            ("POST", path) if path.starts_with("/v1/projects/-/serviceAccounts/") => account(request),
            ("POST", "/acme.example/oauth2/v2.0/token") => self.microsoft(&form),
            ("POST", "/oauth2/exchange") => {
                let good = (get("grant_type"), get("service"), get("tenant"), get("access_token"))
                    == ("access_token", "acme.azurecr.io", "acme.example", "entra-access-0123");
                if good {
                    (200, json!({ "refresh_token": "acr-refresh-0123456789" }).to_string())
                } else {
                    (
                        401,
                        json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "not allowed" }] })
                            .to_string(),
                    )
                }
            }
            ("POST", "/oauth/token") => {
                let good = get("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange"
                    && get("subject_token_type") == "urn:ietf:params:oauth:token-type:id_token"
                    && get("connection_id") == "00000000-0000-4000-8000-000000000000"
                    && get("expires_in") == "3600"
                    && self.gave(get("subject_token"), "https://identity.docker.com");
                if good {
                    (200, json!({ "access_token": "dckr_oat_0123456789", "expires_in": 3600 }).to_string())
                } else {
                    (
                        403,
                        json!({ "error": "access_denied", "error_description": "no rule matches" })
                            .to_string(),
                    )
                }
            }
            _ => (404, "no such page".to_owned()),
        }
    }

    fn gave(&self, token: &str, audience: &str) -> bool {
        self.tokens.iter().any(|(known, given)| known == audience && given == token)
    }

    fn oidc(&mut self, request: &Request) -> Reply {
        let query = pairs(&request.query);
        if request.header("authorization") != format!("Bearer {REQUEST_TOKEN}") {
            return (401, json!({ "message": "bad credentials" }).to_string());
        }
        assert_eq!(query.get("api-version").map(String::as_str), Some("2.0"), "the URL's own query is kept");
        let audience = query.get("audience").cloned().unwrap_or_default();
        let parts =
            [json!({ "alg": "RS256" }), json!({ "sub": SUBJECT, "aud": audience, "jti": self.tokens.len() })];
        let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(&signed)));
        self.tokens.push((audience, token.clone()));
        (200, json!({ "count": token.len(), "value": token }).to_string())
    }

    fn sts(&self, form: &BTreeMap<String, String>) -> Reply {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let error = |status, code: &str, message: &str| {
            let error =
                format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
            (
                status,
                format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">{error}</ErrorResponse>"
                ),
            )
        };
        let named = (get("Action"), get("Version")) == ("AssumeRoleWithWebIdentity", "2011-06-15");
        if !named || get("RoleSessionName").len() < 2 {
            return error(400, "ValidationError", "something is missing");
        }
        if !self.gave(get("WebIdentityToken"), "sts.amazonaws.com") {
            let echo = format!("Incorrect token audience of {}", get("WebIdentityToken"));
            return error(400, "InvalidIdentityToken", &echo);
        }
        if get("RoleArn") != ROLE {
            return error(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        }
        let (id, secret, session) = ROLES_KEY;
        let keys = format!(
            "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{session}</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>"
        );
        let result = format!("<AssumeRoleWithWebIdentityResult>{keys}</AssumeRoleWithWebIdentityResult>");
        (
            200,
            format!("<AssumeRoleWithWebIdentityResponse>\n  {result}\n</AssumeRoleWithWebIdentityResponse>"),
        )
    }

    fn ecr(&mut self, request: &Request) -> Reply {
        let target = request.header("x-amz-target");
        let error = |status, code: &str, message: &str| {
            (status, json!({ "__type": format!("com.amazonaws.ecr#{code}"), "message": message }).to_string())
        };
        if let Err(why) = check_signature(request, target) {
            return error(400, "InvalidSignatureException", &why);
        }
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let token = STANDARD.encode(format!("AWS:{}", password(self.passwords)));
        self.passwords += usize::from(target.ends_with(".GetAuthorizationToken"));
        match target.split_once('.').map_or("", |(_, name)| name) {
            "GetAuthorizationToken" if target.starts_with("Spencer") => (
                200,
                json!({ "authorizationData": { "authorizationToken": token, "expiresAt": 1.9e9 } })
                    .to_string(),
            ),
            "GetAuthorizationToken" => (
                200,
                json!({ "authorizationData": [{ "authorizationToken": token, "expiresAt": 1.9e9 }] })
                    .to_string(),
            ),
            "CreateRepository" => {
                let name = body["repositoryName"].as_str().unwrap_or_default().to_owned();
                if name == "forbidden" {
                    return error(
                        400,
                        "AccessDeniedException",
                        "not authorized to perform ecr:CreateRepository",
                    );
                }
                if self.repositories.contains(&name) {
                    return error(400, "RepositoryAlreadyExistsException", "it exists");
                }
                self.repositories.push(name.clone());
                (200, json!({ "repository": { "repositoryName": name } }).to_string())
            }
            _ => error(400, "UnknownOperationException", ""),
        }
    }

    fn google(&self, body: &Value) -> Reply {
        let provider = "projects/1/locations/global/workloadIdentityPools/github/providers/acme";
        let get = |name: &str| body[name].as_str().unwrap_or_default();
        let good = get("audience") == format!("//iam.googleapis.com/{provider}")
            && get("grantType") == "urn:ietf:params:oauth:grant-type:token-exchange"
            && get("requestedTokenType") == "urn:ietf:params:oauth:token-type:access_token"
            && get("subjectTokenType") == "urn:ietf:params:oauth:token-type:jwt"
            && get("scope") == "https://www.googleapis.com/auth/cloud-platform"
            && self.gave(get("subjectToken"), &format!("https://iam.googleapis.com/{provider}"));
        if good {
            (200, json!({ "access_token": "google-federated-0123", "expires_in": 3600 }).to_string())
        } else {
            let description = "The given credential is rejected by the attribute condition.";
            (400, json!({ "error": "unauthorized_client", "error_description": description }).to_string())
        }
    }

    fn microsoft(&self, form: &BTreeMap<String, String>) -> Reply {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let good = get("grant_type") == "client_credentials"
            && get("client_id") == "00000000-0000-4000-8000-00000000000c"
            && get("scope") == "https://containerregistry.azure.net/.default"
            && get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            && self.gave(get("client_assertion"), "api://AzureADTokenExchange");
        if good {
            (200, json!({ "token_type": "Bearer", "access_token": "entra-access-0123" }).to_string())
        } else {
            let description = "AADSTS700213: No matching federated identity record found for presented assertion \
                               subject. Trace ID: 1\r\nTimestamp: 2";
            (401, json!({ "error": "invalid_client", "error_description": description }).to_string())
        }
    }
}

fn account(request: &Request) -> Reply {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let good = request.header("authorization") == "Bearer google-federated-0123"
        && request.path.ends_with("/push@acme.iam.gserviceaccount.com:generateAccessToken")
        && body["scope"] == json!(["https://www.googleapis.com/auth/cloud-platform"]);
    if good {
        (
            200,
            json!({ "accessToken": "google-account-0123", "expireTime": "2030-01-01T00:00:00Z" }).to_string(),
        )
    } else {
        let error = json!({ "code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED" });
        (403, json!({ "error": error }).to_string())
    }
}

/// Computes the signature of what arrived.
fn check_signature(request: &Request, target: &str) -> Result<(), String> {
    let given =
        request.header("authorization").strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let fields: BTreeMap<&str, &str> = given.split(", ").filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().ok_or(format!("no {name}"));
    let (credential, signed, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let scope: Vec<&str> = credential.split('/').collect();
    let [id, date, region, service, "aws4_request"] = scope[..] else {
        return Err(format!("the scope `{credential}`"));
    };
    let public = target.starts_with("SpencerFrontendService.");
    let expected = if public { ("us-east-1", "ecr-public") } else { ("eu-west-1", "ecr") };
    if (region, service) != expected {
        return Err(format!("the scope `{credential}`"));
    }
    let (secret, session) = match id {
        id if id == KEY.0 => (KEY.1, ""),
        id if id == ROLES_KEY.0 => (ROLES_KEY.1, ROLES_KEY.2),
        _ => return Err("an unknown key".into()),
    };
    if request.header("x-amz-security-token") != session {
        return Err("another session".into());
    }
    let names: Vec<&str> = signed.split(';').collect();
    // AWS wants the host and every `x-amz-` header in it.
    let must = request.headers.keys().filter(|name| name.starts_with("x-amz-") || *name == "host");
    if let Some(missing) = must.into_iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("`{missing}` is not signed"));
    }
    if !names.is_sorted() {
        return Err("the names are not sorted".into());
    }
    let time = request.header("x-amz-date");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let recent = (0..=300).any(|ago| stamp(now.saturating_sub(ago)) == time || stamp(now + ago) == time);
    if !recent || !time.starts_with(date) {
        return Err(format!("Signature expired: {time} is not now"));
    }
    let mut query: Vec<&str> = request.query.split('&').filter(|part| !part.is_empty()).collect();
    query.sort_unstable();
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, query.join("&"));
    for name in &names {
        let value = request.headers.get(*name).ok_or(format!("`{name}` did not arrive"))?;
        let _ = writeln!(canonical, "{name}:{}", value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let _ = write!(canonical, "\n{signed}\n{}", hex(&Sha256::digest(&request.body)));
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{}",
        hex(&Sha256::digest(canonical))
    );
    let day = hmac(format!("AWS4{secret}").as_bytes(), date);
    let key = hmac(&hmac(&hmac(&day, region), service), "aws4_request");
    if hex(&hmac(&key, &text)) == signature { Ok(()) } else { Err("the signature does not match".into()) }
}

/// RFC 2104 with SHA-256.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], text.as_bytes()].concat());
    Sha256::digest([&block.map(|byte| byte ^ 0x5c)[..], &inner[..]].concat()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "{byte:02x}");
        all
    })
}

/// `20150830T123600Z`.
fn stamp(seconds: u64) -> String {
    let time = jiff::Timestamp::from_second(seconds.try_into().unwrap_or_default()).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
