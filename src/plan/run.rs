//! From what was asked and what is, to what will be done.

use std::path::Path;

use super::build::{BuildPlan, Export};
use super::facts::DaemonFacts;
use crate::inputs::config::{Config, Push, VersionInput};
use crate::metadata::{Metadata, PlannedTag, PushDecision, Subject, labels::labels};
use crate::model::{CommitId, Digest, Platform, Repository};
use crate::runner::context::RunnerContext;

/// How the containerd image store is switched on; GitHub's own runners have it off and no such file yet.
const IMAGE_STORE_ADVICE: &str = "put `\"features\": {\"containerd-snapshotter\": true}` into the daemon's /etc/docker/daemon.json and restart it; on a runner of GitHub's, with a step before this one: `echo '{\"features\":{\"containerd-snapshotter\":true}}' | sudo tee /etc/docker/daemon.json && sudo systemctl restart docker`";

/// One run: what is built, whether and where it goes, under which tags and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// What is built.
    pub build: BuildPlan,
    /// Where it goes, or would go.
    pub repository: Repository,
    /// Its tags in the order of publishing, whether or not they are pushed.
    pub tags: Vec<PlannedTag>,
    /// Whether it is pushed, and why.
    pub push: PushPlan,
    /// What the run is about.
    pub subject: Subject,
    /// What started it, for people.
    pub occasion: String,
    /// The version, if there is one.
    pub version: Option<String>,
    /// The commit that is built.
    pub revision: CommitId,
    /// Who builds, for people.
    pub builder: String,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Whether a run pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushPlan {
    /// It does.
    Push {
        /// A registry that refuses access costs a warning; the image is built all the same.
        tolerate_refusal: bool,
        /// Why, for people.
        why: String,
    },
    /// It does not; why, for people.
    Keep {
        /// The reason.
        why: String,
    },
}

/// There is no plan that would do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The daemon cannot make the image.
    #[error(
        "{daemon} cannot {} because it does not keep images in the containerd image store: {}",
        .needs.join(" or "),
        IMAGE_STORE_ADVICE
    )]
    NoImageStore {
        /// The daemon.
        daemon: String,
        /// What it would have to do.
        needs: Vec<String>,
    },
    /// A push was asked for, but there is no name to push to.
    #[error("`push: true`, but no tag can be published: {0}")]
    NoTag(String),
    /// Nothing to build for.
    #[error("`platform` names no platform (for example `linux/amd64`)")]
    NoPlatform,
}

/// The build argument that `version: auto` sets.
const VERSION_ARGUMENT: &str = "VERSION";

/// Plans a run. Pure: the same values give the same plan.
pub fn plan_run(
    config: &Config,
    context: &RunnerContext,
    daemon: &DaemonFacts,
    metadata: &Metadata,
) -> Result<RunPlan, PlanError> {
    if config.platforms.is_empty() {
        return Err(PlanError::NoPlatform);
    }
    let mut warnings = metadata.warnings.clone();
    let push = push(config.push, metadata, &mut warnings)?;
    let pushes = matches!(push, PushPlan::Push { .. });
    let export = export(config, daemon, pushes)?;
    warnings.extend(emulation(&config.platforms, daemon));
    let build = BuildPlan {
        context: config.context.clone(),
        dockerfile: config.dockerfile.clone(),
        platforms: config.platforms.clone(),
        target: config.target.clone(),
        build_args: build_args(config, metadata),
        labels: labels(context, metadata, &config.labels),
        no_cache: config.no_cache,
        pull: config.pull,
        source_date_epoch: metadata.created,
        shared_key: shared_key(context, &config.context),
        export,
    };
    Ok(RunPlan {
        build,
        repository: config.repository.clone(),
        tags: metadata.tags.clone(),
        push,
        subject: metadata.subject.clone(),
        occasion: metadata.occasion.clone(),
        version: metadata.version.clone(),
        revision: metadata.revision.clone(),
        builder: daemon.name.clone(),
        warnings,
    })
}

