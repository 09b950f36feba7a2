//! Logins at registries: each for one host, and said by whom it was given.

use std::collections::BTreeMap;
use std::fmt;

use super::{RegistryHost, Secret};

/// A login, for one registry host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The host that may see it.
    pub registry: RegistryHost,
    /// The user name; empty with an identity token, as in Docker's and BuildKit's own protocols.
    pub username: String,
    /// Password or token; an identity token buys the registry's tokens by OAuth's `refresh_token`.
    pub password: Secret,
    /// Who gave it, for messages.
    pub source: LoginSource,
}

/// Where a login came from: what somebody has to look at when it is not taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LoginSource {
    /// The inputs `username` and `password`.
    #[default]
    Inputs,
    /// An entry of `registry_auth`, from 1.
    RegistryAuth(usize),
    /// The input `aws_role`.
    AwsRole,
    /// AWS's variables in the job's environment.
    AwsEnvironment,
    /// A `config.json` of Docker's.
    DockerConfig,
    /// The job's own token, which nobody had to give.
    JobToken,
}

impl fmt::Display for LoginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inputs => "`username` and `password`",
            Self::RegistryAuth(entry) => return write!(f, "entry {entry} of `registry_auth`"),
            Self::AwsRole => "`aws_role`",
            Self::AwsEnvironment => "the variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`",
            Self::DockerConfig => "Docker's `config.json` that the job shares",
            Self::JobToken => "the job's token, `github.token`",
        })
    }
}

impl Credentials {
    /// A user name and a password, as the inputs of these names give them.
    pub fn new(registry: RegistryHost, username: impl Into<String>, password: Secret) -> Self {
        Self { registry, username: username.into(), password, source: LoginSource::Inputs }
    }

    /// Given by somebody else.
    #[must_use]
    pub fn given_by(self, source: LoginSource) -> Self {
        Self { source, ..self }
    }

    /// Whether it is a token that GitHub has made for a job or an App, whoever gave it: what it may do the job's `permissions`
    /// say, and not a person's scopes.
    pub fn is_job_token(&self) -> bool {
        self.source == LoginSource::JobToken || self.password.expose().starts_with("ghs_")
    }

    /// The identity token, if it is one.
    pub fn identity_token(&self) -> Option<&Secret> {
        self.username.is_empty().then_some(&self.password)
    }

    /// Who logs in, for messages: never the secret.
    pub fn shown(&self) -> String {
        match self.identity_token() {
            Some(_) => format!("an identity token from {}", self.source),
            None => format!("`{}` from {}", self.username, self.source),
        }
    }
}

/// The logins of a run: at most one for each host, the first one given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logins {
    by_host: BTreeMap<RegistryHost, Credentials>,
    /// Hosts whose login only a program could tell that does not run here, with its name.
    helpers: BTreeMap<RegistryHost, String>,
}

impl Logins {
    /// Adds a login, unless its host has one already.
    pub fn add(&mut self, credentials: Credentials) {
        self.by_host.entry(credentials.registry.clone()).or_insert(credentials);
    }

    /// Puts a login in the place of the one that its host has.
    pub fn renew(&mut self, credentials: Credentials) {
        self.by_host.insert(credentials.registry.clone(), credentials);
    }

    /// The login for a host: nobody else's.
    pub fn for_registry(&self, host: &RegistryHost) -> Option<&Credentials> {
        self.by_host.get(host)
    }

    /// Remembers a host whose login a program (`docker-credential-<name>`) would have to tell.
    pub fn add_helper(&mut self, host: RegistryHost, name: String) {
        self.helpers.insert(host, name);
    }

    /// The program that would tell a host's login, where there is no other.
    pub fn helper_for(&self, host: &RegistryHost) -> Option<&str> {
        self.helpers.get(host).filter(|_| !self.by_host.contains_key(host)).map(String::as_str)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Credentials> {
        self.by_host.values()
    }
}

impl FromIterator<Credentials> for Logins {
    fn from_iter<T: IntoIterator<Item = Credentials>>(all: T) -> Self {
        let mut logins = Self::default();
        for credentials in all {
            logins.add(credentials);
        }
        logins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> RegistryHost {
        RegistryHost::parse(text).unwrap()
    }

    fn login(registry: &str, username: &str) -> Credentials {
        Credentials::new(host(registry), username, Secret::new("hunter2"))
    }

    #[test]
    fn each_host_has_its_own_and_the_first_one_counts() {
        let logins: Logins =
            [login("docker.io", "first"), login("index.docker.io", "second"), login("r.io:5000", "third")]
                .into_iter()
                .collect();
        for (asked, expected) in [
            ("registry-1.docker.io", Some("first")),
            ("r.io:5000", Some("third")),
            ("r.io", None),
            ("ghcr.io", None),
        ] {
            let found = logins.for_registry(&host(asked));
            assert_eq!(found.map(|login| login.username.as_str()), expected, "{asked}");
        }
        assert_eq!(logins.iter().count(), 2);
    }

    #[test]
    fn a_helper_matters_only_where_there_is_no_login() {
        let mut logins: Logins = [login("r.io", "bob")].into_iter().collect();
        logins.add_helper(host("r.io"), "pass".into());
        logins.add_helper(host("s.io"), "desktop".into());
        assert_eq!(logins.helper_for(&host("r.io")), None);
        assert_eq!(logins.helper_for(&host("s.io")), Some("desktop"));
    }

    #[test]
    fn messages_show_no_secret() {
        let mut one = login("r.io", "bob").given_by(LoginSource::RegistryAuth(2));
        assert_eq!(one.shown(), "`bob` from entry 2 of `registry_auth`");
        assert!(one.identity_token().is_none());
        one.username.clear();
        assert_eq!(one.shown(), "an identity token from entry 2 of `registry_auth`");
        assert!(one.identity_token().is_some());
        assert!(!format!("{one:?}").contains("hunter2"));
    }
}
