//! `containerd.services.content.v1.Content` over the session: directories with blobs, each under an id.
//!
//! Three uses: image layouts for named contexts (read), caches of the kind `local` (read, written), and an image that is exported,
//! whose blobs go on as they come (`passage`). What
//! the daemon knows of a cache's directory is its id and a digest, both of which [`Stores::open`] puts into
//! the plan in the place of paths and tags; [`Stores::finish`] then puts the tag on what was written. See
//! BuildKit's `session/content` and `client/solve.go` (`parseCacheOptions`).

pub(in crate::buildkit) mod ids;
mod layout;
mod passage;
mod proto;
mod reset;
mod service;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use self::layout::{Descriptor, LATEST};
use self::passage::Passage;
use self::store::Store;
use super::grpc::{Messages, Reply};
use super::tasks::Spawner;
use crate::model::{CacheEntry, Digest, NamedSource};
use crate::plan::build::BuildPlan;

pub use self::passage::{BlobPart, Blobs};

/// The path of its methods.
pub(super) const SERVICE: &str = "/containerd.services.content.v1.Content/";
/// Blobs that are written at once; BuildKit writes four.
const WRITERS: usize = 8;

/// A directory with the cache of an earlier build was asked for and has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingCache {
    /// The directory.
    pub directory: PathBuf,
    /// What is missing.
    pub why: String,
}

/// A cache that the build writes.
#[derive(Debug)]
struct Export {
    store: Arc<Store>,
    tag: String,
    /// Remove what no tag leads to, afterwards.
    reset: bool,
}

/// The directories of one session, by the name that the daemon asks for.
#[derive(Debug)]
pub(super) struct Stores {
    by_name: BTreeMap<String, Arc<Store>>,
    writers: Arc<Semaphore>,
    /// Directories that get a tag when the build has succeeded.
    exports: Vec<Export>,
    /// Where an image's blobs go that is exported, if one is.
    image: Option<Arc<Passage>>,
    /// Caches that the build goes without.
    pub(super) missing: Vec<MissingCache>,
}

impl Stores {
    /// The directories of this plan, and the plan as the daemon can take it: ids for paths, digests for tags.
    pub(super) fn open(plan: &BuildPlan) -> (Self, BuildPlan) {
        let mut stores = Self {
            by_name: BTreeMap::new(),
            writers: Arc::new(Semaphore::new(WRITERS)),
            exports: Vec::new(),
            image: None,
            missing: Vec::new(),
        };
        let mut plan = plan.clone();
        for context in &plan.named_contexts {
            if let NamedSource::OciLayout { directory, .. } = &context.source {
                stores.serve(format!("oci:{}", ids::layout_id(directory)), directory, false);
            }
        }
        for entry in &mut plan.cache_to {
            stores.export(entry);
        }
        plan.cache_from.retain_mut(|entry| stores.import(entry));
        (stores, plan)
    }

    /// The same, with somebody who takes the blobs of an image that is exported.
    pub(super) fn handing_on(self, blobs: Option<Blobs>) -> Self {
        Self { image: blobs.map(|blobs| Arc::new(Passage::to(blobs))), ..self }
    }

    fn serve(&mut self, name: String, directory: &Path, writable: bool) -> Arc<Store> {
        let new = || Arc::new(Store::new(directory.to_owned(), writable));
        self.by_name.entry(name).or_insert_with(new).clone()
    }

    fn export(&mut self, entry: &mut CacheEntry) {
        let Some(directory) = local(entry, "dest") else { return };
        let id = ids::cache_id(&directory);
        let tag = entry.attrs.remove("tag").unwrap_or_else(|| LATEST.into());
        // What Go's `ParseBool` takes for true.
        let reset = entry.attrs.remove("reset").unwrap_or_default();
        let reset = matches!(reset.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True");
        let store = self.serve(format!("local:{id}"), &directory, true);
        entry.attrs.insert("dest".into(), id);
        self.exports.push(Export { store, tag, reset });
    }

    /// `false`: the build goes without. The first build of all has no cache.
    fn import(&mut self, entry: &mut CacheEntry) -> bool {
        let Some(directory) = local(entry, "src") else { return true };
        let tag = entry.attrs.remove("tag").unwrap_or_else(|| LATEST.into());
        match found(&directory, entry.attrs.get("digest").map(String::as_str), &tag) {
            Ok(digest) => {
                let id = ids::cache_id(&directory);
                self.serve(format!("local:{id}"), &directory, false);
                entry.attrs.insert("src".into(), id);
                entry.attrs.insert("digest".into(), digest.to_string());
                true
            }
            Err(why) => {
                tracing::info!(directory = %directory.display(), why, "no cache");
                self.missing.push(MissingCache { directory, why });
                false
            }
        }
    }

    /// Answers a method of the service.
    pub(super) async fn answer(
        &self,
        method: &str,
        headers: &HeaderMap,
        messages: Messages<Incoming>,
        spawner: &Spawner,
    ) -> Response<Reply> {
        service::answer(self, method, headers, messages, spawner).await
    }

    /// After a build that succeeded: the tags are put on the caches that it wrote.
    pub(super) fn finish(&self, response: &HashMap<String, String>) -> Result<(), (PathBuf, io::Error)> {
        let told =
            response.get("cache.manifest").and_then(|text| serde_json::from_str::<Descriptor>(text).ok());
        for Export { store, tag, reset } in &self.exports {
            // The answer has room for one cache's manifest, the last one's. A cache's manifest is also the last
            // blob of those that its directory was given.
            let its_own = told.clone().filter(|told| store.open_blob(&told.digest).is_ok());
            let written = its_own.or_else(|| described(store));
            store.tidy();
            if let Some(descriptor) = written {
                let put = layout::put_tag(&store.directory, &descriptor, tag);
                put.map_err(|error| (store.directory.clone(), error))?;
                if *reset && let Err(error) = reset::remove_unnamed(&store.directory) {
                    // As good a cache as before, if larger.
                    tracing::info!(%error, directory = %store.directory.display(), "old blobs stay");
                }
            }
        }
        Ok(())
    }
}

/// The directory of a local cache.
fn local(entry: &CacheEntry, key: &str) -> Option<PathBuf> {
    let directory = entry.attrs.get(key).filter(|_| entry.kind == "local")?;
    (!directory.is_empty()).then(|| PathBuf::from(directory))
}

/// The manifest of the cache in a directory.
fn found(directory: &Path, digest: Option<&str>, tag: &str) -> Result<Digest, String> {
    let digest = match digest {
        Some(digest) => Digest::parse(digest).map_err(|error| error.to_string())?,
        None => match layout::tagged(directory, tag) {
            Ok(Some(descriptor)) => descriptor.digest,
            Ok(None) => return Err(format!("its `index.json` has no tag `{tag}`")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err("it has no `index.json`".into());
            }
            Err(error) => return Err(format!("its `index.json` cannot be read ({error})")),
        },
    };
    match layout::open_blob(directory, &digest) {
        Ok(_) => Ok(digest),
        Err(error) => Err(format!("its blob `{digest}` cannot be read ({error})")),
    }
}

/// The last blob that a store was given, if it is a manifest.
fn described(store: &Store) -> Option<Descriptor> {
    let (digest, size) = store.last()?;
    let (file, _) = store.open_blob(&digest).ok()?;
    let document: serde_json::Value = serde_json::from_reader(io::BufReader::new(file)).ok()?;
    let media_type = document["mediaType"].as_str()?.to_owned();
    Some(Descriptor { media_type, digest, size })
}

#[cfg(test)]
mod tests;
