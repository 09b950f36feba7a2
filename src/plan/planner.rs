//! From what was asked and what is, to what will be done. Pure: the same values give the same plan.

use std::net::IpAddr;
use std::path::Path;

use super::archive::{self, place, plan_archive};
use super::attached::{self, Carrier};
use super::build::{BuildPlan, Export, VersionControl};
use super::builder::{BuilderPlan, Needs, NodeAddress, plan_builder};
use super::cache::{CachePlan, CacheWrites, for_node, plan_cache};
use super::check::violations;
use super::deploy::{DeployPlan, plan_deploy};
use super::emulation::emulation;
use super::error::PlanError;
use super::export::{CacheExport, ExportPlan};
use super::facts::{BuilderFacts, Facts};
use super::image::{BuildWork, ImageWork, MergeWork, Stalled, WithoutCache};
use super::index::IndexPlan;
use super::legs::{self, LegPlan, MergePlan};
use super::load::plan_load;
use super::output::{self, plan_outputs};
use super::platform_tags::platform_tags;
use super::promote::plan_promotion;
use super::push::{PushPlan, push_plan};
use super::remote::TokenSecrets;
use super::run::{RunPlan, versions};
use super::stage::StagePlan;
use super::verify::plan_verify;
use super::{VERSION_ARGUMENT, git_context, inputs_hash, remote};
use crate::inputs::config::{Config, Mode, VersionInput};
use crate::metadata::labels::{labels, written};
use crate::metadata::{Metadata, PlannedTag, Subject};
use crate::model::{
    Annotation, AnnotationLevel, ContextSource, Digest, HostAddress, InputsHash, NetworkMode, Platform,
    RunOptions, Stamp, Targets,
};
use crate::rules::{Scope, Template};
use crate::runner::context::RunnerContext;

/// Plans a run.
///
/// # Errors
/// When nothing would do what was asked, and when the plan breaks a rule that every plan keeps.
pub fn plan(config: &Config, context: &RunnerContext, facts: &Facts) -> Result<RunPlan, PlanError> {
    let mut plan = match config.mode {
        Mode::Merge => plan_merge(config, context, facts)?,
        Mode::Build | Mode::Leg | Mode::Stage => plan_build(config, context, facts)?,
        Mode::Tag => plan_given(config, context, facts)?,
        Mode::Check => return Err(PlanError::Contradiction(vec!["a check makes an image".into()])),
    };
    plan.deploy = plan_deploy(config, context, &facts.metadata, &facts.targets, plan.commit(), &facts.deploy);
    let found = facts.deploy.iter().flat_map(|one| one.warnings.iter().cloned());
    plan.warnings.extend(found);
    match violations(&plan, config) {
        broken if broken.is_empty() => Ok(plan),
        broken => Err(PlanError::Contradiction(broken)),
    }
}

