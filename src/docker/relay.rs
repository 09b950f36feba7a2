//! The relay: a small process on the host's network that carries connections from a Unix socket to one
//! port of the host's loopback.
//!
//! It is this same program, started as `docker-push-action relay DIRECTORY HOST:PORT` in a helper container
//! that [`super::reach_loopback_telling`] makes. Two sockets are in the directory that both sides see: on
//! `lifeline.sock` the starter listens and the relay reports, in one line, `ready` or why not; on
//! `registry.sock` the relay listens. When the lifeline ends, for whatever reason, the relay ends. It connects
//! to nothing but loopback, reads nothing of what it carries, and prints nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::model::{RegistryHost, text};

/// The starter's socket in the shared directory.
pub(super) const LIFELINE: &str = "lifeline.sock";
/// The relay's socket in the shared directory.
pub(super) const REGISTRY: &str = "registry.sock";
/// What the relay reports when it can carry.
pub(super) const READY: &str = "ready";

/// Connections that are carried at the same time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// For connecting to a port of the same machine.
const CONNECT: Duration = Duration::from_secs(2);

/// Runs the relay with the arguments after `relay` until its lifeline ends or it is told to stop.
///
/// # Errors
/// Why it did not start, which a person reads.
pub async fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let expected = "expected `relay DIRECTORY HOST:PORT`, with a loopback host";
    let [directory, registry] = arguments else { bail!(expected) };
    let registry = RegistryHost::parse(registry).context(expected)?;
    let addresses = loopback_addresses(&registry).context(expected)?;
    let directory = Path::new(directory);

    let path = directory.join(LIFELINE);
    let mut lifeline = UnixStream::connect(&path).await.with_context(|| cannot_use(&path))?;
    let started = start(directory, &addresses).await;
    let report =
        started.as_ref().map_or_else(|error| text::line(&format!("{error:#}")), |_| READY.to_owned());
    let reported = lifeline.write_all(format!("{report}\n").as_bytes()).await;
    let listener = started?;
    if reported.is_err() {
        // Whoever started us is gone.
        return Ok(());
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    tokio::select! {
        () = ended(&mut lifeline) => {}
        _ = terminate.recv() => {}
        () = carry_all(&listener, &addresses) => {}
    }
    Ok(())
}

/// The addresses that a loopback host means, `None` for any other host.
pub(super) fn loopback_addresses(registry: &RegistryHost) -> Option<Vec<SocketAddr>> {
    let port = registry.port().unwrap_or(80);
    let addresses = match registry.name().parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    registry
        .is_loopback()
        .then(|| addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// Connects to the first address that takes a connection.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut said = Vec::new();
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => said.push(format!("{address}: {error}")),
            Err(_) => said.push(format!("{address}: no answer within {} s", CONNECT.as_secs())),
        }
    }
    Err(said.join("; "))
}

/// Tries the registry once, so that one that is not there is told at once, and listens.
async fn start(directory: &Path, addresses: &[SocketAddr]) -> anyhow::Result<UnixListener> {
    connect(addresses).await.map_err(anyhow::Error::msg)?;
    let path = directory.join(REGISTRY);
    UnixListener::bind(&path).with_context(|| cannot_use(&path))
}

fn cannot_use(path: &Path) -> String {
    format!("cannot use `{}`", path.display())
}

/// Waits for the other end to go away; what it sends means nothing.
async fn ended(lifeline: &mut UnixStream) {
    let mut nothing = [0; 64];
    while matches!(lifeline.read(&mut nothing).await, Ok(1..)) {}
}

async fn carry_all(listener: &UnixListener, addresses: &[SocketAddr]) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(carry(stream, addresses.to_vec()));
                }
                // Too many open files: the next end of a connection frees one.
                Err(_) => tokio::task::yield_now().await,
            },
            // A connection that broke is its two ends' matter: they see it.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut from: UnixStream, addresses: Vec<SocketAddr>) {
    if let Ok(mut to) = connect(&addresses).await {
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback() {
        let addresses = |text: &str| {
            let found = loopback_addresses(&RegistryHost::parse(text).unwrap());
            found.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let list = |texts: &[&str]| Some(texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(addresses("localhost:5000"), list(&["127.0.0.1:5000", "[::1]:5000"]));
        assert_eq!(addresses("127.0.0.2:5000"), list(&["127.0.0.2:5000"]));
        assert_eq!(addresses("[::1]:5000"), list(&["[::1]:5000"]));
        assert_eq!(addresses("ghcr.io"), None);
        assert_eq!(addresses("10.0.0.1:5000"), None);
    }

    async fn echo_server() -> (SocketAddr, JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            }
        });
        (address, serving)
    }

    #[tokio::test]
    async fn carries_until_the_lifeline_ends() {
        let (address, _serving) = echo_server().await;
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(LIFELINE)).unwrap();
        let arguments = [directory.path().display().to_string(), address.to_string()];
        let mut relay = JoinSet::new();
        relay.spawn(async move { serve(&arguments).await });
        let (mut lifeline, _) = listener.accept().await.unwrap();
        let mut line = [0; 6];
        lifeline.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"ready\n");
        for _ in 0..3 {
            let mut stream = UnixStream::connect(directory.path().join(REGISTRY)).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).await.unwrap();
            assert_eq!(back, b"ping");
        }
        drop(lifeline);
        relay.join_next().await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn says_why_it_cannot() {
        // A port that was just free.
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(LIFELINE)).unwrap();
        let arguments = [directory.path().display().to_string(), free.to_string()];
        let mut relay = JoinSet::new();
        relay.spawn(async move { serve(&arguments).await });
        let (mut lifeline, _) = listener.accept().await.unwrap();
        let mut said = String::new();
        lifeline.read_to_string(&mut said).await.unwrap();
        assert!(said.contains("refused"), "{said}");
        assert!(relay.join_next().await.unwrap().unwrap().is_err());
        for bad in [&["x"][..], &["/tmp", "ghcr.io"], &["/tmp", "10.0.0.1:80"], &["/tmp", "//"]] {
            let arguments: Vec<String> = bad.iter().map(ToString::to_string).collect();
            let why = serve(&arguments).await.unwrap_err().to_string();
            assert!(why.starts_with("expected `relay DIRECTORY HOST:PORT`"), "{bad:?}: {why}");
        }
    }
}
