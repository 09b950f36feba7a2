//! One node's part of a build, and its push again when BuildKit has given that up.
//!
//! BuildKit pushes in the same solve that builds, and knows no other way to push. So a push is tried again by solving
//! again: everything but the export is in the node's cache. What would make it do work is left out (`no_cache`,
//! `pull`), and images are pinned to what the first solve found them to be (Docker Engine 26 takes no notice of that).
//! Should a program run all the same (the daemon dropped a layer, a Git source moved), the solve ends before it has
//! begun: no build step runs twice for a push.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::{Pin, pin};

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::builder::Node;
use crate::buildkit::{self, BuildError, BuildIds, BuildOutcome, Pins};
use crate::engine::login;
use crate::engine::run::Run;
use crate::engine::solving::provisions;
use crate::model::{Patience, RegistryHost, Repository, Standing, Trouble, chain, text};
use crate::plan::build::{BuildPlan, Export};
use crate::progress::cache::running_again;
use crate::progress::event::StatusUpdate;
use crate::progress::state::{AGAIN, State};
use crate::runner::units;

/// How often a step that would run again is no reason to give up: while another build uses the same steps, older
/// BuildKits do not find all of their cache.
const MISSES: u32 = 3;

/// What one node has to build, and in which run.
#[derive(Clone, Copy)]
pub(super) struct NodeWork<'a> {
    pub run: &'a Run<'a>,
    pub node: &'a Node,
    pub build: &'a BuildPlan,
    /// What is to be known of the pushes, of all nodes.
    pub pushes: &'a Pushes,
}

/// What is to be known of the pushes of one image besides how they end.
#[derive(Default)]
pub(super) struct Pushes {
    /// Repositories that would not take the image while another did.
    pub left_out: RefCell<Vec<LeftOut>>,
    /// Since when they are tried again: all was built then.
    pub again_since: Cell<Option<Instant>>,
}

/// A repository that would not take the image, and why.
pub(super) type LeftOut = (Repository, BuildError);

/// Builds, and pushes again as long as that is of use. Ready soon after `cancel` is.
///
/// BuildKit pushes to one repository after the other and ends with the first failure: one that is given up is left out,
/// so that the others get the image.
pub(super) async fn build_and_push(
    work: NodeWork<'_>,
    updates: mpsc::Sender<StatusUpdate>,
    cancel: impl Future<Output = ()>,
) -> Result<BuildOutcome, BuildError> {
    let mut cancel = pin!(cancel);
    let (mut pins, mut pushed) = (Pins::default(), false);
    let see = |update: StatusUpdate| {
        pins.note(&update);
        pushed |= reaches_the_manifest(&update);
        Some(update)
    };
    let solved = solve(&work, work.build, &updates, see, cancel.as_mut()).await;
    let mut error = match (solved, &work.build.export) {
        (Err(error), Export::PushByDigest(_)) => error,
        (solved, _) => return solved,
    };
    let mut again = BuildPlan { pinned: pins.images(), ..work.build.clone().again() };
    let mut attempts = Attempts { all: 1, renewed: BTreeSet::new() };
    let retries = work.run.asked.retries;
    while let (Some(trouble), Some(target)) = (error.push_trouble(), pushed_to(&error, &again)) {
        work.pushes.again_since.set(work.pushes.again_since.get().or_else(|| Some(Instant::now())));
        let login = work.run.keyring.login(target.registry());
        let reached = work.run.registries.is_reached(target.registry());
        let standing = Standing { login: login.is_some(), proven: pushed, reached };
        let patience = Patience::with_push(retries, standing);
        let failed = (error, trouble);
        let tried = persevere(&work, &again, failed, patience, &updates, &mut attempts, cancel.as_mut());
        error = match tried.await {
            Ok(outcome) => return Ok(outcome),
            Err(given_up) => given_up,
        };
        let Some(target) = pushed_to(&error, &again) else { break };
        let Some(rest) = again.without(&target) else { break };
        let why = text::line(&chain(&error));
        tell(&updates, format!("{why}; it is left out, the others get the image")).await;
        again = rest;
        attempts.all += 1;
        let mut unknown = Patience::with_push(retries, Standing::default());
        let pushed = push_again(&work, &again, attempts.all, &updates, &mut unknown, cancel.as_mut()).await;
        match pushed {
            Ok(outcome) => {
                work.pushes.left_out.borrow_mut().push((target, error));
                return Ok(outcome);
            }
            Err(Again::Failed(next)) => {
                work.pushes.left_out.borrow_mut().push((target, error));
                error = next;
            }
            Err(Again::Works(_) | Again::Moved(_)) => break,
        }
    }
    Err(error)
}

