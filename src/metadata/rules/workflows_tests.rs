//! What people write: the lines of public workflows by kind, as often as they come, and each odd thing among them.
//!
//! `${{ … }}` is what the runner puts in its place before a step reads it.

use super::cases_tests_support::{Case, facts, hold, run};
use super::{DefaultTags, EventFacts, evaluate};
use crate::inputs::config::Config;
use crate::metadata::fixture::{built, config, context, push, tags};
use crate::metadata::labels::labels;
use crate::model::GitRef;
use crate::rules::parse;

/// A condition as the runner carries it out.
fn when(condition: bool, line: &str) -> String {
    if condition { line.to_owned() } else { String::new() }
}

const THREE: &str =
    "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}";

const WITH_BRANCHES: &str = "type=ref,event=branch\ntype=ref,event=pr\ntype=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}";

const OF_VERSIONS: &[Case] = &[
    ("three parts on a release", "tag:v1.2.3", THREE, "", "1.2.3 1.2 1 latest"),
    ("three parts on a published release", "release tag:v1.2.3", THREE, "", "1.2.3 1.2 1 latest"),
    ("three parts on a tag without v", "tag:1.2.3", THREE, "", "1.2.3 1.2 1 latest"),
    ("three parts of a pre-release", "tag:v1.2.3-beta.1", THREE, "", "1.2.3-beta.1"),
    ("three parts of version 0", "tag:v0.4.1", THREE, "", "0.4.1 0.4 0 latest"),
    ("three parts on a branch", "branch:master", THREE, "", ""),
    ("three parts on a pull request", "pull_request pr:4", THREE, "", ""),
    ("three parts on a schedule", "schedule branch:master", THREE, "", ""),
    ("three parts by hand, on a tag", "workflow_dispatch tag:v1.2.3", THREE, "", "1.2.3 1.2 1 latest"),
    ("three parts without latest", "tag:v1.2.3", THREE, "latest=false", "1.2.3 1.2 1"),
    (
        "three parts and latest by a rule",
        "tag:v1.2.3",
        "type=semver,pattern={{version}}\ntype=raw,value=latest",
        "latest=false",
        "1.2.3 latest",
    ),
    (
        "no major of version 0",
        "tag:v0.4.1",
        "type=semver,pattern={{version}}\ntype=semver,pattern={{major}},enable=false",
        "",
        "0.4.1 latest",
    ),
    ("the example of the documentation on a branch", "branch:dev", WITH_BRANCHES, "", "dev"),
    ("the example of the documentation on a pull request", "pull_request pr:9", WITH_BRANCHES, "", "pr-9"),
    ("the example of the documentation on a release", "tag:v2.0.1", WITH_BRANCHES, "", "2.0.1 2.0 latest"),
    ("the raw tag", "tag:v1.2.3", "type=semver,pattern={{raw}}", "", "v1.2.3 latest"),
    (
        "the raw tag and the version",
        "tag:v1.2.3",
        "type=semver,pattern={{raw}}\ntype=semver,pattern={{version}}",
        "",
        "v1.2.3 1.2.3 latest",
    ),
    ("v before the version", "tag:v1.2.3", "type=semver,pattern=v{{version}}", "", "v1.2.3 latest"),
    (
        "v before the version of a pre-release is dropped, as metadata-action does",
        "tag:v1.2.3-rc.1",
        "type=semver,pattern=v{{version}}",
        "",
        "1.2.3-rc.1",
    ),
    ("v before two parts", "tag:v1.2.3", "type=semver,pattern=v{{major}}.{{minor}}", "", "v1.2 latest"),
    ("v before one part", "tag:v1.2.3", "type=semver,pattern=v{{major}}", "", "v1 latest"),
    ("v as a prefix", "tag:v1.2.3-rc.1", "type=semver,pattern={{version}},prefix=v", "", "v1.2.3-rc.1"),
    (
        "x in the place of the minor version",
        "tag:v1.2.3",
        "type=semver,pattern={{major}}.x",
        "",
        "1.x latest",
    ),
    (
        "x in the place of the patch",
        "tag:v1.2.3",
        "type=semver,pattern={{major}}.{{minor}}.x",
        "",
        "1.2.x latest",
    ),
    (
        "latest of a major version",
        "tag:v1.2.3",
        "type=semver,pattern=v{{major}}-latest",
        "latest=false",
        "v1-latest",
    ),
    (
        "blanks within braces",
        "tag:v1.2.3",
        "type=semver,pattern={{ major }}.{{ minor }}",
        "latest=false",
        "1.2",
    ),
    ("one blank within braces", "tag:v1.2.3", "type=semver,pattern={{ version}}", "latest=false", "1.2.3"),
    (
        "blanks after commas",
        "tag:v1.2.3",
        "type=semver, pattern={{version}}, enable=true",
        "latest=false",
        "1.2.3",
    ),
    (
        "blanks around everything",
        "tag:v1.2.3",
        "type = semver , pattern = {{version}}",
        "latest = false",
        "1.2.3",
    ),
    (
        "a value of an input",
        "workflow_dispatch branch:master",
        "type=semver,pattern={{version}},value=v1.2.3",
        "",
        "1.2.3 latest",
    ),
    (
        "a value of an input that is empty",
        "workflow_dispatch branch:master",
        "type=semver, value=, pattern={{version}}",
        "",
        "",
    ),
    (
        "a value of an input that is empty, on a tag",
        "tag:v1.2.3",
        "type=semver, value=, pattern={{version}}",
        "latest=false",
        "1.2.3",
    ),
    (
        "a value by an output, of which two parts are taken",
        "workflow_dispatch branch:master",
        "type=semver,pattern={{major}}.{{minor}},value=1.2.3",
        "latest=false",
        "1.2",
    ),
    (
        "a value that is not a version",
        "workflow_dispatch branch:master",
        "type=semver,pattern={{version}},value=main",
        "",
        "",
    ),
    (
        "a tag of one package among several",
        "tag:server-v1.2.3",
        "type=semver,pattern={{version}},match=server-v(.*)",
        "latest=false",
        "1.2.3",
    ),
    (
        "a tag of another package",
        "tag:client-v1.2.3",
        "type=semver,pattern={{version}},match=server-v(.*)",
        "",
        "",
    ),
    (
        "a tag with a path",
        "tag:charts/app/v1.2.3",
        "type=semver,pattern={{version}},match=charts/app/v(.*)",
        "latest=false",
        "1.2.3",
    ),
    (
        "a version's suffix",
        "tag:v1.2.3",
        "type=semver,pattern={{version}},suffix=-alpine",
        "latest=false",
        "1.2.3-alpine",
    ),
    (
        "a version's suffix, and one part's",
        "tag:v1.2.3",
        "type=semver,pattern={{version}},suffix=-slim\ntype=semver,pattern={{major}},suffix=-slim",
        "latest=false",
        "1.2.3-slim 1-slim",
    ),
    (
        "a version's prefix",
        "tag:v1.2.3",
        "type=semver,pattern={{version}},prefix=app-",
        "latest=false",
        "app-1.2.3",
    ),
    (
        "Python's version",
        "tag:v3.1.0rc1",
        "type=pep440,pattern={{version}}\ntype=pep440,pattern={{major}}.{{minor}}",
        "",
        "3.1.0rc1",
    ),
    (
        "Python's release",
        "tag:v3.1.0",
        "type=pep440,pattern={{version}}\ntype=pep440,pattern={{major}}.{{minor}}",
        "",
        "3.1.0 3.1 latest",
    ),
    ("a match's group", "tag:v2024.7", r"type=match,pattern=v(\d+)\.(\d+),group=1", "latest=false", "2024"),
];

