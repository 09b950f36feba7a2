//! What is written of runs, of one repository and of several.

use serde_json::{Value, json};

use super::*;
use crate::metadata::{PlannedTag, Policy, TagSource};
use crate::model::{Digest, Platform, Tag};
use crate::plan::platform_tags::PlatformTag;
use crate::plan::publish::HeldBack;
use crate::registry::{ImageMetadata, PlatformMetadata};

fn at(name: &str) -> Repository {
    Repository::parse(name).unwrap()
}

fn tag(name: &str) -> PlannedTag {
    let (source, policy) = (TagSource::Branch, Policy::MOVING);
    PlannedTag::new(Tag::parse(name).unwrap(), (source, policy), format!("because of {name}"))
}

fn image() -> ImageMetadata {
    ImageMetadata {
        digest: Digest::of(b"top"),
        media_type: String::new(),
        size: 1,
        platforms: Vec::new(),
        attestations: Vec::new(),
    }
}

/// Complete in the first repository, begun in the second.
fn two_targets() -> [TargetOutcome; 2] {
    let held = HeldBack { tag: Tag::parse("latest").unwrap(), reason: "newer".into() };
    let first = TargetOutcome {
        digest: Some(Digest::of(b"top")),
        published: vec![tag("main")],
        held_back: vec![held],
        pushed: true,
        metadata: Some(image()),
        ..TargetOutcome::begun(&at("ghcr.io/a/b"), None)
    };
    let second = TargetOutcome {
        digest: Some(Digest::of(b"top")),
        published: vec![tag("a-main")],
        ..TargetOutcome::begun(&at("docker.io/a/b"), None)
    };
    [first, second]
}

/// What is made of the account of these.
fn of<T>(targets: &[TargetOutcome], read: impl FnOnce(&Account<'_>) -> T) -> T {
    let report = Report::default();
    for target in targets {
        // What was said before counts no more.
        report.target(&TargetOutcome::begun(&target.repository, None));
        report.target(target);
    }
    report.account(read)
}

fn pushed(account: &Account<'_>) -> bool {
    account.pushed()
}

#[test]
fn what_a_failure_leaves() {
    let mut targets = two_targets();
    let lines = [
        "ghcr.io/a/b: complete, under `main`",
        "docker.io/a/b: tags that were put before: `a-main`; a re-run completes them",
    ];
    assert_eq!(of(&targets, left), lines);
    targets[1].published.clear();
    assert_eq!(of(&targets, left)[1], "docker.io/a/b: no tag was put; a re-run completes it");
    // Of one nothing needs to be told apart.
    targets[0].pushed = false;
    let lines = ["tags that were put before: `main`; a re-run completes them"];
    assert_eq!(of(&targets[..1], left), lines);
    targets[0].published.clear();
    assert_eq!(of(&targets[..1], left), Vec::<String>::new());
}

#[test]
fn outputs_of_several_repositories() {
    let targets = two_targets();
    assert!(!of(&targets, pushed));
    let reference = format!("ghcr.io/a/b@{}", Digest::of(b"top"));
    assert_eq!(targets.iter().filter_map(super::outputs::reference).collect::<Vec<_>>(), [reference]);
    assert_eq!(
        of(&targets, outputs::held_back).to_string(),
        r#"[{"reason":"newer","repository":"ghcr.io/a/b","tag":"latest"}]"#
    );
    let value: Value = serde_json::from_str(&of(&targets, outputs::metadata)).unwrap();
    assert_eq!(value["digest"], value["repositories"][0]["digest"]);
    assert_eq!(value["repositories"][1], json!({"repository": "docker.io/a/b", "pushed": false}));
    // One is as it always was.
    let one = &targets[..1];
    assert!(of(one, pushed));
    assert_eq!(of(one, outputs::held_back).to_string(), r#"[{"reason":"newer","tag":"latest"}]"#);
    assert_eq!(of(one, outputs::metadata), json!(image()).to_string());
}

#[test]
fn tags_of_single_platforms_stand_with_their_platform() {
    let [mut target, _] = two_targets();
    let platform = Platform::parse("linux/amd64").unwrap();
    let part = |platform: &Platform| PlatformMetadata {
        platform: Some(platform.clone()),
        digest: Digest::of(b"part"),
        size: 1,
        config_digest: None,
        layers: Vec::new(),
    };
    let other = Platform::parse("linux/arm64").unwrap();
    target.metadata = Some(ImageMetadata { platforms: vec![part(&platform), part(&other)], ..image() });
    let own = |tag: &str| PlatformTag {
        tag: Tag::parse(tag).unwrap(),
        of: Tag::parse("main").unwrap(),
        platform: platform.clone(),
        repository: None,
    };
    target.platform_tags = vec![own("main-amd64"), own("amd64-main")];
    let value: Value = serde_json::from_str(&of(&[target.clone()], outputs::metadata)).unwrap();
    assert_eq!(value["platforms"][0]["tags"], json!(["main-amd64", "amd64-main"]));
    assert_eq!(value["platforms"][1].get("tags"), None);
    let tags: Vec<Vec<String>> = compared::platforms(&target, None).into_iter().map(|row| row.tags).collect();
    assert_eq!(tags, [vec!["main-amd64", "amd64-main"], vec![]]);
}

#[test]
fn rows_that_differ_name_their_repository() {
    let row = |tag: &str| (tag.to_owned(), "why".to_owned());
    let of = |each: &[(&str, &[&str])]| {
        let each = each.iter().map(|(target, tags)| (at(target), tags.iter().map(|tag| row(tag)).collect()));
        rows(each.collect()).into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), Vec::<String>::new());
    assert_eq!(of(&[("r.io/a", &["x", "y"])]), ["x", "y"]);
    assert_eq!(of(&[("r.io/a", &["x", "y"]), ("s.io/a", &["x", "y"])]), ["x", "y"]);
    assert_eq!(of(&[("r.io/a", &["x"]), ("s.io/a", &[])]), ["r.io/a:x"]);
}
