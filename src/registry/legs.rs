//! Legs: images for one platform that separate jobs of one run have pushed by digest, found again by a record beside
//! each in the registry.
//!
//! The tag of a leg's record is made up of run, platform and the key of what decides the tags. A leg with attestations is
//! an index itself; where its record stands in for it, that is all that a merge needs.
//!
//! A later attempt's record replaces an earlier one's, so that a re-run of the failed jobs keeps the good legs. What a
//! record says is checked, and names nothing but digests of the same repository.

use std::collections::BTreeMap;

use super::client::RegistryClient;
use super::error::RegistryError;
use super::manifest::Manifest;
use super::manifests::Deletion;
use super::metadata::ImageMetadata;
use super::record::{self, InvalidRecord, Schema};
use crate::model::{CommitId, Digest, InputsHash, Platform, Repository, Tag};

/// One leg's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The run that it belongs to.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The key of what decides the tags: the same in all legs of an image, and in no other image's.
    pub tags: Digest,
    /// Where its image is.
    pub repository: Repository,
    /// What it was built for.
    pub platform: Platform,
    /// The commit that was built.
    pub revision: CommitId,
    /// Its manifest, or the index of it and its attestations.
    pub digest: Digest,
    /// The hash of what it was built from, but for the platform; absent where that is not known.
    pub inputs: Option<InputsHash>,
}

/// A record as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// What it says.
    pub leg: Leg,
    /// The record itself.
    pub record: Manifest,
    /// It lists what the leg lists, and not the leg: it stands in for it.
    pub stands_in: bool,
}

/// Whether a leg's record is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// It is. If it took the place of an earlier attempt's that was built from other inputs: of that one.
    Done(Option<Box<Leg>>),
    /// A later attempt has recorded the same leg: its record stays.
    Overtaken,
    /// An earlier attempt has recorded the same leg of the same commit, and the registry lets nobody move a tag: that
    /// record stays.
    Immutable,
    /// Another job of the same attempt has recorded another image as the same leg.
    Contradicted(Box<Leg>),
}

/// Legs that make no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegsError {
    /// Some are not there.
    #[error(
        "run {run} has recorded no leg for {} of `{repository}` under the tags of this job",
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
    /// Two jobs have made the same one in different ways.
    #[error(
        "two jobs of run {run} have built `{platform}` of `{repository}` from different inputs for the same tags: {} and {}",
        .digests[0], .digests[1]
    )]
    Contradiction {
        /// The run.
        run: u64,
        /// The image.
        repository: Box<Repository>,
        /// The platform.
        platform: Platform,
        /// What they have pushed.
        digests: Box<[Digest; 2]>,
    },
    /// What is under a record's tag is not what this run has written there.
    #[error("`{record}` is not the record of this run's leg: {why}")]
    Foreign {
        /// Where the record should be.
        record: String,
        /// What is wrong with it.
        why: InvalidRecord,
    },
}

impl LegsError {
    /// What to change; `inputs` are those that decide the tags.
    pub fn hint(&self, inputs: &[&str]) -> String {
        let inputs = inputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Missing { missing, .. } => format!(
                "each is made by a job of the same run with `mode: leg` and {}: did it fail, and is it in this job's \
                 `needs`? Both jobs must be given the same text in each input that decides the tags ({inputs}). A merge \
                 that succeeded takes the records away: then re-run all jobs",
                missing.iter().map(|one| format!("`platform: {one}`")).collect::<Vec<_>>().join(" or ")
            ),
            Self::Platform { .. } => {
                "somebody else has written its record, or its Dockerfile says `FROM --platform=…`".into()
            }
            Self::Revision { .. } => {
                "check out the same commit in all jobs of the run, also in the one with `mode: merge`".into()
            }
            Self::Contradiction { run, .. } => format!(
                "variants of one image need tags of their own, or each overwrites the other's: let them differ in one \
                 of {inputs}. A runner that gives every run the same number (`act`) may have left the other: then remove \
                 the tag `leg-{run}-…`"
            ),
            Self::Foreign { .. } => {
                "somebody else has written it: remove that tag, then re-run the job that made the leg".into()
            }
        }
    }
}

/// What a leg's record says.
const SCHEMA: Schema = Schema { prefix: "io.github.docker-push-action.leg.", version: "1" };

/// `leg-<run>-<key of what decides the tags>-<platform>`.
fn name(run: u64, tags: &Digest, platform: &Platform) -> String {
    let platform = platform.to_string().replace('/', "-");
    format!("leg-{run}-{}-{platform}", tags.short())
}

impl Leg {
    fn annotations(&self) -> BTreeMap<String, String> {
        let inputs = self.inputs.as_ref().map(|inputs| ("inputs", inputs.to_string()));
        let fields = [
            ("run", self.run.to_string()),
            ("attempt", self.attempt.to_string()),
            ("tags", self.tags.to_string()),
            ("platform", self.platform.to_string()),
            ("revision", self.revision.to_string()),
            ("digest", self.digest.to_string()),
        ];
        SCHEMA.annotations(fields.into_iter().chain(inputs))
    }

    /// What is recorded: the leg's manifest or index.
    fn subject<'a>(&'a self, manifest: &'a Manifest) -> record::Subject<'a> {
        record::Subject { manifest, platforms: std::slice::from_ref(&self.platform) }
    }

    /// Whether two jobs have made the two. The inputs of a leg may differ between attempts (a date as an argument), and
    /// its bytes between builds of the same inputs; other inputs in one attempt are another job's.
    fn contradicts(&self, other: &Self) -> bool {
        self.attempt == other.attempt && self.is_another_build(other)
    }

