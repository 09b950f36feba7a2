//! Tags that never move by themselves: what becomes of one that is there already.

use super::decide::SHOWN;
use crate::inputs::config::ExistingVersion;
use crate::metadata::{Moves, PlannedTag};
use crate::model::{CommitId, Digest, Stamped, Tag};
use crate::plan::publish::Ours;

/// A version tag that is on another commit's image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the version's tag `{tag}` exists already, on {} ({digest})",
    commit.as_ref().map_or_else(|| "an image that does not say its commit".to_owned(), |commit| format!("the image of commit {commit}"))
)]
pub struct VersionTaken {
    /// The tag.
    pub tag: Tag,
    /// The commit of the image that has it, if that says so.
    pub commit: Option<CommitId>,
    /// That image.
    pub digest: Digest,
}

/// What becomes of a tag that does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionVerdict {
    /// It is put.
    Free,
    /// It is there for this commit, on this image, which is the run's result.
    Kept(Digest),
    /// It stays where it is: why.
    Held(String),
    /// The run fails.
    Taken(VersionTaken),
}

/// Whether the tag of a version, or one that is put only where it is free, goes on our image `digest`, if there is one yet;
/// it is on `found` now.
pub fn version(
    tag: &PlannedTag,
    found: Option<&Stamped>,
    ours: &Ours,
    digest: Option<&Digest>,
) -> VersionVerdict {
    let Some(found) = found else { return VersionVerdict::Free };
    let same = found.stamp.commit.is_some() && found.stamp.commit == ours.stamp.commit;
    let same = same || Some(&found.digest) == digest;
    if tag.policy.moves == Moves::IfFree {
        return match &found.stamp.commit {
            _ if same => VersionVerdict::Free,
            Some(commit) => {
                VersionVerdict::Held(format!("it is on the image of commit {}", commit.cut(SHOWN)))
            }
            None => VersionVerdict::Held("it is on an image that does not say its commit".into()),
        };
    }
    if same {
        return VersionVerdict::Kept(found.digest.clone());
    }
    match ours.options.existing_version {
        ExistingVersion::Overwrite => VersionVerdict::Free,
        ExistingVersion::Skip => VersionVerdict::Held(match &found.stamp.commit {
            Some(commit) => format!("the version exists for commit {}", commit.cut(SHOWN)),
            None => "the version exists, on an image that does not say its commit".into(),
        }),
        ExistingVersion::Fail => VersionVerdict::Taken(VersionTaken {
            tag: tag.tag.clone(),
            commit: found.stamp.commit.clone(),
            digest: found.digest.clone(),
        }),
    }
}
