//! Legs: images for one platform that separate jobs of one run have pushed by digest, found again by a record beside
//! each in the registry.
//!
//! A record is an OCI artifact manifest with nothing in it but annotations, under a tag that run, image and platform
//! make up. A later attempt's record replaces an earlier one's, so that a re-run of the failed jobs keeps the good
//! legs. Whoever may push may write a record: what it says is checked, and names nothing but a digest of the same
//! repository. OCI image specification 1.1, "Guidelines for Artifact Usage".

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::client::{Deletion, Manifest, RegistryClient};
use super::error::{Kind, RegistryError};
use super::index::OCI_MANIFEST;
use super::metadata::ImageMetadata;
use crate::model::{CommitId, Digest, InvalidTag, Platform, Repository, Tag};

/// One leg's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The run that it belongs to.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// Where its image is.
    pub repository: Repository,
    /// What it was built for.
    pub platform: Platform,
    /// The commit that was built.
    pub revision: CommitId,
    /// Its manifest, or the index of it and its attestations.
    pub digest: Digest,
    /// The hash of what it was built from, but for the platform; absent where that is not known.
    pub inputs: Option<Digest>,
}

/// A record as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What it says.
    pub leg: Leg,
    /// The record's own digest.
    pub record: Digest,
}

/// Whether a leg's record is there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// It is.
    Done,
    /// A later attempt has recorded the same leg: its record stays.
    Overtaken,
    /// An earlier attempt has recorded the same leg of the same commit, and the registry lets nobody move a tag: that
    /// record stays.
    Immutable,
}

/// Legs that make no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegsError {
    /// Some are not there.
    #[error(
        "run {run} has recorded no leg for {} of `{repository}`",
        .missing.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
    )]
    Missing {
        /// The run.
        run: u64,
        /// The image.
        repository: Repository,
        /// What is missing.
        missing: Vec<Platform>,
    },
    /// One holds an image for something else.
    #[error(
        "the leg for `{platform}` is an image for {} ({digest})",
        found.as_ref().map_or_else(|| "no platform".to_owned(), |found| format!("`{found}`"))
    )]
    Platform {
        /// What it was to be.
        platform: Platform,
        /// What it is, if it says.
        found: Option<Box<Platform>>,
        /// Where.
        digest: Digest,
    },
    /// One is of another commit.
    #[error("the leg for `{platform}` was built of the commit `{found}`, this job is about `{expected}`")]
    Revision {
        /// Which one.
        platform: Platform,
        /// Its commit.
        found: CommitId,
        /// Ours.
        expected: CommitId,
    },
}

impl LegsError {
    /// What to change.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { missing, .. } => format!(
                "each is made by a job of the same run with `mode: leg`, the same image, and {}: did it fail, and is it \
                 in this job's `needs`? A merge that succeeded takes the records away: then re-run all jobs",
                missing.iter().map(|one| format!("`platform: {one}`")).collect::<Vec<_>>().join(" or ")
            ),
            Self::Platform { .. } => {
                "somebody else has written its record, or its Dockerfile says `FROM --platform=…`".into()
            }
            Self::Revision { .. } => {
                "check out the same commit in all jobs of the run, also in the one with `mode: merge`".into()
            }
        }
    }
}

/// What a record's manifest says it is.
const ARTIFACT_TYPE: &str = "application/vnd.docker-push-action.leg.v1+json";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
const PREFIX: &str = "vnd.docker-push-action.leg.";

impl Leg {
    fn record(&self) -> Manifest {
        let empty =
            json!({ "mediaType": EMPTY_TYPE, "digest": Digest::of(EMPTY).as_str(), "size": EMPTY.len() });
        let inputs = self.inputs.as_ref().map(|inputs| ("inputs", inputs.to_string()));
        let annotations: BTreeMap<String, String> = [
            ("run", self.run.to_string()),
            ("attempt", self.attempt.to_string()),
            ("image", self.repository.to_string()),
            ("platform", self.platform.to_string()),
            ("revision", self.revision.as_str().to_owned()),
            ("digest", self.digest.to_string()),
        ]
        .into_iter()
        .chain(inputs)
        .map(|(name, value)| (format!("{PREFIX}{name}"), value))
        .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": ARTIFACT_TYPE,
            "config": empty,
            // Registries there are that take no manifest without a layer.
            "layers": [empty],
            "annotations": annotations,
        });
        Manifest::new(manifest.to_string(), OCI_MANIFEST)
    }

    /// Reads a record; `None` if it is none, or not one of ours.
    fn read(manifest: &Manifest) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            artifact_type: String,
            annotations: BTreeMap<String, String>,
        }
        let wire: Wire = serde_json::from_slice(&manifest.bytes).ok()?;
        if wire.artifact_type != ARTIFACT_TYPE {
            return None;
        }
        let get = |name: &str| wire.annotations.get(&format!("{PREFIX}{name}"));
        Some(Self {
            run: get("run")?.parse().ok()?,
            attempt: get("attempt")?.parse().ok()?,
            repository: Repository::parse(get("image")?).ok()?,
            platform: Platform::parse(get("platform")?).ok()?,
            revision: CommitId::parse(get("revision")?).ok()?,
            digest: Digest::parse(get("digest")?).ok()?,
            inputs: get("inputs").and_then(|text| Digest::parse(text).ok()),
        })
    }
}

