//! An engine whose build cache names what its store has lost. BuildKit may lose a snapshot when two builds that share a step
//! end at the same time; here it is taken away by the store's own client, `ctr`.

use std::path::Path;
use std::process::Command;

use crate::builder::{engine_builds, not_here};
use crate::job::{Job, parts, published};
use crate::runner::step::StepResult;

/// Where the engine's containerd listens: the one that it has started, or the machine's.
const SOCKETS: [&str; 2] = ["/run/docker/containerd/containerd.sock", "/run/containerd/containerd.sock"];

/// The store's own client.
fn ctr(args: &[&str]) -> Result<String, String> {
    let address = SOCKETS.into_iter().find(|socket| Path::new(socket).exists()).expect("containerd listens");
    let common = ["--address", address, "--namespace", "moby", "snapshots", "--snapshotter", "overlayfs"];
    let output = Command::new("ctr").args(common).args(args).output().expect("`ctr` is on PATH");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The snapshots with this file, as far as somebody looks into them: BuildKit does for a layer's digest.
fn with_file(file: &str) -> Vec<String> {
    let all = ctr(&["list"]).unwrap();
    let views = all.lines().filter_map(|line| line.split_whitespace().next()?.strip_suffix("-view"));
    let theirs = |snapshot: &&str| {
        // One of somebody else may be gone by now.
        let mounts = ctr(&["mounts", "/nowhere", &format!("{snapshot}-view")]).unwrap_or_default();
        // The first of them is its own.
        let lower = mounts.split([' ', ',', ':']).find_map(|option| option.strip_prefix("lowerdir="));
        lower.is_some_and(|files| Path::new(files).join(file).exists())
    };
    views.filter(theirs).map(str::to_owned).collect()
}

/// Takes the snapshot away that has this file, and that no step builds on. `false`: nobody looks into it any more.
fn lose(file: &str) -> bool {
    let lost = with_file(file);
    let [lost] = lost.as_slice() else { return false };
    ctr(&["remove", &format!("{lost}-view"), lost]).is_ok()
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
    // Nobody else's build ends meanwhile.
    let job = Job::alone("lost-snapshot", &[]).input("platform", "linux/amd64");
    let write =
        |text: &str| std::fs::write(job.machine.workspace().join("Dockerfile"), text).expect("a Dockerfile");
    let built = |file: &String| {
        let dockerfile =
            format!("ARG BASE\nFROM ${{BASE}}\nRUN echo first >/first\nRUN echo lost >/{file}\n");
        write(&dockerfile);
        let mut first = job.native();
        first.inputs.insert("push".into(), "false".into());
        let result = first.run();
        assert!(result.success, "{}", result.log());
        // A step more needs the files of the one before.
        write(&format!("{dockerfile}RUN cat /{file}\n"));
        lose(file)
    };
    let files = (1..=5).map(|time| format!("lost-snapshot-{time}"));
    let lost = files.into_iter().any(|file| built(&file));
    assert!(lost, "none could be taken away");

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
