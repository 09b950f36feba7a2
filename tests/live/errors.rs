//! What a person reads when a build fails: of each kind of trouble the code, the Dockerfile's lines around the place, the cause
//! and what to change. Every code that is said here is explained in `docs/troubleshooting.md`.

use crate::job::{Job, parts};
use crate::runner::log::Level;
use crate::runner::step::StepResult;

/// A build that fails.
struct Case {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    inputs: &'static [(&'static str, &'static str)],
    /// The title of the only error.
    code: &'static str,
    /// Where it stands.
    place: Option<(&'static str, u32)>,
    /// What it says.
    says: &'static [&'static str],
}

const BASE: &str = "ARG BASE\nFROM ${BASE}\n";

const CASES: &[Case] = &[
    Case {
        name: "error-run",
        files: &[(
            "Dockerfile",
            "ARG BASE\nFROM ${BASE}\n\nRUN echo one; \\\n  echo why >&2; seq 1 40; exit 3\nUSER 1\n",
        )],
        inputs: &[],
        code: "run-failed",
        place: Some(("Dockerfile", 4)),
        says: &[
            "failed with exit code 3 (`Dockerfile:4`)\n    2 | FROM ${BASE}\n    3 |\n  > 4 | RUN echo one; \\\n  > 5 |   echo why >&2; seq 1 40; exit 3\n    6 | USER 1\nits output ends:\n",
            "\n  why",
            "\n  40",
        ],
    },
    Case {
        name: "error-command",
        files: &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUN no-such-program --version\n")],
        inputs: &[],
        code: "command-not-found",
        place: Some(("Dockerfile", 3)),
        says: &["no-such-program: not found", "hint: the image has no such program"],
    },
    Case {
        name: "error-crlf",
        files: &[
            ("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY --chmod=755 run.sh /\nRUN /run.sh\n"),
            ("run.sh", "#!/bin/sh\r\necho\r\n"),
        ],
        inputs: &[],
        code: "command-not-found",
        place: Some(("Dockerfile", 4)),
        says: &["exit code 127", "(CRLF)"],
    },
    Case {
        name: "error-mode",
        files: &[
            ("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY run.sh /\nRUN /run.sh\n"),
            ("run.sh", "#!/bin/sh\n"),
        ],
        inputs: &[],
        code: "run-failed",
        place: Some(("Dockerfile", 4)),
        says: &["exit code 126", "hint: the file is there, but cannot be run"],
    },
    Case {
        name: "error-killed",
        files: &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUN sh -c 'kill -9 $$' || exit $?\n")],
        inputs: &[],
        code: "out-of-memory",
        place: Some(("Dockerfile", 3)),
        says: &["exit code 137", "hint: its program was killed (signal 9)"],
    },
    Case {
        name: "error-elsewhere",
        files: &[
            ("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY src src\nCOPY package.json .\n"),
            ("services/api/package.json", "{}"),
            ("src/x", ""),
        ],
        inputs: &[],
        code: "copy-not-found",
        place: Some(("Dockerfile", 4)),
        says: &[
            "`/package.json` is not in the build context (`Dockerfile:4`)",
            "  > 4 | COPY package.json .",
            "hint: it is at `services/api/package.json`: set `context: services/api`",
        ],
    },
    Case {
        name: "error-subfolder",
        files: &[
            ("services/api/Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY package.json .\n"),
            ("services/api/package.json", "{}"),
            ("src/x", ""),
        ],
        inputs: &[("dockerfile", "services/api/Dockerfile"), ("context", "src")],
        code: "copy-not-found",
        place: Some(("services/api/Dockerfile", 3)),
        says: &["set `context: services/api`"],
    },
    Case {
        name: "error-ignored",
        files: &[
            ("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY dist/app.js /\n"),
            ("dist/app.js", ""),
            (".dockerignore", "# built anew\n*.md\ndist\n"),
        ],
        inputs: &[],
        code: "copy-not-found",
        place: Some(("Dockerfile", 3)),
        says: &["hint: it is there, but `.dockerignore` leaves it out: line 3, `dist`"],
    },
    Case {
        name: "error-copy-from",
        files: &[(
            "Dockerfile",
            "ARG BASE\nFROM ${BASE} AS build\nRUN touch /one\nFROM ${BASE}\nCOPY --from=build /two /\n",
        )],
        inputs: &[],
        code: "copy-not-found",
        place: Some(("Dockerfile", 5)),
        says: &["`/two` is not in `build`", "hint: is the file made there, at this very path?"],
    },
    Case {
        name: "error-stage",
        files: &[("Dockerfile", "ARG BASE\nFROM ${BASE} AS build\nFROM build AS test\nFROM build\n")],
        inputs: &[("target", "prod")],
        code: "stage-not-found",
        place: None,
        says: &[
            "prod",
            "hint: the Dockerfile's stages are `build`, `test`; without `target` the last one is built",
        ],
    },
    Case {
        name: "error-syntax",
        files: &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUM make\nUSER 1\n")],
        inputs: &[],
        code: "invalid-dockerfile",
        place: Some(("Dockerfile", 3)),
        says: &["RUM", "\n  > 3 | RUM make\n    4 | USER 1"],
    },
    Case {
        name: "error-argument",
        files: &[("Dockerfile", "FROM ${NOTHING}\nRUN true\n")],
        inputs: &[],
        code: "invalid-dockerfile",
        place: Some(("Dockerfile", 1)),
        says: &["NOTHING"],
    },
];

