//! A way to a registry on the loopback that the daemon sees and we may not.
//!
//! Tried in order: the address itself; the gateways of our networks, if a registry answers there; a helper
//! container made of our own image that shares the host's network and relays to that one port. The helper
//! has no capabilities, no writable file system but one directory, no secret in its environment or
//! arguments. It ends when its lifeline does, with [`Reached`] or with this process, however that happened, and
//! the daemon removes it then.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};

use super::connection::DaemonClient;
use super::error::{DockerError, clean};
use super::own_container::OwnContainer;
use super::relay;
use crate::model::{Dial, RegistryHost};

/// What a helper container needs to know about this run.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// The run's id, for the helper's label.
    pub run: String,
    /// Random, `[a-z0-9]`: names the helper and its directory.
    pub id: String,
    /// Directories of ours to make the shared one in, best first (`RUNNER_TEMP`); the first that the host sees is taken.
    pub directories: Vec<PathBuf>,
    /// Path of this program in its image.
    pub program: PathBuf,
    /// For the helper to start and report.
    pub timeout: Duration,
}

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
/// Where the helper sees the shared directory.
const SHARED: &str = "/relay";
/// Our label: the helper's role.
const LABEL_ROLE: &str = "docker-push-action.role";
/// Our label: the run that it belongs to.
const LABEL_RUN: &str = "docker-push-action.run";

/// Finds a way to a loopback registry. Any other registry is reached directly: nothing is tried.
pub async fn reach_loopback(
    registry: &RegistryHost,
    daemon: &DaemonClient,
    options: &RelayOptions,
) -> Result<Reached, ReachError> {
    let direct = Reached { dial: Dial::Direct, helper: None };
    let Some(addresses) = relay::loopback_addresses(registry) else { return Ok(direct) };
    let mut tried = Vec::new();
    let mut failed = |way: String, said: String| tried.push(Tried { way, said });

    match relay::connect(&addresses).await {
        Ok(_) => return Ok(direct),
        Err(said) => failed("directly".into(), said),
    }
    let own = match daemon.own_container().await {
        Ok(own) => own,
        Err(error) => {
            failed("through our own container's network".into(), error.to_string());
            None
        }
    };
    if let Some(own) = own.filter(|own| !own.host_network) {
        for gateway in &own.gateways {
            let address = SocketAddr::new(*gateway, addresses[0].port());
            match answers_as_registry(address, registry).await {
                Ok(()) => return Ok(Reached { dial: Dial::Address(address), helper: None }),
                Err(said) => failed(format!("through the gateway `{address}`"), said),
            }
        }
        match Helper::start(registry, daemon, &own, options).await {
            Ok(helper) => {
                return Ok(Reached {
                    dial: Dial::Socket(helper.directory.0.join(relay::REGISTRY)),
                    helper: Some(helper),
                });
            }
            Err(said) => failed("through a helper container on the host's network".into(), said),
        }
    }
    Err(ReachError { registry: registry.clone(), tried })
}

impl Reached {
    /// Ends the helper, if there is one, without waiting for its removal: as dropping does.
    pub fn close(self) {}

    /// The id of the helper's container, if there is one.
    pub fn helper(&self) -> Option<&str> {
        self.helper.as_ref().map(|helper| helper.container.as_str())
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
        Ok(Err(error)) => Err(clean(&error.to_string())),
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

/// A helper container that runs the relay.
#[derive(Debug)]
struct Helper {
    container: String,
    /// The helper ends when this does.
    _lifeline: UnixStream,
    directory: SharedDirectory,
}

/// Removed with this value.
#[derive(Debug)]
struct SharedDirectory(PathBuf);

impl Drop for SharedDirectory {
    fn drop(&mut self) {
        // Two sockets at most; what cannot be removed goes with the runner's temporary directory.
        for socket in [relay::LIFELINE, relay::REGISTRY] {
            let _ = std::fs::remove_file(self.0.join(socket));
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl Helper {
    async fn start(
        registry: &RegistryHost,
        daemon: &DaemonClient,
        own: &OwnContainer,
        options: &RelayOptions,
    ) -> Result<Self, String> {
        let (parent, host_parent) = options
            .directories
            .iter()
            .find_map(|directory| Some((directory, own.host_path(directory)?)))
            .ok_or_else(|| {
                "no directory of ours is one of the host's (is `RUNNER_TEMP` mounted?)".to_owned()
            })?;
        let name = format!("docker-push-action-relay-{}", options.id);
        let (directory, listener, owner) = share(&parent.join(&name))?;
        let host_directory = host_parent.join(&name);
        let body = container(registry, own, options, &host_directory, owner);

        let create = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = daemon.docker.create_container(Some(create), body).await;
        let created = created.map_err(|error| DockerError::of("create it", &error).to_string())?;
        // Until it reports, nothing but this removes it: a container that never ran does not end.
        let created = Created { daemon, id: Some(created.id) };
        let id = created.id.clone().unwrap_or_default();
        match tokio::time::timeout(options.timeout, first_words(daemon, &id, &listener)).await {
            Ok(Ok(lifeline)) => Ok(Self { container: created.keep(), _lifeline: lifeline, directory }),
            Ok(Err(said)) => Err(said),
            Err(_) => Err(format!("it did not report within {} s", options.timeout.as_secs_f32())),
        }
    }
}

/// A container that is removed with this value, also when the run is cancelled in the middle of its start.
struct Created<'a> {
    daemon: &'a DaemonClient,
    id: Option<String>,
}

impl Created<'_> {
    fn keep(mut self) -> String {
        self.id.take().unwrap_or_default()
    }
}

impl Drop for Created<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            // Nothing can be awaited here. One that is gone, or going, is as good.
            let _ = remove(self.daemon.socket(), &id);
        }
    }
}

