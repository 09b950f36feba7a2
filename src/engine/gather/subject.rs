//! What a run is about, and where it may go.
//!
//! Owns the order of what is asked before a plan: the sources and logins, the metadata, the registries. What follows from
//! the answers stands in the plan.

use super::access::AccessCheck;
use super::sources::sources;
use crate::engine::login;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::login::Session;
use crate::metadata::{self, ContextCommit, Metadata, Outcome, Rules};
use crate::model::{Repository, Targets};
use crate::plan::access::{AccessNeed, needed, refused};

/// What a run is about.
pub(super) struct Subject {
    /// The tags and all else that is known of the image.
    pub metadata: Metadata,
    /// What the ref of a Git context was found to be.
    pub context: Option<ContextCommit>,
    /// Where it may go.
    pub targets: Targets,
    /// The look at its registries, if it is to be pushed.
    pub access: Option<AccessCheck>,
    /// The logins at its registries that were exchanged for.
    pub sessions: Vec<Session>,
}

/// Finds out what this run is about, and begins to look at the registries if it is to push. Nothing: then the report says
/// why.
pub(super) async fn subject(run: &Run<'_>) -> Result<Option<Subject>, RunError> {
    let Run { asked, context, .. } = *run;
    let (sources, sessions) = tokio::join!(sources(run), login::exchange(run, login::Of::Image));
    let (checkout, github) = sources?;
    let found = github.context.clone().and_then(Result::ok);
    // One moment for all that a run is told of it.
    let now = (run.process.now)().saturating_mul(1_000);
    let rules = Rules { now, ..asked.into() };
    let mut metadata = match metadata::derive(context, &checkout, rules, &github)? {
        Outcome::NothingToDo(why) => {
            run.report.nothing(why);
            return Ok(None);
        }
        Outcome::Build(metadata) => *metadata,
    };
    let sessions = sessions?;
    let mut targets = metadata.targets(&asked.targets);
    let mut access = None;
    if let Some(needed) = needed(asked, &metadata) {
        let mut check = AccessCheck::begin(run, &metadata, &targets);
        let denials = match needed {
            AccessNeed::Must => Vec::new(),
            AccessNeed::Decides => check.denials().await,
        };
        refused(&mut metadata, targets.count(), &denials);
        let denied: Vec<Repository> = denials.into_iter().map(|(repository, _)| repository).collect();
        // Where none is left, all stay: the image is built and goes nowhere.
        if let Some(left) = targets.without(&denied) {
            targets = left;
            access = Some(check);
        }
    }
    Ok(Some(Subject { metadata, context: found, targets, access, sessions }))
}
