//! The image is run before it gets a tag: what passes, what fails in each way that containers fail, and what is left of it.

use crate::job::{Job, parts, published};
use crate::leftovers::{everything, is_gone, of_role, running};
use crate::runner::parts::{docker, try_docker};
use crate::runner::step::StepResult;
use crate::runner::wait::until;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// An image for one platform that is verified.
fn job(name: &str, verify: &str) -> Job {
    Job::usual(name).input("platform", "linux/amd64").input("verify", verify)
}

/// What is under each tag.
fn digests(job: &Job) -> BTreeMap<String, String> {
    let registry = parts().open_registry();
    let digest = |tag: &String| registry.manifest(&job.repository(), tag).expect("a tag of an image").digest;
    job.tags().into_iter().map(|tag| (tag.clone(), digest(&tag))).collect()
}

fn failed(result: &StepResult) -> String {
    assert!(!result.success, "{}", result.log());
    result.errors()
}

/// Nothing of this job's image is in the engine.
fn is_left(job: &Job) -> String {
    let images =
        docker(&["images", "--all", "--digests", "--format", "{{.Repository}}@{{.Digest}}:{{.Tag}}"]);
    images.lines().filter(|line| line.contains(&job.repository())).collect()
}

#[test]
fn what_passes_gets_its_tags_and_nothing_is_left() {
    let lines = "\
sh -c 'test -s /built && cat /greeting && echo $MODE for $0' somebody
# Neither written to, nor on a network, nor with any power.
sh -c '! touch /x 2>/dev/null && touch /tmp/x && test ! -e /var/run/docker.sock'
sh -c 'test $(ls /sys/class/net | wc -l) = 1 && grep -q ^CapEff:.0000000000000000 /proc/self/status'
sh -c 'grep -q ^NoNewPrivs:.1 /proc/self/status'
sh -c 'test ${#DSN} = 11 && test -z \"$ACTIONS_RUNTIME_TOKEN\"'
";
    let mut job = job("verify-passes", lines).input("verify_env", "MODE=strict\nDSN");
    job.env.insert("DSN".into(), "hunter2-dsn".into());
    let result = job.native().run();
    published(&result);
    let log = result.log();
    assert!(log.contains(" strict for somebody") && log.contains(" hello"), "{log}");
    assert!(
        result.groups.iter().any(|group| group.name.starts_with("verify on linux/amd64: sh -c")),
        "{log}"
    );
    assert_eq!(log.matches("✓ passed in").count(), 5, "{log}");
    assert!(!log.contains("hunter2-dsn") && !result.outputs["plan"].contains("hunter2-dsn"), "{log}");
    let plan: Value = serde_json::from_str(&result.outputs["plan"]).unwrap();
    assert_eq!(plan["verify"]["env"], serde_json::json!(["MODE", "DSN"]));
    assert_eq!(is_left(&job), "");
}

