//! The inputs that say whether a tag may move, and whether an image that is there already will do.

use super::fault::Findings;
use super::parse;
use super::raw::RawInputs;

/// What is asked for besides the tags themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagOptions {
    /// `hold_back`: a moving tag never goes to an older commit.
    pub hold_back: bool,
    /// `existing_version`.
    pub existing_version: ExistingVersion,
    /// `promote`.
    pub promote: Promote,
    /// `sha_length`: by it the tags of other commits are found.
    pub sha_length: usize,
}

impl Default for TagOptions {
    fn default() -> Self {
        Self {
            hold_back: true,
            existing_version: ExistingVersion::Fail,
            promote: Promote::Auto,
            sha_length: 40,
        }
    }
}

/// What becomes of a version tag that is on another commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExistingVersion {
    /// The run fails, before anything is built.
    Fail,
    /// It stays.
    Skip,
    /// It moves.
    Overwrite,
}

/// Whether the commit's image is taken instead of another build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promote {
    /// For a Git tag, a release or a version.
    Auto,
    /// Always; without such an image the run fails.
    Only,
    /// Never.
    Never,
}

/// Reads the three inputs. A length of commit ids that is at fault is reported by whoever read it, and the default is used.
pub(super) fn read(inputs: &RawInputs, sha_length: Option<usize>, findings: &mut Findings) -> TagOptions {
    let default = TagOptions::default();
    let sha_length = sha_length.unwrap_or(default.sha_length);
    let hold_back = findings.take(parse::boolean("hold_back", &inputs.hold_back, default.hold_back));
    let existing = parse::one_of(
        "existing_version",
        &inputs.existing_version,
        &[
            ("fail", ExistingVersion::Fail),
            ("skip", ExistingVersion::Skip),
            ("overwrite", ExistingVersion::Overwrite),
        ],
    );
    let promote = parse::one_of(
        "promote",
        &inputs.promote,
        &[("auto", Promote::Auto), ("only", Promote::Only), ("never", Promote::Never)],
    );
    TagOptions {
        hold_back: hold_back.unwrap_or(default.hold_back),
        existing_version: findings.take(existing).unwrap_or(default.existing_version),
        promote: findings.take(promote).unwrap_or(default.promote),
        sha_length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let inputs = |hold_back: &str, existing_version: &str, promote: &str| RawInputs {
            hold_back: hold_back.into(),
            existing_version: existing_version.into(),
            promote: promote.into(),
            ..RawInputs::default()
        };
        let mut findings = Findings::default();
        assert_eq!(read(&inputs("", "", ""), None, &mut findings), TagOptions::default());
        let other = TagOptions {
            hold_back: false,
            existing_version: ExistingVersion::Skip,
            promote: Promote::Only,
            sha_length: 7,
        };
        assert_eq!(read(&inputs("false", " skip ", "only"), Some(7), &mut findings), other);
        assert!(findings.faults.is_empty());
        read(&inputs("maybe", "replace", "yes\n"), None, &mut findings);
        let texts: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[1].contains("`existing_version`") && texts[1].contains("`overwrite`"), "{texts:?}");
    }
}
