//! The input `registry_auth`: a YAML list of logins and identities for registries.
//!
//! Each entry is read by itself, every fault names its entry by number and host. A key that is not known, a value that
//! is no text, a host twice: all are faults, in every run. A value that came out empty, as a secret does that this run does not
//! get, is none: the login is missing, and whether that matters is decided later. An entry of which nothing is left is nothing.
//! No value of `password` is ever shown; where the text is no YAML, not even what the parser says about it.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use super::fault::{Findings, InputFault, shown};
use super::identity::{self, NoIdentity, Written};
use super::missing_login::MissingLogin;
use super::parse;
use crate::model::{AwsKeys, Credentials, Identity, IdentityKind, LoginSource, RegistryHost, Secret};

const INPUT: &str = "registry_auth";

/// What an entry may say of a login.
const KEYS: [&str; 9] = [
    "username",
    "password",
    "aws_role",
    "region",
    "gcp_provider",
    "gcp_service_account",
    "azure_client",
    "azure_tenant",
    "connection_id",
];

/// Where it is one.
const REGISTRY: &str = "registry";

/// Whether the registry is left out without it.
const OPTIONAL: &str = "optional";

/// How to write it.
const EXAMPLE: &str = "write a list: `- registry: ghcr.io`, and below it `  username: …` and `  password: …`; put a \
     password in single quotes";

/// The logins and identities that the list holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    pub logins: Vec<Credentials>,
    pub identities: Vec<Identity>,
    pub missing: Vec<MissingLogin>,
}

/// What entries are judged by.
pub(super) struct Around<'a> {
    /// The job's token: good for its own registry only.
    pub token: &'a Secret,
    /// The registry of this GitHub server.
    pub own: Option<&'a RegistryHost>,
    /// AWS's keys among the variables.
    pub aws: Option<&'a AwsKeys>,
}

/// Reads the list; what is wrong is among the findings.
pub(super) fn read(text: &str, around: &Around<'_>, findings: &mut Findings) -> Entries {
    let mut entries = Entries::default();
    let list = match list(text) {
        Ok(list) => list,
        Err(fault) => {
            findings.faults.push(fault);
            return entries;
        }
    };
    let mut seen = BTreeSet::new();
    for (number, value) in (1..).zip(&list) {
        let mut entry = Entry { number, name: format!("entry {number}"), faults: Vec::new() };
        let meant = entry.read(value, around);
        findings.faults.append(&mut entry.faults);
        let host = match &meant {
            Some(Meant::Login(login)) => &login.registry,
            Some(Meant::Identity(identity)) => &identity.registry,
            Some(Meant::Missing(missing)) => &missing.registry,
            None => continue,
        };
        if !seen.insert(host.clone()) {
            findings.faults.push(entry.fault("its registry has an entry above already"));
        }
        match meant {
            Some(Meant::Login(login)) => entries.logins.push(login),
            Some(Meant::Identity(identity)) => entries.identities.push(identity),
            Some(Meant::Missing(missing)) => entries.missing.push(missing),
            None => {}
        }
    }
    entries
}

/// Passwords in the text, with the user names they belong to, for masking; also of a text that is no YAML.
pub(super) fn secrets(text: &str) -> Vec<(String, String)> {
    let text_of = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    if let Ok(Value::Sequence(list)) = serde_yaml::from_str::<Value>(text) {
        let pair = |entry: &Value| {
            Some((text_of(entry.get("username")).unwrap_or_default(), text_of(entry.get("password"))?))
        };
        let found: Vec<_> = list.iter().filter_map(pair).collect();
        let given = |entry: &&Value| entry.get("password").is_some_and(|password| !password.is_null());
        if found.len() == list.iter().filter(given).count() {
            return found;
        }
    }
    let value = |line: &str| {
        let (key, value) = line.split_once(':')?;
        let password = key.trim().trim_start_matches('-').trim().trim_matches(['"', '\'']) == "password";
        password.then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    // Flow style has several keys on a line.
    let parts = text.split(['\n', ',', '{', '}']).chain(text.lines());
    parts.filter_map(value).map(|password| (String::new(), password)).collect()
}

/// Reads the text as a list, whose entries are not judged yet.
fn list(text: &str) -> Result<Vec<Value>, InputFault> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Sequence(list)) => Ok(list),
        Ok(Value::Null) => Ok(Vec::new()),
        Ok(_) => Err(InputFault::new(INPUT, "not a list").hint(EXAMPLE)),
        // What the parser says may quote the text.
        Err(error) => {
            let place = error.location().map_or_else(String::new, |place| {
                format!(" (line {}, column {})", place.line(), place.column())
            });
            Err(InputFault::new(INPUT, format!("cannot be read as YAML{place}")).hint(EXAMPLE))
        }
    }
}

