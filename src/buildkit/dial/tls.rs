//! TLS to a builder: our side's certificate and trust, and the reasons of a failed handshake told apart by whose
//! certificate it was about.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{Tls, text};
use crate::net::tls::{system_roots, trusting};

/// What stands between us and a builder that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// What we were given cannot be used; nobody was asked.
    #[error("{0}")]
    Ours(String),
    /// It wants a certificate of ours, and we have none.
    #[error("it demands a client certificate, and none was given")]
    OursMissing,
    /// It does not take our certificate.
    #[error("it refuses our client certificate ({0})")]
    OursRefused(String),
    /// We do not know who signed its certificate.
    #[error("its certificate is signed by nobody that {}", if *.system { "this system trusts" } else { "the given `cacert` names" })]
    Untrusted {
        /// The system's authorities were asked, none were given.
        system: bool,
    },
    /// Its certificate is somebody else's.
    #[error("its certificate is not valid for `{expected}`, only for {}", .presented.join(", "))]
    WrongName {
        /// The name that it should have.
        expected: String,
        /// The names that it has.
        presented: Vec<String>,
    },
    /// Its certificate was valid once.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate will be valid.
    #[error("its certificate is not valid yet")]
    NotYet,
    /// Anything else with its certificate.
    #[error("its certificate cannot be believed: {0}")]
    Theirs(String),
    /// It speaks something else.
    #[error("it does not speak TLS")]
    NotSpoken,
    /// We speak plain HTTP/2, and it wants TLS.
    #[error("it demands TLS")]
    Demanded,
    /// It hung up in the handshake.
    #[error("it closed the connection during the TLS handshake")]
    HungUp,
    /// Anything else.
    #[error("TLS: {0}")]
    Other(String),
}

impl TlsFault {
    /// What to change, when that is known.
    pub(in crate::buildkit) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::OursMissing => {
                "give `cert=` and `key=` with its address in `builder`: a certificate that the builder's authority has \
                 signed, and its key"
            }
            Self::OursRefused(_) => {
                "the `cert=` in `builder` must be signed by the authority that buildkitd was given as `--tlscacert`, and \
                 still be valid"
            }
            Self::Untrusted { .. } => {
                "the `cacert=` in `builder` must be the authority that signed the builder's certificate"
            }
            Self::WrongName { .. } => {
                "is it the right address? else give the certificate's name as `servername=` in `builder`"
            }
            Self::Expired | Self::NotYet => {
                "renew the builder's certificate, and check both machines' clocks"
            }
            Self::NotSpoken => {
                "is the port right? a builder without TLS has no `cacert=`, `cert=` and `key=` in `builder`"
            }
            Self::Demanded => "give `cacert=`, `cert=` and `key=` with its address in `builder`",
            Self::Ours(_) => "the files of `builder` must be in PEM, and the key the certificate's own",
            Self::HungUp | Self::Theirs(_) | Self::Other(_) => return None,
        })
    }

    /// Why rustls ended a connection.
    pub(in crate::buildkit) fn of(error: &rustls::Error, tls: Option<&Tls>) -> Self {
        match error {
            rustls::Error::InvalidCertificate(fault) => certificate(fault, tls),
            rustls::Error::AlertReceived(alert) => alerted(*alert, tls),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotSpoken,
            other => Self::Other(text::line(&other.to_string())),
        }
    }
}

fn certificate(fault: &CertificateError, tls: Option<&Tls>) -> TlsFault {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsFault::NotYet,
        // A wrong authority of the right name shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            TlsFault::Untrusted { system: tls.is_none_or(|tls| tls.ca.is_none()) }
        }
        CertificateError::NotValidForNameContext { expected, presented } => TlsFault::WrongName {
            expected: expected.to_str().into_owned(),
            // Its author is a stranger: a few names, cleaned.
            presented: presented
                .iter()
                .take(5)
                .map(|name| format!("`{}`", text::name(&plain(name))))
                .collect(),
        },
        other => TlsFault::Theirs(text::line(&other.to_string())),
    }
}

/// `DnsName("builder")` as `builder`.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

/// What a server says when it ends the handshake: everything about certificates is about ours.
fn alerted(alert: AlertDescription, tls: Option<&Tls>) -> TlsFault {
    use AlertDescription as Alert;
    let ours = tls.is_some_and(|tls| tls.certificate.is_some());
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => TlsFault::OursMissing,
        Alert::BadCertificate if !ours => TlsFault::OursMissing,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => TlsFault::OursRefused(words(alert)),
        // The authority that it knows has the right name and the wrong key.
        Alert::DecryptError if ours => TlsFault::OursRefused(words(alert)),
        other => TlsFault::Other(format!("it answers \"{}\"", words(other))),
    }
}

/// `CertificateExpired` as `certificate expired`.
fn words(alert: AlertDescription) -> String {
    let name = format!("{alert:?}");
    let mut words = String::new();
    for (at, c) in name.char_indices() {
        let after_small = at > 0 && name[..at].ends_with(|before: char| before.is_lowercase());
        if c.is_uppercase() && after_small {
            words.push(' ');
        }
        words.push(c);
    }
    words.to_lowercase().replace(" ca", " authority")
}

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
        let invalid = |_| ours(format!("`{name}` can be no name in a certificate"));
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
        Err(error) => Err(TlsFault::Ours(text::line(&format!("`{what}` is no PEM: {error}")))),
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
            (tls(&pem, None, None), "a b", "can be no name"),
        ] {
            let found = refused(&tls, host);
            assert!(found.contains(said), "{host}: {found}, not {said}");
            assert!(!found.contains("PRIVATE KEY---") && !found.contains(&key[40..60]), "{found}");
        }
    }

    #[test]
    fn alerts_in_words() {
        assert_eq!(words(AlertDescription::UnknownCA), "unknown authority");
        assert_eq!(words(AlertDescription::CertificateExpired), "certificate expired");
        assert_eq!(plain("DnsName(\"builder\")"), "builder");
    }
}
