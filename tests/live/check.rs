//! `mode: check`: the findings are those of `docker buildx build --call=check` of the same builder on the same files, beside
//! the same lines; nothing is built, pushed or kept, and `check_level` decides what fails.

use crate::builder::{Builder, builder, create_with_buildx, not_here, of_buildx};
use crate::job::{Job, parts};
use crate::runner::log::Level;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

/// Dockerfiles with something to find, each below what GitHub shows of one step.
const FILES: &[(&str, &str)] = &[
    (
        "casing",
        "ARG BASE=busybox\nFROM ${BASE} AS Build\nRUN echo a\nFROM ${BASE} as two\nfrom two AS two\nCopy --from=build /bin/sh /sh\n",
    ),
    (
        "old",
        "ARG BASE=busybox\nFROM ${BASE}\nMAINTAINER me@example.com\nENV one two\nWORKDIR app\nRUN echo a \\\n\n    && echo b\nCMD echo hello\nCMD [\"echo\"]\n",
    ),
    (
        "names",
        "ARG BASE=busybox\nFROM --platform=$TARGETPLATFORM ${BASE} AS context\nARG API_TOKEN\nENV DB_PASSWORD=x\nCOPY $nowhere /a\nFROM --platform=linux/amd64 ${BASE} AS last\nEXPOSE 80/TCP\nEXPOSE [::]:80:80\n",
    ),
    ("bases", "ARG VERSION\nFROM ${BASE} AS a\nFROM busybox:${VERSION} AS b\nFROM scratch\n"),
    (
        "experimental",
        "# check=experimental=all\nARG BASE=busybox\nFROM ${BASE} AS a\n# bees make honey\nARG bee=1\nCOPY ignored /x\n",
    ),
    ("skips", "# check=skip=MaintainerDeprecated\nARG BASE=busybox\nFROM ${BASE} as a\nMAINTAINER me\n"),
    ("well", "ARG BASE=busybox\nFROM ${BASE}\nCOPY greeting /greeting\n"),
];

/// A check of these files by the suite's builder, or by whom the action chooses.
fn check(name: &str, files: &[(&str, &str)]) -> Job {
    checking(Job::new(name, files))
}

fn checking(job: Job) -> Job {
    let job = job.input("mode", "check").input("platform", "linux/amd64");
    match builder() {
        // An engine whose BuildKit is too old has another one made.
        Builder::Auto => job.input("builder_image", &parts().buildkit_image).input("builder_keep", "false"),
        _ => job,
    }
}

/// The same, while nobody else makes images.
fn alone(name: &str, files: &[(&str, &str)]) -> Job {
    checking(Job::alone(name, files))
}

/// Whether the engine's own BuildKit has the checks: they came with Docker Engine 27.
fn engine_checks() -> bool {
    let major = parts().engine_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    builder() == Builder::Auto && major >= Some(27)
}

/// The builder by which buildx checks as the action does.
fn buildx_builder() -> &'static str {
    static MADE: OnceLock<()> = OnceLock::new();
    match of_buildx() {
        Some(name) if name != "default" || engine_checks() => name,
        _ if engine_checks() => "default",
        _ => {
            MADE.get_or_init(|| create_with_buildx("checker"));
            "checker"
        }
    }
}

/// Rule and line of each finding of buildx, and the message of what cannot be built.
fn by_buildx(job: &Job, dockerfile: &str) -> (BTreeSet<(String, u64)>, Option<String>) {
    let workspace = job.machine.workspace();
    let base = format!("BASE={}", parts().base);
    let output = Command::new("docker")
        .args(["buildx", "build", "--builder", buildx_builder(), "--call=check,format=json"])
        .args(["--platform", "linux/amd64", "--build-arg", &base, "--file", dockerfile, "."])
        .current_dir(workspace)
        .output()
        .expect("docker is on PATH");
    let said = String::from_utf8_lossy(&output.stderr);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{dockerfile}: {error}: {said}"));
    let warnings = json["warnings"].as_array().cloned().unwrap_or_default();
    let found = warnings.iter().map(|one| {
        let line = one["location"]["ranges"][0]["start"]["line"].as_u64().unwrap_or(0);
        (one["ruleName"].as_str().unwrap_or_default().to_owned(), line)
    });
    (found.collect(), json["buildError"]["message"].as_str().map(str::to_owned))
}

