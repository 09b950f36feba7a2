//! What is verified when an image comes about in another way than by one build: as legs that are joined, by promotion, in a
//! registry with a password or one that stumbles. A failure leaves every tag of the registry on its digest.

use crate::job::{Job, parts, published};
use crate::retry;
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind, Request};
use crate::runner::registry::Registry;
use crate::runner::step::StepResult;
use std::collections::BTreeMap;

fn set(job: &mut Job, name: &str, value: &str) {
    job.inputs.insert(name.to_owned(), value.to_owned());
}

/// What is under each tag.
fn digests(registry: &Registry, job: &Job) -> BTreeMap<String, String> {
    let digest = |tag: &String| registry.manifest(&job.repository(), tag).expect("a tag of an image").digest;
    registry.tags(&job.repository()).into_iter().map(|tag| (tag.clone(), digest(&tag))).collect()
}

/// The line of `verify` has failed, and the error says that nothing moved.
fn not_verified(result: &StepResult, said: &str) {
    assert!(!result.success, "{}", result.log());
    for part in [said, "no tag was moved"] {
        assert!(result.errors().contains(part), "{part}: {}", result.errors());
    }
    assert_ne!(result.outputs["pushed"], "true");
}

/// The same repository one commit later.
fn commit(job: &mut Job, greeting: &str) {
    job.origin.write("greeting", greeting);
    job.origin.commit(greeting);
    job.check_out("refs/heads/main", 1);
    job.event = job.event_of("push-branch");
}

#[test]
fn a_leg_and_the_merge_each_verify() {
    let registry = parts().open_registry();
    let mut job = Job::usual("verify-legs").input("cache", "off");
    let leg = |job: &mut Job, platform: &str, verify: &str| {
        for (name, value) in [("mode", "leg"), ("platform", platform), ("verify", verify)] {
            set(job, name, value);
        }
        set(job, "verify_platforms", platform);
        job.native().run()
    };
    let merge = |job: &mut Job, verify: &str| {
        for (name, value) in
            [("mode", "merge"), ("verify", verify), ("verify_platforms", "linux/amd64\nlinux/arm64")]
        {
            set(job, name, value);
        }
        job.inputs.remove("platform");
        job.native().run()
    };
    for platform in ["linux/amd64", "linux/arm64"] {
        published(&leg(&mut job, platform, "cat /built"));
    }
    let merged = merge(&mut job, "cat /built");
    published(&merged);
    for part in ["built for amd64", "built for arm64"] {
        assert!(merged.log().contains(part), "{part}: {}", merged.log());
    }
    let before = digests(&registry, &job);
    assert_eq!(before.len(), 3, "{before:?}");

    commit(&mut job, "a worse one\n");
    job.machine.run += 1;
    // A leg that is no good is not recorded: there is nothing to merge.
    not_verified(&leg(&mut job, "linux/amd64", "false"), "`false` failed on linux/amd64: exit code 1");
    assert_eq!(digests(&registry, &job), before);
    for platform in ["linux/amd64", "linux/arm64"] {
        published(&leg(&mut job, platform, "true"));
    }
    let wrong = "sh -c 'test $(uname -m) = x86_64'";
    not_verified(&merge(&mut job, wrong), "failed on linux/arm64: exit code 1");
    let mut after = digests(&registry, &job);
    after.retain(|tag, _| !tag.starts_with("leg-"));
    assert_eq!(after, before);
    // The legs are there still.
    published(&merge(&mut job, "grep worse /greeting"));
    assert_ne!(digests(&registry, &job)["main"], before["main"]);
}

#[test]
fn what_would_be_promoted_is_verified() {
    let registry = parts().open_registry();
    let mut job = Job::usual("verify-promote").input("platform", "linux/amd64");
    let built = job.native().run();
    published(&built);
    let before = digests(&registry, &job);
    job.origin.tag("v1.2.3", Some("Two sizes"));
    job.check_out("refs/tags/v1.2.3", 1);
    job.event = job.event_of("push-tag");
    set(&mut job, "verify", "sh -c 'cat /greeting; exit 9'");
    let result = job.native().run();
    not_verified(&result, "failed on linux/amd64: exit code 9");
    assert_eq!(digests(&registry, &job), before);
    set(&mut job, "verify", "cat /greeting");
    let released = job.native().run();
    published(&released);
    assert_eq!(released.outputs["promoted"], "true", "{}", released.log());
    assert_eq!(digests(&registry, &job)["v1.2.3"], built.outputs["digest"]);
}

#[test]
fn the_daemon_has_the_login_of_a_registry_with_a_password() {
    let parts = parts();
    let registry = parts.closed_registry();
    let closed = format!("localhost:{}", parts.auth_registry.rsplit_once(':').unwrap().1);
    let mut job = Job::usual("verify-login")
        .input("platform", "linux/amd64")
        .input("registry", &closed)
        .input("username", &parts.auth_username)
        .input("password", &parts.auth_password)
        .input("verify", "cat /greeting");
    let result = job.run();
    published(&result);
    assert!(result.log().contains(" hello"), "{}", result.log());
    let before = digests(&registry, &job);
    assert_eq!(before.len(), 3);
    commit(&mut job, "a worse one\n");
    set(&mut job, "verify", "grep hello /greeting");
    not_verified(&job.run(), "`grep hello /greeting` failed on linux/amd64: exit code 1");
    assert_eq!(digests(&registry, &job), before);
}

/// A registry that answers 503 to so many questions of the daemon for a manifest, once one was pushed: it pulls then.
fn stumbling(mut times: u32) -> FaultProxy {
    let mut pushed = false;
    FaultProxy::new(&parts().registry, move |request: &Request| {
        pushed |= matches!(request.kind, Kind::PutManifest | Kind::PutTag);
        let pulls = matches!(request.kind, Kind::HeadManifest | Kind::GetManifest) && !request.is_ours();
        if pushed && pulls && times > 0 {
            times -= 1;
            return Answer::status(503).into();
        }
        Act::Pass
    })
}

#[test]
fn a_pull_of_a_registry_that_stumbles_is_repeated() {
    let proxy = stumbling(3);
    let job = retry::job("verify-stumbles", &proxy).input("verify", "cat /greeting").input("load", "true");
    let result = job.native().run();
    retry::published(&job, &result);
    assert!(result.log().contains("cannot pull it: "), "{}", result.log());
    // Without patience it fails, and no tag was moved.
    let proxy = stumbling(u32::MAX);
    let job = retry::job("verify-stumbles-on", &proxy).input("verify", "cat /greeting").input("retries", "0");
    let result = job.native().run();
    not_verified(&result, "the Docker daemon cannot pull it");
    assert_eq!(job.tags(), Vec::<String>::new());
}
