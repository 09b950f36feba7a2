//! What the inputs change: the file, the stage, the place, the names.

use crate::job::{DOCKERFILE, Job, parts_with_store};
use crate::runner::log::Level;
use crate::runner::parts::docker;

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
    let Some(parts) = parts_with_store() else { return };
    let job = Job::new("stages", &[("Dockerfile", STAGES)])
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
    let Some(parts) = parts_with_store() else { return };
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
    let Some(parts) = parts_with_store() else { return };
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
    if parts_with_store().is_none() {
        return;
    }
    let job = Job::new("in-context", &[("deploy/api.Dockerfile", DOCKERFILE), ("deploy/greeting", "x\n")])
        .input("platform", "linux/amd64")
        .input("context", "deploy")
        .input("dockerfile", "api.Dockerfile");
    let result = job.run();
    assert!(result.success, "{}", result.log());
}

#[test]
fn a_path_of_the_runners_machine_is_the_containers() {
    if parts_with_store().is_none() {
        return;
    }
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
    if parts_with_store().is_none() {
        return;
    }
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

#[test]
fn a_flood_of_output_is_bounded() {
    if parts_with_store().is_none() {
        return;
    }
    let script = "yes a-line-of-a-flood | head -n 400000\nhead -c 3000000 /dev/zero | tr '\\0' x\necho; echo the end\n";
    let job = Job::new(
        "flood",
        &[
            ("Dockerfile", "ARG BASE=busybox\nFROM ${BASE}\nCOPY flood /flood\nRUN sh /flood\n"),
            ("flood", script),
        ],
    )
    .input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", &result.log()[..4000]);
    let longest = result.log_lines.iter().map(String::len).max().unwrap_or_default();
    assert!(longest <= 64 * 1024, "a line of {longest} bytes");
    assert!(result.log().len() <= 4 << 20, "a log of {} bytes", result.log().len());
    assert!(!result.summary.is_empty());
}
