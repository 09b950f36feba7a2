//! The stand-in for the runner, held against a real engine: a container of the base image in the action's place.

use crate::job::{beside, parts};
use crate::runner::action::Action;
use crate::runner::event::Event;
use crate::runner::machine::{Machine, RUNNER_UID};
use crate::runner::parts::docker;
use crate::runner::step::{Killed, Launch, Step, StepResult};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

fn step<'a>(machine: &'a Machine, action: &'a Action) -> Step<'a> {
    let parts = parts();
    // Images are pulled before a job's first step.
    docker(&["pull", "--quiet", &parts.base]);
    Step {
        machine,
        action,
        launch: Launch::Image(parts.base.clone()),
        event: Event::fixture("push-branch"),
        inputs: BTreeMap::new(),
        env: BTreeMap::new(),
        network: None,
        socket: parts.socket.clone(),
        secrets: Vec::new(),
        wrapper: Vec::new(),
    }
}

fn script(text: &str) -> Action {
    let quoted = serde_json::to_string(text).unwrap();
    let action = format!(
        "name: A\ninputs: {{image_name: {{}}, build-args: {{}}, context: {{}}}}\nruns: {{using: docker, image: x, entrypoint: /bin/sh, args: [-c, {quoted}]}}"
    );
    serde_yaml::from_str(&action).unwrap()
}

#[test]
fn a_container_gets_mounts_variables_and_files() {
    let _turn = beside();
    let machine = Machine::new("acme/shop");
    let action = script(
        "pwd; tr '\\000' '\\n' </proc/1/environ; stat -c '%n %u %a' $GITHUB_OUTPUT $GITHUB_EVENT_PATH; ls -d /github/*; ls -l /var/run/docker.sock
         echo digest=sha256:1 >>$GITHUB_OUTPUT; echo '# S' >>$GITHUB_STEP_SUMMARY; echo x >/github/workspace/made; exit 4",
    );
    let mut step = step(&machine, &action);
    let workspace = machine.workspace().display().to_string();
    step.inputs = BTreeMap::from([
        ("build-args".to_owned(), "A=1\nB=two words\n".to_owned()),
        ("context".to_owned(), format!("{workspace}/deploy")),
    ]);
    step.env =
        BTreeMap::from([("DOCKER_CONFIG".to_owned(), machine.temp().join("docker").display().to_string())]);
    let result: StepResult = step.run();
    let log = result.raw_lines.join("\n");
    assert_eq!((result.exit_code, result.killed), (Some(4), Killed::No), "{log}");
    assert_eq!(result.raw_lines[0], "/github/workspace");
    for line in [
        "HOME=/github/home",
        "GITHUB_WORKSPACE=/github/workspace",
        "RUNNER_TEMP=/github/runner_temp",
        "GITHUB_EVENT_PATH=/github/workflow/event.json",
        "INPUT_CONTEXT=/github/workspace/deploy",
        "DOCKER_CONFIG=/github/runner_temp/docker",
        "INPUT_BUILD-ARGS=A=1\nB=two words\n",
        "CI=true",
        "GITHUB_ACTIONS=true",
        "/github/workflow/event.json 1001 644",
        "/github/file_commands",
        &format!("RUNNER_WORKSPACE={}", machine.pipeline().display()),
    ] {
        assert!(log.contains(line), "{line}\n--\n{log}");
    }
    assert!(log.contains("srw"), "the socket is a socket: {log}");
    assert!(
        result
            .raw_lines
            .iter()
            .any(|line| line.starts_with("/github/file_commands/set_output_") && line.ends_with(" 1001 644"))
    );
    assert_eq!(result.outputs["digest"], "sha256:1");
    assert_eq!(result.summary, "# S\n");
    assert_eq!(std::fs::metadata(machine.workspace()).unwrap().uid(), RUNNER_UID);
    assert_eq!(
        std::fs::metadata(machine.workspace().join("made")).unwrap().uid(),
        0,
        "containers write as root"
    );
}

#[test]
fn cancel_reaches_the_first_process_of_the_container() {
    let _turn = beside();
    let machine = Machine::new("acme/shop");
    let polite = script("trap 'echo bye; exit 130' INT; echo ready; while :; do sleep 0.1; done");
    let running = step(&machine, &polite).start();
    assert!(running.wait_for_line(|line| line == "ready"));
    let result = running.cancel();
    assert_eq!((result.killed, result.exit_code), (Killed::Sigint, Some(130)), "{}", result.log());
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", result.container)]), "");
}

#[test]
fn a_deaf_container_outlives_its_step() {
    let _turn = beside();
    let machine = Machine::new("acme/shop");
    let action = script("trap '' INT TERM; echo ready; while :; do sleep 0.1; done");
    let running = step(&machine, &action).start();
    assert!(running.wait_for_line(|line| line == "ready"));
    let result = running.cancel();
    assert_eq!(result.killed, Killed::Sigkill);
    let left = docker(&["ps", "-q", "--filter", &format!("name={}", result.container)]);
    assert!(!left.is_empty(), "the runner kills its docker client only");
    docker(&["rm", "-f", &left]);
}
