//! What a build prints: hostile lines stay text, a failing step says where and why, warnings stand beside the code.

use crate::job::{Job, parts};
use crate::runner::log::Level;

/// Everything that a step could print to give orders to the runner. Each order carries the word `hacked`.
const HOSTILE: &[&str] = &[
    "::set-output name=digest::hacked",
    "   ::set-output name=hacked::hacked",
    "::save-state name=hacked::hacked",
    "::error file=Dockerfile,line=1::hacked",
    "::warning::hacked",
    "::add-mask::hacked",
    "::add-matcher::hacked.json",
    "::group::hacked",
    "::endgroup::",
    "::stop-commands::hacked-token",
    "::debug::hacked",
    "::echo::on",
    "##[error]hacked",
    "##[set-output name=hacked]hacked",
    "words first ##[add-mask]hacked",
    "##[group]hacked",
    "##[stop-commands]hacked-token",
    "progress\\r::error::hacked\\r##[warning]hacked",
    "\\033[31mred\\033[0m ::notice::hacked \\033]0;title\\007",
    "\\033[2J\\033[H::error::hacked",
    "\\xe2\\x80\\xa8::error::hacked",
    "\\x0b::error::hacked\\x0c::error::hacked\\xc2\\x85::error::hacked",
    "broken \\xff\\xfe bytes",
    "##[start-action hacked]",
];

const STDERR: &str = "::error::hacked\\n##[error]hacked\\n";

#[test]
fn build_output_gives_no_orders() {
    // In a file, so that the step's own name is harmless: that one is ours to print.
    let lines: String = HOSTILE.join("\\n") + "\\n";
    let script = format!("printf '{}'\nprintf '{}' >&2\n", lines.replace('%', "%%"), STDERR);
    let dockerfile = "ARG BASE\nFROM ${BASE}\nCOPY hostile /hostile\nRUN sh /hostile\n";
    let job = Job::new("hostile", &[("Dockerfile", dockerfile), ("hostile", &script)])
        .input("platform", "linux/amd64")
        .input("no_cache", "true");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert!(result.log().contains("words first"), "the output is in the log: {}", result.log());
    for annotation in &result.annotations {
        assert!(!annotation.message.contains("hacked"), "{annotation:?}");
    }
    for command in ["set-output", "save-state", "add-matcher", "echo", "set-env"] {
        assert!(!result.commands.iter().any(|known| known == command), "`{command}` was carried out");
    }
    assert!(!result.masks.iter().any(|mask| mask.contains("hacked")), "{:?}", result.masks);
    assert!(result.outputs.keys().all(|name| name != "hacked"), "{:?}", result.outputs);
    assert!(result.outputs["digest"].starts_with("sha256:"));
    assert!(result.state.is_empty());
    for group in &result.groups {
        assert!(!group.name.contains("hacked"), "{}", group.name);
    }
    for line in &result.log_lines {
        assert!(!(line.starts_with("##[") && line.contains("hacked")), "the page would draw this: {line}");
        assert!(!line.contains(['\u{7}', '\u{b}', '\u{c}', '\u{85}']), "a control character: {line:?}");
    }
    assert!(result.summary.lines().all(|line| !line.trim_start().starts_with("::")));
}

#[test]
fn a_failing_step_is_explained_at_its_line() {
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN echo fine\nRUN echo first words; echo last words >&2; exit 42\nRUN echo never\n";
    for (name, path, input) in [
        ("failing", "Dockerfile", "Dockerfile"),
        ("failing-deep", "deploy/api.Dockerfile", "deploy/api.Dockerfile"),
    ] {
        let job =
            Job::new(name, &[(path, dockerfile)]).input("platform", "linux/amd64").input("dockerfile", input);
        let result = job.run();
        assert!(!result.success);
        assert_ne!(result.exit_code, Some(0));
        let errors = result.of(Level::Error);
        let error = errors
            .iter()
            .find(|error| error.line == Some(4))
            .unwrap_or_else(|| panic!("no error at line 4: {errors:?}\n{}", result.log()));
        assert_eq!(error.file.as_deref(), Some(path));
        for part in ["42", "last words"] {
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
        assert!(
            result.log().contains(&format!("{path}:4")) || error.message.contains(&format!("{path}:4")),
            "{}",
            result.log()
        );
        assert!(result.log().contains("first words"));
        assert!(!result.log().contains("echo never") || !result.log().contains("\nnever"));
        assert_eq!(job.tags(), Vec::<String>::new());
        assert_eq!(result.outputs["pushed"], "false");
        assert!(result.summary.contains("last words"), "what was done stays reported: {}", result.summary);
    }
}

#[test]
fn a_dockerfile_that_is_none_is_explained_at_its_line() {
    let job =
        Job::new("syntax", &[("Dockerfile", "FROM scratch\nCOPPY a b\n")]).input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success);
    let errors = result.of(Level::Error);
    assert!(
        errors.iter().any(|error| error.file.as_deref() == Some("Dockerfile") && error.line == Some(2)),
        "{errors:?}\n{}",
        result.log()
    );
    assert!(result.errors().contains("COPPY"), "{}", result.errors());
}

#[test]
fn a_missing_base_image_is_named() {
    let parts = parts();
    let base = format!("{}/base/nowhere:9", parts.registry);
    let job =
        Job::usual("no-base").input("build_args", &format!("BASE={base}")).input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success);
    assert!(result.errors().contains(&base), "{}", result.errors());
    assert_eq!(job.tags(), Vec::<String>::new());
}

#[test]
fn warnings_stand_beside_the_code() {
    // Known to every BuildKit: a continuation line with nothing on it.
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN echo a \\\n\n    && echo b\n";
    let job = Job::new("lint", &[("Dockerfile", dockerfile)]).input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let warnings = result.of(Level::Warning);
    assert!(
        warnings
            .iter()
            .any(|warning| warning.file.as_deref() == Some("Dockerfile") && warning.line.is_some()),
        "{warnings:?}\n{}",
        result.log()
    );
}
