//! Tags on the pushed digest, and the image as the registry holds it; in several repositories at the same time, each by
//! itself.
//!
//! What is done next, the plan's [`Steps`] say: this file does it and tells what came of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use crate::error::RunError;
use crate::inputs::config::Config;
use crate::model::{Digest, Patience, Repository, Stamp, Stamped, Tag};
use crate::plan::RunPlan;
use crate::plan::order::{Putting, Reply, Step, Steps};
use crate::plan::publish::plan_publish;
use crate::registry::{Copied, Copying, Manifest, RegistryClient, RegistryError};
use crate::runner::context::RunnerContext;
use crate::runner::units;

use super::Process;
use super::history::Historian;
use super::login::Renewing;
use super::persist::{patience, persist};
use super::preflight::{Existing, Verdict};
use super::record::{Placed, Record};

/// Tags that are read or put at the same time.
const IN_PARALLEL: usize = 8;

/// Puts the planned tags on the digest in every repository, where they may go on it, unless the run is stopped.
///
/// A failure leaves each tag either old or new; what was put stays in the record, and a re-run completes it. One
/// repository's failure does not keep the others from being finished.
pub async fn publish(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    verdict: &Verdict,
    record: &mut Record,
) -> Result<(), RunError> {
    tokio::select! {
        published = put_all(process, config, context, plan, verdict, record) => published,
        stop = process.stopped() => Err(RunError::Stopped(stop)),
    }
}

async fn put_all(
    process: &Process,
    config: &Config,
    context: &RunnerContext,
    plan: &RunPlan,
    verdict: &Verdict,
    record: &mut Record,
) -> Result<(), RunError> {
    let Some(digest) = record.digest.clone() else { return Ok(()) };
    record.is_built(plan, &digest);
    let started = tokio::time::Instant::now();
    let historian = Mutex::new(Historian::new(process, config, context, plan));
    let at = At { process, plan, verdict, historian: &historian };
    let renewing = Renewing::new(process, config);
    let open = record.places.iter_mut().filter(|place| place.failure.is_none());
    join_all(open.map(async |place| {
        if let Err(error) =
            renewing.doing(async |config: &Config| put_in(&at, config, &mut *place).await).await
        {
            place.failure = Some(error);
        }
    }))
    .await;
    process.reporter.phase("tags", started.elapsed());
    record.digest = record.first().and_then(|first| first.digest.clone()).or(Some(digest));
    record.failures()
}

/// With what tags are put.
struct At<'a> {
    process: &'a Process,
    plan: &'a RunPlan,
    verdict: &'a Verdict,
    /// What is known of commits is so in every repository.
    historian: &'a Mutex<Historian>,
}

impl At<'_> {
    fn client(&self, config: &Config, repository: &Repository) -> Arc<RegistryClient> {
        self.verdict.client(self.process, config, repository.registry())
    }

    /// A sentence about one repository, which is named where there are several.
    fn of(&self, repository: &Repository, text: &str) -> String {
        if self.plan.also.is_empty() { text.to_owned() } else { format!("{repository}: {text}") }
    }
}

/// All tags of one repository.
async fn put_in(at: &At<'_>, config: &Config, place: &mut Placed) -> Result<(), RunError> {
    let At { process, plan, .. } = *at;
    let repository = place.repository.clone();
    let Some(publish) = place.digest.clone().and_then(|digest| plan_publish(plan, &repository, digest))
    else {
        return Ok(());
    };
    let client = at.client(config, &repository);
    let patience = patience(config, repository.registry());
    if let Some(from) = place.from.clone() {
        let began = tokio::time::Instant::now();
        let source = at.client(config, &from);
        let copy = Copying { from: (&source, &from), to: (&client, &repository) };
        let copied = persist(process, patience.clone(), async || copy.image(&publish.digest).await).await?;
        let (digest, time) = (&publish.digest, units::seconds(began.elapsed()));
        let Copied { mounted, passed, bytes } = copied;
        process.reporter.info(&format!(
            "copied {from}@{digest} to {repository} in {time} ({mounted} blobs within the registry, {passed} through \
             here, {})",
            units::bytes(bytes)
        ));
    }
    let shelf = Shelf::new(process, patience.clone(), &client, &repository);
    let manifest = shelf.manifest(&publish.digest).await?;
    let mut steps = Steps::new(publish.clone());
    let tagging = carry_out(&shelf, at.historian, &mut steps, plan, place);
    let metadata = async |manifest: &Manifest| {
        persist(process, patience.clone(), async || client.metadata_of(&repository, manifest).await).await
    };
    let (tagged, mut metadata_of) = tokio::join!(tagging, metadata(&manifest));
    for warning in &steps.progress().warnings {
        process.reporter.warn(&at.of(&repository, warning));
    }
    for held in &place.held_back {
        let text = format!("`{}` is held back: {}", held.tag, held.reason);
        process.reporter.notice(&at.of(&repository, &text));
    }
    tagged?;
    place.pushed = true;
    if let Some(digest) = place.digest.as_ref().filter(|digest| **digest != publish.digest) {
        let text = format!("the version exists for this commit: the result is {digest}");
        process.reporter.notice(&at.of(&repository, &text));
        metadata_of = metadata(&shelf.manifest(digest).await?).await;
    }
    match metadata_of {
        Ok(metadata) => place.metadata = Some(metadata),
        Err(error) => process.reporter.warn(&format!("the image is published, but {error}")),
    }
    Ok(())
}

