//! The real registries, started on loopback for one test each. They are brought by `tests/parts/fetch registries`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use docker_push_action::model::{Credentials, Dial, RegistryHost, Repository, Secret};
use docker_push_action::net::Network;
use docker_push_action::net::tls::Trust;
use docker_push_action::registry::{RegistryClient, Timeouts};
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;

use super::tokens::TokenServer;

/// Whose program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// distribution 2.8, as Debian has it.
    Debian,
    /// distribution 3.
    Distribution,
    /// go-containerregistry's, with the referrers API or without.
    Go { referrers: bool },
}

/// What it asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Open,
    Basic,
    Token,
}

/// Which registry a test wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub make: Make,
    pub door: Door,
    pub tls: bool,
    pub delete: bool,
}

pub const USER: &str = "octo";
pub const PASSWORD: &str = "hunter2";
/// bcrypt of the password.
const HTPASSWD: &str = "octo:$2y$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n";

/// An authority of this test with a certificate for the registry and its token server.
pub struct Tls {
    pub config: rustls::ServerConfig,
    /// Holds `ca.crt`, `cert.pem`, `key.pem`.
    pub directory: TempDir,
}

impl Tls {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let names = ["registry.test", "localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        write("ca.crt", ca.pem());
        write("cert.pem", made.pem());
        write("key.pem", key.serialize_pem());
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        Self { config, directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Believes this authority only.
    pub fn network(&self) -> Network {
        let file = self.path("ca.crt").display().to_string();
        Network::from_variables(&[("SSL_CERT_FILE".to_owned(), file)].into())
    }
}

/// A registry that runs; it ends with this value.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    pub tls: Option<Tls>,
    pub wanted: Wanted,
    /// Its own tokens' server.
    _tokens: Option<TokenServer>,
    directory: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the parts are.
#[allow(clippy::disallowed_methods, reason = "said by whoever runs the tests")]
fn parts() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts");
    std::env::var_os("PARTS").map_or(here, PathBuf::from)
}

fn program(make: Make) -> Option<PathBuf> {
    let path = parts().join(match make {
        Make::Debian => "debian/registry/usr/bin/docker-registry",
        Make::Distribution => "go/distribution/bin/registry",
        Make::Go { .. } => "go/ggcr/bin/ggcr",
    });
    path.exists().then_some(path)
}

impl Running {
    /// Starts it; `None`, and says so, where its part was not fetched. With `REQUIRE_PARTS`, as in `make test`, that is
    /// a failure.
    #[allow(clippy::disallowed_methods, reason = "said by whoever runs the tests")]
    pub async fn start(wanted: Wanted) -> Option<Self> {
        let Some(program) = program(wanted.make) else {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let why = format!("no part for {:?}: `tests/parts/fetch registries` brings it", wanted.make);
            assert!(std::env::var_os("REQUIRE_PARTS").is_none(), "{why}");
            // Past the capture of the test harness.
            let _ = writeln!(std::io::stderr(), "not run: {test}: {why}");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let tls = wanted.tls.then(Tls::new);
        let tokens = match wanted.door {
            Door::Token => Some(TokenServer::start(tls.as_ref().map(|tls| tls.config.clone())).await),
            Door::Open | Door::Basic => None,
        };
        let mut command = Command::new(program);
        match wanted.make {
            Make::Go { referrers } => {
                command.arg(format!("-referrers={referrers}"));
            }
            Make::Debian | Make::Distribution => {
                let config = config(wanted, directory.path(), tls.as_ref(), tokens.as_ref());
                let file = directory.path().join("config.yml");
                std::fs::write(&file, config).unwrap();
                command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
            }
        }
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running = Self { child, address, tls, wanted, _tokens: tokens, directory };
        // It has chosen its port, and says so once it listens.
        let deadline = Instant::now() + Duration::from_mins(2);
        running.address = loop {
            if let Some(address) = running.listening_on() {
                break address;
            }
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{wanted:?}: {}", running.log());
            std::thread::park_timeout(Duration::from_millis(5));
        };
        Some(running)
    }

    fn listening_on(&self) -> Option<SocketAddr> {
        let log = self.log();
        let (_, rest) = log.split_once("listening on ")?;
        let (address, _) =
            rest.split_once(|after: char| !(after.is_ascii_digit() || ".:".contains(after)))?;
        address.parse().ok()
    }

    /// Uploads that nobody has ended, where the registry keeps them as files.
    pub fn open_uploads(&self, path: &str) -> usize {
        let place = format!("store/docker/registry/v2/repositories/{path}/_uploads");
        let entries = std::fs::read_dir(self.directory.path().join(place));
        // distribution writes a hash once more after it has removed all else.
        let open = |entry: &std::fs::DirEntry| entry.path().join("startedat").exists();
        entries.map_or(0, |entries| entries.flatten().filter(open).count())
    }

    /// Lets it throw away what no tag leads to; `false` where it has nothing that does so and follows indexes.
    pub fn reap(&self) -> bool {
        if self.wanted.make != Make::Distribution {
            return false;
        }
        let reaped = Command::new(program(self.wanted.make).unwrap())
            .args(["garbage-collect", "--delete-untagged"])
            .arg(self.directory.path().join("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .output()
            .unwrap();
        assert!(reaped.status.success(), "{}", String::from_utf8_lossy(&reaped.stderr));
        true
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub fn host(&self) -> RegistryHost {
        RegistryHost::parse(&format!("localhost:{}", self.address.port())).unwrap()
    }

    pub fn repository(&self, path: &str) -> Repository {
        Repository::new(self.host(), path).unwrap()
    }

    pub fn network(&self) -> Network {
        self.tls.as_ref().map_or_else(Network::default, Tls::network)
    }

    /// A client with the right login, if there is any.
    pub fn client(&self) -> RegistryClient {
        self.client_with((self.wanted.door != Door::Open).then_some(PASSWORD))
    }

    pub fn client_with(&self, password: Option<&str>) -> RegistryClient {
        let login = password.map(|password| Credentials::new(self.host(), USER, Secret::new(password)));
        RegistryClient::within(
            &self.network(),
            self.host(),
            login.as_ref(),
            Dial::Direct,
            Timeouts::default(),
        )
    }

    /// The same, that trusts what Docker would trust this registry for.
    pub fn client_of_docker_certs(&self, directory: &Path) -> RegistryClient {
        let trust = Trust::default().with_registries(directory.to_owned());
        let network = Network { trust, ..Network::default() };
        RegistryClient::within(&network, self.host(), None, Dial::Direct, Timeouts::default())
    }
}

fn config(wanted: Wanted, directory: &Path, tls: Option<&Tls>, tokens: Option<&TokenServer>) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "version: 0.1\nlog: {{ level: info, accesslog: {{ disabled: true }} }}\n\
         storage: {{ filesystem: {{ rootdirectory: {} }}, delete: {{ enabled: {} }}, maintenance: {{ uploadpurging: {{ enabled: false }} }} }}\n\
         http: {{ addr: \"127.0.0.1:0\", secret: secret",
        directory.join("store").display(),
        wanted.delete
    );
    if let Some(tls) = tls {
        let (certificate, key) = (tls.path("cert.pem"), tls.path("key.pem"));
        let _ = write!(text, ", tls: {{ certificate: {}, key: {} }}", certificate.display(), key.display());
    }
    text.push_str(" }\n");
    match (wanted.door, tokens) {
        (Door::Basic, _) => {
            let file = directory.join("htpasswd");
            std::fs::write(&file, HTPASSWD).unwrap();
            let _ = writeln!(text, "auth: {{ htpasswd: {{ realm: test, path: {} }} }}", file.display());
        }
        (Door::Token, Some(tokens)) => {
            let bundle = directory.join("tokens.pem");
            std::fs::write(&bundle, &tokens.certificate).unwrap();
            let _ = writeln!(
                text,
                "auth: {{ token: {{ realm: \"{}\", service: test-registry, issuer: test-issuer, rootcertbundle: {} }} }}",
                tokens.realm,
                bundle.display()
            );
        }
        _ => {}
    }
    text
}
