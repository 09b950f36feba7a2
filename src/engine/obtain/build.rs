//! The image, built: by whom, and what is done instead when a cache stands in the way. A verdict on push access that came
//! late ends it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::builder::{Builder, Node};
use super::large_context::say_large;
use super::push::{LeftOut, Pushes};
use super::{Image, Located, Origin, Workshop, known, nodes};
use crate::buildkit::{BuildError, BuildOutcome};
use crate::engine::emulation::{Registration, register};
use crate::engine::gather::{AccessCheck, Open};
use crate::engine::login;
use crate::engine::run::Run;
use crate::engine::solving::{log, refused};
use crate::error::RunError;
use crate::model::{Digest, RegistryHost, Repository, chain};
use crate::plan::RunPlan;
use crate::plan::build::BuildPlan;
use crate::plan::image::{BuildWork, Stalled};
use crate::plan::index::IndexPlan;
use crate::progress::cache::{CacheUse, cache_use, explained};

/// Builds, and pushes by digest if planned.
pub(super) async fn image<'a>(
    run: &Run<'a>,
    plan: &RunPlan,
    work: &BuildWork,
    open: Open,
) -> Result<Image<'a>, RunError> {
    let Open { builders, prestart, mut access, sessions } = open;
    let builder = run
        .until_stopped(async {
            login::create_repositories(run, plan, &sessions).await?;
            Box::pin(Builder::open(run, &work.builder, builders, Some(prestart))).await
        })
        .await?;
    let mut workshop = Workshop::new(builder, run.closing);
    let built = match first_attempt(run, plan, work, &workshop, access.as_mut()).await {
        Err(RunError::Build(error)) if error.is_stalled() => {
            again_when_stalled(run, plan, work, &mut workshop, access.as_mut(), &error).await
        }
        built => built,
    };
    let built = match (built, &workshop.builder) {
        (Err(error), Some(builder)) => return Err(builder.explain(error).await),
        (built, _) => built?,
    };
    let Built { digest, located, failed, solved } = built;
    workshop.solved = solved;
    // Nothing but what is exported, or may have to be loaded to be run, keeps it from going while tags are put.
    let loads = plan.verify.as_ref().is_some_and(|verify| !verify.unpushed.is_empty());
    if plan.exports.is_empty() && !loads {
        workshop.close();
    }
    Ok(Image { origin: Origin::Built(Box::new(workshop)), digest, located, failed })
}

/// A build that ended well: what it made.
struct Built {
    digest: Option<Digest>,
    located: Vec<Located>,
    failed: Vec<(Repository, RunError)>,
    solved: Vec<BuildPlan>,
}

async fn first_attempt(
    run: &Run<'_>,
    plan: &RunPlan,
    work: &BuildWork,
    workshop: &Workshop<'_>,
    access: Option<&mut AccessCheck>,
) -> Result<Built, RunError> {
    let Some(builder) = &workshop.builder else { return Err(closed()) };
    let building = async {
        let registration = Registration::of(run, builder.container_name());
        let registering = register(run.process, run.daemon.path(), &work.emulation.platforms, &registration);
        run.until_stopped(registering).await?;
        Box::pin(build_and_push(run, plan, work, &builder.nodes, &work.solves, access)).await
    };
    tokio::join!(building, builder.reap()).0
}

/// Builds without the cache that holds the builder up.
async fn again_when_stalled(
    run: &Run<'_>,
    plan: &RunPlan,
    work: &BuildWork,
    workshop: &mut Workshop<'_>,
    access: Option<&mut AccessCheck>,
    error: &BuildError,
) -> Result<Built, RunError> {
    let (Some(builder), Some(without)) = (workshop.builder.take(), &work.without_cache) else {
        return Err(closed());
    };
    let who = match without.stalled {
        Stalled::Renew => ", by a builder made anew",
        Stalled::Scratch => "",
    };
    run.process.reporter.warn(&without_cache(error, who));
    let (builder, solves) = match without.stalled {
        Stalled::Renew => (run.until_stopped(builder.renew(run, &work.builder)).await?, &without.solves),
        Stalled::Scratch => {
            let mut builder = builder;
            builder.nodes.iter_mut().for_each(|node| node.held_up = true);
            (builder, &work.scratch)
        }
    };
    let builder = workshop.builder.insert(builder);
    Box::pin(build_and_push(run, plan, work, &builder.nodes, solves, access)).await
}

fn closed() -> RunError {
    RunError::Contradiction(vec!["a builder that is closed builds".into()])
}

