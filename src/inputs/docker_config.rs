//! Docker's own `config.json`, where the job shares one: logins that an earlier step has left, and the proxies of builds.
//!
//! A container action has a home of its own: what `docker login` writes on the runner is not in it. What is seen is
//! `$DOCKER_CONFIG/config.json` if that is in the workspace or in `RUNNER_TEMP`, else `$HOME/.docker/config.json`, which
//! the container actions of a job share. Obeys docker/cli's `cli/config/configfile`. Credential helpers are programs
//! that are not here; `ecr-login` only says that AWS is to be asked, which needs no program. Nothing in this file is an
//! input, so nothing in it is a fault: what cannot be read is said, and the run goes on.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::shown;
use super::registry_auth::host_of;
use super::shared::Shared;
use crate::model::{Credentials, LoginSource, RegistryHost, Secret};

/// The helper that asks AWS.
const ECR_LOGIN: &str = "ecr-login";
/// Docker's name for "this password is an identity token".
const TOKEN_USER: &str = "<token>";
/// Most bytes of the file.
const MAX: u64 = 4 * 1024 * 1024;

/// What Docker's own configuration says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DockerConfig {
    /// Logins that stand in it.
    pub logins: Vec<Credentials>,
    /// Hosts for which AWS is to be asked.
    pub ecr: Vec<RegistryHost>,
    /// AWS is to be asked for every host of its own that has no other login.
    pub ecr_everywhere: bool,
    /// Hosts whose login another program would tell.
    pub helpers: Vec<(RegistryHost, String)>,
    /// Proxies for builds, by the names of the build arguments that they are.
    pub proxies: Vec<(String, Secret)>,
    /// What to say if the registry has no login in the end; else nobody needs to know.
    pub trouble: Option<String>,
}

/// Reads the file that `DOCKER_CONFIG` or `HOME` leads to.
pub(super) fn read(variables: &BTreeMap<String, Secret>, shared: &Shared<'_>) -> DockerConfig {
    match text(variables, shared) {
        Ok(Some((path, text))) => parse(&text, daemon(variables)).unwrap_or_else(|why| DockerConfig {
            trouble: Some(format!("`{}` is not used: {why}", shown(&path))),
            ..DockerConfig::default()
        }),
        Ok(None) => DockerConfig::default(),
        Err(trouble) => DockerConfig { trouble: Some(trouble), ..DockerConfig::default() },
    }
}

/// The address of the daemon, by which the file names the proxies of its builds.
fn daemon(variables: &BTreeMap<String, Secret>) -> &str {
    let host = variables.get("DOCKER_HOST").map_or("", |host| host.expose().trim());
    if host.is_empty() { "unix:///var/run/docker.sock" } else { host }
}

/// The name and text of the file, if there is one; else what to say of one that cannot be read.
fn text(
    variables: &BTreeMap<String, Secret>,
    shared: &Shared<'_>,
) -> Result<Option<(String, String)>, String> {
    let get =
        |name: &str| variables.get(name).map(|value| value.expose().trim()).filter(|value| !value.is_empty());
    if let Some(directory) = get("DOCKER_CONFIG") {
        let path = format!("{}/config.json", directory.trim_end_matches('/'));
        // Docker makes the file when there is something to write.
        let seen = shared.destination("DOCKER_CONFIG", directory).is_ok_and(|directory| directory.is_dir());
        if seen && !Path::new(&path).exists() {
            return Ok(None);
        }
        return shared.text("DOCKER_CONFIG", &path).map(|text| Some((path, text))).map_err(|fault| {
            let hint = "share it with this container: `DOCKER_CONFIG: ${{ runner.temp }}/docker` in `env:` of the job";
            format!("no login from `DOCKER_CONFIG`: {} ({hint})", fault.message)
        });
    }
    let Some(home) = get("HOME").map(Path::new).filter(|home| home.is_absolute()) else { return Ok(None) };
    let path = home.join(".docker/config.json");
    match of_home(&path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("no login from `{}`: {error}", path.display())),
    }
}

/// The text of a file of the home directory, which is a regular file or not read.
fn of_home(path: &PathBuf) -> std::io::Result<String> {
    // A pipe in its place would never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The file, as far as it matters here.
#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: String,
    #[serde(default)]
    proxies: BTreeMap<String, Proxies>,
}

/// The proxies that the file has for one daemon, or for all.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Proxies {
    #[serde(rename = "httpProxy")]
    http: String,
    #[serde(rename = "httpsProxy")]
    https: String,
    #[serde(rename = "noProxy")]
    without: String,
    #[serde(rename = "ftpProxy")]
    ftp: String,
    #[serde(rename = "allProxy")]
    any: String,
}

