//! What an image says of itself, so that a later run can tell whether it may stand in its place.
//!
//! Annotations of our own hang on the index, or on the manifest of an image without one; their names are here
//! and nowhere else. They are annotations and no labels: labels are inherited by every image that is built `FROM`
//! this one, by any tool, and would then speak of another build. The run is among them only where no two runs give the
//! same bytes anyway, as where provenance says when and by which run it was built: two builds of one commit are the same
//! bytes otherwise, and stay so. Images without our annotations are read by the OCI keys.
//! Their authors are strangers: whatever makes no sense counts as not said.
//!
//! The names are the schema, and outlive the code: what a name says never changes, so that images of before can be
//! read; what would say something else gets a name of its own. Only [`INPUTS`] has a version in its value, as what
//! goes into a hash cannot be told by looking at it.

use std::collections::BTreeMap;
use std::fmt;

use super::{CommitId, Digest};

/// The commit that the image's tags name: of a pull request its head, not the merge commit that was built.
pub const COMMIT: &str = "io.github.docker-push-action.commit";
/// The ref that the image was published for, whole.
pub const REF: &str = "io.github.docker-push-action.ref";
/// The hash of what the image was built from, as [`InputsHash`] writes it: `1:sha256:…`.
pub const INPUTS: &str = "io.github.docker-push-action.inputs";
/// The run that built the image, where that is part of its bytes anyway.
pub const RUN: &str = "io.github.docker-push-action.run";
/// The OCI key of the commit that was built.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// The OCI key of the version.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The OCI key of the sources' address.
pub const SOURCE: &str = "org.opencontainers.image.source";

/// The longest text that is taken from an image, in bytes.
const LONGEST: usize = 1024;

/// The hash of what something was built from, and the version of the schema that says what went into it.
///
/// Hashes of two schemas say nothing about each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputsHash {
    /// The version of the schema.
    pub schema: u32,
    /// The hash.
    pub digest: Digest,
}

impl InputsHash {
    /// Reads what this type's `Display` writes; anything else is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (schema, digest) = text.split_once(':')?;
        let hash = Self { schema: schema.parse().ok()?, digest: Digest::parse(digest).ok()? };
        // `+1` and `01` are numbers, too.
        (hash.to_string() == text).then_some(hash)
    }
}

impl fmt::Display for InputsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.schema, self.digest)
    }
}

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// [`COMMIT`], else [`REVISION`].
    pub commit: Option<CommitId>,
    /// [`REF`].
    pub reference: Option<String>,
    /// [`INPUTS`].
    pub inputs: Option<InputsHash>,
    /// [`SOURCE`].
    pub source: Option<String>,
    /// [`RUN`].
    pub run: Option<RunNumber>,
    /// [`VERSION`], beside a commit: alone it may be inherited from a base image.
    pub version: Option<String>,
}

/// A run of a workflow, written `ID-ATTEMPT`. Of two, the greater one was started later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunNumber {
    /// `GITHUB_RUN_ID`, which counts all runs of a GitHub server.
    pub id: u64,
    /// `GITHUB_RUN_ATTEMPT`.
    pub attempt: u64,
}

impl RunNumber {
    /// Reads what [`fmt::Display`] writes.
    fn parse(text: &str) -> Option<Self> {
        let (id, attempt) = text.split_once('-')?;
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
        Some(Self { id: number(id)?, attempt: number(attempt)? })
    }
}

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.attempt)
    }
}

/// An image under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Of its index or manifest.
    pub digest: Digest,
    /// What it says.
    pub stamp: Stamp,
}

impl Stamp {
    /// Reads annotations or labels.
    pub fn read(values: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| {
            let text = values.get(key).map(|text| text.trim())?;
            let sound = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
            sound.then_some(text)
        };
        let commit = |key: &str| text(key).and_then(|text| CommitId::parse(text).ok());
        let named = commit(COMMIT).or_else(|| commit(REVISION));
        Self {
            version: named.as_ref().and_then(|_| text(VERSION)).map(Into::into),
            commit: named,
            reference: text(REF).map(Into::into),
            inputs: text(INPUTS).and_then(InputsHash::parse),
            source: text(SOURCE).map(Into::into),
            run: text(RUN).and_then(RunNumber::parse),
        }
    }

