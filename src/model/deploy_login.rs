//! What deployments prove to this GitHub server that they may write with.

use super::Secret;

/// A login for the repositories that say which image an environment runs. It goes to this GitHub server's API only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployLogin {
    /// A token.
    Token(Secret),
    /// An App, whose key buys a token for exactly the repositories that are written to.
    App {
        /// Its id, or its client id.
        id: String,
        /// Its private key, PEM.
        key: Secret,
    },
}
