//! Builders that runs which were killed have left: found by their labels and removed. Nobody else's is touched.

use std::collections::{HashMap, HashSet};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::super::ours::LABEL_ROLE;
use super::{LABEL_JOB, LABEL_KEEP, LABEL_OWNER, LABEL_RUNNER, ROLE, RUN, socket_dir};
use crate::docker::connection::DaemonClient;
use crate::docker::own_container::OwnContainer;

/// Removes orphans; `own_name` is the builder of this run.
pub(super) async fn reap(
    daemon: &DaemonClient,
    own: Option<&OwnContainer>,
    own_name: &str,
    runner: &str,
    job: &str,
) {
    let filters = HashMap::from([("label", vec![format!("{LABEL_ROLE}={ROLE}")])]);
    let list = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let Ok(found) = daemon.docker.list_containers(Some(list)).await else { return };
    let others: Vec<ContainerSummary> = found.into_iter().filter(|one| !is_called(one, own_name)).collect();
    if others.is_empty() {
        return;
    }
    // Whoever runs now.
    let list = ListContainersOptionsBuilder::default().build();
    let Ok(running) = daemon.docker.list_containers(Some(list)).await else { return };
    let running: HashSet<&str> = running.iter().filter_map(|one| one.id.as_deref()).collect();
    for orphan in orphans(&others, &running, runner, job) {
        let Some(id) = orphan.id.as_deref() else { continue };
        let force = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        // Another run may be at it too.
        let removed = daemon.docker.remove_container(id, Some(force)).await;
        let mounts = orphan.mounts.iter().flatten();
        let mut shared = mounts.filter(|mount| mount.destination.as_deref() == Some(RUN));
        let shared = shared.find_map(|mount| mount.source.as_deref()).map(std::path::Path::new);
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

fn is_called(container: &ContainerSummary, name: &str) -> bool {
    container.names.iter().flatten().any(|one| one.trim_start_matches('/') == name)
}

/// Those of a step whose container is gone, and those that an earlier job of this runner left: a runner has one job at
/// a time. Kept ones and those whose maker runs are nobody's to remove.
fn orphans<'a>(
    found: &'a [ContainerSummary],
    running: &HashSet<&str>,
    runner: &str,
    job: &str,
) -> Vec<&'a ContainerSummary> {
    let is_orphan = |one: &&ContainerSummary| {
        let label = |key: &str| one.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
        let owner = label(LABEL_OWNER);
        let earlier = label(LABEL_RUNNER) == Some(runner) && label(LABEL_JOB) != Some(job);
        match (label(LABEL_KEEP), owner) {
            _ if label(LABEL_ROLE) != Some(ROLE) || one.state == Some(State::REMOVING) => false,
            (Some("step" | "job"), Some(owner)) if running.contains(owner) => false,
            (Some("step"), Some(_)) => true,
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
        let containers: Vec<ContainerSummary> = serde_json::from_value(containers).unwrap();
        let orphans = orphans(&containers, &HashSet::from(["lives"]), "r1", "9");
        let ids: Vec<&str> = orphans.iter().map(|one| one.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["killed", "killed in this job", "prepared before", "for a job before"]);
    }
}
