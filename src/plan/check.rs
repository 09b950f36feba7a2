//! What every finished plan keeps, checked apart from the code that makes plans.

use std::collections::HashSet;

use super::build::Export;
use super::{PushPlan, RunPlan};
use crate::inputs::config::Config;
use crate::metadata::{Subject, TagKind, date, labels};

/// Every invariant that the plan breaks, one sentence each; empty for a sound plan.
pub fn violations(plan: &RunPlan, config: &Config) -> Vec<String> {
    let mut broken = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            broken.push(what.to_owned());
        }
    };
    tags(plan, config, &mut check);
    build(plan, config, &mut check);
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
        Export::PushByDigest(repository) => Some(repository),
        Export::Digest | Export::Nothing => None,
    };
    check(pushes == destination.is_some(), "the export is not what the push decision says");
    let elsewhere = destination.is_some_and(|repository| *repository != plan.repository);
    check(!elsewhere, "the export goes to another repository");
    check(!pushes || !plan.tags.is_empty(), "a push without a tag");
    let of_the_user = |key: &str| config.labels.iter().any(|(name, _)| name == key);
    let epoch = build.source_date_epoch.map(date::rfc3339);
    check(
        build.labels.get(labels::CREATED) == epoch.as_ref() || of_the_user(labels::CREATED),
        "`created` and the build's epoch differ",
    );
    let revision = build.labels.get(labels::REVISION).map(String::as_str) == Some(plan.revision.as_str());
    check(revision || of_the_user(labels::REVISION), "the revision label is not what is built");
    check(!build.shared_key.is_empty(), "the context has no name");
}
