//! Legs and their merge: an image whose platforms are built by jobs of their own.
//!
//! A leg is one platform, pushed under no tag; its stamp and the annotations of the index are the merge's to write. The
//! merge builds nothing: it says which index the legs make, and puts tags on it as any run does. What it publishes is to
//! be the same to later runs as one build of all platforms, so its stamp has the same hash of the inputs.

use std::collections::BTreeMap;

use super::attached::place;
use super::index::IndexPlan;
use super::inputs_hash;
use crate::metadata::{Moves, PlannedTag, labels::CREATED};
use crate::model::{
    Annotation, AnnotationLevel, Digest, InputsHash, Platform, sort_by, stamp::INPUTS, stamp::RUN,
    stamp::RunNumber,
};

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegPlan {
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The key of what decides the tags, by which the merge finds it.
    pub tags: Digest,
    /// The platform.
    pub platform: Platform,
    /// The hash of what it is built from, but for the platform.
    pub common: Option<InputsHash>,
    /// The versions' tags that the merge will put: looked at before anything is built.
    pub versions: Vec<PlannedTag>,
}

/// The index of a run's legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergePlan {
    /// `GITHUB_RUN_ID`.
    pub run: u64,
    /// Which attempt of the run.
    pub attempt: u64,
    /// The key of what decides the tags, by which it finds its legs.
    pub tags: Digest,
}

/// Those annotations that a leg of this platform writes itself: its manifest's. The merge writes all others.
pub(super) fn own_annotations(all: &[Annotation], platform: &Platform) -> Vec<Annotation> {
    let own = |one: &&Annotation| {
        one.level == AnnotationLevel::Manifest && one.platform.as_ref().is_none_or(|other| other == platform)
    };
    all.iter().filter(own).cloned().collect()
}

/// What the legs of an image say together of what it was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegInputs {
    /// All were built from the same.
    Same(InputsHash),
    /// Not all were: why the image says nothing, for people.
    Different(String),
    /// None of them says it.
    Unknown,
}

impl LegInputs {
    /// What these legs say, each of its platform.
    pub fn of(legs: &[(&Platform, Option<&InputsHash>)]) -> Self {
        let mut groups: Vec<(Option<&InputsHash>, Vec<String>)> = Vec::new();
        for (platform, inputs) in legs {
            let platform = format!("`{platform}`");
            match groups.iter_mut().find(|(known, _)| known == inputs) {
                Some((_, platforms)) => platforms.push(platform),
                None => groups.push((*inputs, vec![platform])),
            }
        }
        match groups.as_slice() {
            [] | [(None, _)] => Self::Unknown,
            [(Some(inputs), _)] => Self::Same((*inputs).clone()),
            several => {
                let said = several.iter().map(|(inputs, platforms)| {
                    let platforms = platforms.join(", ");
                    inputs.map_or_else(
                        || format!("{platforms} from what is not known before a build"),
                        |inputs| format!("{platforms} from {}", inputs.digest.short()),
                    )
                });
                Self::Different(format!(
                    "the legs were built from different inputs (build arguments, Dockerfile, target and the like: {}), so \
                     the image does not say what it was built from, and a release of this commit builds it again",
                    said.collect::<Vec<_>>().join("; ")
                ))
            }
        }
    }
}

/// The index of legs once it is known which attempt of the run has built the last of them: the image says that one, and not
/// the merge's own, so that a merge which is run again makes the same bytes. What the user says wins.
#[must_use]
pub fn with_attempt(mut index: IndexPlan, merge: &MergePlan, legs: impl Iterator<Item = u64>) -> IndexPlan {
    let by = |attempt| RunNumber { id: merge.run, attempt }.to_string();
    let (planned, built) = (by(merge.attempt), by(legs.max().unwrap_or(merge.attempt)));
    let ours = index
        .annotations
        .iter_mut()
        .find(|one| (one.level, one.key.as_str(), &one.value) == (AnnotationLevel::Index, RUN, &planned));
    if let Some(ours) = ours {
        ours.value = built;
    }
    index
}

/// The index of legs once it is known what they were built from: where that was the same, the image says it. An index
/// around one platform says nothing: a build of that platform alone makes none.
#[must_use]
pub fn with_inputs(mut index: IndexPlan, legs: &LegInputs) -> IndexPlan {
    let LegInputs::Same(common) = legs else { return index };
    if index.platforms.len() < 2 {
        return index;
    }
    let inputs = inputs_hash::inputs_hash(common, &index.platforms);
    let ours = Annotation {
        level: AnnotationLevel::Index,
        platform: None,
        key: INPUTS.to_owned(),
        value: inputs.to_string(),
    };
    // What the user says wins.
    if index.annotations.iter().all(|known| place(known) != place(&ours)) {
        index.annotations.push(ours);
        sort_by(&mut index.annotations, |a, b| place(a).cmp(&place(b)));
    }
    index
}

/// An index that is under the commit's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its images.
    pub images: Vec<(Option<Platform>, Digest)>,
}

/// The tag under which an earlier attempt of the run has left the image, if there was one.
pub fn left_by_an_earlier_attempt<'a>(
    merge: &MergePlan,
    mut tags: impl Iterator<Item = &'a PlannedTag>,
) -> Option<&'a PlannedTag> {
    let own = tags.find(|tag| tag.policy.moves == Moves::Free);
    own.filter(|_| merge.attempt > 1)
}

/// Whether this is the index that the merge would make: of its platforms, with what it says of itself, and with the
/// images of the legs that are still recorded.
pub fn is_merged(index: &IndexPlan, found: &Published, recorded: &[Digest]) -> bool {
    let platforms: Option<Vec<&Platform>> =
        found.images.iter().map(|(platform, _)| platform.as_ref()).collect();
    // Without a checkout the commit's time is the payload's, which can be another; and this attempt is not that one.
    let said =
        |one: &&Annotation| one.level == AnnotationLevel::Index && one.key != CREATED && one.key != RUN;
    let mut said = index.annotations.iter().filter(said);
    platforms.is_some_and(|platforms| platforms.into_iter().eq(&index.platforms))
        && said.all(|one| found.annotations.get(&one.key) == Some(&one.value))
        && recorded.iter().all(|leg| found.images.iter().any(|(_, image)| image == leg))
}

#[cfg(test)]
#[path = "legs_tests.rs"]
mod tests;
