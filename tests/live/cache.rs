//! The build cache: written when the image is out, read by a builder that has nothing, and never in the way.

use crate::builder::{create_with_buildx, end_all, forget, knows_github_cache, not_here};
use crate::job::{Job, parts};
use crate::runner::cache_service::{Blobs, Fault, GithubCache, Half};
use crate::runner::log::Level;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use std::collections::BTreeSet;

/// Two steps that run, the first of which says so and differs each time that it runs. No other test has the same: a
/// builder goes on waiting for what a cache once promised it.
fn dockerfile(name: &str) -> String {
    format!(
        "ARG BASE=busybox\nFROM ${{BASE}}\nRUN echo it runs && : {name} && head -c 300000 /dev/urandom >/random\n\
         COPY greeting /greeting\nRUN cp /random /again && : {name}\n"
    )
}

fn job(name: &str) -> Job {
    Job::alone(name, &[("Dockerfile", &dockerfile(name)), ("greeting", "hello\n")])
        .input("platform", "linux/amd64")
}

/// The same with GitHub's cache; `None` on an engine whose BuildKit does not know it.
fn with_github(name: &str, cache: &GithubCache) -> Option<Job> {
    let mut job = job(name);
    job.machine.cache = Some((cache.url(), cache.token_of_main()));
    if !knows_github_cache() {
        not_here("this engine's BuildKit knows only the service that GitHub has switched off");
        return None;
    }
    Some(job)
}

/// How often the first step ran.
fn runs(result: &StepResult) -> usize {
    result.log_lines.iter().filter(|line| line.ends_with(" it runs") && !line.contains("RUN")).count()
}

fn ran(result: &StepResult) -> bool {
    runs(result) > 0
}

/// Whether the summary says one of these numbers of the three steps that are no base image.
fn from_cache(result: &StepResult, numbers: &[u32]) -> bool {
    let says = |number| result.summary.contains(&format!("**Cache** {number} of 3 steps from the cache"));
    numbers.iter().any(says)
}

fn warnings(result: &StepResult) -> String {
    result.of(Level::Warning).iter().map(|known| known.message.as_str()).collect::<Vec<_>>().join("\n")
}

/// The image is published, whatever became of the cache.
fn published(job: &Job, result: &StepResult) {
    crate::job::published(result);
    assert_eq!(job.tags().len(), 3);
    let digest = parts().open_registry().manifest(&job.repository(), "main").expect("a tag").digest;
    assert_eq!(digest, result.outputs["digest"]);
}

/// Lines of the log that hold a word, by their place.
fn at(result: &StepResult, word: &str) -> usize {
    let place = result.log_lines.iter().position(|line| line.contains(word));
    place.unwrap_or_else(|| panic!("`{word}` is not in the log:\n{}", result.log()))
}

#[test]
fn a_registry_keeps_the_cache_for_a_builder_that_has_nothing() {
    let parts = parts();
    let reference = format!("{}/acme/cache/registry:main", parts.localhost());
    let job = job("cached").input("cache", &format!("type=registry,ref={reference}"));
    forget();
    let first = job.run();
    published(&job, &first);
    assert!(ran(&first) && first.annotations.is_empty(), "{}", first.log());
    assert!(at(&first, ":latest") < at(&first, &format!("Write the cache to `{reference}`")));
    assert!(first.log().contains(&format!("cache written to `{reference}` in ")), "{}", first.log());
    assert_eq!(runs(&first), 1, "the export runs no step: {}", first.log());
    // The base image may be there already.
    assert!(from_cache(&first, &[0]), "{}", first.summary);

    forget();
    let second = job.run();
    published(&job, &second);
    assert!(!ran(&second), "{}", second.log());
    assert_eq!(second.outputs["digest"], first.outputs["digest"], "random bytes come from the cache");
    assert!(from_cache(&second, &[3]), "{}", second.summary);
    // BuildKit names every layer that a registry's cache has, also those that are there.
    assert!(first.log().contains(" new layers)"), "{}", first.log());
    assert!(second.log().contains("(nothing new)"), "{}", second.log());

    // Nothing of it is read.
    forget();
    let fresh = job.input("no_cache", "true");
    let third = fresh.run();
    published(&fresh, &third);
    assert!(ran(&third) && third.outputs["digest"] != first.outputs["digest"]);
    assert_eq!(runs(&third), 1, "the export runs no step: {}", third.log());
}

#[test]
fn the_image_itself_or_a_directory_keeps_the_cache() {
    for (name, cache) in [("inline", "type=inline"), ("local", "type=local,dest=.cache")] {
        let job = job(name).input("cache", cache);
        forget();
        let first = job.run();
        published(&job, &first);
        forget();
        let second = job.run();
        published(&job, &second);
        assert!(ran(&first) && !ran(&second), "{name}: {}", second.log());
        assert_eq!(first.annotations.len() + second.annotations.len(), 0, "{name}: {}", second.log());
    }
}

