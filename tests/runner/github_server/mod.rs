//! A GitHub on the wire that keeps real Git repositories: REST and GraphQL as far as deploying needs them, for tokens of
//! people and Apps, shaped as api.github.com or as an Enterprise Server.
//!
//! Everything that an answer claims is in a repository on disk, which can be cloned. Statuses, fields and words are
//! GitHub's own, from its documentation and from answers that people have reported; each file names its page. A test is
//! somebody else who pushes and looks (`Hosted`), makes calls go wrong (`Fault`), and reads what was asked (`Call`).
//! Guessed, since no answer of GitHub's was found: the words for deleting the default branch, for a commit's contents or
//! path that are none, for auto-merge of a draft and for switching it off, the type with which GraphQL refuses an
//! archived repository, and what a query shows of what a token may not read. Nothing should depend on them.
//! Not here: forks, reviews, checks as objects, rule sets beyond a protected branch, and time: nothing expires by itself.

mod access;
mod apps;
mod contents;
mod document;
mod faults;
mod graphql;
pub mod history;
mod hosted;
mod http;
mod issues;
mod mutations;
pub mod pull;
mod pulls;
mod queries;
mod refs;
mod refusal;
mod routes;
mod state;
pub mod store;

use access::{Kind, permissions};
use apps::{App, Installation};
use faults::{Rule, What};
use hosted::Home;
use state::{Shape, State};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;

pub use access::Level;
pub use apps::AppKey;
pub use faults::Fault;
pub use hosted::Hosted;
pub use state::Call;

