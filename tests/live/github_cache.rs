//! GitHub's cache: BuildKit itself talks to a service of ours that speaks version 2 of the protocol.
//!
//! Real GitHub cannot be reached from here. What the service takes and answers is shown with BuildKit's own client
//! first, so that what our tests see of it is worth something.

use crate::builder;
use crate::job::{beside, parts};
use crate::runner::cache_service::{Blobs, Fault, GithubCache, Half};
use std::process::{Command, Output};
use std::time::Duration;

/// Runs buildctl against a node, for so many seconds at most, with a directory that says `FROM` the base image, a step, and a copy.
fn buildctl(address: &str, seconds: u32, options: &[&str]) -> Output {
    let parts = parts();
    let dir = tempfile::tempdir().unwrap();
    let dockerfile = format!(
        "FROM {}\nARG TURN\nRUN head -c 3000000 /dev/urandom >/big && echo made in a step\nCOPY greeting /\n",
        parts.base
    );
    std::fs::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
    std::fs::write(dir.path().join("greeting"), "hello\n").unwrap();
    let local = |name: &str| format!("{name}={}", dir.path().display());
    let client = builder::buildctl(address);
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &seconds.to_string()]).arg(client.get_program()).args(client.get_args());
    command.args(["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt=platform=linux/amd64"]);
    command.args(["--local", &local("context"), "--local", &local("dockerfile")]);
    command.args(options).output().expect("buildctl is on PATH")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Whether the step really ran.
fn ran(output: &Output) -> bool {
    said(output)
        .lines()
        .any(|line| line.starts_with('#') && line.ends_with(" made in a step") && !line.contains("RUN"))
}

/// `type=gha` with everything that a client gives.
fn gha(cache: &GithubCache, token: &str, scope: &str) -> String {
    format!("type=gha,version=2,url_v2={},token={token},scope={scope},timeout=3s", cache.url())
}

#[test]
fn buildkits_own_client_writes_and_reads() {
    let _turn = beside();
    let parts = parts();
    let cache = GithubCache::start(&parts.gateway);
    let token = cache.token_of_main();
    let entry = gha(&cache, &token, "own");
    let output = buildctl(&parts.remote, 30, &["--export-cache", &format!("{entry},mode=max")]);
    assert!(output.status.success(), "{}", said(&output));
    let entries = cache.entries();
    let keys: Vec<&str> = entries.iter().map(|(key, _, _)| key.as_str()).collect();
    assert!(keys.iter().any(|key| key.starts_with("index-own-1-") && key.ends_with("#1")), "{keys:?}");
    assert!(
        entries.iter().any(|(key, _, size)| key.starts_with("buildkit-blob-1-sha256:") && *size > 3_000_000)
    );
    assert!(entries.iter().all(|(_, scope, _)| scope == "refs/heads/main"), "{entries:?}");
    let asked = cache.asked();
    for (what, status) in [
        ("GetCacheEntryDownloadURL", 200),
        ("CreateCacheEntry", 200),
        ("PutBlob", 201),
        ("PutBlock", 201),
        ("PutBlockList", 201),
        ("FinalizeCacheEntryUpload", 200),
    ] {
        assert!(asked.iter().any(|it| it.what == what && it.status == status), "{what}: {asked:?}");
    }

    // Another builder finds the step of the first one, byte for byte.
    let import = ["--import-cache", entry.as_str(), "--output", "type=tar,dest=/dev/null"];
    let output = buildctl(&parts.remote_arm64, 30, &import);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("RUN head -c 3000000 /dev/urandom >/big && echo made in a step\n#7 CACHED")
            && !ran(&output),
        "{text}"
    );
    assert!(cache.served() > 3_000_000, "{}", cache.served());

    // What is there is not written again, and another branch's token reads it without writing.
    cache.asked();
    let other = cache.token(&[("refs/heads/other", 3), ("refs/heads/main", 1)]);
    let both = gha(&cache, &other, "own");
    let output = buildctl(
        &parts.remote_arm64,
        30,
        &["--import-cache", &both, "--export-cache", &format!("{both},mode=max")],
    );
    assert!(output.status.success() && !ran(&output), "{}", said(&output));
    let asked = cache.asked();
    assert!(!asked.iter().any(|it| it.what.starts_with("PutBlock")), "no layer was written again: {asked:?}");
    let of_other = cache.entries().into_iter().filter(|(_, scope, _)| scope == "refs/heads/other");
    assert_eq!(of_other.map(|(key, ..)| key.starts_with("index-own-1-")).collect::<Vec<_>>(), [true]);
}

