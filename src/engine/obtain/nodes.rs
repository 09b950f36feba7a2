//! The nodes of a builder: each builds its platforms with a session of its own, all at the same time; what several have
//! pushed is joined to one index.
//!
//! One node that fails ends the others' builds. With several nodes each step in the log has the name of its part
//! before it: the platform, or the node's name where that builds several.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, SelectAll};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::builder::Node;
use super::push::{NodeWork, Pushes, build_and_push};
use crate::buildkit::{BuildError, BuildOutcome};
use crate::engine::login::Renewals;
use crate::engine::retry::{patience, retry};
use crate::engine::run::Run;
use crate::error::RunError;
use crate::model::{AnnotationLevel, Digest, Repository};
use crate::plan::build::BuildPlan;
use crate::plan::index::IndexPlan;
use crate::progress::cache::{fetched, idle};
use crate::progress::display::Display;
use crate::progress::event::StatusUpdate;
use crate::registry::{self, JoinAnnotations, JoinError, Manifest, NodeImage, RegistryClient};

/// Builds on every node and prints what they say; the outcomes are in the nodes' order. Repositories that any of them
/// could not push to, while it could to another, are in `pushes`. Ready soon after `cancel` is true, which the first
/// failure makes it, too.
pub(super) async fn build(
    run: &Run<'_>,
    nodes: &[Node],
    builds: &[BuildPlan],
    pushes: &Pushes,
    log: &mut Display,
    cancel: &watch::Sender<bool>,
) -> Result<Vec<BuildOutcome>, BuildError> {
    let began = Instant::now();
    let several = nodes.len() > 1;
    let reporter = &run.process.reporter;
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
        let mut cancelled = cancel.subscribe();
        building.push(async move {
            // Whoever cancels lives longer than this.
            let cancelled = async { drop(cancelled.wait_for(|cancelled| *cancelled).await) };
            let work = NodeWork { run, node, build, pushes };
            (number, build_and_push(work, updates, cancelled).await)
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
                reporter.lines(&log.update(&update, began.elapsed()));
            }
            _ = tick.tick() => {
                reporter.lines(&log.tick(began.elapsed()));
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
                    cancel.send_replace(true);
                }
            }
            Some((number, built)) = building.next() => match built {
                Ok(outcome) => outcomes[number] = Some(outcome),
                // The first failure is the reason, and that of the others' end.
                Err(_) if failure.is_some() => {}
                Err(error) => {
                    failure = Some(if several { of_node(error, &nodes[number]) } else { error });
                    cancel.send_replace(true);
                }
            },
        }
    }
    while let Some(Some(update)) = incoming.next().now_or_never() {
        reporter.lines(&log.update(&update, began.elapsed()));
    }
    reporter.lines(&log.finish(began.elapsed()));
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

/// Reads what each node has pushed, makes one index of it and puts that under its digest, in each of these repositories:
/// how it ended there, in their order.
pub(super) async fn join(
    run: &Run<'_>,
    nodes: &[Node],
    index: &IndexPlan,
    targets: &[&Repository],
    digests: &[Option<Digest>],
) -> Vec<Result<Digest, RunError>> {
    let began = Instant::now();
    let renewals = Renewals::new(run);
    let mut joined = Vec::new();
    for target in targets {
        let join = async || {
            let client = run.registries.client(target.registry());
            join_in(run, nodes, index, (&client, target), digests).await
        };
        joined.push(run.until_stopped(renewals.doing(join)).await);
    }
    run.process.reporter.phase("join", began.elapsed());
    joined
}

async fn join_in(
    run: &Run<'_>,
    nodes: &[Node],
    index: &IndexPlan,
    (client, repository): (&RegistryClient, &Repository),
    digests: &[Option<Digest>],
) -> Result<Digest, RunError> {
    let patience = patience(run, repository.registry());
    let reading = digests.iter().flatten().map(|digest| {
        retry(run.process, patience.clone(), async move || client.get_manifest(repository, digest).await)
    });
    let manifests = futures_util::future::try_join_all(reading).await?;
    let names: Vec<String> =
        nodes.iter().map(|node| node.name.clone().unwrap_or_else(|| part_name(node))).collect();
    let parts = nodes.iter().zip(&names).zip(&manifests).map(|((node, name), manifest)| NodeImage {
        name,
        platforms: &node.platforms,
        manifest,
    });
    let index = index_of(parts, index).map_err(RunError::Join)?;
    retry(run.process, patience.clone(), async || client.put_manifest(repository, &index).await).await?;
    Ok(index.digest)
}

/// The index of what was pushed in parts, for all platforms of the plan.
pub(super) fn index_of<'a>(
    parts: impl Iterator<Item = NodeImage<'a>>,
    index: &IndexPlan,
) -> Result<Manifest, JoinError> {
    registry::join(&parts.collect::<Vec<_>>(), &index.platforms, &annotations(index))
}

/// What the parts could not write: those of the index, and of descriptors where a part is a plain manifest.
fn annotations(index: &IndexPlan) -> JoinAnnotations {
    let mut joined = JoinAnnotations::default();
    for annotation in &index.annotations {
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
