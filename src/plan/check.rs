//! What every finished plan keeps, checked apart from the code that makes plans.

use std::collections::HashSet;

use super::build::{BuildPlan, Export};
use super::image::place;
use super::legs::Part;
use super::{PushPlan, RunPlan};
use crate::inputs::config::Config;
use crate::metadata::{Subject, TagKind, date, labels};
use crate::model::{AnnotationLevel, CacheEntry, NetworkMode};

/// Every invariant that the plan breaks, one sentence each; empty for a sound plan.
pub fn violations(plan: &RunPlan, config: &Config) -> Vec<String> {
    let mut broken = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            broken.push(what.to_owned());
        }
    };
    match plan.part {
        Part::Leg(_) => check(plan.tags.is_empty(), "a leg has a tag"),
        Part::Whole | Part::Merge(_) => tags(plan, config, &mut check),
    }
    build(plan, config, &mut check);
    image(plan, config, &mut check);
    asked(&plan.build, config, &mut check);
    broken
}

fn tags(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let names: HashSet<_> = plan.tags.iter().map(|tag| &tag.tag).collect();
    check(names.len() == plan.tags.len(), "a tag is there twice");
    let stages: Vec<usize> = plan.tags.iter().map(|tag| tag.kind.stage()).collect();
    check(stages.is_sorted(), "tags are not in the order of publishing");
    let has = |kind| plan.tags.iter().any(|tag| tag.kind == kind);
    let count = |kind| plan.tags.iter().filter(|tag| tag.kind == kind).count();
    for tag in &plan.tags {
        let latest = tag.tag.as_str() == "latest";
        check(latest == (tag.kind == TagKind::Latest), "a tag is called `latest` and is not `latest`");
        let control = tag.reason.chars().any(char::is_control);
        check(!control, "a reason holds a control character");
    }
    let owns_latest = plan.subject == Subject::Branch(config.latest_branch.clone());
    check(!has(TagKind::Latest) || owns_latest, "`latest` is not on `latest_branch`");
    check(!has(TagKind::Latest) || has(TagKind::Branch), "`latest` is there without its branch");
    let allowed: &[TagKind] = match plan.subject {
        Subject::Branch(_) => {
            &[TagKind::Commit, TagKind::Version, TagKind::Describe, TagKind::Branch, TagKind::Latest]
        }
        Subject::GitTag(_) => &[TagKind::Commit, TagKind::Version, TagKind::GitTag],
        Subject::PullRequest(_) => &[TagKind::Commit, TagKind::PullRequest],
        Subject::Queue => &[TagKind::Queue],
        Subject::Ref(_) => &[TagKind::Commit],
    };
    let foreign = plan.tags.iter().any(|tag| !allowed.contains(&tag.kind));
    check(!foreign, "a tag does not belong to what the run is about");
    check(count(TagKind::Commit) <= 1, "there are two commit tags");
    if matches!(plan.subject, Subject::Branch(_) | Subject::GitTag(_) | Subject::Ref(_)) {
        let sha = format!("{}-", plan.revision.cut(config.sha_length));
        let own =
            plan.tags.iter().any(|tag| tag.kind == TagKind::Commit && tag.tag.as_str().starts_with(&sha));
        check(own, "the commit tag does not name what is built");
    }
}

