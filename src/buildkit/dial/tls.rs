//! TLS to a builder: our side's certificate and trust, and the handshake.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::buildkit::tls_fault::TlsFault;
use crate::model::{Tls, text};
use crate::net::tls::{system_roots, trusting};

/// rustls sits inside an `io::Error`, maybe inside another one.
pub(super) fn inside(error: &io::Error) -> Option<&rustls::Error> {
    let mut inner = error.get_ref()?;
    while let Some(nested) = inner.downcast_ref::<io::Error>() {
        inner = nested.get_ref()?;
    }
    inner.downcast_ref()
}

/// Our side of a connection.
pub(super) struct Client<'a> {
    tls: &'a Tls,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<'a> Client<'a> {
    /// Reads the PEM.
    pub(super) fn new(tls: &'a Tls, host: &str) -> Result<Self, TlsFault> {
        let ours = |why: String| TlsFault::Ours(text::line(&why));
        let roots = match &tls.ca {
            None => system_roots().map_err(ours)?,
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem, "cacert")? {
                    let added = roots.add(certificate);
                    added.map_err(|error| ours(format!("`cacert` cannot be used: {error}")))?;
                }
                roots
            }
        };
        let client = trusting(roots).map_err(|error| ours(error.to_string()))?;
        let mut config = match (&tls.certificate, &tls.key) {
            (None, None) => client.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate, "cert")?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
                let key = key.map_err(|error| ours(format!("`key` holds no private key in PEM: {error}")))?;
                let config = client.with_client_auth_cert(chain, key);
                config.map_err(|error| ours(format!("`cert` and `key` cannot be used: {error}")))?
            }
            (Some(_), None) => return Err(ours("there is a `cert` without its `key`".into())),
            (None, Some(_)) => return Err(ours("there is a `key` without its `cert`".into())),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = tls.server_name.as_deref().unwrap_or(host);
        let invalid = |_| ours(format!("`{name}` cannot be a name in a certificate"));
        let name = ServerName::try_from(name.to_owned()).map_err(invalid)?;
        Ok(Self { tls, config: Arc::new(config), name })
    }

    /// The handshake. Whether the server takes our certificate may show only later.
    pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
    ) -> Result<TlsStream<S>, TlsFault> {
        let connected = TlsConnector::from(self.config).connect(self.name, stream).await;
        connected.map_err(|error| match (inside(&error), error.kind()) {
            (Some(tls), _) => TlsFault::of(tls, Some(self.tls)),
            (None, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => TlsFault::HungUp,
            (None, _) => TlsFault::Other(text::line(&error.to_string())),
        })
    }
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsFault::Ours(format!("`{what}` holds no certificate in PEM"))),
        Err(error) => Err(TlsFault::Ours(text::line(&format!("`{what}` is not PEM: {error}")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn refused(tls: &Tls, host: &str) -> String {
        match Client::new(tls, host) {
            Err(fault) => fault.to_string(),
            Ok(_) => "taken".into(),
        }
    }

    #[test]
    fn what_we_are_given() {
        let made = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap();
        let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls = |ca: &str, certificate: Option<&str>, key: Option<&str>| Tls {
            ca: Some(ca.into()),
            certificate: certificate.map(Into::into),
            key: key.map(Secret::new),
            server_name: None,
        };
        let other_key = other.signing_key.serialize_pem();
        for (tls, host, said) in [
            (tls(&pem, None, None), "b", "taken"),
            (tls(&pem, None, None), "10.0.0.1", "taken"),
            (tls(&pem, None, None), "fd00::1", "taken"),
            (tls(&pem, Some(&pem), Some(&key)), "b", "taken"),
            (tls("", None, None), "b", "`cacert` holds no certificate in PEM"),
            (tls(&key, None, None), "b", "`cacert` holds no certificate in PEM"),
            (tls(&pem, Some(&pem), Some(&pem)), "b", "`key` holds no private key"),
            (tls(&pem, Some(&pem), Some(&other_key)), "b", "`cert` and `key` cannot be used"),
            (tls(&pem, Some(&pem), None), "b", "without its `key`"),
            (tls(&pem, None, Some(&key)), "b", "without its `cert`"),
            (tls(&pem, None, None), "a b", "cannot be a name"),
        ] {
            let found = refused(&tls, host);
            assert!(found.contains(said), "{host}: {found}, not {said}");
            assert!(!found.contains("PRIVATE KEY---") && !found.contains(&key[40..60]), "{found}");
        }
    }
}
