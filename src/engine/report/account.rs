//! What happened, appended as it happens; and the account of it, which is made at the end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::deployed::EnvironmentOutcome;
use super::target::TargetOutcome;
use crate::error::RunError;
use crate::files;
use crate::inputs::config::Config;
use crate::model::{Annotation, Digest, Platform, Stamp, Tag, sort_by_key};
use crate::plan::{LintPlan, RunPlan};
use crate::progress::cache::CacheUse;
use crate::progress::state::State;
use crate::registry::ImageMetadata;
use crate::runner::context::RunnerContext;
use crate::runner::summary::VerifiedRow;

/// The end of one cache's export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Written {
    /// Where to, for people.
    pub place: String,
    /// How long it took.
    pub time: Duration,
    /// How many layers were not there yet; none where that is not known.
    pub new_layers: Option<usize>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A check that an image has passed, or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Verified {
    /// Where.
    pub platform: Platform,
    /// The line of the input.
    pub text: String,
    /// How long it took.
    pub time: Duration,
    /// It has passed.
    pub well: bool,
}

impl Verified {
    /// For the summary.
    pub(super) fn row(&self) -> VerifiedRow {
        let Self { platform, text, time, well } = self.clone();
        VerifiedRow { check: text, platform, time, well }
    }
}

/// The image in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Archived {
    /// The file, for people.
    pub place: String,
    /// What it is.
    pub written: files::Written,
}

/// The image that the tag people follow was on before, where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Previous {
    /// The tag, in the first repository.
    pub tag: Tag,
    /// What the image says of itself.
    pub stamp: Stamp,
    /// As the registry holds it.
    pub image: ImageMetadata,
}

/// What is reported of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct ImageSummary {
    /// What it is; none where none is made.
    pub digest: Option<Digest>,
    /// It was there already: nothing was built.
    pub promoted: bool,
    /// Its annotations, where not all of them were planned.
    pub annotations: Option<Vec<Annotation>>,
}

/// What happened so far. It only grows, and no phase reads it.
#[derive(Default)]
pub(in crate::engine) struct Report(Mutex<Vec<Entry>>);

/// One thing that happened.
enum Entry {
    /// The runner has said this.
    Context(Box<RunnerContext>),
    /// This was asked for.
    Asked(Box<Config>),
    /// There is nothing to do: why.
    Nothing(String),
    /// This was planned.
    Planned(Box<RunPlan>),
    /// A check was planned.
    LintPlanned(Box<LintPlan>),
    /// The run ends with the plan, as asked.
    DryRun,
    /// A build has said this.
    Built(Box<State>, CacheUse),
    /// The Dockerfile was checked: this was said.
    Linted(Box<State>),
    /// It could not be built, and that is no failure: why.
    Tolerated(Box<RunError>),
    /// No registry would take the image, and that is no failure: why.
    Refused(String),
    /// There is an image.
    Image(ImageSummary),
    /// What became of it in one repository so far.
    Target(TargetOutcome),
    /// What became of an environment.
    Environment(EnvironmentOutcome),
    /// A check has ended.
    Verified(Verified),
    /// Caches were written, or not.
    CacheWritten(Vec<Written>),
    /// The image is in a file.
    Archived(Archived),
    /// The tag people follow was on this.
    Previous(Box<Previous>),
    /// The outputs are in their file.
    OutputsWritten,
}

