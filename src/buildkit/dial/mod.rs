//! Ways to a BuildKit: each gives one stream of bytes on which HTTP/2 can begin, and a witness of what goes wrong
//! below it.
//!
//! | file | owns |
//! |---|---|
//! | `docker` | a Docker daemon's HTTP API: upgrades and short calls |
//! | `exec` | the standard streams of `buildctl dial-stdio` in a container |
//! | `tcp`, `tls` | the network; whose certificate was not believed |
//! | `witness` | what a connection showed below HTTP/2, which loses the reason when it breaks |

mod docker;
mod exec;
mod tcp;
mod tls;
mod witness;

use std::io;
use std::path::Path;
use std::time::Duration;

use http::HeaderMap;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

pub(super) use witness::{Seen, Witness};

use super::address::Address;
use super::connect_error::ConnectError;
use super::tls_fault::TlsFault;
use crate::model::text;
use witness::Watched;

/// Longest wait for a Docker daemon: it may be busy with other things.
const DAEMON_PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for a builder to be reached, TLS included, and to answer a first call.
const BUILDER_PATIENCE: Duration = Duration::from_secs(5);

/// What a connection is made of, whichever way it was made.
pub(super) trait Io: hyper::rt::Read + hyper::rt::Write + Send + Unpin {}
impl<T: hyper::rt::Read + hyper::rt::Write + Send + Unpin> Io for T {}

/// How long opening a connection may take, from the first packet to the first answer.
pub(super) fn patience(address: &Address) -> Duration {
    match address {
        Address::DockerSocket(_) | Address::Exec { .. } => DAEMON_PATIENCE,
        Address::BuildkitSocket(_) | Address::Tcp { .. } => BUILDER_PATIENCE,
    }
}

/// Goes there. For a Docker daemon `path` and `headers` are those of the upgrade; elsewhere they mean nothing.
/// Unbounded in time.
pub(super) async fn dial(
    address: &Address,
    path: &'static str,
    headers: &HeaderMap,
    witness: &Witness,
) -> Result<Box<dyn Io>, ConnectError> {
    match address {
        Address::DockerSocket(socket) => docker::upgrade_to_h2c(socket, path, headers).await,
        Address::BuildkitSocket(socket) => {
            let stream = unix(socket, address).await?;
            Ok(Box::new(TokioIo::new(Watched::new(stream, witness.clone()))))
        }
        Address::Exec { socket, container } => exec::start(address, socket, container, witness).await,
        Address::Tcp { host, port, tls } => tcp::connect(address, host, *port, tls.as_deref(), witness).await,
    }
}

/// Why a connection to a builder broke before its first answer: what lies below HTTP/2 often knows it better than `message`,
/// which is HTTP/2's.
pub(super) async fn broken(address: &Address, seen: &Seen, message: &str) -> ConnectError {
    /// A TLS record that carries an alert, of any version.
    const ALERT: &[u8] = &[0x15, 0x03];
    let (shown, address) = (address, address.clone());
    if let Some(error) = &seen.tls {
        let tls = match shown {
            Address::Tcp { tls, .. } => tls.as_deref(),
            _ => None,
        };
        return ConnectError::Tls { address, fault: TlsFault::of(error, tls) };
    }
    if seen.first.starts_with(ALERT) {
        return ConnectError::Tls { address, fault: TlsFault::Demanded };
    }
    if seen.first.starts_with(b"HTTP/") {
        return ConnectError::NotBuildkit { address, said: "it answers as a web server does".into() };
    }
    if matches!(shown, Address::Exec { .. }) {
        let (exit_code, said) =
            (exit_code(shown, seen).await, text::lines(&String::from_utf8_lossy(&seen.stderr)));
        return ConnectError::ExecEnded { address, exit_code, said };
    }
    if seen.first.is_empty() {
        return ConnectError::HungUp { address };
    }
    let why = seen.failed.as_deref().unwrap_or(message);
    ConnectError::NotBuildkit { address, said: format!("the connection breaks ({})", text::line(why)) }
}

/// How the program in a container ended that carried this connection, if there is one and it did.
async fn exit_code(address: &Address, seen: &Seen) -> Option<i64> {
    match (address, &seen.exec) {
        (Address::Exec { socket, .. }, Some(id)) => exec::exit_code(socket, id).await,
        _ => None,
    }
}

async fn unix(path: &Path, address: &Address) -> Result<UnixStream, ConnectError> {
    UnixStream::connect(path).await.map_err(|error| unreachable(path, address, error))
}

/// The file system's part of the answer: `connect` says "refused" for a directory too.
fn unreachable(path: &Path, address: &Address, error: io::Error) -> ConnectError {
    let address = address.clone();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => ConnectError::Directory { address },
        _ => match error.kind() {
            io::ErrorKind::NotFound => ConnectError::Missing { address },
            io::ErrorKind::PermissionDenied => ConnectError::Denied { address },
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
            _ => ConnectError::Socket { address, source: error },
        },
    }
}
