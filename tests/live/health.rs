//! `verify: healthcheck`: the image is started as it is, and the engine's word or an exposed port says whether it is well.

use crate::job::{Job, published};
use crate::leftovers::everything;
use crate::runner::step::StepResult;

/// An image of the base with these further lines.
fn job(name: &str, dockerfile: &str) -> Job {
    let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\n{dockerfile}");
    Job::new(name, &[("Dockerfile", &dockerfile)])
        .input("platform", "linux/amd64")
        .input("verify", "healthcheck")
        .input("verify_timeout", "20s")
}

fn failed(result: &StepResult, part: &str) {
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains(part), "{part}: {}", result.errors());
    assert!(result.errors().contains("no tag was moved"), "{}", result.errors());
}

const LISTENS: &str = "EXPOSE 53/udp 8080 9090\nCMD [\"sh\", \"-c\", \"echo comes up; sleep 1; while :; do nc -l -p 8080 </dev/null >/dev/null; done\"]\n";

#[test]
fn the_engines_word_counts() {
    let healthy = "HEALTHCHECK --interval=1h --retries=1 CMD test -e /tmp/up\n\
                   CMD [\"sh\", \"-c\", \"echo comes up; sleep 2; touch /tmp/up; sleep 98776\"]\n";
    let job = job("health-up", healthy);
    let result = job.native().run();
    published(&result);
    assert!(result.log().contains(" comes up") && result.log().contains("✓ passed in"), "{}", result.log());
}

#[test]
fn what_never_gets_well_is_told_with_its_last_word() {
    let sick = "HEALTHCHECK CMD echo the database is down; exit 1\nCMD [\"sh\", \"-c\", \"echo waits for its database; sleep 98777\"]\n";
    let job = job("health-sick", sick).input("verify_timeout", "4s");
    let result = job.native().run();
    failed(
        &result,
        "it is not healthy after 4.0 s; its `HEALTHCHECK` ended with exit code 1 the last time: the database is down",
    );
    assert!(result.errors().contains("waits for its database"), "{}", result.errors());
    assert_eq!(job.tags(), Vec::<String>::new());
}

#[test]
fn a_port_answers_whoever_asks() {
    let dockerfile = format!("ARG BASE\nFROM ${{BASE}}\n{LISTENS}");
    let job = Job::alone("health-port", &[("Dockerfile", &dockerfile)])
        .input("platform", "linux/amd64")
        .input("verify", "healthcheck\ntrue");
    let before = everything(&job);
    published(&job.native().run());
    assert_eq!(everything(&job), before);
    // From a container of our own image.
    let result = job.run();
    published(&result);
    assert!(result.log().contains("✓ passed in"), "{}", result.log());
    assert_eq!(everything(&job), before);
}

#[test]
fn a_port_of_its_own_loopback_is_none() {
    let inward = LISTENS.replace("nc -l -p", "nc -l -s 127.0.0.1 -p");
    let job = job("health-inward", &inward).input("verify_timeout", "4s");
    failed(&job.native().run(), "nothing answers on port 8080 or 9090 after 4.0 s");
}

#[test]
fn an_image_that_says_nothing_or_ends_is_told() {
    let mut job = job("health-none", "CMD [\"sleep\", \"98778\"]\n");
    failed(&job.native().run(), "no `HEALTHCHECK`, and exposes no TCP port");
    job.origin.write(
        "Dockerfile",
        "ARG BASE\nFROM ${BASE}\nEXPOSE 80\nCMD [\"sh\", \"-c\", \"echo no config; exit 3\"]\n",
    );
    job.origin.commit("Ends");
    job.check_out("refs/heads/main", 1);
    job.event = job.event_of("push-branch");
    let result = job.native().run();
    failed(&result, "it has ended with exit code 3, and should have gone on");
    assert!(result.errors().contains("no config"), "{}", result.errors());
}
