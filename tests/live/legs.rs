//! Legs and their merge with a real BuildKit: what jobs of a matrix push one by one is the image that one build of all
//! platforms makes. What becomes of records that are missing, foreign or stay is in `tests/it/legs.rs`.

use crate::job::{Job, parts};
use crate::runner::machine::Machine;
use crate::runner::parts::docker;
use crate::runner::registry::{Manifest, Registry};
use crate::runner::step::StepResult;
use serde_json::Value;

fn good(result: StepResult) -> StepResult {
    assert!(result.success, "{}", result.log());
    result
}

fn job(name: &str) -> Job {
    Job::usual(name).input("cache", "off")
}

fn set(job: &mut Job, name: &str, value: &str) {
    job.inputs.insert(name.to_owned(), value.to_owned());
}

/// The job of a matrix for this platform.
fn leg(job: &mut Job, platform: &str) -> StepResult {
    set(job, "mode", "leg");
    set(job, "platform", platform);
    job.native().run()
}

/// The job after the matrix.
fn merge(job: &mut Job) -> StepResult {
    set(job, "mode", "merge");
    job.inputs.remove("platform");
    job.native().run()
}

/// Digests of the images of an index, without its attestations; and how many of those there are.
fn images(index: &Manifest) -> (Vec<(String, String)>, usize) {
    let entries = index.json["manifests"].as_array().unwrap();
    let attests = |entry: &&Value| entry["annotations"]["vnd.docker.reference.type"].is_string();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let images = entries.iter().filter(|entry| !attests(entry));
    let images = images.map(|entry| (text(&entry["platform"]["architecture"]), text(&entry["digest"])));
    (images.collect(), entries.iter().filter(attests).count())
}

fn top(registry: &Registry, job: &Job, tag: &str) -> Manifest {
    registry.manifest(&job.repository(), tag).unwrap_or_else(|| panic!("there is no `{tag}`"))
}