#[test]
fn buildkits_own_client_meets_every_fault() {
    let _turn = beside();
    let parts = parts();
    let cache = GithubCache::start(&parts.gateway);
    let token = cache.token_of_main();
    let entry = gha(&cache, &token, "faults");
    let export = format!("{entry},mode=max");
    // The export fails the whole build.
    for (fault, wanted) in [
        (Fault::RateLimited(None), "resource_exhausted"),
        (Fault::RateLimited(Some(60)), "requested delay 60.00s exceeds maximum timeout"),
        (Fault::Unavailable, "unavailable"),
        (Fault::Missing, "bad_route"),
        (Fault::Lost(Blobs::All), "BlobNotFound"),
    ] {
        cache.fault(Half::Write, fault);
        let output = buildctl(&parts.remote, 30, &["--export-cache", &export]);
        assert!(!output.status.success() && said(&output).contains(wanted), "{fault:?}: {}", said(&output));
        assert!(!cache.asked().is_empty(), "{fault:?}");
    }
    assert_eq!(cache.entries().len(), 0);
}

/// An index that can't be read is a warning; a layer that it names and that can't be read fails the build, or, when
/// nobody answers, stops it for ever. That is why the action has to build again without the cache.
#[test]
fn buildkits_own_client_fails_where_a_layer_is_not_what_it_was() {
    let _turn = beside();
    let parts = parts();
    for (at, (fault, ends, wanted)) in [
        (Fault::RateLimited(None), Some(true), "importing cache manifest"),
        (Fault::Unavailable, Some(true), "ERROR: unavailable"),
        (Fault::Missing, Some(true), "ERROR: bad_route"),
        (Fault::Lost(Blobs::All), Some(true), "BlobNotFound"),
        (Fault::Corrupt(Blobs::All), Some(true), "ERROR: invalid character"),
        (Fault::Slow(Duration::from_millis(100)), Some(true), "RUN"),
        (Fault::Lost(Blobs::Layers), Some(false), "BlobNotFound"),
        (Fault::Corrupt(Blobs::Layers), Some(false), "unexpected commit digest"),
        (Fault::Hangs(Blobs::All), None, ""),
        (Fault::Hangs(Blobs::Layers), None, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let cache = GithubCache::start(&parts.gateway);
        let token = cache.token_of_main();
        let entry = gha(&cache, &token, "fails");
        // A step of its own, that no builder has seen.
        let turn = format!("--opt=build-arg:TURN={at}");
        let output = buildctl(&parts.remote, 30, &["--export-cache", &format!("{entry},mode=max"), &turn]);
        assert!(output.status.success(), "{}", said(&output));
        cache.fault(Half::Read, fault);
        let import = ["--import-cache", entry.as_str(), &turn, "--output", "type=tar,dest=/dev/null"];
        let output = buildctl(&parts.remote_arm64, if ends.is_some() { 30 } else { 5 }, &import);
        let text = said(&output);
        // `timeout` has killed it.
        let ended = Some(output.status.success()).filter(|_| output.status.code().is_some());
        assert_eq!(ended, ends, "{fault:?}: {text}");
        assert!(text.contains(wanted), "{fault:?}: {text}");
        assert_eq!(ran(&output), ends == Some(true) && !matches!(fault, Fault::Slow(_)), "{fault:?}: {text}");
    }
}
