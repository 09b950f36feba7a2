//! Builders that do not answer, or answer as something else: each is told from the others, in time, with what to
//! change. What a real buildkitd does is in `tests/live`.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use docker_push_action::buildkit::{Address, ConnectError, Connection, TlsFault};
use docker_push_action::model::{Secret, Tls};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

use crate::daemon::{Daemon, Door, Script};

/// A hang is a failure. How long the product waits is what its errors say.
const DEADLINE: Duration = Duration::from_mins(1);

/// A listener that hands every connection to `serve`. It ends with what is returned.
pub async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    (address, serving)
}

async fn buildkitd(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) {
    Daemon::start(Door::None, Script::Hang).serve(TokioIo::new(stream)).await;
}

async fn open(at: SocketAddr, tls: Option<Tls>) -> Result<Connection, ConnectError> {
    let address = Address::Tcp { host: at.ip().to_string(), port: at.port(), tls: tls.map(Arc::new) };
    tokio::time::timeout(DEADLINE, Connection::open(&address)).await.expect("no hang")
}

/// An authority of this test, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

struct Signed {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        Self { certificate: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose, expired: bool) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        if expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Signed { certificate: made.der().clone(), pem: made.pem(), key }
    }

    fn client(&self, certificate: Option<&Signed>) -> Tls {
        Tls {
            ca: Some(self.pem.clone()),
            certificate: certificate.map(|signed| signed.pem.clone()),
            key: certificate.map(|signed| Secret::new(signed.key.serialize_pem())),
            server_name: None,
        }
    }

    fn of_client(&self, expired: bool) -> Signed {
        self.sign("client", ExtendedKeyUsagePurpose::ClientAuth, expired)
    }
}

/// A buildkitd with this certificate, which wants one of `clients` of whoever comes.
async fn behind_tls(certificate: &Signed, clients: Option<&Authority>) -> (SocketAddr, JoinSet<()>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::Pkcs8(certificate.key.serialize_der().into());
    let mut config = builder.with_single_cert(vec![certificate.certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                buildkitd(stream).await;
            }
        }
    })
    .await
}

fn fault(opened: Result<Connection, ConnectError>) -> TlsFault {
    match opened {
        Err(ConnectError::Tls { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn with_tls_and_without() {
    let (plain, _serving) = listen(buildkitd).await;
    let workers = open(plain, None).await.unwrap().workers().await.unwrap();
    assert_eq!(workers.len(), 1);

    let authority = Authority::new("ours");
    let server = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth, false);
    let (mutual, _serving) = behind_tls(&server, Some(&authority)).await;
    let tls = authority.client(Some(&authority.of_client(false)));
    assert_eq!(open(mutual, Some(tls)).await.unwrap().workers().await.unwrap().len(), 1);

    let named = authority.sign("builder.test", ExtendedKeyUsagePurpose::ServerAuth, false);
    let (named, _serving) = behind_tls(&named, None).await;
    let tls = Tls { server_name: Some("builder.test".into()), ..authority.client(None) };
    open(named, Some(tls)).await.unwrap();
}

#[tokio::test]
async fn its_certificate() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let server = |name, expired| authority.sign(name, ExtendedKeyUsagePurpose::ServerAuth, expired);
    for (certificate, tls, expected) in [
        (server("127.0.0.1", false), stranger.client(None), TlsFault::Untrusted { system: false }),
        (
            server("builder.test", false),
            authority.client(None),
            TlsFault::WrongName { expected: "127.0.0.1".into(), presented: vec!["`builder.test`".into()] },
        ),
        (server("127.0.0.1", true), authority.client(None), TlsFault::Expired),
    ] {
        let (at, _serving) = behind_tls(&certificate, None).await;
        assert_eq!(fault(open(at, Some(tls)).await), expected);
    }
    // The system's authorities, when none is named, know nothing of it.
    let (at, _serving) = behind_tls(&server("127.0.0.1", false), None).await;
    let found = fault(open(at, Some(Tls::default())).await);
    assert!(matches!(found, TlsFault::Untrusted { system: true } | TlsFault::Ours(_)), "{found:?}");
}

#[tokio::test]
async fn our_certificate() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let server = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth, false);
    let (at, _serving) = behind_tls(&server, Some(&authority)).await;
    assert_eq!(fault(open(at, Some(authority.client(None))).await), TlsFault::OursMissing);
    let tls = authority.client(Some(&stranger.of_client(false)));
    let refused = fault(open(at, Some(tls)).await);
    assert!(matches!(refused, TlsFault::OursRefused(_)), "{refused:?}");
    let tls = authority.client(Some(&authority.of_client(true)));
    assert_eq!(fault(open(at, Some(tls)).await), TlsFault::OursRefused("certificate expired".into()));
}

