//! How a registry is spoken to.

/// What is spoken with a registry that is not on loopback. Anything but [`Self::Https`] was allowed for that very host, by
/// the configuration of the builder that pushes there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistryProtocol {
    /// HTTPS, with a certificate that is believed.
    #[default]
    Https,
    /// HTTPS with whatever certificate it shows: nobody can tell who answers.
    Unverified,
    /// HTTP without TLS: what is sent, logins included, can be read on the way.
    Plain,
    /// HTTPS with whatever certificate it shows; HTTP if it speaks no TLS.
    UnverifiedOrPlain,
}

impl RegistryProtocol {
    /// As BuildKit and the Docker daemon mean their switches.
    pub fn allowed(plain: bool, unverified: bool) -> Self {
        match (plain, unverified) {
            (false, false) => Self::Https,
            (false, true) => Self::Unverified,
            (true, false) => Self::Plain,
            (true, true) => Self::UnverifiedOrPlain,
        }
    }

    /// Whether its certificate is taken whatever it is.
    pub fn is_unverified(self) -> bool {
        matches!(self, Self::Unverified | Self::UnverifiedOrPlain)
    }
}
