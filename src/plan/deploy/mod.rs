//! Deployments: which environments get the image of a run, which do not and why, and how each is told.
//!
//! What is planned is what can be known before the image is there: its tag, the files, the branches. How our image stands to
//! the one that an environment has, or that is proposed for it, is read right before something is changed: `standing` tells,
//! `judge` says what is done then, `steps` puts that into an order that other runs cannot spoil (`step` has its values), `text` has
//! the words.

mod judge;
mod names;
#[cfg(test)]
mod races;
mod standing;
mod step;
mod steps;
mod text;

use serde::Serialize;

use super::push::keeps;
use crate::inputs::config::{Config, DeployWhen, Environment, FileChange, Means, Mode, PullRequestOptions};
use crate::kustomize::NewImage;
use crate::metadata::{Metadata, Moves, PlannedTag, Stage, Subject, TagSource};
use crate::model::{CommitId, Digest, Repository, Tag, Targets};
use crate::runner::context::RunnerContext;

pub use names::{SCRATCH, is_orphan, proposal_branch, scratch_branch};
pub use standing::{DeployAnswer, DeployKnown, DeployQuestion, Standing, standing};
pub use step::{
    Action, BaseRead, ChangedFile, DeployOutcome, DeployReply, DeployStep, DeployTrouble, Opening, Proposal,
    PullRequestRef, Seen,
};
pub use steps::DeploySteps;
pub use text::Message;

/// What a run deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployPlan {
    /// What is deployed; nothing where no environment gets anything.
    pub image: Option<DeployedImage>,
    /// The environments that get it, in the order of the input.
    pub work: Vec<DeployWork>,
    /// Those that do not, and why.
    pub skipped: Vec<NotDeployed>,
    /// Environments never go back to an older image.
    pub hold_back: bool,
}

/// The image, before its digest is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployedImage {
    /// Where it is.
    pub repository: Repository,
    /// The tag that says most about it: a version's, else its commit's.
    pub tag: Tag,
    /// Its commit, if that is known.
    pub commit: Option<CommitId>,
}

/// One environment that gets the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployWork {
    /// As it was asked for.
    pub environment: Environment,
    /// Where in its repository the image is set; nothing where that is told by an event.
    pub place: Option<DeployPlace>,
}

/// Where in a repository the image is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployPlace {
    /// The branch that the environment runs.
    pub base: String,
    /// The files, each once.
    pub files: Vec<String>,
    /// The branch of the pull request: the same in every run.
    pub branch: String,
}

/// What was found of an environment's repository, before anything is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFacts {
    /// Its number in the input.
    pub number: usize,
    /// The branch that it runs.
    pub base: String,
    /// The files: directories became their kustomizations.
    pub files: Vec<String>,
    /// What a person should know of them, one sentence each.
    pub warnings: Vec<String>,
}

/// An environment that does not get the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotDeployed {
    /// Which, for people.
    pub environment: String,
    /// Why not.
    pub reason: String,
}

impl DeployedImage {
    /// With its digest, as files say it.
    pub fn at(&self, digest: Option<Digest>) -> NewImage {
        NewImage { repository: self.repository.clone(), tag: self.tag.clone(), digest }
    }
}

impl DeployWork {
    /// Its files, if it is told by them.
    pub fn change(&self) -> Option<(&FileChange, &DeployPlace)> {
        match (&self.environment.means, &self.place) {
            (Means::Files(change), Some(place)) => Some((change, place)),
            _ => None,
        }
    }

    /// What a pull request gets, also where there is one only because nobody knows which image is newer.
    pub fn options(&self) -> PullRequestOptions {
        let options = self.change().and_then(|(change, _)| change.pull_request.clone());
        options.unwrap_or_default()
    }
}

/// Which environments a run deploys to, and why not to the others. Needs nothing of their repositories.
pub fn due<'a>(
    config: &'a Config,
    context: &RunnerContext,
    metadata: &Metadata,
    targets: &Targets,
) -> (Vec<&'a Environment>, Vec<NotDeployed>) {
    let never = never(config, context, metadata, targets);
    let (mut due, mut skipped) = (Vec::new(), Vec::new());
    for environment in &config.deploy.environments {
        let why = match &never {
            Some(why) => Some(why.clone()),
            None => not_now(environment, config, metadata, targets),
        };
        match why {
            None => due.push(environment),
            Some(reason) => skipped.push(NotDeployed { environment: environment.to_string(), reason }),
        }
    }
    (due, skipped)
}