/// The most that removing a helper may take.
const REMOVAL: Duration = Duration::from_secs(2);

/// Removes a container by one blocking request; its path has no version, as every engine takes it.
fn remove(socket: &Path, id: &str) -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(REMOVAL))?;
    stream.set_write_timeout(Some(REMOVAL))?;
    write!(
        stream,
        "DELETE /containers/{id}?force=1&v=1 HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
    )?;
    // The daemon stops working on what nobody waits for.
    stream.read(&mut [0; 64]).map(|_| ())
}

/// Makes the directory that only our user can enter, and listens in it; also says who that user is.
fn share(path: &Path) -> Result<(SharedDirectory, UnixListener, (u32, u32)), String> {
    let said = |error: std::io::Error| format!("`{}`: {}", path.display(), clean(&error.to_string()));
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(said)?;
    let directory = SharedDirectory(path.to_owned());
    let metadata = std::fs::metadata(path).map_err(said)?;
    let listener = UnixListener::bind(path.join(relay::LIFELINE)).map_err(said)?;
    Ok((directory, listener, (metadata.uid(), metadata.gid())))
}

fn container(
    registry: &RegistryHost,
    own: &OwnContainer,
    options: &RelayOptions,
    host_directory: &Path,
    owner: (u32, u32),
) -> ContainerCreateBody {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    ContainerCreateBody {
        image: Some(own.image.clone()),
        user: Some(format!("{}:{}", owner.0, owner.1)),
        working_dir: Some("/".into()),
        entrypoint: Some(vec![options.program.display().to_string()]),
        cmd: Some(vec!["relay".into(), SHARED.into(), registry.as_str().into()]),
        labels: Some(HashMap::from([label(LABEL_ROLE, "relay"), label(LABEL_RUN, &options.run)])),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: Some("host".into()),
            // Host networking needs the host's user namespace where the daemon remaps users.
            userns_mode: Some("host".into()),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            pids_limit: Some(32),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            mounts: Some(vec![Mount {
                typ: Some(MountType::BIND),
                source: Some(host_directory.display().to_string()),
                target: Some(SHARED.into()),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Starts the helper and hears its report.
async fn first_words(daemon: &DaemonClient, id: &str, listener: &UnixListener) -> Result<UnixStream, String> {
    let started = daemon.docker.start_container(id, None).await;
    started.map_err(|error| DockerError::of("start it", &error).to_string())?;
    let mut waiting = std::pin::pin!(daemon.docker.wait_container(id, None));
    let stream = tokio::select! {
        biased;
        accepted = listener.accept() => accepted.map_err(|error| clean(&error.to_string()))?.0,
        ended = waiting.next() => return Err(match ended {
            Some(Ok(response)) => format!("it ended at once with exit code {}", response.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => {
                format!("it ended at once with exit code {code}")
            }
            _ => "it ended at once".into(),
        }),
    };
    let mut reader = BufReader::new(stream).take(1024);
    let mut line = String::new();
    reader.read_line(&mut line).await.map_err(|error| clean(&error.to_string()))?;
    if line.trim_end() == relay::READY {
        return Ok(reader.into_inner().into_inner());
    }
    Err(if line.is_empty() { "it ended without a word".into() } else { clean(&line) })
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
    fn the_helper_can_do_little() {
        let own = OwnContainer { image: "sha256:00".into(), ..OwnContainer::default() };
        let options = RelayOptions {
            run: "7".into(),
            id: "x1".into(),
            directories: vec![],
            program: "/docker-push-action".into(),
            timeout: Duration::from_secs(1),
        };
        let registry = RegistryHost::parse("localhost:5000").unwrap();
        let body = container(&registry, &own, &options, Path::new("/tmp/r"), (1001, 127));
        assert_eq!(body.env, None);
        assert_eq!(body.user.as_deref(), Some("1001:127"));
        assert_eq!(body.cmd.unwrap(), ["relay", "/relay", "localhost:5000"]);
        assert_eq!(body.labels.unwrap()["docker-push-action.run"], "7");
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop.unwrap(), ["ALL"]);
        let mount = &host.mounts.unwrap()[0];
        assert_eq!((mount.source.as_deref(), mount.target.as_deref()), (Some("/tmp/r"), Some("/relay")));
        assert_eq!((host.readonly_rootfs, host.auto_remove), (Some(true), Some(true)));
        assert_eq!((host.privileged, host.restart_policy), (None, None));
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