/// `leg-<run>-<hash of the image>-<platform>`.
fn tag(run: u64, repository: &Repository, platform: &Platform) -> Result<Tag, InvalidTag> {
    let hash = Digest::of(repository.to_string().as_bytes());
    let platform = platform.to_string().replace('/', "-");
    Tag::parse(&format!("leg-{run}-{}-{platform}", hash.short()))
}

/// The legs for all these platforms, in this order.
///
/// # Errors
/// When one is missing, or of another commit.
pub fn complete(
    run: u64,
    repository: &Repository,
    platforms: &[Platform],
    revision: &CommitId,
    found: &[Recorded],
) -> Result<Vec<Leg>, LegsError> {
    let of = |platform: &Platform| found.iter().map(|one| &one.leg).find(|leg| leg.platform == *platform);
    let missing: Vec<Platform> =
        platforms.iter().filter(|platform| of(platform).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(LegsError::Missing { run, repository: repository.clone(), missing });
    }
    let legs: Vec<Leg> = platforms.iter().filter_map(of).cloned().collect();
    match legs.iter().find(|leg| leg.revision != *revision) {
        Some(other) => Err(LegsError::Revision {
            platform: other.platform.clone(),
            found: other.revision.clone(),
            expected: revision.clone(),
        }),
        None => Ok(legs),
    }
}

/// Whether what the registry holds for a leg is an image for its platform.
///
/// # Errors
/// When it is another's.
pub fn holds_its_platform(leg: &Leg, image: &ImageMetadata) -> Result<(), LegsError> {
    let wrong = |found: Option<Platform>| LegsError::Platform {
        platform: leg.platform.clone(),
        found: found.map(Box::new),
        digest: leg.digest.clone(),
    };
    let [one] = image.platforms.as_slice() else {
        let other = image.platforms.iter().find(|one| one.platform.as_ref() != Some(&leg.platform));
        return Err(wrong(other.and_then(|other| other.platform.clone())));
    };
    match &one.platform {
        Some(found) if *found != leg.platform => Err(wrong(Some(found.clone()))),
        _ => Ok(()),
    }
}

impl RegistryClient {
    /// Records a leg, unless a later attempt of the run has done so already.
    pub async fn record_leg(&self, leg: &Leg) -> Result<Recording, RegistryError> {
        let there = self.leg(leg.run, &leg.repository, &leg.platform).await?;
        if there.as_ref().is_some_and(|there| there.leg.attempt > leg.attempt) {
            return Ok(Recording::Overtaken);
        }
        let empty = Bytes::from_static(EMPTY);
        if self.head_blob(&leg.repository, &Digest::of(EMPTY)).await?.is_none() {
            self.put_blob(&leg.repository, &empty).await?;
        }
        let tag = self.tag_of(leg.run, &leg.repository, &leg.platform)?;
        match self.put_tag(&leg.repository, &tag, &leg.record()).await {
            Ok(()) => Ok(Recording::Done),
            Err(error) if error.immutable().is_none() => Err(error),
            Err(_) if there.is_some_and(|there| there.leg.revision == leg.revision) => {
                Ok(Recording::Immutable)
            }
            Err(error) => Err(error),
        }
    }

    fn tag_of(&self, run: u64, repository: &Repository, platform: &Platform) -> Result<Tag, RegistryError> {
        let invalid = |error: InvalidTag| Kind::Protocol(error.to_string());
        tag(run, repository, platform)
            .map_err(|error| self.fail(&format!("name the leg for `{platform}`"), invalid(error)))
    }

