//! What is looked at before the build: whether the job may push. The steps run on the host, where the registry's
//! loopback is their own, so that the verdict comes before the build and not beside it.

use crate::job::{Job, parts};
use crate::runner::fault_proxy::{Act, Answer, FaultProxy, Kind, Request};
use crate::runner::log::{Annotation, Level};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The registry with a password, and a job that pushes there.
fn closed(job: Job) -> (Job, String) {
    let parts = crate::job::parts();
    let registry = format!("localhost:{}", parts.auth_registry.rsplit_once(':').unwrap().1);
    (job.input("registry", &registry).input("platform", "linux/amd64"), registry)
}

#[test]
fn a_job_that_may_not_push_builds_nothing() {
    let parts = parts();
    for (username, password) in [("somebody", "wrong-password-1"), ("", "")] {
        let (job, registry) = closed(Job::usual("denied-early"));
        let job = job.input("username", username).input("password", password);
        let result = job.native().run();
        assert!(!result.success, "{}", result.log());
        let errors = result.errors();
        for part in
            ["cannot begin an upload to `acme/shop/denied-early`", &registry, "`username` and `password`"]
        {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        assert!(!result.log().contains("COPY greeting"), "it was built: {}", result.log());
        assert_eq!(parts.closed_registry().tags(&job.repository()), Vec::<String>::new());
    }
}

/// Answers and broken connections to the first looks at push access; all later requests pass.
fn spoiled(looks: Vec<Act>) -> FaultProxy {
    let mut looks = looks.into_iter();
    FaultProxy::new(&crate::job::parts().registry, move |request| match request.kind {
        Kind::StartUpload if request.is_ours() => looks.next().unwrap_or(Act::Pass),
        _ => Act::Pass,
    })
}

fn page() -> Act {
    let page = b"<html><title>Request blocked</title>".to_vec();
    Answer { status: 403, headers: Vec::new(), body: page }.into()
}

#[test]
fn one_bad_moment_of_the_registry_is_not_believed() {
    for (name, look) in [
        ("moment-forbidden", Act::forbid()),
        ("moment-page", page()),
        ("moment-broken", Answer::status(503).into()),
        ("moment-busy", Answer::status(429).retry_after(1).into()),
        ("moment-reset", Act::Reset),
        ("moment-lost", Act::LoseAnswer),
    ] {
        let proxy = spoiled(vec![look]);
        let job = crate::retry::job(name, &proxy);
        let result = job.native().run();
        crate::retry::published(&job, &result);
        // What a newer BuildKit says of the Dockerfile has a place in it.
        let warned = result.of(Level::Warning);
        assert!(warned.iter().all(|one| one.file.is_some()), "{name}: {:?}", result.annotations);
        let looks = proxy.seen().iter().filter(|seen| is_look(&seen.request)).count();
        assert_eq!((looks, proxy.spoiled()), (2, 1), "{name}");
    }
}

fn is_look(request: &Request) -> bool {
    request.kind == Kind::StartUpload && request.is_ours()
}

#[test]
fn only_the_registrys_own_refusal_keeps_a_job_from_building() {
    for (name, looks, retries, denied) in [
        ("look-denied", vec![Act::forbid(), Act::forbid()], "auto", true),
        ("look-denied-once", vec![Act::forbid()], "0", true),
        ("look-page", vec![page(), page()], "auto", false),
        ("look-broken", (0..3).map(|_| Answer::status(503).into()).collect(), "auto", false),
        ("look-busy", vec![Answer::status(429).retry_after(60).into()], "auto", false),
    ] {
        let proxy = spoiled(looks);
        let job = crate::retry::job(name, &proxy).input("retries", retries);
        let result = job.native().run();
        if denied {
            assert!(!result.success && job.tags().is_empty(), "{name}: {}", result.log());
            assert_eq!(crate::retry::times_run(&result), 0, "{name}: {}", result.log());
            assert!(result.errors().contains("it answered 403 DENIED"), "{name}: {}", result.errors());
            continue;
        }
        crate::retry::published(&job, &result);
        // Nobody waits for a minute to be told: the next look would have been let pass.
        let warned = result.of(Level::Warning);
        let unknown = |note: &&&Annotation| note.message.contains("whether this job may push is not known");
        assert_eq!(warned.iter().filter(unknown).count(), 1, "{name}: {:?}", result.annotations);
    }
}

#[test]
fn a_pull_request_that_may_not_push_is_not_even_pushed() {
    let (job, ..) = Job::usual("pull-denied").pull_request("pull_request", 43, "feature/Smaller_Boxes");
    let (job, registry) = closed(job);
    let job = job.without("username");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    assert_eq!(result.outputs["pushed"], "false");
    assert!(result.log().contains("COPY greeting"), "it was built: {}", result.log());
    assert!(!result.log().contains("pushing"), "nothing was pushed: {}", result.log());
    let warning = format!("this job may not push to `{registry}/{}`", job.repository());
    let warnings = result.of(Level::Warning);
    assert!(warnings.iter().any(|note| note.message.contains(&warning)), "{:?}", result.annotations);
    // Asked for, it is an error.
    let result = job.input("push", "true").native().run();
    assert!(!result.success && !result.log().contains("COPY greeting"), "{}", result.log());
}

/// A registry that hears, and says 200 to everything.
fn listener() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            log.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (host, heard)
}