/// The server, until it is dropped.
pub struct GithubServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
    /// Takes connections.
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GithubServer {
    /// One like api.github.com on a free port of this address.
    pub fn start(host: &str) -> Self {
        Self::shaped(host, Shape::Cloud)
    }

    /// One like an Enterprise Server: REST below `/api/v3`, GraphQL at `/api/graphql`.
    pub fn enterprise(host: &str) -> Self {
        Self::shaped(host, Shape::Enterprise)
    }

    fn shaped(host: &str, shape: Shape) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("an address of this machine");
        let address = listener.local_addr().expect("a bound socket");
        let root = tempfile::Builder::new().prefix("github-").tempdir().expect("a temporary directory");
        let state = State {
            shape,
            address,
            root,
            homes: Vec::new(),
            tokens: Vec::new(),
            apps: Vec::new(),
            installations: Vec::new(),
            rules: Vec::new(),
            calls: Vec::new(),
            ticks: 0,
        };
        let (state, stopped) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let (shared, flag) = (Arc::clone(&state), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, flag) = (Arc::clone(&shared), Arc::clone(&flag));
                std::thread::spawn(move || stream.map(|stream| state::serve(stream, &shared, &flag)));
            }
        });
        Self { address, state, stopped, thread: Some(thread) }
    }

    /// `GITHUB_API_URL`.
    pub fn api_url(&self) -> String {
        self.lock().api()
    }

    /// `GITHUB_GRAPHQL_URL`.
    pub fn graphql_url(&self) -> String {
        let state = self.lock();
        let path = if state.shape == Shape::Cloud { "graphql" } else { "api/graphql" };
        format!("{}/{path}", state.origin())
    }

    /// `GITHUB_SERVER_URL`.
    pub fn server_url(&self) -> String {
        self.lock().web()
    }

    /// A new private repository, empty, whose default branch is `main`.
    pub fn repository(&self, full_name: &str) -> Hosted {
        let directory = self.lock().root.path().join(format!("{full_name}.git"));
        self.host(full_name, Store::init(&directory, "main"), "main")
    }

    /// A repository that is on disk already, such as the one that a job's workspace is a checkout of.
    pub fn serve(&self, full_name: &str, directory: &Path) -> Hosted {
        let store = Store::open(directory);
        let branch = store.git(&["symbolic-ref", "--short", "HEAD"]).unwrap_or_else(|| "main".into());
        self.host(full_name, store, &branch)
    }

    fn host(&self, full_name: &str, store: Store, branch: &str) -> Hosted {
        let mut state = self.lock();
        let id = 1000 + state.homes.len() as u64;
        state.homes.push(Home::new(id, full_name, store, branch));
        drop(state);
        Hosted::new(&self.state, id)
    }

    /// A person's fine-grained token: `contents:write, pull_requests:write` for each of these repositories, in which
    /// the person may write as well.
    pub fn token(&self, login: &str, repositories: &[&str], granted: &str) -> String {
        let mut state = self.lock();
        let ids = state.ids(repositories);
        for home in state.homes.iter_mut().filter(|home| ids.contains(&home.id)) {
            home.roles.entry(login.to_owned()).or_insert(Level::Write);
        }
        state.give("github_pat_", Kind::FineGrained, login, &ids, &permissions(granted))
    }

    /// A person's classic token with the scope `repo`: it may what the person may.
    pub fn classic_token(&self, login: &str) -> String {
        self.lock().give("ghp_", Kind::Classic, login, &[], &permissions(""))
    }

    /// A token of an App's installation as it stands in a job already, such as `GITHUB_TOKEN`.
    pub fn installation_token(&self, slug: &str, repositories: &[&str], granted: &str) -> String {
        let mut state = self.lock();
        let ids = state.ids(repositories);
        state.give("ghs_", Kind::Installation, &format!("{slug}[bot]"), &ids, &permissions(granted))
    }

    /// An App with its key; its client id, which may stand for its number.
    pub fn app(&self, id: u64, slug: &str, key: &AppKey) -> String {
        let app = App::new(id, slug, key);
        let client_id = app.client_id.clone();
        self.lock().apps.push(app);
        client_id
    }

    /// Installs an App for repositories of one account; the installation.
    pub fn install(&self, app: u64, repositories: &[&str], granted: &str) -> u64 {
        let mut state = self.lock();
        let (id, ids) = (7000 + state.installations.len() as u64, state.ids(repositories));
        let account = repositories.first().and_then(|name| name.split_once('/')).expect("owner/name").0;
        state.installations.push(Installation {
            id,
            app,
            account: account.to_owned(),
            repositories: ids,
            permissions: permissions(granted),
            suspended: false,
        });
        id
    }

    /// An installation is suspended by its account.
    pub fn suspend(&self, installation: u64) {
        let mut state = self.lock();
        let found = state.installations.iter_mut().find(|one| one.id == installation);
        found.expect("an installation").suspended = true;
    }

    /// From now on a token is worth nothing: expired or revoked.
    pub fn revoke(&self, secret: &str) {
        let mut state = self.lock();
        state.tokens.iter_mut().filter(|token| token.secret == secret).for_each(|token| token.ended = true);
    }

    /// The `nth` call from now on (from 1) that matches goes wrong. A pattern is `POST /repos/acme/infra/pulls`, or
    /// `createCommitOnBranch acme/infra`, or `query Branches acme/infra`; `*` in it is anything.
    pub fn fault(&self, pattern: &str, nth: usize, fault: Fault) {
        self.rule(pattern, nth, What::Fault(fault));
    }

    /// All matching calls go wrong from now on.
    pub fn always(&self, pattern: &str, fault: Fault) {
        self.rule(pattern, 1, What::Always(fault));
    }

    /// Just before the `nth` matching call from now on, this happens; it may use `Hosted` and the server.
    pub fn before(&self, pattern: &str, nth: usize, hook: impl FnOnce() + Send + 'static) {
        self.rule(pattern, nth, What::Hook(Box::new(hook)));
    }

    fn rule(&self, pattern: &str, nth: usize, what: What) {
        self.lock().rules.push(Rule { pattern: pattern.to_owned(), skip: nth - 1, what });
    }

    /// Faults and hooks that have not had their turn, by their patterns: none when a test has met what it meant to.
    pub fn pending(&self) -> Vec<String> {
        self.lock().rules.iter().map(|rule| rule.pattern.clone()).collect()
    }

    /// What was asked since the last time that this was called, in the order of the answers.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// The same as lines: `POST /repos/acme/infra/pulls 201`.
    pub fn lines(&self) -> Vec<String> {
        self.calls().iter().map(|call| format!("{} {} {}", call.method, call.what, call.status)).collect()
    }

    /// Those of them that are no questions.
    pub fn writes(&self) -> Vec<String> {
        let asks = |line: &String| line.starts_with("GET ") || line.starts_with("POST query ");
        self.lines().into_iter().filter(|line| !asks(line)).collect()
    }

    /// Every secret that the server knows: none of them belongs in a log.
    pub fn secrets(&self) -> Vec<String> {
        self.lock().tokens.iter().map(|token| token.secret.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for GithubServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        // Nobody listens from here on.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// As GitHub writes a time.
fn time(seconds: u64) -> String {
    let time = jiff::Timestamp::from_second(seconds.try_into().unwrap_or_default()).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
