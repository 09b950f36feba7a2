//! The second action: a job's first step leaves a helper that makes the builder ready, and the step that builds finds
//! it ready, half-way or not at all.

use crate::builder::{end_all, not_here};
use crate::emulation::{self, Alone};
use crate::job::{DOCKERFILE, Job, parts, published};
use crate::leftovers::{everything, of_role};
use crate::runner::action::Action;
use crate::runner::log::Level;
use crate::runner::parts::{project, try_docker};
use crate::runner::step::{Step, StepResult};
use crate::runner::wait::until;
use std::path::Path;
use std::sync::OnceLock;

fn action() -> &'static Action {
    static ACTION: OnceLock<Action> = OnceLock::new();
    ACTION.get_or_init(|| Action::read(&project().join("prepare/action.yml")).expect("the action's metadata"))
}

/// A build by a container of ours, on a machine that nobody throws away.
fn job(name: &str) -> Job {
    let mut job = Job::alone(name, &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
        .without("builder_keep")
        .input("builder", if parts().graphdriver() { "auto" } else { "docker-container" })
        .input("builder_image", &parts().buildkit_image)
        .input("platform", "linux/amd64");
    job.machine.hosted = false;
    end_all();
    job
}

/// The job's first step, with those of its inputs that the action has; before anything is checked out.
fn preparing<'a>(job: &'a Job, step: Step<'a>) -> Step<'a> {
    let inputs = job.inputs.iter().filter(|(name, _)| action().inputs.contains_key(*name));
    Step {
        action: action(),
        inputs: inputs.map(|(name, text)| (name.clone(), text.clone())).collect(),
        ..step
    }
}

fn prepare(job: &Job) -> StepResult {
    let result = preparing(job, job.step()).run();
    assert!(result.success, "{}", result.log());
    result
}

fn helpers() -> Vec<String> {
    of_role("prepare")
}

/// Waits for the helper to end and to be removed.
fn helper_ends() {
    for helper in helpers() {
        // It may be gone before it is asked for.
        let _ = try_docker(&["wait", &helper]);
    }
    assert!(until(|| helpers().is_empty()), "{:?}", helpers());
}

fn prepared() {
    helper_ends();
    assert_eq!(builders().len(), 1);
}

fn builders() -> Vec<String> {
    of_role("builder")
}

fn built(result: &StepResult) {
    published(result);
    assert!(result.log().contains("a container of "), "{}", result.log());
}

#[test]
fn a_builder_that_is_ready_is_used() {
    let mut job = job("prepared");
    job.machine.hosted = true;
    let before = everything(&job);
    let step = prepare(&job);
    assert!(step.log().contains("a helper container prepares builder: a container of "), "{}", step.log());
    assert!(step.annotations.is_empty(), "{}", step.log());
    prepared();
    let made = builders();
    built(&job.run());
    assert_eq!(builders(), made, "the same container");
    // As the next job of a runner would.
    job.machine.run += 1;
    let last = job.input("builder_keep", "false");
    built(&last.run());
    assert_eq!(everything(&last), before);
}

#[test]
fn a_step_that_ends_its_builder_ends_a_prepared_one() {
    let job = job("prepared-step");
    let before = everything(&job);
    prepare(&job);
    prepared();
    built(&job.run());
    assert_eq!(everything(&job), before);
}

#[test]
fn a_builder_in_the_making_is_shared() {
    let job = job("half-way");
    let before = everything(&job);
    for _ in 0..3 {
        prepare(&job);
        let result = job.run();
        built(&result);
        assert_eq!(everything(&job), before, "{}", result.log());
    }
}

#[test]
fn a_helper_that_stands_still_holds_nothing_up_and_makes_nothing_later() {
    let job = job("paused");
    let before = everything(&job);
    prepare(&job);
    for helper in helpers() {
        let _ = try_docker(&["pause", &helper]);
    }
    let result = job.run();
    built(&result);
    assert_eq!(helpers(), Vec::<String>::new());
    assert_eq!(everything(&job), before, "{}", result.log());
}

#[test]
fn what_a_killed_helper_left_is_finished_by_the_run() {
    let job = job("killed");
    let before = everything(&job);
    prepare(&job);
    for helper in helpers() {
        let _ = try_docker(&["kill", "--signal", "KILL", &helper]);
    }
    built(&job.run());
    assert_eq!(everything(&job), before);
}

#[test]
fn what_was_prepared_and_not_used_goes_with_the_runners_next_job() {
    let mut job = job("unused").input("allow", "security.insecure");
    let before = everything(&job);
    prepare(&job);
    prepared();
    job.inputs.remove("allow");
    // The run asks for less: another container is its own.
    built(&job.run());
    assert_eq!(builders().len(), 1);
    job.machine.run += 1;
    built(&job.run());
    assert_eq!(everything(&job), before);
}

#[test]
fn an_image_that_nobody_has_is_the_runs_matter() {
    let job = job("prepared-no-image").input("builder_image", "127.0.0.1:9/nobody/has-this:1");
    let before = everything(&job);
    let step = prepare(&job);
    assert!(step.annotations.is_empty(), "{}", step.log());
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains("cannot pull the builder's image"), "{}", result.errors());
    helper_ends();
    assert_eq!(everything(&job), before);
}

#[test]
fn whatever_is_wrong_is_a_notice() {
    let mut bad = job("notices");
    let before = everything(&bad);
    bad.inputs = [("platform".into(), "windows".into())].into();
    let result = preparing(&bad, bad.step()).run();
    let native = preparing(&bad, bad.native());
    let native = Step { inputs: [("builder".into(), "docker-container".into())].into(), ..native }.run();
    let nowhere = preparing(&bad, bad.native());
    let env = [("DOCKER_HOST".to_owned(), "unix:///nowhere".to_owned())].into();
    let nowhere = Step { inputs: std::collections::BTreeMap::new(), env, ..nowhere }.run();
    for (result, expected) in [
        (&result, "input `platform`"),
        (&native, "this process is in no container of that daemon"),
        (&nowhere, "the daemon's socket `unix:///nowhere` does not exist"),
    ] {
        assert!(result.success, "{}", result.log());
        let notices = result.of(Level::Notice);
        assert_eq!(notices.len(), 1, "{}", result.log());
        assert!(notices[0].message.starts_with("nothing is prepared, "), "{}", notices[0].message);
        assert!(notices[0].message.contains(expected), "{}", notices[0].message);
    }
    assert_eq!(everything(&bad), before);
}

#[test]
fn an_engine_that_needs_nothing_gets_nothing() {
    if parts().graphdriver() {
        return not_here("this engine needs a builder to push");
    }
    let job = job("nothing-needed").input("builder", "auto");
    let before = everything(&job);
    let step = prepare(&job);
    assert!(step.log().contains("builds, and needs nothing"), "{}", step.log());
    assert_eq!(everything(&job), before);
}

#[test]
fn emulators_are_registered_ahead() {
    let _alone = Alone::now();
    let nothing = "FROM scratch\nCOPY program /\n";
    let job = emulation::job("prepared-emulation", emulation::AHEAD, nothing).input("builder", "docker");
    if parts().graphdriver() {
        return not_here("this engine's own BuildKit pushes nothing");
    }
    let step = prepare(&job);
    assert!(step.log().contains("emulation for linux/arm/v7"), "{}", step.log());
    helper_ends();
    assert!(Path::new(emulation::BINFMT).join(emulation::ENTRY_AHEAD).exists());
    let result = job.run();
    assert!(result.success, "{}", result.log());
}
