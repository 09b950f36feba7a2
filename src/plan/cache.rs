//! The build cache: what is read during the build, what is written and when, and why the rest is not.
//!
//! Pure. What is asked for stands in [`CacheOptions`], what this job may do in [`RunnerContext::cache`]. The result
//! names places, never tokens: those join at the request. Obeys buildx's meaning of `cache-from` and `cache-to`
//! (`build/opt.go`), the product's rules for scopes, and GitHub's for who may write a cache: a run that somebody
//! else's code takes part in reads only, as what it wrote would be taken for our own later.

use std::collections::BTreeMap;
use std::time::Duration;

use super::build::{BuildPlan, Export};
use crate::inputs::config::{CacheMode, CacheOptions, Config};
use crate::model::{CacheEntry, CacheTrouble, Platform, Repository, slug};
use crate::runner::cache_service::CacheAccess;
use crate::runner::context::RunnerContext;

/// Longest that reading an index of GitHub's cache may be put off by "too many requests", in BuildKit's spelling;
/// its own default is ten minutes.
const READ_TIMEOUT: &str = "20s";

/// What an importer has no use for.
const WRITE_ONLY: [&str; 8] = [
    "mode",
    "ignore-error",
    "image-manifest",
    "oci-mediatypes",
    "compression",
    "compression-level",
    "force-compression",
    "reset",
];

/// What becomes of the build cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePlan {
    /// Read during the build.
    pub from: Vec<CacheEntry>,
    /// Written with the image, as a part of it: `inline`.
    pub with_image: Vec<CacheEntry>,
    /// What is written when the image is published.
    pub writes: CacheWrites,
    /// What is not read or not written, and why; for people.
    pub notes: Vec<String>,
    /// What a person should know: what is wrong, and not only not there.
    pub warning: Option<String>,
}

/// What is written when the image is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheWrites {
    /// The places.
    pub to: Vec<CacheEntry>,
    /// Longest time that all of them may take.
    pub timeout: Duration,
}

/// Plans the cache of a build. `exports_caches` is whether the builder can write more than `inline`, and read
/// GitHub's; `trouble`: GitHub's is of no use now.
pub fn plan_cache(
    config: &Config,
    context: &RunnerContext,
    trouble: Option<&CacheTrouble>,
    export: &Export,
    exports_caches: bool,
) -> CachePlan {
    let options = &config.cache;
    let github = GithubCacheUse::of(context, trouble);
    let (from, to) = asked(config, options);
    let mut plan = CachePlan {
        writes: CacheWrites { timeout: options.timeout, ..CacheWrites::default() },
        ..CachePlan::default()
    };
    // Nothing was asked for by name: one sentence is enough when there is nothing.
    let automatic = options.mode == CacheMode::Auto && options.from.is_empty() && options.to.is_empty();
    let mut notes = Vec::new();
    for entry in from {
        match readable(&entry, config, &github, exports_caches) {
            Ok(entries) => plan.from.extend(entries),
            Err(why) => notes.push(("read", kind(&entry), why)),
        }
    }
    for entry in to {
        match writable(&entry, &github, export, exports_caches) {
            Ok(entry) if entry.kind == "inline" => plan.with_image.push(entry),
            Ok(entry) => plan.writes.to.push(finished(entry, options.timeout)),
            Err(why) => notes.push(("written", kind(&entry), why)),
        }
    }
    for entries in [&mut plan.from, &mut plan.with_image, &mut plan.writes.to] {
        each_once(entries);
    }
    plan.warning = trouble.map(|trouble| format!("{}: built without it", trouble.why));
    plan.notes = sentences(notes, automatic);
    plan
}

/// Whether the build would read GitHub's cache with this job's token: then it is worth asking whether it answers.
pub fn reads_github(config: &Config, context: &RunnerContext) -> bool {
    let plan = plan_cache(config, context, None, &Export::Digest, true);
    plan.from.iter().any(|entry| entry.kind == "gha" && !entry.attrs.contains_key("token"))
}

/// What the inputs ask for, before anything is judged. `auto` stands back where caches are named.
fn asked(config: &Config, options: &CacheOptions) -> (Vec<CacheEntry>, Vec<CacheEntry>) {
    let (mut from, mut to) = (options.from.clone(), options.to.clone());
    let both = match &options.mode {
        CacheMode::Auto if from.is_empty() && to.is_empty() => {
            Some(entry("gha", [("scope", scope(&config.cache_scope, config.target.as_deref()))]))
        }
        CacheMode::Auto | CacheMode::Off => None,
        CacheMode::Entry(entry) => Some(entry.clone()),
    };
    if let Some(both) = both {
        from.insert(0, both.clone());
        let mut written = both;
        if written.kind != "inline" {
            written.attrs.entry("mode".into()).or_insert_with(|| "max".into());
        }
        to.insert(0, written);
    }
    (from, to)
}

