//! What else is made of an image that is published.

use std::time::Duration;

use super::archive::ArchivePlan;
use super::load::LoadPlan;
use super::output::OutputPlan;
use crate::model::CacheEntry;

/// One thing that is made of the image besides, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportPlan {
    /// It is put into the local daemon.
    Load(LoadPlan),
    /// It is written to a file.
    Archive(ArchivePlan),
    /// What an exporter of BuildKit makes of it.
    Output(OutputPlan),
    /// The build cache is written.
    Cache(CacheExport),
}

impl ExportPlan {
    /// The cache, if that is it.
    pub fn cache(&self) -> Option<&CacheExport> {
        match self {
            Self::Cache(cache) => Some(cache),
            Self::Load(_) | Self::Archive(_) | Self::Output(_) => None,
        }
    }

    /// What the daemon gets, if that is it.
    pub fn load(&self) -> Option<&LoadPlan> {
        match self {
            Self::Load(load) => Some(load),
            Self::Cache(_) | Self::Archive(_) | Self::Output(_) => None,
        }
    }

    /// What an exporter makes, if that is it.
    pub fn output(&self) -> Option<&OutputPlan> {
        match self {
            Self::Output(output) => Some(output),
            Self::Cache(_) | Self::Load(_) | Self::Archive(_) => None,
        }
    }

    /// The file, if that is it.
    pub fn archive(&self) -> Option<&ArchivePlan> {
        match self {
            Self::Archive(archive) => Some(archive),
            Self::Cache(_) | Self::Load(_) | Self::Output(_) => None,
        }
    }
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
