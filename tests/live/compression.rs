//! `compression`: the layers in the registry are compressed as it says, those of the base image only if that is forced. What was
//! built runs.

use crate::job::{Job, parts};
use crate::order::good;
use crate::runner::parts::docker;
use serde_json::Value;

/// The media types of the layers, the base image's first.
fn layers(job: &Job, digest: &str) -> Vec<String> {
    let manifest = parts().open_registry().manifest(&job.repository(), digest).unwrap();
    let layers = manifest.json["layers"].as_array().unwrap().clone();
    let name = |layer: &Value| {
        let name = layer["mediaType"].as_str().unwrap().rsplit("layer.v1.").next().unwrap().to_owned();
        // What makes a gzip one that can be read in parts.
        let toc = &layer["annotations"]["containerd.io/snapshot/stargz/toc.digest"];
        if toc.is_null() { name } else { name + " with contents" }
    };
    layers.iter().map(name).collect()
}

#[test]
fn layers_are_compressed_as_asked() {
    let base = {
        let files = [("Dockerfile", DOCKERFILE), ("greeting", "none\n")];
        let job = Job::new("compression-base", &files).input("platform", "linux/amd64");
        layers(&job, &good(job.native().run()).outputs["digest"])
    };
    assert!(base.iter().all(|layer| layer == "tar+gzip"), "{base:?}");
    for (number, (input, own, of_base)) in [
        ("zstd", "tar+zstd", "tar+gzip"),
        ("zstd:19,force", "tar+zstd", "tar+zstd"),
        ("uncompressed", "tar", "tar+gzip"),
        ("estargz", "tar+gzip with contents", "tar+gzip"),
        ("gzip:1", "tar+gzip", "tar+gzip"),
    ]
    .into_iter()
    .enumerate()
    {
        // What the builder has compressed once stays so, unless that is forced: each has layers of its own.
        let files = [("Dockerfile", DOCKERFILE), ("greeting", &format!("{number} of them\n"))];
        let job = Job::new(&format!("compression-{number}"), &files).input("platform", "linux/amd64");
        let job = job.input("compression", input);
        let result = good(job.native().run());
        let mut expected = vec![of_base; base.len() - 1];
        expected.push(own);
        assert_eq!(layers(&job, &result.outputs["digest"]), expected, "{input}\n{}", result.log());
        let plan: Value = serde_json::from_str(&result.outputs["plan"]).unwrap();
        assert_eq!(plan["compression"], input);
        let said = docker(&["run", "--rm", &result.outputs["reference"]]);
        assert_eq!(said.trim(), format!("{number} of them"), "{input}");
    }
}

const DOCKERFILE: &str = "ARG BASE
FROM ${BASE}
COPY greeting /greeting
ENTRYPOINT [\"/bin/busybox\", \"cat\", \"/greeting\"]
";
