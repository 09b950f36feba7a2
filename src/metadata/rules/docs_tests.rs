//! The examples of `docs/tags.md`.

use super::evaluate::evaluate;
use super::{DefaultTags, EventFacts};
use crate::model::{CommitId, GitRef};
use crate::rules::parse;

const PAGE: &str = include_str!("../../../docs/tags.md");
const SHA: &str = "860c1904a1ce19322e91ac35af1ab07466440c37";

/// What stands in backticks in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The event that a cell tells of.
fn facts(cell: &str) -> EventFacts {
    let (what, name) = cell.trim().split_once(" `").unwrap_or_else(|| panic!("no event: {cell}"));
    let name = name.trim_end_matches('`').to_owned();
    let (event, git_ref) = match what {
        "push of branch" => ("push", GitRef::Branch(name)),
        "push of tag" => ("push", GitRef::Tag(name)),
        "schedule on" => ("schedule", GitRef::Branch(name)),
        "pull request" => ("pull_request", GitRef::Pull(name.parse().unwrap())),
        other => panic!("no event: {other}"),
    };
    EventFacts {
        event: event.into(),
        git_ref,
        sha: Ok(CommitId::parse(SHA).unwrap()),
        default_branch: Some("main".into()),
        base_ref: Some("main".into()),
        short_sha: 7,
        withheld: None,
        // 2020-01-10T00:30:00Z, and the day before.
        now: 1_578_616_200_000,
        committed: Some(1_578_529_800),
    }
}

#[test]
fn every_example_gives_what_it_says() {
    let mut run = 0;
    for table in PAGE.split("<!-- examples -->").skip(1) {
        let table = table.split("<!-- /examples -->").next().unwrap();
        for row in table.trim().lines().skip(2) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
            let (tags, flavor, event, gives) = match cells.as_slice() {
                [tags, event, gives] => (tags, "", event, gives),
                [tags, flavor, event, gives] => (tags, *flavor, event, gives),
                _ => panic!("no row: {row}"),
            };
            let rules = parse(&quoted(tags).join("\n"), &quoted(flavor).join("\n"));
            let rules = rules.unwrap_or_else(|faults| panic!("{row}: {faults:?}"));
            let made = evaluate(&rules, &facts(event), DefaultTags::default());
            let made = made.unwrap_or_else(|faults| panic!("{row}: {faults:?}"));
            let names: Vec<String> = made
                .tags
                .iter()
                .map(|tag| {
                    let repository = tag.repository.as_ref().map(|one| format!("{one}:")).unwrap_or_default();
                    repository + tag.tag.as_str()
                })
                .collect();
            assert_eq!(names, quoted(gives), "{row}");
            run += 1;
        }
    }
    assert!(run > 30, "{run} examples were found");
}