/// The scope of one image and target.
fn scope(image: &str, target: Option<&str>) -> String {
    match target.and_then(slug) {
        Some(target) => format!("{image}-{target}"),
        None => image.to_owned(),
    }
}

/// The entries to read for one that was asked for.
fn readable(
    asked: &CacheEntry,
    config: &Config,
    github: &GithubCacheUse,
    exports_caches: bool,
) -> Result<Vec<CacheEntry>, String> {
    if config.no_cache {
        return Err("`no_cache` is set".into());
    }
    let mut entry = asked.clone();
    entry.attrs.retain(|key, _| !WRITE_ONLY.contains(&key.as_str()));
    match entry.kind.as_str() {
        "gha" => {
            github.read.clone()?;
            if !exports_caches {
                return Err(NO_STORE.into());
            }
            entry.attrs.entry("timeout".into()).or_insert_with(|| READ_TIMEOUT.into());
        }
        "inline" => entry = published(config.targets.first()),
        "local" => same(&mut entry.attrs, "dest", "src"),
        _ => {}
    }
    Ok(vec![entry])
}

/// The image that an inline cache was written with: the one that runs of the main branch leave.
fn published(repository: &Repository) -> CacheEntry {
    entry("registry", [("ref", format!("{repository}{LATEST}"))])
}

const LATEST: &str = ":latest";

fn writable(
    asked: &CacheEntry,
    github: &GithubCacheUse,
    export: &Export,
    exports_caches: bool,
) -> Result<CacheEntry, String> {
    let mut entry = asked.clone();
    match entry.kind.as_str() {
        "inline" if *export == Export::Nothing => {
            return Err("it is a part of the image, and none is made".into());
        }
        "inline" => return Ok(entry),
        "gha" => github.write.clone()?,
        _ => {}
    }
    if !exports_caches {
        return Err(NO_STORE.into());
    }
    if let Some(why) = &github.untrusted
        && entry.kind != "local"
    {
        return Err(why.clone());
    }
    match entry.kind.as_str() {
        "local" => same(&mut entry.attrs, "src", "dest"),
        // Older daemons would write an index without manifests, which Amazon's and other registries refuse.
        "registry" => {
            let media_types = entry.attrs.entry("oci-mediatypes".into()).or_insert_with(|| "true".into());
            if media_types == "true" {
                entry.attrs.entry("image-manifest".into()).or_insert_with(|| "true".into());
            }
        }
        _ => {}
    }
    Ok(entry)
}

const NO_STORE: &str = "the daemon's own BuildKit cannot do that without the containerd image store";

/// What every export says: one that fails does not take the others with it, and one of GitHub's gives up in time.
fn finished(mut entry: CacheEntry, timeout: Duration) -> CacheEntry {
    entry.attrs.entry("ignore-error".into()).or_insert_with(|| "true".into());
    if entry.kind == "gha" {
        entry.attrs.entry("timeout".into()).or_insert_with(|| format!("{}s", timeout.as_secs().max(1)));
    }
    entry
}

/// An entry for both directions may name its directory once.
fn same(attrs: &mut BTreeMap<String, String>, from: &str, to: &str) {
    if let Some(value) = attrs.remove(from) {
        attrs.entry(to.to_owned()).or_insert(value);
    }
}

/// The same cache for one node of several, which builds these platforms: a place of its own, since the node that
/// writes last would overwrite what the others wrote. What is written with the image is in the image of all of them.
pub fn for_node(build: &mut BuildPlan, writes: &mut CacheWrites, platforms: &[Platform]) {
    let names: Vec<String> =
        platforms.iter().map(|platform| platform.to_string().replace('/', "-")).collect();
    let name = names.join("-");
    let with_image = build.cache_to.iter().any(|entry| entry.kind == "inline");
    let shared = |entry: &&mut CacheEntry| {
        let reference = entry.attrs.get("ref").filter(|_| entry.kind == "registry");
        with_image && reference.is_some_and(|reference| reference.ends_with(LATEST))
    };
    for entry in build.cache_from.iter_mut().filter(|entry| !shared(entry)).chain(&mut writes.to) {
        apart(entry, &name);
    }
}

fn apart(entry: &mut CacheEntry, name: &str) {
    match entry.kind.as_str() {
        "gha" => {
            let scope = entry.attrs.get("scope").map_or("buildkit", String::as_str);
            entry.attrs.insert("scope".into(), format!("{scope}-{name}"));
        }
        "registry" => {
            let Some(reference) = entry.attrs.get("ref") else { return };
            // What has a digest is one thing, for everybody to read.
            if !reference.contains('@') {
                let last = reference.rsplit('/').next().unwrap_or_default();
                let joint = if last.contains(':') { "-" } else { ":" };
                entry.attrs.insert("ref".into(), format!("{reference}{joint}{name}"));
            }
        }
        "local" => {
            let tag = entry.attrs.get("tag").map_or("latest", String::as_str);
            entry.attrs.insert("tag".into(), format!("{tag}-{name}"));
        }
        _ => {
            let cache = entry.attrs.get("name").map_or("buildkit", String::as_str);
            entry.attrs.insert("name".into(), format!("{cache}-{name}"));
        }
    }
}

