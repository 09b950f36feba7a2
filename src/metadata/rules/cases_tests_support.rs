//! Events in one word and outcomes in one line, for tables of cases.

use super::{DefaultTags, Evaluated, EventFacts, evaluate};
use crate::model::{CommitId, GitRef};
use crate::rules::{Fault, Notice, parse};

pub(super) const SHA: &str = "860c1904a1ce19322e91ac35af1ab07466440c37";

/// What metadata-action takes where `tags` is empty.
pub(super) const FOUR: &str = "type=schedule\ntype=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr";

/// An event in one word: `branch:NAME`, `tag:NAME`, `pr:N`, each with the name of the event before it, if that is no push.
pub(super) fn facts(event: &str) -> EventFacts {
    let (name, on) = event.split_once(' ').unwrap_or(("push", event));
    let (kind, rest) = on.split_once(':').unwrap();
    let git_ref = match kind {
        "branch" => GitRef::Branch(rest.into()),
        "tag" => GitRef::Tag(rest.into()),
        "pr" => GitRef::Pull(rest.parse().unwrap()),
        _ => GitRef::Other(rest.into()),
    };
    EventFacts {
        event: name.into(),
        git_ref,
        sha: Ok(CommitId::parse(SHA).unwrap()),
        default_branch: Some("master".into()),
        base_ref: Some(if kind == "tag" { "refs/heads/master" } else { "master" }.into()),
        short_sha: 7,
        withheld: None,
        // 2020-01-10T00:30:00Z, and the day before.
        now: 1_578_616_200_000,
        committed: Some(1_578_529_800),
    }
}

pub(super) fn evaluated(tags: &str, flavor: &str, facts: &EventFacts) -> Result<Evaluated, Vec<Fault>> {
    let rules = parse(tags, flavor).unwrap_or_else(|faults| panic!("{tags}: {faults:?}"));
    evaluate(&rules, facts, DefaultTags::default())
}

pub(super) fn run(tags: &str, flavor: &str, event: &str) -> Evaluated {
    evaluated(tags, flavor, &facts(event)).unwrap_or_else(|faults| panic!("{tags}: {faults:?}"))
}

/// A case: its name, the event, `tags`, `flavor`, and what comes of them: the tags in order, those of one repository as whole
/// references; `fault: ` and words of it; a notice's words behind ` | `.
pub(super) type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Holds each case; all that differ are told together.
pub(super) fn hold(cases: &[Case]) {
    let differ = |(name, event, tags, flavor, expected): &Case| {
        let (found, notices) = outcome(tags, flavor, event);
        let (expected, notice) = expected.split_once(" | ").unwrap_or((expected, ""));
        let right = match expected.strip_prefix("fault: ") {
            Some(words) => found.starts_with("fault: ") && found.contains(words),
            None => found == expected,
        };
        let told = if notice.is_empty() {
            notices.is_empty()
        } else {
            notices.iter().any(|one| one.message.contains(notice))
        };
        let differs =
            format!("{name}\n  {event}, {tags:?}, {flavor:?}\n  {found}\n  {expected}\n  {notices:?}");
        (!right || !told).then_some(differs)
    };
    let wrong: Vec<String> = cases.iter().filter_map(differ).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn outcome(tags: &str, flavor: &str, event: &str) -> (String, Vec<Notice>) {
    let faults = |faults: Vec<Fault>| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("fault: {}", told.join("; "))
    };
    let rules = match parse(tags, flavor) {
        Ok(rules) => rules,
        Err(found) => return (faults(found), Vec::new()),
    };
    let made = match evaluate(&rules, &facts(event), DefaultTags::default()) {
        Ok(made) => made,
        Err(found) => return (faults(found), rules.notices),
    };
    let name = |tag: &crate::metadata::PlannedTag| {
        let repository = tag.repository.as_ref().map(|one| format!("{one}:")).unwrap_or_default();
        format!("{repository}{}", tag.tag)
    };
    (made.tags.iter().map(name).collect::<Vec<_>>().join(" "), rules.notices)
}
