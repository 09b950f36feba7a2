//! From what was asked and what is, to what will be done.

use std::net::IpAddr;
use std::path::Path;

use super::build::{BuildPlan, Export, VersionControl};
use super::builder::{BuilderPlan, Needs, plan_builder};
use super::cache::{CacheWrites, for_node, plan_cache};
use super::emulation::{Emulation, emulation};
use super::facts::{BuilderFacts, DockerfileText};
use super::legs::{self, Part};
use super::promote::{Promotion, looks_first, plan_promotion};
use super::{image, inputs_hash, remote};
use crate::inputs::config::{Config, Mode, Push, TagRules, VersionInput};
use crate::metadata::{Metadata, PlannedTag, PushDecision, Subject, labels::labels};
use crate::model::{
    CommitId, ContextSource, Digest, HostAddress, NetworkMode, Platform, Repository, RunOptions, Stamp,
};
use crate::runner::context::RunnerContext;

/// One run: what is built, whether and where it goes, under which tags and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPlan {
    /// Which part of the image.
    pub part: Part,
    /// What is built.
    pub build: BuildPlan,
    /// Where it goes, or would go.
    pub repository: Repository,
    /// Where it goes besides, each once.
    pub also: Vec<Repository>,
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
    /// What was asked about tags that exist already.
    pub tag_rules: TagRules,
    /// Whether an image that is there already will do.
    pub promotion: Promotion,
    /// Tags have to be read before anything is built.
    pub looks_first: bool,
    /// What the image says of itself, for the runs after this one.
    pub stamp: Stamp,
    /// The run's event is a push that threw commits away.
    pub forced: bool,
    /// Who builds.
    pub builder: BuilderPlan,
    /// Emulators that the build needs.
    pub emulation: Emulation,
    /// What is written to caches when the image is published.
    pub cache: CacheWrites,
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
        "{daemon} cannot {} because it does not keep images in the containerd image store: leave `builder` out, or set `builder: docker-container`",
        .needs.join(" or ")
    )]
    NoImageStore {
        /// The daemon.
        daemon: String,
        /// What it would have to do.
        needs: Vec<String>,
    },
    /// No node builds a platform.
    #[error(
        "no node of `builder` builds `{platform}`: there is {}; add a line `{platform}=ADDRESS`, or leave the platform out of `platform`",
        .nodes.join(", ")
    )]
    NoNode {
        /// The platform.
        platform: Platform,
        /// The nodes, and what they build.
        nodes: Vec<String>,
    },
    /// The builder is to be the daemon's, but nothing is known of one: a fault of this action.
    #[error("`builder` needs a Docker daemon, and none was looked at")]
    NoDaemon,
    /// A push was asked for, but there is no name to push to.
    #[error("`push: true`, but no tag can be published: {0}")]
    NoTag(String),
    /// An annotation for what is not built.
    #[error(
        "`annotations`: `{key}` is for `{platform}`, which is not built; `platform` has {}",
        .built.iter().map(|platform| format!("`{platform}`")).collect::<Vec<_>>().join(", ")
    )]
    AnnotatesOther {
        /// Its key.
        key: String,
        /// The platform that it names.
        platform: Platform,
        /// What is built.
        built: Vec<Platform>,
    },
    /// `host-gateway` of a builder that has not told where that is.
    #[error(
        "`add_hosts`: this builder does not say where `host-gateway` is (only a Docker daemon does): write the address for `{0}`"
    )]
    NoHostGateway(String),
    /// Nothing to build for.
    #[error("`platform` names no platform (for example `linux/amd64`)")]
    NoPlatform,
}

/// The build argument that `version: auto` sets.
pub(super) const VERSION_ARGUMENT: &str = "VERSION";

impl RunPlan {
    /// Every repository that the image goes to, or would go to, the first one first.
    pub fn targets(&self) -> impl Iterator<Item = &Repository> {
        std::iter::once(&self.repository).chain(&self.also)
    }