/// A run that builds, or takes what is there instead.
fn plan_build(config: &Config, context: &RunnerContext, facts: &Facts) -> Result<RunPlan, PlanError> {
    if config.platforms.is_empty() {
        return Err(PlanError::NoPlatform);
    }
    let metadata = &facts.metadata;
    let mut warnings = metadata.warnings.clone();
    let push = push_plan(config.push, metadata, &mut warnings)?;
    let entitlements = entitlements(config);
    let archived = config.archive.iter().map(|_| archive::NEEDS.to_owned());
    let writes: Vec<String> = archived.chain(output::needs(config)).collect();
    let needs = Needs {
        pushes: push.pushes(),
        platforms: &config.platforms,
        entitlements: &entitlements,
        cache_to: &config.cache.to,
        writes: &writes,
    };
    let mut builder = plan_builder(config.into(), context, &needs, &facts.builders)?;
    let export = export(&push, &builder, &facts.targets);
    let CachePlan { from, with_image, mut writes, notes, warning } =
        plan_cache(config, context, facts.cache_trouble.as_ref(), &export, builder.makes_images());
    warnings.extend(warning);
    let TokenSecrets { ids: token_secrets, withheld } = remote::token_secrets(config, context);
    let mut image = BuildPlan {
        cache_from: from,
        cache_to: with_image,
        run: run_options(&config.build.run, host_gateway(&builder, &facts.builders))?,
        entitlements,
        export,
        ..definition(config, context, facts, token_secrets)
    };
    let common = inputs_hash::common(&image, config, &facts.dockerfile, &context.paths.workspace);
    let inputs = common.as_ref().map(|common| inputs_hash::inputs_hash(common, &image.platforms));
    let mut stamp = stamp(context, metadata, inputs);
    let leg = match (config.mode, image.platforms.as_slice()) {
        (Mode::Leg, [platform]) => Some(LegPlan {
            run: context.run.id,
            attempt: context.run.attempt,
            tags: config.tags_key.clone(),
            platform: platform.clone(),
            common,
            versions: versions(&metadata.tags).cloned().collect(),
        }),
        _ => None,
    };
    if let Some(leg) = &leg {
        for_node(&mut image, &mut writes, std::slice::from_ref(&leg.platform));
    }
    let annotations = annotations(config, metadata);
    attach(
        &mut image,
        &mut builder,
        leg.as_ref(),
        &mut stamp,
        (config, &annotations),
        context,
        &mut warnings,
    )?;
    let emulation = emulation(&builder, &image, &facts.dockerfile, config.builder.emulation);
    warnings.extend(emulation.warnings.clone());
    let solves = solves(&image, &builder);
    let cache = cache_export(&image, &builder, writes).map(ExportPlan::Cache);
    let without_cache = without_cache(&solves, &builder);
    let scratch = bare(&solves).map(|solve| BuildPlan { no_cache: true, ..solve }).collect();
    let cache_notes = notes;
    let work = BuildWork { image, builder, emulation, solves, without_cache, scratch, cache_notes };
    let work = Box::new(work);
    let (tags, image) = if let Some(leg) = leg {
        (Vec::new(), ImageWork::Leg { leg, build: work })
    } else {
        let image = match plan_promotion(config, context, metadata, &stamp, push.pushes()) {
            Some(promotion) => ImageWork::Promote { promotion, otherwise: work },
            None => ImageWork::Build(work),
        };
        (metadata.tags.clone(), image)
    };
    let platform_tags = platform_tags(&config.platform_tags, &tags, image.platforms())?;
    let verify = plan_verify(config, context, facts, (&image, &push))?;
    let exports = exports(config, context, facts, (&image, &push, cache), &tags, &mut warnings)?;
    let (stage, tags, platform_tags) = match config.mode {
        Mode::Stage => {
            let (run, attempt, key) = (context.run.id, context.run.attempt, config.tags_key.clone());
            (Some(StagePlan { run, attempt, tags: key, later: tags }), Vec::new(), Vec::new())
        }
        _ => (None, tags, platform_tags),
    };
    let notices = withheld.into_iter().collect();
    let no_tag = metadata.no_tag.clone();
    let about = about(image, config, facts, push, stamp);
    Ok(RunPlan { stage, tags, platform_tags, no_tag, verify, exports, notices, warnings, ..about })
}

/// A run that joins what other jobs have built.
fn plan_merge(config: &Config, context: &RunnerContext, facts: &Facts) -> Result<RunPlan, PlanError> {
    let metadata = &facts.metadata;
    let mut warnings = metadata.warnings.clone();
    let push = push_plan(config.push, metadata, &mut warnings)?;
    let mut index = IndexPlan {
        platforms: config.platforms.clone(),
        labels: labels(context, metadata, &config.labels),
        created: metadata.created,
        annotations: Vec::new(),
    };
    let mut stamp = stamp(context, metadata, None);
    // What the legs were asked for.
    let attestations = attached::attestations(&config.build, true, &context.run.url);
    stamp.run = attached::run_of(&attestations, &context.run);
    if push.pushes() {
        let carrier = Carrier { labels: &index.labels, platforms: &index.platforms, has_index: true };
        index.annotations = attached::annotations(
            &carrier,
            &stamp,
            (&annotations(config, metadata), &config.build.annotation_levels),
            &mut warnings,
        )?;
    }
    let (run, attempt, tags) = (context.run.id, context.run.attempt, config.tags_key.clone());
    let merge = MergePlan { run, attempt, tags };
    let image = ImageWork::Merge(MergeWork { merge, index });
    let tags = metadata.tags.clone();
    let platform_tags = platform_tags(&config.platform_tags, &tags, image.platforms())?;
    let verify = plan_verify(config, context, facts, (&image, &push))?;
    let exports = exports(config, context, facts, (&image, &push, None), &tags, &mut warnings)?;
    let no_tag = metadata.no_tag.clone();
    Ok(RunPlan {
        tags,
        platform_tags,
        no_tag,
        verify,
        exports,
        warnings,
        ..about(image, config, facts, push, stamp)
    })
}

