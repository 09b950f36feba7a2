//! Whether a run pushes, and why: what was asked, and what the event allows.

use super::error::PlanError;
use crate::inputs::config::Push;
use crate::metadata::{Metadata, PushDecision};

/// Whether a run pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushPlan {
    /// It does.
    Push {
        /// A registry that refuses access costs a warning; the image is built all the same.
        tolerate_refusal: bool,
        /// Why, for people.
        why: String,
    },
    /// It does not; why, for people.
    Keep {
        /// The reason.
        why: String,
    },
}

impl PushPlan {
    /// Whether it does.
    pub fn pushes(&self) -> bool {
        matches!(self, Self::Push { .. })
    }

    /// Whether a registry that refuses access costs a warning only.
    pub fn tolerates_refusal(&self) -> bool {
        matches!(self, Self::Push { tolerate_refusal: true, .. })
    }
}

/// Decides whether a run pushes.
///
/// # Errors
/// When a push was asked for and there is no tag to push.
pub(super) fn push_plan(
    asked: Push,
    metadata: &Metadata,
    warnings: &mut Vec<String>,
) -> Result<PushPlan, PlanError> {
    let plan = match (asked, &metadata.push_default) {
        (Push::No, _) => PushPlan::Keep { why: "`push` is false".into() },
        (Push::Nowhere, _) => PushPlan::Keep { why: "each line of `repository` says `enable=false`".into() },
        (Push::Auto, PushDecision::OnlyIfAsked(why)) => {
            PushPlan::Keep { why: format!("{why}; `push: true` would publish it") }
        }
        (asked, PushDecision::NoPush(why)) => {
            if asked == Push::Yes {
                warnings.push(format!("`push: true` has no effect here: {why}"));
            }
            PushPlan::Keep { why: why.clone() }
        }
        (Push::Yes, _) => PushPlan::Push { tolerate_refusal: false, why: "`push` is true".into() },
        (Push::Auto, PushDecision::Push { tolerate_refusal }) => {
            PushPlan::Push { tolerate_refusal: *tolerate_refusal, why: metadata.occasion.clone() }
        }
    };
    match plan {
        // A list of rules that has none for this event is how people say that it publishes nothing.
        PushPlan::Push { .. }
            if asked == Push::Auto && metadata.tags.is_empty() && !metadata.no_tag.is_empty() =>
        {
            Ok(PushPlan::Keep { why: "no line of `tags` makes a tag for this event".into() })
        }
        PushPlan::Push { .. } if metadata.tags.is_empty() && !metadata.no_tag.is_empty() => {
            let lines = metadata.no_tag.iter().map(|line| format!("line {}: {}", line.place.line, line.why));
            Err(PlanError::NoTag(lines.collect::<Vec<_>>().join("; ")))
        }
        PushPlan::Push { .. } if metadata.tags.is_empty() => {
            Err(PlanError::NoTag(metadata.warnings.last().cloned().unwrap_or_default()))
        }
        plan => Ok(plan),
    }
}
