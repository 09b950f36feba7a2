//! Manifests and indexes, read as far as publishing and reporting need them.
//!
//! OCI image specification 1.1 and Docker's schema 2. Their authors are strangers: sizes are added
//! without overflow, a document that is both an index and an image is refused (CVE-2021-41190), unknown
//! fields are left alone.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::{Digest, Platform, text};

/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker's manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What the config of an image calls itself; that of an artifact (OCI image specification 1.1, "Guidelines for Artifact Usage")
/// has another name. Nothing is what nobody has written.
const IMAGE_CONFIGS: &[&str] =
    &["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json", ""];

/// A document under `/manifests/`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Several images.
    Index(Vec<Child>),
    /// One image.
    Image(Image),
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The digest of its manifest.
    pub digest: Digest,
    /// Bytes of its manifest.
    pub size: u64,
    /// What it runs on; absent where the index does not say.
    pub platform: Option<Platform>,
    /// It is no image but attestations about the one with this digest.
    pub attests: Option<Attests>,
}

/// Whom an attestation manifest is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attests(pub Option<Digest>);

/// One image's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its config: what Docker calls the image id.
    pub config: Digest,
    /// Bytes of the config.
    pub config_size: u64,
    /// What the manifest says its content is, where that is something else than an image.
    pub artifact_type: Option<String>,
    /// Bytes of config and layers as they are stored, compressed.
    pub blobs_size: u64,
    /// Its layers and their bytes, without those that a registry does not keep.
    pub layers: Vec<(Digest, u64)>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: u64,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: Option<String>,
    manifests: Option<Vec<WireDescriptor>>,
    config: Option<WireDescriptor>,
    layers: Option<Vec<WireDescriptor>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireDescriptor {
    #[serde(default)]
    media_type: String,
    digest: Digest,
    size: u64,
    platform: Option<WirePlatform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl WireDescriptor {
    /// Windows' base layers: their place is Microsoft's.
    fn is_foreign(&self) -> bool {
        self.media_type.contains("nondistributable") || self.media_type.contains(".foreign.")
    }
}

#[derive(Deserialize)]
struct WirePlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

impl WirePlatform {
    fn platform(&self) -> Option<Platform> {
        let known = !self.os.is_empty() && !self.architecture.is_empty();
        known.then(|| Platform::from_fields(&self.os, &self.architecture, &self.variant))
    }
}

/// What is no manifest or index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it keeps there is no image manifest or index: {0}")]
pub struct InvalidManifest(String);

/// Reads a manifest or an index; `media_type` is what the registry's header said.
pub fn parse(bytes: &[u8], media_type: &str) -> Result<Document, InvalidManifest> {
    let invalid = |why: &str| InvalidManifest(text::line(why));
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
    if wire.schema_version != 2 {
        return Err(invalid(&format!("its `schemaVersion` is {}, not 2", wire.schema_version)));
    }
    let known = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
    if !wire.media_type.is_empty() && known.contains(&media_type) && wire.media_type != media_type {
        return Err(invalid(&format!(
            "it calls itself `{}`, the registry calls it `{media_type}`",
            wire.media_type
        )));
    }
    let named = if wire.media_type.is_empty() { media_type } else { &wire.media_type };
    match (named, wire.manifests, wire.config) {
        (_, Some(_), Some(_)) => Err(invalid("it is an index and an image at once")),
        (OCI_MANIFEST | DOCKER_MANIFEST, Some(_), None) | (OCI_INDEX | DOCKER_LIST, None, Some(_)) => {
            Err(invalid(&format!("its content is not that of a `{named}`")))
        }
        (_, Some(manifests), None) => Ok(Document::Index(manifests.into_iter().map(child).collect())),
        (_, None, Some(config)) => {
            let layers = wire.layers.unwrap_or_default();
            Ok(Document::Image(Image {
                artifact_type: wire
                    .artifact_type
                    .or(Some(config.media_type))
                    .filter(|named| !IMAGE_CONFIGS.contains(&named.as_str())),
                layers: layers
                    .iter()
                    .filter(|l| !l.is_foreign())
                    .map(|l| (l.digest.clone(), l.size))
                    .collect(),
                blobs_size: layers.iter().fold(config.size, |sum, layer| sum.saturating_add(layer.size)),
                config_size: config.size,
                config: config.digest,
                annotations: wire.annotations.unwrap_or_default(),
            }))
        }
        (_, None, None) => Err(invalid("it has neither `manifests` nor `config`")),
    }
}

/// BuildKit's mark of an attestation manifest.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// The platform that it gives them, so that nobody runs one. Who joins indexes may drop the mark and keep this.
const NO_PLATFORM: &str = "unknown/unknown";

fn child(wire: WireDescriptor) -> Child {
    let annotations = wire.annotations.unwrap_or_default();
    let platform = wire.platform.as_ref().and_then(WirePlatform::platform);
    let marked = annotations.get(REFERENCE_TYPE).map(String::as_str) == Some("attestation-manifest");
    let nowhere = platform.as_ref().is_some_and(|platform| platform.to_string() == NO_PLATFORM);
    let subject = annotations.get(REFERENCE_DIGEST).and_then(|digest| Digest::parse(digest).ok());
    let attests = (marked || nowhere).then_some(Attests(subject));
    Child { digest: wire.digest, size: wire.size, platform, attests }
}

/// What an image's config says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Its labels; those that are no texts are none.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct WireConfig {
    config: Option<WireLabels>,
}

#[derive(Deserialize)]
struct WireLabels {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, serde_json::Value>>,
}

