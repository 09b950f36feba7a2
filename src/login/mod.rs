//! Identities exchanged for logins: the job's OIDC token, or AWS's keys, for what a registry takes.
//!
//! Effects over HTTPS, bounded in time, without a retry of their own ([`LoginError::trouble`] says what one is worth). Each
//! request goes to a server whose name is fixed, derived from the registry's host, or set by a variable that the cloud's
//! own tools obey; secrets go to that server only, and are told to `mask` the moment they come. Sources: GitHub's "OpenID
//! Connect reference"; AWS Signature Version 4 and the APIs of STS, ECR and ECR Public; Google's "workload identity
//! federation with deployment pipelines"; Azure's "AAD-OAuth" page of ACR; docker/login-action for Docker Hub.

mod ambient;
mod aws;
mod azure;
mod claims;
mod docker_hub;
mod ecr;
mod error;
mod google;
mod oidc;
mod sigv4;

pub use ambient::{Ambient, Endpoints};
pub use error::LoginError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::{AwsIdentity, AwsKeys, Credentials, Ecr, Identity, IdentityKind, Repository};
use crate::net::Network;
use error::Step;

/// A login that was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// For the identity's registry.
    pub credentials: Credentials,
    /// What else can be asked of AWS with it.
    pub aws: Option<AwsKeys>,
}

/// Who exchanges.
pub struct Exchanger<'a> {
    /// What the environment says.
    pub ambient: &'a Ambient,
    /// Proxies, and whom TLS is believed from.
    pub network: &'a Network,
    /// The time, in seconds since 1970.
    pub now: fn() -> i64,
    /// Told of each secret before it is used.
    pub mask: &'a (dyn Fn(&str) + Send + Sync),
}

impl Exchanger<'_> {
    /// The login that an identity stands for.
    pub async fn login(&self, identity: &Identity) -> Result<Session, LoginError> {
        let step = Step { identity, network: self.network };
        let (username, password, aws) = match &identity.kind {
            IdentityKind::Ecr { ecr, by } => {
                let keys = match by {
                    AwsIdentity::Keys(keys) => keys.clone(),
                    AwsIdentity::Role(role) => aws::assume_role(self, step, ecr, role).await?,
                };
                let (username, password) = ecr::authorization(self, step, ecr, &keys).await?;
                (username, password, Some(keys))
            }
            IdentityKind::Google { provider, service_account } => {
                let password = google::login(self, step, provider, service_account.as_deref()).await?;
                ("oauth2accesstoken".to_owned(), password, None)
            }
            // An identity token: without a user.
            IdentityKind::Azure { client, tenant } => {
                (String::new(), azure::login(self, step, client, tenant).await?, None)
            }
            IdentityKind::DockerHub { username, connection, lifetime } => {
                let password = docker_hub::login(self, step, connection, *lifetime).await?;
                (username.clone(), password, None)
            }
        };
        if !username.is_empty() {
            // As it will stand in a header.
            self.mask(&STANDARD.encode(format!("{username}:{}", password.expose())));
        }
        let credentials = Credentials::new(identity.registry.clone(), username, password);
        Ok(Session { credentials: credentials.given_by(identity.source.clone()), aws })
    }

    /// Makes a repository at Amazon ECR; `false` if it is there already.
    pub async fn create_repository(
        &self,
        identity: &Identity,
        ecr: &Ecr,
        keys: &AwsKeys,
        repository: &Repository,
    ) -> Result<bool, LoginError> {
        ecr::create_repository(self, Step { identity, network: self.network }, ecr, keys, repository).await
    }

    fn mask(&self, secret: &str) {
        (self.mask)(secret);
    }
}
