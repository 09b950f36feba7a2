//! Clients of registries, with all that stands around their connections, and the ways to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::background::Background;
use crate::docker::Reached;
use crate::model::{Dial, Keyring, RegistryHost, RegistryProtocol};
use crate::net::Network;
use crate::registry::{RegistryClient, Timeouts};

/// Makes clients of registries, with the proxies, certificate authorities and logins of this run.
#[derive(Clone)]
pub(super) struct Clients {
    network: Network,
    keyring: Keyring,
    protocols: Arc<BTreeMap<RegistryHost, RegistryProtocol>>,
}

impl Clients {
    /// With these; `protocols`: what is allowed for some registries.
    pub(super) fn new(
        network: Network,
        keyring: Keyring,
        protocols: BTreeMap<RegistryHost, RegistryProtocol>,
    ) -> Self {
        Self { network, keyring, protocols: Arc::new(protocols) }
    }

    /// How this registry is spoken to, as far as the run was told.
    pub(super) fn protocol(&self, host: &RegistryHost) -> RegistryProtocol {
        self.protocols.get(host).copied().unwrap_or_default()
    }

    /// A client of this registry, with the login that it has now, if there is one.
    pub(super) fn make(&self, host: &RegistryHost, dial: Dial) -> RegistryClient {
        self.make_speaking(self.protocol(host), host, dial)
    }

    /// The same, where somebody else has told how it is spoken to.
    pub(super) fn make_speaking(
        &self,
        protocol: RegistryProtocol,
        host: &RegistryHost,
        dial: Dial,
    ) -> RegistryClient {
        let (login, timeouts) = (self.keyring.login(host), Timeouts::default());
        RegistryClient::speaking(protocol, &self.network, host.clone(), login.as_ref(), dial, timeouts)
    }
}

/// The registries of a run: how each is reached, once that is known.
pub(super) struct Registries {
    clients: Clients,
    ways: Mutex<BTreeMap<RegistryHost, Way>>,
    /// Those that have answered this run as they should.
    reached: Mutex<BTreeSet<RegistryHost>>,
    /// What is still to be cleared up there. Nobody waits for its end.
    clearing: Mutex<Vec<Background<()>>>,
}

/// How a registry is reached from here.
pub(super) struct Way {
    reached: Reached,
    protocol: RegistryProtocol,
    /// With the connections and tokens that it has got by now.
    client: Arc<RegistryClient>,
}

impl Way {
    /// This one, and who has gone it.
    pub(super) fn new(reached: Reached, protocol: RegistryProtocol, client: Arc<RegistryClient>) -> Self {
        Self { reached, protocol, client }
    }
}

impl Registries {
    /// No way is known yet.
    pub(super) fn new(clients: Clients) -> Self {
        let (ways, reached) = (Mutex::default(), Mutex::default());
        Self { clients, ways, reached, clearing: Mutex::default() }
    }

    /// What makes their clients.
    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// This is how a registry is reached.
    pub(super) fn reach(&self, host: &RegistryHost, way: Way) {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), way);
    }

    /// The client of a registry that this run has found the way to.
    pub(super) fn known(&self, host: &RegistryHost) -> Option<Arc<RegistryClient>> {
        let known = self.ways.lock().unwrap_or_else(PoisonError::into_inner).contains_key(host);
        known.then(|| self.client(host))
    }

    /// This goes on as long as the registries are there.
    pub(super) fn clear(&self, clearing: Background<()>) {
        self.clearing.lock().unwrap_or_else(PoisonError::into_inner).push(clearing);
    }

    /// This registry has answered as it should: that it is gone later is an outage, which is worth waiting for.
    pub(super) fn note_reached(&self, host: &RegistryHost) {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone());
    }

    /// Whether this registry has answered this run as it should.
    pub(super) fn is_reached(&self, host: &RegistryHost) -> bool {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).contains(host)
    }

    /// The client of a registry: the one that has gone the way there, unless the login was renewed since.
    pub(super) fn client(&self, host: &RegistryHost) -> Arc<RegistryClient> {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(way) = ways.get_mut(host) else {
            return Arc::new(self.clients.make(host, Dial::default()));
        };
        if self.clients.keyring.login(host).as_ref() != way.client.login() {
            let dial = way.reached.dial.clone();
            way.client = Arc::new(self.clients.make_speaking(way.protocol, host, dial));
        }
        Arc::clone(&way.client)
    }
}
