//! A registry on a bad day: an HTTP proxy in front of a real one, which passes everything through byte for byte but
//! what its script spoils.
//!
//! It speaks plain HTTP/1.1 on `localhost`, one thread a connection, and answers a TLS hello as Go's server does, so
//! that BuildKit falls back to HTTP. Image names use its address: the daemon and the action both come through it.
//! With [`FaultProxy::with_tokens`] it is a registry with a token server, whose tokens end when the script says so.

pub mod chance;
mod token;
mod wire;

pub use wire::{Kind, Request};

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use token::{Logins, Tokens};

/// No connection is silent for longer, whatever happens.
const SILENCE: Duration = Duration::from_mins(2);

/// What becomes of one request.
pub enum Act {
    /// It goes on as it is, and so does its answer.
    Pass,
    /// It is answered here; the registry never hears of it.
    Answer(Answer),
    /// The connection ends, before the registry hears of it.
    Reset,
    /// The connection ends after so many bytes of the request's body were passed on.
    ResetAt(u64),
    /// Nothing happens for so long, then the connection ends.
    Stall(Duration),
    /// The answer's head and so many bytes of its body, then the connection ends.
    Truncate(u64),
    /// The registry does what it is asked to, but the answer is lost.
    LoseAnswer,
    /// The registry has answered, and this happens before the answer goes on.
    Then(Box<dyn FnOnce() + Send>),
    /// The tokens that were given, or the logins that were shown, end now, for this request too.
    Expire,
}

/// An answer of the proxy itself.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Whole header lines.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A status, with the specification's JSON.
    pub fn status(status: u16) -> Self {
        let (code, said) = match status {
            401 => ("UNAUTHORIZED", "authentication required"),
            403 => ("DENIED", "requested access to the resource is denied"),
            400..=428 => ("NAME_INVALID", "invalid repository name"),
            429 => ("TOOMANYREQUESTS", "too many requests"),
            503 => ("UNAVAILABLE", "service unavailable"),
            _ => ("UNKNOWN", "unknown error"),
        };
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{said} ({status})"}}]}}"#);
        Self { status, headers: Vec::new(), body: body.into_bytes() }
    }

    /// The same with `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push(format!("Retry-After: {seconds}"));
        self
    }

    /// The same with so many bytes of a page.
    #[must_use]
    pub fn long(mut self, bytes: usize) -> Self {
        self.body = b"<html>an apology ".repeat(bytes / 16 + 1);
        self.body.truncate(bytes);
        self
    }
}

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// What came and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub request: Request,
    /// The status that was answered, even where the answer was lost; none where the connection ended before.
    pub status: Option<u16>,
    /// The script spoiled it.
    pub spoiled: bool,
    /// When it came, since the proxy began.
    pub at: Duration,
}

/// Who is let in.
enum Door {
    Tokens(Tokens),
    Logins(Logins),
}

type Script = Box<dyn FnMut(&Request) -> Act + Send>;

struct Shared {
    upstream: String,
    host: String,
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
    changed: Condvar,
    door: Option<Mutex<Door>>,
    began: Instant,
}

/// A proxy that runs until the test's process ends.
#[derive(Clone)]
pub struct FaultProxy(Arc<Shared>);

impl FaultProxy {
    /// In front of the registry at `upstream` (`host:port`); the script sees each request before it is passed on.
    pub fn new(upstream: &str, script: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        Self::start(upstream, Box::new(script), None)
    }

    /// The same, which lets nobody in without a token of its own.
    pub fn with_tokens(upstream: &str, script: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        Self::start(upstream, Box::new(script), Some(Mutex::new(Door::Tokens(Tokens::default()))))
    }

    /// The same, which lets nobody in without a user name and a password, whatever they are.
    pub fn with_logins(upstream: &str, script: impl FnMut(&Request) -> Act + Send + 'static) -> Self {
        Self::start(upstream, Box::new(script), Some(Mutex::new(Door::Logins(Logins::default()))))
    }

