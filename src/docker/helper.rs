//! The helper container: our own image on the host's network, running the relay.
//!
//! It can do little: no capabilities, no writable file system but the shared directory, nothing secret in its
//! environment or arguments. It ends with its lifeline and is removed by the daemon then; what a run that was
//! killed at the wrong moment has left is removed by the next one.

use std::collections::HashMap;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::connection::DaemonClient;
use super::error::DockerError;
use super::ours::{LABEL_ROLE, LABEL_RUN, ORPHAN_AGE, Unfinished, reap};
use super::own_container::OwnContainer;
use super::relay;
use crate::model::{Cleanup, RegistryHost, text};

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

/// Where the helper sees the shared directory.
const SHARED: &str = "/relay";
const ROLE: &str = "relay";

/// A helper container that runs the relay.
#[derive(Debug)]
pub(super) struct Helper {
    container: String,
    /// The helper ends when this does.
    _lifeline: UnixStream,
    directory: SharedDirectory,
}

/// Removed with this value.
#[derive(Debug)]
struct SharedDirectory {
    path: PathBuf,
    _removal: Cleanup,
}

impl SharedDirectory {
    /// One that is there.
    fn of(path: &Path) -> Self {
        let removed = path.to_owned();
        Self { path: path.to_owned(), _removal: Cleanup::new(move || remove(&removed)) }
    }
}

/// Removes a shared directory.
fn remove(directory: &Path) {
    // Two sockets at most; what cannot be removed goes with the runner's temporary directory.
    for socket in [relay::LIFELINE, relay::REGISTRY] {
        let _ = std::fs::remove_file(directory.join(socket));
    }
    let _ = std::fs::remove_dir(directory);
}

impl Helper {
    /// Makes one in our own image, and waits until it can carry.
    pub(super) async fn start(
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
        let name = format!("{PREFIX}{}", options.id);
        let (directory, listener, owner) = share(&parent.join(&name))?;
        let host_directory = host_parent.join(&name);
        let body = container(registry, own, options, &host_directory, owner);

        let create = CreateContainerOptionsBuilder::default().name(&name).build();
        // Until it reports, nothing but this removes it: a container that never ran does not end.
        let unfinished = Unfinished::new(daemon.socket(), &name);
        let start = async {
            unfinished.asked(true);
            let created = daemon.docker.create_container(Some(create), body).await;
            unfinished.asked(false);
            let id = created.map_err(|error| DockerError::of("create it", &error).to_string())?.id;
            let (lifeline, ()) = tokio::join!(first_words(daemon, &id, &listener), reap(daemon, &id, ROLE));
            sweep(parent, &directory.path);
            Ok((lifeline?, id))
        };
        match tokio::time::timeout(options.timeout, start).await {
            Ok(Ok((lifeline, container))) => {
                unfinished.keep();
                Ok(Self { container, _lifeline: lifeline, directory })
            }
            Ok(Err(said)) => Err(said),
            Err(_) => Err(format!("it did not report within {} s", options.timeout.as_secs_f32())),
        }
    }

    /// The socket that leads to the registry.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path.join(relay::REGISTRY)
    }

    /// The container's id.
    pub(super) fn container(&self) -> &str {
        &self.container
    }
}

/// Removes the directories of runs that were killed: nobody listens any more where their relay did, or a minute after
/// the making there is no relay.
fn sweep(parent: &Path, ours: &Path) {
    let made = |path: &Path| std::fs::symlink_metadata(path).ok().map(|found| found.mtime());
    let Some(now) = made(ours) else { return };
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Not the lifeline: its first caller is taken for the relay.
        let dead = match std::os::unix::net::UnixStream::connect(path.join(relay::REGISTRY)) {
            Ok(_) => false,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => true,
            Err(_) => made(&path).is_some_and(|made| made < now.saturating_sub(ORPHAN_AGE)),
        };
        if dead {
            remove(&path);
        }
    }
}

/// Begins the names of helpers and their directories.
const PREFIX: &str = "docker-push-action-relay-";

/// Makes the directory that only our user can enter, and listens in it; also says who that user is.
fn share(path: &Path) -> Result<(SharedDirectory, UnixListener, (u32, u32)), String> {
    let said = |error: std::io::Error| format!("`{}`: {}", path.display(), text::line(&error.to_string()));
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(said)?;
    let directory = SharedDirectory::of(path);
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
        labels: Some(HashMap::from([label(LABEL_ROLE, ROLE), label(LABEL_RUN, &options.run)])),
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
        accepted = listener.accept() => accepted.map_err(|error| text::line(&error.to_string()))?.0,
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
    reader.read_line(&mut line).await.map_err(|error| text::line(&error.to_string()))?;
    if line.trim_end() == relay::READY {
        return Ok(reader.into_inner().into_inner());
    }
    Err(if line.is_empty() { "it ended without a word".into() } else { text::line(&line) })
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn only_directories_of_the_dead_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let directory = |name: &str, old: bool| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            if old {
                let day = std::time::SystemTime::UNIX_EPOCH + Duration::from_hours(24);
                std::fs::File::open(&path).unwrap().set_modified(day).unwrap();
            }
            path
        };
        let bind = |path: &Path, name: &str| std::os::unix::net::UnixListener::bind(path.join(name)).unwrap();
        let ours = directory("docker-push-action-relay-ours", false);
        let alive = directory("docker-push-action-relay-alive", false);
        let _relay = bind(&alive, relay::REGISTRY);
        let killed = directory("docker-push-action-relay-killed", false);
        drop((bind(&killed, relay::REGISTRY), bind(&killed, relay::LIFELINE)));
        directory("docker-push-action-relay-starting", false);
        directory("docker-push-action-relay-never", true);
        directory("somebody-else", true);
        sweep(parent.path(), &ours);
        let mut left: Vec<_> = std::fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let names = ["alive", "ours", "starting"].map(|name| format!("docker-push-action-relay-{name}"));
        assert_eq!(left, [names.as_slice(), &["somebody-else".to_owned()]].concat());
    }
}
