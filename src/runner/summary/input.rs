//! What the summary shows.

use std::time::Duration;

pub use super::gantt::StepRow;
use crate::model::{Digest, Platform};
use crate::runner::command::Annotation;

/// A part of the run and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `facts`, `build`, `push`, `tags`, …
    pub name: String,
    /// Wall time.
    pub time: Duration,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the registry, under its tags.
    Pushed,
    /// The same, of an image that was there before.
    Promoted,
    /// The same, of one that the workflow has named.
    Tagged,
    /// In the registry, and not under its tags yet.
    Staged,
    /// In the registry under no tag: one platform of an image that another job joins.
    Leg(Platform),
    /// Built, not pushed: why not.
    Built(String),
    /// The Dockerfile was checked.
    Checked {
        /// How many findings there are.
        findings: usize,
        /// Why it could not be built, in lines, where that is no failure.
        failure: Option<String>,
    },
    /// Only planned.
    DryRun,
    /// There was nothing to do: why.
    Nothing(String),
    /// It was asked to stop: by what, in lines.
    Cancelled(String),
    /// The error, its chain in lines, and where it is explained.
    Failed(String, Vec<Explained>),
}

/// A kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its code: `run-failed`.
    pub code: &'static str,
    /// The page that explains it, where that is known.
    pub page: Option<String>,
}

/// One platform of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformRow {
    /// What it runs on.
    pub platform: Platform,
    /// Its manifest.
    pub digest: Digest,
    /// Compressed size of config and layers in bytes, when known.
    pub size: Option<u64>,
    /// The same of the image that the tag was on before, where that is compared.
    pub before: Option<u64>,
    /// Tags of its own.
    pub tags: Vec<String>,
    /// Its layers from the first; those of before that are gone come last.
    pub layers: Vec<LayerRow>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// The instruction that made it, where that is known.
    pub made_by: Option<String>,
    /// Compressed size in bytes.
    pub size: u64,
    /// What it was before.
    pub change: Change,
}

/// How a layer differs from those of the image that the tag was on before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nobody has compared.
    Unknown,
    /// It is the same.
    Same,
    /// The same instruction made one of this size.
    Other(u64),
    /// There was none of this instruction.
    New,
    /// It is there no more.
    Gone,
}

/// The image that sizes are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The tag that was on it.
    pub tag: String,
    /// Its commit, cut for people, with the page that compares the two.
    pub commit: Option<(String, Option<String>)>,
}

/// A tag that is on the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The tag; where repositories differ, the whole reference.
    pub name: String,
    /// What it was on before.
    pub was: Was,
    /// Why it is put.
    pub reason: String,
}

/// What a tag was on before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// Nobody has looked.
    Unknown,
    /// Nothing.
    New,
    /// The same image.
    Same,
    /// The image of a commit, cut for people; with the page that compares the two.
    Commit(String, Option<String>),
    /// Another image, which does not say of which commit.
    Other(Digest),
}

/// What became of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRow {
    /// Which.
    pub name: String,
    /// What was done, and why.
    pub text: String,
    /// The page of the pull request.
    pub url: Option<String>,
}

/// The file that the image is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRow {
    /// Its path.
    pub file: String,
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// A check of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRow {
    /// As the input says it.
    pub check: String,
    /// Where the image was run.
    pub platform: Platform,
    /// How long it took.
    pub time: Duration,
    /// It has passed.
    pub well: bool,
}

/// A finding of a build check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// `Dockerfile:7`, when known.
    pub place: Option<String>,
    /// The rule.
    pub rule: String,
    /// What is found.
    pub text: String,
    /// What the rule is about.
    pub description: String,
    /// The page that explains it.
    pub url: String,
}

/// What the cache did for a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheSummary {
    /// Steps that did not have to run, of all; none where nothing was built.
    pub steps: Option<(usize, usize)>,
    /// What it saved and what it cost, in parts.
    pub parts: Vec<String>,
    /// The first step that had to run, and why.
    pub miss: Option<(String, String)>,
}

/// All that the summary shows. Empty parts are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryInput {
    /// How it ended.
    pub outcome: Outcome,
    /// How long the run took.
    pub time: Duration,
    /// The commit that it is about, cut for people, with its page.
    pub commit: Option<(String, String)>,
    /// `ghcr.io/acme/shop/api`, the first one first, each with its page where that is known.
    pub repositories: Vec<(String, Option<String>)>,
    /// The Dockerfile, where that is what the run is about.
    pub dockerfile: Option<String>,
    /// What its check has found.
    pub checks: Vec<CheckRow>,
    /// What to pull: by tag, and by digest.
    pub references: Vec<String>,
    /// Tags that are on it.
    pub tags: Vec<TagRow>,
    /// Tags that were not moved, and why.
    pub held_back: Vec<(String, String)>,
    /// What the image has passed, or has not.
    pub verified: Vec<VerifiedRow>,
    /// The file that it is in.
    pub archive: Option<ArchiveRow>,
    /// Environments that were told of it.
    pub environments: Vec<EnvironmentRow>,
    /// The result by platform.
    pub platforms: Vec<PlatformRow>,
    /// What their sizes are compared with.
    pub since: Option<Since>,
    /// Parts of the run in order.
    pub phases: Vec<Phase>,
    /// What was tried again, and whether that helped.
    pub retries: Vec<String>,
    /// What the cache did.
    pub cache: CacheSummary,
    /// Steps of the build in order of their numbers.
    pub steps: Vec<StepRow>,
    /// What was annotated; errors are not repeated.
    pub findings: Vec<Annotation>,
    /// Findings that GitHub does not show beside the code, because there were too many.
    pub hidden_findings: usize,
    /// The last lines that the step wrote which failed.
    pub output: Vec<String>,
}