/// The arguments asked for; a version that comes from Git is one too, unless it was given: the Dockerfile has no
/// other way to learn it.
fn build_args(config: &Config, metadata: &Metadata) -> Vec<(String, String)> {
    let mut arguments = config.build_args.clone();
    let given = arguments.iter().any(|(name, _)| name == VERSION_ARGUMENT);
    if let (Some(VersionInput::Auto), Some(version), false) = (&config.version, &metadata.version, given) {
        arguments.push((VERSION_ARGUMENT.to_owned(), version.clone()));
    }
    arguments
}

fn push(asked: Push, metadata: &Metadata, warnings: &mut Vec<String>) -> Result<PushPlan, PlanError> {
    let plan = match (asked, &metadata.push_default) {
        (Push::No, _) => PushPlan::Keep { why: "`push` is false".into() },
        (Push::Auto, PushDecision::OnlyIfAsked(why)) => {
            PushPlan::Keep { why: format!("{why}; `push: true` would publish it") }
        }
        (asked, PushDecision::NoPush(why)) => {
            if asked == Push::Yes {
                warnings.push(format!("`push: true` has no effect here: {why}"));
            }
            PushPlan::Keep { why: why.clone() }
        }
        (Push::Yes, _) => PushPlan::Push { tolerate_refusal: false, why: "`push` is true".into() },
        (Push::Auto, PushDecision::Push { tolerate_refusal }) => {
            PushPlan::Push { tolerate_refusal: *tolerate_refusal, why: metadata.occasion.clone() }
        }
    };
    match plan {
        PushPlan::Push { .. } if metadata.tags.is_empty() => {
            Err(PlanError::NoTag(metadata.warnings.last().cloned().unwrap_or_default()))
        }
        plan => Ok(plan),
    }
}

/// Without the containerd image store the daemon's BuildKit can run the steps of one platform, no more.
fn export(config: &Config, daemon: &DaemonFacts, pushes: bool) -> Result<Export, PlanError> {
    if daemon.containerd_image_store {
        return Ok(if pushes { Export::PushByDigest(config.repository.clone()) } else { Export::Digest });
    }
    let mut needs = Vec::new();
    if pushes {
        needs.push("push by digest".to_owned());
    }
    if config.platforms.len() > 1 {
        needs.push(format!("build for {} platforms at once", config.platforms.len()));
    }
    if needs.is_empty() {
        Ok(Export::Nothing)
    } else {
        Err(PlanError::NoImageStore { daemon: crate::metadata::printable(&daemon.name), needs })
    }
}

/// Platforms that the daemon says it cannot run. Not an error: a Dockerfile that only copies needs no emulation.
fn emulation(platforms: &[Platform], daemon: &DaemonFacts) -> Option<String> {
    let missing: Vec<&Platform> = platforms.iter().filter(|platform| !daemon.can_run(platform)).collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!(
        "the daemon runs {}, not {}: a `RUN` step for these would fail with `exec format error`; register QEMU first (docker/setup-qemu-action, or `apt-get install qemu-user-static` on the runner) or leave them out of `platform`",
        listed(&daemon.platforms.iter().collect::<Vec<_>>()),
        listed(&missing)
    ))
}

fn listed(platforms: &[&Platform]) -> String {
    platforms.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
}

/// A name for the context that is the same in every run of the same repository and directory, and differs
/// between any two others: the daemon compares what is sent with what it keeps under this name. It is a hash, as
/// it ends in the daemon's records.
fn shared_key(context: &RunnerContext, directory: &Path) -> String {
    let inside = directory.strip_prefix(&context.paths.workspace).ok();
    let known = !context.repository.full_name.is_empty();
    let place = match inside.filter(|_| known) {
        Some(inside) => {
            format!("{}\0{}\0{}", context.server_url, context.repository.full_name, inside.display())
        }
        // Without a repository only the directory itself says which context this is.
        None => format!("\0\0{}", directory.display()),
    };
    format!("docker-push-action:{}", &Digest::of(place.as_bytes()).as_str()["sha256:".len()..][..32])
}
