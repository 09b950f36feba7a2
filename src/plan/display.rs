//! A plan as a person reads it, and as JSON for the output `plan`.
//!
//! Neither holds a secret or the value of a build argument. Names in a plan are hostile: in the text whatever
//! could steer a terminal, reorder a line or pass for a workflow command is replaced.

use std::fmt::Write as _;

use serde::Serialize;

use super::archive::ArchivePlan;
use super::build::Export;
use super::build_text::{self, BuildFields};
use super::builder::host_network;
use super::cache::place;
use super::deploy::{DeployPlan, DeployWork, NotDeployed};
use super::export::ExportPlan;
use super::given::{CommitSource, GivenWork};
use super::image::{ImageWork, Made, Stalled};
use super::load::LoadPlan;
use super::outlook::{self, Outlook};
use super::output::OutputPlan;
use super::platform_tags::PlatformTag;
use super::push::PushPlan;
use super::run::RunPlan;
use super::verify::VerifyPlan;
use crate::inputs::config::Check;
use crate::metadata::rules::Nothing;
use crate::metadata::{Moves, PlannedTag, Subject};
use crate::model::{
    CacheEntry, CommitId, Digest, Platform, RegistryHost, RegistryProtocol, Repository, Tag, Targets, text,
};

/// Widest left column.
const WIDEST: usize = 60;

/// What the run does, in a few words.
pub fn title(plan: &RunPlan) -> String {
    let verb = match (plan.push.pushes(), &plan.stage) {
        (true, Some(_)) => "Stage",
        (true, None) => "Push",
        (false, _) => "Build",
    };
    let image = plan.targets.first();
    match &plan.image {
        ImageWork::Build(_) | ImageWork::Promote { .. } => format!("{verb} {image}"),
        ImageWork::Leg { leg, .. } => format!("{verb} one leg of {image}: {}", leg.platform),
        ImageWork::Merge(_) => format!("Merge the legs of {image}"),
        ImageWork::Given(_) => format!("Tag {image}"),
    }
}

/// The plan for the log: lines that end with a line feed.
pub fn render(plan: &RunPlan) -> String {
    text(plan, None, &[])
}

/// The same with what carrying it out would do now: to tags, and to each environment that is deployed to, in the plan's order.
pub fn foretell(plan: &RunPlan, outlook: Option<&Outlook>, deployments: &[String]) -> String {
    text(plan, outlook, deployments)
}