/// The repository whose push failed.
fn pushed_to(error: &BuildError, build: &BuildPlan) -> Option<Repository> {
    match (error, &build.export) {
        (BuildError::PushFailed { repository, .. }, Export::PushByDigest(targets)) => {
            if targets.are_several() {
                targets.iter().find(|one| one.to_string() == *repository).cloned()
            } else {
                // Whatever BuildKit calls it.
                Some(targets.first().clone())
            }
        }
        _ => None,
    }
}

/// What goes on from one attempt to the next, whichever repository is tried again.
struct Attempts {
    /// Solves that were begun: each export in the log has a number of its own.
    all: u32,
    /// Where one was asked for: once is enough.
    renewed: BTreeSet<RegistryHost>,
}

/// Tries one repository's push again as long as that is of use.
async fn persevere(
    work: &NodeWork<'_>,
    again: &BuildPlan,
    failed: (BuildError, Trouble),
    mut patience: Patience,
    updates: &mpsc::Sender<StatusUpdate>,
    attempts: &mut Attempts,
    mut cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<BuildOutcome, BuildError> {
    let (mut last, mut trouble) = failed;
    let (began, mut misses) = (Instant::now(), 0);
    let first = attempts.all;
    loop {
        let exchanged = pushed_to(&last, again)
            .map(|target| target.registry().clone())
            .filter(|registry| work.run.keyring.identity(registry).is_some());
        if let Some(registry) = &exchanged
            && matches!(trouble, Trouble::Denied | Trouble::LoginEnded)
        {
            // Amazon denies when a login has ended.
            trouble = Trouble::LoginEnded;
            if !attempts.renewed.contains(registry) {
                patience.with_another_login();
            }
        }
        let Some(pause) = patience.after(trouble, began.elapsed(), work.run.process.random_u64()) else {
            return Err(given_up(last, patience.failures(), ""));
        };
        let attempt = patience.failures() + 1;
        attempts.all = first + patience.failures();
        let why = text::line(&chain(&last));
        let pause_text = units::seconds(pause);
        tell(updates, format!("{why}; attempt {attempt} in {pause_text}, from the cache")).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.as_mut() => return Err(BuildError::Cancelled),
        }
        let number = attempts.all;
        if trouble == Trouble::LoginEnded
            && let Some(registry) = exchanged.filter(|registry| attempts.renewed.insert(registry.clone()))
        {
            tokio::select! {
                () = login::renew(work.run, &registry) => {}
                () = cancel.as_mut() => return Err(BuildError::Cancelled),
            }
        }
        match push_again(work, again, number, updates, &mut patience, cancel.as_mut()).await {
            Ok(outcome) => {
                tell(updates, format!("pushed on attempt {attempt}")).await;
                return Ok(outcome);
            }
            Err(Again::Works(step)) if misses < MISSES => {
                misses += 1;
                trouble = Trouble::Broken;
                tell(updates, format!("`{step}` would have to run again: stopped")).await;
            }
            Err(Again::Works(step)) => {
                let but = format!("; given up, as `{step}` would have to run again");
                return Err(given_up(last, attempt, &but));
            }
            Err(Again::Moved(image)) => {
                let but = format!(
                    "; given up, as `{image}` is another image now, and this BuildKit does not keep to the first"
                );
                return Err(given_up(last, attempt, &but));
            }
            Err(Again::Failed(error)) => match error.push_trouble_again() {
                Some(next) => (last, trouble) = (error, next),
                None => return Err(error),
            },
        }
    }
}

/// Says what is tried again, after what became of the steps before.
async fn tell(updates: &mpsc::Sender<StatusUpdate>, text: String) {
    // Nobody looks any more: the build ends by itself.
    let _ = updates.send(StatusUpdate::retry(text)).await;
}

/// Why a push that was tried again did not succeed.
enum Again {
    /// As the daemon says.
    Failed(BuildError),
    /// This step would have run a second time.
    Works(String),
    /// This image is not the one that it was.
    Moved(String),
}

