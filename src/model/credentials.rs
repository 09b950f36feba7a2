//! A login at a registry.

use super::{RegistryHost, Secret};

/// A login, for one registry host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The host that may see it.
    pub registry: RegistryHost,
    /// The user name.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}
