//! What the inputs change: the file, the stage, the place, the names.

use crate::builder::goes_with_its_step;
use crate::default_run::sorted;
use crate::job::{DOCKERFILE, Job, parts};
use crate::runner::log::Level;
use crate::runner::parts::docker;
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const STAGES: &str = "ARG BASE=busybox
FROM ${BASE} AS base
ARG WORD=none
RUN echo $WORD >/word
FROM base AS small
CMD [\"cat\", \"/word\"]
FROM base
RUN false
";

#[test]
fn a_stage_and_build_arguments() {
    let parts = parts();
    let job = Job::new("a-stage", &[("Dockerfile", STAGES)])
        .input("platform", "linux/amd64")
        .input("target", "small");
    let arguments = format!("# a comment\nBASE={}\nWORD=two words, and a comma\n", parts.base);
    let job = job.input("build_args", &arguments);
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
    assert_eq!(docker(&["run", "--rm", "--quiet", &image]), "two words, and a comma");
    assert!(!result.outputs["plan"].contains("two words"), "a build argument's value may be a secret");

    let result = job.input("target", "nowhere").run();
    assert!(!result.success && result.errors().contains("nowhere"), "{}", result.log());
}

#[test]
fn a_whole_repository_takes_the_place_of_registry_and_name() {
    let parts = parts();
    let job = Job::usual("whole")
        .without("image_name")
        .without("registry")
        .input("repository", &format!("{}/any/where/else", parts.localhost()))
        .input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert_eq!(parts.open_registry().tags("any/where/else").len(), 3);
    assert_eq!(result.outputs["image"], format!("{}/any/where/else", parts.localhost()));
}

#[test]
fn the_workspaces_dockerfile_wins_and_the_other_is_named() {
    let parts = parts();
    let job = Job::new(
        "two-files",
        &[
            ("Dockerfile", DOCKERFILE),
            ("deploy/Dockerfile", "FROM scratch\nRUN false\n"),
            ("deploy/greeting", "from deploy\n"),
        ],
    )
    .input("platform", "linux/amd64")
    .input("context", "deploy");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
    assert_eq!(docker(&["run", "--rm", "--quiet", &image]), "built for amd64\nfrom deploy");
    let warned = result.of(Level::Warning).iter().any(|note| note.message.contains("deploy/Dockerfile"));
    assert!(warned, "{:?}", result.annotations);
}

#[test]
fn a_dockerfile_is_found_in_the_context() {
    let job = Job::new("in-context", &[("deploy/api.Dockerfile", DOCKERFILE), ("deploy/greeting", "x\n")])
        .input("platform", "linux/amd64")
        .input("context", "deploy")
        .input("dockerfile", "api.Dockerfile");
    let result = job.run();
    assert!(result.success, "{}", result.log());
}

#[test]
fn a_path_of_the_runners_machine_is_the_containers() {
    let job = Job::usual("host-path").input("platform", "linux/amd64");
    let workspace = job.machine.workspace();
    let job = job
        .input("context", &workspace.display().to_string())
        .input("dockerfile", &workspace.join("Dockerfile").display().to_string());
    let result = job.run();
    assert!(result.success, "{}", result.log());
}

#[test]
fn names_are_no_markdown_and_no_html() {
    let branch = "feature/`|<img/src=x>&$(id)";
    let dockerfile = format!("{DOCKERFILE}RUN echo '| <img src=x> `code` </details> [a](http://b)'\n");
    let mut job = Job::new("markdown", &[("Dockerfile", &dockerfile), ("greeting", "x\n")])
        .input("platform", "linux/amd64");
    job.origin.git(&["branch", branch]);
    job.event = job.event.replace("refs/heads/main", &format!("refs/heads/{branch}"));
    job.check_out(&format!("refs/heads/{branch}"), 1);
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert!(
        result.outputs["tag_names"].lines().any(|tag| tag == "feature-img-src-x-id"),
        "{:?}",
        result.outputs
    );
    // Without what is escaped, and outside of code spans, whose content is shown as it is.
    let escapes = ["\\`", "\\<", "\\|", "\\&"];
    let bare = escapes.iter().fold(result.summary.clone(), |text, escape| text.replace(escape, ""));
    let prose: String =
        bare.lines().map(|line| line.split('`').step_by(2).collect::<String>() + "\n").collect();
    assert!(!prose.contains("<img"), "{}", result.summary);
    assert_eq!(result.summary.matches("</details>").count(), result.summary.matches("<details>").count());
    for row in result.summary.lines().filter(|line| line.starts_with("| ") && line.contains("img")) {
        let cells = row.replace("\\|", "").matches('|').count();
        assert!(cells <= 5, "a name opened another cell: {row}");
    }
}

/// A step that writes 100 MB, 1 GB with `SOAK=1`: BuildKit cuts it off, and what it passes on neither fills memory nor holds anything up.
#[test]
fn a_flood_of_output_is_bounded() {
    let bytes = if std::env::var_os("SOAK").is_some() { 1_000_000_000 } else { 100_000_000 };
    let script = format!(
        "yes a-line-of-a-flood | head -c {bytes}\nhead -c 3000000 /dev/zero | tr '\\0' x\necho; echo the end\n"
    );
    let job = Job::new(
        "flood",
        &[
            ("Dockerfile", "ARG BASE=busybox\nFROM ${BASE}\nCOPY flood /flood\nRUN sh /flood\n"),
            ("flood", &script),
        ],
    )
    .input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", &result.log()[..4000]);
    let longest = result.log_lines.iter().map(String::len).max().unwrap_or_default();
    assert!(longest <= 64 * 1024, "a line of {longest} bytes");
    // A builder container passes on more of a step's words than an engine.
    let limit = if goes_with_its_step() { 66 << 20 } else { 4 << 20 };
    assert!(result.log().len() <= limit, "a log of {} bytes", result.log().len());
    assert!(!result.summary.is_empty());
}

/// What buildx reads in the file that is named so, as docker/metadata-action's users have it.
#[test]
fn what_reads_metadata_actions_outputs_reads_ours() {
    let job = Job::usual("baked")
        .input("platform", "linux/amd64")
        .input("dry_run", "true")
        .input("labels", "note=a ${b} %{c}, $d=e\nteam=boxes")
        .input("annotations", "team=boxes\nindex:team=crates");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let described: Value = serde_json::from_str(&result.outputs["json"]).unwrap();
    let list = |name: &str| result.outputs[name].lines().map(Value::from).collect::<Value>();
    assert_eq!(described["tags"], list("tags"));
    assert_eq!(described["tag-names"], list("tag_names"));
    assert_eq!(described["annotations"], list("annotations"));
    assert_eq!(described["labels"]["note"], "a ${b} %{c}, $d=e");

    let file = Path::new(&result.outputs["bake_file"]);
    assert!(file.starts_with(job.machine.temp()), "{}", file.display());
    let owner = |path: &Path| std::fs::metadata(path).unwrap().uid();
    assert_eq!(owner(file), owner(&job.machine.workspace()));
    let file = file.display().to_string();
    let read = docker(&["buildx", "bake", "--file", &file, "--print", "docker-metadata-action"]);
    // What it understood; it prints so that it could be read again.
    let read = read.replace("$${", "${").replace("%%{", "%{");
    let target = serde_json::from_str::<Value>(&read).unwrap()["target"]["docker-metadata-action"].take();
    let names =
        |value: &Value| sorted(value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()));
    assert_eq!(names(&target["tags"]), names(&described["tags"]));
    assert_eq!(target["labels"], described["labels"]);
    assert!(names(&target["annotations"]).contains(&"manifest:team=boxes".into()), "{target}");
    assert!(!target["annotations"].to_string().contains("crates"), "no index, no annotation of it: {target}");
    assert_eq!(target["args"]["DOCKER_META_IMAGES"], result.outputs["image"]);
    assert_eq!(target["args"]["DOCKER_META_VERSION"], result.outputs["tag"]);
}

