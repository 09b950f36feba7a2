//! What the image under a tag says of itself: read from its index or manifest, else from its first platform's
//! manifest, else from that one's config. At most four requests; what cannot be understood says nothing and is no
//! failure, as anybody can have pushed it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Document, Image, ImageConfig};
use super::manifest::Manifest;
use crate::model::{Digest, Repository, Stamp};

/// The longest config that is worth reading for its labels, in bytes.
const LONGEST_CONFIG: u64 = 1024 * 1024;

impl RegistryClient {
    /// What an image says of itself. Nothing where it is gone in the meantime.
    pub async fn stamp(&self, repository: &Repository, digest: &Digest) -> Result<Stamp, RegistryError> {
        match self.get_manifest(repository, digest).await {
            Ok(top) => self.stamp_of(repository, &top).await,
            Err(error) => tolerated(error),
        }
    }

    /// The same of one whose index or manifest is at hand.
    pub async fn stamp_of(&self, repository: &Repository, top: &Manifest) -> Result<Stamp, RegistryError> {
        let own = annotations(top);
        if own.commit.is_some() {
            return Ok(own);
        }
        let image = match index::parse(&top.bytes, &top.media_type) {
            Ok(Document::Image(image)) => image,
            Ok(Document::Index(children)) => {
                let first = children.into_iter().find(|child| child.attests.is_none());
                let Some(first) = first else { return Ok(own) };
                let manifest = match self.get_manifest(repository, &first.digest).await {
                    Ok(manifest) => manifest,
                    Err(error) => return tolerated(error).map(|nothing| own.or(nothing)),
                };
                match index::parse(&manifest.bytes, &manifest.media_type) {
                    Ok(Document::Image(image)) => image,
                    _ => return Ok(own),
                }
            }
            Err(_) => return Ok(own),
        };
        let said = own.or(Stamp::read(&image.annotations));
        if said.commit.is_some() {
            return Ok(said);
        }
        self.labels(repository, &image).await.map(|labels| said.or(labels))
    }

    async fn labels(&self, repository: &Repository, image: &Image) -> Result<Stamp, RegistryError> {
        if image.config_size > LONGEST_CONFIG {
            return Ok(Stamp::default());
        }
        match self.get_blob(repository, &image.config).await {
            Ok(config) => Ok(config_labels(&config)),
            Err(error) => tolerated(error),
        }
    }
}

/// Content that is missing, is not what its digest says, or is none says nothing; an error of the registry's is one.
fn tolerated(error: RegistryError) -> Result<Stamp, RegistryError> {
    match error.kind() {
        Kind::Digest { .. } | Kind::TooLarge { .. } => Ok(Stamp::default()),
        Kind::ErrorResponse(answer) if answer.status == 404 => Ok(Stamp::default()),
        _ => Err(error),
    }
}

#[derive(Deserialize)]
struct Annotated {
    annotations: Option<BTreeMap<String, serde_json::Value>>,
}

/// What an index or a manifest says in its own annotations.
pub(super) fn annotations(manifest: &Manifest) -> Stamp {
    let read: Result<Annotated, _> = serde_json::from_slice(&manifest.bytes);
    read.map_or_else(|_| Stamp::default(), |read| texts(read.annotations))
}

fn config_labels(config: &[u8]) -> Stamp {
    Stamp::read(&ImageConfig::read(config).labels)
}

/// One value that is no text does not make the others unreadable.
fn texts(values: Option<BTreeMap<String, serde_json::Value>>) -> Stamp {
    let text = |(key, value)| match value {
        serde_json::Value::String(text) => Some((key, text)),
        _ => None,
    };
    Stamp::read(&values.into_iter().flatten().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CommitId, InputsHash};

    /// As images in registries carry it, byte for byte.
    #[test]
    fn golden_what_is_read_of_an_index_and_of_a_config() {
        let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{
            "io.github.docker-push-action.commit":"6dcb09b5b57875f334f61aebed695e2e4193db5e",
            "io.github.docker-push-action.inputs":"1:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "io.github.docker-push-action.ref":"refs/heads/main",
            "org.opencontainers.image.revision":"1111111111111111111111111111111111111111",
            "org.opencontainers.image.source":"https://github.com/acme/shop"}}"#;
        let commit = |text: &str| Some(CommitId::parse(text).unwrap());
        let full = Stamp {
            commit: commit("6dcb09b5b57875f334f61aebed695e2e4193db5e"),
            reference: Some("refs/heads/main".into()),
            inputs: Some(InputsHash { schema: 1, digest: Digest::of(b"") }),
            source: Some("https://github.com/acme/shop".into()),
            run: None,
            version: None,
        };
        assert_eq!(annotations(&Manifest::new(index, index::OCI_INDEX)), full);
        let config = br#"{"architecture":"amd64","os":"linux","config":{"Labels":{
            "org.opencontainers.image.revision":"1111111111111111111111111111111111111111",
            "org.opencontainers.image.source":"https://github.com/acme/shop"}}}"#;
        let stranger = Stamp { commit: commit(&"1".repeat(40)), reference: None, inputs: None, ..full };
        assert_eq!(config_labels(config), stranger);
    }

    #[test]
    fn labels_of_a_config() {
        let commit = "1".repeat(40);
        let config =
            |labels: &str| config_labels(format!(r#"{{"config":{{"Labels":{labels}}}}}"#).as_bytes());
        let label = format!(r#"{{"org.opencontainers.image.revision":"{commit}","other":[1]}}"#);
        assert_eq!(config(&label).commit.unwrap().as_str(), commit);
        for nothing in ["null", "{}", "[]", r#"{"org.opencontainers.image.revision":7}"#] {
            assert_eq!(config(nothing), Stamp::default(), "{nothing}");
        }
        assert_eq!(config_labels(b"\xff"), Stamp::default());
    }
}