#[test]
fn versions_as_nearly_all_write_them() {
    hold(OF_VERSIONS);
}

const OTHERS: &[Case] = &[
    (
        "latest of the default branch",
        "branch:master",
        "type=raw,value=latest,enable={{is_default_branch}}",
        "",
        "latest",
    ),
    (
        "latest of the default branch, on another",
        "branch:dev",
        "type=raw,value=latest,enable={{is_default_branch}}",
        "",
        "",
    ),
    (
        "latest of the default branch, on a tag",
        "tag:v1.2.3",
        "type=raw,value=latest,enable={{is_default_branch}}",
        "",
        "",
    ),
    (
        "latest of the default branch, on a schedule",
        "schedule branch:master",
        "type=raw,value=latest,enable={{is_default_branch}}",
        "",
        "latest",
    ),
    (
        "latest of the default branch, on a pull request",
        "pull_request pr:3",
        "type=raw,value=latest,enable={{is_default_branch}}",
        "",
        "",
    ),
    ("a condition of the workflow that holds", "branch:dev", "type=raw,value=dev,enable=true", "", "dev"),
    ("a condition of the workflow that does not", "branch:dev", "type=raw,value=dev,enable=false", "", ""),
    (
        "a condition for each of several",
        "tag:v1.2.3",
        "type=raw,value=latest,enable=true\ntype=raw,value=edge,enable=false\ntype=ref,event=tag",
        "latest=false",
        "v1.2.3 latest",
    ),
    (
        "a condition that came out empty is told",
        "branch:dev",
        "type=raw,value=dev,enable=",
        "",
        "fault: `enable` cannot be ``",
    ),
    (
        "a value that came out empty, without the condition",
        "branch:dev",
        "type=raw,value=,enable=false",
        "",
        "",
    ),
    ("a value that came out empty", "branch:dev", "type=raw,value=\ntype=sha", "", "sha-860c190"),
    (
        "the commit as the workflow's expression gives it",
        "branch:dev",
        "type=raw,value=860c1904a1ce19322e91ac35af1ab07466440c37",
        "",
        "860c1904a1ce19322e91ac35af1ab07466440c37",
    ),
    (
        "a branch and the commit",
        "branch:feature/x",
        "type=raw,value={{branch}}-{{sha}}",
        "",
        "feature-x-860c190",
    ),
    (
        "a branch, the commit and the time",
        "branch:master",
        "type=raw,value={{branch}}-{{sha}}-{{date 'X'}}",
        "",
        "master-860c190-1578616200",
    ),
    ("a day", "branch:master", "type=raw,value={{date 'YYYY-MM-DD'}}", "", "2020-01-10"),
    (
        "a day, within text",
        "branch:master",
        "type=raw,value=nightly-{{date 'YYYYMMDD'}}",
        "",
        "nightly-20200110",
    ),
    ("seconds", "branch:master", "type=raw,value={{date 'X'}}", "", "1578616200"),
    ("a branch's name", "branch:release/1.x", "type=ref,event=branch", "", "release-1.x"),
    (
        "a branch's name of a bot",
        "branch:dependabot/npm_and_yarn/@types/node-20.1",
        "type=ref,event=branch",
        "",
        "dependabot-npm_and_yarn-types-node-20.1",
    ),
    (
        "a branch's name with its suffix",
        "branch:dev",
        "type=ref,event=branch,suffix=-{{sha}}",
        "",
        "dev-860c190",
    ),
    (
        "a branch's name with its prefix",
        "branch:dev",
        "type=ref,event=branch,prefix=branch-",
        "",
        "branch-dev",
    ),
    ("a Git tag's name", "tag:2024-05-01", "type=ref,event=tag", "", "2024-05-01 latest"),
    (
        "all three of ref on a branch",
        "branch:dev",
        "type=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr",
        "",
        "dev",
    ),
    (
        "all three of ref on a tag",
        "tag:rel",
        "type=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr",
        "",
        "rel latest",
    ),
    (
        "all three of ref on a pull request",
        "pull_request pr:3",
        "type=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr",
        "",
        "pr-3",
    ),
    ("the commit", "branch:dev", "type=sha", "", "sha-860c190"),
    (
        "the whole commit",
        "branch:dev",
        "type=sha,format=long",
        "",
        "sha-860c1904a1ce19322e91ac35af1ab07466440c37",
    ),
    (
        "the whole commit alone",
        "branch:dev",
        "type=sha,format=long,prefix=",
        "",
        "860c1904a1ce19322e91ac35af1ab07466440c37",
    ),
    ("the commit behind a branch", "branch:dev", "type=sha,prefix={{branch}}-", "", "dev-860c190"),
    (
        "the commit behind a branch, where there is none",
        "tag:v1",
        "type=sha,prefix={{branch}}-",
        "",
        "fault: no tag can start with",
    ),
    ("the commit as a pull request's", "pull_request pr:3", "type=sha,prefix=pr-", "", "pr-860c190"),
    (
        "the commit first of all",
        "branch:dev",
        "type=ref,event=branch\ntype=sha,priority=2000",
        "",
        "sha-860c190 dev",
    ),
    ("the default branch is edge", "branch:master", "type=edge", "", "edge"),
    ("another branch is edge", "branch:develop", "type=edge,branch=develop", "", "edge"),
    ("edge on a release", "tag:v1.2.3", "type=edge\ntype=semver,pattern={{version}}", "", "1.2.3 latest"),
    ("edge on a schedule", "schedule branch:master", "type=edge\ntype=schedule", "", "nightly edge"),
    ("nightly", "schedule branch:master", "type=schedule", "", "nightly"),
    (
        "nightly with its day",
        "schedule branch:master",
        "type=schedule,pattern=nightly-{{date 'YYYYMMDD'}}",
        "",
        "nightly-20200110",
    ),
    ("nightly under another name", "schedule branch:master", "type=schedule,pattern=weekly", "", "weekly"),
    ("words alone", "branch:dev", "latest\nstable", "", "latest stable"),
    ("no rule at all", "branch:dev", "", "", ""),
];

