//! What an image says of itself, so that a later run can tell whether it may stand in its place.
//!
//! Three annotations of our own hang on the index, or on the manifest of an image without one; their names are here
//! and nowhere else. They are annotations and no labels: labels are inherited by every image that is built `FROM`
//! this one, by any tool, and would then speak of another build. The run's id is not among them: two builds of one
//! commit are the same bytes, and stay so. Images without our annotations are read by the OCI keys.
//! Their authors are strangers: whatever makes no sense counts as not said.

use std::collections::BTreeMap;

use super::{CommitId, Digest};

/// The commit that the image's tags name: of a pull request its head, not the merge commit that was built.
pub const COMMIT: &str = "io.github.docker-push-action.commit";
/// The ref that the image was published for, whole.
pub const REF: &str = "io.github.docker-push-action.ref";
/// The hash of what the image was built from.
pub const INPUTS: &str = "io.github.docker-push-action.inputs";
/// The OCI key of the commit that was built.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// The OCI key of the sources' address.
pub const SOURCE: &str = "org.opencontainers.image.source";

/// The longest text that is taken from an image, in bytes.
const LONGEST: usize = 1024;

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// [`COMMIT`], else [`REVISION`].
    pub commit: Option<CommitId>,
    /// [`REF`].
    pub reference: Option<String>,
    /// [`INPUTS`].
    pub inputs: Option<Digest>,
    /// [`SOURCE`].
    pub source: Option<String>,
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
        Self {
            commit: commit(COMMIT).or_else(|| commit(REVISION)),
            reference: text(REF).map(Into::into),
            inputs: text(INPUTS).and_then(|text| Digest::parse(text).ok()),
            source: text(SOURCE).map(Into::into),
        }
    }

    /// What this one leaves open, as the other says it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            commit: self.commit.or(other.commit),
            reference: self.reference.or(other.reference),
            inputs: self.inputs.or(other.inputs),
            source: self.source.or(other.source),
        }
    }

    /// The annotations that say it: those of our own.
    pub fn annotations(&self) -> Vec<(&'static str, String)> {
        let commit = self.commit.as_ref().map(|commit| (COMMIT, commit.to_string()));
        let reference = self.reference.clone().filter(|text| text.len() <= LONGEST);
        let reference = reference.map(|reference| (REF, reference));
        let inputs = self.inputs.as_ref().map(|inputs| (INPUTS, inputs.to_string()));
        commit.into_iter().chain(reference).chain(inputs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(values: &[(&str, &str)]) -> Stamp {
        Stamp::read(&values.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn says_again_what_was_read() {
        let (commit, inputs) = ("1".repeat(40), Digest::of(b"x").to_string());
        let values = [(COMMIT, commit.as_str()), (REF, "refs/heads/a b"), (INPUTS, &inputs)];
        let read = stamp(&values);
        let said = read.annotations();
        assert_eq!(said.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>(), values);
        assert_eq!(Stamp::default().annotations(), []);
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
            (INPUTS, "sha256:zz"),
            (REF, "a\nb"),
            (REF, &long),
            (SOURCE, ""),
        ] {
            assert_eq!(stamp(&[(key, value)]), Stamp::default(), "{key}={value}");
        }
        // A refused one of ours does not hide the other.
        assert_eq!(stamp(&[(COMMIT, "x"), (REVISION, &one)]).commit.unwrap().as_str(), one);
        assert_eq!(stamp(&[(REF, "r")]).or(stamp(&[(REVISION, &one), (REF, "s")])).reference.unwrap(), "r");
    }
}
