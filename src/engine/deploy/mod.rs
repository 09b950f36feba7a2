//! Environments are told of the image: all at the same time, each by itself. What is done, the plan's [`DeploySteps`] say.
//!
//! The image is out by then, and stays so whatever happens here. One environment that fails does not keep the others from being
//! told; the step fails at its end.

mod carry_out;
mod foretell;
mod questions;

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Mutex;

use super::environment::{Account, OpenEnvironment};
use super::history::Historian;
use super::report::{EnvironmentOutcome, TargetOutcome};
use super::retry::{hurry, retry_unsent};
use super::run::Run;
use crate::error::{DeployError, RunError};
use crate::inputs::config::Means;
use crate::model::Digest;
use crate::plan::RunPlan;
use crate::plan::deploy::{Action, DeployOutcome, DeployWork, DeployedImage};

pub(super) use foretell::foretell;

/// Tells every environment of the plan.
pub(super) async fn all(
    run: &Run<'_>,
    plan: &RunPlan,
    published: &[TargetOutcome],
    open: Vec<OpenEnvironment>,
) -> Result<(), RunError> {
    let Some(image) = &plan.deploy.image else { return Ok(()) };
    let began = tokio::time::Instant::now();
    let digest = match deployable(image, published) {
        Ok(digest) => digest,
        Err(why) => {
            for work in &plan.deploy.work {
                told(run, work, image, Ok(&held_back(&why)));
            }
            return Ok(());
        }
    };
    let historian = Mutex::new(Historian::new(run, plan));
    let scratches = carry_out::Scratches::default();
    let telling = paired(plan, open).into_iter().map(async |(work, open)| {
        let outcome = one(run, plan, (work, image), &digest, open, &historian, &scratches).await;
        told(run, work, image, outcome.as_ref());
        (work, outcome)
    });
    let outcomes = run.until_stopped(async { Ok(join_all(telling).await) }).await;
    // Also when the run was stopped in the middle.
    scratches.clear(run);
    run.process.reporter.phase("deploy", began.elapsed());
    let failed: Vec<_> = outcomes?
        .into_iter()
        .filter_map(|(work, outcome)| Some((work.environment.to_string(), outcome.err()?)))
        .collect();
    RunError::deploy(plan.deploy.work.len(), false, failed)
}

/// Each environment of the plan, with its repository.
fn paired(plan: &RunPlan, mut open: Vec<OpenEnvironment>) -> Vec<(&DeployWork, OpenEnvironment)> {
    let mut pairs = Vec::new();
    for work in &plan.deploy.work {
        // The plan was made of these: the check holds it to them.
        if let Some(at) = open.iter().position(|one| one.number == work.environment.number) {
            pairs.push((work, open.swap_remove(at)));
        }
    }
    pairs
}

/// The digest that the deployed tag is on; or why there is nothing to deploy.
fn deployable(image: &DeployedImage, published: &[TargetOutcome]) -> Result<Digest, String> {
    let target = published.iter().find(|target| target.repository == image.repository);
    let Some(target) = target else { return Err("the image was not published".into()) };
    if let Some(held) = target.held_back.iter().find(|held| held.tag == image.tag) {
        return Err(format!("`{}` is held back: {}", held.tag, held.reason));
    }
    target.digest.clone().filter(|_| target.pushed).ok_or_else(|| "the image was not published".into())
}

fn held_back(why: &str) -> DeployOutcome {
    DeployOutcome { action: Action::HeldBack, pull_request: None, commit: None, reason: why.to_owned() }
}

/// Says and reports what became of an environment.
fn told(
    run: &Run<'_>,
    work: &DeployWork,
    image: &DeployedImage,
    outcome: Result<&DeployOutcome, &DeployError>,
) {
    let outcome = EnvironmentOutcome::of(work, image, outcome);
    let line = format!("deploy {}: {}", outcome.environment, outcome.line());
    match outcome.action {
        Some(Action::HeldBack) => run.process.reporter.notice(&line),
        Some(_) => run.process.reporter.info(&line),
        // It is told with the error that the run ends with.
        None => {}
    }
    run.report.environment(outcome);
}

/// Tells one environment.
async fn one(
    run: &Run<'_>,
    plan: &RunPlan,
    (work, image): (&DeployWork, &DeployedImage),
    digest: &Digest,
    open: OpenEnvironment,
    historian: &Mutex<Historian>,
    scratches: &carry_out::Scratches,
) -> Result<DeployOutcome, DeployError> {
    let OpenEnvironment { account, node_id, base, .. } = open;
    let account = account.renewed(run).await?;
    if let Means::Dispatch { event_type } = &work.environment.means {
        return dispatch(run, &account, event_type, image, digest).await;
    }
    let hand =
        carry_out::Hand { run, plan, work, account: &account, node_id: &node_id, historian, scratches };
    hand.carry_out(image, digest, base).await
}

/// Sends the event. It is sent once: whether one that nobody answered has arrived is not known.
async fn dispatch(
    run: &Run<'_>,
    account: &Account,
    event_type: &str,
    image: &DeployedImage,
    digest: &Digest,
) -> Result<DeployOutcome, DeployError> {
    let DeployedImage { repository, tag, commit } = image;
    let payload = json!({
        "image": repository,
        "tag": tag,
        "digest": digest,
        "reference": format!("{repository}:{tag}@{digest}"),
        "commit": commit,
        "repository": run.context.repository.full_name,
        "run_url": run.context.run.url,
    });
    let name = account.repository.as_str();
    let request = async || account.github.dispatch(name, event_type, &payload).await;
    let sent = retry_unsent(run.process, hurry(run.asked.retries), request).await;
    sent.map_err(|error| account.failed(error))?;
    let reason = format!("event `{}`", crate::model::text::name(event_type));
    Ok(DeployOutcome { action: Action::Dispatched, pull_request: None, commit: None, reason })
}
