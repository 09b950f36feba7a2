//! What becomes of the image in one repository.

use crate::metadata::PlannedTag;
use crate::model::{Digest, Platform, Repository, Stamped, Tag};
use crate::plan::platform_tags::PlatformTag;
use crate::plan::publish::HeldBack;
use crate::registry::ImageMetadata;

/// What became of the image in one repository, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct TargetOutcome {
    /// The repository.
    pub repository: Repository,
    /// The result there: what was built, what was copied there, or what a version's tag was on already.
    pub digest: Option<Digest>,
    /// Tags that are on the digest now.
    pub published: Vec<PlannedTag>,
    /// Tags that are on the images of single platforms of it.
    pub platform_tags: Vec<PlatformTag>,
    /// Tags that are not, and why.
    pub held_back: Vec<HeldBack>,
    /// What tags were on before, if anything, as far as it was read.
    pub before: Vec<(Tag, Option<Stamped>)>,
    /// All are where they belong.
    pub pushed: bool,
    /// The image as the registry holds it.
    pub metadata: Option<ImageMetadata>,
}

impl TargetOutcome {
    /// Nothing has become of it yet; its digest, once it is known.
    pub(in crate::engine) fn begun(repository: &Repository, digest: Option<&Digest>) -> Self {
        Self {
            repository: repository.clone(),
            digest: digest.cloned(),
            published: Vec::new(),
            platform_tags: Vec::new(),
            held_back: Vec::new(),
            before: Vec::new(),
            pushed: false,
            metadata: None,
        }
    }

    /// The tags of its own that the image of a platform has.
    pub(in crate::engine) fn tags_of(&self, platform: &Platform) -> impl Iterator<Item = &Tag> {
        self.platform_tags.iter().filter(move |one| one.platform == *platform).map(|one| &one.tag)
    }
}
