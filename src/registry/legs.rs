//! Legs: images for one platform that separate jobs of one run have pushed by digest, found again by a record beside
//! each in the registry.
//!
//! A record is an index that lists the leg, with annotations that say what it is, under a tag that run, platform and the
//! key of what decides the tags make up. No registry reaps what a tagged index lists; some reap what none does within
//! an hour. A leg with attestations is an index itself; a registry that takes no index in an index gets one that lists
//! what the leg lists, which is all that a merge needs.
//!
//! A later attempt's record replaces an earlier one's, so that a re-run of the failed jobs keeps the good legs. Whoever
//! may push may write a record: what it says is checked, and names nothing but digests of the same repository. The
//! annotations are a schema with a version, which outlives the code. OCI image specification 1.1, "Image Index".

use std::collections::BTreeMap;

use serde::Deserialize;

use super::client::RegistryClient;
use super::error::{Kind, RegistryError};
use super::index::{self, DOCKER_LIST, Document, OCI_INDEX};
use super::join::{self, JoinAnnotations, NodeImage};
use super::manifest::Manifest;
use super::manifests::Deletion;
use super::metadata::ImageMetadata;
use crate::model::{CommitId, Digest, InputsHash, InvalidTag, Platform, Repository, Tag, text};

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

/// Why something is no record of a leg.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// It is something else altogether.
    #[error("it is no such record")]
    Other,
    /// It was written by a version of this action that we do not know.
    #[error("it has the form `{0}`, which this version of the action does not know")]
    Schema(String),
    /// Something that it must say is missing or makes no sense.
    #[error("its `{0}` is missing or makes no sense")]
    Field(&'static str),
    /// It is another leg's.
    #[error("its `{0}` is another leg's")]
    Name(&'static str),
    /// There is no image in it.
    #[error("it lists nothing")]
    Empty,
}

/// The version of the annotations below.
const SCHEMA: &str = "1";
/// What each of their names begins with. What a name says never changes within one [`SCHEMA`].
const PREFIX: &str = "io.github.docker-push-action.leg.";

/// `leg-<run>-<key of what decides the tags>-<platform>`.
fn tag(run: u64, tags: &Digest, platform: &Platform) -> Result<Tag, InvalidTag> {
    let platform = platform.to_string().replace('/', "-");
    Tag::parse(&format!("leg-{run}-{}-{platform}", tags.short()))
}

fn is_index(manifest: &Manifest) -> bool {
    matches!(manifest.media_type.as_str(), OCI_INDEX | DOCKER_LIST)
}

impl Leg {
    fn annotations(&self) -> BTreeMap<String, String> {
        let inputs = self.inputs.as_ref().map(|inputs| ("inputs", inputs.to_string()));
        [
            ("schema", SCHEMA.to_owned()),
            ("run", self.run.to_string()),
            ("attempt", self.attempt.to_string()),
            ("tags", self.tags.to_string()),
            ("platform", self.platform.to_string()),
            ("revision", self.revision.to_string()),
            ("digest", self.digest.to_string()),
        ]
        .into_iter()
        .chain(inputs)
        .map(|(name, value)| (format!("{PREFIX}{name}"), value))
        .collect()
    }

    /// The record that lists the leg, whose manifest or index this is.
    fn record(&self, manifest: &Manifest) -> Manifest {
        join::index_of(vec![join::descriptor(manifest, &self.platform)], &self.annotations())
    }

    /// The record that lists what the leg lists; `None` where the leg lists nothing, or not what a leg does.
    fn stand_in(&self, manifest: &Manifest) -> Option<Manifest> {
        let platforms = std::slice::from_ref(&self.platform);
        let leg = NodeImage { name: "the leg", platforms, manifest };
        let annotations = JoinAnnotations { index: self.annotations(), ..JoinAnnotations::default() };
        let record = join::join(&[leg], platforms, &annotations);
        record.ok().filter(|_| is_index(manifest))
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
        #[derive(Deserialize)]
        struct Wire {
            annotations: BTreeMap<String, String>,
        }
        fn sense<T, E>(name: &'static str, read: Result<T, E>) -> Result<T, InvalidRecord> {
            read.map_err(|_| InvalidRecord::Field(name))
        }
        let wire: Wire = serde_json::from_slice(&record.bytes).map_err(|_| InvalidRecord::Other)?;
        let get = |name: &'static str| {
            wire.annotations.get(&format!("{PREFIX}{name}")).ok_or(InvalidRecord::Field(name))
        };
        let schema = get("schema").map_err(|_| InvalidRecord::Other)?;
        if schema != SCHEMA {
            return Err(InvalidRecord::Schema(text::name(schema)));
        }
        let Ok(Document::Index(listed)) = index::parse(&record.bytes, &record.media_type) else {
            return Err(InvalidRecord::Other);
        };
        let inputs = match get("inputs") {
            Ok(text) => Some(InputsHash::parse(text).ok_or(InvalidRecord::Field("inputs"))?),
            Err(_) => None,
        };
        let leg = Leg {
            run: sense("run", get("run")?.parse())?,
            attempt: sense("attempt", get("attempt")?.parse())?,
            tags: sense("tags", Digest::parse(get("tags")?))?,
            repository: repository.clone(),
            platform: sense("platform", Platform::parse(get("platform")?))?,
            revision: sense("revision", CommitId::parse(get("revision")?))?,
            digest: sense("digest", Digest::parse(get("digest")?))?,
            inputs,
        };
        let ours =
            [("run", leg.run == run), ("tags", leg.tags == *tags), ("platform", leg.platform == *platform)];
        if let Some((name, _)) = ours.into_iter().find(|(_, same)| !same) {
            return Err(InvalidRecord::Name(name));
        }
        if listed.is_empty() {
            return Err(InvalidRecord::Empty);
        }
        let stands_in = listed.iter().all(|child| child.digest != leg.digest);
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
        match self.put_record(leg, manifest).await {
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

    async fn put_record(&self, leg: &Leg, manifest: &Manifest) -> Result<(), RegistryError> {
        let tag = self.tag_of(leg.run, &leg.tags, &leg.platform)?;
        match self.put_tag(&leg.repository, &tag, &leg.record(manifest)).await {
            Err(error) if error.refuses_content() => match leg.stand_in(manifest) {
                Some(record) => self.put_tag(&leg.repository, &tag, &record).await,
                None => Err(error),
            },
            put => put,
        }
    }

    fn tag_of(&self, run: u64, tags: &Digest, platform: &Platform) -> Result<Tag, RegistryError> {
        let invalid = |error: InvalidTag| Kind::Protocol(error.to_string());
        tag(run, tags, platform)
            .map_err(|error| self.fail(&format!("name the leg for `{platform}`"), invalid(error)))
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
        let manifest = match self.get_manifest(repository, &tag).await {
            Ok(manifest) => manifest,
            Err(error) if error.is_absence() => return Ok(Ok(None)),
            Err(error) => return Err(error),
        };
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
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::registry::PlatformMetadata;
    use crate::registry::index::OCI_MANIFEST;

    fn inputs(text: &[u8]) -> InputsHash {
        InputsHash { schema: 1, digest: Digest::of(text) }
    }

    fn leg(platform: &str) -> Leg {
        Leg {
            run: 17,
            attempt: 2,
            tags: Digest::of(b"tags"),
            repository: Repository::parse("ghcr.io/acme/shop/api").unwrap(),
            platform: Platform::parse(platform).unwrap(),
            revision: CommitId::parse(&"1".repeat(40)).unwrap(),
            digest: image().digest,
            inputs: Some(inputs(b"inputs")),
        }
    }

    fn image() -> Manifest {
        Manifest::new("image", OCI_MANIFEST)
    }

    fn read(leg: &Leg, record: Manifest) -> Result<Recorded, InvalidRecord> {
        Recorded::read(record, (leg.run, &leg.tags), &leg.repository, &leg.platform)
    }

    fn changed(record: &Manifest, change: impl FnOnce(&mut Value)) -> Manifest {
        let mut json = serde_json::from_slice(&record.bytes).unwrap();
        change(&mut json);
        Manifest::new(json.to_string(), OCI_INDEX)
    }

    /// Jobs of one run may be started by two versions of this action: neither bytes nor tag may change within a schema.
    #[test]
    fn golden_record() {
        let arm = leg("linux/arm/v7");
        assert_eq!(
            tag(arm.run, &arm.tags, &arm.platform).unwrap().as_str(),
            "leg-17-978c2f894135-linux-arm-v7"
        );
        let record = arm.record(&image());
        assert_eq!(record.media_type, "application/vnd.oci.image.index.v1+json");
        assert_eq!(
            std::str::from_utf8(&record.bytes).unwrap(),
            concat!(
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#,
                r#"{"digest":"sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d","mediaType":"application/vnd.oci.image.manifest.v1+json","#,
                r#""platform":{"architecture":"arm","os":"linux","variant":"v7"},"size":5}],"annotations":{"#,
                r#""io.github.docker-push-action.leg.attempt":"2","#,
                r#""io.github.docker-push-action.leg.digest":"sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d","#,
                r#""io.github.docker-push-action.leg.inputs":"1:sha256:32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6fa4567f3346","#,
                r#""io.github.docker-push-action.leg.platform":"linux/arm/v7","#,
                r#""io.github.docker-push-action.leg.revision":"1111111111111111111111111111111111111111","#,
                r#""io.github.docker-push-action.leg.run":"17","#,
                r#""io.github.docker-push-action.leg.schema":"1","#,
                r#""io.github.docker-push-action.leg.tags":"sha256:978c2f8941354cf552831bb8b5b648bb3748e83f5d0a69e3301569af01e1de93"}}"#
            )
        );
        assert_eq!(
            record.digest.as_str(),
            "sha256:2218645c46ac38fe8be350acbdbe1e4779ef04e273974fdbb8e81402e5343848"
        );
        let unknown = Leg { inputs: None, ..arm.clone() }.record(&image());
        let mut without: Value = serde_json::from_slice(&record.bytes).unwrap();
        without["annotations"]
            .as_object_mut()
            .unwrap()
            .remove("io.github.docker-push-action.leg.inputs")
            .unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&unknown.bytes).unwrap(), without);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let arm = leg("linux/arm/v7");
        for leg in [arm.clone(), Leg { inputs: None, ..arm.clone() }] {
            let record = leg.record(&image());
            let expected = Recorded { leg: leg.clone(), record: record.clone(), stands_in: false };
            assert_eq!(read(&leg, record), Ok(expected));
        }
        let tag = |leg: &Leg| tag(leg.run, &leg.tags, &leg.platform).unwrap();
        let names = [
            tag(&arm),
            tag(&Leg { run: 18, ..arm.clone() }),
            tag(&Leg { tags: Digest::of(b"others"), ..arm.clone() }),
            tag(&leg("linux/arm/v6")),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn what_is_no_record_is_refused_and_says_why() {
        let amd = leg("linux/amd64");
        let record = amd.record(&image());
        let field = |name: &str| format!("{PREFIX}{name}");
        for (name, value, expected) in [
            ("run", "x", InvalidRecord::Field("run")),
            ("run", "18", InvalidRecord::Name("run")),
            ("attempt", "-2", InvalidRecord::Field("attempt")),
            ("tags", "md5:0", InvalidRecord::Field("tags")),
            ("tags", Digest::of(b"others").as_str(), InvalidRecord::Name("tags")),
            ("platform", "linux/none", InvalidRecord::Field("platform")),
            ("platform", "linux/arm64", InvalidRecord::Name("platform")),
            ("revision", "main", InvalidRecord::Field("revision")),
            ("digest", "latest", InvalidRecord::Field("digest")),
            ("inputs", "many", InvalidRecord::Field("inputs")),
            ("schema", "2\u{202e}\n", InvalidRecord::Schema("2\\u{202e}\\n".into())),
        ] {
            let other = changed(&record, |json| json["annotations"][field(name)] = json!(value));
            assert_eq!(read(&amd, other), Err(expected), "{name}: {value}");
        }
        for name in ["run", "attempt", "tags", "platform", "revision", "digest"] {
            let other = changed(&record, |json| {
                json["annotations"].as_object_mut().unwrap().remove(&field(name)).unwrap();
            });
            assert_eq!(read(&amd, other), Err(InvalidRecord::Field(name)));
        }
        let without = |key: &'static str| {
            changed(&record, |json| {
                json.as_object_mut().unwrap().remove(key).unwrap();
            })
        };
        let empty = changed(&record, |json| json["manifests"] = json!([]));
        assert_eq!(read(&amd, empty), Err(InvalidRecord::Empty));
        for other in [
            without("annotations"),
            without("manifests"),
            changed(&record, |json| json["annotations"] = json!({ "a": "b" })),
            changed(&record, |json| json["annotations"]["a"] = json!(7)),
            changed(&record, |json| json["manifests"][0]["digest"] = json!("md5:0")),
            changed(&record, |json| json["config"] = json!({ "digest": amd.digest.as_str(), "size": 1 })),
            Manifest::new("{}", OCI_INDEX),
            Manifest::new("", OCI_INDEX),
            Manifest::new(record.bytes.clone(), OCI_MANIFEST),
        ] {
            assert_eq!(read(&amd, other.clone()), Err(InvalidRecord::Other), "{other:?}");
        }
    }

    #[test]
    fn a_record_that_stands_in_lists_what_the_leg_lists() {
        let amd = leg("linux/amd64");
        let image = image();
        let mut listed = [join::descriptor(&image, &amd.platform), join::descriptor(&image, &amd.platform)];
        listed[1]["digest"] = json!(Digest::of(b"statement"));
        listed[1]["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
        listed[1]["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image.digest.as_str(),
        });
        let index = join::index_of(listed.to_vec(), &BTreeMap::new());
        let amd = Leg { digest: index.digest.clone(), ..amd };
        let record = amd.stand_in(&index).unwrap();
        let json: Value = serde_json::from_slice(&record.bytes).unwrap();
        assert_eq!(json["manifests"].as_array().unwrap(), &listed);
        let expected = Recorded { leg: amd.clone(), record: record.clone(), stands_in: true };
        assert_eq!(read(&amd, record), Ok(expected));
        // What lists nothing, or is for another platform.
        assert_eq!(amd.stand_in(&image), None);
        assert_eq!(leg("linux/arm64").stand_in(&index), None);
    }

    #[test]
    fn two_jobs_that_made_one_leg() {
        let first = leg("linux/amd64");
        let other = |change: fn(&mut Leg)| {
            let mut other = Leg { digest: Digest::of(b"other"), ..first.clone() };
            change(&mut other);
            (first.contradicts(&other), first.is_another_build(&other))
        };
        assert_eq!(other(|_| {}), (false, false), "the same inputs twice");
        assert_eq!(other(|leg| leg.inputs = Some(inputs(b"others"))), (true, true));
        assert_eq!(other(|leg| leg.inputs = None), (true, true));
        assert_eq!(
            other(|leg| {
                leg.inputs = Some(inputs(b"others"));
                leg.attempt = 3;
            }),
            (false, true)
        );
        // Those are refused by the merge.
        let of_another_commit = |leg: &mut Leg| {
            leg.inputs = None;
            leg.revision = CommitId::parse(&"2".repeat(40)).unwrap();
        };
        assert_eq!(other(of_another_commit), (false, false));
        let unknown = Leg { inputs: None, ..first.clone() };
        assert!(!unknown.contradicts(&unknown.clone()), "the same image");
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
            let expected =
                said.map_or(Ok(()), |said| Err(format!("the leg for `linux/amd64` {said} ({})", amd.digest)));
            assert_eq!(judged, expected);
        }
    }

    #[test]
    fn all_legs_of_one_commit() {
        let of = |platform: &str| {
            let leg = leg(platform);
            Recorded { record: leg.record(&image()), leg, stands_in: false }
        };
        let platforms = |texts: &[&str]| -> Vec<Platform> {
            texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
        };
        let (amd, arm) = (of("linux/amd64"), of("linux/arm64"));
        let both = platforms(&["linux/arm64", "linux/amd64"]);
        let (repository, revision) = (amd.leg.repository.clone(), amd.leg.revision.clone());
        let complete = |found: &[Recorded]| -> Result<Vec<Recorded>, LegsError> {
            let legs = complete(17, &repository, &both, &revision, found)?;
            Ok(legs.into_iter().cloned().collect())
        };
        assert_eq!(complete(&[amd.clone(), arm.clone()]).unwrap(), [arm.clone(), amd.clone()]);
        let missing = complete(std::slice::from_ref(&amd)).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "run 17 has recorded no leg for `linux/arm64` of `ghcr.io/acme/shop/api` under the tags of this job"
        );
        let hint = missing.hint(&["version", "image_name"]);
        assert!(hint.contains("`platform: linux/arm64`"), "{hint}");
        assert!(hint.contains("decides the tags (`version`, `image_name`)"), "{hint}");
        let mut other = arm;
        other.leg.revision = CommitId::parse(&"2".repeat(40)).unwrap();
        let error = complete(&[amd, other]).unwrap_err().to_string();
        assert!(error.starts_with("the leg for `linux/arm64` was built of the commit `2222"), "{error}");
    }
}
