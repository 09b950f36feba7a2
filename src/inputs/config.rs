//! What the inputs mean, after every check that needs no network.
//!
//! The top of the room: puts together what the files below read, and is used by none of them. What an input means has its type
//! beside its parser; other rooms find all of these types here.
//!
//! Made from [`RawInputs`] and the [`RunnerContext`]; all faults are found in one go. Defaults live beside what reads an
//! input and not in `action.yml`, because the original script's variables stand in for inputs that are empty.

use std::collections::BTreeSet;

use super::fault::{Findings, InputFault, Notice};
use super::image::NamedTargets;
use super::raw::RawInputs;
use super::shared::Shared;
use super::{
    archive, build_args, build_options, builder, cache, check, deploy, docker_env, dockerfile, exporters,
    files, from, image, logins, metadata_context, mode, parse, platform_tags, push, remote, repository,
    scope, script, tag_options, tags, tags_key::tags_key, verify, version,
};
use crate::model::{
    ContextSource, Digest, ImageName, Keyring, Platform, RegistryHost, Repository, Retries, Targets,
};
use crate::rules::{Input, TagRules};
use crate::runner::context::RunnerContext;

pub use super::archive::ArchiveFile;
pub use super::attestations::AttestationInput;
pub use super::build_options::BuildOptions;
pub use super::builder::BuilderOptions;
pub use super::cache::{CacheMode, CacheOptions};
pub use super::check::CheckLevel;
pub use super::deploy::{
    DeployInputs, DeployWhen, Environment, FileChange, Means, MergeMethod, Placeholder, PullRequestOptions,
    Template,
};
pub use super::docker_env::MetadataEnv;
pub use super::dockerfile::Dockerfile;
pub use super::exporters::ExporterInput;
pub use super::metadata_context::MetadataContext;
pub use super::missing_login::MissingLogin;
pub use super::mode::Mode;
pub use super::platform_tags::PlatformTagName;
pub use super::push::Push;
pub use super::tag_options::{ExistingVersion, Promote, TagOptions};
pub use super::verify::{Check, CheckKind, VerifyOptions};
pub use super::version::VersionInput;

/// A run, as it was asked for. What is secret of it is in the [`Keyring`].
#[expect(clippy::struct_excessive_bools, reason = "each is an input of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the image goes.
    pub targets: Targets,
    /// The logins there that the inputs ask for and whose secrets are not there.
    pub missing_logins: Vec<MissingLogin>,
    /// The build context.
    pub context: ContextSource,
    /// The Dockerfile.
    pub dockerfile: Dockerfile,
    /// What to build for, in the order given, each once, at least one. Of an image that is there already at most one, which is
    /// taken out of it.
    pub platforms: Vec<Platform>,
    /// A release's version, if one was given.
    pub version: Option<VersionInput>,
    /// Namespace of the build cache, `{atomi_platform}-{atomi_service}-{image_name}`, each part slugged.
    pub cache_scope: String,
    /// Amazon ECR: make the repository if it is missing.
    pub create_repository: bool,
    /// There is a token for this GitHub server's API.
    pub has_token: bool,
    /// `tags` and `flavor`, which take the place of the default strategy.
    pub tags: Option<TagRules>,
    /// What the further tags of single platforms are called.
    pub platform_tags: Vec<PlatformTagName>,
    /// What tags and labels speak of.
    pub metadata_context: MetadataContext,
    /// Characters of the commit id in the commit tag, 7 to 64.
    pub sha_length: usize,
    /// The branch that owns `latest`.
    pub latest_branch: String,
    /// The same in all jobs whose image has the same tags, by what the workflow says: how legs and their merge meet.
    pub tags_key: Digest,
    /// Whether tags may move, and whether an image that is there will do.
    pub tag_options: TagOptions,
    /// What the variables of docker/metadata-action ask of tag rules.
    pub metadata_env: MetadataEnv,
    /// Labels to add to (or to replace among) the OCI defaults, in order. An empty value is kept.
    pub labels: Vec<(String, String)>,
    /// Build arguments in order. Values may have expressions.
    pub build_args: Vec<(String, String)>,
    /// Those whose values are variables', in which nothing is an expression.
    pub build_args_of_env: BTreeSet<String>,
    /// Stage of the Dockerfile to build; the last one if absent.
    pub target: Option<String>,
    /// Take nothing from the cache.
    pub no_cache: bool,
    /// Look for newer base images.
    pub pull: bool,
    /// Whether to push.
    pub push: Push,
    /// What the job does.
    pub mode: Mode,
    /// What fails a check.
    pub check_level: CheckLevel,
    /// The image that [`Mode::Tag`] puts the tags on. None where another job should have named it and did not, which matters
    /// where something is to be pushed.
    pub from: Option<ImageName>,
    /// Environments that are to run the image.
    pub deploy: DeployInputs,
    /// Only print the plan.
    pub dry_run: bool,
    /// Write a job summary.
    pub summary: bool,
    /// How often a push that failed is tried again.
    pub retries: Retries,
    /// What else the build is asked for.
    pub build: BuildOptions,
    /// The build cache.
    pub cache: CacheOptions,
    /// Who builds.
    pub builder: BuilderOptions,
    /// How the image is verified before it gets a tag.
    pub verify: VerifyOptions,
    /// Also into the local daemon.
    pub load: bool,
    /// Also to a file.
    pub archive: Option<ArchiveFile>,
    /// What else is made of the build's result, in order.
    pub outputs: Vec<ExporterInput>,
}