#[test]
fn a_failure_leaves_every_tag_where_it_was() {
    let mut job = job("verify-fails", "true");
    published(&job.native().run());
    let before = digests(&job);
    assert_eq!(before.len(), 3);
    job.origin.write("greeting", "a worse one\n");
    let worse = job.origin.commit("Worse");
    job.check_out("refs/heads/main", 1);
    job.event = job.event_of("push-branch");
    job.inputs.insert(
        "verify".into(),
        "cat /greeting\nsh -c 'echo has begun; echo schema is broken >&2; exit 3'\necho not this far".into(),
    );
    let result = job.native().run();
    let errors = failed(&result);
    for part in [
        "`verify`, line 2: `sh -c 'echo has begun; echo schema is broken >&2; exit 3'` failed on linux/amd64: exit code 3",
        "schema is broken",
        "no tag was moved",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    assert!(
        !result.log_lines.iter().any(|line| line.ends_with(" not this far") && line.starts_with("0.")),
        "what comes after it is not run: {}",
        result.log()
    );
    assert_eq!(digests(&job), before, "{worse}");
    assert_eq!((result.outputs["pushed"].as_str(), is_left(&job).as_str()), ("false", ""));
    // The command that the error gives runs that very image.
    let (_, command) = errors.split_once("docker run --rm -it ").expect("how to look at it");
    let image = command.split(' ').next().unwrap();
    assert_eq!(docker(&["run", "--rm", "--quiet", image, "cat", "/greeting"]), "a worse one");
    docker(&["image", "rm", "--force", image]);
}

#[test]
fn each_way_to_fail_is_told() {
    let mut job = job("verify-ways", "true").input("verify_timeout", "2s");
    for (line, said) in [
        ("nope --version", "exit code 127: the image has no such command"),
        ("/etc", "exit code 126: the command cannot be run"),
        ("sh -c 'nope'", "exit code 127 (there is no such command)"),
        ("sleep 98771", "had not ended after 2.0 s and was killed"),
        (
            "sh -c 'trap \"\" TERM INT HUP; echo deaf; while :; do sleep 98772; done'",
            "had not ended after 2.0 s",
        ),
        ("sh -c 'sh -c \"kill -SEGV \\$\\$\"; exit $?'", "exit code 139 (SIGSEGV: it crashed)"),
        ("sh -c 'mkdir /x'", "only /tmp can be written to"),
        ("wget http://192.0.2.1/", "unless `verify_network` names one"),
    ] {
        job.inputs.insert("verify".into(), line.into());
        let result = job.native().run();
        let errors = failed(&result);
        assert!(errors.contains(said), "{line}: {said}: {errors}");
        assert!(errors.contains("no tag was moved"), "{errors}");
    }
    job.inputs.insert("verify_network".into(), "nobodys-network".into());
    let errors = failed(&job.native().run());
    assert!(
        errors.contains("nobodys-network") && errors.contains("`verify_network` names a network"),
        "{errors}"
    );
    assert_eq!(job.tags(), Vec::<String>::new());
    assert!(is_gone("sleep 98771") && is_gone("sleep 98772"));
    assert_eq!(is_left(&job), "");
}

#[test]
fn memory_has_an_end() {
    // All that it reads is one line, which it keeps.
    let result = job("verify-memory", "tail /dev/zero").native().run();
    let errors = failed(&result);
    assert!(errors.contains("ran out of memory"), "{errors}");
}

#[test]
fn what_prints_a_gigabyte_is_bounded() {
    let lines = "sh -c 'yes all work and no play | head -c 1000000000; echo the end'\nsh -c 'head -c 100000000 /dev/zero | tr \"\\\\0\" x; exit 4'";
    let result = job("verify-prints", lines).native().run();
    let errors = failed(&result);
    let log = result.log();
    assert!(
        log.contains("what else it prints is not shown") && log.contains("… 1.0 GB in all"),
        "{}",
        log.len()
    );
    assert!(log.lines().any(|line| line.starts_with("… ") && line.ends_with("the end")), "its end is kept");
    assert!(log.len() < 2_000_000, "{} bytes of log", log.len());
    assert!(errors.contains("line 2") && errors.len() < 20_000, "{}", errors.len());
}

#[test]
fn what_it_prints_is_no_command_and_what_survives_it_does_not() {
    let lines = "sh -c 'echo ::error::forged; printf \"x\\\\r::set-output name=digest::forged\\\\n##[error]forged\\\\n\"'\nsh -c 'setsid sleep 98773 & exit 0'";
    let result = job("verify-hostile", lines).native().run();
    published(&result);
    assert!(
        result.annotations.iter().all(|note| !note.message.contains("forged")),
        "{:?}",
        result.annotations
    );
    let forged = |(name, value): (&String, &String)| name != "plan" && value.contains("forged");
    assert!(!result.outputs.iter().any(forged), "{:?}", result.outputs);
    assert!(is_gone("sleep 98773"));
}

#[test]
fn platforms_that_are_named_are_run() {
    let job = Job::usual("verify-platforms")
        .input("verify", "sh -c 'cat /built; uname -m'")
        .input("verify_platforms", "linux/arm64,linux/amd64");
    let result = job.native().run();
    published(&result);
    for part in ["built for arm64", "built for amd64", "aarch64", "x86_64"] {
        assert!(result.log().contains(part), "{part}: {}", result.log());
    }
    assert_eq!(is_left(&job), "");
}

#[test]
fn what_fails_on_one_platform_is_told_of_that() {
    let job = Job::usual("verify-native")
        .input("verify", "sh -c 'test $(uname -m) = aarch64'")
        .input("verify_platforms", "linux/amd64\nlinux/arm64");
    let errors = failed(&job.native().run());
    assert!(
        errors.contains("failed on linux/amd64") && !errors.contains("failed on linux/arm64"),
        "{errors}"
    );
}

#[test]
fn an_image_that_was_there_stays() {
    let job = job("verify-there", "true");
    let result = job.native().run();
    published(&result);
    let image = format!("{}/{}@{}", parts().localhost(), job.repository(), result.outputs["digest"]);
    docker(&["pull", "--quiet", &image]);
    published(&job.native().run());
    assert!(try_docker(&["image", "inspect", &image]).status.success(), "somebody may need it");
    docker(&["image", "rm", "--force", &image]);
}

#[test]
fn an_image_that_is_there_is_verified_before_it_is_tagged() {
    let first = job("verify-given", "true");
    let built = first.native().run();
    published(&built);
    let given = |verify: &str| {
        let from = format!("{}/{}:main", parts().localhost(), first.repository());
        let mut step = first.native();
        step.inputs.extend(
            [("mode", "tag"), ("from", &from), ("tags", "release"), ("verify", verify)]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        step.inputs.remove("build_args");
        step.inputs.remove("builder");
        step.run()
    };
    let errors = failed(&given("false"));
    assert!(errors.contains("`false` failed on linux/amd64: exit code 1"), "{errors}");
    assert!(!first.tags().contains(&"release".to_owned()));
    let tagged = given("cat /greeting");
    published(&tagged);
    assert!(
        tagged.log().contains(" hello") && first.tags().contains(&"release".to_owned()),
        "{}",
        tagged.log()
    );
}

#[test]
fn a_run_that_is_cancelled_leaves_nothing() {
    let job = Job::alone("verify-cancel", &[("Dockerfile", crate::job::DOCKERFILE), ("greeting", "x")])
        .input("platform", "linux/amd64")
        .input("verify", "sh -c 'echo has started; sleep 98774'");
    let before = everything(&job);
    let running_step = job.step().start();
    assert!(running_step.wait_for_line(|line| line.ends_with(" has started")));
    assert!(running("sleep 98774") > 0);
    let result = running_step.cancel();
    assert!(!result.success, "{}", result.log());
    assert!(is_gone("sleep 98774"));
    assert_eq!(everything(&job), before, "{}", result.log());
    assert_eq!((job.tags(), is_left(&job)), (Vec::new(), String::new()));
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let job = Job::alone("verify-killed", &[("Dockerfile", crate::job::DOCKERFILE), ("greeting", "x")])
        .input("platform", "linux/amd64")
        .input("verify", "sh -c 'echo has started; sleep 98775'");
    let running_step = job.step().start();
    assert!(running_step.wait_for_line(|line| line.ends_with(" has started")));
    let ours = docker(&["ps", "-q", "--filter", "label=a1b2c3"]);
    docker(&["kill", &ours]);
    drop(running_step.wait());
    assert_eq!(of_role("verify").len(), 1, "it is killed, and so is nothing else");
    let next = job.input("verify", "true").run();
    published(&next);
    assert!(until(|| of_role("verify").is_empty()));
    assert!(is_gone("sleep 98775"));
}

/// Outside of a container: who made them is a process, and gone, though the job is the same.
#[test]
fn what_a_killed_process_left_is_removed_by_the_next() {
    let dockerfile =
        "ARG BASE\nFROM ${BASE}\nEXPOSE 8080\nCMD [\"sh\", \"-c\", \"echo has started; sleep 98779\"]\n";
    let job = Job::alone("verify-process-killed", &[("Dockerfile", dockerfile)])
        .input("platform", "linux/amd64")
        .input("verify", "healthcheck");
    let networks = || docker(&["network", "ls", "-q", "--filter", "label=docker-push-action.role=verify"]);
    let running_step = job.native().start();
    assert!(running_step.wait_for_line(|line| line.ends_with(" has started")));
    let killed = Command::new("kill").args(["-KILL", &running_step.process().to_string()]).status();
    assert!(killed.unwrap().success());
    drop(running_step.wait());
    assert_eq!((of_role("verify").len(), networks().lines().count()), (1, 1), "nothing else is killed");
    // One that lives is left alone, whatever another run removes.
    let lives = job.native().start();
    assert!(lives.wait_for_line(|line| line.ends_with(" has started")));
    assert!(until(|| of_role("verify").len() == 1 && networks().lines().count() == 1));
    let next = job.input("verify", "true");
    published(&next.native().run());
    assert_eq!((of_role("verify").len(), networks().lines().count()), (1, 1));
    lives.signal("TERM");
    drop(lives.wait());
    assert!(until(|| of_role("verify").is_empty() && networks().is_empty()));
    assert!(is_gone("sleep 98779"));
}