    /// Whether the two are different images of one commit, and not known to be built from the same inputs.
    fn is_another_build(&self, other: &Self) -> bool {
        let same_inputs = self.inputs.is_some() && self.inputs == other.inputs;
        self.revision == other.revision && self.digest != other.digest && !same_inputs
    }
}

impl Recorded {
    /// Reads what is under the tag of a leg's record.
    fn read(
        record: Manifest,
        (run, tags): (u64, &Digest),
        repository: &Repository,
        platform: &Platform,
    ) -> Result<Self, InvalidRecord> {
        let fields = SCHEMA.read(&record)?;
        let inputs = match fields.get("inputs") {
            Some(text) => Some(InputsHash::parse(text).ok_or(InvalidRecord::Field("inputs"))?),
            None => None,
        };
        let leg = Leg {
            run: fields.parse("run", str::parse)?,
            attempt: fields.parse("attempt", str::parse)?,
            tags: fields.parse("tags", Digest::parse)?,
            repository: repository.clone(),
            platform: fields.parse("platform", Platform::parse)?,
            revision: fields.parse("revision", CommitId::parse)?,
            digest: fields.parse("digest", Digest::parse)?,
            inputs,
        };
        let ours =
            [("run", leg.run == run), ("tags", leg.tags == *tags), ("platform", leg.platform == *platform)];
        if let Some((name, _)) = ours.into_iter().find(|(_, same)| !same) {
            return Err(InvalidRecord::Name(name));
        }
        let stands_in = fields.stands_in_for(&leg.digest);
        Ok(Self { leg, record, stands_in })
    }
}

/// The legs for all these platforms, in this order.
///
/// # Errors
/// When one is missing, or of another commit.
pub fn complete<'a>(
    run: u64,
    repository: &Repository,
    platforms: &[Platform],
    revision: &CommitId,
    found: &'a [Recorded],
) -> Result<Vec<&'a Recorded>, LegsError> {
    let of = |platform: &Platform| found.iter().find(|one| one.leg.platform == *platform);
    let missing: Vec<Platform> =
        platforms.iter().filter(|platform| of(platform).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(LegsError::Missing { run, repository: repository.clone(), missing });
    }
    let legs: Vec<&Recorded> = platforms.iter().filter_map(of).collect();
    match legs.iter().map(|one| &one.leg).find(|leg| leg.revision != *revision) {
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
    /// Records a leg, whose manifest or index this is, unless a later attempt of the run has done so already.
    ///
    /// Registries have no compare-and-swap. Two jobs that record one leg in the same moment are told apart by reading
    /// once more: at least the one that was overwritten before it looked again is told so.
    pub async fn record_leg(&self, leg: &Leg, manifest: &Manifest) -> Result<Recording, RegistryError> {
        let before = self.of(leg).await?;
        match &before {
            Some(there) if there.attempt > leg.attempt => return Ok(Recording::Overtaken),
            Some(there) if there.contradicts(leg) => {
                return Ok(Recording::Contradicted(Box::new(there.clone())));
            }
            _ => {}
        }
        match self.put_leg(leg, manifest).await {
            Ok(()) => {}
            Err(error) if error.immutable().is_none() => return Err(error),
            Err(_) if before.is_some_and(|there| there.revision == leg.revision) => {
                return Ok(Recording::Immutable);
            }
            Err(error) => return Err(error),
        }
        Ok(match self.of(leg).await? {
            Some(there) if there.attempt > leg.attempt => Recording::Overtaken,
            Some(there) if there.contradicts(leg) => Recording::Contradicted(Box::new(there)),
            _ => Recording::Done(before.filter(|there| there.is_another_build(leg)).map(Box::new)),
        })
    }

    /// What is recorded as this leg; what is no record may be written over.
    async fn of(&self, leg: &Leg) -> Result<Option<Leg>, RegistryError> {
        let found = self.leg((leg.run, &leg.tags), &leg.repository, &leg.platform).await?;
        Ok(found.ok().flatten().map(|found| found.leg))
    }

    async fn put_leg(&self, leg: &Leg, manifest: &Manifest) -> Result<(), RegistryError> {
        let tag = self.tag_of(leg.run, &leg.tags, &leg.platform)?;
        self.put_record(&leg.repository, &tag, leg.subject(manifest), &leg.annotations()).await
    }

    fn tag_of(&self, run: u64, tags: &Digest, platform: &Platform) -> Result<Tag, RegistryError> {
        self.record_tag(&name(run, tags, platform), &format!("the leg for `{platform}`"))
    }

    /// The leg that a run has recorded for a platform of the image with these tags; within, what is wrong with what is
    /// there instead.
    pub async fn leg(
        &self,
        (run, tags): (u64, &Digest),
        repository: &Repository,
        platform: &Platform,
    ) -> Result<Result<Option<Recorded>, LegsError>, RegistryError> {
        let tag = self.tag_of(run, tags, platform)?;
        let Some(manifest) = self.record_under(repository, &tag).await? else { return Ok(Ok(None)) };
        let read = Recorded::read(manifest, (run, tags), repository, platform);
        let foreign = |why| LegsError::Foreign { record: format!("{repository}:{tag}"), why };
        Ok(read.map(Some).map_err(foreign))
    }

    /// The leg's own manifest or index, or what stands in for it.
    pub async fn manifest_of(&self, recorded: &Recorded) -> Result<Manifest, RegistryError> {
        if recorded.stands_in {
            return Ok(recorded.record.clone());
        }
        self.get_manifest(&recorded.leg.repository, &recorded.leg.digest).await
    }

    /// Removes a record, and nothing else: its leg's image stays.
    pub async fn remove_record(&self, recorded: &Recorded) -> Result<Deletion, RegistryError> {
        self.delete_manifest(&recorded.leg.repository, &recorded.record.digest).await
    }
}

#[cfg(test)]
#[path = "legs_tests.rs"]
mod tests;
