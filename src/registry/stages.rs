//! Staged images: pushed by digest, without a tag, for the workflow to test or to scan before `mode: tag` puts the tags.
//!
//! The record of one has two tags. One is named by the image, which `mode: tag` knows whatever else it is given; the other by
//! the commit and the key of what decides the tags, by which the next run of the commit finds what was staged and never
//! tagged. A registry that removes nothing keeps the record, which is told then that the image has its tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::RegistryClient;
use super::error::RegistryError;
use super::manifest::Manifest;
use super::manifests::Deletion;
use super::record::{InvalidRecord, Schema, Subject};
use crate::model::{CommitId, Digest, Platform, Repository, Tag};

/// A staged image, as its record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The run that has staged it.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The key of what decides the tags in the job that has staged it.
    pub tags: Digest,
    /// The commit that was built.
    pub revision: CommitId,
    /// The image.
    pub digest: Digest,
    /// It has got its tags since.
    pub tagged: bool,
}

/// What became of the record of an image that has its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// There is none: the image was not staged, or its record was dealt with before.
    Absent,
    /// It is removed.
    Removed,
    /// This registry removes nothing: it stays, and says that the image has its tags.
    Marked,
    /// This registry removes nothing and moves no tag: it stays as it is.
    Stays,
}

/// What a record says.
const SCHEMA: Schema = Schema { prefix: "io.github.docker-push-action.stage.", version: "1" };

/// What the names of its tags begin with.
pub const TAG_PREFIX: &str = "stage-";

/// `stage-image-<image>`.
fn name_by_image(digest: &Digest) -> String {
    format!("{TAG_PREFIX}image-{}", digest.short())
}

/// `stage-commit-<commit>-<key of what decides the tags>`.
fn name_by_commit(revision: &CommitId, tags: &Digest) -> String {
    format!("{TAG_PREFIX}commit-{revision}-{}", tags.short())
}

impl Staged {
    fn annotations(&self) -> BTreeMap<String, String> {
        let tagged = self.tagged.then(|| (TAGGED, true.to_string()));
        let fields = [
            ("run", self.run.to_string()),
            ("attempt", self.attempt.to_string()),
            ("tags", self.tags.to_string()),
            ("revision", self.revision.to_string()),
            ("digest", self.digest.to_string()),
        ];
        SCHEMA.annotations(fields.into_iter().chain(tagged))
    }

    fn read(record: &Manifest) -> Result<Self, InvalidRecord> {
        let fields = SCHEMA.read(record)?;
        let tagged = match fields.get(TAGGED) {
            Some(_) => fields.parse(TAGGED, str::parse)?,
            None => false,
        };
        Ok(Self {
            run: fields.parse("run", str::parse)?,
            attempt: fields.parse("attempt", str::parse)?,
            tags: fields.parse("tags", Digest::parse)?,
            revision: fields.parse("revision", CommitId::parse)?,
            digest: fields.parse("digest", Digest::parse)?,
            tagged,
        })
    }
}

/// The field that says that an image has its tags.
const TAGGED: &str = "tagged";

/// The same record, which says that its image has its tags.
fn marked(record: &Manifest) -> Manifest {
    let mut value: Value = serde_json::from_slice(&record.bytes).unwrap_or_default();
    value["annotations"][format!("{}{TAGGED}", SCHEMA.prefix)] = json!(true.to_string());
    Manifest::new(value.to_string(), record.media_type.as_str())
}