impl Proxies {
    /// These proxies as the build arguments that every Dockerfile knows, in both spellings, as docker/cli's `ParseProxyConfig`
    /// has them.
    fn arguments(&self) -> Vec<(String, Secret)> {
        let all = [
            ("HTTP_PROXY", &self.http),
            ("HTTPS_PROXY", &self.https),
            ("NO_PROXY", &self.without),
            ("FTP_PROXY", &self.ftp),
            ("ALL_PROXY", &self.any),
        ];
        let set = all.into_iter().filter(|(_, value)| !value.is_empty());
        set.flat_map(|(name, value)| {
            [name.to_owned(), name.to_lowercase()].map(|name| (name, Secret::new(value)))
        })
        .collect()
    }
}

/// The password in a proxy's URL, as it stands there, and decoded.
pub(super) fn password(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((_, password)) = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) else {
        return Vec::new();
    };
    vec![password.to_owned(), decoded(password)]
}

/// The text after URL decoding, in which `%41` stands for a byte.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let byte = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (Some(byte), Some(rest)) = (byte, part.get(2..)) {
            bytes.push(byte);
            bytes.extend_from_slice(rest.as_bytes());
        } else {
            bytes.push(b'%');
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The login that the file has for one registry.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Auth {
    #[serde(rename = "auth")]
    pair: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// Reads the text.
///
/// # Errors
/// In words, never with a part of the text.
fn parse(text: &str, daemon: &str) -> Result<DockerConfig, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        format!("it is not JSON of Docker's (line {}, column {})", error.line(), error.column())
    })?;
    let mut config = DockerConfig { ecr_everywhere: file.store == ECR_LOGIN, ..DockerConfig::default() };
    let proxies = file.proxies.get(daemon).or_else(|| file.proxies.get("default"));
    config.proxies = proxies.map(Proxies::arguments).unwrap_or_default();
    let mut asked: BTreeMap<RegistryHost, String> = BTreeMap::new();
    let mut found: BTreeMap<RegistryHost, (bool, Credentials)> = BTreeMap::new();
    for (key, auth) in &file.auths {
        let Some((host, plain)) = host_of_key(key) else { continue };
        match auth.login(&host)? {
            // A name of the whole host counts before one of a path in it.
            Some(login) if found.get(&host).is_none_or(|(known, _)| plain && !known) => {
                found.insert(host, (plain, login));
            }
            None if !file.store.is_empty() => {
                asked.insert(host, file.store.clone());
            }
            _ => {}
        }
    }
    for (key, helper) in &file.helpers {
        if let Some((host, _)) = host_of_key(key) {
            found.remove(&host);
            asked.insert(host, helper.clone());
        }
    }
    config.logins = found.into_values().map(|(_, login)| login).collect();
    for (host, helper) in asked {
        if helper == ECR_LOGIN {
            config.ecr.push(host);
        } else {
            config.helpers.push((host, helper));
        }
    }
    Ok(config)
}

impl Auth {
    fn login(&self, host: &RegistryHost) -> Result<Option<Credentials>, String> {
        let login = |username: &str, password: &str| {
            let login = Credentials::new(host.clone(), username, Secret::new(password));
            Ok(Some(login.given_by(LoginSource::DockerConfig)))
        };
        if !self.identitytoken.is_empty() {
            return login("", &self.identitytoken);
        }
        let (username, password) = if self.pair.is_empty() {
            (self.username.clone(), self.password.clone())
        } else {
            decode(&self.pair)
                .ok_or_else(|| format!("`auth` of `{host}` is not base64 of `user:password`"))?
        };
        match (username.as_str(), password.as_str()) {
            ("" | TOKEN_USER, "") | ("", _) => Ok(None),
            (TOKEN_USER, token) => login("", token),
            (username, password) => login(username, password),
        }
    }
}

/// User name and password of an `auth`.
pub(super) fn decode(auth: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    // Docker pads with NUL.
    let password = password.trim_matches('\0');
    // It becomes a header, and a line of a log that must be masked.
    let plain = !username.is_empty() && !text.trim_matches('\0').contains(char::is_control);
    plain.then(|| (username.to_owned(), password.to_owned()))
}