    /// The leg that a run has recorded for a platform. What is under its tag, but is not its record, is nothing.
    pub async fn leg(
        &self,
        run: u64,
        repository: &Repository,
        platform: &Platform,
    ) -> Result<Option<Recorded>, RegistryError> {
        let manifest = match self.get_manifest(repository, &self.tag_of(run, repository, platform)?).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_absence() => return Ok(None),
            Err(error) => return Err(error),
        };
        let leg = Leg::read(&manifest)
            .filter(|leg| leg.run == run && leg.repository == *repository && leg.platform == *platform);
        Ok(leg.map(|leg| Recorded { leg, record: manifest.digest }))
    }

    /// Removes a record, and nothing else: its leg's image stays.
    pub async fn remove_record(&self, recorded: &Recorded) -> Result<Deletion, RegistryError> {
        self.delete_manifest(&recorded.leg.repository, &recorded.record).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::PlatformMetadata;

    fn leg(platform: &str) -> Leg {
        Leg {
            run: 17,
            attempt: 2,
            repository: Repository::parse("ghcr.io/acme/shop/api").unwrap(),
            platform: Platform::parse(platform).unwrap(),
            revision: CommitId::parse(&"1".repeat(40)).unwrap(),
            digest: Digest::of(b"image"),
            inputs: Some(Digest::of(b"inputs")),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let arm = leg("linux/arm/v7");
        let tag = |leg: &Leg| tag(leg.run, &leg.repository, &leg.platform).unwrap();
        assert_eq!(tag(&arm).as_str(), "leg-17-b7a3602ba633-linux-arm-v7");
        let record = arm.record();
        assert_eq!(Leg::read(&record), Some(arm.clone()));
        assert_ne!(tag(&arm), tag(&Leg { run: 18, ..arm.clone() }));
        assert_ne!(tag(&arm), tag(&leg("linux/arm/v6")));
        let text = String::from_utf8(record.bytes.to_vec()).unwrap();
        for (from, to) in [
            (ARTIFACT_TYPE, "application/other"),
            ("leg.attempt\":\"2", "leg.attempt\":\"-2"),
            ("sha256:", "md5:"),
            ("linux/arm/v7", "linux/none"),
            ("leg.run", "leg.other"),
            ("leg.digest", "leg.digests"),
            ("acme/shop/api", "acme/shop/api:tag"),
        ] {
            assert!(text.contains(from), "{from}");
            let other = Manifest::new(text.replace(from, to), OCI_MANIFEST);
            assert_eq!(Leg::read(&other), None, "{to}");
        }
    }

    #[test]
    fn a_record_may_not_know_its_inputs() {
        let unknown = Leg { inputs: None, ..leg("linux/amd64") };
        assert_eq!(Leg::read(&unknown.record()), Some(unknown.clone()));
        let text = String::from_utf8(leg("linux/amd64").record().bytes.to_vec()).unwrap();
        let inputs = Digest::of(b"inputs").to_string();
        let odd = Manifest::new(text.replace(&inputs, "many"), OCI_MANIFEST);
        assert_eq!(Leg::read(&odd), Some(unknown));
    }

    #[test]
    fn a_leg_is_an_image_for_its_platform() {
        let image = |platforms: &[Option<&str>]| ImageMetadata {
            digest: Digest::of(b"image"),
            media_type: String::new(),
            size: 1,
            platforms: platforms
                .iter()
                .map(|text| PlatformMetadata {
                    platform: text.map(|text| Platform::parse(text).unwrap()),
                    digest: Digest::of(b"manifest"),
                    size: 1,
                    config_digest: None,
                })
                .collect(),
            attestations: Vec::new(),
        };
        let amd = leg("linux/amd64");
        for (platforms, said) in [
            (&[Some("linux/amd64")][..], None),
            (&[None], None),
            (&[Some("linux/arm64")], Some("is an image for `linux/arm64`")),
            (&[Some("linux/amd64"), Some("linux/arm64")], Some("is an image for `linux/arm64`")),
            (&[], Some("is an image for no platform")),
        ] {
            let judged = holds_its_platform(&amd, &image(platforms)).map_err(|error| error.to_string());
            let expected = said.map_or(Ok(()), |said| {
                Err(format!("the leg for `linux/amd64` {said} ({})", Digest::of(b"image")))
            });
            assert_eq!(judged, expected);
        }
    }

    #[test]
    fn all_legs_of_one_commit() {
        let of = |platform: &str| Recorded { leg: leg(platform), record: Digest::of(b"record") };
        let platforms = |texts: &[&str]| -> Vec<Platform> {
            texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
        };
        let (amd, arm) = (of("linux/amd64"), of("linux/arm64"));
        let both = platforms(&["linux/arm64", "linux/amd64"]);
        let (repository, revision) = (amd.leg.repository.clone(), amd.leg.revision.clone());
        let complete = |found: &[Recorded]| complete(17, &repository, &both, &revision, found);
        assert_eq!(complete(&[amd.clone(), arm.clone()]).unwrap(), [arm.leg.clone(), amd.leg.clone()]);
        let missing = complete(std::slice::from_ref(&amd)).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "run 17 has recorded no leg for `linux/arm64` of `ghcr.io/acme/shop/api`"
        );
        assert!(missing.hint().contains("`platform: linux/arm64`"), "{}", missing.hint());
        let mut other = arm;
        other.leg.revision = CommitId::parse(&"2".repeat(40)).unwrap();
        let error = complete(&[amd, other]).unwrap_err().to_string();
        assert!(error.starts_with("the leg for `linux/arm64` was built of the commit `2222"), "{error}");
    }
}