#[test]
fn raw_ref_and_sha_as_people_write_them() {
    hold(OTHERS);
}

#[test]
fn flavors_as_people_write_them() {
    const TAGS: &str = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}";
    hold(&[
        ("never latest", "tag:v1.2.3", TAGS, "latest=false", "1.2.3 1.2"),
        ("latest as it comes", "tag:v1.2.3", TAGS, "latest=auto", "1.2.3 1.2 latest"),
        ("always latest", "branch:dev", "type=ref,event=branch", "latest=true", "dev latest"),
        ("latest by a condition that holds", "tag:v1.2.3", TAGS, "latest=true", "1.2.3 1.2 latest"),
        ("latest by a condition that does not", "tag:v1.2.3", TAGS, "latest=false", "1.2.3 1.2"),
        (
            "latest by an empty condition is told",
            "tag:v1.2.3",
            TAGS,
            "latest=",
            "fault: `latest` cannot be ``",
        ),
        ("a variant", "tag:v1.2.3", TAGS, "suffix=-alpine", "1.2.3-alpine 1.2-alpine latest"),
        (
            "a variant with its own latest",
            "tag:v1.2.3",
            TAGS,
            "suffix=-alpine,onlatest=true",
            "1.2.3-alpine 1.2-alpine latest-alpine",
        ),
        (
            "a variant in lines",
            "tag:v1.2.3",
            TAGS,
            "latest=auto\nsuffix=-alpine,onlatest=true",
            "1.2.3-alpine 1.2-alpine latest-alpine",
        ),
        ("a variant that came out empty", "tag:v1.2.3", TAGS, "suffix=", "1.2.3 1.2 latest"),
        (
            "a variant that came out empty, on latest too",
            "tag:v1.2.3",
            TAGS,
            "suffix=,onlatest=true",
            "1.2.3 1.2 latest",
        ),
        (
            "a variant as a prefix",
            "tag:v1.2.3",
            TAGS,
            "prefix=cuda-,onlatest=true",
            "cuda-1.2.3 cuda-1.2 cuda-latest",
        ),
        ("a variant without latest", "tag:v1.2.3", TAGS, "latest=false\nsuffix=-slim", "1.2.3-slim 1.2-slim"),
        ("blanks", "tag:v1.2.3", TAGS, "latest = false", "1.2.3 1.2"),
        ("a comment", "tag:v1.2.3", TAGS, "# latest=true\nlatest=false", "1.2.3 1.2"),
        ("an architecture", "branch:dev", "type=ref,event=branch", "suffix=-amd64", "dev-amd64"),
    ]);
}

