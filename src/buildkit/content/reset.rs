//! Removes blobs that no index names any more: a cache that is written again and again would grow for ever.
//!
//! Asked for by `reset=true` of a cache entry (BuildKit's `client/solve.go`). Nothing goes unless every
//! document that the index leads to could be read.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;

use super::layout::{self, open_blob};
use crate::files::owned;
use crate::model::Digest;

/// Far more than a manifest of a thousand layers.
const DOCUMENT_LIMIT: u64 = 4 << 20;
/// An index of indexes of manifests, and one more.
const DEPTH: usize = 4;

/// Removes what the index of this directory does not lead to.
pub(super) fn remove_unnamed(directory: &Path) -> io::Result<()> {
    let mut named = BTreeSet::new();
    collect(directory, &layout::index(directory)?, DEPTH, &mut named)?;
    let blobs = layout::blobs(directory)?;
    for name in layout::names(&blobs)? {
        let digest =
            std::str::from_utf8(&name).ok().and_then(|hex| Digest::parse(&format!("sha256:{hex}")).ok());
        // What is no blob is somebody else's.
        if digest.is_some_and(|digest| !named.contains(&digest)) {
            owned::remove(&blobs, &name)?;
        }
    }
    Ok(())
}

fn collect(directory: &Path, document: &Value, depth: usize, named: &mut BTreeSet<Digest>) -> io::Result<()> {
    let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let blobs = list("layers").into_iter().chain([document["config"].clone()]);
    named.extend(blobs.filter_map(|blob| digest_of(&blob)));
    for manifest in list("manifests") {
        let Some(digest) = digest_of(&manifest) else { continue };
        if !named.insert(digest.clone()) {
            continue;
        }
        // The older form of a cache is an index whose entries are layers.
        let media_type = manifest["mediaType"].as_str().unwrap_or_default();
        if media_type.contains(".manifest.") || media_type.contains(".index.") {
            if depth == 0 {
                return Err(io::Error::other("the index goes too deep"));
            }
            let (file, _) = open_blob(directory, &digest)?;
            let mut text = Vec::new();
            file.take(DOCUMENT_LIMIT).read_to_end(&mut text)?;
            collect(directory, &serde_json::from_slice(&text)?, depth - 1, named)?;
        }
    }
    Ok(())
}

fn digest_of(descriptor: &Value) -> Option<Digest> {
    Digest::parse(descriptor["digest"].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(directory: &Path, content: &str) -> Digest {
        let digest = Digest::of(content.as_bytes());
        let blobs = directory.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(digest.as_str().trim_start_matches("sha256:")), content).unwrap();
        digest
    }

    fn count(directory: &Path) -> usize {
        std::fs::read_dir(directory.join("blobs/sha256")).unwrap().count()
    }

    #[test]
    fn what_the_index_leads_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path();
        let kind = |name: &str| format!("application/vnd.oci.image.{name}.v1+json");
        let (config, layer, loose, _gone) = (
            put(directory, "config"),
            put(directory, "layer"),
            put(directory, "loose"),
            put(directory, "gone"),
        );
        std::fs::write(directory.join("blobs/sha256/notes"), "n").unwrap();
        let manifest = json!({"config": {"digest": config}, "layers": [{"digest": layer}]}).to_string();
        let manifest = put(directory, &manifest);
        let inner = json!({"manifests": [
            {"mediaType": kind("manifest"), "digest": manifest},
            {"mediaType": kind("layer").replace("json", "tar+gzip"), "digest": loose},
        ]});
        let inner = put(directory, &inner.to_string());
        let index = json!({"manifests": [{"mediaType": kind("index"), "digest": inner}]}).to_string();
        std::fs::write(directory.join("index.json"), &index).unwrap();
        assert_eq!(count(directory), 7);
        remove_unnamed(directory).unwrap();
        assert_eq!(count(directory), 6, "all but `gone`");
        for digest in [&config, &layer, &loose, &manifest, &inner] {
            assert!(open_blob(directory, digest).is_ok());
        }
        // A document that is missing: nobody knows what it names.
        put(directory, "gone");
        let torn = index.replace(inner.as_str(), Digest::of(b"missing").as_str());
        std::fs::write(directory.join("index.json"), torn).unwrap();
        assert!(remove_unnamed(directory).is_err());
        assert_eq!(count(directory), 7);
    }
}
