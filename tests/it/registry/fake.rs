//! An HTTP/1.1 server on raw sockets, so that it can misbehave below HTTP too.
//!
//! What it claims about well-behaved registries is run against real ones in `tests/live`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use docker_push_action::model::{Credentials, Dial, RegistryHost, Repository, Secret};
use docker_push_action::registry::{RegistryClient, Timeouts};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// One request that came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn is(&self, method: &str, start: &str) -> bool {
        self.method == method && self.target.starts_with(start)
    }
}

/// What is sent back.
pub enum Answer {
    /// These bytes, then the next request is read.
    Send(Vec<u8>),
    /// These bytes, then the connection is closed.
    Cut(Vec<u8>),
    /// These bytes, then nothing more, until the client goes.
    Stall(Vec<u8>),
    /// The first bytes, then the second again and again, until the client goes.
    Endless(Vec<u8>, Vec<u8>),
}

/// A whole answer. A header is `name: value`.
pub fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    Answer::Send([text.as_bytes(), body].concat())
}

/// A server and what it was asked.
pub struct Fake {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    /// Ends with this value.
    _serving: JoinSet<()>,
}

impl Fake {
    /// Serves until this value is dropped.
    pub async fn start(reply: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, reply).await
    }

    /// The same behind TLS.
    pub async fn start_tls(
        tls: rustls::ServerConfig,
        reply: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(Arc::new(tls))), reply).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&asked));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, log, tls) = (Arc::clone(&reply), Arc::clone(&log), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, &*reply, &log).await,
                        Some(tls) => serve(tls.accept(stream).await?, &*reply, &log).await,
                    }
                });
            }
        });
        Self { address, asked, _serving: serving }
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// `METHOD target` of each request so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// The registry's name: loopback.
    pub fn host(&self) -> RegistryHost {
        RegistryHost::parse(&self.address.to_string()).unwrap()
    }

    pub fn repository(&self) -> Repository {
        Repository::new(self.host(), "acme/api").unwrap()
    }

    /// A client without a login.
    pub fn client(&self) -> RegistryClient {
        RegistryClient::new(self.host(), None, Dial::Direct, Timeouts::default())
    }

    /// A client that logs in as `octo`.
    pub fn client_of_octo(&self) -> RegistryClient {
        RegistryClient::new(self.host(), Some(&octo(self.host())), Dial::Direct, Timeouts::default())
    }
}

/// `octo:hunter2`
pub fn octo(registry: RegistryHost) -> Credentials {
    Credentials::new(registry, "octo", Secret::new("hunter2"))
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    reply: &(dyn Fn(&Request) -> Answer + Send + Sync),
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let answer = reply(&request);
        log.lock().unwrap().push(request);
        match answer {
            Answer::Send(bytes) => stream.write_all(&bytes).await?,
            Answer::Cut(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Stall(bytes) => {
                stream.write_all(&bytes).await?;
                let _ = stream.read(&mut [0]).await?;
            }
            Answer::Endless(first, again) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&again).await?;
                }
            }
        }
    }
    Ok(())
}

async fn read(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
) -> std::io::Result<Option<Request>> {
    let mut line = Vec::new();
    // A TLS hello is no line of HTTP: it counts as a request without a method.
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let first = String::from_utf8_lossy(&line).into_owned();
    let mut parts = first.split(' ');
    let mut request = Request {
        method: parts.next().unwrap_or_default().into(),
        target: parts.next().unwrap_or_default().into(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    if !request.method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(Some(request));
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.push((name.into(), value.into()));
    }
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}
