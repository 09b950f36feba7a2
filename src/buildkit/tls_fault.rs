//! What stands between us and a builder that speaks TLS, told apart by whose certificate it is about, from rustls's errors.

use rustls::{AlertDescription, CertificateError, InvalidMessage};

use crate::model::{Tls, text};

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
    pub(super) fn hint(&self) -> Option<&'static str> {
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
    pub(super) fn of(error: &rustls::Error, tls: Option<&Tls>) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_in_words() {
        assert_eq!(words(AlertDescription::UnknownCA), "unknown authority");
        assert_eq!(words(AlertDescription::CertificateExpired), "certificate expired");
        assert_eq!(plain("DnsName(\"builder\")"), "builder");
    }
}