    fn start(upstream: &str, script: Script, door: Option<Mutex<Door>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("localhost:{}", listener.local_addr().expect("an address").port());
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            host,
            script: Mutex::new(script),
            seen: Mutex::default(),
            changed: Condvar::new(),
            door,
            began: Instant::now(),
        });
        let proxy = Self(Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&shared, client));
            }
        });
        proxy
    }

    /// `localhost:PORT`, to be used as the registry's name.
    pub fn host(&self) -> String {
        self.0.host.clone()
    }

    /// Another script from here on.
    pub fn script(&self, script: impl FnMut(&Request) -> Act + Send + 'static) {
        *lock(&self.0.script) = Box::new(script);
    }

    /// The registry is well again.
    pub fn mend(&self) {
        self.script(|_| Act::Pass);
    }

    /// Everything that came, in order.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.0.seen).clone()
    }

    /// How many requests of this kind came.
    pub fn count(&self, kind: Kind) -> usize {
        lock(&self.0.seen).iter().filter(|seen| seen.request.kind == kind).count()
    }

    /// How many requests were spoiled.
    pub fn spoiled(&self) -> usize {
        lock(&self.0.seen).iter().filter(|seen| seen.spoiled).count()
    }

    /// What the registry took: last parts of the paths of good PUTs, `latest` or a digest, in order.
    pub fn put(&self, kind: Kind) -> Vec<String> {
        let seen = lock(&self.0.seen);
        let good = |seen: &&Seen| seen.request.kind == kind && seen.status == Some(201);
        seen.iter().filter(good).map(|seen| seen.request.reference().to_owned()).collect()
    }

    /// Waits until the log of requests satisfies this; false when it does not in time.
    pub fn wait(&self, limit: Duration, mut wanted: impl FnMut(&[Seen]) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut seen = lock(&self.0.seen);
        while !wanted(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self.0.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// One connection of a client, until either side has enough.
fn serve(shared: &Shared, client: TcpStream) {
    let Some(mut client) = wire::Wire::new(client, SILENCE) else { return };
    let mut upstream = None;
    while let Some(head) = client.head() {
        if head.starts_with(&[0x16]) {
            // A TLS hello.
            let _ = client
                .write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n");
            return;
        }
        let Some(mut request) = Request::parse(&head) else { return };
        // Numbered, judged and noted in one go, so that the script sees them in the order of the log.
        let (act, number) = {
            let mut script = lock(&shared.script);
            let mut seen = lock(&shared.seen);
            request.number = seen.len();
            request.nth = seen.iter().filter(|seen| seen.request.kind == request.kind).count();
            drop(seen);
            let act = script(&request);
            seen = lock(&shared.seen);
            let number = seen.len();
            let spoiled = !matches!(act, Act::Pass | Act::Then(_));
            let at = shared.began.elapsed();
            seen.push(Seen { request: request.clone(), status: None, spoiled, at });
            (act, number)
        };
        let answered = answer(shared, &mut client, &mut upstream, &request, &head, act);
        if let Some((status, _)) = answered {
            lock(&shared.seen)[number].status = Some(status);
        }
        shared.changed.notify_all();
        if !answered.is_some_and(|(_, goes_on)| goes_on) {
            return;
        }
    }
}

/// Does what the script said; the status that went back and whether the connection goes on.
fn answer(
    shared: &Shared,
    client: &mut wire::Wire,
    upstream: &mut Option<wire::Wire>,
    request: &Request,
    head: &[u8],
    act: Act,
) -> Option<(u16, bool)> {
    let own = |client: &mut wire::Wire, answer: &Answer| {
        client.drain(head);
        client.answer(answer, request.method == "HEAD").then_some((answer.status, true))
    };
    match (&act, &shared.door) {
        (Act::Answer(answer), _) => return own(client, answer),
        (Act::Reset, _) => return None,
        (Act::Stall(time), _) => {
            std::thread::park_timeout(*time);
            return None;
        }
        (_, Some(door)) => {
            let mut door = lock(door);
            let ends = matches!(act, Act::Expire);
            let judged = match &mut *door {
                Door::Tokens(tokens) => {
                    if ends {
                        tokens.expire();
                    }
                    tokens.judge(request, head, &shared.host)
                }
                Door::Logins(logins) => logins.judge(head, ends),
            };
            drop(door);
            if let Some(answer) = judged {
                return own(client, &answer);
            }
        }
        _ => {}
    }
    let head = if shared.door.is_some() { token::without(head) } else { head.to_vec() };
    wire::exchange(&shared.upstream, client, upstream, &head, act, SILENCE)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