fn text(plan: &RunPlan, outlook: Option<&Outlook>, deployments: &[String]) -> String {
    let mut rows = Vec::new();
    for (number, repository) in plan.targets.iter().enumerate() {
        rows.push((if number == 0 { "repository" } else { "" }, repository.to_string()));
    }
    rows.extend(plan.protocols.iter().map(|(host, protocol)| ("registry", spoken_to(host, *protocol))));
    let commit = plan.image.given().map_or_else(|| plan.revision.to_string(), GivenWork::commit);
    rows.extend([("started by", plan.occasion.clone()), ("commit", commit)]);
    rows.extend(plan.version.clone().map(|version| ("version", version)));
    match plan.image.made() {
        Made::Built(work) => {
            rows.extend(build_text::rows(&work.image));
            rows.push(("builder", work.builder.text()));
            rows.extend(
                host_network(&work.builder, &work.image.run).map(|text| ("network", text.to_owned())),
            );
            rows.extend(work.emulation.note.clone().map(|note| ("emulation", note)));
        }
        Made::Joined(work) => {
            rows.extend(build_text::index_rows(&work.index));
            rows.push(("builder", "none: the legs were built by other jobs of this run".into()));
        }
        Made::Given(work) => {
            rows.push(("from", work.text()));
            rows.extend(build_text::given_rows(work));
        }
    }
    rows.push(("push", pushes(plan)));
    rows.extend(outlook::promotion(plan.image.promotion(), outlook).map(|text| ("promote", text)));
    let fates = match outlook {
        Some(Outlook::Known { tags, .. }) => Some(tags),
        Some(Outlook::Unknown(why)) => {
            rows.push(("tags now", format!("not known: {why}")));
            None
        }
        None => None,
    };
    rows.extend(cache(plan).into_iter().map(|text| ("cache", text)));
    rows.extend(fallback(plan).map(|text| ("fallback", text.to_owned())));
    rows.extend(plan.verify.as_ref().map(|verify| ("verify", verify.text())));
    rows.extend(plan.exports.iter().filter_map(ExportPlan::load).map(|load| ("load", load.text())));
    rows.extend(plan.exports.iter().filter_map(ExportPlan::archive).map(|file| ("archive", file.text())));
    rows.extend(plan.exports.iter().filter_map(ExportPlan::output).map(|output| ("output", output.text())));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<11} {}", tame(&value));
    }
    let contexts = plan.image.build().map(|work| build_text::contexts(&work.image)).unwrap_or_default();
    if !contexts.is_empty() {
        section(&mut text, "build contexts", &contexts);
    }
    if let Some(verify) = &plan.verify {
        let line = |check: &Check| (format!("line {}", check.line), check.text.clone());
        section(&mut text, "before any tag", &verify.checks.iter().map(line).collect::<Vec<_>>());
    }
    if plan.image.leg().is_some() {
        let _ = writeln!(text, "tags: none, as this is one leg: the job with `mode: merge` puts them");
    } else if let Some(stage) = &plan.stage {
        let _ = writeln!(text, "tags: none yet, as the image is staged: `mode: tag` puts them");
        if !stage.later.is_empty() {
            let rows = stage.later.iter().map(|tag| (name(tag), tag.reason.clone()));
            section(&mut text, "with these inputs", &rows.collect::<Vec<_>>());
        }
    } else {
        let tags = plan.tags.iter().enumerate().map(|(number, tag)| {
            let fate = fates.and_then(|fates| fates.get(number)).map(|fate| format!("; {fate}"));
            (name(tag), tag.reason.clone() + moves(tag) + &fate.unwrap_or_default())
        });
        section(&mut text, "tags", &tags.collect::<Vec<_>>());
        if !plan.platform_tags.is_empty() {
            let rows = plan.platform_tags.iter().map(|tag| {
                let repository = tag.repository.as_ref().map(|only| format!("{only}:")).unwrap_or_default();
                (
                    format!("{repository}{}", tag.tag),
                    format!("`{}` of `{}`, wherever that goes", tag.platform, tag.of),
                )
            });
            section(&mut text, "platform tags", &rows.collect::<Vec<_>>());
        }
        if !plan.no_tag.is_empty() {
            let lines = plan.no_tag.iter();
            let rows =
                lines.map(|line| (format!("line {}: {}", line.place.line, line.text), line.why.clone()));
            section(&mut text, "no tag from", &rows.collect::<Vec<_>>());
        }
    }
    let environments = environments(&plan.deploy, deployments);
    if !environments.is_empty() {
        section(&mut text, "deploy", &environments);
    }
    section(&mut text, "labels", &plan.labels().clone().into_iter().collect::<Vec<_>>());
    for notice in &plan.notices {
        let _ = writeln!(text, "notice: {}", tame(notice));
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {}", tame(warning));
    }
    text
}

/// A tag as people are told it: with its repository where it is bound to one.
fn name(tag: &PlannedTag) -> String {
    match &tag.repository {
        Some(repository) => format!("{repository}:{}", tag.tag),
        None => tag.tag.to_string(),
    }
}

