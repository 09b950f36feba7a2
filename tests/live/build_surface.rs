//! What a build can be asked for, each proven by its effect: in the steps, in the image, in the registry.

#![allow(clippy::print_stdout, reason = "a test that measures says what it found")]

use crate::builder::{goes_with_its_step, on_the_engine};
use crate::git_server::GitServer;
use crate::job::{Job, parts};
use crate::runner::parts::{Parts, docker, try_docker};
use crate::runner::step::StepResult;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn run(job: &Job) -> StepResult {
    let result = job.run();
    assert!(result.success, "{}", result.log());
    result
}

/// What the image's program says.
fn says(parts: &Parts, job: &Job, result: &StepResult) -> String {
    let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
    docker(&["run", "--rm", "--quiet", "--platform", "linux/amd64", &image])
}

/// A bare repository `NAME.git` under `root` with these files on `main`.
fn repository(root: &Path, name: &str, files: &[(&str, &str)]) {
    let origin = crate::runner::repository::Repository::new();
    for (path, text) in files {
        origin.write(path, text);
    }
    origin.commit("All");
    let bare = root.join(format!("{name}.git"));
    std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
    let clone =
        Command::new("git").args(["clone", "-q", "--bare"]).arg(origin.path()).arg(&bare).output().unwrap();
    assert!(clone.status.success(), "{clone:?}");
}

const NAMED: &str = "FROM base
COPY --from=shared /greeting /shared
COPY --from=library / /library
COPY --from=context /greeting /odd
CMD cat /shared /library/lib.txt /odd && test ! -e /library/ignored";

#[test]
fn named_contexts() {
    let parts = parts();
    let root = tempfile::tempdir().unwrap();
    repository(root.path(), "acme/lib", &[("lib/lib.txt", "from git\n"), ("README.md", "no\n")]);
    let server = GitServer::start(root.path(), None);
    let files = [
        ("Dockerfile", NAMED),
        ("shared/greeting", "from a directory\n"),
        ("odd/greeting", "from one with an odd name\n"),
        ("odd/.dockerignore", "ignored\n"),
    ];
    let contexts = format!(
        "base=docker-image://{}\nshared=shared\ncontext=./odd\nlibrary={}#main:lib",
        parts.base,
        server.url("acme/lib.git")
    );
    let job = Job::new("named", &files).input("build_contexts", &contexts).input("platform", "linux/amd64");
    let result = run(&job);
    assert_eq!(says(parts, &job, &result), "from a directory\nfrom git\nfrom one with an odd name");
    assert!(result.log().contains("build contexts:"), "the plan names them: {}", result.log());
    // The same again: nothing of it is copied anew, where there is still somebody who has it.
    if !goes_with_its_step() {
        let again = run(&job);
        assert_eq!(again.outputs["digest"], result.outputs["digest"]);
    }
}

#[test]
fn an_image_layout_is_a_context() {
    let parts = parts();
    let dockerfile = "FROM kept\nCOPY greeting /greeting\nCMD [\"cat\", \"/greeting\"]\n";
    let job = Job::new("layout", &[("Dockerfile", dockerfile), ("greeting", "on a layout\n")])
        .input("build_contexts", "kept=oci-layout://parts/oci")
        .input("platform", "linux/amd64");
    let layout = job.machine.workspace().join("parts/oci");
    std::fs::create_dir_all(layout.parent().unwrap()).unwrap();
    let mut crane = Command::new("crane");
    crane.args(["pull", "--insecure", "--format=oci", "--platform=linux/amd64", &parts.base]).arg(&layout);
    let pulled = crane.output().unwrap();
    assert!(pulled.status.success(), "{pulled:?}");
    job.machine.own();
    let result = run(&job);
    assert_eq!(says(parts, &job, &result), "on a layout");
}