/// What inputs that are all right come to.
#[derive(Debug)]
pub struct Resolved {
    /// What was asked for. Holds no login and no token.
    pub config: Config,
    /// Everything secret.
    pub keyring: Keyring,
    /// What a person should know of the inputs.
    pub notices: Vec<Notice>,
}

impl Config {
    /// The registry that a builder has to be made for: one on the host's loopback, if it goes to one.
    pub fn nearest_registry(&self) -> &RegistryHost {
        let hosts = self.targets.iter().map(Repository::registry);
        image::nearest(hosts).unwrap_or(self.targets.first().registry())
    }

    /// The platforms that whoever builds has to have: for a check one will do, as it is the same for all.
    pub fn built_platforms(&self) -> &[Platform] {
        match self.mode {
            Mode::Check => self.platforms.get(..1).unwrap_or_default(),
            _ => &self.platforms,
        }
    }

    /// Why the input asks for a new build, if one does.
    pub fn wants_new_build(&self) -> Option<&'static str> {
        [
            (self.no_cache, "`no_cache` asks for a new build"),
            (!self.build.no_cache_filters.is_empty(), "`no_cache_filters` asks for a new build"),
            (self.pull, "`pull` asks for a new build"),
            (!self.outputs.is_empty(), "`outputs` are made by a build"),
        ]
        .into_iter()
        .find_map(|(asked, why)| asked.then_some(why))
    }

    /// What these inputs ask for in this run. Looks at the workspace's files, at nothing else.
    ///
    /// # Errors
    /// Everything that is wrong with any input, at least one fault.
    pub fn resolve(inputs: RawInputs, context: &RunnerContext) -> Result<Resolved, Vec<InputFault>> {
        let mut filled = script::fill(inputs, context);
        let mode = mode::parse(&filled.inputs.mode);
        if mode.as_ref().is_ok_and(|mode| !mode.reads_dockerfile()) {
            mode::without_build(&mut filled.inputs, &context.paths);
        }
        if mode == Ok(Mode::Check) {
            check::without_image(&mut filled, context);
        } else {
            filled.notices.extend(check::without_effect(&filled.inputs.check_level));
        }
        if mode == Ok(Mode::Tag) {
            filled.notices.extend(mode::without_writing(&mut filled.inputs));
        }
        let mut findings = Findings { faults: filled.inputs.faults.clone(), notices: filled.notices.clone() };
        let config = read(&filled, context, &mut findings);
        match config {
            Some((config, keyring)) if findings.faults.is_empty() => {
                Ok(Resolved { config, keyring, notices: findings.notices })
            }
            _ => {
                // A fault of a value that a variable brought is that variable's.
                for fault in &mut findings.faults {
                    if let Some(variable) = filled.stands_in.get(fault.input.as_str()) {
                        (*variable).clone_into(&mut fault.input);
                    }
                }
                Err(findings.faults)
            }
        }
    }
}