/// Who is told of the image, and how; and who is not, and why.
fn environments(plan: &DeployPlan, fates: &[String]) -> Vec<(String, String)> {
    let told = |(number, work): (usize, &DeployWork)| {
        let tag = plan.image.as_ref().map(|image| image.tag.to_string()).unwrap_or_default();
        let how = match work.change() {
            None => "an event".to_owned(),
            Some((change, place)) => {
                let files = place.files.join(", ");
                match &change.pull_request {
                    Some(_) => format!("{files} on {}, by a pull request from {}", place.base, place.branch),
                    None => {
                        format!(
                            "{files} on {} itself; a pull request if nobody can tell which image is newer",
                            place.base
                        )
                    }
                }
            }
        };
        let fate = fates.get(number).map(|fate| format!("; {fate}")).unwrap_or_default();
        (work.environment.to_string(), format!("`{tag}`: {how}{fate}"))
    };
    let skipped =
        plan.skipped.iter().map(|one| (one.environment.clone(), format!("not now: {}", one.reason)));
    plan.work.iter().enumerate().map(told).chain(skipped).collect()
}

/// How a registry is spoken to.
fn spoken_to(host: &RegistryHost, protocol: RegistryProtocol) -> String {
    let how = match protocol {
        RegistryProtocol::Https => "TLS",
        RegistryProtocol::Unverified => "TLS with whatever certificate it shows",
        RegistryProtocol::Plain => "no TLS",
        RegistryProtocol::UnverifiedOrPlain => "TLS with whatever certificate it shows, or none",
    };
    format!("{host}: {how}, logins included, as `buildkitd_config` says")
}

/// How a tag that a line of `tags` has made may move: nobody knows that by its name.
fn moves(tag: &PlannedTag) -> &'static str {
    if tag.source.line().is_none() && tag.version.is_none() {
        return "";
    }
    match tag.policy.moves {
        Moves::Fixed => " (a version's own)",
        Moves::IfFree => " (put where nothing has it)",
        Moves::ByCommit => " (moves to newer commits)",
        Moves::Upwards => " (moves to later versions)",
        Moves::Free => " (this commit's own)",
    }
}

