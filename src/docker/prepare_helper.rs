//! The helper that outlives its step: our own image, left running to make a builder ready while the job goes on.
//!
//! It has the daemon's socket and our temporary directory, at the paths at which we have them, and of root's powers the
//! one to write into a directory of the runner's account. It has no network: the daemon does what it asks for. What it
//! is to do is a file put into the container, so that no argument and no variable says it. The daemon removes it at
//! its end; one that never ran is removed by the next.

use std::path::Path;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};

use super::archive;
use super::connection::DaemonClient;
use super::error::DockerError;
use super::ours::{LABEL_ROLE, LABEL_RUN, Unfinished, reap};
use super::own_container::OwnContainer;

/// What the helper needs.
#[derive(Debug)]
pub struct PrepareHelperOptions<'a> {
    /// The run's id, for the helper's label.
    pub run: String,
    /// Name of the container that it makes, if it makes one.
    pub makes: Option<&'a str>,
    /// Random, `[a-z0-9]`: names the helper.
    pub id: String,
    /// Path of this program in its image.
    pub program: &'a Path,
    /// The command, which is given the path of the file with its orders.
    pub command: &'a str,
    /// Text of that file.
    pub orders: &'a str,
    /// Paths of ours that it is to have too. The daemon's socket, for one.
    pub shared: &'a [&'a Path],
}

const ROLE: &str = "prepare";
/// Our label: name of the container that the helper makes.
const LABEL_MAKES: &str = "docker-push-action.makes";
/// Where its orders are, in the root directory.
const ORDERS: &str = "orders.json";

/// Starts the helper and leaves it.
///
/// # Errors
/// The daemon's words; no helper is there then.
pub async fn start_prepare_helper(
    daemon: &DaemonClient,
    options: &PrepareHelperOptions<'_>,
) -> Result<(), DockerError> {
    let doing = "start a helper container";
    let failed = |why: String| DockerError::Failed { doing: doing.into(), why };
    let own = daemon.own_container().await?.ok_or_else(|| {
        failed("this process is in no container of that daemon, so there is no image to make it from".into())
    })?;
    let body = body(&own, options).map_err(failed)?;
    let name = format!("docker-push-action-prepare-{}", options.id);
    let create = CreateContainerOptionsBuilder::default().name(&name).build();
    let unfinished = Unfinished::new(daemon.socket(), &name);
    unfinished.asked(true);
    let created = daemon.docker.create_container(Some(create), body).await;
    unfinished.asked(false);
    let id = created.map_err(|error| DockerError::of("create a helper container", &error))?.id;
    let upload = UploadToContainerOptionsBuilder::default().path("/").build();
    let file = bollard::body_full(archive::file(ORDERS, options.orders).into());
    let uploaded = daemon.docker.upload_to_container(&id, Some(upload), file).await;
    uploaded.map_err(|error| DockerError::of("put a file into a helper container", &error))?;
    let start = daemon.docker.start_container(&id, None);
    let (started, ()) = tokio::join!(start, reap(daemon, &id, ROLE));
    started.map_err(|error| DockerError::of(doing, &error))?;
    unfinished.keep();
    Ok(())
}

/// Removes the helpers that make this container, which is no longer wanted: one that is slow would make it again.
pub(super) async fn stop_prepare_helper(daemon: &DaemonClient, makes: &str) {
    let Ok(found) = daemon.list(&[(LABEL_ROLE, ROLE), (LABEL_MAKES, makes)], false).await else { return };
    for id in found.iter().map(|one| one.id.as_str()) {
        let force = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // It may be at its end.
        let _ = daemon.docker.remove_container(id, Some(force)).await;
    }
}

fn body(own: &OwnContainer, options: &PrepareHelperOptions<'_>) -> Result<ContainerCreateBody, String> {
    let mut mounts = Vec::new();
    for path in options.shared {
        let host = own.host_path(path).ok_or_else(|| {
            format!("`{}` is not mounted from the daemon's machine to be written to", path.display())
        })?;
        mounts.push(Mount {
            typ: Some(MountType::BIND),
            source: Some(host.display().to_string()),
            target: Some(path.display().to_string()),
            ..Mount::default()
        });
    }
    let makes = options.makes.map(|name| (LABEL_MAKES, name));
    let labels = [(LABEL_ROLE, ROLE), (LABEL_RUN, &options.run)].into_iter().chain(makes);
    Ok(ContainerCreateBody {
        image: Some(own.image.clone()),
        working_dir: Some("/".into()),
        entrypoint: Some(vec![options.program.display().to_string()]),
        cmd: Some(vec![options.command.to_owned(), format!("/{ORDERS}")]),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: Some("none".into()),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(vec!["DAC_OVERRIDE".into()]),
            security_opt: Some(vec!["no-new-privileges".into()]),
            pids_limit: Some(64),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            mounts: Some(mounts),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::own_container::OwnMount;

    #[test]
    fn the_same_paths_and_little_else() {
        let mount = |source: &str, destination: &str| OwnMount {
            source: source.into(),
            destination: destination.into(),
            writable: true,
        };
        let own = OwnContainer {
            image: "sha256:00".into(),
            networks: vec!["github_network_1".into()],
            mounts: vec![
                mount("/run/docker.sock", "/var/run/docker.sock"),
                mount("/home/runner/_temp", "/github/runner_temp"),
                mount("/home/runner/w", "/github/workspace"),
            ],
            ..OwnContainer::default()
        };
        let shared = [Path::new("/var/run/docker.sock"), Path::new("/github/runner_temp")];
        let options = PrepareHelperOptions {
            run: "7-1".into(),
            makes: Some("b"),
            id: "x1".into(),
            program: Path::new("/docker-push-action"),
            command: "prepare-builder",
            orders: "{}",
            shared: &shared,
        };
        let made = body(&own, &options).unwrap();
        assert_eq!(made.env, None);
        assert_eq!(made.cmd.unwrap(), ["prepare-builder", "/orders.json"]);
        let labels = made.labels.unwrap();
        assert_eq!(labels["docker-push-action.role"], "prepare");
        assert_eq!(labels["docker-push-action.run"], "7-1");
        assert_eq!(labels[LABEL_MAKES], "b");
        let host = made.host_config.unwrap();
        assert_eq!((host.privileged, host.auto_remove), (None, Some(true)));
        assert_eq!(host.network_mode.as_deref(), Some("none"));
        let mounts: Vec<_> = host.mounts.unwrap().into_iter().map(|one| (one.source, one.target)).collect();
        let pair = |source: &str, target: &str| (Some(source.to_owned()), Some(target.to_owned()));
        assert_eq!(
            mounts,
            [
                pair("/run/docker.sock", "/var/run/docker.sock"),
                pair("/home/runner/_temp", "/github/runner_temp")
            ]
        );
        let elsewhere = PrepareHelperOptions { shared: &[Path::new("/tmp")], ..options };
        assert!(body(&own, &elsewhere).unwrap_err().contains("`/tmp` is not mounted"));
    }
}
