//! The build cache in BuildKit's request: entries of the plan become its `CacheOptions`, tokens join them here.
//!
//! Imports are sent twice: the solver reads them from the options, the Dockerfile frontend from its attribute
//! `cache-imports`, a JSON list (BuildKit's `client/solve.go`). Refuses to send an entry for GitHub's cache
//! without a token: buildx drops it too, as BuildKit would fail the build. BuildKit leaves `cache-imports` out of
//! provenance (`solver/llbsolver/provenance/predicate.go`).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::{
    CacheOptions, CacheOptionsEntry, PruneRequest, SolveRequest,
};
use serde::Serialize;

use super::connection::Connection;
use super::error::BuildError;
use super::provisions::GithubCache;
use crate::model::CacheEntry;
use crate::plan::build::BuildPlan;

/// The frontend's attribute.
const IMPORTS: &str = "cache-imports";

/// Longest wait for [`Connection::collect_garbage`].
const COLLECTING: Duration = Duration::from_secs(5);

impl Connection {
    /// Has the daemon drop what nobody uses any more, unfinished downloads among them: one that was given bad bytes
    /// would be taken up again at its end, and fail again. Deletes nothing that is kept. Takes five seconds at most.
    pub async fn collect_garbage(&self) {
        // No record has this id; the prune of nothing ends with a collection (`cache/manager.go`).
        let request = PruneRequest { filter: vec!["id==none".into()], ..PruneRequest::default() };
        let mut control = self.control();
        let prune = async {
            let mut records = control.prune(request).await?.into_inner();
            while records.message().await?.is_some() {}
            Ok::<_, tonic::Status>(())
        };
        match tokio::time::timeout(COLLECTING, prune).await {
            Ok(Ok(())) => {}
            Ok(Err(status)) => tracing::info!(message = status.message(), "no garbage was collected"),
            Err(_) => tracing::info!("collecting garbage takes too long"),
        }
    }
}

impl BuildError {
    /// Whether a cache that was read may be why, so that the same build without it may succeed: a layer that is gone, damaged
    /// or refused. BuildKit takes a step for cached by the cache's index alone, and asks for its layer when a later step or
    /// the push needs it. A cache that stands still is [`Self::is_stalled`], as it takes more than that.
    pub fn may_come_from_cache(&self) -> bool {
        const WORDS: &[&str] = &[
            "failed to copy: ",
            "failed commit on ref",
            "unexpected commit digest",
            "failed size validation",
            "buildkit-blob-",
        ];
        self.said().is_some_and(|said| WORDS.iter().any(|word| said.contains(word)))
    }

    /// Whether the builder's own cache names a snapshot that its store has no more: every build that takes the step from this
    /// cache fails, until it is pruned or the step has run anew. A BuildKit may lose one when two builds that share a step end
    /// at the same time (<https://github.com/moby/buildkit/pull/6808>).
    pub fn is_lost_snapshot(&self) -> bool {
        let is_lost = |said: &str| said.ends_with(" does not exist: not found") && said.contains("snapshot ");
        self.said().is_some_and(|said| is_lost(said.trim_end()))
    }

    /// What the builder said, where it was not the program of a step that failed.
    fn said(&self) -> Option<&str> {
        match self.cause() {
            Self::StepFailed { exit_code: None, message, .. }
            | Self::Dockerfile { message, .. }
            | Self::PushFailed { message, .. }
            | Self::Other { message, .. } => Some(message),
            _ => None,
        }
    }
}

/// Adds the plan's cache to the request.
pub(super) fn add_cache(request: &mut SolveRequest, plan: &BuildPlan, github: Option<&GithubCache>) {
    let imports: Vec<CacheEntry> =
        plan.cache_from.iter().filter_map(|entry| with_token(entry, github)).collect();
    if let Some(text) = attribute(&imports) {
        request.frontend_attrs.insert(IMPORTS.into(), text);
    }
    let exports = plan.cache_to.iter().filter_map(|entry| with_token(entry, github));
    request.cache = Some(CacheOptions {
        imports: imports.into_iter().map(wire).collect(),
        exports: exports.map(wire).collect(),
        ..CacheOptions::default()
    });
}

/// The entry with what only the job knows. An entry may bring its own.
fn with_token(entry: &CacheEntry, github: Option<&GithubCache>) -> Option<CacheEntry> {
    let mut entry = entry.clone();
    if entry.kind != "gha" {
        return Some(entry);
    }
    if let Some(github) = github {
        let mut add = |key: &str, value: &str| {
            entry.attrs.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        };
        add("token", github.token.expose());
        // The service that answers to `url` alone, version 1, was shut down.
        add("url_v2", &github.url);
        add("version", "2");
    }
    let has = |key: &str| entry.attrs.get(key).is_some_and(|value| !value.is_empty());
    (has("token") && (has("url") || has("url_v2"))).then_some(entry)
}

