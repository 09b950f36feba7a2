//! Putting tags on a digest that is in the registry already.

use serde::Serialize;

use crate::inputs::config::TagOptions;
use crate::metadata::{CommitTags, PlannedTag, Stage, Subject};
use crate::model::{Digest, Repository, Stamp, Tag};

use super::run::RunPlan;

/// Which tags go on which digest, in which order, and what decides whether they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishPlan {
    /// Where.
    pub repository: Repository,
    /// What was built and pushed, or was there already.
    pub digest: Digest,
    /// Tags of one stage may be put at the same time; a stage begins when the one before it is done:
    /// commit and version, then branch or pull request, then `latest`. No stage is empty.
    pub stages: Vec<Vec<PlannedTag>>,
    /// What our image is, beside those that it may replace.
    pub ours: Ours,
}

/// Our image, as the order of images knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// Its commit and ref, and where its sources are.
    pub stamp: Stamp,
    /// Its commit replaced others on the ref, by a push that threw those away.
    pub forced: bool,
    /// What the tags of other commits of the same ref are called.
    pub commit_tags: Option<CommitTags>,
    /// What was asked for.
    pub options: TagOptions,
}

/// A tag that was not put or moved, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// The tag.
    pub tag: Tag,
    /// Why, for people. Free of control characters, otherwise as hostile as a branch name.
    pub reason: String,
}

/// The tags of a plan in one of its repositories, once the digest is known. `None` when nothing is pushed.
pub fn plan_publish(plan: &RunPlan, repository: &Repository, digest: Digest) -> Option<PublishPlan> {
    if !plan.push.pushes() {
        return None;
    }
    let stage = |stage| tags_in(plan, repository).filter(move |tag| tag.policy.stage == stage).cloned();
    let stages = [Stage::First, Stage::Second, Stage::Last].map(|one| stage(one).collect::<Vec<_>>());
    let stages = stages.into_iter().filter(|stage| !stage.is_empty()).collect();
    let repository = repository.clone();
    Some(PublishPlan { digest, stages, ours: ours(plan, &repository), repository })
}

/// The tags of a plan that are put in this repository.
pub fn tags_in<'a>(
    plan: &'a RunPlan,
    repository: &'a Repository,
) -> impl Iterator<Item = &'a PlannedTag> + Clone {
    plan.tags.iter().filter(|tag| tag.is_for(repository))
}

/// The image of a plan, as the order of images in this repository knows it.
pub fn ours(plan: &RunPlan, repository: &Repository) -> Ours {
    let commit_tags = tags_in(plan, repository).find_map(|tag| tag.commit_tags.clone());
    // Also where this run has none, as it has built something else than the request's head.
    let commit_tags = commit_tags.or(match plan.subject {
        Subject::PullRequest(Some(number)) if !plan.is_by_rules() => Some(CommitTags {
            prefix: String::new(),
            length: plan.tag_options.sha_length,
            suffix: format!("-pr-{number}"),
        }),
        _ => None,
    });
    Ours { stamp: plan.stamp.clone(), forced: plan.forced, commit_tags, options: plan.tag_options }
}