impl RegistryClient {
    /// Records an image that was staged, for these platforms. A record that is there already and cannot be moved does as well.
    pub async fn record_stage(
        &self,
        repository: &Repository,
        staged: &Staged,
        (manifest, platforms): (&Manifest, &[Platform]),
    ) -> Result<(), RegistryError> {
        let subject = Subject { manifest, platforms };
        let annotations = staged.annotations();
        for tag in self.stage_tags(staged)? {
            match self.put_record(repository, &tag, subject, &annotations).await {
                Err(error) if error.immutable().is_none() => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// What is recorded as staged of a commit by jobs whose tags are decided by the same; nothing where something else is
    /// there.
    pub async fn staged_of(
        &self,
        repository: &Repository,
        revision: &CommitId,
        tags: &Digest,
    ) -> Result<Option<Staged>, RegistryError> {
        let tag = self.record_tag(&name_by_commit(revision, tags), "what is staged")?;
        let record = self.record_under(repository, &tag).await?;
        let staged = record.and_then(|record| Staged::read(&record).ok());
        Ok(staged.filter(|staged| (&staged.revision, &staged.tags) == (revision, tags)))
    }

    /// Removes the record of a staged image, which has its tags now; the image stays.
    pub async fn release_stage(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Release, RegistryError> {
        let tag = self.record_tag(&name_by_image(digest), "a staged image")?;
        let Some(record) = self.record_under(repository, &tag).await? else { return Ok(Release::Absent) };
        let Ok(staged) = Staged::read(&record) else { return Ok(Release::Absent) };
        if staged.digest != *digest || staged.tagged {
            return Ok(Release::Absent);
        }
        let tags = self.stage_tags(&staged)?;
        match self.delete_manifest(repository, &record.digest).await? {
            Deletion::Done => {
                // Some registries keep the tags of what was removed by its digest.
                if self.head_manifest(repository, &tag).await?.is_some() {
                    for tag in &tags {
                        self.delete_manifest(repository, tag).await?;
                    }
                }
                return Ok(Release::Removed);
            }
            Deletion::Absent => return Ok(Release::Absent),
            Deletion::Unsupported => {}
        }
        let marked = marked(&record);
        for tag in &tags {
            match self.put_tag(repository, tag, &marked).await {
                Ok(()) => {}
                Err(error) if error.immutable().is_some() => return Ok(Release::Stays),
                Err(error) => return Err(error),
            }
        }
        Ok(Release::Marked)
    }

    fn stage_tags(&self, staged: &Staged) -> Result<[Tag; 2], RegistryError> {
        let what = "a staged image";
        Ok([
            self.record_tag(&name_by_image(&staged.digest), what)?,
            self.record_tag(&name_by_commit(&staged.revision, &staged.tags), what)?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::index::{self, Document, OCI_INDEX};
    use crate::registry::join;

    fn platforms(names: &[&str]) -> Vec<Platform> {
        names.iter().map(|name| Platform::parse(name).unwrap()).collect()
    }

    /// An index of two platforms.
    fn image() -> Manifest {
        let child = |name: &'static str| {
            let platform = Platform::parse(name).unwrap();
            join::descriptor(&Manifest::new(name, index::OCI_MANIFEST), Some(&platform))
        };
        join::index_of(vec![child("linux/arm64"), child("linux/amd64")], &BTreeMap::new())
    }

    fn staged(digest: &Digest) -> Staged {
        Staged {
            run: 17,
            attempt: 2,
            tags: Digest::of(b"tags"),
            revision: CommitId::parse(&"1".repeat(40)).unwrap(),
            digest: digest.clone(),
            tagged: false,
        }
    }

    /// The jobs that stage and tag may be started by two versions of this action.
    #[test]
    fn golden_record() {
        let image = image();
        let staged = staged(&image.digest);
        assert_eq!(name_by_image(&staged.digest), format!("stage-image-{}", image.digest.short()));
        assert_eq!(
            name_by_commit(&staged.revision, &staged.tags),
            "stage-commit-1111111111111111111111111111111111111111-978c2f894135"
        );
        let platforms = platforms(&["linux/arm64", "linux/amd64"]);
        let subject = Subject { manifest: &image, platforms: &platforms };
        let record = subject.record(&staged.annotations());
        let expected = format!(
            concat!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#,
                r#"{{"digest":"{digest}","mediaType":"application/vnd.oci.image.index.v1+json","size":{size}}}],"annotations":{{"#,
                r#""io.github.docker-push-action.stage.attempt":"2","#,
                r#""io.github.docker-push-action.stage.digest":"{digest}","#,
                r#""io.github.docker-push-action.stage.revision":"1111111111111111111111111111111111111111","#,
                r#""io.github.docker-push-action.stage.run":"17","#,
                r#""io.github.docker-push-action.stage.schema":"1","#,
                r#""io.github.docker-push-action.stage.tags":"sha256:978c2f8941354cf552831bb8b5b648bb3748e83f5d0a69e3301569af01e1de93"}}}}"#
            ),
            digest = image.digest,
            size = image.bytes.len()
        );
        assert_eq!(std::str::from_utf8(&record.bytes).unwrap(), expected);
    }

    #[test]
    fn a_record_is_read_as_it_was_written_also_when_it_stands_in_or_is_marked() {
        let image = image();
        let staged = staged(&image.digest);
        let platforms = platforms(&["linux/arm64", "linux/amd64"]);
        let subject = Subject { manifest: &image, platforms: &platforms };
        let record = subject.record(&staged.annotations());
        let stand_in = subject.stand_in(&staged.annotations()).unwrap();
        let listed = |record: &Manifest| match index::parse(&record.bytes, &record.media_type).unwrap() {
            Document::Index(listed) => listed.len(),
            Document::Image(_) => 0,
        };
        assert_eq!((listed(&record), listed(&stand_in)), (1, 2));
        for record in [record, stand_in] {
            assert_eq!(Staged::read(&record), Ok(staged.clone()));
            let marked = marked(&record);
            assert_eq!(Staged::read(&marked), Ok(Staged { tagged: true, ..staged.clone() }));
            assert_eq!((listed(&marked), marked.media_type.as_str()), (listed(&record), OCI_INDEX));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let image = image();
        let staged = staged(&image.digest);
        let platforms = platforms(&["linux/arm64", "linux/amd64"]);
        let subject = Subject { manifest: &image, platforms: &platforms };
        for (name, value, expected) in [
            ("run", "x", InvalidRecord::Field("run")),
            ("attempt", "", InvalidRecord::Field("attempt")),
            ("tags", "md5:0", InvalidRecord::Field("tags")),
            ("revision", "main", InvalidRecord::Field("revision")),
            ("digest", "latest", InvalidRecord::Field("digest")),
            ("tagged", "perhaps", InvalidRecord::Field("tagged")),
            ("schema", "2", InvalidRecord::Schema("2".into())),
        ] {
            let mut annotations = staged.annotations();
            annotations.insert(format!("{}{name}", SCHEMA.prefix), value.to_owned());
            assert_eq!(Staged::read(&subject.record(&annotations)), Err(expected), "{name}");
        }
        assert_eq!(Staged::read(&image), Err(InvalidRecord::Other));
    }
}
