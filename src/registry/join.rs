//! One index out of those that several nodes have pushed: pure.
//!
//! Entries are taken over as they are, with what we know nothing of; images first, in the order asked for, then
//! BuildKit's attestation manifests in the order of their images, as BuildKit itself writes them. Each platform must be
//! there once, and an attestation's image must be there. OCI image specification 1.1, "Image Index".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::index::{self, Child, Document, InvalidManifest, OCI_INDEX};
use super::manifest::Manifest;
use crate::model::{Digest, Platform, sort_by_key};

/// What one node has pushed.
#[derive(Clone, Copy, Debug)]
pub struct NodeImage<'a> {
    /// The node, for messages.
    pub name: &'a str,
    /// What it was to build for.
    pub platforms: &'a [Platform],
    /// Its index, or the manifest of its only image.
    pub manifest: &'a Manifest,
}

/// Annotations of the index that is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinAnnotations {
    /// Of the index itself.
    pub index: BTreeMap<String, String>,
    /// Of the descriptors of images; of all of them where no platform is named. What a node has put there stays.
    pub descriptors: Vec<(Option<Platform>, String, String)>,
}

/// Parts that do not make one image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Nobody built it.
    #[error("nobody pushed an image for `{0}`")]
    Missing(Platform),
    /// Two nodes, or one twice.
    #[error("there are two images for `{0}`")]
    Twice(Platform),
    /// Nobody asked for it.
    #[error("`{node}` pushed an image for {}, which it was not to build", platform.as_ref().map_or_else(|| "no platform".to_owned(), |platform| format!("`{platform}`")))]
    Unasked {
        /// The node.
        node: String,
        /// What for, if the index says.
        platform: Option<Platform>,
    },
    /// An attestation about what is not there.
    #[error("`{node}` pushed attestations about an image that it did not push")]
    Orphan {
        /// The node.
        node: String,
    },
    /// It can't be read.
    #[error("what `{node}` pushed cannot be read: {why}")]
    Invalid {
        /// The node.
        node: String,
        /// Why.
        why: InvalidManifest,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// An image's entry, and those of its attestations.
struct Entry {
    platform: Platform,
    image: Value,
    attestations: Vec<Value>,
}

/// Makes the index for `platforms`, in this order.
pub fn join(
    nodes: &[NodeImage<'_>],
    platforms: &[Platform],
    annotations: &JoinAnnotations,
) -> Result<Manifest, JoinError> {
    let mut entries = Vec::new();
    for node in nodes {
        entries.extend(entries_of(node)?);
    }
    let (mut images, mut attestations) = (Vec::new(), Vec::new());
    for platform in platforms {
        let mut found = entries.iter().filter(|entry| entry.platform == *platform);
        let entry = found.next().ok_or_else(|| JoinError::Missing(platform.clone()))?;
        if found.next().is_some() {
            return Err(JoinError::Twice(platform.clone()));
        }
        images.push(annotated(entry.image.clone(), platform, &annotations.descriptors));
        attestations.extend(entry.attestations.iter().cloned());
    }
    images.extend(attestations);
    Ok(index_of(images, &annotations.index))
}

/// An index of these descriptors.
pub(super) fn index_of(manifests: Vec<Value>, annotations: &BTreeMap<String, String>) -> Manifest {
    let index = Index { schema_version: 2, media_type: OCI_INDEX, manifests, annotations };
    // Maps of strings and values that were read from JSON: nothing in them can fail.
    Manifest::new(serde_json::to_vec(&index).unwrap_or_default(), OCI_INDEX)
}

/// The descriptor of a manifest or index, and what it is for where that is one platform.
pub(super) fn descriptor(manifest: &Manifest, platform: Option<&Platform>) -> Value {
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.as_str(),
        "size": manifest.bytes.len(),
    });
    if let Some(platform) = platform {
        descriptor["platform"] = platform_object(platform);
    }
    descriptor
}

/// What an index says of itself; nothing where it cannot be read.
pub fn annotations_of(index: &Manifest) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Wire {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let wire: Result<Wire, _> = serde_json::from_slice(&index.bytes);
    wire.map(|wire| wire.annotations).unwrap_or_default()
}

fn entries_of(node: &NodeImage<'_>) -> Result<Vec<Entry>, JoinError> {
    let name = || node.name.to_owned();
    let manifest = node.manifest;
    let invalid = |why| JoinError::Invalid { node: name(), why };
    let children = match index::parse(&manifest.bytes, &manifest.media_type).map_err(invalid)? {
        Document::Index(children) => children,
        Document::Image(_) => {
            // A manifest does not say its platform: it is the one that was asked for.
            let [platform] = node.platforms else {
                let platform = node.platforms.last().cloned();
                return Err(platform.map_or(JoinError::Orphan { node: name() }, JoinError::Missing));
            };
            let image = descriptor(manifest, Some(platform));
            return Ok(vec![Entry { platform: platform.clone(), image, attestations: Vec::new() }]);
        }
    };
    let raw: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let raw = raw.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut entries: Vec<(Digest, Entry)> = Vec::new();
    let mut attestations: Vec<(&Child, Value)> = Vec::new();
    for (child, value) in children.iter().zip(raw) {
        if child.attests.is_some() {
            attestations.push((child, value));
            continue;
        }
        let platform = child.platform.clone().filter(|platform| node.platforms.contains(platform));
        let Some(platform) = platform else {
            return Err(JoinError::Unasked { node: name(), platform: child.platform.clone() });
        };
        let entry = Entry { platform, image: with_media_type(value), attestations: Vec::new() };
        entries.push((child.digest.clone(), entry));
    }
    for (child, value) in attestations {
        let about = child.attests.as_ref().and_then(|attests| attests.0.as_ref());
        let image = entries.iter_mut().find(|(digest, _)| Some(digest) == about);
        let (_, image) = image.ok_or_else(|| JoinError::Orphan { node: name() })?;
        image.attestations.push(with_media_type(value));
    }
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// A descriptor without a media type is none by the specification.
fn with_media_type(mut descriptor: Value) -> Value {
    if let Some(fields) = descriptor.as_object_mut() {
        fields.entry("mediaType").or_insert_with(|| json!(index::OCI_MANIFEST));
    }
    descriptor
}

fn platform_object(platform: &Platform) -> Value {
    let text = platform.to_string();
    let mut fields = Map::new();
    for (key, value) in ["os", "architecture", "variant"].iter().zip(text.split('/')) {
        fields.insert((*key).to_owned(), json!(value));
    }
    Value::Object(fields)
}

fn annotated(mut image: Value, platform: &Platform, all: &[(Option<Platform>, String, String)]) -> Value {
    let mut ours: Vec<_> =
        all.iter().filter(|(on, ..)| on.as_ref().is_none_or(|on| on == platform)).collect();
    // What is said of this platform counts more than what is said of all; of two, the later.
    sort_by_key(&mut ours, |(on, ..)| on.is_some());
    if ours.is_empty() {
        return image;
    }
    let mut merged: Map<String, Value> =
        ours.into_iter().map(|(_, key, value)| (key.clone(), json!(value))).collect();
    let there = image.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
    merged.extend(there);
    if let Some(fields) = image.as_object_mut() {
        fields.insert("annotations".into(), Value::Object(merged));
    }
    image
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