#[test]
fn nothing_is_asked_where_nothing_is_pushed() {
    let (host, heard) = listener();
    let usual = |name: &str| Job::usual(name).input("registry", &host).input("platform", "linux/amd64");
    let mut fork = usual("not-asked-fork");
    let (pull, ..) = fork.pull_request("pull_request-fork", 44, "feature/Round_Boxes");
    fork = pull;
    for job in [
        usual("not-asked-push").input("push", "false"),
        usual("not-asked-dry").input("dry_run", "true").input("push", "false"),
        fork,
    ] {
        let result = job.native().run();
        assert!(result.success, "{}", result.log());
        assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_dry_run_only_reads() {
    let (host, heard) = listener();
    let job = Job::usual("reads").input("registry", &host).input("dry_run", "true");
    let result = job.native().run();
    assert!(result.success, "{}", result.log());
    // Whether somebody listens is tried without a request.
    let heard = heard.lock().unwrap();
    let requests: Vec<&String> = heard.iter().filter(|request| !request.is_empty()).collect();
    assert!(!requests.is_empty(), "{}", result.log());
    for request in requests {
        assert!(request.starts_with("GET ") || request.starts_with("HEAD "), "{request}");
        assert!(!request.contains("/uploads/"), "{request}");
    }
}

#[test]
fn the_look_at_the_registry_leaves_nothing_and_costs_little() {
    let parts = parts();
    let mut job = Job::usual("left-nothing").input("platform", "linux/amd64");
    job.env.insert("RUNNER_DEBUG".into(), "1".into());
    let mut waits = Vec::new();
    for _ in 0..3 {
        let result = job.native().run();
        assert!(result.success, "{}", result.log());
        let waited = result.raw_lines.iter().find_map(|line| {
            line.split_once("waited ")?.1.strip_suffix(" ms for the registry")?.parse::<u64>().ok()
        });
        waits.push(waited.unwrap_or_else(|| panic!("{}", result.raw_lines.join("\n"))));
    }
    println!("the build waited for the registry: {waits:?} ms");
    let store =
        Path::new(&parts.run).join("registry/open/docker/registry/v2/repositories").join(job.repository());
    assert!(store.join("_manifests").is_dir(), "{}", store.display());
    // distribution writes a hash once more after it has removed all else of an upload.
    let open = |entry: &std::fs::DirEntry| entry.path().join("startedat").exists();
    let uploads = std::fs::read_dir(store.join("_uploads"));
    let uploads = uploads.map_or(0, |entries| entries.flatten().filter(open).count());
    assert_eq!(uploads, 0, "an upload was left");
}