impl Report {
    fn add(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// The runner has said this.
    pub(in crate::engine) fn context(&self, context: &RunnerContext) {
        self.add(Entry::Context(Box::new(context.clone())));
    }

    /// This was asked for.
    pub(in crate::engine) fn asked(&self, config: &Config) {
        self.add(Entry::Asked(Box::new(config.clone())));
    }

    /// There is nothing to do: why.
    pub(in crate::engine) fn nothing(&self, why: String) {
        self.add(Entry::Nothing(why));
    }

    /// This was planned.
    pub(in crate::engine) fn planned(&self, plan: &RunPlan) {
        self.add(Entry::Planned(Box::new(plan.clone())));
    }

    /// A check was planned.
    pub(in crate::engine) fn lint_planned(&self, plan: &LintPlan) {
        self.add(Entry::LintPlanned(Box::new(plan.clone())));
    }

    /// The Dockerfile was checked: this was said.
    pub(in crate::engine) fn linted(&self, state: State) {
        self.add(Entry::Linted(Box::new(state)));
    }

    /// The Dockerfile that was checked could not be built, and that is no failure: why.
    pub(in crate::engine) fn tolerated(&self, error: RunError) {
        self.add(Entry::Tolerated(Box::new(error)));
    }

    /// The run ends with the plan, as asked.
    pub(in crate::engine) fn dry_run(&self) {
        self.add(Entry::DryRun);
    }

    /// A build has said this, and this is what the cache did for it. A later one stands in its place.
    pub(in crate::engine) fn built(&self, state: State, cache: CacheUse) {
        self.add(Entry::Built(Box::new(state), cache));
    }

    /// No registry would take the image, and that is no failure: why.
    pub(in crate::engine) fn refused(&self, why: String) {
        self.add(Entry::Refused(why));
    }

    /// There is an image.
    pub(in crate::engine) fn image(&self, image: ImageSummary) {
        self.add(Entry::Image(image));
    }

    /// What became of the image in one repository, so far.
    pub(in crate::engine) fn target(&self, outcome: &TargetOutcome) {
        self.add(Entry::Target(outcome.clone()));
    }

    /// What became of an environment.
    pub(in crate::engine) fn environment(&self, outcome: EnvironmentOutcome) {
        self.add(Entry::Environment(outcome));
    }

    /// A check has ended.
    pub(in crate::engine) fn verified(&self, verified: Verified) {
        self.add(Entry::Verified(verified));
    }

    /// Caches were written, or not.
    pub(in crate::engine) fn cache_written(&self, written: Vec<Written>) {
        self.add(Entry::CacheWritten(written));
    }

    /// The image is in a file.
    pub(in crate::engine) fn archived(&self, archived: Archived) {
        self.add(Entry::Archived(archived));
    }

    /// The tag people follow was on this before.
    pub(in crate::engine) fn previous(&self, previous: Previous) {
        self.add(Entry::Previous(Box::new(previous)));
    }

    /// The outputs are in their file.
    pub(super) fn outputs_written(&self) {
        self.add(Entry::OutputsWritten);
    }

    /// The account of it: of what was said twice, the last.
    pub(super) fn account<T>(&self, read: impl FnOnce(&Account<'_>) -> T) -> T {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&Account::of(&entries))
    }
}

/// What happened, in one piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Account<'a> {
    /// What the runner said.
    pub context: Option<&'a RunnerContext>,
    /// What was asked for.
    pub asked: Option<&'a Config>,
    /// There was nothing to do: why.
    pub nothing: Option<&'a str>,
    /// What was planned.
    pub plan: Option<&'a RunPlan>,
    /// The check that was planned.
    pub lint: Option<&'a LintPlan>,
    /// What was said when the Dockerfile was checked.
    pub linted: Option<&'a State>,
    /// Why the Dockerfile that was checked could not be built, where that is no failure.
    pub tolerated: Option<&'a RunError>,
    /// The run ended with the plan, as asked.
    pub dry_run: bool,
    /// What the build said.
    pub progress: Option<&'a State>,
    /// What the cache did for the build.
    pub cache_used: Option<&'a CacheUse>,
    /// What became of environments, as they were told.
    pub environments: Vec<&'a EnvironmentOutcome>,
    /// Caches that were written, or not.
    pub cache_written: Vec<&'a Written>,
    /// Checks that have ended, in order.
    pub verified: Vec<&'a Verified>,
    /// The file that the image is in.
    pub archived: Option<&'a Archived>,
    /// What the tag people follow was on before.
    pub previous: Option<&'a Previous>,
    /// The outputs are in their file.
    pub outputs_written: bool,
    /// What was built, or was there already; a version that was there before it counts more.
    pub digest: Option<&'a Digest>,
    /// No registry would take it, and that is no failure: why.
    pub refused: Option<&'a str>,
    /// Nothing was built: the image was there already.
    pub promoted: bool,
    /// The image's annotations, where not all of them were planned.
    annotations: Option<&'a [Annotation]>,
    /// What became of it in each repository, in the plan's order; none before it is there.
    pub targets: Vec<&'a TargetOutcome>,
}

impl<'a> Account<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let mut account = Self::default();
        for entry in entries {
            match entry {
                Entry::Context(context) => account.context = Some(context),
                Entry::Asked(config) => account.asked = Some(config),
                Entry::Nothing(why) => account.nothing = Some(why),
                Entry::Planned(plan) => account.plan = Some(plan),
                Entry::LintPlanned(plan) => account.lint = Some(plan),
                Entry::Linted(state) => account.linted = Some(state),
                Entry::Tolerated(error) => account.tolerated = Some(error),
                Entry::DryRun => account.dry_run = true,
                Entry::Built(state, cache) => {
                    account.progress = Some(state);
                    account.cache_used = Some(cache);
                }
                Entry::Refused(why) => account.refused = Some(why),
                Entry::Image(image) => {
                    (account.digest, account.promoted) = (image.digest.as_ref(), image.promoted);
                    account.annotations = image.annotations.as_deref();
                }
                Entry::Target(outcome) => account.target(outcome),
                Entry::Environment(outcome) => account.environments.push(outcome),
                Entry::Verified(verified) => account.verified.push(verified),
                Entry::CacheWritten(written) => account.cache_written.extend(written),
                Entry::Archived(archived) => account.archived = Some(archived),
                Entry::Previous(previous) => account.previous = Some(previous),
                Entry::OutputsWritten => account.outputs_written = true,
            }
        }
        if let Some(plan) = account.plan {
            let place =
                |one: &&TargetOutcome| plan.targets.iter().position(|target| *target == one.repository);
            sort_by_key(&mut account.targets, place);
        }
        let first = account.first().and_then(|first| first.digest.as_ref());
        account.digest = first.or(account.digest);
        account
    }

    fn target(&mut self, outcome: &'a TargetOutcome) {
        match self.targets.iter_mut().find(|known| known.repository == outcome.repository) {
            Some(known) => *known = outcome,
            None => self.targets.push(outcome),
        }
    }

    /// Whether all tags are where they belong, in every repository.
    pub(super) fn pushed(&self) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|target| target.pushed)
    }

    /// The image's annotations.
    pub(super) fn annotations(&self) -> &'a [Annotation] {
        self.annotations.or_else(|| self.plan.map(RunPlan::annotations)).unwrap_or_default()
    }

    /// What became of the image in the first repository.
    pub(super) fn first(&self) -> Option<&'a TargetOutcome> {
        self.targets.first().copied()
    }
}