#[test]
fn odd_things_that_metadata_action_ignores() {
    hold(&[
        (
            "onlatest on a rule",
            "branch:master",
            "type=edge,onlatest=false",
            "",
            "edge | `onlatest` means nothing in a rule",
        ),
        (
            "value on a ref",
            "branch:dev",
            "type=ref,event=branch,value=main",
            "",
            "dev | `value` means nothing with `type=ref`",
        ),
        (
            "latest on a rule",
            "branch:master",
            "type=edge,latest=false",
            "",
            "edge | `latest` means nothing in a rule",
        ),
        (
            "latest with blanks on a rule",
            "branch:master",
            "type=edge,latest = false",
            "",
            "edge | `latest` means nothing in a rule",
        ),
        (
            "pattern on a sha",
            "branch:dev",
            "type=sha,pattern={{sha}}",
            "",
            "sha-860c190 | `pattern` means nothing with `type=sha`",
        ),
        (
            "branch on a ref",
            "branch:dev",
            "type=ref,event=branch,branch=main",
            "",
            "dev | `branch` means nothing with `type=ref`",
        ),
        (
            "event on a semver",
            "tag:v1.2.3",
            "type=semver,pattern={{version}},event=tag",
            "latest=false",
            "1.2.3 | `event` means nothing with `type=semver`",
        ),
        (
            "an image's line among rules",
            "branch:dev",
            "name=ghcr.io/a/b,enable=true",
            "",
            "fault: there is no attribute `name`",
        ),
    ]);
}

