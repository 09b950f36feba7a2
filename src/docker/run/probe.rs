//! Whether a container answers on one of its ports, asked from another container.
//!
//! The two share a network that nobody else is on and that leads nowhere, unless the input names one. Who asks is our own image,
//! with nothing of ours in it but this program; outside of a container, where there is no such image, this process asks by
//! itself, as the machine sees that network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, NetworkCreateRequest};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::RunOptions;
use crate::docker::builder::{LABEL_JOB, LABEL_KEEP, LABEL_OWNER, LABEL_RUNNER};
use crate::docker::connection::DaemonClient;
use crate::docker::error::DockerError;
use crate::docker::ours::{LABEL_ROLE, LABEL_RUN, ROLE_VERIFY, Unfinished, delete};
use crate::docker::owner::{Standing, process};
use crate::model::Cleanup;
use crate::plan::verify::Ending;

/// Between two rounds of all ports.
const PAUSE: Duration = Duration::from_millis(100);
/// For one port to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The most that removing the network may take.
const REMOVAL: Duration = Duration::from_secs(2);

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Prober<'a> {
    /// Our own image; none outside of a container.
    pub image: Option<&'a str>,
    /// Path of this program in it.
    pub program: &'a Path,
    /// The command that asks.
    pub command: &'a str,
}

/// The network that the two share. One that was made for them goes with this value.
#[derive(Debug)]
pub(super) struct Network {
    name: String,
    _removal: Option<Cleanup>,
}

