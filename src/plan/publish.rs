//! Putting tags on a digest that is in the registry already.

use crate::metadata::PlannedTag;
use crate::model::{Digest, Repository};

use super::{PushPlan, RunPlan};

/// Which tags go on which digest, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishPlan {
    /// Where.
    pub repository: Repository,
    /// What was built and pushed.
    pub digest: Digest,
    /// Tags of one stage may be put at the same time; a stage begins when the one before it is done:
    /// commit and version, then branch or pull request, then `latest`. No stage is empty.
    pub stages: Vec<Vec<PlannedTag>>,
}

/// The tags of a plan, once its digest is known. `None` when nothing is pushed.
pub fn plan_publish(plan: &RunPlan, digest: Digest) -> Option<PublishPlan> {
    let PushPlan::Push { .. } = plan.push else { return None };
    let mut stages: Vec<Vec<PlannedTag>> = Vec::new();
    for tag in &plan.tags {
        match stages.last_mut() {
            Some(stage) if stage.iter().all(|there| there.kind.stage() == tag.kind.stage()) => {
                stage.push(tag.clone());
            }
            _ => stages.push(vec![tag.clone()]),
        }
    }
    Some(PublishPlan { repository: plan.repository.clone(), digest, stages })
}
