//! Builder containers: made where they are needed, found again, removed; and what becomes of them when things end badly.

use crate::builder::{create_with_buildx, end_all, not_here};
use crate::job::{DOCKERFILE, Job, parts, published};
use crate::leftovers::{everything, of_role};
use crate::runner::parts::{docker, try_docker};
use crate::runner::step::Killed;
use crate::runner::wait::within;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

/// The usual build by a container of ours, while no other test runs, on a machine that nobody throws away.
fn job(name: &str) -> Job {
    from(name, DOCKERFILE)
}

fn from(name: &str, dockerfile: &str) -> Job {
    let mut job = Job::alone(name, &[("Dockerfile", dockerfile), ("greeting", "hello\n")])
        .without("builder_keep")
        .input("builder", "docker-container")
        .input("builder_image", &parts().buildkit_image)
        .input("platform", "linux/amd64");
    job.machine.hosted = false;
    end_all();
    job
}

/// A step that runs until it is stopped.
fn long(name: &str, seconds: u32) -> Job {
    from(name, &format!("ARG BASE\nFROM ${{BASE}}\nRUN echo has started; sleep {seconds}\n"))
}

fn has_started(line: &str) -> bool {
    line.contains("has started") && !line.contains("echo")
}

fn builders() -> Vec<String> {
    of_role("builder")
}

#[test]
fn an_engine_that_cannot_push_gets_a_builder() {
    if !parts().graphdriver() {
        return not_here("this engine can push by itself");
    }
    let job = job("auto-container").without("builder").without("platform");
    let before = everything(&job);
    let result = job.run();
    published(&result);
    assert!(result.log().contains("without the containerd image store"), "{}", result.log());
    let manifest = parts().open_registry().manifest(&job.repository(), "main").expect("the index");
    let text = format!("{manifest:?}");
    assert!(text.contains("amd64") && text.contains("arm64"), "{text}");
    assert_eq!(everything(&job), before, "{}", result.log());
}

#[test]
fn nothing_is_made_where_nothing_is_built() {
    let job = job("no-container").input("dry_run", "true").input("builder_image", "nobody/has-this:1");
    let before = everything(&job);
    let result = job.run();
    assert!(result.success, "{}", result.log());
    assert!(result.log().contains("a container of nobody/has-this:1"), "{}", result.log());
    // The registry is on this machine's loopback.
    assert!(result.log().contains("network     that of the runner's machine"), "{}", result.log());
    assert_eq!(everything(&job), before);
}

#[test]
fn a_builder_goes_with_its_step() {
    let job = job("step");
    let before = everything(&job);
    published(&job.run());
    assert_eq!(everything(&job), before);
    // A person who runs it by hand has no container around the action.
    let result = job.native().run();
    published(&result);
    assert_eq!(everything(&job), before, "{}", result.log());
}

/// GitHub's API, which answers one question when there is a builder.
fn api_that_waits_for_a_builder(answer: String) -> (String, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
        while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        // The action gives up after ten seconds.
        let begun = within(Duration::from_secs(9), || !builders().is_empty());
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
        write!(stream, "{head} {}\r\n\r\n{answer}", answer.len()).unwrap();
        begun
    });
    (url, asked)
}

