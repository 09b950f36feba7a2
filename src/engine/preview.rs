//! The plan as a person reads it before anything is done; in a dry run with what publishing would find under the planned
//! tags, whether an image would be promoted, and what environments would be told.
//!
//! Reads only. No upload is begun, so that whether this job may push is not known; no helper container is started, so that
//! a registry that takes one to be reached is not asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::deploy;
use super::environment::OpenEnvironment;
use super::gather::is_allowed_by_daemon;
use super::history::Historian;
use super::obtain::choose;
use super::repository_view::RepositoryView;
use super::retry::hurry;
use super::run::Run;
use crate::docker::reach_loopback_as_it_is;
use crate::error::RunError;
use crate::metadata::PlannedTag;
use crate::model::{RegistryProtocol, Repository, Stamped, Tag};
use crate::plan::order::Known;
use crate::plan::outlook::{Outlook, fate};
use crate::plan::publish::ours;
use crate::plan::{LintPlan, RunPlan, display};

/// Nobody waits longer for a look.
const LONGEST: Duration = Duration::from_secs(20);

/// Prints the plan.
pub(super) fn print(run: &Run<'_>, plan: &RunPlan) {
    show(run, plan, &display::render(plan));
}

/// Prints the plan of a dry run, with what carrying it out would do now. The run ends with it.
pub(super) async fn foretell(
    run: &Run<'_>,
    plan: &RunPlan,
    environments: Vec<OpenEnvironment>,
) -> Result<(), RunError> {
    let looking = async { Ok(tokio::join!(outlook(run, plan), deploy::foretell(run, plan, environments))) };
    let (outlook, deployments) = run.until_stopped(looking).await?;
    show(run, plan, &display::foretell(plan, outlook.as_ref(), &deployments));
    run.report.dry_run();
    Ok(())
}

/// Prints the plan of a check.
pub(super) fn print_lint(run: &Run<'_>, plan: &LintPlan) {
    run.process.reporter.group(&plan.title(), &plan.render());
    for notice in &plan.notices {
        run.process.reporter.notice(notice);
    }
}

fn show(run: &Run<'_>, plan: &RunPlan, text: &str) {
    run.process.reporter.group(&display::title(plan), text);
    for notice in &plan.notices {
        run.process.reporter.notice(notice);
    }
    for warning in &plan.warnings {
        run.process.reporter.warn(warning);
    }
}

/// Looks, if the plan is to push.
async fn outlook(run: &Run<'_>, plan: &RunPlan) -> Option<Outlook> {
    if !plan.push.pushes() {
        return None;
    }
    Some(match tokio::time::timeout(LONGEST, look(run, plan)).await {
        Ok(outlook) => outlook.unwrap_or_else(Outlook::Unknown),
        Err(_) => Outlook::Unknown(format!("the registry did not say within {} s", LONGEST.as_secs())),
    })
}

async fn look(run: &Run<'_>, plan: &RunPlan) -> Result<Outlook, String> {
    let first = plan.targets.first();
    // A tag for every repository is looked at in the first one.
    let place = |planned: &PlannedTag| planned.repository.clone().unwrap_or_else(|| first.clone());
    let repositories: BTreeSet<Repository> = plan.tags.iter().map(place).chain([first.clone()]).collect();
    let by_daemon = plan.image.build().is_some_and(|work| work.builder.is_daemon());
    let mut clients = BTreeMap::new();
    for repository in repositories {
        let host = repository.registry();
        let dial =
            reach_loopback_as_it_is(host, run.daemon.path()).await.map_err(|error| error.to_string())?;
        // As the daemon would speak to it, if that is who builds.
        let protocol = if by_daemon && is_allowed_by_daemon(run.daemon.path(), host).await {
            RegistryProtocol::UnverifiedOrPlain
        } else {
            run.registries.clients().protocol(host)
        };
        let client = run.registries.clients().make_speaking(protocol, host, dial);
        clients.insert(repository, client);
    }
    let mut views: BTreeMap<_, _> = clients
        .iter()
        .map(|(repository, client)| {
            (repository, RepositoryView::new(run.process, hurry(run.asked.retries), client, repository))
        })
        .collect();
    let mut found = BTreeMap::new();
    for (repository, view) in &views {
        let here = plan.tags.iter().filter(|planned| place(planned) == **repository);
        let names: Vec<Tag> = here.map(|planned| planned.tag.clone()).collect();
        let read = view.read(&names).await.map_err(|error| error.to_string())?;
        let read: BTreeMap<Tag, Option<Stamped>> = names.into_iter().zip(read).collect();
        found.insert((*repository).clone(), (ours(plan, repository), read));
    }
    let mut historian = Historian::new(run, plan);
    let mut known = Known::default();
    let mut tags = Vec::new();
    let digest = plan.image.given().map(|given| &given.digest);
    for planned in &plan.tags {
        let (ours, read) = &found[&place(planned)];
        let current = read.get(&planned.tag).and_then(Option::as_ref);
        let fate = loop {
            match fate(planned, current, ours, digest, &known) {
                Ok(fate) => break fate,
                Err(question) => {
                    let answer = historian.answer(&question).await;
                    known.learn(question, answer);
                }
            }
        };
        tags.push(fate);
    }
    // What the first repository has, as everything here; what was read of it is not read again.
    let promotion = match plan.image.promotion().zip(views.remove(first)) {
        None => None,
        Some((promotion, view)) => {
            let chosen = choose(run, plan, &[view], &promotion.from).await;
            Some(chosen.map(|kept| (kept.tag, kept.digest)))
        }
    };
    Ok(Outlook::Known { tags, promotion })
}
