//! The way over the network: a connection, and TLS on it.

use hyper_util::rt::TokioIo;

use super::super::address::Address;
use super::super::connect_error::ConnectError;
use super::witness::{Watched, Witness};
use super::{Io, tls};
use crate::model::{Tls, text};
use crate::net::{self, ConnectFault};

/// Connects, and proves who both sides are when the address says so.
pub(super) async fn connect(
    address: &Address,
    host: &str,
    port: u16,
    tls: Option<&Tls>,
    witness: &Witness,
) -> Result<Box<dyn Io>, ConnectError> {
    // What is wrong with our own files, we say before anybody is asked.
    let client = tls.map(|tls| tls::Client::new(tls, host)).transpose();
    let client = client.map_err(|fault| ConnectError::Tls { address: address.clone(), fault })?;
    witness.stage("connecting");
    let stream = net::connect(host, port).await.map_err(|fault| match fault {
        ConnectFault::Name(why) => ConnectError::Name { address: address.clone(), said: text::line(&why) },
        ConnectFault::Refused(_) => ConnectError::Refused { address: address.clone() },
        ConnectFault::Other(_, source) => ConnectError::Socket { address: address.clone(), source },
    })?;
    let Some(client) = client else {
        witness.stage("asking for its version");
        return Ok(Box::new(TokioIo::new(Watched::new(stream, witness.clone()))));
    };
    witness.stage("TLS handshake");
    let stream = client.shake_hands(stream).await;
    let stream = stream.map_err(|fault| ConnectError::Tls { address: address.clone(), fault })?;
    witness.stage("asking for its version");
    Ok(Box::new(TokioIo::new(Watched::new(stream, witness.clone()))))
}
