//! A cancelled step: it ends in time, and nothing of it is left.

use crate::job::{DOCKERFILE, Job, parts};
use crate::leftovers::{self, everything, is_gone};
use crate::runner::step::{Killed, StepResult};

fn job(name: &str, seconds: u32) -> Job {
    let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\nRUN echo has started; sleep {seconds}\n");
    Job::alone(name, &[("Dockerfile", &dockerfile)]).input("platform", "linux/amd64")
}

/// Ended by the runner's first signal: the next one comes after 7.5 seconds.
fn ended(job: &Job, result: &StepResult, before: &[String]) {
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert!(!result.success);
    assert_ne!(result.exit_code, Some(0));
    assert_eq!(everything(job), before, "{}", result.log());
    assert_eq!(job.tags(), Vec::<String>::new());
    assert_eq!(
        result.outputs.get("pushed").map(String::as_str),
        Some("false"),
        "what was done stays reported"
    );
    assert!(result.log().to_lowercase().contains("cancel"), "{}", result.log());
}

#[test]
fn a_cancelled_build_ends_and_leaves_nothing() {
    let job = job("cancel", 987);
    let before = everything(&job);
    let running = job.step().start();
    assert!(running.wait_for_line(|line| line.contains("has started") && !line.contains("echo")));
    assert!(leftovers::running("sleep 987") > 0, "the step's process is visible");
    let result = running.cancel();
    ended(&job, &result, &before);
    assert!(is_gone("sleep 987"), "the build goes on without us");
}

#[test]
fn sigterm_and_a_second_signal_end_it_too() {
    let job = job("cancel-twice", 988);
    for second in [None, Some("INT")] {
        let running = job.step().start();
        assert!(running.wait_for_line(|line| line.contains("has started") && !line.contains("echo")));
        running.signal("TERM");
        if let Some(signal) = second {
            running.signal(signal);
        }
        let result = running.wait();
        assert!(!result.success, "{}", result.log());
        assert!(is_gone("sleep 988"), "the build goes on without us");
    }
}

#[test]
fn a_step_that_is_cancelled_at_once_ends_at_once() {
    let job = job("cancel-early", 989);
    let before = everything(&job);
    // The first sign of life is enough: handlers are there before anything is said.
    let running = job.step().start();
    assert!(running.wait_for_line(|_| true));
    let result = running.cancel();
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert!(!result.success);
    assert_eq!(everything(&job), before);
    assert!(is_gone("sleep 989"), "the build goes on without us");
}

/// A run of the usual build is cancelled at many moments; `SOAK=1` tries many more.
#[test]
fn no_moment_is_a_bad_one_to_cancel() {
    let moments = if std::env::var_os("SOAK").is_some() { 100 } else { 8 };
    let job = Job::alone("any-moment", &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
        .input("no_cache", "true");
    // The first one may fetch what the others find.
    assert!(job.run().success);
    let whole = job.run();
    assert!(whole.success, "{}", whole.log());
    let mut whole = whole.duration;
    let before = everything(&job);
    let mut cancelled = 0;
    for moment in 0..moments {
        let mut running = job.step().start();
        running.ends_within(whole * moment / moments);
        // No second signal: the first is lost on a container that is made and does not run yet.
        running.signal("INT");
        let result = running.wait();
        // Before the process has its handlers, the docker client is all that there is to end.
        assert!(!result.success || result.outputs["pushed"] == "true", "moment {moment}: {}", result.log());
        cancelled += u32::from(!result.success);
        if result.success {
            // The machine has less to do by now.
            whole = whole.min(result.duration);
        }
        assert_eq!(everything(&job), before, "moment {moment}: {}", result.log());
        // A tag that is there names an image that is there.
        for tag in job.tags() {
            assert!(parts().open_registry().manifest(&job.repository(), &tag).is_some(), "{tag}");
        }
    }
    assert!(cancelled > moments / 4, "{cancelled} of {moments} were cancelled");
}
