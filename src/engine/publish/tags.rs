//! Tags on the pushed digest in one repository, and the image as the registry holds it.
//!
//! What is done next, the plan's [`Steps`] say: this file does it and tells what came of it.

use futures_util::StreamExt as _;
use tokio::sync::Mutex;

use super::copy::copy;
use super::platforms;
use super::previous::{Before, read_by_now};
use crate::engine::background::Background;
use crate::engine::history::Historian;
use crate::engine::obtain::Located;
use crate::engine::report::TargetOutcome;
use crate::engine::repository_view::{IN_PARALLEL, RepositoryView};
use crate::engine::retry::patience;
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{Digest, Tag};
use crate::plan::RunPlan;
use crate::plan::order::{Answer, Putting, Reply, Step, Steps};
use crate::plan::publish::{plan_publish, tags_in};
use crate::registry::RegistryError;

/// Puts the planned tags in one repository, where they may go on the image.
pub(super) async fn put_in(
    run: &Run<'_>,
    plan: &RunPlan,
    historian: &Mutex<Historian>,
    located: &Located,
) -> Result<TargetOutcome, RunError> {
    let reporter = &run.process.reporter;
    let repository = &located.repository;
    let mut outcome = TargetOutcome::begun(repository, Some(&located.digest));
    let Some(publish) = plan_publish(plan, repository, located.digest.clone()) else { return Ok(outcome) };
    let client = run.registries.client(repository.registry());
    let patience = patience(run, repository.registry());
    if let Some(from) = &located.copy_from {
        copy(run, from, repository, &publish.digest).await?;
    }
    let view = RepositoryView::new(run.process, patience.clone(), &client, repository);
    let (manifest, before) =
        tokio::join!(view.manifest(&publish.digest), Before::look(run, plan, repository));
    manifest?;
    // What has not changed is not looked at by its layers.
    let is_same = before.as_ref().is_some_and(|before| before.is(&publish.digest));
    let previous =
        before.filter(|_| !is_same).map_or_else(Background::none, |before| before.read(run, repository));
    let mut steps = Steps::new(publish.clone());
    let tagging = async {
        carry_out(run, &view, historian, &mut steps, plan, &mut outcome).await?;
        let (placed, held_back) = platforms::follow(&view, plan, repository, steps.progress()).await?;
        outcome.platform_tags = placed;
        outcome.held_back.extend(held_back);
        Ok::<(), RunError>(())
    };
    // The first one's is shown by its layers.
    let are_named = repository == plan.targets.first() && !is_same;
    let read = async |digest: &Digest| {
        let mut metadata = view.metadata(digest).await?;
        if are_named {
            client.name_layers(repository, &mut metadata).await;
        }
        Ok::<_, RegistryError>(metadata)
    };
    let (tagged, mut metadata_of) = tokio::join!(tagging, read(&publish.digest));
    // A sentence about one repository, which is named where there are several.
    let of = |text: &str| {
        if plan.targets.are_several() { format!("{repository}: {text}") } else { text.to_owned() }
    };
    for warning in &steps.progress().warnings {
        reporter.warn(&of(warning));
    }
    for held in &outcome.held_back {
        reporter.notice(&of(&format!("`{}` is held back: {}", held.tag, held.reason)));
    }
    tagged?;
    outcome.pushed = true;
    if let Some(digest) = outcome.digest.as_ref().filter(|digest| **digest != publish.digest) {
        reporter.notice(&of(&format!("the version exists for this commit: the result is {digest}")));
        metadata_of = read(digest).await;
    }
    match metadata_of {
        Ok(metadata) => outcome.metadata = Some(metadata),
        Err(error) => reporter.warn(&format!("the image is published, but {error}")),
    }
    if let Some(previous) = read_by_now(previous).await {
        run.report.previous(previous);
    }
    Ok(outcome)
}

/// Does one step after the other; the report knows of each.
async fn carry_out(
    run: &Run<'_>,
    view: &RepositoryView<'_>,
    historian: &Mutex<Historian>,
    steps: &mut Steps,
    plan: &RunPlan,
    outcome: &mut TargetOutcome,
) -> Result<(), RunError> {
    let mut told = false;
    let mut moved: Vec<Tag> = Vec::new();
    loop {
        let reply = match steps.next() {
            Step::Read(tags) => Reply::Read(view.read(&tags).await?),
            Step::Put(puts) => {
                let (done, failure) = put(view, &puts).await;
                if let Some(error) = failure {
                    // Those that were put are known.
                    let put = done.into_iter().filter(|(_, digest, putting)| {
                        *putting == Putting::Done && *digest == steps.progress().digest
                    });
                    let names: Vec<Tag> = put.map(|(tag, ..)| tag).collect();
                    let planned = tags_in(plan, &outcome.repository).filter(|one| names.contains(&one.tag));
                    let planned: Vec<_> = planned.cloned().collect();
                    outcome.published.extend(planned);
                    run.report.target(outcome);
                    return Err(error.into());
                }
                moved.extend(done.iter().map(|(tag, ..)| tag.clone()));
                Reply::Put(done.into_iter().map(|(_, _, putting)| putting).collect())
            }
            Step::Ask(question) => {
                let answer = historian.lock().await.answer(&question).await;
                if let (Answer::History(Err(why)), false) = (&answer, told) {
                    told = true;
                    let said = format!("whether newer commits are published is not known: {why}");
                    run.process.reporter.info(&said);
                }
                Reply::Answer(answer)
            }
            Step::Done => {
                // A run that changes nothing says as much as one that does.
                let kept = outcome.published.iter().filter(|one| !moved.contains(&one.tag));
                for kept in kept {
                    let said = format!("✓ {}:{} (was there already)", outcome.repository, kept.tag);
                    run.process.reporter.info(&said);
                }
                return Ok(());
            }
            Step::Fail(taken) => return Err(RunError::VersionTaken(taken)),
        };
        steps.answer(reply);
        let progress = steps.progress();
        outcome.digest = Some(progress.digest.clone());
        outcome.published.clone_from(&progress.published);
        outcome.held_back.clone_from(&progress.held_back);
        outcome.before.clone_from(&progress.before);
        run.report.target(outcome);
    }
}

/// Puts tags, all at the same time: what came of each, and the first failure.
pub(super) async fn put(
    view: &RepositoryView<'_>,
    puts: &[(Tag, Digest)],
) -> (Vec<(Tag, Digest, Putting)>, Option<RegistryError>) {
    let putting = puts.iter().map(|(tag, digest)| view.put(tag, digest));
    let answers: Vec<_> = futures_util::stream::iter(putting).buffered(IN_PARALLEL).collect().await;
    let (mut done, mut failure) = (Vec::new(), None);
    for ((tag, digest), answer) in puts.iter().zip(answers) {
        match answer {
            Ok(putting) => done.push((tag.clone(), digest.clone(), putting)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    (done, failure)
}
