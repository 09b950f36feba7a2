//! Records: what a job leaves in the registry about an image that it has pushed by digest, so that other jobs find it and no
//! registry reaps it.
//!
//! A record is an index that lists the image, under a tag of its own, with annotations that say what it is. Some registries
//! remove what no tagged manifest lists within an hour or two; none removes what one does. A registry that takes no index in
//! an index is given one that lists what the image lists.
//!
//! Whoever may push may write a record: what it says is checked by those who read it. The annotations are schemas with a
//! version each, which outlive the code. OCI image specification 1.1, "Image Index".

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, Child, DOCKER_LIST, Document, OCI_INDEX};
use super::join::{self, JoinAnnotations, NodeImage};
use super::manifest::Manifest;
use crate::model::{Digest, InvalidTag, Platform, Repository, Tag, text};

/// What makes a kind of record: what the names of its annotations begin with, and the version of what they say. What a name
/// says never changes within one version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// With a dot at its end.
    pub prefix: &'static str,
    /// As it is written.
    pub version: &'static str,
}

/// Why something is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// It is something else altogether.
    #[error("it is not such a record")]
    Other,
    /// It was written by a version of this action that we do not know.
    #[error("it has the form `{0}`, which this version of the action does not know")]
    Schema(String),
    /// Something that it must say is missing or makes no sense.
    #[error("its `{0}` is missing or makes no sense")]
    Field(&'static str),
    /// It is another's.
    #[error("its `{0}` is another's")]
    Name(&'static str),
    /// There is no image in it.
    #[error("it lists nothing")]
    Empty,
}

/// What a record says, by the names of its fields.
pub(super) struct Fields {
    schema: Schema,
    annotations: BTreeMap<String, String>,
    /// What the record lists. Never empty.
    pub listed: Vec<Child>,
}

impl Schema {
    /// The annotations of a record that says this.
    pub(super) fn annotations<'a>(
        self,
        fields: impl IntoIterator<Item = (&'a str, String)>,
    ) -> BTreeMap<String, String> {
        let all = fields.into_iter().chain([("schema", self.version.to_owned())]);
        all.map(|(name, value)| (format!("{}{name}", self.prefix), value)).collect()
    }

    /// Reads a record of this kind.
    ///
    /// # Errors
    /// It is none, or lists nothing.
    pub(super) fn read(self, record: &Manifest) -> Result<Fields, InvalidRecord> {
        #[derive(Deserialize)]
        struct Wire {
            annotations: BTreeMap<String, String>,
        }
        let wire: Wire = serde_json::from_slice(&record.bytes).map_err(|_| InvalidRecord::Other)?;
        let schema = wire.annotations.get(&format!("{}schema", self.prefix)).ok_or(InvalidRecord::Other)?;
        if schema != self.version {
            return Err(InvalidRecord::Schema(text::name(schema)));
        }
        let Ok(Document::Index(listed)) = index::parse(&record.bytes, &record.media_type) else {
            return Err(InvalidRecord::Other);
        };
        if listed.is_empty() {
            return Err(InvalidRecord::Empty);
        }
        Ok(Fields { schema: self, annotations: wire.annotations, listed })
    }
}

impl Fields {
    /// What a field says, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.annotations.get(&format!("{}{name}", self.schema.prefix)).map(String::as_str)
    }

    /// What a field says that has to be there and to make sense.
    pub(super) fn parse<T, E>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, InvalidRecord> {
        let text = self.get(name).ok_or(InvalidRecord::Field(name))?;
        parse(text).map_err(|_| InvalidRecord::Field(name))
    }

    /// Whether the record lists what its image lists, and not the image itself: it stands in for it.
    pub(super) fn stands_in_for(&self, image: &Digest) -> bool {
        self.listed.iter().all(|child| child.digest != *image)
    }
}

/// An image that is recorded, and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// Its manifest, or its index.
    pub manifest: &'a Manifest,
    /// Its platforms, in order.
    pub platforms: &'a [Platform],
}

impl Subject<'_> {
    fn is_index(&self) -> bool {
        matches!(self.manifest.media_type.as_str(), OCI_INDEX | DOCKER_LIST)
    }

    /// The record that lists the image.
    pub(super) fn record(&self, annotations: &BTreeMap<String, String>) -> Manifest {
        // An index of several is for no platform.
        let platform = match self.platforms {
            [only] => Some(only),
            _ => None,
        };
        join::index_of(vec![join::descriptor(self.manifest, platform)], annotations)
    }

    /// The record that lists what the image lists; `None` where the image lists nothing, or not what it should.
    pub(super) fn stand_in(&self, annotations: &BTreeMap<String, String>) -> Option<Manifest> {
        let image = NodeImage { name: "the image", platforms: self.platforms, manifest: self.manifest };
        let annotations = JoinAnnotations { index: annotations.clone(), ..JoinAnnotations::default() };
        let record = join::join(&[image], self.platforms, &annotations);
        record.ok().filter(|_| self.is_index())
    }
}

impl RegistryClient {
    /// Puts the record of an image under a tag.
    pub(super) async fn put_record(
        &self,
        repository: &Repository,
        tag: &Tag,
        subject: Subject<'_>,
        annotations: &BTreeMap<String, String>,
    ) -> Result<(), RegistryError> {
        match self.put_tag(repository, tag, &subject.record(annotations)).await {
            Err(error) if error.refuses_content() => match subject.stand_in(annotations) {
                Some(record) => self.put_tag(repository, tag, &record).await,
                None => Err(error),
            },
            put => put,
        }
    }

    /// What is under the tag of a record, if anything is.
    pub(super) async fn record_under(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<Manifest>, RegistryError> {
        match self.get_manifest(repository, tag).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tag of a record.
    pub(super) fn record_tag(&self, name: &str, what: &str) -> Result<Tag, RegistryError> {
        let invalid = |error: InvalidTag| Kind::Protocol(error.to_string());
        Tag::parse(name).map_err(|error| self.fail(&format!("name {what}"), invalid(error)))
    }
}