/// The only error of a build that pushed nothing.
fn failed(job: &Job, result: &StepResult, code: &str, says: &[&str]) -> (Option<String>, Option<u32>) {
    assert!(!result.success, "{}", result.log());
    assert_eq!(job.tags(), Vec::<String>::new());
    let errors = result.of(Level::Error);
    let [error] = errors.as_slice() else { panic!("one error: {errors:?}\n{}", result.log()) };
    for part in says {
        assert!(error.message.contains(part), "{part:?} in:\n{}\n{}", error.message, result.log());
    }
    assert_eq!(error.title.as_deref(), Some(code), "{}", error.message);
    let last = result.log_lines.last().cloned().unwrap_or_default();
    let page = format!(
        "explained at https://github.com/org/docker-push-action/blob/v1/docs/troubleshooting.md#{code}"
    );
    assert!(last.starts_with("✗ after ") && last.ends_with(&page), "{}", result.log());
    assert!(result.summary.contains(&format!("`{code}`")), "{}", result.summary);
    (error.file.clone(), error.line)
}

#[test]
fn builds_that_fail_say_why_where_and_what_to_change() {
    for case in CASES {
        let job = Job::new(case.name, case.files).input("platform", "linux/amd64");
        let job = case.inputs.iter().fold(job, |job, (name, value)| job.input(name, value));
        let result = job.run();
        let place = failed(&job, &result, case.code, case.says);
        let expected = case.place.map(|(file, line)| (file.to_owned(), line));
        assert_eq!(place.0.zip(place.1), expected, "{}", case.name);
    }
}

#[test]
fn base_images_that_cannot_be_had_are_named_once() {
    let parts = parts();
    let dockerfile: &[(&str, &str)] = &[("Dockerfile", BASE)];
    let absent = format!("{}/base/nowhere:9", parts.registry);
    let unreachable = "localhost:9/a/b:1".to_owned();
    let private = format!("{}/base/private:1", parts.auth_registry);
    for (name, base, code, says) in [
        ("error-no-base", &absent, "base-image-not-found", "hint: check the image's name and tag"),
        ("error-unreachable-base", &unreachable, "base-image-unavailable", "hint: the daemon cannot reach"),
        ("error-private-base", &private, "base-image-denied", "is the name right, is a login needed?"),
    ] {
        let job = Job::new(name, dockerfile).input("build_args", &format!("BASE={base}"));
        let job = job.input("platform", "linux/amd64");
        let result = job.run();
        let image = format!("the base image `{base}` cannot be read: ");
        failed(&job, &result, code, &[&image, says, "  > 2 | FROM ${BASE}"]);
        let error = &result.of(Level::Error)[0];
        assert_eq!(error.message.matches(base.as_str()).count(), 1, "{}", error.message);
    }
}