/// What an entry comes to.
enum Meant {
    Login(Credentials),
    Identity(Identity),
    Missing(MissingLogin),
}

/// An entry that is being read.
struct Entry {
    number: usize,
    name: String,
    faults: Vec<InputFault>,
}

impl Entry {
    fn fault(&self, message: impl std::fmt::Display) -> InputFault {
        InputFault::new(INPUT, format!("{}: {message}", self.name))
    }

    fn wrong<T>(&mut self, message: impl std::fmt::Display) -> Option<T> {
        self.faults.push(self.fault(message));
        None
    }

    /// Reads the entry; nothing for one that is wrong, and for one that an expression has left nothing of.
    fn read(&mut self, value: &Value, around: &Around<'_>) -> Option<Meant> {
        let entry = match value {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::Mapping(entry) => entry,
            _ => return self.wrong("not `key: value` lines, of which `registry` is one"),
        };
        let host = self.text(entry, REGISTRY).filter(|host| !host.is_empty());
        // What has an `@` in it may be a password in a URL.
        if let Some(host) = host.as_ref().filter(|host| !host.contains('@')) {
            self.name = format!("entry {} (`{}`)", self.number, shown(host));
        }
        self.unknown(entry);
        let optional = self.optional(entry);
        let keys = KEYS.iter().filter(|key| entry.contains_key(**key));
        let written: Vec<_> = keys.map(|key| (*key, self.text(entry, key).unwrap_or_default())).collect();
        let written = Written(&written);
        if !self.faults.is_empty() {
            return None;
        }
        let Some(host) = host else {
            let is_nothing = KEYS.iter().all(|key| written.get(key).is_none());
            return if is_nothing { None } else { self.wrong("`registry` is missing") };
        };
        let host = match host_of(&host) {
            Ok(host) => host,
            Err(_) if host.contains('@') => {
                return self.wrong("`registry` has a login in it: write the host, and the login in `username` and `password`");
            }
            Err(why) => return self.wrong(why),
        };
        let missing = |why| {
            let (registry, entry) = (host.clone(), Some(self.number));
            Some(Meant::Missing(MissingLogin { registry, optional, input: INPUT, entry, why }))
        };
        match identity::of_entry(&host, written, around.aws) {
            Ok(Some(kind)) => {
                let source = LoginSource::RegistryAuth(self.number);
                Some(Meant::Identity(Identity { registry: host, kind, source }))
            }
            Ok(None) => match empty(written) {
                Some(why) => missing(why),
                None => self.login(host, written, around),
            },
            Err(NoIdentity::Missing(why)) => missing(why),
            Err(NoIdentity::Wrong(why)) => self.wrong(why),
        }
    }