/// A titled list in two columns.
pub(super) fn section(text: &mut String, title: &str, rows: &[(String, String)]) {
    if rows.is_empty() {
        let _ = writeln!(text, "{title}: none");
        return;
    }
    let rows: Vec<(String, String)> = rows.iter().map(|(left, right)| (tame(left), tame(right))).collect();
    let width = rows.iter().map(|(left, _)| left.chars().count().min(WIDEST)).max().unwrap_or(0);
    let _ = writeln!(text, "{title}:");
    for (left, right) in rows {
        let row = format!("  {left:<width$}  {right}");
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

/// The plan as one line of JSON.
pub fn json(plan: &RunPlan) -> String {
    let (pushes, why) = match &plan.push {
        PushPlan::Push { why, .. } => (true, why),
        PushPlan::Keep { why } => (false, why),
    };
    let work = plan.image.build();
    let build = work.map(|work| &work.image);
    let document = Document {
        mode: plan.mode(),
        repository: plan.targets.first(),
        repositories: plan.targets.are_several().then_some(&plan.targets),
        subject: &plan.subject,
        started_by: &plan.occasion,
        revision: plan.commit(),
        from: plan.image.given().map(GivenFields::of),
        version: plan.version.as_deref(),
        dockerfile: build.map_or("", |build| &build.dockerfile.in_workspace),
        target: build.and_then(|build| build.target.as_deref()),
        platforms: plan.platforms(),
        build_args: build.iter().flat_map(|build| &build.build_args).map(|(name, _)| name.as_str()).collect(),
        asked: build.map_or_else(|| BuildFields::of_index(plan.annotations()), BuildFields::from),
        builder: work.map_or("", |work| &work.builder.name),
        emulate: work.map_or(&[], |work| &work.emulation.platforms),
        cache_from: read(plan).map(place).collect(),
        cache_to: written(plan).map(place).collect(),
        cache_notes: work.map_or(&[], |work| &work.cache_notes),
        fallback: fallback(plan),
        verify: plan.verify.as_ref().map(VerifyFields::of),
        load: plan.exports.iter().find_map(ExportPlan::load).map(LoadFields::of),
        archive: plan.exports.iter().find_map(ExportPlan::archive).map(ArchiveFields::of),
        outputs: plan.exports.iter().filter_map(ExportPlan::output).map(OutputFields::of).collect(),
        push: pushes,
        push_reason: why,
        tags: &plan.tags,
        platform_tags: &plan.platform_tags,
        no_tag: plan.no_tag.iter().map(NoTag::of).collect(),
        deploy: plan.deploy.work.iter().map(|work| DeployFields::of(&plan.deploy, work)).collect(),
        not_deployed: &plan.deploy.skipped,
        labels: plan.labels(),
        notices: &plan.notices,
        warnings: &plan.warnings,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The output `plan`. Fields are added, never renamed.
#[derive(Serialize)]
struct Document<'a> {
    mode: &'static str,
    repository: &'a Repository,
    /// All of them, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<&'a Targets>,
    subject: &'a Subject,
    started_by: &'a str,
    /// Null where an image that is there does not say it.
    revision: Option<&'a CommitId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<GivenFields<'a>>,
    version: Option<&'a str>,
    dockerfile: &'a str,
    target: Option<&'a str>,
    platforms: &'a [Platform],
    build_args: Vec<&'a str>,
    #[serde(flatten)]
    asked: BuildFields<'a>,
    builder: &'a str,
    emulate: &'a [Platform],
    cache_from: Vec<String>,
    cache_to: Vec<String>,
    cache_notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<VerifyFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<LoadFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<ArchiveFields<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<OutputFields<'a>>,
    push: bool,
    push_reason: &'a str,
    tags: &'a [PlannedTag],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    platform_tags: &'a [PlatformTag],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    no_tag: Vec<NoTag<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deploy: Vec<DeployFields<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_deployed: &'a [NotDeployed],
    labels: &'a std::collections::BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notices: &'a [String],
    warnings: &'a [String],
}

/// What the local daemon gets.
#[derive(Serialize)]
struct LoadFields<'a> {
    platforms: &'a [Platform],
    names: Vec<String>,
}

impl<'a> LoadFields<'a> {
    fn of(plan: &'a LoadPlan) -> Self {
        Self { platforms: &plan.platforms, names: plan.names.iter().map(ToString::to_string).collect() }
    }
}

/// The file that the image is written to.
#[derive(Serialize)]
struct ArchiveFields<'a> {
    path: &'a str,
    names: Vec<String>,
}

impl<'a> ArchiveFields<'a> {
    fn of(plan: &'a ArchivePlan) -> Self {
        Self { path: &plan.place, names: plan.names.iter().map(ToString::to_string).collect() }
    }
}

/// What an exporter makes.
#[derive(Serialize)]
struct OutputFields<'a> {
    r#type: &'static str,
    dest: &'a str,
}

impl<'a> OutputFields<'a> {
    fn of(plan: &'a OutputPlan) -> Self {
        Self { r#type: plan.kind.name(), dest: &plan.place }
    }
}

/// What the image must pass before it gets a tag.
#[derive(Serialize)]
struct VerifyFields<'a> {
    checks: &'a [Check],
    platforms: &'a [Platform],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    emulate: &'a [Platform],
    /// Names.
    env: &'a [String],
    network: &'a str,
    /// Seconds for each check.
    timeout: u64,
    /// Bytes.
    memory: u64,
}

impl<'a> VerifyFields<'a> {
    fn of(plan: &'a VerifyPlan) -> Self {
        Self {
            checks: &plan.checks,
            platforms: &plan.platforms,
            emulate: &plan.emulate,
            env: &plan.env,
            network: plan.network.as_deref().unwrap_or("none"),
            timeout: plan.timeout.as_secs(),
            memory: plan.memory,
        }
    }
}

/// The image that is there already and gets the tags.
#[derive(Serialize)]
struct GivenFields<'a> {
    /// As it was asked for.
    reference: String,
    repository: &'a Repository,
    /// Of what that names.
    named: &'a Digest,
    /// Of what is tagged.
    digest: &'a Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'a Platform>,
    /// What says the commit.
    commit_source: Option<CommitSource>,
}

