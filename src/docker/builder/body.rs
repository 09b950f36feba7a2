//! What the daemon is told to make: a container that runs buildkitd, as docker buildx would make it.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};

use super::super::ours::LABEL_ROLE;
use super::{LABEL_JOB, LABEL_KEEP, LABEL_OWNER, LABEL_REPOSITORY, LABEL_RUNNER, ROLE, RUN, Wanted};
use crate::plan::builder::Keep;

/// Where buildkitd keeps its cache.
const STATE: &str = "/var/lib/buildkit";
/// Where its configuration is put.
const CONFIG: &str = "/etc/buildkit/buildkitd.toml";
/// buildkitd cuts a step's log at 2 MiB and slows it to 200 KiB/s: long test logs end in the middle. It keeps a log in
/// memory while the step runs, so there is a limit all the same.
const LOG: [&str; 2] = ["BUILDKIT_STEP_LOG_MAX_SIZE=67108864", "BUILDKIT_STEP_LOG_MAX_SPEED=10485760"];

impl Keep {
    fn label(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Job => "job",
            Self::Always => "always",
        }
    }
}

impl Wanted<'_> {
    /// The network that the container is put on, `None` for the daemon's default: ours, where it has names of its own
    /// (`services:` of the job).
    pub(super) fn network(&self) -> Option<String> {
        if self.plan.host_network {
            return None;
        }
        let own = self.own.filter(|own| !own.host_network)?;
        own.networks
            .iter()
            .find(|name| !matches!(name.as_str(), "bridge" | "host" | "none" | "podman"))
            .cloned()
    }

    /// The request; `owner` are our user and group where the socket is to be ours.
    pub(super) fn body(&self, image: &str, owner: Option<(u32, u32)>) -> ContainerCreateBody {
        let plan = self.plan;
        let mut command: Vec<String> = Vec::new();
        for entitlement in &plan.entitlements {
            command.extend(["--allow-insecure-entitlement".into(), entitlement.clone()]);
        }
        if plan.config.is_some() {
            command.extend(["--config".into(), CONFIG.into()]);
        }
        // buildkitd gives its socket to a group; root needs none.
        if let Some((1.., group)) = owner {
            command.extend(["--group".into(), group.to_string()]);
        }
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut labels = HashMap::from([
            label(LABEL_ROLE, ROLE),
            label(LABEL_JOB, &plan.job),
            label(LABEL_RUNNER, &plan.runner),
            label(LABEL_REPOSITORY, &plan.repository),
            label(LABEL_KEEP, plan.keep.label()),
        ]);
        if let (Some(own), false) = (self.own, self.ahead) {
            labels.extend([label(LABEL_OWNER, &own.id)]);
        }
        let kept = (plan.keep == Keep::Always).then(|| plan.name.clone());
        let mut mounts = vec![Mount {
            typ: Some(MountType::VOLUME),
            target: Some(STATE.into()),
            // Without a name it goes with the container.
            volume_options: kept.is_some().then(|| MountVolumeOptions {
                labels: Some(HashMap::from([
                    label(LABEL_ROLE, ROLE),
                    label(LABEL_REPOSITORY, &plan.repository),
                ])),
                ..MountVolumeOptions::default()
            }),
            source: kept,
            ..Mount::default()
        }];
        mounts.extend(self.socket_dir.map(|socket_dir| Mount {
            typ: Some(MountType::BIND),
            source: Some(socket_dir.host.display().to_string()),
            target: Some(RUN.into()),
            ..Mount::default()
        }));
        let network = if plan.host_network { Some("host".into()) } else { self.network() };
        ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(command),
            env: Some(LOG.map(Into::into).to_vec()),
            labels: Some(labels),
            host_config: Some(HostConfig {
                privileged: Some(true),
                // Steps whose parents ended are its children then.
                init: Some(true),
                // Privileged containers need the host's user namespace where the daemon remaps users.
                userns_mode: Some("host".into()),
                network_mode: network,
                mounts: Some(mounts),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::builder::socket_dir::SocketDir;
    use crate::docker::own_container::OwnContainer;
    use crate::plan::builder::ContainerPlan;

    fn plan(keep: Keep) -> ContainerPlan {
        ContainerPlan {
            name: "docker-push-action-builder-0".into(),
            image: "moby/buildkit:v1".into(),
            config: None,
            entitlements: vec!["network.host".into()],
            host_network: false,
            keep,
            job: "7-1-publish".into(),
            runner: "runner-1".into(),
            repository: "acme/shop".into(),
        }
    }

    #[test]
    fn as_buildx_but_with_a_shared_socket() {
        let own = OwnContainer {
            id: "a1".into(),
            networks: vec!["bridge".into(), "github_network_1".into()],
            ..OwnContainer::default()
        };
        let socket_dir = SocketDir { ours: "/github/runner_temp/b".into(), host: "/home/_temp/b".into() };
        let step = plan(Keep::Step);
        let wanted = Wanted { plan: &step, own: Some(&own), socket_dir: Some(&socket_dir), ahead: false };
        let body = wanted.body(&step.image, Some((0, 0)));
        assert_eq!(body.cmd.unwrap(), ["--allow-insecure-entitlement", "network.host"]);
        let labels = body.labels.unwrap();
        assert_eq!(labels["docker-push-action.role"], "builder");
        assert_eq!((labels[LABEL_OWNER].as_str(), labels[LABEL_KEEP].as_str()), ("a1", "step"));
        assert_eq!(labels[LABEL_REPOSITORY], "acme/shop");
        let host = body.host_config.unwrap();
        assert_eq!((host.privileged, host.init), (Some(true), Some(true)));
        assert_eq!(host.network_mode.as_deref(), Some("github_network_1"));
        let mounts = host.mounts.unwrap();
        assert_eq!((mounts[0].source.as_deref(), mounts[0].target.as_deref()), (None, Some(STATE)));
        assert_eq!(mounts[1].source.as_deref(), Some("/home/_temp/b"));
        assert_eq!((host.auto_remove, host.restart_policy), (None, None));
    }

    #[test]
    fn what_differs() {
        let mut always = plan(Keep::Always);
        always.config = Some("debug = true".into());
        always.host_network = true;
        let wanted = Wanted { plan: &always, own: None, socket_dir: None, ahead: true };
        let body = wanted.body(&always.image, Some((1001, 127)));
        assert_eq!(body.cmd.unwrap()[2..], ["--config", "/etc/buildkit/buildkitd.toml", "--group", "127"]);
        assert!(!body.labels.unwrap().contains_key(LABEL_OWNER));
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("host"));
        let mounts = host.mounts.unwrap();
        assert_eq!(mounts.len(), 1);
        assert_eq!(mounts[0].source.as_deref(), Some("docker-push-action-builder-0"));
    }
}