#[test]
fn contexts_that_nobody_copies_from_cost_nothing() {
    let parts = parts();
    let files: Vec<(String, String)> =
        (0..20).map(|number| (format!("many/{number}/file"), format!("{number}\n"))).collect();
    let dockerfile = "ARG BASE\nFROM ${BASE}\nCOPY --from=c7 /file /file\nCMD [\"cat\", \"/file\"]\n";
    let mut all = vec![("Dockerfile", dockerfile)];
    all.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let lines: Vec<String> = (0..20).map(|number| format!("c{number}=many/{number}")).collect();
    let job =
        Job::new("many", &all).input("platform", "linux/amd64").input("build_contexts", &lines.join("\n"));
    let many = run(&job);
    assert_eq!(says(parts, &job, &many), "7");
    let loads =
        |context: &str| many.log_lines.iter().any(|line| line.contains(context) && line.contains(" load "));
    assert!(loads("context c7 ") && !loads("context c8 "), "{}", many.log());
    let warm = run(&job);
    let one = job.input("build_contexts", "c7=many/7");
    let single = run(&one);
    // The index's digest holds the hash of the inputs, which differ.
    assert_eq!(warm.outputs["imageid"], single.outputs["imageid"]);
    println!("20 contexts {:?}, 1 context {:?}", warm.duration, single.duration);
}

#[test]
fn a_private_context_is_fetched_with_the_token_of_this_server() {
    let parts = parts();
    let dockerfile = "ARG BASE\nFROM ${BASE}\nCOPY greeting /greeting\nCMD [\"cat\", \"/greeting\"]\n";
    let root = tempfile::tempdir().unwrap();
    let files = [("api/deploy/api.Dockerfile", dockerfile), ("api/greeting", "from a private repository\n")];
    repository(root.path(), "acme/private", &files);
    repository(root.path(), "mallory/private", &files);
    let mut job =
        Job::usual("private").input("platform", "linux/amd64").input("dockerfile", "deploy/api.Dockerfile");
    let server = GitServer::start(root.path(), Some(&job.machine.token));
    job.machine.server_url = format!("http://{}", server.address);
    let job = job.input("context", &format!("{}#main:api", server.url("acme/private.git")));
    let result = run(&job);
    assert_eq!(says(parts, &job, &result), "from a private repository");
    let shown = format!("GIT_AUTH_TOKEN.{}", server.address);
    assert!(result.log().contains(&shown), "the plan names the secret: {}", result.log());
    assert!(server.requests.lock().unwrap().iter().any(|(_, authorization)| authorization.is_some()));

    // A stranger's Dockerfile could mount the token: it is not offered, and the fault says what is needed.
    server.requests.lock().unwrap().clear();
    let job = job.input("context", &format!("{}#main:api", server.url("mallory/private.git")));
    let result = job.run();
    assert!(!result.success);
    assert!(server.requests.lock().unwrap().iter().all(|(_, authorization)| authorization.is_none()));
    assert!(result.errors().contains("GIT_AUTH_TOKEN"), "{}", result.errors());
}

#[test]
fn how_steps_run() {
    let parts = parts();
    // Another machine's BuildKit knows no gateway to its host; the plan says so, see its own tests.
    let (gateway, host) =
        if on_the_engine() { (parts.gateway.as_str(), "host-gateway") } else { ("10.9.8.7", "10.9.8.7") };
    let dockerfile = format!(
        "ARG BASE
FROM ${{BASE}}
RUN cat /etc/hosts && grep -q '^10.1.2.3.*db' /etc/hosts && grep -q '^::5.*six' /etc/hosts
RUN grep '{gateway}.*host.docker.internal' /etc/hosts
RUN ulimit -Sn && test \"$(ulimit -Sn)\" = 1234 && test \"$(ulimit -Hn)\" = 2345
RUN df -k /dev/shm && df -k /dev/shm | grep -q ' 98304 '
RUN cat /proc/net/dev && test \"$(grep -c : /proc/net/dev)\" = 1
"
    );
    let job = Job::new("steps", &[("Dockerfile", &dockerfile)])
        .input("platform", "linux/amd64")
        .input("network", "none")
        .input("add_hosts", &format!("db:10.1.2.3\nsix=::5\nhost.docker.internal={host}"))
        .input("ulimit", "nofile=1234:2345")
        .input("shm_size", "96m");
    run(&job);
    drop(job);
    let free = Job::new(
        "free",
        &[("Dockerfile", "ARG BASE\nFROM ${BASE}\nRUN test \"$(grep -c : /proc/net/dev)\" -gt 2\n")],
    )
    .input("platform", "linux/amd64")
    .input("network", "host");
    run(&free);
}