/// Does one step after the other.
async fn carry_out(
    shelf: &Shelf<'_>,
    historian: &Mutex<Historian>,
    steps: &mut Steps,
    plan: &RunPlan,
    place: &mut Placed,
) -> Result<(), RunError> {
    let mut told = false;
    loop {
        let reply = match steps.next() {
            Step::Read(tags) => Reply::Read(shelf.read(&tags).await?),
            Step::Put(puts) => {
                let (reply, failure) = shelf.put(&puts, steps, plan, place).await;
                if let Some(error) = failure {
                    return Err(error.into());
                }
                Reply::Put(reply)
            }
            Step::Relate(old, new) => Reply::Related(historian.lock().await.relation(&old, &new).await),
            Step::History => {
                let history = historian.lock().await.history().await;
                if let (Err(why), false) = (&history, std::mem::replace(&mut told, true)) {
                    let said = format!("whether newer commits are published is not known: {why}");
                    shelf.process.reporter.info(&said);
                }
                Reply::History(history)
            }
            Step::Done => return Ok(()),
            Step::Fail(taken) => return Err(RunError::VersionTaken(taken)),
        };
        steps.answer(reply);
        let progress = steps.progress();
        place.digest = Some(progress.digest.clone());
        place.published.clone_from(&progress.published);
        place.held_back.clone_from(&progress.held_back);
    }
}

/// One repository, with what was read of it.
pub(super) struct Shelf<'a> {
    process: &'a Process,
    /// With each request.
    patience: Patience,
    client: &'a RegistryClient,
    repository: &'a Repository,
    /// What was under tags when the registry was looked at first.
    heads: Option<&'a Existing>,
    manifests: RefCell<HashMap<Digest, Manifest>>,
    stamps: RefCell<HashMap<Digest, Stamp>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(
        process: &'a Process,
        patience: Patience,
        client: &'a RegistryClient,
        repository: &'a Repository,
    ) -> Self {
        let (manifests, stamps) = (RefCell::default(), RefCell::default());
        Self { process, patience, client, repository, heads: None, manifests, stamps }
    }

    /// Takes what was under tags a moment ago for what is: only where nothing is moved after it.
    pub(super) fn with(self, heads: Option<&'a Existing>) -> Self {
        Self { heads, ..self }
    }

    async fn manifest(&self, digest: &Digest) -> Result<Manifest, RegistryError> {
        if let Some(known) = self.manifests.borrow().get(digest) {
            return Ok(known.clone());
        }
        let get = async || self.client.get_manifest(self.repository, digest).await;
        let manifest = persist(self.process, self.patience.clone(), get).await?;
        self.manifests.borrow_mut().insert(digest.clone(), manifest.clone());
        Ok(manifest)
    }

    /// What is under each tag now.
    pub(super) async fn read(&self, tags: &[Tag]) -> Result<Vec<Option<Stamped>>, RegistryError> {
        let reading = tags.iter().map(|tag| self.stamped(tag));
        let found: Vec<_> = futures_util::stream::iter(reading).buffered(IN_PARALLEL).collect().await;
        found.into_iter().collect()
    }

    async fn stamped(&self, tag: &Tag) -> Result<Option<Stamped>, RegistryError> {
        let found = if let Some(known) = self.heads.and_then(|heads| heads.get(tag)) {
            known.clone()
        } else {
            let head = async || self.client.head_manifest(self.repository, tag).await;
            persist(self.process, self.patience.clone(), head).await?
        };
        let Some(found) = found else { return Ok(None) };
        let digest = found.digest;
        let known = self.stamps.borrow().get(&digest).cloned();
        if let Some(stamp) = known {
            return Ok(Some(Stamped { digest, stamp }));
        }
        let at_hand = self.manifests.borrow().get(&digest).cloned();
        let read = async || match &at_hand {
            Some(manifest) => self.client.stamp_of(self.repository, manifest).await,
            None => self.client.stamp(self.repository, &digest).await,
        };
        let stamp = persist(self.process, self.patience.clone(), read).await?;
        self.stamps.borrow_mut().insert(digest.clone(), stamp.clone());
        Ok(Some(Stamped { digest, stamp }))
    }

    /// Puts the tags, all at the same time. With a failure, those that were put are known to the place.
    async fn put(
        &self,
        puts: &[(Tag, Digest)],
        steps: &Steps,
        plan: &RunPlan,
        place: &mut Placed,
    ) -> (Vec<Putting>, Option<RegistryError>) {
        let putting = puts.iter().map(|(tag, digest)| self.put_one(tag, digest));
        let answers: Vec<_> = futures_util::stream::iter(putting).buffered(IN_PARALLEL).collect().await;
        let (mut done, mut failure) = (Vec::new(), None);
        for ((tag, digest), answer) in puts.iter().zip(answers) {
            match answer {
                Ok(Putting::Done) if *digest == steps.progress().digest => {
                    place.published.extend(plan.tags.iter().find(|one| one.tag == *tag).cloned());
                    done.push(Putting::Done);
                }
                Ok(putting) => done.push(putting),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (done, failure)
    }

    async fn put_one(&self, tag: &Tag, digest: &Digest) -> Result<Putting, RegistryError> {
        let manifest = self.manifest(digest).await?;
        let put = async || self.client.put_tag(self.repository, tag, &manifest).await;
        match persist(self.process, self.patience.clone(), put).await {
            Ok(()) => {
                self.process.reporter.info(&format!("✓ {}:{tag}", self.repository));
                Ok(Putting::Done)
            }
            Err(error) => error.immutable().map(Putting::Immutable).ok_or(error),
        }
    }
}
