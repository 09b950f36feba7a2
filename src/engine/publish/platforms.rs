//! Further tags in one repository, each on the image of a single platform.
//!
//! What is done next, the plan's [`Following`] says: this file does it.

use super::tags::put;
use crate::engine::repository_view::RepositoryView;
use crate::error::RunError;
use crate::model::{Digest, Repository, Tag};
use crate::plan::RunPlan;
use crate::plan::order::{FollowReply, FollowStep, Following, Parts, Progress};
use crate::plan::platform_tags::PlatformTag;
use crate::plan::publish::HeldBack;
use crate::registry::RegistryError;

/// Puts the tags of single platforms where their own tags are now. Those of tags that this run has not put stay where they
/// are.
///
/// # Errors
/// The registry does not take one, or cannot be read.
pub(super) async fn follow(
    view: &RepositoryView<'_>,
    plan: &RunPlan,
    repository: &Repository,
    progress: &Progress,
) -> Result<(Vec<PlatformTag>, Vec<HeldBack>), RunError> {
    let is_put =
        |tag: &Tag| progress.published.iter().any(|one| one.tag == *tag) || progress.passed_on.contains(tag);
    let tags = plan.platform_tags.iter().filter(|tag| tag.is_for(repository)).cloned();
    let (tags, left): (Vec<_>, Vec<_>) = tags.partition(|tag| is_put(&tag.of));
    let mut following = Following::new(tags);
    loop {
        let reply = match following.next() {
            FollowStep::Read(tags) => {
                let found = view.read(&tags).await?;
                FollowReply::Read(found.into_iter().map(|found| found.map(|found| found.digest)).collect())
            }
            FollowStep::Parts(image) => FollowReply::Parts(parts(view, &image).await?),
            FollowStep::Put(puts) => {
                let (done, failure) = put(view, &puts).await;
                if let Some(error) = failure {
                    return Err(error.into());
                }
                FollowReply::Put(done.into_iter().map(|(_, _, putting)| putting).collect())
            }
            FollowStep::Done => break,
        };
        following.answer(reply);
    }
    let (placed, mut held_back) = following.outcome(&progress.digest);
    let held =
        left.into_iter().map(|tag| HeldBack { reason: format!("it goes with `{}`", tag.of), tag: tag.tag });
    held_back.extend(held);
    Ok((placed, held_back))
}

/// The images of single platforms that an image is made of.
async fn parts(view: &RepositoryView<'_>, image: &Digest) -> Result<Parts, RegistryError> {
    let metadata = view.metadata(image).await?;
    let parts = metadata.platforms.into_iter().filter_map(|part| Some((part.platform?, part.digest)));
    Ok(parts.collect())
}