fn build(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let build = &plan.build;
    check(!build.platforms.is_empty(), "there is no platform");
    let platforms: HashSet<_> = build.platforms.iter().collect();
    check(platforms.len() == build.platforms.len(), "a platform is there twice");
    let pushes = matches!(plan.push, PushPlan::Push { .. });
    let destination = match &build.export {
        Export::PushByDigest(repositories) => Some(repositories),
        Export::Digest | Export::Nothing => None,
    };
    check(pushes == destination.is_some(), "the export is not what the push decision says");
    let elsewhere = destination.is_some_and(|repositories| !repositories.iter().eq(plan.targets()));
    check(!elsewhere, "the export goes to other repositories");
    check(distinct(&plan.targets().collect::<Vec<_>>()), "a repository is there twice");
    let leg = matches!(plan.part, Part::Leg(_));
    check(leg || !pushes || !plan.tags.is_empty(), "a push without a tag");
    check(!leg || build.platforms.len() == 1, "a leg of several platforms");
    let builds = !matches!(plan.part, Part::Merge(_));
    check(builds != plan.builder.nodes.is_empty(), "nobody builds, or somebody builds for nothing");
    check(builds != build.joined, "what is joined is not what others have built");
    let of_the_user = |key: &str| config.labels.iter().any(|(name, _)| name == key);
    let epoch = build.source_date_epoch.map(date::rfc3339);
    check(
        build.labels.get(labels::CREATED) == epoch.as_ref() || of_the_user(labels::CREATED),
        "`created` and the build's epoch differ",
    );
    let revision = build.labels.get(labels::REVISION).map(String::as_str) == Some(plan.revision.as_str());
    check(revision || of_the_user(labels::REVISION), "the revision label is not what is built");
    let emulated: HashSet<_> = plan.emulation.platforms.iter().collect();
    check(emulated.len() == plan.emulation.platforms.len(), "an emulator is there twice");
    check(config.builder.emulation || emulated.is_empty(), "an emulator, though `emulation` is `off`");
    let inline = |entry: &CacheEntry| entry.kind == "inline";
    check(build.cache_to.iter().all(inline), "a cache besides the image's own is written in its solve");
    check(
        build.cache_to.is_empty() || build.export != Export::Nothing,
        "a cache in an image that is not made",
    );
    check(!plan.cache.to.iter().any(inline), "an inline cache is written without an image");
    check(!build.no_cache || build.cache_from.is_empty(), "a cache is read despite `no_cache`");
    check(!builds || !build.shared_key.is_empty(), "the context has no name");
}

/// What hangs on the image.
fn image(plan: &RunPlan, config: &Config, check: &mut impl FnMut(bool, &str)) {
    let build = &plan.build;
    let leg = matches!(plan.part, Part::Leg(_));
    let image = build.export != Export::Nothing;
    let hangs = !build.annotations.is_empty() || !build.attestations.is_empty();
    check(image || !hangs, "nothing is exported, but something hangs on it");
    let kinds: Vec<_> = build.attestations.iter().map(|attestation| &attestation.kind).collect();
    check(distinct(&kinds), "an attestation is there twice");
    let bare =
        build.attestations.iter().any(|one| one.kind == "provenance" && !one.attrs.contains_key("mode"));
    check(!bare, "provenance has no mode, so that BuildKit would take `max`");
    check(
        distinct(&build.annotations.iter().map(place).collect::<Vec<_>>()),
        "an annotation is at one place twice",
    );
    let homeless = build.annotations.iter().any(|annotation| !build.holds(annotation.level));
    check(!homeless, "an annotation of the index, and no index");
    let platforms = |annotation: &crate::model::Annotation| {
        annotation.platform.as_ref().is_none_or(|platform| build.platforms.contains(platform))
    };
    check(build.annotations.iter().all(platforms), "an annotation for a platform that is not built");
    let asked = config.build.annotations.iter().rev();
    let mut seen = HashSet::new();
    let lost = asked
        .filter(|asked| seen.insert(place(asked)))
        // Those for another platform are another leg's.
        .filter(|asked| !leg || asked.platform.as_ref().is_none_or(|one| build.platforms.contains(one)))
        .any(|asked| image && asked.level == AnnotationLevel::Manifest && !build.annotations.contains(asked));
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
    let given = |id: &String| config.build.secrets.iter().any(|secret| secret.id == *id);
    let sound = build.token_secrets.iter().all(|id| build.secrets.contains(id) && !given(id));
    check(sound, "the token stands in for a secret of the user, or for none");
    check(
        build.token_secrets.is_empty() || config.token.is_some(),
        "a secret is to be a token that is not there",
    );
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
