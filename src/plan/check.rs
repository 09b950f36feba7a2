//! What every finished plan keeps, checked apart from the code that makes plans.

use std::collections::HashSet;

use super::attached::place;
use super::build::{BuildPlan, Export};
use super::builder::{BuilderPlan, NodeAddress};
use super::deploy::DeployWork;
use super::export::ExportPlan;
use super::given::GivenWork;
use super::image::{BuildWork, ImageWork, Made, MergeWork, Stalled};
use super::lint::LintPlan;
use super::platform_tags::PlatformTag;
use super::publish::tags_in;
use super::run::RunPlan;
use super::verify::VerifyPlan;
use crate::inputs::config::Config;
use crate::metadata::{Moves, Stage, Subject, TagSource, date, labels};
use crate::model::{Annotation, AnnotationLevel, CacheEntry, ImageName, NetworkMode, Platform, Targets};

/// Every invariant that the plan breaks, one sentence each; empty for a sound plan.
pub fn violations(plan: &RunPlan, config: &Config) -> Vec<String> {
    let mut broken: Vec<String> = Vec::new();
    // What holds for every solve is asked of each, and said once.
    let mut check = |holds: bool, what: &str| {
        if !holds && !broken.iter().any(|known| known == what) {
            broken.push(what.to_owned());
        }
    };
    let leg = plan.image.leg().is_some();
    let untagged = plan.tags.is_empty() && plan.platform_tags.is_empty();
    match plan.image {
        ImageWork::Leg { .. } => check(untagged, "a leg has a tag"),
        _ if plan.stage.is_some() => check(untagged, "what is staged has a tag"),
        ImageWork::Build(_) | ImageWork::Promote { .. } | ImageWork::Merge(_) | ImageWork::Given(_) => {
            tags(plan, config, &mut check);
        }
    }
    // An image that is there is what it is.
    if plan.image.given().is_none() {
        let platforms: HashSet<_> = plan.platforms().iter().collect();
        check(!platforms.is_empty(), "there is no platform");
        check(platforms.len() == plan.platforms().len(), "a platform is there twice");
    }
    deploy(plan, config, &mut check);
    check(plan.stage.is_none() || plan.image.build().is_some() && !leg, "what is staged is not built");
    let later = leg || plan.stage.is_some();
    check(later || !plan.push.pushes() || !plan.tags.is_empty(), "a push without a tag");
    check(!leg || plan.platforms().len() == 1, "a leg of several platforms");
    verify(plan, config, &mut check);
    load(plan, config, &mut check);
    archive(plan, config, &mut check);
    outputs(plan, config, &mut check);
    match plan.image.made() {
        Made::Built(work) => build(plan, work, config, &mut check),
        Made::Joined(work) => merge(plan, work, config, &mut check),
        Made::Given(work) => given(plan, work, config, &mut check),
    }
    broken
}