#[test]
fn whole_rules_of_expressions() {
    for (is_release, expected) in [(true, "v1.2.3 stable latest"), (false, "v1.2.3 latest")] {
        let tags = format!(
            "type=ref,event=tag\n{}\n{}\n  \n",
            when(is_release, "type=raw,value=stable"),
            when(!is_release, ""),
        );
        let made = run(&tags, "", "tag:v1.2.3");
        let names: Vec<&str> = made.tags.iter().map(|tag| tag.tag.as_str()).collect();
        assert_eq!(names.join(" "), expected);
        assert!(made.nothing.is_empty(), "an empty line is not a line: {:?}", made.nothing);
    }
    // Behind a comma, and as the end of a line.
    for line in [",enable=false", "type=raw,value=,enable=false", ", ,", ","] {
        assert!(run(line, "", "branch:x").tags.is_empty(), "{line}");
    }
}

#[test]
fn whole_references_as_people_write_them() {
    hold(&[
        ("one", "branch:dev", "ghcr.io/acme/api:latest", "", "ghcr.io/acme/api:latest"),
        (
            "several in lines",
            "branch:dev",
            "ghcr.io/acme/api:latest\nghcr.io/acme/api:1.2",
            "",
            "ghcr.io/acme/api:latest ghcr.io/acme/api:1.2",
        ),
        (
            "several with commas",
            "branch:dev",
            "ghcr.io/acme/api:latest,ghcr.io/acme/api:1.2",
            "",
            "ghcr.io/acme/api:latest ghcr.io/acme/api:1.2",
        ),
        (
            "several with commas and blanks",
            "branch:dev",
            "ghcr.io/acme/api:latest, ghcr.io/acme/api:1.2",
            "",
            "ghcr.io/acme/api:latest ghcr.io/acme/api:1.2",
        ),
        (
            "of several registries",
            "branch:dev",
            "ghcr.io/acme/api:1\ndocker.io/acme/api:1\nquay.io/acme/api:1",
            "",
            "ghcr.io/acme/api:1 docker.io/acme/api:1 quay.io/acme/api:1",
        ),
        ("of Docker Hub without its host", "branch:dev", "acme/api:1", "", "fault: `docker.io/acme/api:1`"),
        ("of a registry with a port", "branch:dev", "localhost:5000/api:1", "", "localhost:5000/api:1"),
        ("with the owner's capitals", "branch:dev", "ghcr.io/Acme/API:1", "", "ghcr.io/acme/api:1"),
        ("without a tag", "branch:dev", "ghcr.io/acme/api", "", "fault: repositories stand in `repository`"),
        ("with a tag that came out empty", "branch:dev", "ghcr.io/acme/api:", "", "fault: cannot be a tag"),
        (
            "with a branch that has a slash",
            "branch:dev",
            "ghcr.io/acme/api:feature/x",
            "",
            "fault: cannot be a tag",
        ),
        (
            "with an expression",
            "branch:feature/x",
            "ghcr.io/acme/api:{{branch}}",
            "",
            "ghcr.io/acme/api:feature-x",
        ),
        (
            "with the commit",
            "branch:dev",
            "ghcr.io/acme/api:860c1904a1ce19322e91ac35af1ab07466440c37",
            "",
            "ghcr.io/acme/api:860c1904a1ce19322e91ac35af1ab07466440c37",
        ),
        ("beside rules", "branch:master", "type=edge\nghcr.io/acme/api:x", "", "edge ghcr.io/acme/api:x"),
        ("the same as a rule's", "branch:master", "type=edge\nghcr.io/acme/api:edge", "", "edge"),
        (
            "under a condition",
            "branch:dev",
            "ghcr.io/acme/api:x,enable=false\nghcr.io/acme/api:y,enable=true",
            "",
            "ghcr.io/acme/api:y",
        ),
        (
            "with an empty line among them",
            "branch:dev",
            "ghcr.io/acme/api:x\n\nghcr.io/acme/api:y",
            "",
            "ghcr.io/acme/api:x ghcr.io/acme/api:y",
        ),
        ("with no flavor", "branch:dev", "ghcr.io/acme/api:x", "suffix=-alpine", "ghcr.io/acme/api:x"),
        ("with a digest", "branch:dev", "ghcr.io/acme/api:x@sha256:00", "", "fault: has a digest"),
    ]);
}