#[test]
fn a_registry_that_takes_no_cache_costs_a_warning() {
    let parts = parts();
    let reference = format!("{}/acme/cache:main", parts.auth_registry);
    let job = job("refused-cache").input("cache_to", &format!("type=registry,ref={reference}"));
    let result = job.run();
    published(&job, &result);
    let said = warnings(&result);
    assert!(said.starts_with(&format!("the cache was not written to `{reference}`: ")), "{said}");
    assert!(result.summary.contains("not written to"), "{}", result.summary);
}

#[test]
fn github_keeps_the_cache() {
    let cache = GithubCache::start(&parts().gateway);
    let Some(job) = with_github("github", &cache) else { return };
    forget();
    let first = job.run();
    published(&job, &first);
    assert!(ran(&first) && first.annotations.is_empty(), "{}", first.log());
    let entries = cache.entries();
    assert!(entries.iter().any(|(key, ..)| key.starts_with("index-acme-shop-github-1-")), "{entries:?}");
    forget();
    let second = job.run();
    published(&job, &second);
    assert!(!ran(&second) && second.annotations.is_empty(), "{}", second.log());
    assert_eq!(second.outputs["digest"], first.outputs["digest"]);
    assert!(second.log().contains("(nothing new)"), "{}", second.log());
    let (_, token) = job.machine.cache.as_ref().expect("a service");
    assert!(!first.raw_lines.iter().skip(1).any(|line| line.contains(token) && !line.contains("add-mask")));
}

const LATE: &str = "not done within `cache_timeout` (5.0 s)";

#[test]
fn a_github_cache_that_takes_nothing_costs_a_warning() {
    let cache = GithubCache::start(&parts().gateway);
    let Some(job) = with_github("github-write", &cache) else { return };
    let job = job.input("cache_timeout", "5s");
    for (fault, wanted) in [
        // A BuildKit of these days asks again until our time is over.
        (Fault::RateLimited(None), &["too many requests at this time", LATE][..]),
        (Fault::RateLimited(Some(60)), &["too many requests at this time", LATE]),
        (Fault::Unavailable, &["unavailable", LATE]),
        (Fault::Hangs(Blobs::All), &[LATE]),
    ] {
        cache.fault(Half::Write, fault);
        let result = job.run();
        published(&job, &result);
        let said = warnings(&result);
        assert!(said.starts_with("the cache was not written to GitHub's cache, scope"), "{fault:?}: {said}");
        assert!(wanted.iter().any(|wanted| said.contains(wanted)), "{fault:?}: {said}");
    }
}

#[test]
fn a_github_cache_that_gives_nothing_good_costs_a_warning() {
    let cache = GithubCache::start(&parts().gateway);
    let Some(job) = with_github("github-read", &cache) else { return };
    published(&job, &job.run());
    for (fault, wanted) in [
        (
            Fault::RateLimited(None),
            "GitHub's cache says that there are too many requests (429): built without it",
        ),
        (Fault::Unavailable, "GitHub's cache answers with 503: built without it"),
        (Fault::Hangs(Blobs::All), "GitHub's cache gave no answer within 5 s: built without it"),
        (Fault::Corrupt(Blobs::All), "GitHub's cache could not be read: "),
        (Fault::Lost(Blobs::All), "GitHub's cache could not be read: "),
        (Fault::Lost(Blobs::Layers), "a cache that was read may be damaged or gone: "),
        (Fault::Corrupt(Blobs::Layers), "a cache that was read may be damaged or gone: "),
    ] {
        forget();
        // The last step is another one each time, so that it needs the layers before it.
        let turn = dockerfile("github-read") + &format!("RUN echo '{fault:?}' >/turn\n");
        std::fs::write(job.machine.workspace().join("Dockerfile"), turn).expect("a Dockerfile");
        cache.fault(Half::Read, fault);
        let result = job.run();
        published(&job, &result);
        assert!(ran(&result), "{fault:?}: {}", result.log());
        assert!(warnings(&result).contains(wanted), "{fault:?}: {}", warnings(&result));
    }
}

/// By a container of its own: BuildKit builds nothing any more while it waits for such a layer.
#[test]
fn a_cache_whose_layers_stand_still_costs_a_warning() {
    let cache = GithubCache::start(&parts().gateway);
    let mut job = job("github-stalls")
        .without("builder")
        .input("builder", "docker-container")
        .input("builder_image", &parts().buildkit_image)
        .input("builder_keep", "false");
    job.machine.cache = Some((cache.url(), cache.token_of_main()));
    published(&job, &job.run());
    let more = dockerfile("github-stalls") + "RUN true\n";
    std::fs::write(job.machine.workspace().join("Dockerfile"), more).expect("a Dockerfile");
    cache.fault(Half::Read, Fault::Hangs(Blobs::Layers));
    let result = job.run();
    published(&job, &result);
    assert!(ran(&result), "{}", result.log());
    let wanted = "nothing of its layers came for 30 s; building again without any, by a builder made anew";
    assert!(warnings(&result).contains(wanted), "{}", warnings(&result));
    end_all();
}

