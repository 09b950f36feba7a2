//! Builders, and containers of images that were verified, that runs which were killed have left: found by their labels and
//! removed. Nobody else's is touched.

use std::collections::HashSet;

use bollard::query_parameters::RemoveContainerOptionsBuilder;

use super::super::ours::{LABEL_ROLE, ROLE_VERIFY};
use super::{LABEL_JOB, LABEL_KEEP, LABEL_OWNER, LABEL_RUNNER, ROLE, RUN, socket_dir};
use crate::docker::connection::DaemonClient;
use crate::docker::inspection::{Listed, Status};
use crate::docker::own_container::OwnContainer;
use crate::docker::owner::{Standing, process};

/// Removes orphans; `own_name` is the builder of this run.
pub(super) async fn reap(
    daemon: &DaemonClient,
    own: Option<&OwnContainer>,
    own_name: &str,
    runner: &str,
    job: &str,
) {
    let (builders, verifying) = tokio::join!(
        daemon.list(&[(LABEL_ROLE, ROLE)], false),
        daemon.list(&[(LABEL_ROLE, ROLE_VERIFY)], false)
    );
    let found = [builders, verifying].into_iter().flatten().flatten();
    let others: Vec<Listed> = found.filter(|one| !is_called(one, own_name)).collect();
    if others.is_empty() {
        return;
    }
    // Whoever runs now.
    let Ok(running) = daemon.list(&[], true).await else { return };
    let running: HashSet<&str> = running.iter().map(|one| one.id.as_str()).collect();
    for orphan in orphans(&others, &running, runner, job) {
        let force = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // Another run may be at it too.
        let removed = daemon.docker.remove_container(&orphan.id, Some(force)).await;
        let shared = orphan.mounts.iter().find(|mount| mount.destination == RUN);
        let shared = shared.map(|mount| std::path::Path::new(&mount.source));
        if let (Ok(()), Some(host)) = (removed, shared) {
            let ours = own.map_or_else(|| Some(host.to_owned()), |own| own.our_path(host));
            let of_a_builder = |path: &std::path::Path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("docker-push-action-builder-"))
            };
            if let Some(ours) = ours.filter(|path| of_a_builder(path)) {
                socket_dir::clear(&ours);
            }
        }
    }
}

fn is_called(container: &Listed, name: &str) -> bool {
    container.names.iter().any(|one| one.trim_start_matches('/') == name)
}

/// Those of a step whose container is gone, and those that an earlier job of this runner left: a runner has one job at
/// a time. Kept ones and those whose maker runs are nobody's to remove.
fn orphans<'a>(found: &'a [Listed], running: &HashSet<&str>, runner: &str, job: &str) -> Vec<&'a Listed> {
    let is_orphan = |one: &&Listed| {
        let label = |key: &str| one.label(key);
        let owner = label(LABEL_OWNER);
        let earlier = label(LABEL_RUNNER) == Some(runner) && label(LABEL_JOB) != Some(job);
        let by_container =
            |owner: &str| if running.contains(owner) { Standing::Lives } else { Standing::Gone };
        let owner = owner.map(|owner| process(owner).unwrap_or_else(|| by_container(owner)));
        match (label(LABEL_KEEP), owner) {
            _ if !matches!(label(LABEL_ROLE), Some(ROLE | ROLE_VERIFY)) || one.state == Status::Removing => {
                false
            }
            (Some("step" | "job"), Some(Standing::Lives)) => false,
            (Some("step"), Some(Standing::Gone)) => true,
            (Some("step" | "job"), _) => earlier,
            _ => false,
        }
    };
    found.iter().filter(is_orphan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses() {
        let one = |id: &str, keep: &str, owner: &str, runner: &str, job: &str| {
            let mut labels = serde_json::json!({
                LABEL_ROLE: ROLE, LABEL_KEEP: keep, LABEL_RUNNER: runner, LABEL_JOB: job
            });
            if !owner.is_empty() {
                labels[LABEL_OWNER] = owner.into();
            }
            serde_json::json!({ "Id": id, "State": "running", "Labels": labels })
        };
        let containers = serde_json::json!([
            one("of a run now", "step", "lives", "r2", "8"),
            one("of a run now, same runner", "step", "lives", "r1", "8"),
            one("killed", "step", "dead", "r2", "8"),
            one("killed in this job", "step", "dead", "r1", "9"),
            one("of a process", "step", &crate::docker::owner(None).unwrap(), "r1", "8"),
            one("of a process elsewhere", "step", "process-a.1.2.3", "r1", "9"),
            one("of one elsewhere before", "step", "process-a.1.2.3", "r1", "8"),
            one("prepared for this job", "step", "", "r1", "9"),
            one("prepared elsewhere", "step", "", "r2", "9"),
            one("prepared before", "step", "", "r1", "8"),
            one("for this job", "job", "dead", "r1", "9"),
            one("for a job elsewhere", "job", "dead", "r2", "9"),
            one("for a job before", "job", "dead", "r1", "8"),
            one("kept", "always", "dead", "r1", "8"),
            {"Id": "someone's", "State": "exited", "Labels": {}},
            {"Id": "going", "State": "removing", "Labels": one("", "step", "dead", "r1", "8")["Labels"]}
        ]);
        let containers: Vec<Listed> = serde_json::from_value(containers).unwrap();
        let orphans = orphans(&containers, &HashSet::from(["lives"]), "r1", "9");
        let ids: Vec<&str> = orphans.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "killed",
                "killed in this job",
                "of one elsewhere before",
                "prepared before",
                "for a job before"
            ]
        );
    }
}
