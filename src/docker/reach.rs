//! A way to a registry on the loopback that the daemon sees and we may not.
//!
//! Tried in order: the address itself; the gateways of our networks, if a registry answers there; a helper
//! container made of our own image that shares the host's network and relays to that one port. The helper
//! has no capabilities, no writable file system but one directory, no secret in its environment or
//! arguments. It ends when its lifeline does, with [`Reached`] or with this process, however that happened, and
//! the daemon removes it then.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::connection::DaemonClient;
use super::error::DockerError;
use super::helper::{Helper, RelayOptions};
use super::own_container::OwnContainer;
use super::relay;
use crate::model::{Dial, RegistryHost, text};

/// A way that works, for as long as this lives.
#[derive(Debug)]
pub struct Reached {
    /// How to connect.
    pub dial: Dial,
    helper: Option<Helper>,
}

/// One way that was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The way.
    pub way: String,
    /// What was said.
    pub said: String,
}

/// No way works.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the registry `{registry}`: {}", list(.tried))]
pub struct ReachError {
    /// The registry.
    pub registry: RegistryHost,
    /// What was tried, in order.
    pub tried: Vec<Tried>,
}

fn list(tried: &[Tried]) -> String {
    tried.iter().map(|one| format!("{}: {}", one.way, one.said)).collect::<Vec<_>>().join("; ")
}

/// For a gateway of a bridge on this machine to answer.
const GATEWAY: Duration = Duration::from_millis(500);

/// Finds a way to a loopback registry. Any other registry is reached directly: nothing is tried. The daemon behind
/// `socket` is asked only when the registry does not answer where we are; `slow` is called when a helper container has to
/// be started, which takes its time.
pub async fn reach_loopback_telling(
    registry: &RegistryHost,
    socket: &Path,
    options: &RelayOptions,
    slow: impl FnOnce(),
) -> Result<Reached, ReachError> {
    let mut tried = Vec::new();
    let own = match as_it_is(registry, socket, &mut tried).await {
        Ok(dial) => return Ok(Reached { dial, helper: None }),
        Err(own) => own,
    };
    if let Some((daemon, own)) = own {
        slow();
        match Helper::start(registry, &daemon, &own, options).await {
            Ok(helper) => {
                return Ok(Reached { dial: Dial::Socket(helper.socket()), helper: Some(helper) });
            }
            Err(said) => {
                let way = "through a helper container on the host's network".into();
                tried.push(Tried { way, said });
            }
        }
    }
    Err(ReachError { registry: registry.clone(), tried })
}

/// The same without starting anything.
pub async fn reach_loopback_as_it_is(registry: &RegistryHost, socket: &Path) -> Result<Dial, ReachError> {
    let mut tried = Vec::new();
    let reached = as_it_is(registry, socket, &mut tried).await;
    reached.map_err(|_| ReachError { registry: registry.clone(), tried })
}

/// A way that is there; otherwise the container that we are, if a helper beside it could see more.
async fn as_it_is(
    registry: &RegistryHost,
    socket: &Path,
    tried: &mut Vec<Tried>,
) -> Result<Dial, Option<(DaemonClient, OwnContainer)>> {
    let Some(addresses) = relay::loopback_addresses(registry) else { return Ok(Dial::Direct) };
    let mut failed = |way: String, said: String| tried.push(Tried { way, said });
    match relay::connect(&addresses).await {
        Ok(_) => return Ok(Dial::Direct),
        Err(said) => failed("directly".into(), said),
    }
    let asked = async {
        let daemon = DaemonClient::connect(socket).await?;
        let own = daemon.own_container().await?;
        Ok::<_, DockerError>(own.map(|own| (daemon, own)))
    };
    let own = asked.await.unwrap_or_else(|error| {
        failed("through our own container's network".into(), error.to_string());
        None
    });
    let own = own.filter(|(_, own)| !own.host_network);
    for gateway in own.iter().flat_map(|(_, own)| &own.gateways) {
        let address = SocketAddr::new(*gateway, addresses[0].port());
        match answers_as_registry(address, registry).await {
            Ok(()) => return Ok(Dial::Address(address)),
            Err(said) => failed(format!("through the gateway `{address}`"), said),
        }
    }
    Err(own)
}

/// A way that is there: nothing had to be started for it.
impl From<Dial> for Reached {
    fn from(dial: Dial) -> Self {
        Self { dial, helper: None }
    }
}

impl Reached {
    /// Ends the helper, if there is one, without waiting for its removal: as dropping does.
    pub fn close(self) {}

    /// The id of the helper's container, if there is one.
    pub fn helper(&self) -> Option<&str> {
        self.helper.as_ref().map(Helper::container)
    }
}

/// Asks for `/v2/`, without anything secret, and looks whether it is a registry that answers.
async fn answers_as_registry(address: SocketAddr, registry: &RegistryHost) -> Result<(), String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /v2/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", registry.as_str());
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let mut stream = stream.take(8 * 1024);
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && stream.read_buf(&mut head).await? > 0 {}
        Ok::<_, std::io::Error>(head)
    };
    match tokio::time::timeout(GATEWAY, ask).await {
        Ok(Ok(head)) if is_registry_head(&head) => Ok(()),
        Ok(Ok(_)) => Err("something answers, but no registry".into()),
        Ok(Err(error)) => Err(text::line(&error.to_string())),
        Err(_) => Err(format!("no answer within {} ms", GATEWAY.as_millis())),
    }
}

/// `200` or `401`, with a header that tells a registry from any web server.
fn is_registry_head(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("http/1.")?.split(' ').nth(1));
    let has = |name: &str| lines.clone().any(|line| line.starts_with(name));
    matches!(status, Some("200" | "401"))
        && (has("docker-distribution-api-version:") || has("www-authenticate:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_from_web_servers() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n", true),
            ("HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic realm=x\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", false),
            ("HTTP/1.1 404 Not Found\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n", false),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_registry_head(head.as_bytes()), expected, "{head}");
        }
    }

    #[test]
    fn an_error_says_every_way() {
        let tried = |way: &str, said: &str| Tried { way: way.into(), said: said.into() };
        let error = ReachError {
            registry: RegistryHost::parse("localhost:5000").unwrap(),
            tried: vec![
                tried("directly", "refused"),
                tried("through the gateway `172.17.0.1:5000`", "refused"),
            ],
        };
        assert_eq!(
            error.to_string(),
            "cannot reach the registry `localhost:5000`: directly: refused; \
             through the gateway `172.17.0.1:5000`: refused"
        );
    }
}