    fn login(&mut self, host: RegistryHost, written: Written<'_>, around: &Around<'_>) -> Option<Meant> {
        let source = LoginSource::RegistryAuth(self.number);
        let (username, password) = match (written.get("username"), written.get("password")) {
            (Some(username), Some(password)) => (username, Secret::new(password)),
            (Some(_), None) => return self.wrong("`password` is missing"),
            (None, Some(_)) => return self.wrong("`username` is missing, but `password` is given"),
            (None, None) => {
                return self
                    .wrong("no login: give `username` and `password`, or an identity such as `aws_role`");
            }
        };
        if username.contains(|c: char| c == ':' || c.is_control()) {
            return self
                .wrong("`username` has a `:` or a control character, which no registry's login can have");
        }
        if password == *around.token && around.own != Some(&host) {
            return self
                .wrong(format!("`password` is the job's `github.token`, which is not sent to `{host}`"));
        }
        if let Some(keys) = identity::access_key(&host, username, &password) {
            return Some(Meant::Identity(Identity { registry: host, kind: keys, source }));
        }
        Some(Meant::Login(Credentials::new(host, username, password).given_by(source)))
    }

    /// Whether the entry is optional: a boolean, which an expression may give as a text.
    fn optional(&mut self, entry: &Mapping) -> bool {
        let read = match entry.get(OPTIONAL) {
            None | Some(Value::Null) => Some(false),
            Some(Value::Bool(value)) => Some(*value),
            Some(Value::String(text)) => parse::boolean(INPUT, text, false).ok(),
            Some(_) => None,
        };
        read.unwrap_or_else(|| {
            self.faults.push(self.fault("`optional` is not a boolean").hint("write `true` or `false`"));
            false
        })
    }

    /// A key's text; nothing for one that is not there or empty.
    fn text(&mut self, entry: &Mapping, key: &str) -> Option<String> {
        match entry.get(key)? {
            Value::String(text) if key == "password" => Some(text.clone()),
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Null => None,
            _ => self.wrong(format!("`{key}` is not text: put its value in single quotes")),
        }
    }

    fn unknown(&mut self, entry: &Mapping) {
        for key in entry.keys() {
            let Some(key) = key.as_str() else {
                self.faults.push(self.fault("a key that is not text"));
                continue;
            };
            let is_known = |key: &str| KEYS.contains(&key) || [REGISTRY, OPTIONAL].contains(&key);
            if is_known(key) {
                continue;
            }
            let underscored = key.to_ascii_lowercase().replace('-', "_");
            let meant = match underscored.as_str() {
                known if is_known(known) => known,
                "host" | "server" => REGISTRY,
                "user" => "username",
                "token" | "pass" => "password",
                "role_to_assume" | "role" => "aws_role",
                "aws_region" => "region",
                "workload_identity_provider" => "gcp_provider",
                "service_account" => "gcp_service_account",
                "client_id" => "azure_client",
                "tenant_id" => "azure_tenant",
                _ => "",
            };
            let hint = match meant {
                "" => format!("the keys are {REGISTRY}, {}, {OPTIONAL}", KEYS.join(", ")),
                meant => format!("did you mean `{meant}`?"),
            };
            self.faults.push(self.fault(format!("no key `{}`", shown(key))).hint(hint));
        }
    }
}

/// What of a user name and a password is there and empty, in words.
fn empty(written: Written<'_>) -> Option<String> {
    match (written.is_empty("username"), written.is_empty("password")) {
        (true, true) => Some("`username` and `password` are empty".into()),
        (true, false) if written.get("password").is_some() => Some("`username` is empty".into()),
        (false, true) if written.get("username").is_some() => Some("`password` is empty".into()),
        _ => None,
    }
}

/// A host as people and Docker write it: `https://index.docker.io/v1/` is Docker Hub.
pub(super) fn host_of(text: &str) -> Result<RegistryHost, String> {
    let known = matches!(
        text.trim_end_matches('/'),
        "https://index.docker.io/v1" | "https://index.docker.io" | "index.docker.io/v1"
    );
    let text = if known { RegistryHost::DOCKER_HUB } else { text };
    RegistryHost::parse(text).map_err(|error| error.to_string())
}

impl IdentityKind {
    /// Whether its exchange needs the job's OIDC token.
    pub(super) fn needs_oidc(&self) -> bool {
        use crate::model::AwsIdentity;
        !matches!(self, Self::Ecr { by: AwsIdentity::Keys(_), .. })
    }
}

#[cfg(test)]
#[path = "registry_auth_tests.rs"]
mod tests;
