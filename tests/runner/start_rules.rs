//! How a step is started, read and cancelled: on this machine, with a shell in the action's place.

use crate::runner::action::Action;
use crate::runner::event::{Event, TIP};
use crate::runner::log::Level;
use crate::runner::machine::Machine;
use crate::runner::repository::{Repository, git};
use crate::runner::step::{Killed, Launch, Step};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const ACTION: &str = "
name: A
inputs:
  image_name: {description: d, required: true}
  build-args: {}
  push: {default: auto}
  dry_run: {default: false}
  token: {default: '${{ github.token }}'}
  username: {default: \"${{ github.actor }}\"}
runs: {using: docker, image: Dockerfile, args: ['${{ inputs.image_name }}'], env: {FROM_RUNS: x, FROM_JOB: y}}
";

/// A machine whose action is a script of bash, which keeps variables whose names are not its own.
struct Shell {
    machine: Machine,
    action: Action,
    script: PathBuf,
}

impl Shell {
    fn new(body: &str) -> Self {
        let machine = Machine::new("acme/shop");
        let script = machine.temp().join("action.sh");
        let text = machine.temp().join("action.txt");
        std::fs::write(&text, format!("#!/bin/bash\n{body}\n")).unwrap();
        // Not written by this process: whatever another test starts at that moment would hold it open, and what is
        // open for writing cannot be started (ETXTBSY).
        let installed = Command::new("install").args(["-m", "755"]).args([&text, &script]).status().unwrap();
        assert!(installed.success());
        Self { machine, action: serde_yaml::from_str(ACTION).unwrap(), script }
    }

    fn step(&self) -> Step<'_> {
        Step {
            machine: &self.machine,
            action: &self.action,
            launch: Launch::Native(self.script.clone()),
            event: Event::fixture("push-branch"),
            inputs: BTreeMap::from([("image_name".to_owned(), "api".to_owned())]),
            env: BTreeMap::from([("FROM_JOB".to_owned(), "job".to_owned())]),
            network: None,
            socket: "/nowhere/docker.sock".into(),
            secrets: vec!["hunter22".to_owned()],
            wrapper: Vec::new(),
        }
    }
}

#[test]
fn a_step_gets_the_runners_variables() {
    let shell = Shell::new("/usr/bin/env; echo \"args=$*\"; exit 3");
    let mut step = shell.step();
    step.inputs.insert("Surprise".to_owned(), "a\nb".to_owned());
    let result = step.run();
    assert_eq!((result.exit_code, result.success, result.killed), (Some(3), false, Killed::No));
    let log = result.raw_lines.join("\n");
    for line in [
        "INPUT_IMAGE_NAME=api",
        "INPUT_BUILD-ARGS=",
        "INPUT_PUSH=auto",
        "INPUT_DRY_RUN=false",
        "INPUT_USERNAME=octocat",
        "INPUT_SURPRISE=a\nb",
        "FROM_RUNS=x",
        "FROM_JOB=job",
        "GITHUB_REF=refs/heads/main",
        "GITHUB_REF_NAME=main",
        "GITHUB_REF_TYPE=branch",
        "GITHUB_HEAD_REF=",
        "GITHUB_ACTIONS=true",
        "CI=true",
        "RUNNER_OS=Linux",
        "args=api",
        &format!("GITHUB_SHA={TIP}"),
        &format!("GITHUB_WORKSPACE={}", shell.machine.workspace().display()),
        &format!("INPUT_TOKEN={}", shell.machine.token),
    ] {
        assert!(log.contains(line), "{line}\n--\n{log}");
    }
    assert!(!log.contains("CARGO_MANIFEST_DIR"), "nothing of the host's environment reaches the action");
    assert!(!log.contains("\nGITHUB_TOKEN="), "the token comes as an input only");
    assert!(!result.log().contains(&shell.machine.token), "the token is hidden");
    assert!(result.of(Level::Warning)[0].message.contains("Unexpected input(s) 'Surprise'"));
}

#[test]
fn files_and_log_make_the_result() {
    let shell = Shell::new(
        "echo '::set-output name=a::log'; echo '::set-output name=b::log'; echo hunter22
         printf 'a=file\\nc<<E\\n1\\n2\\nE\\n' >>$GITHUB_OUTPUT; echo '# Done hunter22' >>$GITHUB_STEP_SUMMARY
         echo K=V >>$GITHUB_ENV; echo /opt >>$GITHUB_PATH; echo s=t >>$GITHUB_STATE; echo err >&2; printf tail",
    );
    let result = shell.step().run();
    assert!(result.success);
    let outputs: Vec<_> = result.outputs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(outputs, [("a", "file"), ("b", "log"), ("c", "1\n2")]);
    assert_eq!(result.summary, "# Done ***\n");
    assert_eq!(
        (result.env["K"].as_str(), result.path[0].as_str(), result.state["s"].as_str()),
        ("V", "/opt", "t")
    );
    for line in ["***", "err", "tail"] {
        assert!(result.log_lines.iter().any(|known| known == line), "{line}: {:?}", result.log_lines);
    }
}