#[test]
fn two_legs_and_a_merge_are_one_build() {
    let parts = parts();
    let registry = parts.open_registry();
    let annotations = "team=shop\nmanifest[linux/amd64]:box=1\nindex:lid=2\nmanifest-descriptor:weight=3";
    let mut job = job("legs-whole").input("annotations", annotations);
    let whole = good(job.native().run());
    let whole = (top(&registry, &job, "main"), whole);

    set(&mut job, "image_name", "legs-joined");
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        let result = good(leg(&mut job, platform));
        let name = format!("{}/{}", parts.localhost(), job.repository());
        assert_eq!(result.outputs["reference"], format!("{name}@{}", result.outputs["digest"]));
        assert_eq!((result.outputs["pushed"].as_str(), result.outputs["tag_names"].as_str()), ("true", ""));
        assert!(result.outputs["imageid"].starts_with("sha256:"), "{:?}", result.outputs);
        let metadata: Value = serde_json::from_str(&result.outputs["metadata"]).unwrap();
        assert_eq!(metadata["platforms"][0]["platform"], platform);
        let title = format!("Push one leg of {name}: {platform}");
        assert!(result.groups.iter().any(|group| group.name == title), "{}", result.log());
        let heading = format!("### ✅ Pushed one leg of `{name}`: `{platform}`");
        assert!(result.summary.starts_with(&heading), "{}", result.summary);
        assert!(result.annotations.is_empty(), "{:?}", result.annotations);
        // By digest, and a record.
        let tags = job.tags();
        assert!(tags.iter().all(|tag| tag.starts_with("leg-")), "{tags:?}");
        // Which no registry reaps, and neither what it lists.
        let record = tags.iter().find(|tag| tag.ends_with(architecture)).unwrap();
        let record = top(&registry, &job, record);
        let listed: Vec<String> = images(&record).0.into_iter().map(|(_, digest)| digest).collect();
        assert_eq!(listed, [result.outputs["digest"].clone()]);
    }
    // One of the matrix's jobs is run again.
    job.machine.attempt = 2;
    good(leg(&mut job, "linux/amd64"));
    let merged = good(merge(&mut job));
    assert!(merged.annotations.is_empty(), "{:?}", merged.annotations);
    for (platform, attempt) in [("linux/amd64", 2), ("linux/arm64", 1)] {
        let line = merged.log_lines.iter().find(|line| line.contains(&format!("leg {platform}: ")));
        assert!(line.unwrap().ends_with(&format!("(attempt {attempt})")), "{}", merged.log());
    }

    let index = top(&registry, &job, "main");
    assert_eq!(merged.outputs["digest"], index.digest);
    assert_eq!(images(&index), images(&whole.0), "the same images");
    assert_eq!(images(&index).1, 2, "each with its provenance");
    for (joined, built) in images(&index).0.iter().zip(&images(&whole.0).0) {
        let of = |index: &Manifest, digest: &str| {
            let entries = index.json["manifests"].as_array().unwrap().clone();
            entries.into_iter().find(|entry| entry["digest"] == *digest).unwrap()
        };
        assert_eq!(of(&index, &joined.1), of(&whole.0, &built.1), "the same descriptors");
    }
    // Which say the same, but for the attempt that has built the last of them.
    let run = "io.github.docker-push-action.run";
    let first = whole.0.json["annotations"][run].as_str().unwrap();
    let second = format!("{}-2", first.strip_suffix("-1").unwrap());
    let mut said = whole.0.json["annotations"].clone();
    said[run] = second.as_str().into();
    assert_eq!(index.json["annotations"], said);
    for output in ["tag_names", "labels", "version", "imageid"] {
        assert_eq!(merged.outputs[output], whole.1.outputs[output], "{output}");
    }
    assert_eq!(merged.outputs["annotations"], whole.1.outputs["annotations"].replace(first, &second));
    let mut planned: Vec<&str> = merged.outputs["tag_names"].lines().collect();
    planned.sort_unstable();
    assert_eq!(job.tags(), planned, "the records are gone");
    let image = format!("{}/{}:main", parts.localhost(), job.repository());
    assert_eq!(docker(&["run", "--rm", "--pull", "always", &image]), "built for amd64\nhello");

    // The merge once more, as the runner starts it and without a checkout.
    let mut empty = Machine::new("acme/shop");
    empty.attempt = 3;
    let mut step = job.step();
    step.machine = &empty;
    let again = good(step.run());
    assert_eq!(again.outputs["digest"], index.digest, "{}", again.log());
    assert!(again.log().contains("has joined the legs already"), "{}", again.log());

    // A release of the commit is this image.
    job.inputs.remove("mode");
    job.origin.tag("v1.2.3", Some("Two sizes"));
    job.check_out("refs/tags/v1.2.3", 1);
    job.event = job.event_of("push-tag");
    let released = good(job.native().run());
    assert_eq!(
        (released.outputs["promoted"].as_str(), &released.outputs["digest"]),
        ("true", &index.digest),
        "{}",
        released.log()
    );
}

#[test]
fn a_version_that_is_taken_stops_a_leg_before_it_builds() {
    let mut job = job("legs-version").input("version", "1.0.0");
    let first = job.origin.rev("main");
    for platform in ["linux/amd64", "linux/arm64"] {
        good(leg(&mut job, platform));
    }
    let merged = good(merge(&mut job));
    assert_eq!(merged.outputs["tag"], "v1.0.0");
    // For the same commit it is kept, whatever the legs are.
    job.machine.attempt = 2;
    for platform in ["linux/amd64", "linux/arm64"] {
        good(leg(&mut job, platform));
    }
    let again = good(merge(&mut job));
    assert_eq!(again.outputs["digest"], merged.outputs["digest"], "{}", again.log());

    job.origin.write("greeting", "hello again\n");
    let next = job.origin.commit("Sell them in three");
    job.event = job.event.clone().replace(&first, &next);
    job.check_out("refs/heads/main", 1);
    let failed = leg(&mut job, "linux/amd64");
    assert!(!failed.success && !failed.log().contains("RUN echo"), "{}", failed.log());
    let expected = format!("the version's tag `v1.0.0` exists already, on the image of commit {first}");
    assert!(failed.errors().contains(&expected), "{}", failed.errors());
}