/// A run that puts tags on an image that is there already. What that says of itself decides which tags move; the ref is the
/// run's.
fn plan_given(config: &Config, context: &RunnerContext, facts: &Facts) -> Result<RunPlan, PlanError> {
    let metadata = &facts.metadata;
    let mut warnings = metadata.warnings.clone();
    let push = push_plan(config.push, metadata, &mut warnings)?;
    let given = facts.given.clone().ok_or(PlanError::NoImage)?;
    let stamp = Stamp { reference: reference(&metadata.subject), ..given.stamp.clone() };
    let left = given.platform.as_ref().filter(|_| given.leaves_attestations);
    let notices = left.map(|platform| {
        format!(
            "the attestations of {platform} are in the index that `from` names, and do not go with the image"
        )
    });
    let notices = notices.into_iter().collect();
    let (tags, no_tag) = (metadata.tags.clone(), metadata.no_tag.clone());
    let image = ImageWork::Given(given);
    if image.platforms().is_empty() && !config.platform_tags.is_empty() {
        warnings.push("`platform_tags` makes no tag: the image names no platform".into());
    }
    let platform_tags = platform_tags(&config.platform_tags, &tags, image.platforms())?;
    let verify = plan_verify(config, context, facts, (&image, &push))?;
    let exports = exports(config, context, facts, (&image, &push, None), &tags, &mut warnings)?;
    let about = about(image, config, facts, push, stamp);
    Ok(RunPlan { tags, platform_tags, no_tag, verify, exports, notices, warnings, ..about })
}

/// What else is made of the image. Files come last, as they may lie in the build context, which the others send again.
fn exports(
    config: &Config,
    context: &RunnerContext,
    facts: &Facts,
    (image, push, cache): (&ImageWork, &PushPlan, Option<ExportPlan>),
    tags: &[PlannedTag],
    warnings: &mut Vec<String>,
) -> Result<Vec<ExportPlan>, PlanError> {
    let load = plan_load(config, facts, (image, push), tags, warnings)?.map(ExportPlan::Load);
    let place = config.archive.as_ref().map(|file| place(&file.path, &context.paths));
    let placed = (tags, place.unwrap_or_default());
    let archive = plan_archive(config, facts, (image, push), placed, warnings)?.map(ExportPlan::Archive);
    let outputs = plan_outputs(config, (&facts.targets, tags), image, &context.paths)?;
    let outputs = outputs.into_iter().map(ExportPlan::Output);
    Ok(load.into_iter().chain(cache).chain(archive).chain(outputs).collect())
}

/// What a plan says of the run itself.
fn about(image: ImageWork, config: &Config, facts: &Facts, push: PushPlan, stamp: Stamp) -> RunPlan {
    let Metadata { subject, occasion, version, revision, .. } = &facts.metadata;
    let pushed_to = |host: &_| facts.targets.registries().contains(host);
    RunPlan {
        image,
        targets: facts.targets.clone(),
        protocols: config.builder.protocols.clone().into_iter().filter(|(host, _)| pushed_to(host)).collect(),
        stage: None,
        tags: Vec::new(),
        platform_tags: Vec::new(),
        no_tag: Vec::new(),
        push,
        subject: subject.clone(),
        occasion: occasion.clone(),
        version: version.clone(),
        revision: revision.clone(),
        tag_options: config.tag_options,
        stamp,
        forced: facts.metadata.forced,
        verify: None,
        exports: Vec::new(),
        deploy: DeployPlan::default(),
        notices: Vec::new(),
        warnings: Vec::new(),
    }
}