impl Network {
    /// The one that the input names; else a new one.
    pub(super) async fn of(daemon: &DaemonClient, options: &RunOptions<'_>) -> Result<Self, DockerError> {
        if let Some(name) = options.network {
            return Ok(Self { name: name.to_owned(), _removal: None });
        }
        let name = format!("docker-push-action-verify-{}", options.id);
        let (socket, path) = (daemon.socket().to_owned(), format!("/networks/{name}"));
        // Nothing can be awaited then. The containers on it are gone.
        let removal = Cleanup::new(move || {
            let _ = delete(&socket, &path, REMOVAL);
        });
        let network = Self { name: name.clone(), _removal: Some(removal) };
        let request = NetworkCreateRequest {
            name,
            internal: Some(true),
            labels: Some(labels(options)),
            ..Default::default()
        };
        let created = daemon.docker.create_network(request).await;
        created.map_err(|error| DockerError::of("make a network for the image", &error))?;
        Ok(network)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// The labels of what is made beside the container.
fn labels(options: &RunOptions<'_>) -> HashMap<String, String> {
    let labels = [
        (LABEL_ROLE, ROLE_VERIFY),
        (LABEL_RUN, options.run),
        (LABEL_JOB, options.job),
        (LABEL_RUNNER, options.runner),
        (LABEL_KEEP, "step"),
    ];
    let owner = options.owner.map(|owner| (LABEL_OWNER, owner));
    labels.into_iter().chain(owner).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    labels: Option<HashMap<String, String>>,
}

/// Removes the networks of runs that were killed: those whose maker is gone, and where that cannot be told, those of an earlier
/// job of this runner.
pub(super) async fn reap_networks(daemon: &DaemonClient, runner: &str, job: &str) {
    let filters = format!("%7B%22label%22:%5B%22{LABEL_ROLE}={ROLE_VERIFY}%22%5D%7D");
    let Ok(found) =
        daemon.read::<Vec<Listed>>(&format!("/networks?filters={filters}"), "list networks").await
    else {
        return;
    };
    for network in found {
        let label = |key: &str| network.labels.as_ref()?.get(key).map(String::as_str);
        let standing = match label(LABEL_OWNER).map(|owner| (owner, process(owner))) {
            None => Standing::Unknown,
            Some((_, Some(standing))) => standing,
            Some((container, None)) => match daemon.inspect(container, "look for a network's maker").await {
                Ok(Some(maker)) if maker.is_running() => Standing::Lives,
                Ok(_) => Standing::Gone,
                Err(_) => Standing::Lives,
            },
        };
        let earlier = label(LABEL_RUNNER) == Some(runner) && label(LABEL_JOB) != Some(job);
        if standing == Standing::Gone || standing == Standing::Unknown && earlier {
            // Another run may be at it too; one that is in use stays.
            let _ = daemon.docker.remove_network(&network.id).await;
        }
    }
}

/// Ready when the container of this id answers on one of these ports.
pub(super) async fn answers(
    daemon: &DaemonClient,
    options: &RunOptions<'_>,
    id: &str,
    prober: &Prober<'_>,
    ports: &[u16],
) -> Result<Ending, DockerError> {
    let address = loop {
        let found = daemon.inspect(id, "look at its container").await?;
        let networks = found.map(|found| found.network_settings.networks).unwrap_or_default();
        if let Some(address) = networks.values().find_map(|one| one.ip_address.parse::<IpAddr>().ok()) {
            break address;
        }
        sleep(PAUSE).await;
    };
    let Some(image) = prober.image else {
        ask(address, ports).await;
        return Ok(Ending::Healthy);
    };
    let name = format!("docker-push-action-verify-{}-probe", options.id);
    let create = CreateContainerOptionsBuilder::default().name(&name).build();
    let unfinished = Unfinished::new(daemon.socket(), &name);
    let numbers = ports.iter().map(u16::to_string);
    let arguments = [prober.command.to_owned(), address.to_string()].into_iter().chain(numbers).collect();
    let body = body(options, image, prober.program, arguments);
    unfinished.asked(true);
    let created = daemon.docker.create_container(Some(create), body).await;
    unfinished.asked(false);
    let probe = created.map_err(|error| DockerError::of("create the container that asks", &error))?.id;
    let started = daemon.docker.start_container(&probe, None).await;
    started.map_err(|error| DockerError::of("start the container that asks", &error))?;
    let mut waiting = std::pin::pin!(daemon.docker.wait_container(&probe, None));
    match waiting.next().await {
        Some(Ok(ended)) if ended.status_code == 0 => Ok(Ending::Healthy),
        _ => Err(DockerError::Failed {
            doing: "ask the image on its ports".into(),
            why: "the container that asks has ended".into(),
        }),
    }
}

/// The container that asks: it can do nothing else.
fn body(
    options: &RunOptions<'_>,
    image: &str,
    program: &Path,
    arguments: Vec<String>,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        working_dir: Some("/".into()),
        user: Some("65534:65534".into()),
        entrypoint: Some(vec![program.display().to_string()]),
        cmd: Some(arguments),
        labels: Some(labels(options)),
        host_config: Some(HostConfig {
            network_mode: options.network.map(str::to_owned),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            pids_limit: Some(16),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The command of the container that asks: an address and its ports. Ready when one answers; whoever has started it ends it.
///
/// # Errors
/// The arguments are none of these.
pub async fn probe(arguments: &[String]) -> anyhow::Result<()> {
    let Some((address, ports)) = arguments.split_first() else { anyhow::bail!("no address") };
    let address = address.parse()?;
    let ports = ports.iter().map(|port| port.parse()).collect::<Result<Vec<u16>, _>>()?;
    anyhow::ensure!(!ports.is_empty(), "no port");
    ask(address, &ports).await;
    Ok(())
}

/// Ready when one of these ports takes a connection.
async fn ask(address: IpAddr, ports: &[u16]) {
    loop {
        for port in ports {
            if let Ok(Ok(_)) = timeout(ANSWER, TcpStream::connect((address, *port))).await {
                return;
            }
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Platform;

    #[test]
    fn who_asks_can_do_nothing_else() {
        let platform = Platform::parse("linux/amd64").unwrap();
        let options = RunOptions {
            id: "x1".into(),
            image: "a",
            platform: &platform,
            arguments: None,
            env: &[],
            network: Some("theirs"),
            memory: 1,
            timeout: Duration::from_secs(5),
            run: "7-1",
            job: "7-1-publish",
            runner: "r",
            owner: None,
        };
        let made = body(
            &options,
            "sha256:00",
            Path::new("/us"),
            vec!["probe".into(), "10.0.0.2".into(), "80".into()],
        );
        assert_eq!(
            (made.env, made.cmd.unwrap()),
            (None, vec!["probe".to_owned(), "10.0.0.2".into(), "80".into()])
        );
        assert_eq!(made.labels.unwrap()[LABEL_ROLE], "verify");
        let host = made.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("theirs"));
        assert_eq!((host.readonly_rootfs, host.mounts, host.binds), (Some(true), None, None));
    }

    #[tokio::test]
    async fn a_port_that_answers_is_enough() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [closed, open.local_addr().unwrap().port()].map(|port| port.to_string());
        let arguments: Vec<String> = std::iter::once("127.0.0.1".to_owned()).chain(ports).collect();
        timeout(Duration::from_secs(10), probe(&arguments)).await.unwrap().unwrap();
        for wrong in [&[][..], &["127.0.0.1".to_owned()], &["x".to_owned(), "1".to_owned()]] {
            assert!(probe(wrong).await.is_err());
        }
    }
}