/// Carries out these solves; what they pushed is one image in each repository then.
async fn build_and_push(
    run: &Run<'_>,
    plan: &RunPlan,
    work: &BuildWork,
    nodes: &[Node],
    solves: &[BuildPlan],
    access: Option<&mut AccessCheck>,
) -> Result<Built, RunError> {
    let outcome = if let Some(access) = access {
        // Mostly known by now. A registry that cannot be reached, or lets nobody push, ends a build whose result could
        // get no tag.
        let mut building = Box::pin(solve_all(run, plan, work, nodes, solves));
        let mut settling = std::pin::pin!(access.settle(run, plan));
        tokio::select! {
            biased;
            settled = &mut settling => {
                settled?;
                building.await?
            }
            outcome = &mut building => {
                let outcome = outcome?;
                run.until_stopped(settling).await?;
                outcome
            }
        }
    } else {
        Box::pin(solve_all(run, plan, work, nodes, solves)).await?
    };
    let Solved { digests, left_out, refused, solves } = outcome;
    let mut built = Built { digest: None, located: Vec::new(), failed: Vec::new(), solved: solves };
    if let [only] = digests.as_slice() {
        built.digest.clone_from(only);
    }
    if refused || !plan.push.pushes() {
        return Ok(built);
    }
    let mut targets: Vec<&Repository> = plan.targets.iter().collect();
    for (target, error) in left_out {
        targets.retain(|known| **known != target);
        if error.is_refusal() && plan.push.tolerates_refusal() {
            let said = format!("the registry refused the push ({error}); it went to the others");
            run.process.reporter.warn(&said);
        } else {
            let error = failed_push(run, target.registry(), error);
            built.failed.push((target, error));
        }
    }
    if digests.len() > 1 {
        let index = IndexPlan::from(&work.image);
        let joined = nodes::join(run, nodes, &index, &targets, &digests).await;
        for (target, joined) in targets.into_iter().zip(joined) {
            match joined {
                Ok(digest) => {
                    built.digest.get_or_insert_with(|| digest.clone());
                    built.located.push(Located { repository: target.clone(), digest, copy_from: None });
                }
                Err(error) => built.failed.push((target.clone(), error)),
            }
        }
        if built.located.is_empty() {
            RunError::each(built.failed.len(), std::mem::take(&mut built.failed))?;
        }
    } else if let Some(digest) = &built.digest {
        let located = |target: &Repository| Located {
            repository: target.clone(),
            digest: digest.clone(),
            copy_from: None,
        };
        built.located = targets.into_iter().map(located).collect();
    }
    Ok(built)
}

/// How all nodes ended, when well.
struct Solved {
    /// Of each node; none where nothing is exported.
    digests: Vec<Option<Digest>>,
    /// Repositories that would not take the image, while others did.
    left_out: Vec<LeftOut>,
    /// No registry would take it, and the plan tolerates that.
    refused: bool,
    /// What the nodes have carried out.
    solves: Vec<BuildPlan>,
}

async fn solve_all(
    run: &Run<'_>,
    plan: &RunPlan,
    work: &BuildWork,
    nodes: &[Node],
    solves: &[BuildPlan],
) -> Result<Solved, RunError> {
    let started = Instant::now();
    let mut log = self::log(run, &work.image);
    let pushes = Pushes::default();
    let mut solves = solves;
    let (cancel, _) = watch::channel(false);
    let mut result = solve_once(run, nodes, solves, &pushes, &mut log, &cancel).await;
    if let Err(error) = &result
        && let Some((instead, said)) = instead(work, solves, error)
    {
        run.process.reporter.warn(&said);
        for node in nodes {
            node.connection.collect_garbage().await;
        }
        solves = instead;
        log = self::log(run, &work.image);
        pushes.left_out.borrow_mut().clear();
        pushes.again_since.set(None);
        let (cancel, _) = watch::channel(false);
        result = solve_once(run, nodes, solves, &pushes, &mut log, &cancel).await;
    }
    let state = log.into_state();
    // What was tried again was the push, with all that was waited for.
    let all = started.elapsed();
    let again = pushes.again_since.get().map_or(Duration::ZERO, |since| since.elapsed());
    let pushing = again + state.time_of("pushing").min(all.saturating_sub(again));
    run.process.reporter.phase("build", all.saturating_sub(pushing));
    if !pushing.is_zero() {
        run.process.reporter.phase("push", pushing);
    }
    let used = cache_use(&state);
    if result.is_ok() {
        say_unread(run, &used);
    }
    run.report.built(state, used);
    let left_out = pushes.left_out.into_inner();
    match result {
        Ok(outcomes) => {
            say_blanked(run, &outcomes);
            say_large(run, &work.image, &outcomes);
            let digests = outcomes.into_iter().map(|outcome| outcome.digest).collect();
            Ok(Solved { digests, left_out, refused: false, solves: solves.to_vec() })
        }
        Err(error) => {
            let error = match &work.image.dockerfile_place {
                Some(place) => error.in_workspace(&work.image.dockerfile.file_name, place),
                None => error,
            };
            let hint = known::hint(run, &work.image, &error).await;
            fail(run, plan, left_out, error).map_err(|error| match (error, hint) {
                (RunError::Build(source), Some(hint)) => RunError::Hinted { source, hint },
                (error, _) => error,
            })
        }
    }
}

