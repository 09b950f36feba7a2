//! An image that is there already, which the input `from` names: what it was found to be, and which part of it is meant.
//!
//! It is read before the plan, as tags are made of its own commit, and pinned then: whatever its tag is moved to meanwhile, the
//! plan's digest is what is tagged. Nothing is written into it, so that labels and annotations are its own.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Annotation, AnnotationLevel, Digest, ImageName, Platform, Stamp, stamp, text};

/// Tags are put on an image that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenWork {
    /// As it was asked for.
    pub from: ImageName,
    /// What that is: an index, or the manifest of one image.
    pub named: Digest,
    /// What is tagged: the same, or the one of its images that was asked for.
    pub digest: Digest,
    /// The platform that was asked for.
    pub platform: Option<Platform>,
    /// The platforms of what is tagged, in order, as far as they are said.
    pub platforms: Vec<Platform>,
    /// What it says of itself.
    pub stamp: Stamp,
    /// What of it says the commit.
    pub commit_source: Option<CommitSource>,
    /// Its labels, of the first platform where there are several.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: Vec<Annotation>,
    /// Attestations about it stay behind, as they are in the index that it is taken out of.
    pub leaves_attestations: bool,
}

/// What says the commit of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitSource {
    /// The annotation of this action.
    Stamp,
    /// The annotation of the OCI's.
    Annotation,
    /// The label.
    Label,
}

impl CommitSource {
    /// Of an image with these annotations.
    pub fn of<'a>(
        stamp: &Stamp,
        annotations: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
    ) -> Option<Self> {
        let commit = stamp.commit.as_ref()?;
        let read = annotations.into_iter().map(|values| {
            let said = |key: &str| {
                values.get(key).is_some_and(|said| said.trim().eq_ignore_ascii_case(commit.as_str()))
            };
            (said(stamp::COMMIT), said(stamp::REVISION))
        });
        let (stamps, revisions) = read.fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1));
        Some(match (stamps, revisions) {
            (true, _) => Self::Stamp,
            (false, true) => Self::Annotation,
            (false, false) => Self::Label,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::Stamp => "the stamp of this action",
            Self::Annotation => "its annotation org.opencontainers.image.revision",
            Self::Label => "its label org.opencontainers.image.revision",
        }
    }
}

impl GivenWork {
    /// Its commit and how that is known, for people.
    pub(super) fn commit(&self) -> String {
        match (&self.stamp.commit, self.commit_source) {
            (Some(commit), Some(source)) => format!("{commit}, by {}", source.text()),
            _ => "not known: the image does not say it".into(),
        }
    }

    /// What is tagged, for people.
    pub(super) fn text(&self) -> String {
        match &self.platform {
            Some(platform) if self.digest != self.named => {
                format!("{} ({}), of it {platform} ({})", self.from, self.named, self.digest)
            }
            _ => format!("{} ({})", self.from, self.digest),
        }
    }
}

/// Which of several images is meant, by their platforms; all of them, if nothing is asked for. Gives its number.
///
/// # Errors
/// The one that is asked for is not among them, or not one.
pub fn pick(
    images: &[(Option<Platform>, Digest)],
    wanted: Option<&Platform>,
) -> Result<Option<usize>, NotThere> {
    let Some(wanted) = wanted else { return Ok(None) };
    let found: Vec<usize> = (0..images.len()).filter(|one| images[*one].0.as_ref() == Some(wanted)).collect();
    match found.as_slice() {
        [only] => Ok(Some(*only)),
        [] => {
            let name = |platform: &Option<Platform>| match platform {
                Some(platform) => text::name(&platform.to_string()),
                None => "one that does not say its platform".to_owned(),
            };
            let there = images.iter().map(|(platform, _)| name(platform)).collect();
            Err(NotThere::None { wanted: wanted.clone(), there })
        }
        several => {
            let digests = several.iter().map(|one| images[*one].1.clone()).collect();
            Err(NotThere::Several { wanted: wanted.clone(), digests })
        }
    }
}

/// The platform that is asked for is not one of the image's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// It is none of them.
    #[error("it has no image for `{wanted}`, but {}", .there.join(", "))]
    None {
        /// What was asked for.
        wanted: Platform,
        /// What there is. Free of control characters.
        there: Vec<String>,
    },
    /// Several are for it.
    #[error(
        "several of its images are for `{wanted}`: {}",
        .digests.iter().map(Digest::as_str).collect::<Vec<_>>().join(", ")
    )]
    Several {
        /// What was asked for.
        wanted: Platform,
        /// Those that are for it.
        digests: Vec<Digest>,
    },
}

impl NotThere {
    /// What to change.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::None { .. } => "name one of these in `platform`, or leave it out to tag all of it",
            Self::Several { .. } => "name one of these digests in `from`",
        }
    }
}

/// Labels or annotations as they may be told, one a line: what others have written may hold line ends and worse.
pub fn printable(values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let plain =
        |told: &str| if told.chars().any(char::is_control) { text::value(told) } else { told.to_owned() };
    values.iter().map(|(key, value)| (plain(key), plain(value))).collect()
}

/// The annotations of an image, as they are written: those of the index, and those of manifests, for each platform only where
/// they differ.
pub fn annotations(
    index: Option<&BTreeMap<String, String>>,
    manifests: &[(Option<Platform>, &BTreeMap<String, String>)],
) -> Vec<Annotation> {
    let made = |level, platform: Option<&Platform>, values: &BTreeMap<String, String>| {
        let one = |(key, value): (&String, &String)| Annotation {
            level,
            platform: platform.cloned(),
            key: key.clone(),
            value: value.clone(),
        };
        printable(values).iter().map(one).collect::<Vec<_>>()
    };
    let of_index = index.map(|values| made(AnnotationLevel::Index, None, values)).unwrap_or_default();
    let same = manifests.windows(2).all(|two| two[0].1 == two[1].1);
    let told = if same { manifests.get(..1).unwrap_or_default() } else { manifests };
    let of_manifests = told.iter().flat_map(|(platform, values)| {
        made(AnnotationLevel::Manifest, platform.as_ref().filter(|_| !same), values)
    });
    of_index.into_iter().chain(of_manifests).collect()
}

#[cfg(test)]
#[path = "given_tests.rs"]
mod tests;
