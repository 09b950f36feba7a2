//! Engines without the containerd image store: told before anything is built, and used for what they can do.

use crate::builder::not_here;
use crate::job::{Job, parts};
use crate::runner::parts::docker;

#[test]
fn an_engine_without_the_image_store_says_what_is_missing() {
    if !parts().graphdriver() {
        return not_here("this engine has the image store");
    }
    let job = Job::usual("no-store").input("builder", "docker");
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    for part in ["containerd image store", "`builder: docker-container`"] {
        assert!(result.errors().contains(part), "{part}: {}", result.errors());
    }
    assert!(!result.log().contains("RUN echo built"), "nothing was built: {}", result.log());
    assert_eq!(job.tags(), Vec::<String>::new());
    // The first platform alone, pushed, is more than it can do, too.
    let result =
        Job::usual("no-store-push").input("builder", "docker").input("platform", "linux/amd64").run();
    assert!(!result.success && result.errors().contains("containerd"), "{}", result.log());
}

#[test]
fn an_engine_without_the_image_store_builds_one_platform() {
    if !parts().graphdriver() {
        return not_here("this engine has the image store");
    }
    let job = Job::usual("no-store-build").input("platform", "linux/amd64").input("push", "false");
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert!(result.log().contains("COPY greeting"), "{}", result.log());
    assert_eq!(result.outputs["pushed"], "false");
    assert_eq!(docker(&["images", "-q", "--filter", "reference=*/*/no-store-build"]), "");
}