#[test]
fn a_bad_file_fails_the_step_and_a_large_summary_is_dropped() {
    let shell =
        Shell::new("echo nonsense >>$GITHUB_OUTPUT; head -c 1048577 /dev/zero >>$GITHUB_STEP_SUMMARY");
    let result = shell.step().run();
    assert_eq!((result.exit_code, result.success), (Some(0), false));
    assert!(result.summary.is_empty());
    assert!(result.errors().contains("Unable to process file command 'output'"));
    assert!(result.errors().contains("$GITHUB_STEP_SUMMARY upload aborted"));
}

#[test]
fn cancel_climbs_from_sigint_to_sigkill() {
    // No shell's `wait`: dash drops a signal that comes in the moment in which it begins to wait or starts a command.
    let waits = "print \"ready\\n\"; select undef, undef, undef, 0.05 while 1";
    let polite = Shell::new(&format!(
        "exec perl -e '$| = 1; $SIG{{INT}} = sub {{ print \"bye\\n\"; exit 130 }}; {waits}'"
    ));
    let running = polite.step().start();
    assert!(running.wait_for_line(|line| line == "ready"));
    let result = running.cancel();
    assert_eq!((result.killed, result.exit_code), (Killed::Sigint, Some(130)));
    assert!(result.raw_lines.contains(&"bye".to_owned()));

    let deaf = Shell::new(&format!(
        "exec perl -e '$| = 1; $SIG{{INT}} = \"IGNORE\"; $SIG{{TERM}} = sub {{ exit 143 }}; {waits}'"
    ));
    let running = deaf.step().start();
    assert!(running.wait_for_line(|line| line == "ready"));
    let result = running.cancel();
    assert_eq!((result.killed, result.exit_code), (Killed::Sigterm, Some(143)));
    assert!(result.duration >= Duration::from_millis(7500));
}

#[test]
fn a_checkout_looks_like_actions_checkout() {
    let origin = Repository::new();
    origin.write("Dockerfile", "FROM scratch\n");
    let first = origin.commit("First");
    origin.branch("feature/Boxes");
    origin.write("a", "1");
    let head = origin.commit("Second");
    origin.branch("main");
    origin.tag("v1.2.3", Some("Release"));
    let merge = origin.pull_request(42, "feature/Boxes");
    assert_ne!(merge, head);
    let table = [
        ("refs/heads/main", 1, &first, "main"),
        ("refs/heads/feature/Boxes", 0, &head, "feature/Boxes"),
        ("refs/tags/v1.2.3", 1, &first, "HEAD"),
        ("refs/tags/v1.2.3", 0, &first, "HEAD"),
        ("refs/pull/42/merge", 1, &merge, "HEAD"),
    ];
    for (reference, depth, sha, attached) in table {
        let machine = Machine::new("acme/shop");
        let workspace = machine.workspace();
        origin.checkout(&workspace, reference, depth, "acme/shop", &machine.token);
        assert_eq!(&git(&workspace, &["rev-parse", "HEAD"]), sha, "{reference}");
        assert_eq!(git(&workspace, &["rev-parse", "--abbrev-ref", "HEAD"]), attached, "{reference}");
        assert_eq!(git(&workspace, &["rev-parse", "--is-shallow-repository"]), (depth == 1).to_string());
        let config = std::fs::read_to_string(workspace.join(".git/config")).unwrap();
        assert!(config.contains("extraheader = AUTHORIZATION: basic "), "{config}");
        assert!(config.contains("https://github.com/acme/shop"));
    }
}

#[test]
fn an_event_takes_real_commits() {
    let sha = "a".repeat(40);
    let event = Event::fixture("push-tag").replace(TIP, &sha).replace("v1.2.3", "v9");
    assert_eq!(event.payload["after"], sha);
    assert_eq!((event.sha.as_str(), event.ref_name()), (sha.as_str(), ("tag", "v9")));
    assert_eq!(Event::fixture("pull_request").ref_name(), ("branch", "42/merge"));
    // Every fixture has its row, and every row its file.
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/events");
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if let Some(case) = name.strip_suffix(".json") {
            assert!(!Event::fixture(case).name.is_empty());
        }
    }
}