async fn push_again(
    work: &NodeWork<'_>,
    build: &BuildPlan,
    attempt: u32,
    updates: &mpsc::Sender<StatusUpdate>,
    patience: &mut Patience,
    cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<BuildOutcome, Again> {
    let mut state = State::default();
    let (mut pins, mut works, mut moved) = (Pins::default(), None, None);
    let ended = Notify::new();
    let mut export = ExportOnly { attempt, digests: HashSet::new() };
    let see = |update: StatusUpdate| {
        state.apply(&update);
        if reaches_the_manifest(&update) {
            patience.prove();
        }
        pins.note(&update);
        if moved.is_none() {
            moved = pins.images().into_iter().find(|image| {
                build.pinned.iter().any(|pinned| pinned.name == image.name && pinned.digest != image.digest)
            });
            if moved.is_some() {
                ended.notify_one();
            }
        }
        if works.is_none()
            && let Some(step) = running_again(&state)
        {
            works = Some(step.name.clone());
            ended.notify_one();
        }
        export.of(update)
    };
    let mut cancel = cancel;
    let either = async {
        tokio::select! {
            () = cancel.as_mut() => {}
            () = ended.notified() => {}
        }
    };
    let solved = solve(work, build, updates, see, pin!(either)).await;
    match (solved, moved, works) {
        (Err(BuildError::Cancelled), Some(image), _) => Err(Again::Moved(image.name)),
        (Err(BuildError::Cancelled), None, Some(step)) => Err(Again::Works(step)),
        (solved, ..) => solved.map_err(Again::Failed),
    }
}

/// One solve; `see` gets each update and gives what is to be shown of it.
async fn solve(
    work: &NodeWork<'_>,
    build: &BuildPlan,
    updates: &mpsc::Sender<StatusUpdate>,
    mut see: impl FnMut(StatusUpdate) -> Option<StatusUpdate>,
    cancel: Pin<&mut impl Future<Output = ()>>,
) -> Result<BuildOutcome, BuildError> {
    let NodeWork { run, node, .. } = work;
    let ids = BuildIds::from_random((run.process.random)());
    let (sender, mut incoming) = mpsc::channel(16);
    let building = buildkit::build(&node.connection, build, &ids, provisions(run, build), sender, cancel);
    let seeing = async {
        while let Some(update) = incoming.recv().await {
            if let Some(update) = see(update) {
                // Nobody looks any more: the build ends by itself.
                let _ = updates.send(update).await;
            }
        }
    };
    tokio::join!(building, seeing).0
}

/// Whether the layers are all there: whoever may push them may push.
fn reaches_the_manifest(update: &StatusUpdate) -> bool {
    update.statuses.iter().any(|status| status.id.starts_with("pushing manifest"))
}

/// What is new in a solve that does nothing but push: the export. The steps before it have been shown.
struct ExportOnly {
    attempt: u32,
    digests: HashSet<String>,
}

impl ExportOnly {
    fn of(&mut self, mut update: StatusUpdate) -> Option<StatusUpdate> {
        let attempt = self.attempt;
        // BuildKit makes the digest of such a step of its name: each attempt is to be a step of its own.
        let mark = |digest: &mut String| *digest = format!("{digest}#{attempt}");
        update.vertexes.retain_mut(|vertex| {
            let exports = vertex.name.starts_with("exporting");
            if exports {
                self.digests.insert(vertex.digest.clone());
                mark(&mut vertex.digest);
                vertex.name = format!("{}{AGAIN}{attempt})", vertex.name);
            }
            exports
        });
        update.statuses.retain_mut(|status| {
            let ours = self.digests.contains(&status.vertex);
            mark(&mut status.vertex);
            ours
        });
        update.logs.retain_mut(|log| {
            let ours = self.digests.contains(&log.vertex);
            mark(&mut log.vertex);
            ours
        });
        update.warnings.clear();
        let something = !update.vertexes.is_empty() || !update.statuses.is_empty() || !update.logs.is_empty();
        something.then_some(update)
    }
}

/// The error of the last attempt, with how many there were.
fn given_up(error: BuildError, attempts: u32, but: &str) -> BuildError {
    match error {
        BuildError::PushFailed { repository, message } if attempts > 1 || !but.is_empty() => {
            let attempts = if attempts > 1 { format!(" (attempt {attempts})") } else { String::new() };
            BuildError::PushFailed { repository, message: format!("{message}{attempts}{but}") }
        }
        error => error,
    }
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