/// One solve on each node; ends in order when the run is asked to stop.
async fn solve_once(
    run: &Run<'_>,
    nodes: &[Node],
    solves: &[BuildPlan],
    pushes: &Pushes,
    log: &mut crate::progress::display::Display,
    cancel: &watch::Sender<bool>,
) -> Result<Vec<BuildOutcome>, BuildError> {
    let solving = nodes::build(run, nodes, solves, pushes, log, cancel);
    run.in_order(solving, || {
        cancel.send_replace(true);
    })
    .await
}

/// What is carried out after these have failed, and what is said then; nothing where a cache is not why.
fn instead<'a>(
    work: &'a BuildWork,
    failed: &[BuildPlan],
    error: &BuildError,
) -> Option<(&'a [BuildPlan], String)> {
    if error.is_lost_snapshot() && failed != work.scratch {
        let said = format!(
            "the builder has lost a part of its own cache: {}; building again without it",
            chain(error)
        );
        return Some((&work.scratch, said));
    }
    let reads = failed.iter().any(|solve| !solve.cache_from.is_empty());
    let without = work.without_cache.as_ref().filter(|_| reads && error.may_come_from_cache())?;
    Some((&without.solves, without_cache(error, "")))
}

/// What becomes of the run when a node failed.
fn fail(
    run: &Run<'_>,
    plan: &RunPlan,
    left_out: Vec<LeftOut>,
    error: BuildError,
) -> Result<Solved, RunError> {
    if let (BuildError::Cancelled, Some(stop)) = (&error, run.process.stopping()) {
        return Err(RunError::Stopped(stop));
    }
    let all_refuse = error.is_refusal() && left_out.iter().all(|(_, error)| error.is_refusal());
    if all_refuse && plan.push.tolerates_refusal() {
        let why = format!("the registry refused the push ({error})");
        run.process.reporter.warn(&format!("{why}; the image was built, nothing was published"));
        run.report.refused(why);
        return Ok(Solved { digests: Vec::new(), left_out: Vec::new(), refused: true, solves: Vec::new() });
    }
    if error.unread_base_image().is_some() {
        return Err(refused(run, error));
    }
    let last = target_of(plan, &error).clone();
    if left_out.is_empty() {
        return Err(failed_push(run, last.registry(), error));
    }
    let all = left_out.into_iter().chain([(last, error)]).map(|(target, error)| {
        let error = failed_push(run, target.registry(), error);
        (target, error)
    });
    match RunError::each(plan.targets.count(), all.collect()) {
        Err(error) => Err(error),
        Ok(()) => Err(RunError::Contradiction(vec!["a push failed nowhere".into()])),
    }
}

/// Files that were sent without what was secret in them; several nodes are sent the same ones.
fn say_blanked(run: &Run<'_>, outcomes: &[BuildOutcome]) {
    let transfers = outcomes.iter().flat_map(|outcome| &outcome.transfers);
    let blanked: BTreeSet<String> =
        transfers.flat_map(|(_, sent)| &sent.blanked).map(ToString::to_string).collect();
    for blanked in blanked {
        run.process.reporter.warn(&blanked);
    }
}

/// Caches that could not be read. One that is not there is the normal case the first time.
fn say_unread(run: &Run<'_>, used: &CacheUse) {
    for unread in &used.unread {
        let from = if unread.from == "gha" {
            "GitHub's cache".to_owned()
        } else {
            format!("the cache `{}`", unread.from)
        };
        if unread.missing {
            run.process.reporter.info(&format!("{from} is not there yet"));
        } else {
            let why = explained(&unread.why);
            run.process.reporter.warn(&format!("{from} could not be read: {why}; built without it"));
        }
    }
}

/// The repository that an error is about; the first if it is about none.
fn target_of<'a>(plan: &'a RunPlan, error: &BuildError) -> &'a Repository {
    let named = match error.cause() {
        BuildError::PushFailed { repository, .. } => Some(repository),
        _ => None,
    };
    let target = named.and_then(|name| plan.targets.iter().find(|target| target.to_string() == *name));
    target.unwrap_or(plan.targets.first())
}

/// A failed build; with the login, if it is the registry that refused the push.
fn failed_push(run: &Run<'_>, registry: &RegistryHost, error: BuildError) -> RunError {
    if !error.is_refusal() {
        return error.into();
    }
    RunError::Refused {
        source: Box::new(error),
        registry: registry.clone(),
        login: run.keyring.login(registry),
    }
}

/// What is said before a build without its caches; `who` builds.
fn without_cache(error: &BuildError, who: &str) -> String {
    format!("a cache that was read may be damaged or gone: {}; building again without any{who}", chain(error))
}