fn wire(entry: CacheEntry) -> CacheOptionsEntry {
    CacheOptionsEntry { r#type: entry.kind, attrs: HashMap::from_iter(entry.attrs) }
}

/// The imports as the frontend reads them.
fn attribute(imports: &[CacheEntry]) -> Option<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Import<'a> {
        r#type: &'a str,
        attrs: &'a BTreeMap<String, String>,
    }
    let list: Vec<Import> =
        imports.iter().map(|entry| Import { r#type: &entry.kind, attrs: &entry.attrs }).collect();
    (!list.is_empty()).then(|| serde_json::to_string(&list).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Dockerfile;
    use crate::model::{ContextSource, Secret};

    fn entry(kind: &str, attrs: &[(&str, &str)]) -> CacheEntry {
        let attrs = attrs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        CacheEntry { kind: kind.into(), attrs }
    }

    fn request(
        from: &[CacheEntry],
        to: &[CacheEntry],
        github: Option<&GithubCache>,
    ) -> (Option<String>, Vec<String>) {
        let dockerfile =
            Dockerfile { directory: None, file_name: "Dockerfile".into(), in_workspace: "Dockerfile".into() };
        let mut plan = BuildPlan::new(ContextSource::Directory("/w".into()), dockerfile, vec![]);
        plan.cache_from = from.to_vec();
        plan.cache_to = to.to_vec();
        let mut request = SolveRequest::default();
        add_cache(&mut request, &plan, github);
        let options = request.cache.unwrap();
        assert_eq!(options.imports.len(), {
            let text = request.frontend_attrs.get("cache-imports").map_or("[]", String::as_str);
            serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap().len()
        });
        let exports = options.exports.into_iter().map(|export| {
            let mut attrs: Vec<_> =
                export.attrs.iter().map(|(key, value)| format!(",{key}={value}")).collect();
            attrs.sort();
            export.r#type + &attrs.concat()
        });
        (request.frontend_attrs.remove("cache-imports"), exports.collect())
    }

    #[test]
    fn failures_that_a_cache_can_cause() {
        let step = |exit_code, message: &str| BuildError::StepFailed {
            step: "RUN x".into(),
            digest: String::new(),
            message: message.into(),
            exit_code,
            location: None,
        };
        // As BuildKit 0.32 says it.
        let gone =
            "failed to compute cache key: failed to copy: GET http://c/blob/buildkit-blob-1-sha256%3A0: 404";
        let bad =
            "failed to compute cache key: failed commit on ref \"layer-sha256:0\": unexpected commit digest";
        assert!(step(None, gone).may_come_from_cache());
        assert!(step(None, bad).may_come_from_cache());
        let push = BuildError::PushFailed { repository: "r.io/a".into(), message: gone.into() };
        assert!(push.may_come_from_cache());
        assert!(!step(Some(1), gone).may_come_from_cache());
        let missing = "failed to compute cache key: failed to calculate checksum of ref 0: \"/f\": not found";
        assert!(!step(None, missing).may_come_from_cache());
        assert!(!BuildError::Cancelled.may_come_from_cache());
        assert!(step(None, bad).on_node("linux/arm64", "arm64").may_come_from_cache());
    }

    #[test]
    fn snapshots_that_a_store_has_lost() {
        // As BuildKit says it in Docker Engine 26 and 29.
        let lost = "failed to commit yp1v to 1dnp during finalize: failed to stat active key during commit: snapshot \
                    yp1v does not exist: not found";
        let other = |message: &str| BuildError::Other { code: "NotFound".into(), message: message.into() };
        assert!(other(lost).is_lost_snapshot());
        assert!(other(lost).on_node("linux/arm64", "arm64").is_lost_snapshot());
        assert!(!other("failed to read dockerfile: open Dockerfile: no such file").is_lost_snapshot());
        let said_by_a_step = BuildError::StepFailed {
            step: "RUN x".into(),
            digest: String::new(),
            message: lost.into(),
            exit_code: Some(1),
            location: None,
        };
        assert!(!said_by_a_step.is_lost_snapshot());
    }

    #[test]
    fn entries_and_tokens() {
        let github = GithubCache { url: "https://results/".into(), token: Secret::new("jwt") };
        let gha = entry("gha", &[("scope", "a-b-c")]);
        let registry = entry("registry", &[("ref", "r.io/a")]);
        let own = entry("gha", &[("token", "mine"), ("url", "https://old/"), ("version", "1")]);

        assert_eq!(request(&[], &[], Some(&github)), (None, vec![]));
        assert_eq!(
            request(&[gha.clone(), registry.clone()], std::slice::from_ref(&gha), Some(&github)),
            (
                Some(
                    "[{\"Type\":\"gha\",\"Attrs\":{\"scope\":\"a-b-c\",\"token\":\"jwt\",\"url_v2\":\
                     \"https://results/\",\"version\":\"2\"}},{\"Type\":\"registry\",\"Attrs\":{\"ref\":\"r.io/a\"}}]"
                        .into()
                ),
                vec!["gha,scope=a-b-c,token=jwt,url_v2=https://results/,version=2".into()]
            )
        );
        // Without a token there is no entry; one that brings its own keeps it.
        let (imports, exports) = request(&[gha.clone(), registry], &[gha], None);
        assert_eq!(imports.unwrap(), "[{\"Type\":\"registry\",\"Attrs\":{\"ref\":\"r.io/a\"}}]");
        assert_eq!(exports, [""; 0]);
        let (_, exports) = request(&[], std::slice::from_ref(&own), None);
        assert_eq!(exports, ["gha,token=mine,url=https://old/,version=1"]);
        let (_, exports) = request(&[], &[own], Some(&github));
        assert_eq!(exports, ["gha,token=mine,url=https://old/,url_v2=https://results/,version=1"]);
        let empty = entry("gha", &[("token", "")]);
        assert_eq!(request(&[], &[empty], Some(&github)).1, [""; 0], "an empty token is none");
    }
}