/// Both ways that the warning names, and what stands in the registry then.
#[test]
fn one_platform_keeps_an_indexs_annotation_where_an_index_is_asked_for() {
    let parts = parts();
    for (name, input, value) in [
        ("index-by-provenance", "provenance", "true"),
        ("index-by-argument", "build_args", "BUILDKIT_MULTI_PLATFORM=1"),
    ] {
        let arguments = match input {
            "build_args" => format!("BASE={}\n{value}", parts.base),
            _ => format!("BASE={}", parts.base),
        };
        let mut job = Job::usual(name)
            .input("platform", "linux/amd64")
            .input("annotations", "index:team=crates")
            .input("build_args", &arguments);
        if input != "build_args" {
            job = job.input(input, value);
        }
        let result = job.run();
        assert!(result.success, "{}", result.log());
        let left_out = result.of(Level::Warning).iter().any(|note| note.message.contains("left out"));
        assert!(!left_out, "{:?}", result.annotations);
        let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
        let raw = docker(&["buildx", "imagetools", "inspect", "--raw", &image]);
        let index: Value = serde_json::from_str(&raw).unwrap();
        assert_eq!(index["annotations"]["team"], "crates", "{raw}");
    }
}

#[test]
fn a_variable_is_a_build_argument_by_its_name_and_an_unpushed_image_needs_none() {
    let parts = parts();
    let dockerfile = "ARG BASE\nFROM ${BASE}\nARG WORD\nRUN test \"$WORD\" = env\n";
    let mut job = Job::new("named-argument", &[("Dockerfile", dockerfile)])
        .without("image_name")
        .without("registry")
        .input("platform", "linux/amd64")
        .input("push", "false")
        .input("build_args", "BASE\nWORD\nUNSET_HERE");
    job.env.insert("BASE".into(), parts.base.clone());
    job.env.insert("WORD".into(), "env".into());
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let said = |part: &str| result.of(Level::Notice).iter().any(|note| note.message.contains(part));
    assert!(said("`UNSET_HERE` left out") && said("there is no `image_name`"), "{:?}", result.annotations);
}