/// What the build is, wherever it is carried out.
pub(super) fn definition(
    config: &Config,
    context: &RunnerContext,
    facts: &Facts,
    token_secrets: Vec<String>,
) -> BuildPlan {
    let metadata = &facts.metadata;
    let (sources, context_commit) = git_context::context(config, facts.context.as_ref());
    let given = config.build.secrets.iter().cloned();
    BuildPlan {
        context_commit,
        dockerfile_place: git_context::dockerfile_place(config, metadata),
        named_contexts: config.build.named_contexts.clone(),
        target: config.target.clone(),
        build_args: build_args(config, metadata),
        proxies: proxies(config),
        labels: labels(context, metadata, &config.labels),
        no_cache: config.no_cache,
        no_cache_filters: config.build.no_cache_filters.clone(),
        compression: config.build.compression,
        pull: config.pull,
        secrets: given.chain(token_secrets.iter().cloned()).collect(),
        token_secrets,
        source: source(context, config, metadata),
        ssh: config.build.ssh.iter().map(|source| source.id.clone()).collect(),
        source_date_epoch: metadata.created,
        shared_key: shared_key(context, &config.context),
        ..BuildPlan::new(sources, config.dockerfile.clone(), config.platforms.clone())
    }
}

fn export(push: &PushPlan, builder: &BuilderPlan, targets: &Targets) -> Export {
    match (push.pushes(), builder.makes_images()) {
        (true, _) => Export::PushByDigest(targets.clone()),
        (false, true) => Export::Digest,
        (false, false) => Export::Nothing,
    }
}

/// Annotations and attestations; where no image is made, nothing could hold them, and the builder's text says so.
fn attach(
    image: &mut BuildPlan,
    builder: &mut BuilderPlan,
    leg: Option<&LegPlan>,
    stamp: &mut Stamp,
    (config, annotations): (&Config, &[Annotation]),
    context: &RunnerContext,
    warnings: &mut Vec<String>,
) -> Result<(), PlanError> {
    let asked = &config.build;
    if image.export == Export::Nothing {
        let dropped =
            [("annotations", asked.annotations.is_empty()), ("attestations", asked.attests.is_empty())];
        let dropped = dropped.into_iter().filter(|(_, none)| !none);
        builder.skipped.extend(dropped.map(|(what, _)| format!("{what}, as no image is kept")));
        return Ok(());
    }
    let several = leg.is_some() || image.platforms.len() > 1;
    image.attestations = attached::attestations(asked, several, &context.run.url);
    stamp.run = attached::run_of(&image.attestations, &context.run);
    image.annotations = match leg {
        Some(leg) => leg_annotations(image, (annotations, &asked.annotation_levels), &leg.platform)?,
        None => attached::annotations(
            &(&*image).into(),
            stamp,
            (annotations, &asked.annotation_levels),
            warnings,
        )?,
    };
    Ok(())
}

/// The annotations of a leg: those of its own manifest. The merge writes all others.
fn leg_annotations(
    image: &BuildPlan,
    (asked, levels): (&[Annotation], &[AnnotationLevel]),
    platform: &Platform,
) -> Result<Vec<Annotation>, PlanError> {
    let asked = legs::own_annotations(asked, platform);
    let all = attached::annotations(&image.into(), &Stamp::default(), (&asked, levels), &mut Vec::new())?;
    Ok(legs::own_annotations(&all, platform))
}