/// Nobody but its owner can make it anew: the run ends, and says what to do.
#[test]
fn a_builder_of_somebody_else_that_a_cache_holds_up_is_named() {
    let cache = GithubCache::start(&parts().gateway);
    // First of all its turn: others count containers.
    let mut job =
        job("github-stalls-others").without("builder").input("builder", "docker-container://stalls");
    create_with_buildx("stalls");
    job.machine.cache = Some((cache.url(), cache.token_of_main()));
    published(&job, &job.run());
    let more = dockerfile("github-stalls-others") + "RUN true\n";
    std::fs::write(job.machine.workspace().join("Dockerfile"), more).expect("a Dockerfile");
    docker(&["exec", "buildx_buildkit_stalls0", "buildctl", "prune", "--all"]);
    cache.fault(Half::Read, Fault::Hangs(Blobs::Layers));
    let result = job.run();
    docker(&["buildx", "rm", "stalls"]);
    assert!(!result.success, "{}", result.log());
    let wanted = "nothing of its layers came for 30 s; building again without any";
    assert!(warnings(&result).contains(wanted), "{}", warnings(&result));
    assert!(result.errors().contains("BuildKit has begun no step for 30 s"), "{}", result.errors());
    assert!(result.errors().contains("restart the builder"), "{}", result.errors());
}

#[test]
fn a_signal_while_the_cache_is_written_leaves_the_image_published() {
    let cache = GithubCache::start(&parts().gateway);
    let Some(job) = with_github("github-stop", &cache) else { return };
    cache.fault(Half::Write, Fault::Hangs(Blobs::All));
    let step = job.step().start();
    let writes = |line: &str| line.contains("Write the cache to");
    assert!(step.wait_for_line(writes), "the cache is never written");
    let result = step.cancel();
    assert_eq!(result.exit_code, Some(130), "{}", result.log());
    assert_eq!(result.outputs["pushed"], "true");
    assert_eq!(job.tags().len(), 3);
}

/// A build and a final stage on one base, for two platforms, each of which has a file of its own.
const TWO_STAGES: &str = "ARG BASE=busybox\nFROM ${BASE} AS build\nARG TARGETARCH\nCOPY source.$TARGETARCH /source\n\
     RUN echo it runs && cp /source /made && head -c 3000 /dev/urandom >>/made\n\
     FROM ${BASE}\nCOPY --from=build /made /made\n";

/// Builds with an empty builder each time, with another file for one platform than before: what was made for the other
/// one comes back from the cache, and nothing is said of a cache that could not be written.
fn loses_nothing(name: &str, cache: &str, service: Option<&GithubCache>) {
    let times = if std::env::var_os("SOAK").is_some() { 50 } else { 1 };
    let files = [("Dockerfile", TWO_STAGES), ("source.amd64", "0"), ("source.arm64", "0")];
    let mut job = Job::new(name, &files)
        .without("builder")
        .input("builder", "docker-container")
        .input("builder_image", &parts().buildkit_image)
        .input("builder_keep", "false")
        .input("platform", "linux/amd64,linux/arm64")
        .input("cache", cache);
    job.machine.cache = service.map(|service| (service.url(), service.token_of_main()));
    let mut made = BTreeSet::new();
    let mut losses = Vec::new();
    for time in 1..=times {
        for (file, expected) in [("source.arm64", 1), ("source.amd64", 1)] {
            std::fs::write(job.machine.workspace().join(file), format!("{name} {time}\n")).expect("a file");
            let result = job.run();
            crate::job::published(&result);
            let expected = if made.is_empty() { 2 } else { expected };
            if runs(&result) != expected || warnings(&result).contains("the cache was not written") {
                losses.push(format!("{time} {file}: ran {} times\n{}", runs(&result), result.log()));
            }
            made.insert(result.outputs["digest"].clone());
        }
    }
    assert_eq!(losses.len(), 0, "of {}:\n{}", 2 * times, losses.join("\n"));
    assert_eq!(made.len(), 2 * times);
}

#[test]
fn no_export_to_a_registry_is_lost() {
    for mode in ["min", "max"] {
        let reference = format!("{}/acme/cache/lossless:{mode}", parts().localhost());
        let cache = format!("type=registry,ref={reference},mode={mode}");
        loses_nothing(&format!("lossless-registry-{mode}"), &cache, None);
    }
}

#[test]
fn no_export_to_github_is_lost() {
    for mode in ["min", "max"] {
        let service = GithubCache::start(&parts().gateway);
        loses_nothing(&format!("lossless-github-{mode}"), &format!("type=gha,mode={mode}"), Some(&service));
    }
}
