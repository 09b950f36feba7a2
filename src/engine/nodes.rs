//! The nodes of a builder: each builds its platforms with a session of its own, all at the same time; what several have
//! pushed is joined to one index.
//!
//! One node that fails ends the others' builds. With several nodes each step in the log has the name of its part
//! before it: the platform, or the node's name where that builds several.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, SelectAll};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::buildkit::{BuildError, BuildOutcome};
use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::{AnnotationLevel, Digest, Repository};
use crate::plan::RunPlan;
use crate::plan::build::BuildPlan;
use crate::plan::cache::for_node;
use crate::progress::cache::{fetched, idle};
use crate::progress::display::Display;
use crate::progress::event::StatusUpdate;
use crate::registry::{self, JoinAnnotations, JoinError, Manifest, NodeImage, RegistryClient};

use super::Process;
use super::builder::Node;
use super::login::Renewing;
use super::persist::{patience, persist};
use super::preflight::Verdict;
use super::push::{LeftOut, Part, build_and_push};
use super::record::Record;

/// What each node builds: its platforms, with caches of its own where there are several.
pub(super) fn builds(nodes: &[Node], plan: &RunPlan) -> Vec<BuildPlan> {
    let build = |node: &Node| {
        let mut build = BuildPlan { platforms: node.platforms.clone(), ..plan.build.clone() };
        if nodes.len() > 1 {
            for_node(&mut build, &mut plan.cache.clone(), &node.platforms);
        }
        build
    };
    nodes.iter().map(build).collect()
}

/// Builds on every node and prints what they say; the outcomes are in the nodes' order. Repositories that any of them
/// could not push to, while it could to another, are in `left_out`.
pub(super) async fn build(
    process: &Process,
    config: &Config,
    nodes: &[Node],
    plan: &RunPlan,
    builds: &[BuildPlan],
    left_out: &RefCell<Vec<LeftOut>>,
    log: &mut Display,
) -> Result<Vec<BuildOutcome>, BuildError> {
    let began = Instant::now();
    let several = nodes.len() > 1;
    let (failed, _) = watch::channel(false);
    let mut incoming = SelectAll::new();
    let mut building = FuturesUnordered::new();
    for (number, (node, build)) in nodes.iter().zip(builds).enumerate() {
        let (updates, mut receiver) = mpsc::channel(16);
        let name = several.then(|| part_name(node));
        incoming.push(futures_util::stream::poll_fn(move |cx| {
            receiver.poll_recv(cx).map(|update: Option<StatusUpdate>| match &name {
                Some(name) => update.map(|update| update.of_node(name)),
                None => update,
            })
        }));
        let mut another_failed = failed.subscribe();
        building.push(async move {
            let cancel = async {
                tokio::select! {
                    _ = process.stopped() => {}
                    _ = another_failed.wait_for(|failed| *failed) => {}
                }
            };
            let part = Part { process, config, plan, node, build, left_out };
            (number, build_and_push(part, updates, cancel).await)
        });
    }
    let mut outcomes: Vec<Option<BuildOutcome>> = nodes.iter().map(|_| None).collect();
    let mut failure = None;
    let mut stall = Stall::default();
    let reads_cache = builds.iter().any(|build| !build.cache_from.is_empty());
    let held_up = nodes.iter().any(|node| node.held_up);
    let mut tick = tokio::time::interval(log.interval());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !building.is_empty() {
        tokio::select! {
            Some(update) = incoming.next() => {
                process.reporter.lines(&log.update(&update, began.elapsed()));
            }
            _ = tick.tick() => {
                process.reporter.lines(&log.tick(began.elapsed()));
                let stalled = if failure.is_some() {
                    None
                } else if held_up {
                    stall.lasts(idle(log.state())).then_some(BuildError::HeldUp(STALL))
                } else {
                    let reads = if reads_cache { fetched(log.state()) } else { None };
                    stall.lasts(reads).then_some(BuildError::CacheStalled(STALL))
                };
                if stalled.is_some() {
                    failure = stalled;
                    failed.send_replace(true);
                }
            }
            Some((number, built)) = building.next() => match built {
                Ok(outcome) => outcomes[number] = Some(outcome),
                // The first failure is the reason, and that of the others' end.
                Err(_) if failure.is_some() => {}
                Err(error) => {
                    failure = Some(if several { of_node(error, &nodes[number]) } else { error });
                    failed.send_replace(true);
                }
            },
        }
    }
    while let Some(Some(update)) = incoming.next().now_or_never() {
        process.reporter.lines(&log.update(&update, began.elapsed()));
    }
    process.reporter.lines(&log.finish(began.elapsed()));
    match failure {
        Some(error) => Err(error),
        None => Ok(outcomes.into_iter().flatten().collect()),
    }
}

