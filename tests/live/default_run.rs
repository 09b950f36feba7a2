//! The main job: a push to main, with nothing but a name, a registry and a base image given.

use crate::builder::{goes_with_its_step, not_here};
use crate::job::{Job, parts};
use crate::leftovers::containers;
use crate::runner::machine::RUNNER_UID;
use crate::runner::parts::docker;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

pub fn sorted(tags: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut tags: Vec<String> = tags.into_iter().collect();
    tags.sort();
    tags
}

#[test]
fn two_platforms_under_exactly_the_tags_of_a_push_to_main() {
    let parts = parts();
    let job = Job::usual("default");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let sha = job.origin.rev("main");
    let tags = [format!("{sha}-main"), "latest".to_owned(), "main".to_owned()];
    assert_eq!(job.tags(), sorted(tags.clone()));

    let registry = parts.open_registry();
    let top = registry.manifest(&job.repository(), "main").unwrap();
    for tag in &tags {
        assert_eq!(registry.manifest(&job.repository(), tag).unwrap().digest, top.digest, "{tag}");
    }
    let platforms = registry.platforms(&job.repository(), "main");
    assert_eq!(platforms.keys().collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    let created = job.origin.created();
    for (name, platform) in &platforms {
        assert_eq!(platform.config["created"], created.as_str(), "{name}: the commit's time, not now");
        let labels = &platform.config["config"]["Labels"];
        for (key, value) in [
            ("revision", sha.as_str()),
            ("created", &created),
            ("source", "https://github.com/acme/shop"),
            ("url", "https://github.com/acme/shop"),
            ("title", "shop"),
            ("licenses", "Apache-2.0"),
        ] {
            assert_eq!(labels[format!("org.opencontainers.image.{key}")], value, "{name}: {key}");
        }
        for step in platform.config["history"].as_array().unwrap() {
            let time = step["created"].as_str().unwrap();
            assert!(time <= created.as_str(), "{name}: {time} is later than the commit");
        }
    }

    let image = format!("{}/{}", parts.localhost(), job.repository());
    let output = |name: &str| result.outputs.get(name).map_or("", String::as_str);
    assert_eq!(output("image"), image);
    assert_eq!(output("digest"), top.digest);
    assert_eq!(output("reference"), format!("{image}@{}", top.digest));
    assert_eq!(output("pushed"), "true");
    assert_eq!(output("imageid"), "", "several platforms have no one config");
    let names = sorted(output("tag_names").lines().map(str::to_owned));
    assert_eq!(names, sorted(tags.clone()));
    let references = sorted(output("tags").lines().map(str::to_owned));
    assert_eq!(references, sorted(tags.iter().map(|tag| format!("{image}:{tag}"))));
    for (name, platform) in &platforms {
        assert!(output("metadata").contains(&platform.digest), "{name}: {}", output("metadata"));
    }

    for part in [top.digest.as_str(), "linux/arm64", "linux/amd64", "latest"] {
        assert!(result.summary.contains(part), "{part}\n--\n{}", result.summary);
    }
    // Of what another test has built before there is nothing to draw.
    let drawn = result.summary.contains("```mermaid");
    assert!(drawn || result.log().contains("  cached ✓ "), "{}", result.summary);
    assert!(result.annotations.is_empty(), "{:?}", result.annotations);
    assert!(!result.groups.is_empty(), "the log is in groups: {:?}", result.log_lines);
}

#[test]
fn the_foreign_platforms_image_runs() {
    let parts = parts();
    let job = Job::usual("foreign");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    for arch in ["amd64", "arm64"] {
        let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
        let output = docker(&["run", "--rm", "--quiet", "--platform", &format!("linux/{arch}"), &image]);
        assert_eq!(output, format!("built for {arch}\nhello"));
        if parts.graphdriver() {
            // This store holds one platform of a digest at a time.
            docker(&["image", "rm", "--force", &image]);
        }
    }
}

#[test]
fn a_rerun_gives_the_same_digest() {
    if goes_with_its_step() {
        return not_here("each step has a builder of its own, which has built nothing before");
    }
    // A statement of provenance says when it was made.
    let job = Job::usual("rerun").input("provenance", "false");
    let first = job.run();
    assert!(first.success, "{}", first.log());
    let second = job.run();
    assert!(second.success, "{}", second.log());
    assert_eq!(first.outputs["digest"], second.outputs["digest"]);
    assert!(second.log().contains("  cached ✓ ") || second.log().contains("cached"), "{}", second.log());
}

#[test]
fn a_version_adds_its_tag() {
    let job = Job::usual("version").input("version", "1.2.3+build.5").input("sha_length", "12");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let sha = job.origin.rev("main");
    let tags = [format!("{}-main", &sha[..12]), "latest".into(), "main".into(), "v1.2.3-build.5".into()];
    assert_eq!(job.tags(), sorted(tags));
    assert_eq!(result.outputs["tag"], "v1.2.3-build.5");
}

#[test]
fn one_platform_is_a_plain_image() {
    let parts = parts();
    let job = Job::usual("plain").input("platform", "linux/amd64").input("labels", "team=boxes\nnote=a=b, c");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let registry = parts.open_registry();
    let manifest = registry.manifest(&job.repository(), "main").unwrap();
    assert!(
        manifest.json["manifests"].is_null(),
        "an index breaks consumers that want an image: {}",
        manifest.json
    );
    assert_eq!(result.outputs["imageid"], manifest.json["config"]["digest"].as_str().unwrap());
    let platform = &registry.platforms(&job.repository(), "main")["linux/amd64"];
    assert_eq!(platform.config["config"]["Labels"]["team"], "boxes");
    assert_eq!(platform.config["config"]["Labels"]["note"], "a=b, c");
}

#[test]
fn a_dry_run_changes_nothing() {
    let parts = crate::job::parts();
    let job = Job::alone("dry", &[("Dockerfile", crate::job::DOCKERFILE), ("greeting", "hello\n")])
        .input("dry_run", "true")
        .input("platform", "linux/amd64")
        .input("push", if parts.graphdriver() { "false" } else { "auto" });
    let before = everything();
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(everything(), before);
    assert_eq!(job.tags(), Vec::<String>::new());
    assert_eq!(result.outputs["pushed"], "false");
    assert!(result.log().contains("main"), "the plan is in the log: {}", result.log());
    assert!(!result.outputs["plan"].is_empty());
}

/// What the engine holds, and the records of its build cache.
fn everything() -> Vec<String> {
    let all: [&[&str]; 2] = [&["volume", "ls", "-q"], &["images", "-aq", "--no-trunc"]];
    // The daemon's order of images of the same second is not always the same.
    let lines = |args: &&[&str]| sorted(docker(args).lines().map(str::to_owned)).join("\n");
    let mut found: Vec<String> = all.iter().map(lines).collect();
    found.push(containers());
    let cache = docker(&["buildx", "du", "--builder", "default"]);
    let records = cache.lines().filter(|line| !line.contains(':'));
    found.extend(sorted(
        records.filter_map(|line| Some(line.split_whitespace().next()?.trim_end_matches('*').to_owned())),
    ));
    found
}

#[test]
fn what_is_written_belongs_to_the_workspaces_owner() {
    let job = Job::usual("owner");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let foreign = not_owned(job.machine.temp().parent().unwrap());
    assert_eq!(foreign, Vec::<String>::new());
}

fn not_owned(path: &Path) -> Vec<String> {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mut found = Vec::new();
    if metadata.uid() != RUNNER_UID {
        found.push(path.display().to_string());
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            found.extend(not_owned(&entry.path()));
        }
    }
    found
}

#[test]
fn the_original_scripts_variables_stand_in() {
    let parts = parts();
    let mut job = Job::usual("original").without("image_name").without("registry");
    for (name, value) in [
        ("CI_DOCKER_IMAGE", "original"),
        ("DOMAIN", &parts.localhost()),
        ("GITHUB_REPO_REF", "Acme/Shop"),
        ("CI_DOCKER_PLATFORM", "linux/amd64"),
        ("GITHUB_BRANCH", "release"),
        ("LATEST_BRANCH", "release"),
    ] {
        job.env.insert(name.to_owned(), value.to_owned());
    }
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let tags = parts.open_registry().tags("acme/shop/original");
    assert!(!tags.is_empty(), "{}", result.log());
    assert!(
        result.annotations.iter().any(|note| note.message.contains("CI_DOCKER_IMAGE")),
        "a notice says where the name came from: {:?}",
        result.annotations
    );
}
