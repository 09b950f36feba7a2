//! `load`: the image is in the engine afterwards, under its tags, for the steps that follow.

use crate::job::{Job, parts, published};
use crate::runner::parts::{docker, run_on, try_docker};

/// Its names in the engine, which it gives up here.
fn take(job: &Job) -> Vec<String> {
    let repository = format!("{}/{}", parts().localhost(), job.repository());
    let listed = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", &repository]);
    let mut names: Vec<String> = listed.lines().map(|name| name[repository.len() + 1..].to_owned()).collect();
    names.retain(|name| name != "<none>");
    names.sort();
    names.dedup();
    for name in &names {
        assert_eq!(
            docker(&["run", "--rm", "--quiet", &format!("{repository}:{name}"), "cat", "/greeting"]),
            "hello"
        );
    }
    for name in &names {
        docker(&["image", "rm", "--force", &format!("{repository}:{name}")]);
    }
    names
}

fn tags(job: &Job) -> Vec<String> {
    vec![format!("{}-main", job.origin.rev("main")), "latest".into(), "main".into()]
}

#[test]
fn what_is_pushed_is_in_the_engine_too() {
    let job = Job::usual("load-pushed").input("load", "true");
    let result = job.native().run();
    published(&result);
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    if parts().graphdriver() {
        assert!(result.log().contains("it holds one platform of an image"), "{}", result.log());
    } else {
        // Both platforms are there, though one of them is foreign.
        for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
            assert_eq!(run_on(platform, &name, &["uname", "-m"]), machine);
        }
    }
    assert!(result.log().contains(&format!("loaded {name}")), "{}", result.log());
    assert_eq!(take(&job), tags(&job));
}

#[test]
fn what_is_not_pushed_is_in_the_engine_whoever_has_built_it() {
    let job = Job::usual("load-unpushed")
        .without("builder")
        .input("load", "true")
        .input("push", "false")
        .input("platform", "linux/amd64");
    let remote = parts().remote_unix.clone();
    for builder in ["docker", "docker-container", &remote] {
        let mut step = job.native();
        step.inputs.insert("builder".into(), builder.into());
        step.inputs.insert("builder_image".into(), parts().buildkit_image.clone());
        step.inputs.insert("builder_keep".into(), "false".into());
        let result = step.run();
        assert!(result.success, "{builder}: {}", result.log());
        assert_eq!(result.outputs["pushed"], "false");
        assert_eq!(take(&job), tags(&job), "{builder}");
    }
    assert_eq!(job.tags(), Vec::<String>::new());
}

#[test]
fn all_platforms_of_what_is_not_pushed_are_loaded_where_there_is_room() {
    let job = Job::usual("load-platforms").without("builder").input("load", "true").input("push", "false");
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    for builder in ["auto", "docker-container"] {
        let mut step = job.native();
        step.inputs.insert("builder".into(), builder.into());
        step.inputs.insert("builder_image".into(), parts().buildkit_image.clone());
        step.inputs.insert("builder_keep".into(), "false".into());
        let result = step.run();
        assert!(result.success, "{builder}: {}", result.log());
        if !parts().graphdriver() {
            assert_eq!(run_on("linux/arm64", &name, &["uname", "-m"]), "aarch64", "{builder}");
        }
        assert_eq!(take(&job), tags(&job), "{builder}");
    }
}

#[test]
fn what_does_not_pass_is_not_loaded() {
    let job = Job::usual("load-bad")
        .input("load", "true")
        .input("platform", "linux/amd64")
        .input("verify", "false");
    let result = job.native().run();
    assert!(!result.success, "{}", result.log());
    let name = format!("{}/{}:main", parts().localhost(), job.repository());
    assert!(!try_docker(&["image", "inspect", &name]).status.success());
}