    /// What this one leaves open, as the other says it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            version: if self.commit.is_some() { self.version } else { other.version },
            commit: self.commit.or(other.commit),
            reference: self.reference.or(other.reference),
            inputs: self.inputs.or(other.inputs),
            source: self.source.or(other.source),
            run: self.run.or(other.run),
        }
    }

    /// The annotations that say it: those of our own.
    pub fn annotations(&self) -> Vec<(&'static str, String)> {
        let commit = self.commit.as_ref().map(|commit| (COMMIT, commit.to_string()));
        let reference = self.reference.clone().filter(|text| text.len() <= LONGEST);
        let reference = reference.map(|reference| (REF, reference));
        let inputs = self.inputs.as_ref().map(|inputs| (INPUTS, inputs.to_string()));
        let run = self.run.map(|run| (RUN, run.to_string()));
        commit.into_iter().chain(reference).chain(inputs).chain(run).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(values: &[(&str, &str)]) -> Stamp {
        Stamp::read(&values.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    /// Images of earlier versions are read by these names and values: neither may change.
    #[test]
    fn golden_the_names_and_values_that_images_carry() {
        let sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let full = Stamp {
            commit: Some(CommitId::parse(sha).unwrap()),
            reference: Some("refs/heads/a b".into()),
            inputs: Some(InputsHash { schema: 1, digest: Digest::of(b"") }),
            source: Some("https://github.com/acme/shop".into()),
            run: Some(RunNumber { id: 12, attempt: 3 }),
            version: None,
        };
        let inputs = format!("1:sha256:{hash}");
        let ours = [
            ("io.github.docker-push-action.commit", sha),
            ("io.github.docker-push-action.ref", "refs/heads/a b"),
            ("io.github.docker-push-action.inputs", &inputs),
            ("io.github.docker-push-action.run", "12-3"),
        ];
        let said = full.annotations();
        assert_eq!(said.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>(), ours);
        assert_eq!(Stamp { source: full.source.clone(), ..stamp(&ours) }, full);
        let strangers = [
            ("org.opencontainers.image.revision", sha),
            ("org.opencontainers.image.source", "https://github.com/acme/shop"),
        ];
        assert_eq!(stamp(&strangers), Stamp { reference: None, inputs: None, run: None, ..full });
        assert_eq!(Stamp::default().annotations(), []);
    }

    #[test]
    fn a_version_counts_beside_a_commit_only() {
        let sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
        let version = ("org.opencontainers.image.version", "1.2.3");
        let said = stamp(&[("org.opencontainers.image.revision", sha), version]);
        assert_eq!(said.version.as_deref(), Some("1.2.3"));
        let inherited = stamp(&[version]);
        assert_eq!(inherited.version, None, "of the base image");
        assert_eq!(inherited.or(said.clone()).version, said.version);
        let other = stamp(&[("org.opencontainers.image.revision", sha)]);
        assert_eq!(other.or(said).version, None, "each speaks of its own commit");
    }

    #[test]
    fn a_hash_of_inputs_is_read_as_it_is_written() {
        let digest = Digest::of(b"x");
        for (text, schema) in [
            (format!("1:{digest}"), Some(1)),
            (format!("4294967295:{digest}"), Some(u32::MAX)),
            (digest.to_string(), None),
            (format!("01:{digest}"), None),
            (format!("+1:{digest}"), None),
            (format!("4294967296:{digest}"), None),
            (format!("1:{digest} "), None),
            ("1:".into(), None),
            (String::new(), None),
        ] {
            let expected = schema.map(|schema| InputsHash { schema, digest: digest.clone() });
            assert_eq!(InputsHash::parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_later_run_is_the_greater_one() {
        let run = |text| RunNumber::parse(text).unwrap();
        assert!(run("7-1") < run("7-2") && run("7-2") < run("10-1"));
    }

    #[test]
    fn strangers_are_read_by_the_oci_keys_and_nonsense_is_nothing() {
        let (one, other) = ("1".repeat(40), "2".repeat(40));
        let read = stamp(&[(REVISION, &one), (SOURCE, "https://github.com/a/b")]);
        assert_eq!(read.commit.as_ref().unwrap().as_str(), one);
        assert_eq!(read.source.as_deref(), Some("https://github.com/a/b"));
        assert_eq!(stamp(&[(REVISION, &one), (COMMIT, &other)]).commit.unwrap().as_str(), other);
        let long = "x".repeat(LONGEST + 1);
        for (key, value) in [
            (COMMIT, "main"),
            (REVISION, "abc1234"),
            (INPUTS, "1:sha256:zz"),
            (REF, "a\nb"),
            (REF, &long),
            (SOURCE, ""),
            (RUN, "12"),
            (RUN, "+1-2"),
            (RUN, "1-2-3"),
            (RUN, "99999999999999999999-1"),
        ] {
            assert_eq!(stamp(&[(key, value)]), Stamp::default(), "{key}={value}");
        }
        // A refused one of ours does not hide the other.
        assert_eq!(stamp(&[(COMMIT, "x"), (REVISION, &one)]).commit.unwrap().as_str(), one);
        assert_eq!(stamp(&[(REF, "r")]).or(stamp(&[(REVISION, &one), (REF, "s")])).reference.unwrap(), "r");
    }
}
