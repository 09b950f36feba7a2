//! An index that is made here, of what was pushed in parts.

use std::collections::BTreeMap;

use super::build::BuildPlan;
use crate::model::{Annotation, Platform};

/// An index that is made here, of what was pushed in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPlan {
    /// Its platforms, in order.
    pub platforms: Vec<Platform>,
    /// The labels that the parts' configs have.
    pub labels: BTreeMap<String, String>,
    /// Unix seconds of the parts' `created`, when known.
    pub created: Option<i64>,
    /// The annotations of the whole image: those of manifests are the parts' already.
    pub annotations: Vec<Annotation>,
}

impl From<&BuildPlan> for IndexPlan {
    fn from(image: &BuildPlan) -> Self {
        Self {
            platforms: image.platforms.clone(),
            labels: image.labels.clone(),
            created: image.source_date_epoch,
            annotations: image.annotations.clone(),
        }
    }
}
