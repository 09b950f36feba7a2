//! Two nodes: each platform is built on its own one, at the same time; the index is ours; one that fails ends the other.

use std::process::Command;

use serde_json::Value;

use crate::builder::{Builder, not_here};
use crate::job::{Job, parts};
use crate::leftovers::is_gone;
use crate::runner::parts::{docker, run_on};

/// A step that writes who it is into a mount of its builder's own.
const DOCKERFILE: &str = "ARG BASE\nFROM ${BASE}\nRUN --mount=type=cache,id=nodes,target=/c,sharing=locked \
    [ -s /c/id ] || cat /proc/sys/kernel/random/uuid >/c/id; cp /c/id /id; uname -m >/machine\n";

fn job(name: &str, dockerfile: &str) -> Job {
    Job::alone(name, &[("Dockerfile", dockerfile)]).built_by(Builder::Nodes)
}

/// A file of an image that nobody runs.
fn file_of(image: &str, platform: &str, path: &str) -> String {
    let container = docker(&["create", "--platform", platform, "--pull", "always", image]);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("file");
    docker(&["cp", &format!("{}:{path}", container.trim()), out.to_str().unwrap()]);
    docker(&["rm", container.trim()]);
    std::fs::read_to_string(out).unwrap().trim().to_owned()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn each_platform_on_its_own_node_and_one_index() {
    let parts = parts();
    if parts.graphdriver() {
        return not_here("the engine that reads the image's files keeps one platform of a tag");
    }
    let job = job("two-nodes", DOCKERFILE).input("annotations", "index:box=1\nmanifest-descriptor:lid=2");
    let result = job.run();
    assert!(result.success, "{}", result.log());

    let registry = parts.open_registry();
    let top = registry.manifest(&job.repository(), "main").unwrap();
    assert_eq!(top.media_type, "application/vnd.oci.image.index.v1+json");
    assert_eq!(result.outputs["digest"], top.digest);
    assert_eq!(top.json["annotations"]["box"], "1");
    let entries = top.json["manifests"].as_array().unwrap();
    let architectures: Vec<&str> =
        entries.iter().map(|entry| text(entry, "/platform/architecture")).collect();
    // In the order asked for, then the attestations of each.
    assert_eq!(architectures, ["arm64", "amd64", "unknown", "unknown"], "{entries:?}");
    for (image, attestation) in [(0, 2), (1, 3)] {
        let about = text(&entries[attestation], "/annotations/vnd.docker.reference.digest");
        assert_eq!(about, text(&entries[image], "/digest"));
        assert_eq!(entries[image]["annotations"]["lid"], "2");
        assert!(registry.manifest(&job.repository(), text(&entries[attestation], "/digest")).is_some());
    }

    let image = format!("{}/{}:main", parts.localhost(), job.repository());
    let of = |platform, path| file_of(&image, platform, path);
    assert_eq!(
        (of("linux/amd64", "/machine"), of("linux/arm64", "/machine")),
        ("x86_64".into(), "aarch64".into())
    );
    assert_ne!(of("linux/amd64", "/id"), of("linux/arm64", "/id"), "one builder built both");

    let log = result.log();
    for part in ["amd64 stage-0 2/2 ", "arm64 stage-0 2/2 "] {
        assert!(log.contains(part), "{part}\n{log}");
    }
}

#[test]
fn one_that_fails_ends_the_other() {
    let dockerfile = "ARG BASE\nFROM ${BASE}\nARG TARGETARCH\n\
        RUN if [ $TARGETARCH = arm64 ]; then sleep 3; echo no box; exit 7; else exec sleep 9731; fi\n";
    let job = job("a-node-fails", dockerfile);
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert!(result.log().contains("[linux/arm64 2/2] RUN"), "{}", result.log());
    assert!(is_gone("sleep 9731"), "the other node builds on");
    assert_eq!(job.tags(), Vec::<String>::new());
}

#[test]
fn without_a_push_each_just_builds() {
    let job = job("nodes-no-push", DOCKERFILE).input("push", "false");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(job.tags(), Vec::<String>::new());
    assert_eq!(result.outputs["pushed"], "false");
}

/// No node has all of it, and the registry does: both files and engine get it from there.
#[test]
fn what_the_nodes_have_pushed_is_loaded_and_archived() {
    let job = job("nodes-loaded", DOCKERFILE).input("load", "true").input("archive", "dist/api.tar");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    let machine = |platform: &str| run_on(platform, &name, &["cat", "/machine"]);
    assert_eq!(machine("linux/amd64"), "x86_64");
    if parts().graphdriver() {
        assert!(result.log().contains("it holds one platform of an image"), "{}", result.log());
    } else {
        assert_eq!(machine("linux/arm64"), "aarch64");
    }
    let names = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    for name in names.lines().filter(|line| line.contains(&job.repository())) {
        docker(&["image", "rm", "--force", name]);
    }
    let index = Command::new("tar")
        .args(["-xOf", job.machine.workspace().join("dist/api.tar").to_str().unwrap(), "index.json"])
        .output()
        .unwrap();
    let index: Value = serde_json::from_slice(&index.stdout).unwrap();
    assert_eq!(text(&index, "/manifests/0/digest"), result.outputs["digest"]);
}

/// What is not pushed is in parts: the engine gets its own, and a file of all is refused before anything is built.
#[test]
fn what_the_nodes_have_not_pushed_is_loaded_for_one_platform() {
    let mut job = job("nodes-unpushed", DOCKERFILE).input("load", "true").input("push", "false");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    let why = if parts().graphdriver() {
        "it holds one platform of an image"
    } else {
        "each node of the builder has built another, and no registry has all of them"
    };
    assert!(result.log().contains(&format!("linux/amd64 ({why}")), "{}", result.log());
    assert_eq!(docker(&["run", "--rm", "--quiet", "--pull", "never", &name, "cat", "/machine"]), "x86_64");
    let names = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    for name in names.lines().filter(|line| line.contains(&job.repository())) {
        docker(&["image", "rm", "--force", name]);
    }
    for (input, value) in [("archive", "api.tar"), ("outputs", "dist")] {
        job.inputs.insert(input.into(), value.into());
        let result = job.native().run();
        assert!(!result.success, "{}", result.log());
        let said = format!("`{input}`: each node of `builder` builds other platforms");
        assert!(result.errors().contains(&said), "{}", result.errors());
        assert!(!result.summary.contains("stage-0 2/2] RUN"), "{}", result.log());
        job.inputs.remove(input);
    }
}
