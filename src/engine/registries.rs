//! Clients of registries, with all that stands around their connections, and the way to one.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::docker::Reached;
use crate::inputs::config::Config;
use crate::model::{Dial, Logins, RegistryHost};
use crate::net::Network;
use crate::registry::{RegistryClient, Timeouts};

use super::Process;

/// Makes clients of registries.
#[derive(Clone)]
pub struct Registries {
    network: Network,
    logins: Logins,
}

impl Registries {
    /// With the logins, proxies and certificate authorities of this run.
    pub fn of(process: &Process, config: &Config) -> Self {
        Self { network: process.network(), logins: config.credentials.clone() }
    }

    /// A client of this registry, with its own login if there is one.
    pub fn client(&self, host: &RegistryHost, dial: Dial) -> RegistryClient {
        let login = self.logins.for_registry(host);
        RegistryClient::within(&self.network, host.clone(), login, dial, Timeouts::default())
    }
}

/// How the registry is reached from here.
pub struct Way {
    reached: Reached,
    /// With the connections and tokens that it has got by now.
    client: Arc<RegistryClient>,
    /// What is still to be cleared up there; ends with this value.
    clearing: JoinSet<()>,
}

impl Way {
    /// This one, and who has gone it.
    pub fn new(reached: Reached, client: Arc<RegistryClient>) -> Self {
        Self { reached, client, clearing: JoinSet::new() }
    }

    /// Leaves something to be done beside all else, as long as the way is there.
    pub fn clear(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.clearing.spawn(work);
    }

    /// The client of the registry, with the login that it has in this configuration.
    pub fn client(&self, process: &Process, config: &Config) -> Arc<RegistryClient> {
        let host = self.client.host();
        if config.credentials.for_registry(host) == self.client.login() {
            return Arc::clone(&self.client);
        }
        Arc::new(Registries::of(process, config).client(host, self.reached.dial.clone()))
    }

    /// Ends the helper, if there is one; it is removed by itself.
    pub fn close(self) {
        self.reached.close();
    }
}