impl<'a> GivenFields<'a> {
    fn of(work: &'a GivenWork) -> Self {
        Self {
            reference: work.from.to_string(),
            repository: work.from.repository(),
            named: &work.named,
            digest: &work.digest,
            platform: work.platform.as_ref(),
            commit_source: work.commit_source,
        }
    }
}

/// An environment that is told of the image.
#[derive(Serialize)]
struct DeployFields<'a> {
    environment: String,
    repository: &'a str,
    tag: Option<&'a Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
}

impl<'a> DeployFields<'a> {
    fn of(plan: &'a DeployPlan, work: &'a DeployWork) -> Self {
        let place = work.place.as_ref();
        Self {
            environment: work.environment.to_string(),
            repository: work.environment.repository.as_str(),
            tag: plan.image.as_ref().map(|image| &image.tag),
            base: place.map(|place| place.base.as_str()),
            files: place.map_or(&[], |place| &place.files),
            branch: place.map(|place| place.branch.as_str()),
        }
    }
}

/// A line of `tags` that makes no tag of its own.
#[derive(Serialize)]
struct NoTag<'a> {
    line: usize,
    text: &'a str,
    why: &'a str,
}

impl<'a> NoTag<'a> {
    fn of(line: &'a Nothing) -> Self {
        Self { line: line.place.line, text: &line.text, why: &line.why }
    }
}

fn pushes(plan: &RunPlan) -> String {
    let nothing = plan.image.build().is_some_and(|work| work.image.export == Export::Nothing);
    match &plan.push {
        PushPlan::Push { why, tolerate_refusal: true } => {
            format!("yes: {why} (if the registry refuses, the image is built all the same)")
        }
        PushPlan::Push { why, .. } => format!("yes: {why}"),
        PushPlan::Keep { why } if nothing => format!("no: {why} (the steps run, no image is kept)"),
        PushPlan::Keep { why } => format!("no: {why}"),
    }
}

/// What is done if a cache that is read turns out to be of no use.
fn fallback(plan: &RunPlan) -> Option<&'static str> {
    let without = plan.image.build()?.without_cache.as_ref()?;
    Some(match without.stalled {
        Stalled::Renew => {
            "without a cache that is damaged or gone; by a new builder if a cache holds this one up"
        }
        Stalled::Scratch => {
            "without a cache that is damaged or gone; from scratch if a cache holds the builder up"
        }
    })
}

/// Where caches are read from.
fn read(plan: &RunPlan) -> impl Iterator<Item = &CacheEntry> {
    plan.image.build().into_iter().flat_map(|work| &work.image.cache_from)
}

/// Where caches are written to: with the image, and after it.
fn written(plan: &RunPlan) -> impl Iterator<Item = &CacheEntry> {
    let with_image = plan.image.build().into_iter().flat_map(|work| &work.image.cache_to);
    with_image.chain(plan.exports.iter().filter_map(ExportPlan::cache).flat_map(|cache| &cache.to))
}

/// What is read, what is written, and why something is not.
fn cache(plan: &RunPlan) -> Vec<String> {
    let places = |verb: &str, entries: &mut dyn Iterator<Item = &CacheEntry>| {
        let places: Vec<String> = entries.map(place).collect();
        (!places.is_empty()).then(|| format!("{verb} {}", places.join(", ")))
    };
    let read = places("read from", &mut read(plan));
    let written = places("written to", &mut written(plan));
    let notes = plan.image.build().into_iter().flat_map(|work| work.cache_notes.iter().cloned());
    read.into_iter().chain(written).chain(notes).collect()
}

/// No control characters, and nothing that the runner takes for a command: it looks for `##[` anywhere and for
/// `::` after spaces.
pub(super) fn tame(text: &str) -> String {
    let text = text::value(text).replace("##[", "##\\[");
    let begin = text.trim_start();
    if begin.starts_with("::") { format!("\\{begin}") } else { text }
}
