//! Verification where nothing is pushed: the image is loaded into the engine for it, whoever has built it.

use crate::job::{Job, parts};
use crate::leftovers::everything;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;

/// Images of the engine that are there for a while.
fn left() -> String {
    docker(&["images", "--quiet", "--filter", "reference=docker-push-action.invalid/*"])
}

fn built(result: &StepResult) {
    assert!(result.success, "{}", result.log());
    assert_eq!(result.outputs["pushed"], "false", "{}", result.log());
}

#[test]
fn a_forks_run_is_verified_without_a_push() {
    let (job, ..) = Job::usual("unpushed-fork")
        .input("verify", "sh -c 'cat /built /greeting'\nsh -c 'test ! -e /var/run/docker.sock'")
        .pull_request("pull_request-fork", 43, "theirs");
    let result = job.native().run();
    built(&result);
    for part in ["built for amd64", "hello from a branch", "is in the daemon for now"] {
        assert!(result.log().contains(part), "{part}: {}", result.log());
    }
    assert!(result.summary.contains("| Verified | Platform |"), "{}", result.summary);
    assert_eq!(job.tags(), Vec::<String>::new());

    let mut failing = job.native();
    failing.inputs.insert("verify".into(), "sh -c 'echo it is broken; exit 9'".into());
    let result = failing.run();
    assert!(!result.success, "{}", result.log());
    for part in ["exit code 9", "it is broken", "the image was not pushed"] {
        assert!(result.errors().contains(part), "{part}: {}", result.errors());
    }
    assert!(result.summary.contains("**failed**"), "{}", result.summary);
}

/// The daemon's own BuildKit puts it into the store; a container's, and one elsewhere, send an archive.
#[test]
fn every_builder_brings_it_to_the_engine() {
    let job =
        Job::alone("unpushed-builders", &[("Dockerfile", crate::job::DOCKERFILE), ("greeting", "hello\n")])
            .without("builder")
            .input("push", "false")
            .input("platform", "linux/amd64")
            .input("builder_keep", "false")
            .input("verify", "cat /built");
    let remote = parts().remote_unix.clone();
    for builder in ["docker", "docker-container", &remote] {
        let mut step = job.native();
        step.inputs.insert("builder".into(), builder.into());
        step.inputs.insert("builder_image".into(), parts().buildkit_image.clone());
        let before = everything(&job);
        let result = step.run();
        built(&result);
        assert!(result.log().contains(" built for amd64"), "{builder}: {}", result.log());
        assert_eq!(left(), "", "{builder}");
        assert_eq!(everything(&job), before, "{builder}");
    }
}

#[test]
fn several_platforms_are_loaded_one_by_one() {
    let job = Job::usual("unpushed-platforms")
        .input("push", "false")
        .input("verify", "sh -c 'cat /built; uname -m'")
        .input("verify_platforms", "linux/arm64,linux/amd64");
    let result = job.native().run();
    built(&result);
    for part in ["built for arm64", "aarch64", "built for amd64", "x86_64"] {
        assert!(result.log().contains(part), "{part}: {}", result.log());
    }
}
