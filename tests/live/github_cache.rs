//! GitHub's cache: BuildKit itself talks to a service of ours that speaks version 2 of the protocol.
//!
//! Real GitHub cannot be reached from here. What the service takes and answers is shown with BuildKit's own client
//! first, so that what our tests see of it is worth something.

use crate::builder::{self, Container};
use crate::job::{beside, parts};
use crate::runner::cache_service::{Blobs, Fault, GithubCache, Half};
use crate::runner::wait::{PATIENCE, until, within};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// What only the one step says.
const STEP: &str = "RUN head -c 3000000 /dev/urandom >/big && echo made in a step";

/// A directory that says `FROM` the base image, [`STEP`], and a copy. The step of another one is another step: no
/// builder has seen it.
struct Source(TempDir);

impl Source {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The directory's name is nobody else's.
        let unique = directory.path().display();
        let dockerfile = format!("FROM {}\nENV UNIQUE={unique}\n{STEP}\nCOPY greeting /\n", parts().base);
        std::fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
        std::fs::write(directory.path().join("greeting"), "hello\n").unwrap();
        Self(directory)
    }

    /// BuildKit's own client, which has a node build this.
    fn buildctl(&self, address: &str, options: &[&str]) -> Command {
        let local = |name: &str| format!("{name}={}", self.0.path().display());
        let mut command = builder::buildctl(address);
        command.args(["build", "--progress=plain", "--frontend=dockerfile.v0", "--opt=platform=linux/amd64"]);
        command.args(["--local", &local("context"), "--local", &local("dockerfile")]);
        command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What comes of it. The client is killed when it does not end, be its builder busy and emulated itself.
    fn build(&self, address: &str, options: &[&str]) -> Output {
        let client = self.buildctl(address, options);
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", &PATIENCE.as_secs().to_string()]);
        command.arg(client.get_program()).args(client.get_args());
        command.output().expect("buildctl is on PATH")
    }
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

/// Whether the step was found in a cache. Its number is the client's own: it counts in the order in which it hears.
fn is_cached(text: &str) -> bool {
    let lines = text.lines().filter(|line| line.ends_with(STEP));
    let mut numbers = lines.filter_map(|line| line.split_once(' ')).map(|(number, _)| number);
    numbers.any(|number| text.lines().any(|line| line == format!("{number} CACHED")))
}

#[test]
fn a_cached_step_is_known_by_whatever_number_it_has() {
    let log = |number: u32, end: &str| {
        format!("#{number} [2/3] {STEP}\n#{number} {end}\n\n#8 [3/3] COPY greeting /\n#8 CACHED\n")
    };
    assert!(is_cached(&log(6, "CACHED")) && is_cached(&log(7, "CACHED")));
    assert!(!is_cached(&log(6, "0.2 made in a step")) && !is_cached("#8 CACHED\n"));
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
    let source = Source::new();
    let output = source.build(&parts.remote, &["--export-cache", &format!("{entry},mode=max")]);
    assert!(output.status.success() && ran(&output), "{}", said(&output));
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
    let output = source.build(&parts.remote_arm64, &import);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(is_cached(&text) && !ran(&output), "{text}");
    assert!(cache.served() > 3_000_000, "{}", cache.served());

    // What is there is not written again, and another branch's token reads it without writing.
    cache.asked();
    let other = cache.token(&[("refs/heads/other", 3), ("refs/heads/main", 1)]);
    let both = gha(&cache, &other, "own");
    let output = source.build(
        &parts.remote_arm64,
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
    let source = Source::new();
    // The export fails the whole build.
    for (fault, wanted) in [
        (Fault::RateLimited(None), "resource_exhausted"),
        (Fault::RateLimited(Some(60)), "requested delay 60.00s exceeds maximum timeout"),
        (Fault::Unavailable, "unavailable"),
        (Fault::Missing, "bad_route"),
        (Fault::Lost(Blobs::All), "BlobNotFound"),
    ] {
        cache.fault(Half::Write, fault);
        let output = source.build(&parts.remote, &["--export-cache", &export]);
        assert!(!output.status.success() && said(&output).contains(wanted), "{fault:?}: {}", said(&output));
        assert!(!cache.asked().is_empty(), "{fault:?}");
    }
    assert_eq!(cache.entries().len(), 0);
}

/// Writes a cache whose readers meet this fault; the options of one who reads.
fn spoiled(cache: &GithubCache, source: &Source, fault: Fault) -> [String; 2] {
    let entry = gha(cache, &cache.token_of_main(), "fails");
    let output = source.build(&parts().remote, &["--export-cache", &format!("{entry},mode=max")]);
    assert!(output.status.success(), "{}", said(&output));
    cache.asked();
    cache.fault(Half::Read, fault);
    [format!("--import-cache={entry}"), "--output=type=tar,dest=/dev/null".to_owned()]
}

/// An index that can't be read is a warning; a layer that it names and that can't be read fails the build. That is why
/// the action has to build again without the cache. By a builder of its own: BuildKit fetches a layer once for all who
/// want it, the base image's for example, from the cache of whoever is first.
#[test]
fn buildkits_own_client_fails_where_a_layer_is_not_what_it_was() {
    let container = Container::start("github-cache-spoiled");
    let address = container.answers();
    for (fault, succeeds, wanted) in [
        (Fault::RateLimited(None), true, "importing cache manifest"),
        (Fault::Unavailable, true, "ERROR: unavailable"),
        (Fault::Missing, true, "ERROR: bad_route"),
        (Fault::Lost(Blobs::All), true, "BlobNotFound"),
        (Fault::Corrupt(Blobs::All), true, "ERROR: invalid character"),
        (Fault::Slow(Duration::from_millis(100)), true, "RUN"),
        (Fault::Lost(Blobs::Layers), false, "BlobNotFound"),
        (Fault::Corrupt(Blobs::Layers), false, "unexpected commit digest"),
    ] {
        let (cache, source) = (GithubCache::start(&parts().gateway), Source::new());
        let options = spoiled(&cache, &source, fault);
        let output = source.build(&address, &options.each_ref().map(String::as_str));
        let text = said(&output);
        assert_eq!(output.status.success(), succeeds, "{fault:?}: {text}");
        // Else `timeout` has killed it.
        assert!(output.status.code().is_some() && text.contains(wanted), "{fault:?}: {text}");
        assert_eq!(ran(&output), succeeds && !matches!(fault, Fault::Slow(_)), "{fault:?}: {text}");
    }
}

/// A read that nobody answers stops a build for ever. BuildKit lets four reads of caches be under way at once and never
/// gives back the places of those that hang, whoever has gone away meanwhile: other builds of this builder stand still
/// after a while, too, so that it is thrown away here.
#[test]
fn buildkits_own_client_waits_for_ever_where_nobody_answers() {
    let container = Container::start("github-cache-hangs");
    let address = container.answers();
    for fault in [Fault::Hangs(Blobs::All), Fault::Hangs(Blobs::Layers)] {
        let (cache, source) = (GithubCache::start(&parts().gateway), Source::new());
        let options = spoiled(&cache, &source, fault);
        let mut building = source.buildctl(&address, &options.each_ref().map(String::as_str));
        let mut building = building.spawn().expect("buildctl is on PATH");
        let unanswered = || cache.asked().iter().any(|request| request.status == 0);
        let reads = until(|| unanswered() || ended(&mut building));
        assert!(reads && !ended(&mut building), "{fault:?}: nothing was read");
        // The cache's own `timeout=3s` ends no read.
        let ends = within(Duration::from_secs(5), || ended(&mut building));
        building.kill().unwrap();
        let output = building.wait_with_output().unwrap();
        assert!(!ends && !ran(&output), "{fault:?}: {}", said(&output));
    }
}

fn ended(process: &mut Child) -> bool {
    process.try_wait().unwrap().is_some()
}
