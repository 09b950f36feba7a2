//! Putting tags on a digest that is in the registry already.

use serde::Serialize;

use crate::inputs::config::TagRules;
use crate::metadata::{PlannedTag, Subject, TagSource};
use crate::model::{CommitId, Digest, Repository, Stamp, Tag};

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
    pub rules: TagRules,
}

/// The names of one ref's commit tags: `{commit}-{slug}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTags {
    /// Characters of the commit's id.
    length: usize,
    /// `-main`.
    suffix: String,
}

impl CommitTags {
    /// The names, by the tag of one commit.
    pub(super) fn like(tag: &Tag, commit: &CommitId) -> Option<Self> {
        let (id, rest) = tag.as_str().split_once('-')?;
        (commit.cut(id.len()) == id).then(|| Self { length: id.len(), suffix: format!("-{rest}") })
    }

    /// The tag of this commit.
    pub fn of(&self, commit: &CommitId) -> Option<Tag> {
        Tag::parse(&format!("{}{}", commit.cut(self.length), self.suffix)).ok()
    }
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
    let mut stages: Vec<Vec<PlannedTag>> = Vec::new();
    for tag in &plan.tags {
        match stages.last_mut() {
            Some(stage) if stage.iter().all(|there| there.policy.stage == tag.policy.stage) => {
                stage.push(tag.clone());
            }
            _ => stages.push(vec![tag.clone()]),
        }
    }
    Some(PublishPlan { repository: repository.clone(), digest, stages, ours: ours(plan) })
}

/// The image of a plan, as the order of images knows it.
pub fn ours(plan: &RunPlan) -> Ours {
    let own = plan.tags.iter().find(|tag| tag.source == TagSource::Commit);
    let commit_tags =
        own.zip(plan.stamp.commit.as_ref()).and_then(|(own, commit)| CommitTags::like(&own.tag, commit));
    // Also where this run has none, as it has built something else than the request's head.
    let commit_tags = commit_tags.or(match plan.subject {
        Subject::PullRequest(Some(number)) => {
            Some(CommitTags { length: plan.tag_rules.sha_length, suffix: format!("-pr-{number}") })
        }
        _ => None,
    });
    Ours { stamp: plan.stamp.clone(), forced: plan.forced, commit_tags, rules: plan.tag_rules }
}
