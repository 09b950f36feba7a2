//! The client of one registry: who it talks to, by which way and as whom, and the first contact, which it keeps.
//!
//! What can be asked of a registry stands in the files that ask it: `manifests`, `blobs`, `referrers` and those above them.

use tokio::sync::OnceCell;

use super::endpoint::{Endpoint, origin};
use super::error::{Kind, RegistryError};
use super::login::Login;
use super::transport::{Timeouts, Transport};
use crate::model::{Credentials, Dial, RegistryHost, RegistryProtocol};
use crate::net::Network;
use crate::net::dial::{Dialer, host_and_port};

/// A client of one registry. Make one per registry and run; share it by reference.
#[derive(Debug)]
pub struct RegistryClient {
    pub(super) host: RegistryHost,
    pub(super) protocol: RegistryProtocol,
    pub(super) transport: Transport,
    pub(super) login: Login,
    /// What the first contact found out, once there was one.
    endpoint: OnceCell<Endpoint>,
}

impl RegistryClient {
    /// A client of `host`, without proxies and with the system's certificate authorities. Credentials of another host
    /// are not used. Nothing is sent yet.
    pub fn new(
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        Self::within(&Network::default(), host, credentials, dial, timeouts)
    }

    /// As [`Self::new`], with the proxies and certificate authorities of this process. No proxy is on a way that is given.
    pub fn within(
        network: &Network,
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        Self::speaking(RegistryProtocol::Https, network, host, credentials, dial, timeouts)
    }

    /// The same for a registry of which it is known how it is spoken to. Whoever allows less than HTTPS with a
    /// certificate that is believed allows it for the login, too.
    pub fn speaking(
        protocol: RegistryProtocol,
        network: &Network,
        host: RegistryHost,
        credentials: Option<&Credentials>,
        dial: Dial,
        timeouts: Timeouts,
    ) -> Self {
        let origin: Option<http::Uri> = origin(&host, host.is_loopback()).parse().ok();
        let registry = origin.as_ref().and_then(host_and_port).map_or_else(
            || (host.name().to_owned(), host.port().unwrap_or(443)),
            |(name, port)| (name.to_owned(), port),
        );
        let dialer = Dialer {
            timeout: timeouts.connect,
            network: network.clone(),
            registry: Some(host.to_string()),
            unverified: protocol.is_unverified().then(|| registry.0.clone()),
            way: Some((registry, dial)),
        };
        let login = Login::new(credentials.filter(|credentials| credentials.registry == host).cloned());
        let transport = Transport::new(dialer, timeouts);
        Self { transport, login, endpoint: OnceCell::new(), host, protocol }
    }

    /// The registry that this client talks to.
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The login that this client was given for its registry, if any.
    pub fn login(&self) -> Option<&Credentials> {
        self.login.credentials()
    }

    /// Whether a registry answers there. Needs no login, proves none.
    pub async fn ping(&self) -> Result<(), RegistryError> {
        self.endpoint().await.map(|_| ())
    }

    /// Where the registry's API is and what it asks for. Found out by the first contact, which is made once per client.
    pub(super) async fn endpoint(&self) -> Result<&Endpoint, RegistryError> {
        let contact = || async {
            let found = Endpoint::find(&self.host, self.protocol, &self.transport, &self.login).await;
            found.map_err(|kind| self.fail("reach the registry", kind))
        };
        self.endpoint.get_or_try_init(contact).await
    }

    /// The error of something that this client was doing.
    pub(super) fn fail(&self, doing: &str, kind: Kind) -> RegistryError {
        RegistryError::new(self.host.as_str(), doing, self.login.credentials(), kind)
    }
}
