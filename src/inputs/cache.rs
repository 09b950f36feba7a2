//! The inputs about the build cache: `cache`, `cache_from`, `cache_to`, `cache_timeout`.
//!
//! Entries are in buildx's grammar (`buildflags.CacheOptionsEntry`). Directories of `type=local` are looked at and
//! made absolute here. Entries may hold keys of an object store, so faults name attributes, never values of unknown
//! ones.

use std::time::Duration;

use super::fault::{Findings, InputFault, shown};
use super::parse;
use super::raw::RawInputs;
use super::shared::Shared;
use super::time_limit;
use crate::model::CacheEntry;
use crate::model::attrs::{self, Attrs};

/// The inputs about the build cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The input `cache`.
    pub mode: CacheMode,
    /// The input `cache_from`.
    pub from: Vec<CacheEntry>,
    /// The input `cache_to`.
    pub to: Vec<CacheEntry>,
    /// Longest time that writing the cache may take.
    pub timeout: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { mode: CacheMode::Auto, from: Vec::new(), to: Vec::new(), timeout: Duration::from_mins(3) }
    }
}

/// The input `cache`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// GitHub's cache when the job has one.
    #[default]
    Auto,
    /// None by itself; `cache_from` and `cache_to` still count.
    Off,
    /// This one, read and written.
    Entry(CacheEntry),
}

const KINDS: &[&str] = &["gha", "registry", "inline", "local", "s3", "azblob"];

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
    Both,
}

/// Reads the four inputs about the build cache. What is at fault comes out as its default.
pub(super) fn read(inputs: &RawInputs, shared: &Shared<'_>, findings: &mut Findings) -> CacheOptions {
    let default = CacheOptions::default();
    CacheOptions {
        mode: findings.take(mode(inputs.cache.expose(), shared)).unwrap_or_default(),
        from: entries("cache_from", inputs.cache_from.expose(), Use::Read, shared, findings),
        to: entries("cache_to", inputs.cache_to.expose(), Use::Write, shared, findings),
        timeout: findings.take(timeout(&inputs.cache_timeout, default.timeout)).unwrap_or(default.timeout),
    }
}

/// Reads the input `cache`: `auto`, `off`, or one entry.
fn mode(text: &str, shared: &Shared<'_>) -> Result<CacheMode, InputFault> {
    let mut lines = parse::entries(text).map(|(_, line)| line);
    match (lines.next(), lines.next()) {
        (None | Some("auto" | "true" | "True" | "TRUE"), None) => Ok(CacheMode::Auto),
        (Some("off" | "false" | "False" | "FALSE"), None) => Ok(CacheMode::Off),
        (Some(line), None) if line.contains('=') => {
            entry("cache", line, Use::Both, shared).map(CacheMode::Entry)
        }
        (_, None) => Err(InputFault::new("cache", "neither `auto`, `off` nor a cache")
            .hint("for example `type=registry,ref=ghcr.io/acme/api:cache`")),
        (_, Some(_)) => Err(InputFault::new("cache", "more than one line")
            .hint("more caches are named by `cache_from` and `cache_to`")),
    }
}

/// Reads a list of entries. References that stand alone may share a line, separated by commas.
fn entries(
    input: &str,
    text: &str,
    used: Use,
    shared: &Shared<'_>,
    findings: &mut Findings,
) -> Vec<CacheEntry> {
    let mut all = Vec::new();
    for (_, line) in parse::entries(text) {
        // References alone may share a line.
        let bare = !line.contains('=');
        let parts: Vec<&str> = if bare { line.split(',').map(str::trim).collect() } else { vec![line] };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            all.extend(findings.take(entry(input, part, used, shared)));
        }
    }
    all
}

/// Reads one entry: a bare reference, which is a cache in a registry, or attributes of which `type` is one.
fn entry(input: &str, text: &str, used: Use, shared: &Shared<'_>) -> Result<CacheEntry, InputFault> {
    let fault = |message: String| InputFault::new(input, message);
    let (kind, mut attrs) = match attrs::parse_after_bare(text).map_err(|error| fault(error.to_string()))? {
        (Some(reference), attrs) if attrs.is_empty() => {
            ("registry".to_owned(), Attrs::from([("ref".to_owned(), reference)]))
        }
        (Some(_), _) => {
            return Err(fault("field 1 has no `=`".into()).hint("for example `type=registry,ref=…`"));
        }
        (None, mut attrs) => {
            let kind = attrs.remove("type");
            (
                kind.ok_or_else(|| fault("an entry has no `type`".into()).hint("for example `type=gha`"))?,
                attrs,
            )
        }
    };
    if !KINDS.contains(&kind.as_str()) {
        let message = format!("`type={}` is not a kind of cache", shown(&kind));
        return Err(fault(message).hint(format!("the kinds are {}", KINDS.join(", "))));
    }
    if let Some(mode) = attrs.get("mode").filter(|mode| !matches!(mode.as_str(), "min" | "max")) {
        let message = format!("`mode={}` is not a mode of a cache", shown(mode));
        return Err(fault(message).hint("write `mode=min` or `mode=max`"));
    }
    match kind.as_str() {
        "registry" => {
            let reference = attrs.get("ref").ok_or_else(|| {
                fault("`type=registry` has no `ref`".into())
                    .hint("for example `type=registry,ref=ghcr.io/acme/api:cache`")
            })?;
            parse::image(input, reference)?;
        }
        "inline" if used == Use::Read => {
            return Err(fault("`type=inline` can only be written".into())
                .hint("read it from the image that holds it: `type=registry,ref=…`"));
        }
        "local" => local(input, &mut attrs, used, shared)?,
        _ => {}
    }
    Ok(CacheEntry { kind, attrs })
}

/// Makes the directories of a local cache, `src` and `dest`, whole paths. For a cache that is both read and written one stands
/// for the other.
fn local(input: &str, attrs: &mut Attrs, used: Use, shared: &Shared<'_>) -> Result<(), InputFault> {
    if used == Use::Both {
        let (src, dest) = (attrs.get("src").cloned(), attrs.get("dest").cloned());
        if let Some(path) = dest.or(src) {
            attrs.entry("src".into()).or_insert_with(|| path.clone());
            attrs.entry("dest".into()).or_insert(path);
        }
    }
    let needed: &[&str] = match used {
        Use::Read => &["src"],
        Use::Write => &["dest"],
        Use::Both => &["src", "dest"],
    };
    for key in needed {
        let Some(path) = attrs.get_mut(*key) else {
            let message = format!("`type=local` has no `{key}`");
            return Err(
                InputFault::new(input, message).hint(format!("for example `type=local,{key}=.cache`"))
            );
        };
        // A cache that is read need not exist yet either: the first run has none.
        let whole = shared.destination(input, path)?;
        *path = whole.to_str().map(str::to_owned).ok_or_else(|| {
            InputFault::new(input, format!("`{}` has a name that is not UTF-8", shown(path)))
        })?;
    }
    Ok(())
}

/// Reads how long writing a cache may take.
fn timeout(text: &str, default: Duration) -> Result<Duration, InputFault> {
    time_limit::read(
        "cache_timeout",
        text,
        default,
        ("leaves no time to write the cache", "`cache: off` writes none"),
    )
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
