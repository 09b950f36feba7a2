//! What a run is about, and where it may go.
//!
//! Owns the order of what is asked before a plan: the sources and logins, the image that is to be tagged, the metadata, the
//! registries. What follows from the answers stands in the plan.

use super::access::AccessCheck;
use super::given::{self, Found, Given};
use super::sources::sources;
use crate::engine::login;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::login::Session;
use crate::metadata::{self, ContextCommit, Metadata, Outcome, Rules};
use crate::model::Targets;
use crate::plan::access::{AccessNeed, needed, refused, without, without_login};
use crate::plan::given::GivenWork;

/// What a run is about.
pub(super) struct Subject {
    /// The tags and all else that is known of the image.
    pub metadata: Metadata,
    /// What the ref of a Git context was found to be.
    pub context: Option<ContextCommit>,
    /// The image that `from` names, if one is to be tagged.
    pub given: Option<Box<GivenWork>>,
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
    let looking = async {
        let exchanged = login::exchange(run, login::Of::Image).await;
        (exchanged, given::find(run).await)
    };
    let (sources, (exchanged, given)) = tokio::join!(sources(run), looking);
    let (checkout, github) = sources?;
    let given = match given? {
        Found::NotAsked => None,
        Found::Image(given) => Some(*given),
        Found::Nothing(why) => {
            run.report.nothing(why);
            return Ok(None);
        }
    };
    let found = github.context.clone().and_then(Result::ok);
    // One moment for all that a run is told of it.
    let now = (run.process.now)().saturating_mul(1_000);
    let rules = Rules { now, given: given.as_ref().map(|given| &given.image), ..asked.into() };
    let mut metadata = match metadata::derive(context, &checkout, rules, &github)? {
        Outcome::NothingToDo(why) => {
            run.report.nothing(why);
            return Ok(None);
        }
        Outcome::Build(metadata) => *metadata,
    };
    let mut targets = metadata.targets(&asked.targets);
    let mut access = None;
    let needed = needed(asked, &metadata);
    let pushed_to = needed.map(|_| targets.registries()).unwrap_or_default();
    let sessions = exchanged.needed_at(run, &pushed_to)?;
    if let Some(needed) = needed {
        let mut left_out = without_login(asked, needed, &targets).map_err(RunError::Inputs)?;
        if let Some(left) = without(&targets, &left_out).filter(|_| !asked.dry_run) {
            let mut check = AccessCheck::begin(run, &metadata, &left);
            if needed == AccessNeed::Decides {
                left_out.extend(check.denials().await);
            }
            access = Some(check);
        }
        match refused(&mut metadata, asked.mode.builds(), &targets, &left_out) {
            Some(left) => targets = left,
            // All stay: the image goes nowhere.
            None => access = None,
        }
    }
    let given = given.map(|Given { work, .. }| Box::new(work));
    Ok(Some(Subject { metadata, context: found, given, targets, access, sessions }))
}
