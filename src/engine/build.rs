//! The build and its log, and what becomes of the result; a verdict on push access that came late ends it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use crate::buildkit::{BuildError, Provisions};
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::inputs::without_helper;
use crate::model::{BuildSecret, Digest, RegistryHost, Repository};
use crate::plan::build::BuildPlan;
use crate::plan::{PushPlan, RunPlan};
use crate::progress::cache::cache_use;
use crate::progress::display::Display;
use crate::progress::plain::PlainOptions;

use super::builder::{Builder, Node};
use super::preflight::Preflight;
use super::push::LeftOut;
use super::record::Record;
use super::{Process, export, nodes};

/// Builds, and pushes by digest if planned. `true`: that is to be published now.
pub async fn build_and_reach(
    process: &Process,
    config: &Config,
    builder: &Builder,
    plan: &RunPlan,
    preflight: Option<&mut Preflight>,
    record: &mut Record,
) -> Result<bool, RunError> {
    let Some(preflight) = preflight.filter(|_| matches!(plan.push, PushPlan::Push { .. })) else {
        Box::pin(build(process, config, &builder.nodes, plan, record)).await?;
        return Ok(false);
    };
    let (built, verdict) = {
        // Mostly known by now. A registry that cannot be reached, or lets nobody push, ends a build whose result could
        // get no tag.
        let mut verdict = std::pin::pin!(preflight.settle(process));
        let mut building = Box::pin(build(process, config, &builder.nodes, plan, record));
        tokio::select! {
            biased;
            verdict = &mut verdict => {
                let verdict = verdict?;
                (building.await, verdict)
            }
            built = &mut building => (built, verdict.await?),
        }
    };
    let Built::Digests(digests) = built? else { return Ok(false) };
    if digests.len() > 1 {
        let joined = nodes::join(process, config, &builder.nodes, plan, verdict, &digests, record).await;
        record.digest = Some(joined?);
    }
    Ok(true)
}

/// How a build ended, when well.
enum Built {
    /// With these digests, one for each node; none where nothing is exported.
    Digests(Vec<Option<Digest>>),
    /// The registry would not take it, and the plan tolerates that.
    Refused,
}

async fn build(
    process: &Process,
    config: &Config,
    nodes: &[Node],
    plan: &RunPlan,
    record: &mut Record,
) -> Result<Built, RunError> {
    let started = Instant::now();
    let mut log = log(process, &plan.build);
    let mut builds = nodes::builds(nodes, plan);
    let left_out = RefCell::default();
    let mut result = nodes::build(process, config, nodes, plan, &builds, &left_out, &mut log).await;
    if let Err(error) = &result
        && !plan.build.cache_from.is_empty()
        && error.may_come_from_cache()
    {
        process.reporter.warn(&without_cache(error, ""));
        for node in nodes {
            node.connection.collect_garbage().await;
        }
        for build in &mut builds {
            build.cache_from.clear();
        }
        log = self::log(process, &plan.build);
        left_out.borrow_mut().clear();
        result = nodes::build(process, config, nodes, plan, &builds, &left_out, &mut log).await;
    }
    let state = log.into_state();
    let pushing = state.time_of("pushing");
    process.reporter.phase("build", started.elapsed().saturating_sub(pushing));
    if !pushing.is_zero() {
        process.reporter.phase("push", pushing);
    }
    record.cache_used = cache_use(&state);
    record.progress = Some(state);
    if result.is_ok() {
        export::say_unread(process, &record.cache_used);
        record.solved = builds;
    }
    match result {
        Ok(outcomes) => {
            let transfers = outcomes.iter().flat_map(|outcome| &outcome.transfers);
            // Several nodes are sent the same files.
            let blanked: BTreeSet<String> =
                transfers.flat_map(|(_, sent)| &sent.blanked).map(ToString::to_string).collect();
            for blanked in blanked {
                process.reporter.warn(&blanked);
            }
            let digests: Vec<_> = outcomes.into_iter().map(|outcome| outcome.digest).collect();
            if let [only] = digests.as_slice() {
                record.digest.clone_from(only);
            }
            leave_out(process, config, plan, left_out.into_inner(), record);
            Ok(Built::Digests(digests))
        }
        Err(BuildError::Cancelled) => Err(RunError::Stopped(process.stopped().await)),
        Err(error)
            if error.is_refusal()
                && left_out.borrow().iter().all(|(_, error)| error.is_refusal())
                && tolerates_refusal(plan) =>
        {
            let why = format!("the registry refused the push ({error})");
            process.reporter.warn(&format!("{why}; the image was built, nothing was published"));
            record.refused = Some(why);
            Ok(Built::Refused)
        }
        Err(error) => {
            let left_out = left_out.into_inner();
            let last = target_of(plan, &error).clone();
            if left_out.is_empty() {
                return Err(failed_push(config, last.registry(), error));
            }
            let all = left_out.into_iter().chain([(last, error)]);
            let all = all.map(|(target, error)| {
                let error = failed_push(config, target.registry(), error);
                (target, error)
            });
            RunError::each(plan.targets().count(), all.collect()).map(|()| Built::Refused)
        }
    }
}

