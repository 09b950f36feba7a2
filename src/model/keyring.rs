//! Everything secret that a run was given: logins by host, what is exchanged for further ones, the token of this GitHub
//! server's API, the values of build secrets, the proxies of builds, the variables of what verifies.
//!
//! It is the only home of these: configuration and plans name hosts and ids. A login that ended is renewed here, in
//! place, so that whoever asks next has the new one.

use std::sync::{Arc, PoisonError, RwLock};

use super::{BuildSecret, Credentials, DeployLogin, Identity, Logins, RegistryHost, Secret};

/// What a run may show to whom. Clones are the same ring.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    logins: Arc<RwLock<Logins>>,
    identities: Vec<Identity>,
    token: Option<Secret>,
    deploy: Option<DeployLogin>,
    secrets: Vec<BuildSecret>,
    proxies: Vec<(String, Secret)>,
    verify_env: Vec<(String, Secret)>,
}

impl Keyring {
    /// With these logins, and what is exchanged for further ones.
    pub fn new(logins: Logins, identities: Vec<Identity>) -> Self {
        Self { logins: Arc::new(RwLock::new(logins)), identities, ..Self::default() }
    }

    /// With the token of this GitHub server's API; an empty one is none.
    #[must_use]
    pub fn with_token(self, token: &Secret) -> Self {
        Self { token: Some(token.clone()).filter(|token| !token.is_empty()), ..self }
    }

    /// With what deployments write with, if anything was given for that.
    #[must_use]
    pub fn with_deploy(self, deploy: Option<DeployLogin>) -> Self {
        Self { deploy, ..self }
    }

    /// With the values of the build's secrets.
    #[must_use]
    pub fn with_secrets(self, secrets: Vec<BuildSecret>) -> Self {
        Self { secrets, ..self }
    }

    /// With the proxies of the build's steps, by the names of the build arguments that they are.
    #[must_use]
    pub fn with_proxies(self, proxies: Vec<(String, Secret)>) -> Self {
        Self { proxies, ..self }
    }

    /// With the variables of the containers that verify the image.
    #[must_use]
    pub fn with_verify_env(self, verify_env: Vec<(String, Secret)>) -> Self {
        Self { verify_env, ..self }
    }

    /// The login for a host: nobody else's.
    pub fn login(&self, host: &RegistryHost) -> Option<Credentials> {
        self.read(|logins| logins.for_registry(host).cloned())
    }

    /// Adds a login, unless its host has one already.
    pub fn add(&self, login: Credentials) {
        self.logins.write().unwrap_or_else(PoisonError::into_inner).add(login);
    }

    /// Puts a login in the place of the one that its host has.
    pub fn renew(&self, login: Credentials) {
        self.logins.write().unwrap_or_else(PoisonError::into_inner).renew(login);
    }

    /// The program that would tell a host's login (`docker-credential-<name>`), where there is no other.
    pub fn helper_for(&self, host: &RegistryHost) -> Option<String> {
        self.read(|logins| logins.helper_for(host).map(str::to_owned))
    }

    /// All logins as they are now.
    pub fn logins(&self) -> Logins {
        self.read(Logins::clone)
    }

    /// What is exchanged for logins.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// What the login at this host is exchanged for, if it is.
    pub fn identity(&self, host: &RegistryHost) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.registry == *host)
    }

    /// The token of this GitHub server's API.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// What deployments write with.
    pub fn deploy(&self) -> Option<&DeployLogin> {
        self.deploy.as_ref()
    }

    /// The build's secrets, each id once.
    pub fn secrets(&self) -> &[BuildSecret] {
        &self.secrets
    }

    /// The proxies of the build's steps, by the names of the build arguments that they are. Their URLs may hold a password.
    pub fn proxies(&self) -> &[(String, Secret)] {
        &self.proxies
    }

    /// The variables of the containers that verify the image, in order.
    pub fn verify_env(&self) -> &[(String, Secret)] {
        &self.verify_env
    }

    fn read<T>(&self, look: impl FnOnce(&Logins) -> T) -> T {
        look(&self.logins.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_login_is_everybodys() {
        let host = RegistryHost::parse("r.io").unwrap();
        let login = |password: &str| Credentials::new(host.clone(), "bob", Secret::new(password));
        let ring = Keyring::new([login("hunter1")].into_iter().collect(), Vec::new());
        let other = ring.clone();
        let password = |ring: &Keyring| ring.login(&host).unwrap().password.expose().to_owned();
        ring.add(login("hunter2"));
        assert_eq!(password(&other), "hunter1");
        ring.renew(login("hunter2"));
        assert_eq!(password(&other), "hunter2");
        assert_eq!(other.login(&RegistryHost::parse("s.io").unwrap()), None);
    }

    #[test]
    fn it_prints_no_secret_and_an_empty_token_is_none() {
        let ring = Keyring::default()
            .with_token(&Secret::new("hunter2"))
            .with_secrets(vec![BuildSecret { id: "npm".into(), value: b"hunter2".to_vec() }]);
        assert!(!format!("{ring:?}").contains("hunter2"));
        assert!(ring.token().is_some());
        assert!(Keyring::default().with_token(&Secret::new("")).token().is_none());
    }
}
