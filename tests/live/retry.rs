//! A push through a registry that has a bad day: BuildKit's own pusher gives up, ours does not, and no build step runs
//! a second time for it.

use crate::builder::engine_builds;
use crate::job::{Job, parts};
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind, Request, Seen};
use crate::runner::registry::Registry;
use crate::runner::step::{Killed, StepResult};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// What the one step says, once for each time that it runs. The Dockerfile does not spell it.
const WORD: &str = "said-42";

fn unique() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("job-{now}-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The cache mount in which this test's steps note that they were begun. Those of other tests have one of their own:
/// a mount that two builds make at the same time is two.
fn list() -> String {
    std::thread::current().name().unwrap_or("runs").replace(':', "-")
}

/// A step that makes something else each time, and notes that it was begun where the next one finds it.
pub fn dockerfile() -> String {
    let (unique, runs) = (unique(), list());
    format!(
        "ARG BASE\nFROM ${{BASE}}\nRUN --mount=type=cache,id={runs},target=/runs echo {unique} >>/runs/list && echo said-$((40 + 2)) && \
         head -c 256 /dev/urandom >/random\nCOPY greeting /\n"
    )
}

/// A job that pushes one platform through this proxy, started on the host: the daemon and it have the same loopback.
pub fn job(name: &str, proxy: &FaultProxy) -> Job {
    Job::new(name, &[("Dockerfile", &dockerfile()), ("greeting", "hello\n")])
        .input("registry", &proxy.host())
        .input("platform", "linux/amd64")
        .input("cache", "off")
}

/// How often each job's step was begun on what builds here, as the steps themselves have noted.
pub fn begun() -> BTreeMap<String, usize> {
    let runs = list();
    let dockerfile = format!(
        "ARG BASE\nFROM ${{BASE}}\nRUN --mount=type=cache,id={runs},target=/runs cat /runs/list # {}\n",
        unique()
    );
    let job = Job::new(&format!("begun-{runs}"), &[("Dockerfile", &dockerfile)])
        .input("platform", "linux/amd64")
        .input("push", "false");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    let mut times = BTreeMap::new();
    for line in &result.log_lines {
        if let Some(id) = line.split(' ').next_back().filter(|word| word.starts_with("job-")) {
            *times.entry(id.to_owned()).or_insert(0) += 1;
        }
    }
    times
}

pub fn times_run(result: &StepResult) -> usize {
    result.log_lines.iter().filter(|line| line.ends_with(WORD)).count()
}

/// It is published, every planned tag is on its digest, and its step ran once.
pub fn published(job: &Job, result: &StepResult) {
    assert!(result.success, "{}", result.log());
    assert_eq!(times_run(result), 1, "{}", result.log());
    let registry = parts().open_registry();
    let planned: Vec<&str> = result.outputs["tag_names"].lines().collect();
    assert_eq!(job.tags().len(), planned.len(), "{:?}", job.tags());
    for tag in planned {
        let found =
            registry.manifest(&job.repository(), tag).unwrap_or_else(|| panic!("`{tag}` is not there"));
        assert_eq!(found.digest, result.outputs["digest"], "{tag}");
    }
}

fn proxy(script: impl FnMut(&Request) -> Act + Send + 'static) -> FaultProxy {
    FaultProxy::new(&parts().registry, script)
}

fn lines<'a>(result: &'a StepResult, part: &'a str) -> impl Iterator<Item = &'a String> {
    result.log_lines.iter().filter(move |line| line.contains(part))
}

type Spoil = fn(&Request) -> Act;

#[test]
fn a_push_that_buildkit_gave_up_is_tried_again() {
    let cases: &[(&str, Spoil)] = &[
        // containerd asks five times without a pause and gives up.
        ("busy", |request| match request.kind {
            Kind::StartUpload if request.nth < 24 => Answer::status(429).into(),
            _ => Act::Pass,
        }),
        ("busy-at-the-manifest", |request| match request.kind {
            Kind::PutManifest if request.nth < 12 => Answer::status(429).retry_after(1).into(),
            _ => Act::Pass,
        }),
        ("forbidden-in-mid-push", |request| match request.kind {
            Kind::PutManifest if request.nth == 0 => Act::forbid(),
            _ => Act::Pass,
        }),
    ];
    for (name, spoil) in cases {
        let proxy = proxy(*spoil);
        let job = job(name, &proxy).input("no_cache", "true").input("pull", "true");
        let result = job.native().run();
        published(&job, &result);
        assert!(lines(&result, "attempt 2 in ").count() >= 1, "{name}: {}", result.log());
        assert!(lines(&result, "pushed on attempt ").count() == 1, "{name}: {}", result.log());
        assert!(result.summary.contains("**Tried again**"), "{name}: {}", result.summary);
        assert!(proxy.spoiled() >= 1, "{name}");
    }
}

#[test]
fn a_token_that_ends_in_mid_push_is_renewed() {
    let script = |request: &Request| match request.kind {
        Kind::PutManifest if request.nth == 0 => Act::Expire,
        // Our own, too.
        Kind::PutTag if request.nth == 1 => Act::Expire,
        _ => Act::Pass,
    };
    let proxy = FaultProxy::with_tokens(&parts().registry, script);
    let job = job("token-ends", &proxy).input("username", "octo").input("password", "correct-horse-battery");
    let result = job.native().run();
    published(&job, &result);
    assert!(proxy.count(Kind::Token) >= 2, "{:?}", proxy.seen());
}

#[test]
fn what_another_attempt_cannot_mend_is_not_tried_again() {
    // The first upload is begun before the build, to see whether the job may push.
    for (name, status, retries, from, runs) in [
        ("bad-request", 400, "auto", 0, 1),
        ("forbidden-before-the-build", 403, "auto", 0, 0),
        ("forbidden-layers", 403, "auto", 1, 1),
        ("no-retries", 429, "0", 0, 1),
    ] {
        let proxy = proxy(move |request| match request.kind {
            Kind::StartUpload if request.nth >= from => Answer::status(status).into(),
            _ => Act::Pass,
        });
        let job = job(name, &proxy).input("retries", retries);
        let result = job.native().run();
        assert!(!result.success, "{name}: {}", result.log());
        assert_eq!(lines(&result, "attempt 2").count(), 0, "{name}: {}", result.log());
        assert_eq!((times_run(&result), job.tags().len()), (runs, 0), "{name}: {}", result.log());
        assert!(result.errors().contains(&status.to_string()), "{name}: {}", result.errors());
    }
}

#[test]
fn a_burst_that_outlasts_buildkits_own_patience() {
    // 500, 502 and 503 in turn, and connections that end in the middle of a layer: until BuildKit's pusher has given up.
    let proxy = proxy(|request| match request.kind {
        Kind::EndUpload | Kind::SendUpload => match request.nth % 4 {
            0 => Act::ResetAt(100),
            other => Answer::status([500, 502, 503][other - 1]).long(1 << 20).into(),
        },
        _ => Act::Pass,
    });
    let job = job("burst", &proxy);
    let running = job.native().start();
    let last = if std::env::var_os("SOAK").is_some() { "attempt 6 in " } else { "attempt 2 in " };
    let gave_up = running.wait_for_line(|line| line.contains(last));
    proxy.mend();
    let result = running.wait();
    assert!(gave_up, "{}", result.log());
    published(&job, &result);
    assert_eq!(lines(&result, "pushed on attempt ").count(), 1, "{}", result.log());
}

#[test]
fn a_base_image_that_moves_between_two_attempts_is_not_taken() {
    let (registry, base) = (parts().open_registry(), parts().base.clone());
    let (host, base_name) = base.split_once('/').unwrap();
    let old = registry.manifest("base/busybox", "1").unwrap();
    assert_eq!((host, base_name), (parts().registry.as_str(), "base/busybox:1"));
    // A tag of its own, as others build from that one.
    let copy = |source: &str, tag: &str| {
        let to = format!("{host}/moving/base:{tag}");
        let done = std::process::Command::new("crane").args(["copy", "--insecure", source, &to]).status();
        assert!(done.unwrap().success());
    };
    copy(&base, "1");
    // Another platform's: no step could run on it.
    let last = registry.platforms("base/busybox", "1").into_iter().next_back().unwrap().1.digest;
    let other = format!("{host}/base/busybox@{last}");
    let mut moved = false;
    let proxy = proxy(move |request| match request.kind {
        Kind::PutManifest if !moved => {
            moved = true;
            let to = format!("{}/moving/base:1", parts().registry);
            let done = std::process::Command::new("crane").args(["copy", "--insecure", &other, &to]).status();
            assert!(done.unwrap().success());
            Act::forbid()
        }
        _ => Act::Pass,
    });
    let job = job("moving-base", &proxy)
        .input("build_args", &format!("BASE={host}/moving/base:1"))
        .input("pull", "true")
        .input("no_cache", "true");
    let result = job.native().run();
    // Engine 26 takes no notice of source policies, `docker buildx build` on it neither.
    if parts().engine_version.starts_with("26.") && engine_builds() {
        assert!(!result.success && job.tags().is_empty(), "{}", result.log());
        assert!(result.errors().contains("is another image now"), "{}", result.errors());
        return;
    }
    published(&job, &result);
    assert!(lines(&result, "pushed on attempt ").count() == 1, "{}", result.log());
    assert_ne!(registry.manifest("moving/base", "1").unwrap().digest, old.digest, "it has moved");
}

#[test]
fn a_pause_ends_when_the_run_is_cancelled() {
    for (name, kind) in [("cancel-push", Kind::StartUpload), ("cancel-tags", Kind::PutTag)] {
        let proxy =
            proxy(
                move |request| {
                    if request.kind == kind { Answer::status(429).retry_after(200).into() } else { Act::Pass }
                },
            );
        let job = job(name, &proxy);
        let running = job.native().start();
        let waits = |line: &str| line.contains("trying again in") || line.contains("attempt 3 in");
        assert!(running.wait_for_line(waits), "{name}: it does not wait");
        let result = running.cancel();
        // By the first signal: seconds later comes the second one, and the pause is of minutes.
        assert_eq!(result.killed, Killed::Sigint, "{name}: {}", result.log());
        assert!(!result.success && job.tags().is_empty(), "{name}: {}", result.log());
    }
}

#[test]
fn tags_are_put_again_when_the_registry_says() {
    let proxy = proxy(|request| match (request.kind, request.nth) {
        (Kind::PutTag, 0) => Answer::status(429).retry_after(2).into(),
        (Kind::PutTag, 1) => Answer::status(502).long(1 << 20).into(),
        (Kind::PutTag, 2) => Act::LoseAnswer,
        (Kind::PutTag, 3) => Act::forbid(),
        (Kind::PutTag, 4) | (Kind::GetManifest, 0) => Act::Reset,
        (Kind::GetManifest, 1) | (Kind::GetBlob, 0) => Act::Truncate(10),
        _ => Act::Pass,
    });
    let job = job("tags-again", &proxy);
    let result = job.native().run();
    published(&job, &result);
    let seen = proxy.seen();
    let puts: Vec<&Seen> = seen.iter().filter(|seen| seen.request.kind == Kind::PutTag).collect();
    let asked_to_wait = puts[0];
    let next = puts.iter().skip(1).find(|seen| seen.request.path == asked_to_wait.request.path).unwrap();
    let waited = next.at.saturating_sub(asked_to_wait.at);
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert!(puts.iter().all(|seen| seen.request.is_ours()));
    assert!(Registry::open(&parts().registry).manifest(&job.repository(), "latest").is_some());
}