/// The same of the annotations, which stand in this file.
fn annotated(result: &StepResult, dockerfile: &str) -> BTreeSet<(String, u64)> {
    let warnings = result.of(Level::Warning);
    let about = warnings.iter().filter(|warning| warning.file.is_some());
    about
        .map(|warning| {
            assert_eq!(warning.file.as_deref(), Some(dockerfile), "{warning:?}");
            assert!(warning.message.contains("https://docs.docker.com/"), "{warning:?}");
            (warning.title.clone().unwrap_or_default(), u64::from(warning.line.unwrap_or(0)))
        })
        .collect()
}

#[test]
fn finds_what_buildx_finds() {
    let mut files: Vec<(String, &str)> =
        FILES.iter().map(|(name, text)| (format!("{name}/Dockerfile"), *text)).collect();
    files.push((".dockerignore".into(), "ignored\n"));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let (mut rules, mut all) = (BTreeSet::new(), 0);
    let job = check("check-same", &files);
    for (name, _) in FILES {
        let dockerfile = format!("{name}/Dockerfile");
        let mut step = job.step();
        step.inputs.insert("dockerfile".into(), dockerfile.clone());
        let result = step.run();
        let (found, failure) = by_buildx(&job, &dockerfile);
        assert_eq!(result.success, failure.is_none(), "{failure:?}: {}", result.log());
        assert!(failure.iter().all(|why| result.errors().contains(why)), "{failure:?}: {}", result.errors());
        assert_eq!(annotated(&result, &dockerfile), found, "{name}: {}", result.log());
        for (rule, line) in &found {
            let row = format!("| `{dockerfile}:{line}` | [`{rule}`](https://docs.docker.com/");
            assert!(result.summary.contains(&row), "{row}: {}", result.summary);
        }
        all += found.len();
        rules.extend(found.into_iter().map(|(rule, _)| rule));
        assert_eq!(result.outputs["pushed"], "false");
    }
    assert!(all > 20 && rules.len() > 14, "{all} findings of {rules:?}");
    // Nothing is made of any of it.
    assert_eq!(job.tags(), Vec::<String>::new());
}

#[test]
fn the_level_decides_what_fails() {
    let finding = "ARG BASE=busybox\nFROM ${BASE} as a\n";
    let strict = "# check=error=true\nARG BASE=busybox\nFROM ${BASE} as a\n";
    let broken = "ARG BASE=busybox\nFROM ${BASE} as a\nCOPPY a b\n";
    let files = [("finding", finding), ("strict", strict), ("broken", broken), ("well", "FROM scratch\n")];
    let job = check("check-level", &files);
    for (dockerfile, level, fails, said) in [
        ("finding", "", false, "checked finding: 1 finding"),
        ("finding", "error", false, "checked finding: 1 finding"),
        ("finding", "warning", true, "the build checks of `finding` have 1 finding"),
        ("finding", "none", false, "checked finding: 1 finding"),
        ("strict", "error", true, "lint violation found for rules: FromAsCasing"),
        ("strict", "none", false, "it cannot be built, and `check_level` is `none`"),
        ("broken", "error", true, "COPPY"),
        ("broken", "warning", true, "COPPY"),
        ("broken", "none", false, "it cannot be built, and `check_level` is `none`"),
        ("well", "warning", false, "checked well: no findings"),
    ] {
        let mut step = job.step();
        step.inputs.insert("dockerfile".into(), dockerfile.into());
        if !level.is_empty() {
            step.inputs.insert("check_level".into(), level.into());
        }
        let result = step.run();
        assert_eq!(result.success, !fails, "{dockerfile} {level}: {}", result.log());
        assert!(result.log().contains(said), "{dockerfile} {level}: {}", result.log());
        if dockerfile == "broken" {
            let errors = result.of(Level::Error);
            let at = errors.iter().find(|error| error.line == Some(3)).expect("an error at its line");
            assert_eq!(at.file.as_deref(), Some("broken"));
            assert!(at.message.contains("COPPY"), "{at:?}");
            assert!(result.summary.contains("COPPY"), "{}", result.summary);
        }
    }
}

