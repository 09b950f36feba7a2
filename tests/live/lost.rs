//! An engine whose build cache names what its store has lost. BuildKit may lose a snapshot when two builds that share a step
//! end at the same time; here it is taken away by the store's own client, `ctr`.

use std::process::Command;

use crate::builder::{engine_builds, not_here};
use crate::job::{Job, parts, published};
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use crate::runner::wait::until;

/// Where the containerd listens that the suite's engine has started.
const SOCKET: &str = "/run/docker/containerd/containerd.sock";

/// The store's own client.
fn ctr(args: &[&str]) -> String {
    let common = ["--address", SOCKET, "--namespace", "moby"];
    let output = Command::new("ctr").args(common).args(args).output().expect("`ctr` is on PATH");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Has the snapshot collected that a step with these words has left, and that no other builds on.
fn lose(words: &str) {
    // What BuildKit calls the step's record, it calls its snapshot too.
    let records = docker(&["buildx", "du", "--builder", "default", "--verbose"]);
    let record = records.split("\n\n").find(|record| record.contains(words));
    let id = record.and_then(|record| record.lines().find_map(|line| line.strip_prefix("ID:")));
    let id = id.unwrap_or_else(|| panic!("no record of `{words}` in {records}")).trim();
    // Not by itself: containerd's collector takes the view away through which BuildKit looks for the layer's digest, and
    // leaves its name with the snapshot, which cannot be removed from then on, as if it had a child.
    ctr(&["leases", "delete", "--sync", id]);
    let list = || ctr(&["snapshots", "--snapshotter", "overlayfs", "list"]);
    assert!(until(|| !list().contains(&format!("{id} "))), "{id} stays: {}", list());
}

/// Whether the step was carried out, and not taken from the cache.
fn ran(result: &StepResult, step: &str) -> bool {
    let log = result.log();
    let mut done = log.lines().filter(|line| line.contains("✓ ") && line.contains(step));
    done.any(|line| !line.contains("cached ✓"))
}

#[test]
fn a_step_whose_snapshot_is_lost_runs_again() {
    if !engine_builds() || parts().graphdriver() {
        return not_here("only containerd's store lets somebody else take a snapshot away");
    }
    if !parts().run.join("docker.pid").exists() {
        return not_here("the engine is somebody else's");
    }
    // Nobody else's build ends meanwhile.
    let job = Job::alone("lost-snapshot", &[]).input("platform", "linux/amd64");
    let write =
        |text: &str| std::fs::write(job.machine.workspace().join("Dockerfile"), text).expect("a Dockerfile");
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN echo first >/first\nRUN echo lost >/lost-snapshot\n";
    write(dockerfile);
    let mut first = job.native();
    first.inputs.insert("push".into(), "false".into());
    let result = first.run();
    assert!(result.success, "{}", result.log());
    lose("echo lost >/lost-snapshot");
    // A step more needs the files of the one before.
    write(&format!("{dockerfile}RUN cat /lost-snapshot\n"));

    let result = job.native().run();
    published(&result);
    let said = "the builder has lost a part of its own cache: ";
    assert!(result.log().contains(said), "{}", result.log());
    assert!(ran(&result, "echo lost"), "{}", result.log());

    // It is whole again: nothing is said, nothing runs.
    let result = job.native().run();
    published(&result);
    assert!(!result.log().contains(said) && !ran(&result, "echo lost"), "{}", result.log());
}