#[test]
fn a_builder_is_begun_before_all_is_known() {
    let mut job = job("early").input("push", "true");
    let head = job.origin.rev("main");
    let answer =
        format!(r#"{{"head": {{"sha": "{head}", "ref": "topic", "repo": {{"full_name": "acme/shop"}}}}}}"#);
    let (url, asked) = api_that_waits_for_a_builder(answer);
    job.machine.api_url = url;
    job.event = job.event_of("issue_comment");
    let before = everything(&job);
    let result = job.native().run();
    assert!(asked.join().unwrap(), "GitHub was asked before there was a builder\n{}", result.log());
    published(&result);
    assert_eq!(everything(&job), before);
}

#[test]
fn on_a_hosted_runner_later_steps_find_it_again() {
    let mut job = job("later-steps");
    job.machine.hosted = true;
    let before = everything(&job);
    published(&job.run());
    let made = builders();
    assert_eq!(made.len(), 1);
    let again = job.run();
    published(&again);
    assert_eq!(builders(), made);
    assert!(again.log().contains("  cached ✓ "), "{}", again.log());
    // One that was stopped in between is replaced.
    docker(&["stop", "--time", "0", &made[0]]);
    published(&job.run());
    assert_ne!(builders(), made);
    // Another job on this runner removes what this one left.
    job.machine.run += 1;
    let last = job.input("builder_keep", "false");
    published(&last.run());
    assert_eq!(everything(&last), before);
}

#[test]
fn a_kept_builder_keeps_its_cache() {
    let mut job = job("kept").input("builder_keep", "true");
    let before = everything(&job);
    published(&job.run());
    let made = builders();
    assert_eq!(made.len(), 1);
    // The next job, for which the runner has emptied its directory.
    job.machine.run += 1;
    for entry in std::fs::read_dir(job.machine.temp()).unwrap().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with("docker-push-action-") {
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        }
    }
    let again = job.run();
    published(&again);
    assert!(again.log().contains("  cached ✓ "), "{}", again.log());
    let name =
        docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", "label=docker-push-action.role=builder"]);
    docker(&["rm", "-fv", name.trim()]);
    docker(&["volume", "rm", name.trim()]);
    let _ = std::fs::remove_dir_all(job.machine.temp().join(name.trim()));
    assert_eq!(everything(&job), before);
}

#[test]
fn a_cancelled_build_leaves_no_builder() {
    let job = long("container-cancel", 977);
    let before = everything(&job);
    let running = job.step().start();
    assert!(running.wait_for_line(has_started));
    let result = running.cancel();
    assert_eq!(result.killed, Killed::Sigint, "{}", result.log());
    assert!(!result.success);
    assert_eq!(everything(&job), before, "{}", result.log());
}

/// `SOAK=1` tries many more moments.
#[test]
fn no_moment_of_its_making_is_a_bad_one_to_cancel() {
    let moments = if std::env::var_os("SOAK").is_some() { 100 } else { 8 };
    let job = job("container-any-moment").input("no_cache", "true");
    let whole = job.run();
    published(&whole);
    let mut whole = whole.duration;
    let before = everything(&job);
    let mut cancelled = 0;
    for moment in 0..moments {
        let mut running = job.step().start();
        running.ends_within(whole * moment / moments);
        // No second signal: the first is lost on a container that is made and does not run yet.
        running.signal("INT");
        let result = running.wait();
        cancelled += u32::from(!result.success);
        if result.success {
            // The machine has less to do by now.
            whole = whole.min(result.duration);
        }
        assert_eq!(everything(&job), before, "moment {moment}: {}", result.log());
    }
    assert!(cancelled > moments / 4, "{cancelled} of {moments} were cancelled");
}

#[test]
fn what_a_killed_run_left_is_gone_after_the_next() {
    let job = long("container-killed", 978);
    let before = everything(&job);
    let running = job.step().start();
    assert!(running.wait_for_line(has_started));
    // The action's own container, not the client that waits for it.
    let ours = docker(&["ps", "-q", "--filter", "label=a1b2c3"]);
    docker(&["kill", "--signal", "KILL", ours.trim()]);
    assert!(!running.wait().success);
    assert_eq!(builders().len(), 1, "SIGKILL leaves it");
    let mut next = job.input("builder_image", &parts().buildkit_image);
    next.machine.run += 1;
    next.origin.write("Dockerfile", DOCKERFILE);
    next.origin.commit("Shorter");
    next.check_out("refs/heads/main", 1);
    let result = next.run();
    published(&result);
    assert_eq!(everything(&next), before, "{}", result.log());
}

#[test]
fn a_builder_that_is_killed_says_so() {
    let job = long("builder-killed", 979);
    let before = everything(&job);
    let running = job.step().start();
    assert!(running.wait_for_line(has_started));
    docker(&["kill", "--signal", "KILL", &builders()[0]]);
    let result = running.wait();
    assert!(!result.success);
    let errors = result.errors();
    assert!(errors.contains("the builder container of `docker.io/moby/buildkit"), "{errors}");
    assert!(errors.contains("it was killed"), "{errors}");
    assert_eq!(everything(&job), before, "{}", result.log());
}

#[test]
fn a_config_that_cannot_be_read_is_told_with_the_builders_words() {
    let job = job("bad-config").input("buildkitd_config", "debug = \"maybe\"\n");
    let before = everything(&job);
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let errors = result.errors();
    assert!(errors.contains("ended with exit code 1; its last words:"), "{errors}");
    assert!(errors.contains("buildkitd_config"), "{errors}");
    assert_eq!(everything(&job), before);
    let good = job.input("buildkitd_config", "debug = true\n[worker.oci]\n  max-parallelism = 2\n");
    published(&good.run());
}

