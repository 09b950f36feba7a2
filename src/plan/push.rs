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

/// Why a run pushes nothing, whatever its tags are, if that is certain by what was asked and what the event allows.
pub fn keeps(asked: Push, by_event: &PushDecision) -> Option<String> {
    match (asked, by_event) {
        (Push::No, _) => Some("`push` is false".into()),
        (Push::Nowhere, _) => Some("each line of `repository` says `enable=false`".into()),
        (Push::Auto, PushDecision::OnlyIfAsked(why)) => Some(format!("{why}; `push: true` would publish it")),
        (Push::Auto | Push::Yes, PushDecision::NoPush(why)) => Some(why.clone()),
        (Push::Auto, PushDecision::Push { .. })
        | (Push::Yes, PushDecision::Push { .. } | PushDecision::OnlyIfAsked(_)) => None,
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
    if let Some(why) = keeps(asked, &metadata.push_default) {
        if let (Push::Yes, PushDecision::NoPush(_)) = (asked, &metadata.push_default) {
            warnings.push(format!("`push: true` has no effect here: {why}"));
        }
        return Ok(PushPlan::Keep { why });
    }
    let plan = match (asked, &metadata.push_default) {
        (Push::Auto, PushDecision::Push { tolerate_refusal }) => {
            PushPlan::Push { tolerate_refusal: *tolerate_refusal, why: metadata.occasion.clone() }
        }
        _ => PushPlan::Push { tolerate_refusal: false, why: "`push` is true".into() },
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