/// Every invariant that the plan of a check breaks, one sentence each; empty for a sound plan.
pub(super) fn lint_violations(plan: &LintPlan, config: &Config) -> Vec<String> {
    let LintPlan { build, builder, otherwise, level, .. } = plan;
    let own_container = |other: &BuilderPlan| other.nodes.len() == 1 && other.own_container().is_some();
    let rules = [
        (build.export == Export::Nothing, "a check exports something"),
        (build.cache_from.is_empty() && build.cache_to.is_empty(), "a check has a cache"),
        (build.attestations.is_empty() && build.annotations.is_empty(), "a check writes about an image"),
        (build.platforms == config.platforms, "a check is for other platforms than were asked for"),
        (builder.nodes.len() == 1, "not one node checks"),
        (otherwise.as_ref().is_none_or(|_| builder.is_daemon()), "another builder takes a given one's place"),
        (otherwise.as_ref().is_none_or(own_container), "another builder is not a container of ours"),
        (*level == config.check_level, "something else fails the check than was asked for"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what.to_owned()).collect()
}

/// What an image must pass is what was asked for, on platforms of its own.
fn verify(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let asked = !config.verify.checks.is_empty();
    check(asked == plan.verify.is_some(), "what the image must pass is not what was asked for");
    let Some(verify) = &plan.verify else { return };
    check(verify.checks == config.verify.checks, "the image must pass something else than was asked for");
    check(!verify.platforms.is_empty(), "the image must pass on no platform");
    check(distinct(&verify.platforms), "a platform is verified twice");
    // An image that is there may not say what it runs on.
    let known = plan.platforms();
    let own = known.is_empty() || verify.platforms.iter().all(|platform| known.contains(platform));
    check(own, "a platform is verified that the image does not have");
    check(
        verify.emulate.iter().all(|platform| verify.foreign.contains(platform))
            && verify.foreign.iter().all(|platform| verify.platforms.contains(platform)),
        "an emulator for what is not verified",
    );
    check(config.builder.emulation || verify.emulate.is_empty(), "an emulator, though `emulation` is `off`");
    unpushed(plan, verify, check);
    check(
        verify.memory > 0 && !verify.timeout.is_zero(),
        "a container that verifies has nothing to do it with",
    );
}

/// The daemon gets the image once, under its own tags.
fn load(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let mut loads = plan.exports.iter().filter_map(ExportPlan::load);
    let Some(load) = loads.next() else {
        check(!config.load || plan.tags.is_empty(), "the image is to be loaded, and is not");
        return;
    };
    check(config.load && loads.next().is_none(), "the image is loaded twice, or nobody has asked for it");
    check(
        !load.names.is_empty() && !load.platforms.is_empty(),
        "nothing of the image is loaded, or under no name",
    );
    let known = plan.platforms();
    let own = known.is_empty() || load.platforms.iter().all(|platform| known.contains(platform));
    check(own && distinct(&load.platforms), "a platform is loaded that the image does not have, or twice");
    let tag = |name: &ImageName| {
        name.tag().is_some_and(|tag| tags_in(plan, name.repository()).any(|planned| planned.tag == tag))
            && plan.targets.contains(name.repository())
    };
    check(load.names.iter().all(tag), "the image is loaded under a name that is not its own");
    let work = plan.image.build().filter(|_| !plan.push.pushes() || plan.push.tolerates_refusal());
    check(work.is_some() == load.unpushed.is_some(), "what may not be pushed cannot be loaded");
    let Some((work, unpushed)) = work.zip(load.unpushed.as_ref()) else { return };
    let names = load.names.iter().map(ToString::to_string).collect();
    let export = match work.builder.nodes.get(unpushed.node).map(|node| &node.address) {
        Some(NodeAddress::Docker) => Export::Store(names),
        _ => Export::Archive(names),
    };
    check(unpushed.export == export, "the image is loaded from where it is not");
    let built = work.solves.get(unpushed.node).map(|solve| unpushed.build(solve.clone()).platforms);
    check(built.as_ref() == Some(&load.platforms), "other platforms are loaded than were built there");
}

/// The file holds the image under its own tags, and there is somebody who has all of it.
fn archive(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let mut archives = plan.exports.iter().filter_map(ExportPlan::archive);
    let archive = archives.next();
    check(
        archive.map(|file| &file.path) == config.archive.as_ref().map(|file| &file.path)
            && archives.next().is_none(),
        "the image is to be in another file, or in none",
    );
    let Some(archive) = archive else { return };
    let tags = plan.stage.as_ref().map_or(&plan.tags, |stage| &stage.later);
    let own = |name: &ImageName| {
        let repository = name.repository();
        plan.targets.contains(repository)
            && tags.iter().any(|tag| tag.is_for(repository) && Some(&tag.tag) == name.tag().as_ref())
    };
    check(archive.names.iter().all(own), "the image is archived under a name that is not its own");
    let work = plan.image.build().filter(|_| !plan.push.pushes() || plan.push.tolerates_refusal());
    check(work.is_some() == archive.unpushed.is_some(), "what may not be pushed cannot be archived");
    let Some((work, unpushed)) = work.zip(archive.unpushed.as_ref()) else { return };
    let whole = work.solves.get(unpushed.node).map(|solve| unpushed.build(solve.clone()));
    check(
        whole.is_some_and(|solve| solve.export == Export::Layout && solve.platforms == work.image.platforms),
        "a part of the image is archived",
    );
}

/// Each thing that was asked for is made, once, by who has all of the result.
fn outputs(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let made: Vec<_> = plan.exports.iter().filter_map(ExportPlan::output).collect();
    let same = made
        .iter()
        .map(|one| (one.kind, &one.path))
        .eq(config.outputs.iter().map(|one| (one.kind, &one.path)));
    check(same || plan.image.build().is_none(), "another output is made than was asked for");
    let whole = plan.image.build().is_none_or(|work| work.builder.nodes.len() == 1);
    check(made.is_empty() || whole, "an output is made of a part");
}

/// Where it is not certain that the image is pushed, each platform can be loaded from where it was built.
fn unpushed(plan: &RunPlan, verify: &VerifyPlan, check: &mut impl FnMut(bool, &str)) {
    let work = plan.image.build().filter(|_| !plan.push.pushes() || plan.push.tolerates_refusal());
    let loaded = verify.unpushed.iter().map(|load| &load.platform);
    check(
        if work.is_some() { loaded.eq(&verify.platforms) } else { verify.unpushed.is_empty() },
        "what may not be pushed cannot be run, or is loaded without need",
    );
    let names: Vec<_> = verify.unpushed.iter().map(|load| &load.name).collect();
    check(distinct(&names), "two platforms are loaded under one name");
    for load in &verify.unpushed {
        let node = work.and_then(|work| work.builder.nodes.get(load.node));
        let names = vec![load.name.clone()];
        let export = match node.map(|node| &node.address) {
            Some(NodeAddress::Docker) => Export::Store(names),
            _ => Export::Archive(names),
        };
        let built = node.is_some_and(|node| node.platforms.contains(&load.platform));
        check(built && load.export == export, "an image is loaded from where it is not");
    }
}

fn tags(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    for target in plan.targets.iter() {
        let names: Vec<_> = tags_in(plan, target).map(|tag| &tag.tag).collect();
        check(distinct(&names), "a tag is there twice");
        let of_platforms: Vec<_> = plan.platform_tags.iter().filter(|tag| tag.is_for(target)).collect();
        let own = distinct(&of_platforms.iter().map(|one| &one.tag).collect::<Vec<_>>())
            && !of_platforms.iter().any(|one| names.contains(&&one.tag));
        check(own, "a platform's tag is another's");
        let sound = |one: &&PlatformTag| names.contains(&&one.of) && plan.platforms().contains(&one.platform);
        check(of_platforms.iter().all(sound), "a platform's tag goes with none");
        let left_out = names.is_empty() && !plan.tags.is_empty();
        check(!plan.push.pushes() || !left_out, "a repository that is pushed to has no tag");
    }
    let homeless = plan.tags.iter().filter_map(|tag| tag.repository.as_ref());
    check(
        !plan.push.pushes() || homeless.into_iter().all(|one| plan.targets.contains(one)),
        "a tag is for a repository that is not pushed to",
    );
    for tag in &plan.tags {
        let control = tag.reason.chars().any(char::is_control);
        check(!control, "a reason holds a control character");
        let compared = tag.policy.moves != Moves::Upwards || tag.version.is_some();
        check(compared, "a tag moves upwards and stands for no version");
    }
    match config.tags {
        Some(_) => {
            let mut made = plan.tags.iter().filter(|tag| tag.tag.as_str() == "latest");
            check(made.all(|tag| tag.policy.stage == Stage::Last), "`latest` is not the last");
        }
        None => strategy_tags(plan, config, check),
    }
}

/// What holds of the tags of the default strategy.
fn strategy_tags(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let stages: Vec<Stage> = plan.tags.iter().map(|tag| tag.policy.stage).collect();
    check(stages.is_sorted(), "tags are not in the order of publishing");
    let has = |source| plan.tags.iter().any(|tag| tag.source == source);
    let count = |source| plan.tags.iter().filter(|tag| tag.source == source).count();
    for tag in &plan.tags {
        let latest = tag.tag.as_str() == "latest";
        check(latest == (tag.source == TagSource::Latest), "a tag is called `latest` and is not `latest`");
    }
    let owns_latest = plan.subject == Subject::Branch(config.latest_branch.clone());
    check(!has(TagSource::Latest) || owns_latest, "`latest` is not on `latest_branch`");
    check(!has(TagSource::Latest) || has(TagSource::Branch), "`latest` is there without its branch");
    let allowed: &[TagSource] = match plan.subject {
        Subject::Branch(_) => &[
            TagSource::Commit,
            TagSource::Version,
            TagSource::Describe,
            TagSource::Branch,
            TagSource::Latest,
        ],
        Subject::GitTag(_) => &[TagSource::Commit, TagSource::Version, TagSource::GitTag],
        Subject::PullRequest(_) => &[TagSource::Commit, TagSource::PullRequest],
        Subject::Queue => &[TagSource::Queue],
        Subject::Ref(_) => &[TagSource::Commit],
    };
    let foreign = plan.tags.iter().any(|tag| !allowed.contains(&tag.source));
    check(!foreign, "a tag does not belong to what the run is about");
    check(count(TagSource::Commit) <= 1, "there are two commit tags");
    if matches!(plan.subject, Subject::Branch(_) | Subject::GitTag(_) | Subject::Ref(_)) {
        let sha = format!("{}-", plan.revision.cut(config.sha_length));
        let own =
            plan.tags.iter().any(|tag| tag.source == TagSource::Commit && tag.tag.as_str().starts_with(&sha));
        let none =
            plan.stamp.commit.is_none() || plan.image.given().is_some() && count(TagSource::Commit) == 0;
        check(own || none, "the commit tag does not name what is built");
    }
}

/// What the configs of the image say of it.
fn labels_of(plan: &RunPlan, created: Option<i64>, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let of_the_user = |key: &str| config.labels.iter().any(|(name, _)| name == key);
    let epoch = created.map(date::rfc3339);
    check(
        plan.labels().get(labels::CREATED) == epoch.as_ref() || of_the_user(labels::CREATED),
        "`created` and the build's epoch differ",
    );
    let revision = plan.labels().get(labels::REVISION).map(String::as_str) == Some(plan.revision.as_str());
    // Of what is fetched, the commit may not be known.
    let unsaid = plan.stamp.commit.is_none() && !plan.labels().contains_key(labels::REVISION);
    check(revision || unsaid || of_the_user(labels::REVISION), "the revision label is not what is built");
}

fn build(plan: &RunPlan, work: &BuildWork, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let build = &work.image;
    labels_of(plan, build.source_date_epoch, config, check);
    check(!work.builder.nodes.is_empty(), "nobody builds");
    let emulated: HashSet<_> = work.emulation.platforms.iter().collect();
    check(emulated.len() == work.emulation.platforms.len(), "an emulator is there twice");
    check(config.builder.emulation || emulated.is_empty(), "an emulator, though `emulation` is `off`");
    for solve in std::iter::once(build).chain(work.all_solves()) {
        export(plan, solve, check);
        asked(solve, config, check);
    }
    parts(work, check);
    image(plan, build, config, check);
    for exported in &plan.exports {
        let Some(cache) = exported.cache() else { continue };
        check(!cache.to.iter().any(inline), "an inline cache is written without an image");
        check(!cache.to.is_empty(), "a cache is written nowhere");
        check(cache.each.len() == work.solves.len(), "a node does not know where its cache goes");
        for (solve, to) in work.solves.iter().zip(&cache.each) {
            let solve = solve.clone().for_cache(to.clone());
            let quiet = solve.export == Export::Nothing && !solve.no_cache && !solve.pull;
            check(quiet, "writing the cache does more than that");
            asked(&solve, config, check);
        }
    }
}

fn inline(entry: &CacheEntry) -> bool {
    entry.kind == "inline"
}

/// Where the result of a solve goes, and what of the cache goes along.
fn export(plan: &RunPlan, solve: &BuildPlan, check: &mut impl FnMut(bool, &str)) {
    let destination = match &solve.export {
        Export::PushByDigest(targets) => Some(targets),
        Export::Digest | Export::Nothing => None,
        Export::Store(_) | Export::Archive(_) | Export::Layout | Export::Output { .. } => {
            check(false, "the build itself is exported to the daemon");
            None
        }
    };
    check(plan.push.pushes() == destination.is_some(), "the export is not what the push decision says");
    let elsewhere = destination.is_some_and(|targets| *targets != plan.targets);
    check(!elsewhere, "the export goes to other repositories");
    // Whichever repository is left out, the others get the image and nothing else changes.
    for target in destination.into_iter().flat_map(Targets::iter) {
        let rest = solve.without(target);
        check(rest.is_some() == plan.targets.are_several(), "leaving a repository out leaves none");
        let same = rest.is_none_or(|rest| {
            rest.export
                == plan
                    .targets
                    .without(std::slice::from_ref(target))
                    .map_or(Export::Nothing, Export::PushByDigest)
                && BuildPlan { export: solve.export.clone(), ..rest } == *solve
        });
        check(same, "leaving a repository out changes the build");
    }
    check(solve.cache_to.iter().all(inline), "a cache besides the image's own is written in its solve");
    check(
        solve.cache_to.is_empty() || solve.export != Export::Nothing,
        "a cache in an image that is not made",
    );
    check(!solve.no_cache || solve.cache_from.is_empty(), "a cache is read despite `no_cache`");
    check(!solve.shared_key.is_empty(), "the context has no name");
}

/// The nodes' parts: together they are the image, and nothing is done twice.
fn parts(work: &BuildWork, check: &mut impl FnMut(bool, &str)) {
    check(work.solves.len() == work.builder.nodes.len(), "a node has nothing to carry out");
    let built: Vec<_> = work.solves.iter().flat_map(|solve| &solve.platforms).collect();
    let whole: HashSet<_> = work.image.platforms.iter().collect();
    let same = built.iter().copied().collect::<HashSet<_>>() == whole && distinct(&built);
    check(
        same || !distinct(&work.image.platforms),
        "the nodes do not build the image's platforms, each once",
    );
    let reads = work.solves.iter().any(|solve| !solve.cache_from.is_empty());
    check(reads == work.without_cache.is_some(), "a cache is read, and nobody knows what to do without it");
    let as_before = |solves: &[BuildPlan], no_cache: bool| {
        solves.len() == work.solves.len()
            && work.solves.iter().zip(solves).all(|(solve, without)| {
                let bare = BuildPlan { cache_from: Vec::new(), ..solve.clone() };
                *without == BuildPlan { no_cache: bare.no_cache || no_cache, ..bare }
            })
    };
    check(as_before(&work.scratch, true), "building from scratch is another build");
    let Some(without) = &work.without_cache else { return };
    let renews = without.stalled == Stalled::Scratch || work.builder.nodes.len() == 1;
    check(as_before(&without.solves, false) && renews, "building without the cache is another build");
}

/// Who is told of the image: each environment once, of an image that is out, by a tag that leads to it for good.
fn deploy(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let asked = config.deploy.environments.len();
    let plan_of = &plan.deploy;
    check(
        plan_of.work.len() + plan_of.skipped.len() == asked,
        "an environment is neither deployed to nor left out",
    );
    check(plan_of.work.is_empty() == plan_of.image.is_none(), "an environment gets no image");
    check(plan_of.work.is_empty() || plan.push.pushes(), "an image is deployed that is not pushed");
    let of_request = matches!(plan.subject, Subject::PullRequest(_));
    check(plan_of.work.is_empty() || !of_request, "an image of a pull request is deployed");
    if let Some(image) = &plan_of.image {
        check(*plan.targets.first() == image.repository, "an image is deployed from another repository");
        let tag = tags_in(plan, &image.repository).find(|tag| tag.tag == image.tag);
        let lasts = tag.is_some_and(|tag| matches!(tag.policy.moves, Moves::Fixed | Moves::Free));
        check(lasts, "a tag is deployed that moves, or that is not put");
    }
    let places: Vec<_> = plan_of
        .work
        .iter()
        .filter_map(|work| work.place.as_ref().map(|place| (&work.environment.repository, &place.branch)))
        .collect();
    check(distinct(&places), "two environments share a pull request");
    let has_files = |work: &DeployWork| work.place.as_ref().is_none_or(|place| !place.files.is_empty());
    check(plan_of.work.iter().all(has_files), "an environment has no files");
}

fn merge(plan: &RunPlan, work: &MergeWork, config: &Config, check: &mut impl FnMut(bool, &str)) {
    labels_of(plan, work.index.created, config, check);
    let annotations = &work.index.annotations;
    check(plan.push.pushes() || annotations.is_empty(), "nothing is exported, but something hangs on it");
    check(
        plan.exports.iter().all(|export| export.cache().is_none()),
        "nothing is built that could be exported",
    );
    annotated(annotations, &work.index.platforms, check);
}

fn given(plan: &RunPlan, work: &GivenWork, config: &Config, check: &mut impl FnMut(bool, &str)) {
    check(
        plan.exports.iter().all(|export| export.cache().is_none()),
        "nothing is built that could be exported",
    );
    check(
        config.from.as_ref() == Some(&work.from),
        "another image is tagged than the one that was asked for",
    );
    check(work.from.digest().is_none_or(|asked| *asked == work.named), "the image has another digest");
    let part = work.platform.is_some() && config.platforms.as_slice() == work.platform.as_slice();
    check(
        part || work.digest == work.named && work.platform.is_none(),
        "a part is tagged that nobody asked for",
    );
    check(plan.stamp.commit == work.stamp.commit, "the order of images goes by another commit");
}

/// Annotations, each at a place of its own.
fn annotated(annotations: &[Annotation], platforms: &[Platform], check: &mut impl FnMut(bool, &str)) {
    check(
        distinct(&annotations.iter().map(place).collect::<Vec<_>>()),
        "an annotation is at one place twice",
    );
    let built = |annotation: &Annotation| {
        annotation.platform.as_ref().is_none_or(|platform| platforms.contains(platform))
    };
    check(annotations.iter().all(built), "an annotation for a platform that is not built");
}

/// What hangs on the image.
fn image(plan: &RunPlan, build: &BuildPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let leg = plan.image.leg().is_some();
    let image = build.export != Export::Nothing;
    let hangs = !build.annotations.is_empty() || !build.attestations.is_empty();
    check(image || !hangs, "nothing is exported, but something hangs on it");
    let kinds: Vec<_> = build.attestations.iter().map(|attestation| &attestation.kind).collect();
    check(distinct(&kinds), "an attestation is there twice");
    let bare =
        build.attestations.iter().any(|one| one.kind == "provenance" && !one.attrs.contains_key("mode"));
    check(!bare, "provenance has no mode, so that BuildKit would take `max`");
    let homeless = build.annotations.iter().any(|annotation| !build.holds(annotation.level));
    check(!homeless, "an annotation of the index, and no index");
    annotated(&build.annotations, &build.platforms, check);
    // What an expression stands for is not known here.
    let same = |one: &Annotation, asked: &Annotation| {
        place(one) == place(asked) && (one.value == asked.value || asked.value.contains("{{"))
    };
    let asked = config.build.annotations.iter().rev();
    let mut seen = HashSet::new();
    let lost = asked
        .filter(|asked| seen.insert(place(asked)))
        // Those for another platform are another leg's.
        .filter(|asked| !leg || asked.platform.as_ref().is_none_or(|one| build.platforms.contains(one)))
        .any(|asked| {
            image
                && asked.level == AnnotationLevel::Manifest
                && !build.annotations.iter().any(|one| same(one, asked))
        });
    let foreign = build.annotations.iter().any(|one| leg && one.level != AnnotationLevel::Manifest);
    check(!foreign, "a leg writes what is the index's");
    check(!lost, "an annotation of the user is missing");
}

/// What the build is asked for.
fn asked(build: &BuildPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let contexts: Vec<_> = build.named_contexts.iter().map(|context| &context.name).collect();
    check(distinct(&contexts), "a build context is there twice");
    check(distinct(&build.secrets.iter().collect::<Vec<_>>()), "a secret is there twice");
    check(distinct(&build.ssh.iter().collect::<Vec<_>>()), "an SSH agent is there twice");
    let given = |id: &String| config.build.secrets.contains(id);
    let sound = build.token_secrets.iter().all(|id| build.secrets.contains(id) && !given(id));
    check(sound, "the token stands in for a secret of the user, or for none");
    check(build.token_secrets.is_empty() || config.has_token, "a secret is to be a token that is not there");
    let known = build.secrets.iter().all(|id| given(id) || build.token_secrets.contains(id));
    check(known, "a secret that nobody has");
    let host = build.run.network == Some(NetworkMode::Host);
    let allowed = build.entitlements.iter().any(|entitlement| entitlement == "network.host");
    check(!host || allowed, "steps are on the host's network without its entitlement");
    check(!build.run.has_open_gateway(), "`host-gateway` has no address");
}

fn distinct<T: std::hash::Hash + Eq>(items: &[T]) -> bool {
    items.iter().collect::<HashSet<_>>().len() == items.len()
}