#[test]
fn nothing_is_needed_but_the_mode() {
    let job = alone("check-bare", &[("Dockerfile", "FROM scratch as a\nCOPY Dockerfile /\n")])
        .without("image_name")
        .without("registry")
        .without("build_args")
        .without("platform");
    let images =
        || docker(&["images", "--quiet", "--no-trunc"]).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let before = images();
    let mut step = job.step();
    // A fork has none of the secrets that the other inputs are made of.
    for (name, value) in [
        ("repository", "docker.io//api"),
        ("registry_auth", "- registry: docker.io\n  username: ''\n  password: ''\n"),
        ("secrets", "npm="),
        ("deploy", "- nonsense"),
        ("verify", "migrate validate"),
        ("load", "true"),
        ("cache_to", "type=registry,ref=docker.io//api"),
    ] {
        step.inputs.insert(name.into(), value.into());
    }
    let result = step.run();
    assert!(result.success, "{}", result.log());
    assert!(result.log().contains("checked Dockerfile: 1 finding"), "{}", result.log());
    assert!(result.summary.starts_with("### ⚠️ Checked `Dockerfile`: 1 finding"), "{}", result.summary);
    assert!(!result.log().contains("image_name"), "{}", result.log());
    assert_eq!(images(), before);
    step.inputs.insert("dry_run".into(), "true".into());
    let result = step.run();
    assert!(result.success && result.annotations.is_empty(), "{}", result.log());
    let plan: serde_json::Value = serde_json::from_str(&result.outputs["plan"]).unwrap();
    assert_eq!((plan["mode"].as_str(), plan["check_level"].as_str()), (Some("check"), Some("error")));
}

/// The README's example, in a pull request of a fork: its token may read, and there is no secret.
#[test]
fn a_forks_pull_request_is_checked() {
    let files =
        [("Dockerfile", "ARG BASE=busybox\nFROM ${BASE} as a\nCOPY greeting /\n"), ("greeting", "hello\n")];
    let (job, ..) = check("check-fork", &files).pull_request("pull_request-fork", 45, "casing");
    let job = job.without("image_name").input("check_level", "warning");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert_eq!(annotated(&result, "Dockerfile"), [("FromAsCasing".to_owned(), 2)].into());
    assert!(
        result.errors().contains("the build checks of `Dockerfile` have 1 finding"),
        "{}",
        result.errors()
    );
    assert!(result.summary.contains("| `Dockerfile:2` | [`FromAsCasing`]("), "{}", result.summary);
}

#[test]
fn a_base_image_that_is_not_there_is_named() {
    let base = format!("{}/base/nowhere:9", parts().registry);
    let job = check("check-no-base", &[("Dockerfile", "ARG BASE\nFROM ${BASE}\n")])
        .input("build_args", &format!("BASE={base}"));
    let result = job.run();
    assert!(!result.success);
    assert!(result.errors().contains(&base), "{}", result.errors());
}

#[test]
fn a_buildkit_without_checks_is_named_or_another_one_checks() {
    if engine_checks() || builder() != Builder::Auto {
        return not_here("what builds has the checks");
    }
    let file = ("Dockerfile", "ARG BASE=busybox\nFROM ${BASE} as a\n");
    let result = check("check-old", &[file]).run();
    assert!(result.success, "{}", result.log());
    assert!(result.log().contains("unsupported request frontend.lint; it is checked by"), "{}", result.log());
    assert!(result.log().contains("checked Dockerfile: 1 finding"), "{}", result.log());
    let result = check("check-old", &[file]).input("builder", "docker").run();
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains("`builder: docker-container`"), "{}", result.errors());
}
