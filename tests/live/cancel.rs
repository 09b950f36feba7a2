//! A cancelled step: it ends in time, and nothing of it is left.

use crate::job::{DOCKERFILE, Job, parts, parts_with_store};
use crate::runner::parts::docker;
use crate::runner::step::{Killed, StepResult};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a cancelled step may take: the runner's next signal comes after 7.5 seconds.
const LIMIT: Duration = Duration::from_secs(7);

fn job(name: &str, seconds: u32) -> Job {
    let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\nRUN echo has started; sleep {seconds}\n");
    Job::alone(name, &[("Dockerfile", &dockerfile)]).input("platform", "linux/amd64")
}

/// Containers, volumes and the runner's temporary files.
fn everything(job: &Job) -> Vec<String> {
    assert!(job.is_alone());
    let mut all = vec![docker(&["ps", "-aq"]), docker(&["volume", "ls", "-q"])];
    list(&job.machine.temp(), &mut all);
    // The event's payload and a step's file-command files are the runner's own.
    all.retain(|path| !path.contains("_runner_file_commands/") && !path.ends_with("/event.json"));
    all
}

fn list(path: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        into.push(entry.path().display().to_string());
        if entry.path().is_dir() && !entry.path().is_symlink() {
            list(&entry.path(), into);
        }
    }
}

/// Whether a process with these arguments runs; the engine's processes are visible from here.
fn runs(arguments: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == arguments)
    })
}

/// Waits until the process is gone.
fn is_gone(arguments: &str, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while runs(arguments) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    true
}

fn ended(job: &Job, result: &StepResult, before: &[String], took: Duration) {
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert!(took <= LIMIT, "{took:?}\n{}", result.log());
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
    if parts_with_store().is_none() {
        return;
    }
    let job = job("cancel", 987);
    let before = everything(&job);
    let running = job.step().start();
    assert!(running.wait_for_line(
        |line| line.contains("has started") && !line.contains("echo"),
        Duration::from_mins(2)
    ));
    assert!(runs("sleep 987"), "the step's process is visible");
    let asked = Instant::now();
    let result = running.cancel();
    ended(&job, &result, &before, asked.elapsed());
    assert!(is_gone("sleep 987", Duration::from_secs(5)), "the build goes on without us");
}

#[test]
fn sigterm_and_a_second_signal_end_it_too() {
    if parts_with_store().is_none() {
        return;
    }
    let job = job("cancel-twice", 988);
    for second in [None, Some("INT")] {
        let running = job.step().start();
        assert!(running.wait_for_line(
            |line| line.contains("has started") && !line.contains("echo"),
            Duration::from_mins(2)
        ));
        let asked = Instant::now();
        running.signal("TERM");
        if let Some(signal) = second {
            running.signal(signal);
        }
        let result = running.wait();
        assert!(asked.elapsed() <= LIMIT, "{:?}\n{}", asked.elapsed(), result.log());
        assert!(!result.success);
        assert!(is_gone("sleep 988", Duration::from_secs(5)), "the build goes on without us");
    }
}

#[test]
fn a_step_that_is_cancelled_at_once_ends_at_once() {
    if parts_with_store().is_none() {
        return;
    }
    let job = job("cancel-early", 989);
    let before = everything(&job);
    // The first sign of life is enough: handlers are there before anything is said.
    let running = job.step().start();
    assert!(running.wait_for_line(|_| true, Duration::from_mins(1)));
    let asked = Instant::now();
    let result = running.cancel();
    assert!(asked.elapsed() <= LIMIT, "{:?}\n{}", asked.elapsed(), result.log());
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert!(!result.success);
    assert_eq!(everything(&job), before);
    assert!(is_gone("sleep 989", Duration::from_secs(5)), "the build goes on without us");
}

/// A run of the usual build is cancelled at many moments; `SOAK=1` tries many more.
#[test]
fn no_moment_is_a_bad_one_to_cancel() {
    if parts_with_store().is_none() {
        return;
    }
    let moments = if std::env::var_os("SOAK").is_some() { 100 } else { 8 };
    let job = Job::alone("any-moment", &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")])
        .input("no_cache", "true");
    let whole = job.run();
    assert!(whole.success, "{}", whole.log());
    let before = everything(&job);
    let mut cancelled = 0;
    for moment in 0..moments {
        let mut running = job.step().start();
        running.ends_within(whole.duration * moment / moments);
        let asked = Instant::now();
        let result = running.cancel();
        let took = asked.elapsed();
        assert!(took <= LIMIT, "moment {moment}: {took:?}\n{}", result.log());
        // Before the process has its handlers, the docker client is all that there is to end.
        assert!(!result.success || result.outputs["pushed"] == "true", "moment {moment}: {}", result.log());
        cancelled += u32::from(!result.success);
        assert_eq!(everything(&job), before, "moment {moment}: {}", result.log());
        // A tag that is there names an image that is there.
        for tag in job.tags() {
            assert!(parts().open_registry().manifest(&job.repository(), &tag).is_some(), "{tag}");
        }
    }
    assert!(cancelled > moments / 2, "{cancelled} of {moments} were cancelled");
}