/// Reads every input, so that all faults are found; nothing comes of it only where something in `findings` says why.
fn read(
    filled: &script::Filled,
    context: &RunnerContext,
    findings: &mut Findings,
) -> Option<(Config, Keyring)> {
    let inputs = &filled.inputs;
    let mut rules = tags::read(inputs, findings);
    let named = targets(filled, context, rules.as_ref(), findings);
    if let (Some(rules), Some(named)) = (&mut rules, &named) {
        tags::judge(rules, named, findings);
    }
    let shared = Shared::new(&context.paths);
    let mode = findings.take(mode::parse(&inputs.mode));
    let check_level = findings.take(check::level(&inputs.check_level));
    let is_named = mode == Some(Mode::Tag);
    let from = if is_named { findings.take(from::parse(&inputs.from)) } else { Some(None) };
    let pulled_from = from.iter().flatten().map(|image| image.repository().registry()).next();
    let given = named.as_ref().map(|named| {
        let from = logins::LoginInputs { inputs, context, named, pulled_from, shared: &shared };
        logins::read(&from, findings)
    });
    findings.notices.extend(of_names(mode, inputs, named.as_ref()));
    let cache_scope =
        named.as_ref().and_then(|named| findings.take(cache_scope(inputs, context, named.targets.first())));
    let places = match mode {
        Some(mode) if !mode.reads_dockerfile() => mode::places(inputs, context, findings),
        _ => places(inputs, context, findings),
    };
    let platforms = mode::platforms(mode, &inputs.platform, findings);
    let version = findings.take(version::parse(&inputs.version));
    let metadata_context = findings.take(metadata_context::parse(&inputs.metadata_context));
    let sha_length = findings.take(parse::sha_length(&inputs.sha_length));
    let latest_branch = findings.take(parse::line("latest_branch", &inputs.latest_branch));
    let tag_options = tag_options::read(inputs, sha_length, findings);
    let asked = (tag_options.promote, metadata_context);
    let written = judged(inputs, (mode, platforms.as_deref()), asked, &shared, findings);
    let target = findings.take(parse::line("target", &inputs.target));
    let (labels, build_args) = (labels(&inputs.labels, findings), build_args::read(inputs, findings));
    let no_cache = findings.take(parse::boolean("no_cache", &inputs.no_cache, false));
    let pull = findings.take(parse::boolean("pull", &inputs.pull, false));
    let push = pushed(inputs, named.as_ref(), findings);
    let dry_run = findings.take(parse::boolean("dry_run", &inputs.dry_run, false));
    let docker = docker_env::read(inputs, findings);
    let summary = findings.take(parse::boolean("summary", &inputs.summary, docker.summary));
    let retries = findings.take(parse::retries(&inputs.retries));
    let (mut build, secrets) = build_options::read(inputs, context, &shared, &docker, findings);
    let cache = cache::read(inputs, &shared, findings);
    let (several, stranger) = (platforms.as_deref().unwrap_or_default(), context.stranger().is_some());
    let builder = builder::read(inputs, several, stranger, &shared, findings);
    let (deploy, deploy_login) = deploy::read(inputs, findings);
    let (verify, verify_env) = verify::read(inputs, platforms.as_deref(), findings);
    let ((source, dockerfile), given, named) = (places?, given?, named?);
    let Written { load, archive, outputs } = written?;
    build.proxies = given.proxies.iter().map(|(name, _)| name.clone()).collect();
    let keyring = Keyring::new(given.logins, given.identities)
        .with_token(&inputs.token)
        .with_deploy(deploy_login)
        .with_secrets(secrets)
        .with_verify_env(verify_env)
        .with_proxies(given.proxies);
    let tags_key = tags_key(inputs, named.targets.iter());
    let config = Config {
        targets: named.targets,
        missing_logins: given.missing,
        context: source,
        dockerfile,
        platforms: platforms?,
        version: version?,
        cache_scope: cache_scope?,
        create_repository: given.create_repository,
        has_token: keyring.token().is_some(),
        tags: rules,
        platform_tags: platform_tags::read(&inputs.platform_tags, findings),
        metadata_context: metadata_context?,
        sha_length: sha_length?,
        latest_branch: latest_branch?
            .or_else(|| context.repository.default_branch.clone())
            .unwrap_or_else(|| "main".into()),
        tags_key,
        tag_options,
        metadata_env: docker.metadata,
        labels,
        build_args: build_args.0,
        build_args_of_env: build_args.1,
        target: target?,
        no_cache: no_cache?,
        pull: pull?,
        push: push?,
        mode: mode?,
        check_level: check_level?,
        from: from?,
        deploy,
        dry_run: dry_run?,
        summary: summary?,
        retries: retries?,
        build,
        cache,
        builder,
        verify,
        load,
        archive,
        outputs,
    };
    Some((config, keyring))
}

/// Reads where the image goes.
fn targets(
    filled: &script::Filled,
    context: &RunnerContext,
    rules: Option<&TagRules>,
    findings: &mut Findings,
) -> Option<NamedTargets> {
    let named = image::targets(&image::TargetInputs {
        references: rules.map(TagRules::repositories).unwrap_or_default(),
        ..filled.target_inputs(context)
    });
    named.map_err(|faults| findings.faults.extend(faults)).ok()
}

/// What is made of the image besides.
struct Written {
    load: bool,
    archive: Option<ArchiveFile>,
    outputs: Vec<ExporterInput>,
}