/// The host that a key of `auths` is for, and whether it names no path in it.
fn host_of_key(key: &str) -> Option<(RegistryHost, bool)> {
    if let Ok(host) = host_of(key) {
        return Some((host, true));
    }
    // Docker Desktop keeps its own tokens beside the login.
    if key.ends_with("/access-token") || key.ends_with("/refresh-token") {
        return None;
    }
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = matches!(path.trim_end_matches('/'), "" | "v1" | "v2");
    RegistryHost::parse(host).ok().map(|host| (host, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: &str = "unix:///var/run/docker.sock";

    fn auth(pair: &str) -> String {
        STANDARD.encode(pair)
    }

    /// `host user:password` of each login, sorted.
    fn logins(config: &DockerConfig) -> Vec<String> {
        let show = |login: &Credentials| {
            format!("{} {}:{}", login.registry, login.username, login.password.expose())
        };
        config.logins.iter().map(show).collect()
    }

    #[test]
    fn logins_of_all_shapes() {
        let json = serde_json::json!({ "auths": {
            "https://index.docker.io/v1/": { "auth": auth("hub:secret") },
            "https://index.docker.io/v1/access-token": { "auth": auth("hub:access") },
            "ghcr.io": { "auth": auth("octo:a:b") },
            "https://r.io/v2/": { "username": "bob", "password": "pw" },
            "s.io": { "auth": auth("0:"), "identitytoken": "idt" },
            "t.io": { "auth": auth("<token>:idt2") },
            "quay.io/acme": { "auth": auth("path:p") },
            "quay.io": { "auth": auth("host:h") },
            "empty.io": {},
            "localhost:5000": { "auth": auth("padded:pw\0\0") },
            "a b": { "auth": auth("x:y") },
        }});
        let config = parse(&json.to_string(), DAEMON).unwrap();
        assert_eq!(
            logins(&config),
            [
                "docker.io hub:secret",
                "ghcr.io octo:a:b",
                "localhost:5000 padded:pw",
                "quay.io host:h",
                "r.io bob:pw",
                "s.io :idt",
                "t.io :idt2",
            ]
        );
        assert!(config.logins.iter().all(|login| login.source == LoginSource::DockerConfig));
        assert_eq!((config.ecr, config.helpers, config.ecr_everywhere), (vec![], vec![], false));
    }

    #[test]
    fn proxies_are_build_arguments_in_both_spellings() {
        let json = r#"{"proxies": {
            "default": {"httpProxy": "http://p:3128", "noProxy": "a,b", "allProxy": "socks5://p"},
            "tcp://far:2376": {"httpsProxy": "http://q", "ftpProxy": "http://f"}
        }}"#;
        let found = |daemon: &str| -> Vec<String> {
            let show = |(name, value): &(String, Secret)| format!("{name}={}", value.expose());
            parse(json, daemon).unwrap().proxies.iter().map(show).collect()
        };
        assert_eq!(
            found(DAEMON),
            [
                "HTTP_PROXY=http://p:3128",
                "http_proxy=http://p:3128",
                "NO_PROXY=a,b",
                "no_proxy=a,b",
                "ALL_PROXY=socks5://p",
                "all_proxy=socks5://p",
            ]
        );
        assert_eq!(
            found("tcp://far:2376"),
            ["HTTPS_PROXY=http://q", "https_proxy=http://q", "FTP_PROXY=http://f", "ftp_proxy=http://f"]
        );
        assert_eq!(parse("{}", DAEMON).unwrap().proxies, []);
        assert_eq!(password("http://bob:hunter%402@p:3128/x"), ["hunter%402", "hunter@2"]);
        for without in ["http://p:3128", "http://bob@p", "a,b", "http://p/x:y@z"] {
            assert_eq!(password(without), [""; 0], "{without}");
        }
    }

    #[test]
    fn helpers_are_programs_that_are_not_here() {
        let config = parse(
            r#"{"credsStore":"desktop","auths":{"ghcr.io":{},"r.io":{"username":"u","password":"p"}},
                "credHelpers":{"123456789012.dkr.ecr.eu-west-1.amazonaws.com":"ecr-login","r.io":"pass"}}"#,
            DAEMON,
        )
        .unwrap();
        let helpers: Vec<_> = config.helpers.iter().map(|(host, name)| format!("{host} {name}")).collect();
        assert_eq!(helpers, ["ghcr.io desktop", "r.io pass"]);
        assert_eq!(config.ecr.len(), 1);
        assert_eq!(config.logins, []);
        assert!(parse(r#"{"credsStore":"ecr-login"}"#, DAEMON).unwrap().ecr_everywhere);
    }

    #[test]
    fn what_cannot_be_read_is_said_without_its_text() {
        for bad in [
            r#"{"auths": {"r.io": {"auth": "aHVudGVyMg=="}}}"#,
            r#"{"auths": {"r.io": {"auth": "!hunter2"}}}"#,
            r#"{"auths": "hunter2"}"#,
            "hunter2",
            "",
        ] {
            let why = parse(bad, DAEMON).unwrap_err();
            assert!(!why.contains("hunter2") && !why.contains("aHVudGVyMg"), "{why}");
        }
        // A line break would make two headers, and two lines of a log.
        assert_eq!(decode(&auth("a:b\nc")), None);
    }
}
