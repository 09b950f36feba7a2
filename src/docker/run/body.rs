//! What the daemon is told to make to run somebody's image: a container that can do little.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};

use super::RunOptions;
use crate::docker::builder::{LABEL_JOB, LABEL_KEEP, LABEL_OWNER, LABEL_RUNNER};
use crate::docker::ours::{LABEL_ROLE, LABEL_RUN, ROLE_VERIFY};

/// Processes and threads that a container may have: a JVM on a large machine has some hundred.
const PIDS: i64 = 2048;

impl RunOptions<'_> {
    /// The request. The file system is read-only but for `/tmp`, in which programs may be run: those that unpack themselves
    /// do that there.
    pub(super) fn body(&self) -> ContainerCreateBody {
        let label = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        // As builders that go with their step: whatever reaps those knows when it is nobody's.
        let labels = [
            (LABEL_ROLE, ROLE_VERIFY),
            (LABEL_RUN, self.run),
            (LABEL_JOB, self.job),
            (LABEL_RUNNER, self.runner),
            (LABEL_KEEP, "step"),
        ];
        let owner = self.owner.map(|owner| (LABEL_OWNER, owner));
        let memory = i64::try_from(self.memory).ok();
        ContainerCreateBody {
            image: Some(self.image.to_owned()),
            cmd: self.arguments.map(<[String]>::to_vec),
            env: Some(self.env.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect()),
            labels: Some(labels.into_iter().chain(owner).map(label).collect()),
            host_config: Some(HostConfig {
                network_mode: Some(self.network.unwrap_or("none").to_owned()),
                readonly_rootfs: Some(true),
                tmpfs: Some(HashMap::from([label(("/tmp", "rw,exec,nosuid,nodev,mode=1777"))])),
                cap_drop: Some(vec!["ALL".into()]),
                security_opt: Some(vec!["no-new-privileges".into()]),
                memory,
                // No swap on top.
                memory_swap: memory,
                pids_limit: Some(PIDS),
                // What it prints is read as it comes, and kept nowhere.
                log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Platform, Secret};

    #[test]
    fn the_container_can_do_little() {
        let platform = Platform::parse("linux/amd64").unwrap();
        let env = [("DSN".to_owned(), Secret::new("hunter2"))];
        let arguments = ["migrate".to_owned(), "validate".to_owned()];
        let options = RunOptions {
            id: "x1".into(),
            image: "r.io/a@sha256:00",
            platform: &platform,
            arguments: Some(&arguments),
            env: &env,
            network: None,
            memory: 1 << 30,
            timeout: Duration::from_mins(1),
            run: "7-1",
            job: "7-1-publish",
            runner: "runner-1",
            owner: Some("a1"),
        };
        let body = options.body();
        assert_eq!(body.cmd.unwrap(), arguments);
        assert_eq!((body.entrypoint, body.env.unwrap()), (None, vec!["DSN=hunter2".to_owned()]));
        let labels = body.labels.unwrap();
        assert!(!format!("{labels:?}").contains("hunter2"));
        assert_eq!((labels[LABEL_ROLE].as_str(), labels[LABEL_OWNER].as_str()), ("verify", "a1"));
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("none"));
        assert_eq!(
            (host.readonly_rootfs, host.privileged, host.mounts, host.binds),
            (Some(true), None, None, None)
        );
        assert_eq!((host.cap_drop.unwrap(), host.cap_add), (vec!["ALL".to_owned()], None));
        assert_eq!((host.memory, host.memory_swap), (Some(1 << 30), Some(1 << 30)));
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        let named = RunOptions { network: Some("jobs"), arguments: None, ..options };
        let body = named.body();
        assert_eq!((body.host_config.unwrap().network_mode.as_deref(), body.cmd), (Some("jobs"), None));
    }
}
