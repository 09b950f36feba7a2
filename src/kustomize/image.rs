//! The image that a file is to name.

use crate::model::{Digest, Repository, Tag};

/// What stands in the place of the image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImage {
    /// Where it is.
    pub repository: Repository,
    /// Its tag.
    pub tag: Tag,
    /// Its digest; without one, a digest that is in the file is removed.
    pub digest: Option<Digest>,
}

impl NewImage {
    /// The repository as it is to be written where this text stands: that text, if it names this repository in another spelling
    /// (`acme/api` of Docker Hub).
    pub(super) fn repository_beside(&self, written: &str) -> String {
        if self.is_at(written) { written.to_owned() } else { self.repository.to_string() }
    }

    /// Whether this text names the repository.
    pub(super) fn is_at(&self, written: &str) -> bool {
        !written.bytes().any(|byte| byte.is_ascii_uppercase())
            && Repository::of_image(written).is_ok_and(|repository| repository == self.repository)
    }

    /// The whole reference, with the repository in this spelling.
    pub(super) fn reference(&self, repository: &str) -> String {
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}"));
        format!("{repository}:{}{}", self.tag, digest.unwrap_or_default())
    }
}
