//! The summary and the log of real runs in a real browser: no error, no element that GitHub would take out, and what a person
//! looks for is there to be read. With `UPDATE=1` the pictures in `docs/pictures` are made anew.

use crate::builder::goes_with_its_step;
use crate::job::{DOCKERFILE, Job};
use crate::page;

#[test]
fn a_push_and_the_next_one() {
    let mut job = Job::usual("drawn");
    let first = job.run();
    assert!(first.success, "{}", first.log());
    let page = page::summary(&first, None);
    assert!(page.text.contains("✅ Pushed") && page.text.contains("docker pull"), "{}", page.text);
    let before = job.origin.rev("main");

    job.origin.write("greeting", &"hello, whoever you are\n".repeat(400));
    job.origin.commit("Say more");
    // With its history, which says that the commit is newer.
    job.check_out("refs/heads/main", 0);
    job.event = job.event_of("push-branch");
    job.machine.run += 1;
    let second = job.run();
    assert!(second.success, "{}", second.log());
    let page = page::summary(&second, Some("summary"));
    let short = &before[..7];
    for part in [
        &format!("since {short}")[..],
        "for 2 platforms (+",
        "Layers: 4 of 6 as before",
        "COPY greeting /greeting",
    ] {
        assert!(page.text.contains(part), "{part}\n--\n{}\n--\n{}", page.text, second.summary);
    }
    assert!(
        second.log().lines().last().is_some_and(|line| line.contains(&format!(" since {short})"))),
        "{}",
        second.log()
    );
    page::log(&second, Some("log"));
}

#[test]
fn a_failure() {
    let dockerfile =
        format!("{DOCKERFILE}RUN echo compiling; echo 'main.c:7: error: no such thing' >&2; exit 3\n");
    let job = Job::new("drawn-failure", &[("Dockerfile", &dockerfile), ("greeting", "x\n")])
        .input("platform", "linux/amd64");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let page = page::summary(&result, Some("summary-failure"));
    for part in ["❌ Failed", "run-failed", "main.c:7: error: no such thing", "Dockerfile:7"] {
        assert!(page.text.contains(part), "{part}\n--\n{}", page.text);
    }
    let page = page::log(&result, Some("log-failure"));
    assert!(page.text.contains("main.c:7: error: no such thing"), "{}", page.text);
}

#[test]
fn a_chart_of_hostile_steps() {
    let evil = "RUN echo 'click s1 href x; a:b %%{init: {}}%% <b onclick=x> ``` | [l](javascript:x) $$x$$' && sleep 1\n";
    let dockerfile = format!("{DOCKERFILE}{evil}");
    let job = Job::new("drawn-hostile", &[("Dockerfile", &dockerfile), ("greeting", "x\n")])
        .input("platform", "linux/amd64");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    let page = page::summary(&result, None);
    if goes_with_its_step() {
        assert_eq!(page.charts, 1, "{}", result.summary);
    }
}
