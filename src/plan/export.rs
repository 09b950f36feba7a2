//! What else is made of an image that is published.

use std::time::Duration;

use crate::model::CacheEntry;

/// One thing that is made of the image besides, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportPlan {
    /// The build cache is written.
    Cache(CacheExport),
}

/// The build cache, written when the image is out: every node solves its build again, with nothing else to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheExport {
    /// The places, as they were asked for.
    pub to: Vec<CacheEntry>,
    /// The places of each node, in the nodes' order: of several each has its own.
    pub each: Vec<Vec<CacheEntry>>,
    /// Longest time that all of them may take.
    pub timeout: Duration,
}