/// Repositories that would not take what others took get no tags.
fn leave_out(
    process: &Process,
    config: &Config,
    plan: &RunPlan,
    left_out: Vec<LeftOut>,
    record: &mut Record,
) {
    record.place(plan);
    for (target, error) in left_out {
        if error.is_refusal() && tolerates_refusal(plan) {
            process.reporter.warn(&format!("the registry refused the push ({error}); it went to the others"));
            record.places.retain(|place| place.repository != target);
        } else if let Some(place) = record.places.iter_mut().find(|place| place.repository == target) {
            place.failure = Some(failed_push(config, target.registry(), error));
        }
    }
}

/// The repository that an error is about; the first if it is about none.
fn target_of<'a>(plan: &'a RunPlan, error: &BuildError) -> &'a Repository {
    let named = match error.cause() {
        BuildError::PushFailed { repository, .. } => Some(repository),
        _ => None,
    };
    let target = named.and_then(|name| plan.targets().find(|target| target.to_string() == *name));
    target.unwrap_or(&plan.repository)
}

/// A failed build; with the login, if it is the registry that refused the push.
fn failed_push(config: &Config, registry: &RegistryHost, error: BuildError) -> RunError {
    if !error.is_refusal() {
        return error.into();
    }
    RunError::Refused {
        source: Box::new(error),
        registry: registry.clone(),
        login: config.credentials.for_registry(registry).cloned(),
    }
}

/// What is said before a build without its caches; `who` builds.
pub(super) fn without_cache(error: &BuildError, who: &str) -> String {
    format!("a cache that was read may be damaged or gone: {error}; building again without any{who}")
}

fn tolerates_refusal(plan: &RunPlan) -> bool {
    matches!(plan.push, PushPlan::Push { tolerate_refusal: true, .. })
}

/// A log of this build, with nothing in it.
pub(super) fn log(process: &Process, build: &BuildPlan) -> Display {
    let dockerfile = &build.dockerfile;
    let options = PlainOptions {
        fence: format!("{:032x}", process.random_u128()),
        dockerfile: Some((dockerfile.file_name.clone(), dockerfile.in_workspace.clone())),
    };
    Display::new(options, process.reporter.is_live())
}

/// What the session gives: secrets, and to each registry its own login. The token is a
/// secret under the ids that the plan says.
pub(super) fn provisions(process: &Process, config: &Config, plan: &RunPlan) -> Provisions {
    let (logins, reporter) = (config.credentials.clone(), process.reporter.clone());
    let told = Mutex::new(BTreeSet::new());
    let credentials = Arc::new(move |host: &str| {
        let host = RegistryHost::parse(host).ok()?;
        if let Some(name) = logins.helper_for(&host)
            && told.lock().is_ok_and(|mut told| told.insert(host.clone()))
        {
            reporter.warn(&without_helper(&host, name));
        }
        // An identity token goes without a user: that is how BuildKit knows it.
        logins.for_registry(&host).map(|login| (login.username.clone(), login.password.clone()))
    });
    let token = config.token.as_ref().map(|token| token.expose().as_bytes().to_vec()).unwrap_or_default();
    let tokens = plan.build.token_secrets.iter();
    let tokens = tokens.map(|id| BuildSecret { id: id.clone(), value: token.clone() });
    Provisions {
        credentials,
        secrets: config.build.secrets.iter().cloned().chain(tokens).collect(),
        ssh: config.build.ssh.clone(),
        github_cache: process.github_cache(),
    }
}