#[test]
fn an_image_that_nobody_has_names_the_input() {
    let job = job("no-image").input("builder_image", "127.0.0.1:9/nobody/has-this:1");
    let before = everything(&job);
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    let errors = result.errors();
    assert!(errors.contains("cannot pull the builder's image `127.0.0.1:9/nobody/has-this:1`"), "{errors}");
    assert!(errors.contains("`builder_image`"), "{errors}");
    assert_eq!(everything(&job), before);
}

#[test]
fn an_image_of_a_registry_is_pulled() {
    let image = format!("{}/tools/buildkit:1", parts().registry);
    docker(&["tag", &parts().buildkit_image, &image]);
    docker(&["push", "--quiet", &image]);
    docker(&["rmi", &image]);
    let job = job("pulled").input("builder_image", &image);
    let result = job.run();
    published(&result);
    assert!(result.log().contains(&format!("builder: pulling {image}")), "{}", result.log());
    docker(&["rmi", &image]);
}

#[test]
fn a_builder_of_buildx_is_used_and_left_alone() {
    let name = "of-people";
    // Its container is there while no other test looks.
    let job = job("named-builder").input("builder", &format!("docker-container://{name}"));
    create_with_buildx(name);
    let before = everything(&job);
    published(&job.run());
    let again = job.run();
    published(&again);
    assert!(again.log().contains("  cached ✓ "), "{}", again.log());
    assert_eq!(everything(&job), before);
    // One that was stopped is started.
    docker(&["buildx", "stop", name]);
    let stopped = job.native().run();
    published(&stopped);
    docker(&["buildx", "rm", "--force", name]);
    let gone = job.run();
    assert!(!gone.success);
    let errors = gone.errors();
    assert!(
        errors.contains("there is no container `of-people`, nor `buildx_buildkit_of-people0`"),
        "{errors}"
    );
}

#[test]
fn a_container_whose_socket_we_see_is_reached_by_it() {
    let job = job("named-socket").input("builder", "docker-container://with-socket");
    let directory = job.machine.temp().join("with-socket");
    std::fs::create_dir(&directory).unwrap();
    let mount = format!("{}:/run/buildkit", directory.display());
    docker(&[
        "run",
        "-d",
        "--privileged",
        "--network",
        "host",
        "--name",
        "with-socket",
        "-v",
        &mount,
        &parts().buildkit_image,
    ]);
    // `buildctl` is not there to be executed: only the socket leads in.
    docker(&["exec", "with-socket", "rm", "/usr/bin/buildctl"]);
    published(&job.run());
    docker(&["rm", "-fv", "with-socket"]);
}

#[test]
fn a_full_disk_of_the_builder_is_told() {
    let (name, volume) = ("tiny", "buildx_buildkit_tiny0_state");
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN dd if=/dev/zero of=/large bs=1M count=64\n";
    let job = from("disk-full", dockerfile).input("builder", "docker-container://tiny");
    docker(&[
        "volume",
        "create",
        "--opt",
        "type=tmpfs",
        "--opt",
        "device=tmpfs",
        "--opt",
        "o=size=24m",
        volume,
    ]);
    create_with_buildx(name);
    let result = job.run();
    assert!(!result.success, "{}", result.log());
    assert!(result.log().to_lowercase().contains("no space left on device"), "{}", result.log());
    docker(&["buildx", "rm", "--force", name]);
    let _ = try_docker(&["volume", "rm", "-f", volume]);
}

#[test]
fn an_entitlement_is_given_by_the_container_and_refused_without_asking() {
    let dockerfile = "ARG BASE\nFROM ${BASE}\nRUN --security=insecure grep CapEff /proc/self/status\n";
    let job = from("insecure", dockerfile);
    let refused = job.run();
    assert!(!refused.success, "{}", refused.log());
    assert!(refused.errors().contains("security.insecure"), "{}", refused.errors());
    let allowed = job.without("builder").input("allow", "security.insecure");
    let result = allowed.run();
    published(&result);
    assert!(result.log().contains("a container of moby/buildkit"), "{}", result.log());
}