#[test]
fn a_target_and_stages_without_cache() {
    let dockerfile = "ARG BASE
FROM ${BASE} AS deps
RUN echo deps-$((40+2))
FROM ${BASE} AS app
COPY --from=deps /etc/passwd /deps
RUN echo app-$((40+2))
FROM app AS never
RUN exit 1
";
    let job = Job::new("stages", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("target", "app");
    // A container that is made for one step takes its cache along.
    let job = if goes_with_its_step() { job.input("builder_keep", "true") } else { job };
    let ran = |result: &StepResult, stage: &str| result.log().contains(&format!("{stage}-42"));
    let first = run(&job);
    assert!(ran(&first, "deps") && ran(&first, "app"), "{}", first.log());
    let cached = run(&job);
    assert!(!ran(&cached, "deps") && !ran(&cached, "app"), "{}", cached.log());
    let job = job.input("no_cache_filters", "deps");
    let filtered = run(&job);
    job.end_kept();
    assert!(ran(&filtered, "deps") && !ran(&filtered, "app"), "{}", filtered.log());
}

fn annotations(document: &Value) -> Vec<String> {
    let annotations = document["annotations"].as_object().cloned().unwrap_or_default();
    annotations
        .iter()
        .filter(|(key, _)| !key.starts_with("vnd.docker.") && !key.starts_with("com.docker."))
        .map(|(key, value)| {
            let key = key.trim_start_matches("org.opencontainers.image.");
            format!("{key}={}", value.as_str().unwrap_or_default())
        })
        .collect()
}

#[test]
fn annotations_at_every_level() {
    let parts = parts();
    let lines = "plain=p
manifest[linux/arm64]:small=yes
index:shelf=top
manifest-descriptor:box=1
index,manifest:org.opencontainers.image.title=Boxes";
    let job = Job::usual("annotated").input("annotations", lines);
    run(&job);
    let registry = parts.open_registry();
    let sha = job.origin.rev("main");
    let defaults = [
        format!("created={}", job.origin.created()),
        "description=".into(),
        "licenses=Apache-2.0".into(),
        format!("revision={sha}"),
        "source=https://github.com/acme/shop".into(),
    ];
    let has_defaults = |document: &Value, place: &str| {
        let found = annotations(document);
        for expected in &defaults {
            assert!(found.iter().any(|line| line.starts_with(expected)), "{place}: {expected}: {found:?}");
        }
        assert!(found.contains(&"title=Boxes".into()), "{place}: {found:?}");
        found
    };
    let index = registry.manifest(&job.repository(), "main").unwrap().json;
    let found = has_defaults(&index, "index");
    assert!(found.contains(&"shelf=top".into()) && !found.contains(&"plain=p".into()), "{found:?}");
    let entries = index["manifests"].as_array().unwrap();
    for entry in entries.iter().filter(|entry| entry["platform"]["os"] == "linux") {
        assert_eq!(annotations(entry), ["box=1"], "{entry}");
    }
    let platforms = registry.platforms(&job.repository(), "main");
    for (name, platform) in &platforms {
        let found = has_defaults(&platform.manifest, name);
        assert!(found.contains(&"plain=p".into()), "{name}: {found:?}");
        assert_eq!(found.contains(&"small=yes".into()), name == "linux/arm64", "{name}: {found:?}");
    }

    drop(job);
    let one = Job::usual("annotated-one").input("platform", "linux/arm64").input("annotations", lines);
    let result = run(&one);
    let manifest = registry.manifest(&one.repository(), "main").unwrap().json;
    let found = has_defaults(&manifest, "one");
    assert!(found.contains(&"small=yes".into()), "{found:?}");
    assert!(result.log().contains("left out: this image has no index"), "{}", result.log());
}

/// The statements about one image, by the type of what they say; the whole text beside.
fn statements(parts: &Parts, job: &Job, subject: &str) -> Vec<(String, Value)> {
    let registry = parts.open_registry();
    let index = registry.manifest(&job.repository(), "main").unwrap().json;
    let entries = index["manifests"].as_array().cloned().unwrap_or_default();
    let about = |entry: &&Value| entry["annotations"]["vnd.docker.reference.digest"] == subject;
    let Some(entry) = entries.iter().find(about) else { return Vec::new() };
    assert_eq!(entry["platform"]["architecture"], "unknown");
    let manifest = registry.manifest(&job.repository(), entry["digest"].as_str().unwrap()).unwrap().json;
    let layers = manifest["layers"].as_array().unwrap();
    let read = |layer: &Value| {
        let kind = layer["annotations"]["in-toto.io/predicate-type"].as_str().unwrap();
        (kind.to_owned(), registry.blob(&job.repository(), layer["digest"].as_str().unwrap()))
    };
    layers.iter().map(read).collect()
}

const WITH_ARGUMENT: &str =
    "ARG BASE\nFROM ${BASE}\nARG PASSWORD\nRUN test -n \"$PASSWORD\"\nCOPY greeting /greeting\n";

#[test]
fn provenance_by_default_holds_no_build_argument() {
    let parts = parts();
    let files = [("Dockerfile", WITH_ARGUMENT), ("greeting", "hello\n")];
    let arguments = format!("BASE={}\nPASSWORD=correct-horse-battery", parts.base);
    let job = Job::new("min", &files).input("build_args", &arguments).input("labels", "note=staple-label");
    let first = run(&job);
    let platforms = parts.open_registry().platforms(&job.repository(), "main");
    assert_eq!(platforms.len(), 2);
    for (name, platform) in &platforms {
        let found = statements(parts, &job, &platform.digest);
        let [(kind, statement)] = found.as_slice() else { panic!("{name}: {found:?}") };
        assert!(kind.starts_with("https://slsa.dev/provenance/"), "{kind}");
        let text = statement.to_string();
        for secret in ["correct-horse", "staple-label", "RUN test"] {
            assert!(!text.contains(secret), "{name}: `{secret}` is published: {statement:#}");
        }
        for part in [&job.origin.rev("main"), "https://github.com/acme/shop", "/actions/runs/19537654321"] {
            assert!(text.contains(part), "{name}: {part}: {statement:#}");
        }
        assert_eq!(
            statement["subject"][0]["digest"]["sha256"],
            platform.digest.trim_start_matches("sha256:")
        );
        if let Ok(directory) = std::env::var("SHOW_STATEMENTS") {
            let file = format!("{}-{}.json", parts.engine, name.replace('/', "-"));
            std::fs::write(Path::new(&directory).join(file), format!("{statement:#}\n")).unwrap();
        }
    }
    assert_eq!(first.outputs["imageid"], "");
    let metadata: Value = serde_json::from_str(&first.outputs["metadata"]).unwrap();
    let known: Vec<&str> =
        metadata["platforms"].as_array().unwrap().iter().map(|p| p["platform"].as_str().unwrap()).collect();
    assert_eq!(
        (known, metadata["attestations"].as_array().unwrap().len()),
        (vec!["linux/arm64", "linux/amd64"], 2)
    );

    // The statements say when they were made: the index is another one each time, the images are the same.
    let second = run(&job);
    assert_ne!(first.outputs["digest"], second.outputs["digest"]);
    let again = parts.open_registry().platforms(&job.repository(), "main");
    for (name, platform) in &platforms {
        assert_eq!(again[name].digest, platform.digest, "{name}");
    }
    let plain = job.input("provenance", "false");
    let (third, fourth) = (run(&plain), run(&plain));
    assert_eq!(third.outputs["digest"], fourth.outputs["digest"]);
    let index = parts.open_registry().manifest(&plain.repository(), "main").unwrap().json;
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "{index:#}");
}

