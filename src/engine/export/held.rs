//! How much of a cache is new where it is kept.
//!
//! BuildKit says of GitHub's cache, of S3 and of Azure's which layers it uploads. Of a registry it names every layer
//! of the cache, also those that it finds there (`cache/remotecache/export.go`): what is new is what the cache did not
//! hold before, so that is read first. Where it cannot be read, nothing is said about it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::run::Run;
use crate::model::{CacheEntry, Digest, ImageName, Repository, Tag};

/// Longest wait for what a registry's cache holds: it is only for a number in the log.
const READING: Duration = Duration::from_secs(5);

/// What a cache held before it was written.
pub(super) enum Held {
    /// It need not be known: BuildKit names only what is new.
    New,
    /// These layers.
    Layers(BTreeSet<Digest>),
    /// Nobody knows.
    Unknown,
}

impl Held {
    /// Of these layers, which BuildKit has named, those that are new.
    pub(super) fn new_layers(&self, named: &[String]) -> Option<usize> {
        match self {
            Self::New => Some(named.len()),
            Self::Layers(held) => {
                let new = |text: &&String| Digest::parse(text).map_or(true, |digest| !held.contains(&digest));
                Some(named.iter().filter(new).count())
            }
            Self::Unknown => None,
        }
    }
}

/// Reads what this cache holds.
pub(super) async fn held(run: &Run<'_>, entry: &CacheEntry) -> Held {
    match entry.kind.as_str() {
        "registry" => {
            let reading = async { of_registry(run, entry.attrs.get("ref")?).await };
            let read = tokio::time::timeout(READING, reading).await;
            read.ok().flatten().map_or(Held::Unknown, Held::Layers)
        }
        "local" => Held::Unknown,
        _ => Held::New,
    }
}

async fn of_registry(run: &Run<'_>, reference: &str) -> Option<BTreeSet<Digest>> {
    let (repository, tag) = place(reference)?;
    let client = run.registries.client(repository.registry());
    let content = async {
        let manifest = client.get_manifest(&repository, &tag).await?;
        client.content_of(&repository, &manifest)
    };
    match content.await {
        Ok(held) => Some(held),
        Err(error) if error.is_absence() => Some(BTreeSet::new()),
        Err(error) => {
            tracing::info!(%error, "what the cache holds is not known");
            None
        }
    }
}

/// The repository and the tag of a cache's `ref`; none for what BuildKit cannot write to.
fn place(reference: &str) -> Option<(Repository, Tag)> {
    let image = ImageName::parse(reference).ok()?;
    Some((image.repository().clone(), image.tag()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_cache() {
        for (reference, expected) in [
            ("ghcr.io/acme/api:cache", Some("ghcr.io/acme/api cache")),
            ("localhost:5000/acme/api", Some("localhost:5000/acme/api latest")),
            ("acme/api:cache", Some("docker.io/acme/api cache")),
            ("api", Some("docker.io/library/api latest")),
            ("ghcr.io/acme/api@sha256:0", None),
            ("", None),
        ] {
            let found = place(reference).map(|(repository, tag)| format!("{repository} {tag}"));
            assert_eq!(found.as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn layers_that_a_registry_holds_are_not_new() {
        let digest = |fill: &str| format!("sha256:{}", fill.repeat(64));
        let named = [digest("a"), digest("b")];
        let held = |fills: &[&str]| {
            Held::Layers(fills.iter().map(|fill| Digest::parse(&digest(fill)).unwrap()).collect())
        };
        assert_eq!(held(&["a", "b", "c"]).new_layers(&named), Some(0));
        assert_eq!(held(&["a"]).new_layers(&named), Some(1));
        assert_eq!(held(&[]).new_layers(&named), Some(2));
        assert_eq!(Held::New.new_layers(&named), Some(2));
        assert_eq!(Held::Unknown.new_layers(&named), None);
    }
}
