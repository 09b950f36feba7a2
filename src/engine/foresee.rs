//! What a dry run looks up: what publishing would find under the planned tags, and whether an image would be promoted.
//!
//! Reads only. No upload is begun, so that whether this job may push is not known; no helper container is started, so that
//! a registry that takes one to be reached is not asked.

use std::time::Duration;

use crate::buildkit::Address;
use crate::docker::reach_loopback_as_it_is;
use crate::inputs::config::Config;
use crate::model::Tag;
use crate::plan::order::{Known, Question};
use crate::plan::outlook::{Outlook, fate};
use crate::plan::promote::Promotion;
use crate::plan::publish::ours;
use crate::plan::{PushPlan, RunPlan};
use crate::runner::context::RunnerContext;

use super::Process;
use super::existing::choose;
use super::history::Historian;
use super::persist::hurry;
use super::publish::Shelf;
use super::registries::Registries;

/// Nobody waits longer for a look.
const LONGEST: Duration = Duration::from_secs(20);

/// Looks, if the plan is to push.
pub async fn foresee(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    daemon: &Address,
) -> Option<Outlook> {
    let PushPlan::Push { .. } = plan.push else { return None };
    let looking = look(process, config, context, plan, daemon);
    Some(match tokio::time::timeout(LONGEST, looking).await {
        Ok(outlook) => outlook.unwrap_or_else(Outlook::Unknown),
        Err(_) => Outlook::Unknown(format!("the registry did not say within {} s", LONGEST.as_secs())),
    })
}

async fn look(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    daemon: &Address,
) -> Result<Outlook, String> {
    let host = plan.repository.registry();
    let dial = reach_loopback_as_it_is(host, daemon.path()).await.map_err(|error| error.to_string())?;
    let client = Registries::of(process, config).client(host, dial);
    let shelf = Shelf::new(process, hurry(config), &client, &plan.repository);
    let names: Vec<Tag> = plan.tags.iter().map(|planned| planned.tag.clone()).collect();
    let found = shelf.read(&names).await.map_err(|error| error.to_string())?;
    let mut historian = Historian::new(process, config, context, plan);
    let (ours, mut known) = (ours(plan), Known::default());
    let mut tags = std::collections::BTreeMap::new();
    for (planned, current) in plan.tags.iter().zip(&found) {
        let fate = loop {
            match fate(planned, current.as_ref(), &ours, &known) {
                Ok(fate) => break fate,
                Err(Question::Relate(old, new)) => {
                    let relation = historian.relation(&old, &new).await;
                    known.relations.insert((old, new), relation);
                }
                Err(Question::History) => known.history = Some(historian.history().await),
            }
        };
        tags.insert(planned.tag.clone(), fate);
    }
    let promotion = match &plan.promotion {
        Promotion::No => None,
        Promotion::Look(candidates) | Promotion::Only(candidates) => {
            // What the first repository has, as everything here.
            let chosen = choose(process, config, context, plan, &[shelf], candidates).await;
            Some(chosen.map(|kept| (kept.tag, kept.digest)))
        }
    };
    Ok(Outlook::Known { tags, promotion })
}