#[test]
fn one_platform_with_provenance_is_an_index_that_everybody_can_pull() {
    let parts = parts();
    let files = [("Dockerfile", WITH_ARGUMENT), ("greeting", "hello\n")];
    let arguments = format!("BASE={}\nPASSWORD=correct-horse-battery", parts.base);
    for (provenance, published) in [("true", false), ("mode=max", true)] {
        let job = Job::new("asked", &files)
            .input("build_args", &arguments)
            .input("platform", "linux/amd64")
            .input("provenance", provenance);
        let result = run(&job);
        let platform = &parts.open_registry().platforms(&job.repository(), "main")["linux/amd64"];
        assert_eq!(result.outputs["imageid"], platform.manifest["config"]["digest"].as_str().unwrap());
        let found = statements(parts, &job, &platform.digest);
        assert_eq!(found.len(), 1, "{found:?}");
        // That the search finds it where it is shows that it would find it elsewhere.
        assert_eq!(found[0].1.to_string().contains("correct-horse"), published, "{provenance}");
        let image = format!("{}/{}@{}", parts.registry, job.repository(), result.outputs["digest"]);
        assert_eq!(docker(&["run", "--rm", "--quiet", &image, "cat", "/greeting"]), "hello");
        let crane = Command::new("crane")
            .args(["digest", "--insecure", "--platform", "linux/amd64", &image])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&crane.stdout).trim(), platform.digest, "{crane:?}");
        drop(try_docker(&["image", "rm", &image]));
    }
}