/// Holds the mode against what has to go together with it; gives what is made of the image besides.
fn judged(
    inputs: &RawInputs,
    (mode, platforms): (Option<Mode>, Option<&[Platform]>),
    (promote, metadata_context): (Promote, Option<MetadataContext>),
    shared: &Shared<'_>,
    findings: &mut Findings,
) -> Option<Written> {
    let outputs = exporters::read(&inputs.outputs, shared, findings);
    let archive = findings.take(archive::read(&inputs.archive, shared));
    let load = findings.take(parse::boolean("load", &inputs.load, false));
    if let Some(mode) = mode {
        let (from, load) = (inputs.from.as_str(), load == Some(true));
        let archive = !inputs.archive.is_empty();
        let outputs = !outputs.is_empty();
        let beside = mode::Beside { platforms, promote, metadata_context, from, load, archive, outputs };
        mode::judge(mode, beside, findings);
    }
    let (load, archive) = load.zip(archive)?;
    Some(Written { load, archive, outputs })
}

/// Reads whether to push; nowhere, if no line of `repository` is enabled.
fn pushed(inputs: &RawInputs, named: Option<&NamedTargets>, findings: &mut Findings) -> Option<Push> {
    let push = findings.take(push::parse(&inputs.push))?;
    Some(if named.is_some_and(|named| named.is_nowhere) { push.to_nowhere() } else { push })
}

/// The notices about what the image is called, which a check does not ask for.
fn of_names(mode: Option<Mode>, inputs: &RawInputs, named: Option<&NamedTargets>) -> Vec<Notice> {
    if mode == Some(Mode::Check) {
        return Vec::new();
    }
    all_lowered(inputs).chain(named.iter().flat_map(|named| named.notices.clone())).collect()
}

/// The notices for names with upper case in them.
fn all_lowered(inputs: &RawInputs) -> impl Iterator<Item = Notice> {
    let repositories = repository::names(&inputs.repository).filter_map(|name| lowered("repository", name));
    lowered("image_name", &inputs.image_name).into_iter().chain(repositories)
}

/// The notice for a name with upper case in it: registries take lower case only, and whoever wrote something else should know
/// under which name to look.
fn lowered(input: &str, text: &str) -> Option<Notice> {
    let upper = text.contains(|c: char| c.is_ascii_uppercase());
    upper.then(|| {
        Notice::plain(format!(
            "`{input}` is `{}`, used in lower case, as registries take no other",
            super::fault::shown(text)
        ))
    })
}

/// Reads where the context and the Dockerfile are.
fn places(
    inputs: &RawInputs,
    context: &RunnerContext,
    findings: &mut Findings,
) -> Option<(ContextSource, Dockerfile)> {
    let paths = &context.paths;
    let texts = (
        findings.take(parse::line("context", &inputs.context)),
        findings.take(parse::line("dockerfile", &inputs.dockerfile)),
    );
    let text = texts.0.map(Option::unwrap_or_default);
    let url = text.as_deref().and_then(|text| remote::url("context", text, &context.server_url));
    if let Some(url) = url {
        let dockerfile =
            texts.1.and_then(|text| findings.take(dockerfile::in_remote_context(&text.unwrap_or_default())));
        return findings.take(url).map(ContextSource::Remote).zip(dockerfile);
    }
    let workspace = findings.take(files::workspace(paths))?;
    let directory = text.and_then(|text| findings.take(files::context("context", &text, &workspace, paths)));
    // Without a context the Dockerfile is still looked for, so that both faults show in one run; the usual one may be in the context.
    let beside = directory.as_ref().unwrap_or(&workspace);
    let text = texts.1?.unwrap_or_default();
    if directory.is_none() && text.is_empty() && !dockerfile::is_in(&workspace, &text, paths) {
        return None;
    }
    let (dockerfile, notice) = findings.take(dockerfile::on_disk(&text, &workspace, beside, paths))?;
    findings.notices.extend(notice);
    Some((ContextSource::Directory(directory?), dockerfile))
}

/// The namespace of the build cache, from three inputs or what stands for them.
fn cache_scope(
    inputs: &RawInputs,
    context: &RunnerContext,
    repository: &Repository,
) -> Result<String, InputFault> {
    fn given<'a>(text: &'a str, default: &'a str) -> &'a str {
        if text.is_empty() { default } else { text }
    }
    let last = repository.path().rsplit('/').next().unwrap_or_default();
    scope::cache_scope([
        ("atomi_platform", given(&inputs.atomi_platform, &context.repository.owner)),
        ("atomi_service", given(&inputs.atomi_service, &context.repository.name)),
        ("image_name", given(&inputs.image_name, last)),
    ])
}

/// Reads the labels, in order; a key that comes twice counts once, the last time.
fn labels(text: &str, findings: &mut Findings) -> Vec<(String, String)> {
    let hint = "write `key=value`, or `key=` for an empty value";
    let alone = |number, entry: &str| Err(parse::without_value("labels", number, entry).hint(hint));
    let read = parse::pairs("labels", text, alone);
    findings.faults.extend(read.faults);
    findings.notices.extend(read.notices);
    tags::expressions(Input::Labels, text, findings);
    read.entries
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