/// The legs of a variant were found under the repository's name alone: the variant that was recorded last was published
/// as each of them, and every job was green.
#[test]
fn two_variants_of_one_repository_in_one_run_are_each_published_as_what_they_are() {
    let registry = parts().open_registry();
    let mut job = job("legs-variants").input("provenance", "false");
    let variants = ["1.0.0", "2.0.0"];
    // As the jobs of one matrix over variants and platforms, which end in any order.
    let mut legs: Vec<Vec<String>> = vec![Vec::new(); variants.len()];
    for platform in ["linux/arm64", "linux/amd64"] {
        for (variant, legs) in variants.iter().zip(&mut legs) {
            set(&mut job, "version", variant);
            legs.push(good(leg(&mut job, platform)).outputs["digest"].clone());
        }
    }
    assert_ne!(legs[0], legs[1]);
    for (variant, legs) in variants.iter().zip(legs) {
        set(&mut job, "version", variant);
        let merged = good(merge(&mut job));
        assert!(merged.annotations.is_empty(), "{:?}", merged.annotations);
        let index = top(&registry, &job, &format!("v{variant}"));
        assert_eq!(index.digest, merged.outputs["digest"]);
        let found: Vec<String> = images(&index).0.into_iter().map(|(_, digest)| digest).collect();
        assert_eq!(found, legs, "{variant}: {}", merged.log());
    }
}

/// Nothing tells these apart but what they are built from, which a merge is not told.
#[test]
fn two_variants_with_the_same_tags_fail_before_one_is_published_as_the_other() {
    let mut job = job("legs-same-tags");
    let usual = job.inputs["build_args"].clone();
    good(leg(&mut job, "linux/amd64"));
    set(&mut job, "build_args", &format!("{usual}\nOTHER=1"));
    set(&mut job, "labels", "variant=other");
    let failed = leg(&mut job, "linux/amd64");
    let expected = "two jobs of run";
    assert!(!failed.success && failed.errors().contains(expected), "{}", failed.log());
    assert!(failed.errors().contains("from different inputs for the same tags"), "{}", failed.errors());
    assert!(failed.log().contains("variants of one image need tags of their own"), "{}", failed.log());
    // A later attempt may be built from other inputs, as from another date.
    job.machine.attempt = 2;
    let again = good(leg(&mut job, "linux/amd64"));
    let warned = again.annotations.iter().filter(|one| format!("{one:?}").contains("takes the place of"));
    assert_eq!(warned.count(), 1, "{:?}", again.annotations);
    // Legs of one image may differ, too; the merge says what that costs.
    set(&mut job, "build_args", &usual);
    good(leg(&mut job, "linux/arm64"));
    let merged = good(merge(&mut job));
    let noticed = merged.annotations.iter().filter(|one| format!("{one:?}").contains("different inputs"));
    assert_eq!(noticed.count(), 1, "{:?}", merged.annotations);
}

#[test]
fn without_a_push_legs_are_built_and_nothing_is_merged() {
    let (mut job, ..) = job("legs-fork").pull_request("pull_request-fork", 44, "boxes");
    let built = good(leg(&mut job, "linux/amd64"));
    assert_eq!(built.outputs["pushed"], "false");
    assert!(built.log().contains("RUN echo built for amd64"), "{}", built.log());
    assert!(built.log().contains("Build one leg of"), "{}", built.log());
    let merged = good(merge(&mut job));
    let why = "there is nothing to merge, as nothing is pushed: pull requests from forks may not publish";
    assert!(merged.log().contains(why), "{}", merged.log());
    assert_eq!(job.tags(), Vec::<String>::new());
}
