//! What a run is about, and whether the registries make a build of it needless or useless.
//!
//! Owns the order of what is asked before a build: the sources and logins, the metadata, the registries. What follows
//! from the answers stands in the plan.

use crate::buildkit::Address;
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::login::Session;
use crate::metadata::{self, Metadata, Outcome};
use crate::model::Repository;
use crate::plan::{self, RunPlan};
use crate::runner::context::RunnerContext;

use super::preflight::Preflight;
use super::record::Record;
use super::{Process, existing, gather, login, publish};

/// What a run is about.
pub enum Decision {
    /// Nothing: that is why.
    Nothing(String),
    /// An image.
    Build(Box<Target>),
}

/// What is built, and where it goes.
pub struct Target {
    /// The tags and all else that is known of it.
    pub metadata: Box<Metadata>,
    /// The logins at its registries that were exchanged for.
    pub own: Vec<Session>,
    /// The look at its registries, if it is to be pushed.
    pub preflight: Option<Preflight>,
    /// Where it does not go after all, as the registries refuse it and that is no failure.
    pub refused: Vec<Repository>,
}

/// Decides what this run is about, and looks at the registries if it is to push.
pub async fn decide(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    address: &Address,
) -> Result<Decision, RunError> {
    let (sources, own) = tokio::join!(
        gather::sources(process, config, context),
        login::exchange(process, config, login::Of::Image)
    );
    let (checkout, head) = sources?;
    let mut metadata = match metadata::derive(context, &checkout, config.into(), head.as_ref())? {
        Outcome::NothingToDo(why) => return Ok(Decision::Nothing(why)),
        Outcome::Build(metadata) => metadata,
    };
    let own = own?;
    let build = |metadata, own, preflight, refused| {
        Ok(Decision::Build(Box::new(Target { metadata, own, preflight, refused })))
    };
    let Some(needed) = plan::access::needed(config, &metadata) else {
        return build(metadata, own, None, Vec::new());
    };
    let config = login::with_logins(config, &own);
    let mut preflight = Preflight::start(process, &config, context, address, &metadata);
    if needed == plan::access::Access::Must {
        return build(metadata, own, Some(preflight), Vec::new());
    }
    let (denials, all) = (preflight.denials().await, config.targets().count());
    plan::access::refused(&mut metadata, all, &denials);
    let preflight = (denials.len() < all).then_some(preflight);
    build(metadata, own, preflight, denials.into_iter().map(|(repository, _)| repository).collect())
}

/// Waits for the registries' verdict as long as that is fair to a build, and publishes an image that is there already and
/// makes the build needless, if the plan looks for one. Whether it did.
pub async fn look_first(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    own: &[Session],
    mut preflight: Option<&mut Preflight>,
    record: &mut Record,
) -> Result<bool, RunError> {
    if let Some(preflight) = &mut preflight {
        let began = tokio::time::Instant::now();
        preflight.before_the_build().await?;
        process.reporter.debug(&format!("waited {} ms for the registry", began.elapsed().as_millis()));
    }
    if !plan.looks_first {
        return Ok(false);
    }
    // Where nothing is pushed, nothing is asked.
    let verdict = match preflight {
        Some(preflight) => Some(preflight.settle(process).await?),
        None => None,
    };
    let found = existing::look(process, config, context, plan, verdict, record).await?;
    if let Some(verdict) = verdict.filter(|_| found) {
        login::create_repositories(process, config, plan, own).await?;
        publish::publish(process, config, context, plan, verdict, record).await?;
    }
    Ok(found)
}