#[tokio::test]
async fn tls_on_one_side_only() {
    let authority = Authority::new("ours");
    let (plain, _serving) = listen(buildkitd).await;
    assert_eq!(fault(open(plain, Some(authority.client(None))).await), TlsFault::NotSpoken);

    let server = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth, false);
    let (secure, _serving) = behind_tls(&server, None).await;
    assert_eq!(fault(open(secure, None).await), TlsFault::Demanded);

    // Go's way to refuse it.
    let (abrupt, _serving) = listen(async |mut stream: TcpStream| {
        let _greeting = stream.read(&mut [0; 5]).await;
    })
    .await;
    let error = open(abrupt, None).await.unwrap_err();
    assert!(matches!(error, ConnectError::HungUp { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("does it want TLS"));
    assert_eq!(fault(open(abrupt, Some(authority.client(None))).await), TlsFault::HungUp);
}

async fn says_nothing(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let _until_they_leave = stream.read_to_end(&mut heard).await;
}

#[tokio::test]
async fn silence() {
    let (at, _serving) = listen(says_nothing).await;
    let (plain, secure) = tokio::join!(open(at, None), open(at, Some(Authority::new("ours").client(None))));
    for (error, stage) in [(plain, "asking for its version"), (secure, "TLS handshake")] {
        let error = error.unwrap_err();
        let expected = format!("the builder at `tcp://{at}` did not answer within 5 s ({stage})");
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("`builder`"));
    }
}

/// Packets that nobody answers: a queue of connections that is full drops them.
#[tokio::test]
async fn a_black_hole() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let at = listener.local_addr().unwrap();
    let mut queued = JoinSet::new();
    for _ in 0..4 {
        queued.spawn(async move { TcpStream::connect(at).await });
    }
    // One is in the queue; the others wait as ours will.
    let _first = queued.join_next().await;
    let error = open(at, None).await.unwrap_err();
    assert!(matches!(error, ConnectError::Silent { seconds: 5, .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_there() {
    // Bound, so that nobody else is given it, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap();
    let error = open(closed, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("nobody listens on the builder's address `tcp://{closed}`"));
    assert!(error.hint().unwrap().contains("buildkitd"));

    let address = Address::Tcp { host: "no..host".into(), port: 1, tls: None };
    let error = Connection::open(&address).await.unwrap_err();
    assert!(matches!(error, ConnectError::Name { .. }), "{error:?}");

    let missing = Connection::open(&Address::BuildkitSocket("/nowhere/b.sock".into())).await.unwrap_err();
    assert_eq!(missing.to_string(), "the builder's socket `unix:///nowhere/b.sock` does not exist");
    assert!(missing.hint().unwrap().contains("`builder: unix://PATH`"));
}

#[tokio::test]
async fn somebody_else() {
    let (web, _serving) = listen(async |mut stream: TcpStream| {
        let _greeting = stream.read(&mut [0; 24]).await;
        let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    })
    .await;
    let error = open(web, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the builder at `tcp://{web}` is not a buildkitd: it answers as a web server does")
    );
    assert!(error.hint().unwrap().contains("builder: docker"));
}

/// A Docker daemon with one container, whose exec ends as told.
fn docker(created: &'static str, stream: &'static [u8]) -> (Address, JoinSet<()>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = socket.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let json = |status: &str, body: &str| {
                format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            let answer = match head.split(' ').nth(1).unwrap() {
                "/containers/b0/exec" => match created {
                    "" => json("201 Created", r#"{"Id":"e1"}"#),
                    refused => json(refused, r#"{"message":"no such thing"}"#),
                },
                "/exec/e1/start" => {
                    assert!(head.to_lowercase().contains("upgrade: tcp"), "{head}");
                    "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".into()
                }
                "/exec/e1/json" => json("200 OK", r#"{"ExitCode":127}"#),
                other => panic!("{other}"),
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
            if answer.contains(" 101 ") {
                socket.write_all(stream).await.unwrap();
            }
            socket.shutdown().await.unwrap();
        }
    });
    let socket = directory.path().join("docker.sock");
    (Address::Exec { socket, container: "b0".into() }, serving, directory)
}

#[tokio::test]
async fn containers_that_give_no_way() {
    const STDERR: &[u8] = b"\x02\0\0\0\0\0\0\x12buildctl not found";
    for (created, stream, said, hint) in [
        (
            "404 Not Found",
            STDERR,
            "the Docker daemon answers with 404: no such thing",
            "name in `builder` right",
        ),
        ("409 Conflict", STDERR, "the Docker daemon answers with 409: no such thing", "must be running"),
        ("", STDERR, "`buildctl dial-stdio` ended with 127: buildctl not found", "moby/buildkit"),
        ("", b"", "`buildctl dial-stdio` ended with 127", "moby/buildkit"),
        ("", b"no frames at all", "`buildctl dial-stdio` ended with 127", "moby/buildkit"),
    ] {
        let (address, _serving, _directory) = docker(created, stream);
        let error = Connection::open(&address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the builder in the container `b0`: {said}"));
        assert!(error.hint().unwrap().contains(hint), "{error:?}");
    }
    let address = Address::Exec { socket: "/nowhere/docker.sock".into(), container: "b0".into() };
    let error = Connection::open(&address).await.unwrap_err();
    assert_eq!(error.to_string(), "the daemon's socket `unix:///nowhere/docker.sock` does not exist");
}