/// Plans the deployments of a run.
pub(super) fn plan_deploy(
    config: &Config,
    context: &RunnerContext,
    metadata: &Metadata,
    targets: &Targets,
    commit: Option<&CommitId>,
    facts: &[EnvironmentFacts],
) -> DeployPlan {
    let (due, skipped) = due(config, context, metadata, targets);
    let work: Vec<DeployWork> =
        due.into_iter().filter_map(|environment| work_at(environment, targets, facts)).collect();
    let image = deployed_image(metadata, targets, commit).filter(|_| !work.is_empty());
    DeployPlan { image, work, skipped, hold_back: config.tag_options.hold_back }
}

/// What a run deploys, if it has a tag for that.
pub fn deployed_image(
    metadata: &Metadata,
    targets: &Targets,
    commit: Option<&CommitId>,
) -> Option<DeployedImage> {
    let tag = tag(metadata, targets)?.tag.clone();
    Some(DeployedImage { repository: targets.first().clone(), tag, commit: commit.cloned() })
}

fn work_at(environment: &Environment, targets: &Targets, facts: &[EnvironmentFacts]) -> Option<DeployWork> {
    let environment = environment.clone();
    let Means::Files(change) = &environment.means else {
        return Some(DeployWork { environment, place: None });
    };
    // Each was looked at; who was not is a fault of this action, which the check tells.
    let found = facts.iter().find(|one| one.number == environment.number)?;
    let branch = proposal_branch(&found.base, &change.kind, &found.files, targets.first());
    let place = DeployPlace { base: found.base.clone(), files: found.files.clone(), branch };
    Some(DeployWork { environment, place: Some(place) })
}

/// Why a run deploys nothing at all, if it does not.
fn never(config: &Config, context: &RunnerContext, metadata: &Metadata, targets: &Targets) -> Option<String> {
    match config.mode {
        Mode::Leg => return Some("this is one leg: the job with `mode: merge` deploys".into()),
        Mode::Stage => return Some("the image has no tag yet: the job with `mode: tag` deploys".into()),
        Mode::Check => return Some("nothing is built".into()),
        Mode::Build | Mode::Merge | Mode::Tag => {}
    }
    if matches!(metadata.subject, Subject::PullRequest(_)) {
        return Some("an image of a pull request is never deployed".into());
    }
    if let Some(stranger) = context.stranger() {
        return Some(format!("{} never deploys", stranger.run()));
    }
    if let Some(why) = keeps(config.push, &metadata.push_default) {
        return Some(format!("nothing is pushed: {why}"));
    }
    if tag(metadata, targets).is_none() {
        return Some("no tag of this run is a version's or the commit's own".into());
    }
    None
}

/// Why this environment does not get the image of a run that deploys, if it does not.
fn not_now(
    environment: &Environment,
    config: &Config,
    metadata: &Metadata,
    targets: &Targets,
) -> Option<String> {
    let is_version = matches!(metadata.subject, Subject::GitTag(_))
        || tag(metadata, targets).is_some_and(|tag| tag.policy.is_fixed());
    let on_branch = matches!(&metadata.subject, Subject::Branch(name) if *name == config.latest_branch);
    let wants = |when: &DeployWhen| match when {
        DeployWhen::Version => is_version,
        DeployWhen::Branch => on_branch,
        DeployWhen::Always => true,
    };
    if environment.when.iter().any(wants) {
        return None;
    }
    let occasions: Vec<String> = environment
        .when
        .iter()
        .map(|when| match when {
            DeployWhen::Version => "a Git tag, a release or a `version`".to_owned(),
            DeployWhen::Branch => {
                format!("a run on branch `{}`", crate::model::text::name(&config.latest_branch))
            }
            DeployWhen::Always => "any run".to_owned(),
        })
        .collect();
    Some(format!("it waits for {}", occasions.join(", or for ")))
}

/// The tag that is deployed: a version's, else the commit's own, in the first repository.
fn tag<'a>(metadata: &'a Metadata, targets: &Targets) -> Option<&'a PlannedTag> {
    let here = || metadata.tags.iter().filter(|tag| tag.is_for(targets.first()));
    let of_commit = |tag: &&PlannedTag| {
        tag.policy.moves == Moves::Free && tag.policy.stage == Stage::First && tag.source != TagSource::Queue
    };
    here().find(|tag| tag.policy.is_fixed()).or_else(|| here().find(of_commit))
}

#[cfg(test)]
mod tests;
