//! GitHub's cache service, version 2, as BuildKit talks to it: entries over Twirp with JSON, blobs at signed addresses
//! as Azure's block blobs. It keeps everything in memory, writes down what was asked, and can be told to misbehave.
//!
//! Obeys what `actions/toolkit` and `tonistiigi/go-actions-cache` expect: an entry is reserved, uploaded, committed,
//! and visible from then on; a key that exists cannot be written again; of the scopes that a token names the first one
//! with a match wins, there an exact key first, then the newest that begins with a restore key. What GitHub does beside
//! that (eviction, quotas, the REST interface, version 1, which it has switched off) is not here.

mod blobs;
mod entries;
mod http;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use entries::Entry;

/// What is asked of the service, in two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Looking for entries, and downloads.
    Read,
    /// Reservations, uploads and commits.
    Write,
}

/// Which blobs a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    All,
    /// Not the index that names them.
    Layers,
}

/// How one half misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `429 Too Many Requests`; with seconds in `Retry-After`, or without.
    RateLimited(Option<u32>),
    /// `503 Service Unavailable`.
    Unavailable,
    /// `404 Not Found`: the service of a server that has none.
    Missing,
    /// Entries are found, their blobs are gone: 404 for the download, or the upload.
    Lost(Blobs),
    /// Blobs come with other bytes than were uploaded, of the same length.
    Corrupt(Blobs),
    /// Requests for them are read and never answered; for all blobs, nothing else is answered either.
    Hangs(Blobs),
    /// Every answer waits for this long.
    Slow(Duration),
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The method of the service, or `GetBlob`, `PutBlob`, `PutBlock`, `PutBlockList`.
    pub what: String,
    /// The key, and those that were given as restore keys; a blob's key.
    pub keys: Vec<String>,
    /// 0 for a request that was left without an answer.
    pub status: u16,
}

/// The service, until it is dropped.
pub struct GithubCache {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Dropped with the service, and with it every connection.
    _stop: tokio::sync::oneshot::Sender<()>,
}

#[derive(Default)]
struct State {
    address: String,
    entries: Vec<Entry>,
    tokens: Vec<(String, Vec<Scope>)>,
    faults: Vec<(Half, Fault)>,
    asked: Vec<Asked>,
    /// Bytes of blobs that were served.
    served: u64,
}

/// One scope of a token, with its permission: 1 reads, 2 writes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Scope {
    scope: String,
    permission: u8,
}

impl GithubCache {
    /// Listens on a free port of `host`, an address of this machine that builders reach.
    pub fn start(host: &str) -> Self {
        let listener = std::net::TcpListener::bind((host, 0)).expect("an address of this machine");
        let address = listener.local_addr().expect("a bound socket");
        let state = Arc::new(Mutex::new(State { address: address.to_string(), ..State::default() }));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || http::serve(listener, &shared, stopped));
        Self { address, state, _stop: stop }
    }

    /// `ACTIONS_RESULTS_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// A fresh `ACTIONS_RUNTIME_TOKEN` for these scopes with their permissions: 1 reads, 2 writes.
    pub fn token(&self, scopes: &[(&str, u8)]) -> String {
        let scopes: Vec<Scope> = scopes
            .iter()
            .map(|(scope, permission)| Scope { scope: (*scope).to_owned(), permission: *permission })
            .collect();
        let mut state = self.lock();
        let token = http::token(&scopes, state.tokens.len());
        state.tokens.push((token.clone(), scopes));
        token
    }

    /// The usual token of a push to main.
    pub fn token_of_main(&self) -> String {
        self.token(&[("refs/heads/main", 3)])
    }

    /// From now on one half misbehaves like this, or not at all any more.
    pub fn fault(&self, half: Half, fault: impl Into<Option<Fault>>) {
        let mut state = self.lock();
        state.faults.retain(|(known, _)| *known != half);
        state.faults.extend(fault.into().map(|fault| (half, fault)));
    }

    /// Everything that was asked since the last time that this was called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().asked)
    }

    /// Bytes of blobs that were downloaded so far.
    pub fn served(&self) -> u64 {
        self.lock().served
    }

    /// What is visible now: key, scope, size.
    pub fn entries(&self) -> BTreeSet<(String, String, usize)> {
        let state = self.lock();
        let committed = state.entries.iter().filter(|entry| entry.committed);
        committed.map(|entry| (entry.key.clone(), entry.scope.clone(), entry.bytes.len())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