    /// Their names, for people.
    pub fn names(&self) -> String {
        self.targets().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Plans a run. Pure: the same values give the same plan.
pub fn plan_run(
    config: &Config,
    context: &RunnerContext,
    facts: &BuilderFacts,
    metadata: &Metadata,
    dockerfile: &DockerfileText,
) -> Result<RunPlan, PlanError> {
    if config.platforms.is_empty() {
        return Err(PlanError::NoPlatform);
    }
    let mut warnings = metadata.warnings.clone();
    let push = push_plan(config.push, metadata, &mut warnings)?;
    let pushes = matches!(push, PushPlan::Push { .. });
    let entitlements = entitlements(config);
    let needs = Needs {
        pushes,
        platforms: &config.platforms,
        entitlements: &entitlements,
        cache_to: &config.cache.to,
    };
    let mut builder = plan_builder(config.into(), context, &needs, facts)?;
    let export = match (pushes, builder.makes_images()) {
        (true, _) => Export::PushByDigest(config.targets().cloned().collect()),
        (false, true) => Export::Digest,
        (false, false) => Export::Nothing,
    };
    let mut cache = plan_cache(config, context, &export, builder.makes_images());
    warnings.extend(cache.warning);
    let token_secrets = remote::token_secrets(config, context);
    let given = config.build.secrets.iter().map(|secret| secret.id.clone());
    let mut build = BuildPlan {
        cache_from: cache.from,
        cache_to: cache.with_image,
        named_contexts: config.build.named_contexts.clone(),
        target: config.target.clone(),
        build_args: build_args(config, metadata),
        labels: labels(context, metadata, &config.labels),
        no_cache: config.no_cache,
        no_cache_filters: config.build.no_cache_filters.clone(),
        pull: config.pull,
        run: run_options(&config.build.run, host_gateway(&builder, facts))?,
        entitlements,
        secrets: given.chain(token_secrets.iter().cloned()).collect(),
        token_secrets,
        source: source(context, config, metadata),
        ssh: config.build.ssh.iter().map(|source| source.id.clone()).collect(),
        source_date_epoch: metadata.created,
        shared_key: shared_key(context, &config.context),
        export,
        ..BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone())
    };
    let common = inputs_hash::common(&build, config, dockerfile, &context.paths.workspace);
    let inputs = common.as_ref().map(|common| inputs_hash::inputs_hash(common, &build.platforms));
    let stamp = stamp(context, metadata, inputs);
    let part = match (config.mode, build.platforms.as_slice()) {
        (Mode::Leg, [platform]) => Part::Leg(legs::leg(&context.run, platform, common, metadata)),
        _ => Part::Whole,
    };
    if let Part::Leg(leg) = &part {
        for_node(&mut build, &mut cache.writes, std::slice::from_ref(&leg.platform));
    }
    let (tags, promotion) = match part {
        Part::Leg(_) => (Vec::new(), Promotion::No),
        _ => (metadata.tags.clone(), plan_promotion(config, context, metadata, &stamp, pushes)),
    };
    // Where no image is made, nothing could hold them.
    if build.export == Export::Nothing {
        let asked = &config.build;
        let dropped =
            [("annotations", asked.annotations.is_empty()), ("attestations", asked.attests.is_empty())];
        let dropped = dropped.into_iter().filter(|(_, none)| !none);
        builder.skipped.extend(dropped.map(|(what, _)| format!("{what}, as no image is kept")));
    } else {
        let several = part != Part::Whole || config.platforms.len() > 1;
        build.attestations = image::attestations(&config.build, several, &context.run.url);
        build.annotations = match &part {
            Part::Leg(leg) => legs::annotations(&build, &config.build.annotations, &leg.platform)?,
            _ => image::annotations(&build, &stamp, &config.build.annotations, &mut warnings)?,
        };
    }
    let emulation = emulation(&builder, &build, dockerfile, config.builder.emulation);
    warnings.extend(emulation.warnings.clone());
    Ok(RunPlan {
        part,
        build,
        repository: config.repository.clone(),
        also: config.also.clone(),
        tags,
        push,
        subject: metadata.subject.clone(),
        occasion: metadata.occasion.clone(),
        version: metadata.version.clone(),
        revision: metadata.revision.clone(),
        tag_rules: config.tag_rules,
        looks_first: looks_first(&promotion, &metadata.tags, pushes),
        promotion,
        stamp,
        forced: context.forced,
        builder,
        emulation,
        cache: cache.writes,
        warnings,
    })
}

/// What the image says of itself.
pub(super) fn stamp(context: &RunnerContext, metadata: &Metadata, inputs: Option<Digest>) -> Stamp {
    let reference = match &metadata.subject {
        Subject::Branch(name) => Some(format!("refs/heads/{name}")),
        Subject::GitTag(name) => Some(format!("refs/tags/{name}")),
        Subject::PullRequest(number) => number.map(|number| format!("refs/pull/{number}")),
        Subject::Queue => None,
        Subject::Ref(name) => Some(name.clone()),
    };
    let source = Some(context.repository.html_url.clone()).filter(|url| !url.is_empty());
    Stamp { commit: metadata.named.clone(), reference, inputs, source }
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

/// What the builder has to allow: what was asked for, and the host's network if steps are to have it.
pub(super) fn entitlements(config: &Config) -> Vec<String> {
    const HOST_NETWORK: &str = "network.host";
    let mut entitlements = config.build.entitlements.clone();
    let host = config.build.run.network == Some(NetworkMode::Host);
    if host && !entitlements.iter().any(|known| known == HOST_NETWORK) {
        entitlements.push(HOST_NETWORK.into());
    }
    entitlements
}

/// The host of the daemon, as its containers see it, if all nodes are there.
fn host_gateway(builder: &BuilderPlan, facts: &BuilderFacts) -> Option<IpAddr> {
    let beside = builder.nodes.iter().all(|node| node.address.is_beside_daemon());
    facts.daemon.as_ref().filter(|_| beside)?.host_gateway
}

/// How steps run, with the address of `host-gateway`: BuildKit takes addresses only.
fn run_options(asked: &RunOptions, gateway: Option<IpAddr>) -> Result<RunOptions, PlanError> {
    let mut options = asked.clone();
    for (name, address) in &mut options.add_hosts {
        if *address == HostAddress::Gateway {
            let gateway = gateway.ok_or_else(|| PlanError::NoHostGateway(name.clone()))?;
            *address = HostAddress::Ip(gateway);
        }
    }
    Ok(options)
}

/// What provenance says of the sources: nothing where BuildKit fetches them, as it knows them better.
fn source(context: &RunnerContext, config: &Config, metadata: &Metadata) -> Option<VersionControl> {
    let url = context.repository.html_url.clone();
    let here = matches!(config.context, ContextSource::Directory(_));
    (here && !url.is_empty()).then(|| VersionControl { url, revision: metadata.revision.clone() })
}

/// Whether a run pushes: what is asked, and what the event allows.
pub(super) fn push_plan(
    asked: Push,
    metadata: &Metadata,
    warnings: &mut Vec<String>,
) -> Result<PushPlan, PlanError> {
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

/// A name for the context that is the same in every run of the same repository and directory, and differs
/// between any two others: the daemon compares what is sent with what it keeps under this name. It is a hash, as
/// it ends in the daemon's records.
fn shared_key(context: &RunnerContext, source: &ContextSource) -> String {
    let directory = match source {
        ContextSource::Directory(directory) => directory.as_path(),
        // Nothing of it is sent.
        ContextSource::Remote(url) => Path::new(url),
    };
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