impl ImageConfig {
    /// Reads a config; what makes no sense says nothing, and one value that is no text does not make the others unreadable.
    pub(super) fn read(config: &[u8]) -> Self {
        let text = |(key, value)| match value {
            serde_json::Value::String(text) => Some((key, text)),
            _ => None,
        };
        let labels = serde_json::from_slice::<WireConfig>(config).ok();
        let labels = labels.and_then(|read| read.config?.labels).unwrap_or_default();
        Self { platform: config_platform(config), labels: labels.into_iter().filter_map(text).collect() }
    }
}

/// The platform that an image's config says, if it says one.
pub fn config_platform(config: &[u8]) -> Option<Platform> {
    serde_json::from_slice::<WirePlatform>(config).ok()?.platform()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    #[test]
    fn an_index_with_attestations() {
        let (a, b) = (digest("a"), digest("b"));
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[
                {{"mediaType":"{OCI_MANIFEST}","digest":"{a}","size":7,"platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}},
                {{"mediaType":"{OCI_MANIFEST}","digest":"{b}","size":9,"platform":{{"os":"unknown","architecture":"unknown"}},
                  "annotations":{{"{REFERENCE_TYPE}":"attestation-manifest","{REFERENCE_DIGEST}":"{a}"}}}},
                {{"mediaType":"{OCI_MANIFEST}","digest":"{b}","size":9,"platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#
        );
        let Document::Index(children) = parse(text.as_bytes(), OCI_INDEX).unwrap() else {
            panic!("no index")
        };
        assert_eq!(children[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
        assert_eq!((children[0].size, &children[0].attests), (7, &None));
        assert_eq!(children[1].attests, Some(Attests(Some(Digest::parse(&a).unwrap()))));
        assert_eq!(children[2].attests, Some(Attests(None)));
    }

    #[test]
    fn an_image_adds_up_without_overflow() {
        let image = |layers: &str| {
            let config = format!(r#"{{"digest":"{}","size":100}}"#, digest("c"));
            let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#);
            match parse(text.as_bytes(), DOCKER_MANIFEST).unwrap() {
                Document::Image(image) => image,
                Document::Index(_) => panic!("an index"),
            }
        };
        let layer = |size: u64| format!(r#"{{"digest":"{}","size":{size}}}"#, digest("d"));
        assert_eq!(image(&format!("{},{}", layer(20), layer(3))).blobs_size, 123);
        assert_eq!(image("").blobs_size, 100);
        assert_eq!(image(&layer(u64::MAX)).blobs_size, u64::MAX);
        assert_eq!(image("").config, Digest::parse(&digest("c")).unwrap());
    }

    #[test]
    fn artifacts_are_told_from_images() {
        let artifact = |fields: &str, config: &str| {
            let config = format!(r#"{{"mediaType":"{config}","digest":"{}","size":2}}"#, digest("c"));
            let text = format!(r#"{{"schemaVersion":2,{fields}"config":{config},"layers":[]}}"#);
            match parse(text.as_bytes(), OCI_MANIFEST).unwrap() {
                Document::Image(image) => image.artifact_type,
                Document::Index(_) => panic!("an index"),
            }
        };
        let helm = "application/vnd.cncf.helm.config.v1+json";
        for config in IMAGE_CONFIGS {
            assert_eq!(artifact("", config), None);
        }
        assert_eq!(artifact("", helm).as_deref(), Some(helm));
        let typed = r#""artifactType":"application/vnd.example","#;
        let empty = "application/vnd.oci.empty.v1+json";
        assert_eq!(artifact(typed, empty).as_deref(), Some("application/vnd.example"));
        assert_eq!(artifact("", empty).as_deref(), Some(empty));
    }

    #[test]
    fn refuses_what_is_neither_or_both() {
        let d = format!(r#"{{"digest":"{}","size":1}}"#, digest("a"));
        for (text, media_type, why) in [
            (format!(r#"{{"schemaVersion":2,"config":{d},"manifests":[]}}"#), "", "at once"),
            (r#"{"schemaVersion":2}"#.into(), OCI_INDEX, "neither"),
            (format!(r#"{{"schemaVersion":1,"config":{d}}}"#), "", "schemaVersion"),
            (format!(r#"{{"schemaVersion":2,"config":{d}}}"#), OCI_INDEX, "not that of"),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","config":{d}}}"#),
                OCI_MANIFEST,
                "calls itself",
            ),
            (
                r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:zz","size":1}]}"#.into(),
                OCI_INDEX,
                "not a digest",
            ),
            (r#"{"schemaVersion":2,"manifests":[{"digest":"x","size":-1}]}"#.into(), OCI_INDEX, ""),
            ("[]".into(), OCI_INDEX, ""),
            (String::new(), OCI_INDEX, ""),
        ] {
            let error = parse(text.as_bytes(), media_type).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn platform_of_a_config() {
        let text = br#"{"architecture":"arm","os":"linux","variant":"v6","config":{}}"#;
        assert_eq!(config_platform(text).unwrap().to_string(), "linux/arm/v6");
        assert_eq!(config_platform(b"{}"), None);
        assert_eq!(config_platform(b"x"), None);
    }

    #[test]
    fn what_a_config_says() {
        let config = br#"{"os":"linux","architecture":"arm64","config":{"Labels":{"a":"1","b":2}}}"#;
        let read = ImageConfig::read(config);
        assert_eq!(read.platform, Platform::parse("linux/arm64").ok());
        assert_eq!(read.labels, [("a".to_owned(), "1".to_owned())].into());
        for nothing in [&b"{}"[..], b"[]", b"\xff", br#"{"config":null}"#, br#"{"config":{"Labels":null}}"#] {
            assert_eq!(ImageConfig::read(nothing), ImageConfig::default());
        }
    }
}
