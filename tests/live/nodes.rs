//! Two nodes: each platform is built on its own one, at the same time; the index is ours; one that fails ends the other.

use serde_json::Value;

use crate::builder::{Builder, not_here};
use crate::job::{Job, parts};
use crate::leftovers::is_gone;
use crate::runner::parts::docker;

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
    for part in ["[linux/amd64 stage-0 2/2] RUN", "[linux/arm64 stage-0 2/2] RUN"] {
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