/// A cache whose layers stand still for so long is of no use. BuildKit itself waits for ever, and some do nothing else.
const STALL: Duration = Duration::from_secs(30);

/// Something that should grow, a cache's layers that are being fetched, and since when it has not.
#[derive(Default)]
struct Stall(Option<(u64, Instant)>);

impl Stall {
    /// Whether it has not for [`STALL`]; to be asked again and again with what is known then. `None`: it need not grow.
    fn lasts(&mut self, grown: Option<u64>) -> bool {
        match (grown, self.0) {
            (Some(grown), Some((before, since))) if grown == before => since.elapsed() >= STALL,
            _ => {
                self.0 = grown.map(|grown| (grown, Instant::now()));
                false
            }
        }
    }
}

/// What stands before the names of a node's steps.
fn part_name(node: &Node) -> String {
    match (node.platforms.as_slice(), &node.name) {
        ([platform], _) => platform.to_string(),
        (_, Some(name)) => name.clone(),
        (platforms, None) => platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}

fn of_node(error: BuildError, node: &Node) -> BuildError {
    let part = part_name(node);
    let name = node.name.as_ref().unwrap_or(&part);
    error.on_node(&part, name)
}

/// Reads what each node has pushed, makes one index of it and puts that under its digest, in each repository that has
/// all of it. One that fails is left to the record, unless all do.
pub(super) async fn join(
    process: &Process,
    config: &Config,
    nodes: &[Node],
    plan: &RunPlan,
    verdict: &Verdict,
    digests: &[Option<Digest>],
    record: &mut Record,
) -> Result<Digest, RunError> {
    let began = Instant::now();
    let renewing = Renewing::new(process, config);
    let mut joined = None;
    for place in record.places.iter_mut().filter(|place| place.failure.is_none()) {
        let repository = &place.repository;
        let join = async |config: &Config| {
            let client = verdict.client(process, config, repository.registry());
            join_in(process, config, nodes, plan, (&client, repository), digests).await
        };
        match renewing.doing(join).await {
            Ok(digest) => joined = Some(digest),
            Err(error) => place.failure = Some(error),
        }
    }
    process.reporter.phase("join", began.elapsed());
    if joined.is_none() {
        record.failures()?;
    }
    joined.ok_or_else(|| RunError::Contradiction(vec!["the image goes nowhere".into()]))
}

async fn join_in(
    process: &Process,
    config: &Config,
    nodes: &[Node],
    plan: &RunPlan,
    (client, repository): (&RegistryClient, &Repository),
    digests: &[Option<Digest>],
) -> Result<Digest, RunError> {
    let patience = patience(config, repository.registry());
    let reading = digests.iter().flatten().map(|digest| {
        persist(process, patience.clone(), async move || client.get_manifest(repository, digest).await)
    });
    let manifests = futures_util::future::try_join_all(reading).await?;
    let names: Vec<String> =
        nodes.iter().map(|node| node.name.clone().unwrap_or_else(|| part_name(node))).collect();
    let parts = nodes.iter().zip(&names).zip(&manifests).map(|((node, name), manifest)| NodeImage {
        name,
        platforms: &node.platforms,
        manifest,
    });
    let index = index_of(parts, &plan.build).map_err(RunError::Join)?;
    persist(process, patience.clone(), async || client.put_manifest(repository, &index).await).await?;
    Ok(index.digest)
}

/// The index of what was pushed in parts, for all platforms of the plan.
pub(super) fn index_of<'a>(
    parts: impl Iterator<Item = NodeImage<'a>>,
    build: &BuildPlan,
) -> Result<Manifest, JoinError> {
    registry::join(&parts.collect::<Vec<_>>(), &build.platforms, &annotations(build))
}

/// What the parts could not write: those of the index, and of descriptors where a part is a plain manifest.
fn annotations(plan: &BuildPlan) -> JoinAnnotations {
    let mut joined = JoinAnnotations::default();
    for annotation in &plan.annotations {
        let (key, value) = (annotation.key.clone(), annotation.value.clone());
        match annotation.level {
            AnnotationLevel::Index => {
                joined.index.insert(key, value);
            }
            AnnotationLevel::ManifestDescriptor => {
                joined.descriptors.push((annotation.platform.clone(), key, value));
            }
            AnnotationLevel::Manifest | AnnotationLevel::IndexDescriptor => {}
        }
    }
    joined
}