/// Also where legs of the image were built earlier, each with a clock of its own: the time is one value of the run.
#[test]
fn a_time_is_one_value_for_all_tags() {
    let tags = "type=raw,value={{date 'X'}}\ntype=raw,value=a-{{date 'X'}}\ntype=sha,suffix=-{{date 'X'}}\nghcr.io/acme/api:{{date 'X'}}-b";
    for now in [0, 1_578_616_200_999, 1_578_616_201_000] {
        let facts = EventFacts { now, ..facts("branch:dev") };
        let made = evaluate(&parse(tags, "").unwrap(), &facts, DefaultTags::default()).unwrap();
        assert_eq!(made.tags.len(), 4);
        let seconds = (now / 1_000).to_string();
        assert!(made.tags.iter().all(|tag| tag.tag.as_str().contains(&seconds)), "{:?}", made.tags);
    }
}

#[test]
fn a_version_in_labels() {
    let rules = parse("type=semver,pattern={{version}}", "").unwrap();
    let config = Config { tags: Some(rules), ..config() };
    for (reference, expected) in [("refs/tags/v1.2.3", "v=1.2.3"), ("refs/heads/main", "v=")] {
        let context = context(push(), reference);
        let metadata = built(&context, &config).unwrap();
        let labels = labels(&context, &metadata, &[("v".to_owned(), "{{version}}".to_owned())]);
        assert_eq!(format!("v={}", labels["v"]), expected);
    }
}

/// A workflow that is started by hand for another ref, and one that checks another commit out.
#[test]
fn a_checkout_that_is_not_the_events_commit() {
    let facts = EventFacts { withheld: Some("HEAD is another".into()), ..facts("branch:main") };
    for (rule, expected) in [
        ("type=ref,event=branch", ""),
        ("type=edge,branch=main", ""),
        ("type=raw,value=1.2.3", "1.2.3"),
        ("type=semver,pattern={{version}},value=1.2.3", "1.2.3 latest"),
        ("type=match,pattern=.*,value=x", "x latest"),
        ("ghcr.io/acme/api:x", "x"),
        ("type=sha", "sha-860c190"),
    ] {
        let made = evaluate(&parse(rule, "").unwrap(), &facts, DefaultTags::default()).unwrap();
        let names: Vec<&str> = made.tags.iter().map(|tag| tag.tag.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{rule}");
    }
    let tag = EventFacts { git_ref: GitRef::Tag("v1.2.3".into()), ..facts };
    let made = evaluate(&parse("type=semver,pattern={{version}}", "").unwrap(), &tag, DefaultTags::default());
    assert!(made.unwrap().tags.is_empty());
}

/// A scheduled run builds the version again, to take a newer base image: `overwrite` is asked for that, and the policy says
/// that it is a version.
#[test]
fn a_schedule_that_builds_a_version_again() {
    let rules = parse("type=schedule\ntype=semver,pattern={{version}},value=1.2.3\ntype=raw,value=1.2.3", "")
        .unwrap();
    let config = Config { tags: Some(rules), ..config() };
    let context = context(crate::runner::context::Event::Schedule, "refs/heads/main");
    assert_eq!(tags(&built(&context, &config).unwrap()), "nightly 1.2.3");
}

/// What else they write, where it is read: the file and the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "images under a condition",
        include_str!("../../inputs/repository.rs"),
        "lines_that_count_and_lines_that_do_not",
    ),
    ("name= before an image", include_str!("../../inputs/repository_line.rs"), "names_and_their_condition"),
    (
        "references to repositories that are not listed",
        include_str!("../../inputs/tags.rs"),
        "a_reference_to_another_repository",
    ),
    (
        "references as the only source of repositories",
        include_str!("../../inputs/image.rs"),
        "references_name_the_places_where_nothing_else_does",
    ),
    (
        "logins whose secrets are empty in a fork",
        include_str!("../../inputs/logins_tests.rs"),
        "secrets_that_are_not_there",
    ),
    (
        "one login serves two repositories on one host",
        include_str!("../../../tests/live/several.rs"),
        "two_in_one_registry",
    ),
    ("a release that is created", include_str!("../tests.rs"), "rows_of_the_table"),
    (
        "build arguments by the metadata's values",
        include_str!("../../inputs/build_args.rs"),
        "whose_values_are_variables_values",
    ),
];

#[test]
fn what_is_shown_elsewhere_is() {
    for (what, file, test) in ELSEWHERE {
        assert!(file.contains(&format!("fn {test}()")), "{what}: there is no test `{test}`");
    }
}