/// What each node builds: its platforms, with caches of its own where there are several.
fn solves(image: &BuildPlan, builder: &BuilderPlan) -> Vec<BuildPlan> {
    let solve = |platforms: &[Platform]| {
        let mut solve = BuildPlan { platforms: platforms.to_vec(), ..image.clone() };
        if builder.nodes.len() > 1 {
            for_node(&mut solve, &mut CacheWrites::default(), platforms);
        }
        solve
    };
    builder.nodes.iter().map(|node| solve(&node.platforms)).collect()
}

/// What is done if a cache that is read turns out to be of no use.
fn without_cache(solves: &[BuildPlan], builder: &BuilderPlan) -> Option<WithoutCache> {
    if solves.iter().all(|solve| solve.cache_from.is_empty()) {
        return None;
    }
    let stalled = match builder.nodes.as_slice() {
        [only] if matches!(only.address, NodeAddress::OwnContainer(_)) => Stalled::Renew,
        _ => Stalled::Scratch,
    };
    Some(WithoutCache { solves: bare(solves).collect(), stalled })
}

/// The same, with no cache that is read.
fn bare(solves: &[BuildPlan]) -> impl Iterator<Item = BuildPlan> {
    solves.iter().map(|solve| BuildPlan { cache_from: Vec::new(), ..solve.clone() })
}

/// What is written of the cache; nothing where there is no place.
fn cache_export(image: &BuildPlan, builder: &BuilderPlan, writes: CacheWrites) -> Option<CacheExport> {
    if writes.to.is_empty() {
        return None;
    }
    let each = builder.nodes.iter().map(|node| {
        let mut own = writes.clone();
        if builder.nodes.len() > 1 {
            for_node(&mut image.clone(), &mut own, &node.platforms);
        }
        own.to
    });
    let each = each.collect();
    Some(CacheExport { to: writes.to, each, timeout: writes.timeout })
}

/// What the image says of itself.
fn stamp(context: &RunnerContext, metadata: &Metadata, inputs: Option<InputsHash>) -> Stamp {
    let reference = reference(&metadata.subject);
    let source = Some(context.repository.html_url.clone()).filter(|url| !url.is_empty());
    let (commit, version) = (metadata.named.clone(), metadata.version.clone());
    Stamp { commit, reference, inputs, source, run: None, version }
}

/// The ref that an image is published for, whole.
fn reference(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Branch(name) => Some(format!("refs/heads/{name}")),
        Subject::GitTag(name) => Some(format!("refs/tags/{name}")),
        Subject::PullRequest(number) => number.map(|number| format!("refs/pull/{number}")),
        Subject::Queue => None,
        Subject::Ref(name) => Some(name.clone()),
    }
}

/// The annotations asked for, with what their expressions stand for.
fn annotations(config: &Config, metadata: &Metadata) -> Vec<Annotation> {
    let asked = config.build.annotations.iter();
    let written =
        |one: &Annotation| Annotation { value: written(&one.value, &metadata.values), ..one.clone() };
    asked.map(written).collect()
}

/// The arguments asked for; a version that comes from Git is one too, unless it was given: the Dockerfile has no
/// other way to learn it.
fn build_args(config: &Config, metadata: &Metadata) -> Vec<(String, String)> {
    let written = |(name, text): &(String, String)| {
        let value = if config.build_args_of_env.contains(name) {
            text.clone()
        } else {
            Template::lenient(text, Scope::BUILD_ARGS).render(&metadata.values)
        };
        (name.clone(), value)
    };
    let mut arguments: Vec<_> = config.build_args.iter().map(written).collect();
    let given = arguments.iter().any(|(name, _)| name == VERSION_ARGUMENT);
    if let (Some(VersionInput::Auto), Some(version), false) = (&config.version, &metadata.version, given) {
        arguments.push((VERSION_ARGUMENT.to_owned(), version.clone()));
    }
    arguments
}

/// The proxies of Docker's configuration, unless the input gives the same one in either spelling: of two, BuildKit would
/// take the one in lower case, whoever gave it.
fn proxies(config: &Config) -> Vec<String> {
    let given = |name: &str| config.build_args.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    config.build.proxies.iter().filter(|name| !given(name)).cloned().collect()
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