/// What this job may do with GitHub's cache, or why not.
struct GithubCacheUse {
    read: Result<(), String>,
    write: Result<(), String>,
    /// Why nothing that others read may be written.
    untrusted: Option<String>,
}

impl GithubCacheUse {
    fn of(context: &RunnerContext, trouble: Option<&CacheTrouble>) -> Self {
        let cache = &context.cache;
        let untrusted = untrusted(context);
        let missing = if context.is_enterprise_server() {
            Some(
                "GitHub Enterprise Server has no cache service that BuildKit can use; name another cache, such as `type=registry,ref=…`".to_owned(),
            )
        } else if cache.available {
            None
        } else {
            let what = match cache.lacks {
                Some(name) => format!("`{name}` is not set"),
                None => "`ACTIONS_RESULTS_URL` and `ACTIONS_RUNTIME_TOKEN` are not set".to_owned(),
            };
            Some(format!("the job has no GitHub cache ({what})"))
        };
        if let Some(why) = missing {
            return Self { read: Err(why.clone()), write: Err(why), untrusted };
        }
        let mode = |name: &str| Err(format!("the workflow's `cache-mode` is `{name}`"));
        let (read, write) = match cache.mode {
            CacheAccess::ReadWrite => (Ok(()), Ok(())),
            CacheAccess::Read => (Ok(()), mode("read")),
            CacheAccess::WriteOnly => (mode("write-only"), Ok(())),
            CacheAccess::Nothing => (mode("none"), mode("none")),
        };
        let out = |trouble: Option<&CacheTrouble>| trouble.map_or(Ok(()), |trouble| Err(trouble.why.clone()));
        let read = read.and_then(|()| out(trouble));
        let lasting = trouble.filter(|trouble| trouble.lasting);
        let write =
            write.and_then(|()| out(lasting)).and_then(|()| match (&untrusted, cache.token_may_write) {
                (Some(why), _) => Err(why.clone()),
                (None, Some(false)) => Err("the job's token may only read it".into()),
                (None, _) => Ok(()),
            });
        Self { read, write, untrusted }
    }
}

/// Why what this run builds is not to be trusted by other runs, if it is not.
fn untrusted(context: &RunnerContext) -> Option<String> {
    context.stranger().map(|stranger| format!("{} reads the cache only", stranger.run()))
}

/// An entry's short name for people: nothing of its attributes but where it is.
pub fn place(entry: &CacheEntry) -> String {
    let which =
        ["scope", "ref", "dest", "src", "name", "bucket"].iter().find_map(|key| entry.attrs.get(*key));
    match (entry.kind.as_str(), which) {
        ("gha", Some(scope)) => format!("GitHub's cache, scope `{scope}`"),
        ("gha", None) => "GitHub's cache, scope `buildkit`".into(),
        ("inline", _) => "the image itself".into(),
        ("registry", Some(reference)) => format!("`{reference}`"),
        ("local", Some(directory)) => format!("the directory `{directory}`"),
        (kind, Some(which)) => format!("{kind} `{which}`"),
        (kind, None) => kind.to_owned(),
    }
}

fn kind(entry: &CacheEntry) -> String {
    match entry.kind.as_str() {
        "gha" => "GitHub's cache".into(),
        kind => format!("the `{kind}` cache"),
    }
}

/// One sentence per reason; both directions share one where the reason is the same.
fn sentences(notes: Vec<(&'static str, String, String)>, automatic: bool) -> Vec<String> {
    let mut grouped: Vec<(Vec<&'static str>, String, String)> = Vec::new();
    for (verb, what, why) in notes {
        match grouped.iter_mut().find(|(_, known, reason)| *known == what && *reason == why) {
            Some((verbs, ..)) => verbs.push(verb),
            None => grouped.push((vec![verb], what, why)),
        }
    }
    let sentence = |(mut verbs, what, why): (Vec<&'static str>, String, String)| {
        verbs.dedup();
        if automatic && verbs.len() == 2 {
            return format!("none: {why}");
        }
        format!("{what} is not {}: {why}", verbs.join(" or "))
    };
    grouped.into_iter().map(sentence).collect()
}

fn entry<const N: usize>(kind: &str, attrs: [(&str, String); N]) -> CacheEntry {
    let attrs = attrs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    CacheEntry { kind: kind.to_owned(), attrs }
}

fn each_once(entries: &mut Vec<CacheEntry>) {
    let mut kept: Vec<CacheEntry> = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    *entries = kept;
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