#[test]
fn a_bill_of_materials_by_a_scanner_of_ours() {
    let parts = parts();
    // BuildKit's scanner protocol: what to look at, and where to put statements, is in the environment.
    let script = "set -e
test -f \"$BUILDKIT_SCAN_SOURCE/greeting\"
echo '{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":{\"name\":\"boxes\"}}' >\"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json\"
";
    let scanner = Job::new(
        "scanner",
        &[
            ("Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY scan /scan\nENTRYPOINT [\"sh\", \"/scan\"]\n"),
            ("scan", script),
        ],
    )
    .input("platform", "linux/amd64");
    let scanner_digest = run(&scanner).outputs["digest"].clone();
    let image = format!("{}/{}@{scanner_digest}", parts.registry, scanner.repository());
    drop(scanner);
    let job = Job::usual("materials")
        .input("platform", "linux/amd64")
        .input("attests", &format!("type=sbom,generator={image}"));
    run(&job);
    let platform = &parts.open_registry().platforms(&job.repository(), "main")["linux/amd64"];
    let found = statements(parts, &job, &platform.digest);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "https://spdx.dev/Document");
    assert_eq!(found[0].1["predicate"]["name"], "boxes");
}

#[test]
fn what_the_builder_forbids_is_said() {
    let job = Job::usual("forbidden")
        .input("platform", "linux/amd64")
        .input("push", if parts().graphdriver() { "false" } else { "auto" });
    let insecure = job.input("allow", "security.insecure").input("builder", "docker");
    let result = insecure.run();
    assert!(!result.success);
    for part in ["security.insecure", "`allow`", "buildkitd_config"] {
        assert!(result.errors().contains(part), "{part}: {}", result.errors());
    }
    drop(insecure);
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN --network=host true\n";
    let job = Job::new("forbidden", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("push", if parts().graphdriver() { "false" } else { "auto" });
    let result = job.run();
    assert!(!result.success);
    for part in ["network.host", "`allow`"] {
        assert!(result.errors().contains(part), "{part}: {}", result.errors());
    }
    let allowed = job.input("allow", "network.host");
    run(&allowed);
}
