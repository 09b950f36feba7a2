//! What TLS connections have in common: one provider of cryptography, and whose certificates are believed.
//!
//! The authorities are the system's; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others in their place, as OpenSSL and Go
//! have it. A registry's own, `/etc/docker/certs.d/HOST/*.crt`, count besides them and for that registry only, as
//! Docker has it; inside the action's container that directory is seen only if somebody mounts it. A registry of which
//! somebody has said that its certificate does not matter is believed without one, that host alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Where certificate authorities are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
    /// With a directory for each registry.
    registries: Option<PathBuf>,
}

/// Where Docker keeps what it trusts a registry for.
const DOCKER: &str = "/etc/docker/certs.d";
/// Files of one registry that are read.
const MAX_FILES: usize = 64;

impl Trust {
    /// From the variables of the environment.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let directories = get("SSL_CERT_DIR").map(|list| std::env::split_paths(list).collect());
        Self {
            file: get("SSL_CERT_FILE").map(PathBuf::from),
            directories: directories.unwrap_or_default(),
            registries: Some(DOCKER.into()),
        }
    }

    /// The same with another place for the registries' own.
    #[must_use]
    pub fn with_registries(self, directory: PathBuf) -> Self {
        Self { registries: Some(directory), ..self }
    }

    /// The authorities for this registry, `HOST` or `HOST:PORT`, or for another server, or why there are none.
    pub fn roots(&self, registry: Option<&str>) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let of_registry = self.registries.as_ref().zip(registry).map(|(all, registry)| all.join(registry));
        for file in of_registry.iter().flat_map(|directory| files(directory)) {
            let found = rustls_native_certs::load_certs_from_paths(Some(&file), None);
            if let Some(error) = found.errors.first() {
                return Err(format!("`{}` cannot be read: {error}", file.display()));
            }
            roots.add_parsable_certificates(found.certs);
        }
        let own = !roots.is_empty();
        match self.named() {
            None => match system_roots() {
                Ok(system) => roots.extend(system.roots),
                Err(why) if !own => return Err(why),
                Err(_) => {}
            },
            Some(named) => {
                let (certificates, error) = named;
                roots.add_parsable_certificates(certificates);
                if roots.is_empty() {
                    let why = error.unwrap_or_else(|| "no certificate in them".into());
                    return Err(format!("`SSL_CERT_FILE` and `SSL_CERT_DIR` name no authority: {why}"));
                }
            }
        }
        Ok(roots)
    }

    /// What the variables name, if they do, and the first trouble with it.
    fn named(&self) -> Option<(Vec<CertificateDer<'static>>, Option<String>)> {
        let file = self.file.iter().map(|file| (Some(file.as_path()), None));
        let directories = self.directories.iter().map(|directory| (None, Some(directory.as_path())));
        let places: Vec<(Option<&Path>, Option<&Path>)> = file.chain(directories).collect();
        if places.is_empty() {
            return None;
        }
        let (mut certificates, mut error) = (Vec::new(), None);
        for (file, directory) in places {
            let found = rustls_native_certs::load_certs_from_paths(file, directory);
            certificates.extend(found.certs);
            error = error.or_else(|| found.errors.first().map(ToString::to_string));
        }
        Some((certificates, error))
    }
}

/// The `*.crt` of a directory, in the order of their names; a directory that cannot be read has none.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().take(MAX_FILES).flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "crt"))
        .collect();
    files.sort();
    files
}

/// The system's certificate authorities, or why there are none. They are read once: a system has hundreds of files.
pub fn system_roots() -> Result<RootCertStore, String> {
    static READ: OnceLock<Result<RootCertStore, String>> = OnceLock::new();
    READ.get_or_init(read_system_roots).clone()
}

fn read_system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".into(), ToString::to_string);
        return Err(format!("no certificate authorities on this system ({why})"));
    }
    Ok(roots)
}

/// A client that trusts these authorities; whether it shows a certificate of its own is still open.
pub fn trusting(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots))
}

/// A client that takes whatever certificate a server shows. Only for a server of which somebody has said that it be so:
/// nobody can tell who answers.
pub fn trusting_anybody() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    Ok(versions.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))))
}

/// Takes any certificate; the handshake is still to be signed with its key, as in Go with `InsecureSkipVerify`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
