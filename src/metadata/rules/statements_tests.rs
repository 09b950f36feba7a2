//! What docker/metadata-action 6.2 does, statement by statement, as what the rules here do; and each difference.
//!
//! A case is called by its statement. What other rooms do is named with the test that shows it there.

use super::cases_tests_support::{Case, FOUR, hold};
use crate::inputs::config::{Config, MetadataEnv};
use crate::metadata::fixture::{built, config, context, pull_request, push, tags};
use crate::metadata::labels::labels;
use crate::rules::parse;
use crate::runner::context::{Event, RunnerContext};

#[test]
fn lines_and_fields() {
    hold(&[
        ("a line that begins with # is a comment", "branch:master", "# type=sha\n  # x\nx", "", "x"),
        ("there are no comments within a line", "branch:master", "x # y", "", "x-y"),
        ("fields are separated by commas", "branch:master", "type=raw,value=x,suffix=-y", "", "x-y"),
        ("a field without = is the value", "branch:master", "type=raw,x", "", "x"),
        (
            "a field without = is the value, also of a typed line",
            "branch:master",
            "type=semver,pattern={{version}},1.2.3",
            "",
            "1.2.3 latest",
        ),
        ("keys are lower-cased", "branch:master", "TYPE=raw,Value=x", "", "x"),
        ("values are trimmed", "branch:master", "type = raw , value =  x  ", "", "x"),
        ("the case of values is kept", "branch:master", "type=raw,value=Xy", "", "Xy"),
        ("a line without a type is raw", "branch:master", "value=x", "", "x"),
        (
            "an unknown type is an error",
            "branch:master",
            "type=branch",
            "",
            "fault: there is no type `branch`",
        ),
        ("empty lines are nothing", "branch:master", "\n\nx\n\n", "", "x"),
        (
            "the last of an attribute given twice counts",
            "branch:master",
            "value=x,value=y",
            "",
            "y | given twice",
        ),
        ("a quoted field may hold a comma", "branch:master", "type=raw,\"value=x,y\"", "", "x-y"),
    ]);
}

#[test]
fn attributes_of_all_types() {
    hold(&[
        ("enable is true by default", "branch:master", "x", "", "x"),
        ("enable=false leaves a rule out", "branch:master", "x,enable=false", "", ""),
        ("enable is expanded", "branch:master", "x,enable={{is_default_branch}}", "", "x"),
        ("enable is expanded to false", "branch:dev", "x,enable={{is_default_branch}}", "", ""),
        (
            "enable comes out as true or false, else it is an error",
            "branch:dev",
            "x,enable={{branch}}",
            "",
            "fault: `enable` comes out as `dev`",
        ),
        (
            "enable is true or false, else it is an error",
            "branch:dev",
            "x,enable=1",
            "",
            "fault: `enable` cannot be `1`",
        ),
        ("priority decides the order", "branch:master", "a,priority=1\nb,priority=2", "", "b a"),
        ("prefix stands before", "branch:master", "a,prefix=p-", "", "p-a"),
        ("suffix stands behind", "branch:master", "a,suffix=-s", "", "a-s"),
        ("prefix is expanded", "branch:master", "a,prefix={{branch}}-", "", "master-a"),
        ("suffix is expanded", "branch:master", "a,suffix=-{{sha}}", "", "a-860c190"),
    ]);
}

const TYPES: &[Case] = &[
    // schedule
    ("schedule fires on a schedule", "schedule branch:master", "type=schedule", "", "nightly"),
    (
        "schedule fires where the event's name contains it",
        "my_schedule branch:master",
        "type=schedule",
        "",
        "nightly",
    ),
    ("schedule fires on nothing else", "workflow_dispatch branch:master", "type=schedule", "", ""),
    ("the pattern of schedule is nightly by default", "schedule branch:dev", "type=schedule", "", "nightly"),
    (
        "schedule expands its pattern",
        "schedule branch:master",
        "type=schedule,pattern=n-{{date 'YYYY'}}",
        "",
        "n-2020",
    ),
    (
        "schedule knows commit_date",
        "schedule branch:master",
        "type=schedule,pattern={{commit_date 'DD'}}",
        "",
        "09",
    ),
    (
        "schedule knows dates only",
        "schedule branch:master",
        "type=schedule,pattern={{branch}}",
        "",
        "fault: there is no expression `{{branch}}`",
    ),
    ("schedule has no auto latest", "schedule tag:v1.2.3", "type=schedule", "", "nightly"),
    // semver
    ("semver fires on a Git tag", "tag:1.2.3", "type=semver,pattern={{version}}", "latest=false", "1.2.3"),
    (
        "semver fires with a value",
        "branch:master",
        "type=semver,pattern={{version}},value=1.2.3",
        "latest=false",
        "1.2.3",
    ),
    ("semver fires on no branch", "branch:1.2.3", "type=semver,pattern={{version}}", "", ""),
    ("semver fires on no pull request", "pull_request pr:1", "type=semver,pattern={{version}}", "", ""),
    ("semver needs a pattern", "tag:1.2.3", "type=semver", "", "fault: `type=semver` needs `pattern`"),
    ("semver has auto latest", "tag:1.2.3", "type=semver,pattern={{version}}", "", "1.2.3 latest"),
    (
        "semver has no auto latest for a pre-release",
        "tag:1.2.3-rc.1",
        "type=semver,pattern={{version}}",
        "",
        "1.2.3-rc.1",
    ),
    // pep440
    ("pep440 fires on a Git tag", "tag:1.2", "type=pep440,pattern={{version}}", "latest=false", "1.2"),
    (
        "pep440 fires with a value",
        "branch:master",
        "type=pep440,pattern={{version}},value=1.2",
        "latest=false",
        "1.2",
    ),
    ("pep440 fires on no branch", "branch:1.2", "type=pep440,pattern={{version}}", "", ""),
    ("pep440 needs a pattern", "tag:1.2", "type=pep440", "", "fault: `type=pep440` needs `pattern`"),
    ("pep440 has auto latest", "tag:1.2", "type=pep440,pattern={{version}}", "", "1.2 latest"),
    (
        "pep440 has no auto latest for a pre-release",
        "tag:1.2a1",
        "type=pep440,pattern={{version}}",
        "",
        "1.2a1",
    ),
    (
        "pep440 has no auto latest for a post-release",
        "tag:1.2.post1",
        "type=pep440,pattern={{version}}",
        "",
        "1.2.post1",
    ),
    (
        "pep440 has no auto latest for a development release",
        "tag:1.2.dev1",
        "type=pep440,pattern={{version}}",
        "",
        "1.2.dev1",
    ),
    // match
    ("match fires on a Git tag", "tag:v7", r"type=match,pattern=\d", "latest=false", "7"),
    ("match fires with a value", "branch:master", r"type=match,pattern=\d,value=v7", "latest=false", "7"),
    ("match fires on no branch", "branch:v7", r"type=match,pattern=\d", "", ""),
    ("match needs a pattern", "tag:v7", "type=match", "", "fault: `type=match` needs `pattern`"),
    ("match takes a pattern without slashes", "tag:v7", "type=match,pattern=v.", "latest=false", "v7"),
    (
        "match takes a pattern with slashes and flags",
        "tag:v7",
        "type=match,pattern=/V./i",
        "latest=false",
        "v7",
    ),
    ("the group of match is 0 by default", "tag:v7", r"type=match,pattern=v(\d)", "latest=false", "v7"),
    ("match takes another group", "tag:v7", r"type=match,pattern=v(\d),group=1", "latest=false", "7"),
    ("match makes nothing where nothing matches", "tag:v7", "type=match,pattern=x", "", ""),
    ("match has auto latest", "tag:v7", r"type=match,pattern=\d", "", "7 latest"),
    // edge
    ("edge fires on the default branch", "branch:master", "type=edge", "", "edge"),
    ("edge fires on no other branch", "branch:dev", "type=edge", "", ""),
    ("edge fires on the branch that it names", "branch:dev", "type=edge,branch=dev", "", "edge"),
    ("edge fires on no Git tag of that name", "tag:master", "type=edge", "", ""),
    ("edge fires on no pull request", "pull_request pr:1", "type=edge", "", ""),
    ("edge has no auto latest", "branch:master", "type=edge", "latest=auto", "edge"),
    // ref
    ("ref of a branch is the branch's name", "branch:dev", "type=ref,event=branch", "", "dev"),
    ("ref of a branch fires on no Git tag", "tag:dev", "type=ref,event=branch", "", ""),
    ("ref of a Git tag is the tag's name", "tag:rel", "type=ref,event=tag", "latest=false", "rel"),
    ("ref of a Git tag fires on no branch", "branch:rel", "type=ref,event=tag", "", ""),
    ("ref of a pull request is pr- and its number", "pull_request pr:12", "type=ref,event=pr", "", "pr-12"),
    ("ref of a pull request fires on no branch", "branch:x", "type=ref,event=pr", "", ""),
    ("the prefix pr- can be replaced", "pull_request pr:12", "type=ref,event=pr,prefix=mr-", "", "mr-12"),
    ("the prefix pr- can be empty", "pull_request pr:12", "type=ref,event=pr,prefix=", "", "12"),
    ("ref needs an event", "branch:x", "type=ref", "", "fault: `type=ref` needs `event`"),
    (
        "the event of ref is one of three",
        "branch:x",
        "type=ref,event=push",
        "",
        "fault: `event` cannot be `push`",
    ),
    ("ref of a Git tag has auto latest", "tag:rel", "type=ref,event=tag", "", "rel latest"),
    ("ref of a branch has no auto latest", "branch:dev", "type=ref,event=branch", "", "dev"),
    ("ref of a pull request has no auto latest", "pull_request pr:1", "type=ref,event=pr", "", "pr-1"),
    // raw
    ("raw fires always", "pull_request pr:1", "type=raw,value=x", "", "x"),
    ("raw needs a value", "branch:x", "type=raw", "", "fault: `type=raw` needs `value`"),
    ("raw expands its value", "branch:x", "type=raw,value={{branch}}-y", "", "x-y"),
    ("raw has no auto latest", "tag:v1.2.3", "type=raw,value=x", "", "x"),
    // sha
    ("sha is short by default", "branch:x", "type=sha", "", "sha-860c190"),
    ("sha can be short", "branch:x", "type=sha,format=short", "", "sha-860c190"),
    (
        "sha can be long",
        "branch:x",
        "type=sha,format=long",
        "",
        "sha-860c1904a1ce19322e91ac35af1ab07466440c37",
    ),
    (
        "the format of sha is one of two",
        "branch:x",
        "type=sha,format=full",
        "",
        "fault: `format` cannot be `full`",
    ),
    ("the prefix sha- can be replaced", "branch:x", "type=sha,prefix=git-", "", "git-860c190"),
    ("the prefix sha- can be empty", "branch:x", "type=sha,prefix=", "", "860c190"),
    ("sha has no auto latest", "tag:v1.2.3", "type=sha", "", "sha-860c190"),
];

#[test]
fn types_and_what_each_does() {
    hold(TYPES);
}

#[test]
fn priorities_of_types() {
    hold(&[
        (
            "schedule, 1000, is before semver, 900",
            "schedule tag:v1.2.3",
            "type=semver,pattern={{version}}\ntype=schedule",
            "latest=false",
            "nightly 1.2.3",
        ),
        (
            "semver and pep440 are as they are written",
            "tag:1.2.3",
            "type=pep440,pattern=p{{major}}\ntype=semver,pattern=s{{major}}",
            "latest=false",
            "p1 s1",
        ),
        (
            "semver, 900, is before match, 800",
            "tag:v1.2.3",
            "type=match,pattern=v.\ntype=semver,pattern={{major}}",
            "latest=false",
            "1 v1",
        ),
        (
            "match, 800, is before edge, 700",
            "branch:master",
            "type=edge\ntype=match,pattern=.*,value=m",
            "latest=false",
            "m edge",
        ),
        (
            "edge, 700, is before ref, 600",
            "branch:master",
            "type=ref,event=branch\ntype=edge",
            "",
            "edge master",
        ),
        ("ref, 600, is before raw, 200", "branch:master", "x\ntype=ref,event=branch", "", "master x"),
        ("raw, 200, is before sha, 100", "branch:master", "type=sha\nx", "", "x sha-860c190"),
        (
            "a priority of a rule's own counts",
            "branch:master",
            "type=edge\ntype=sha,priority=701",
            "",
            "sha-860c190 edge",
        ),
        ("the same priority keeps the order of lines", "branch:master", "c\na\nb", "", "c a b"),
        ("priorities are numbers, not texts", "branch:master", "a,priority=9\nb,priority=10", "", "b a"),
        ("priorities can be negative", "branch:master", "a,priority=-1\ntype=sha", "", "sha-860c190 a"),
    ]);
}

const TAKE: &str = r"type=semver,pattern={{version}},match=v(\d.*)";

const VERSIONS: &[Case] = &[
    (
        "the value is expanded",
        "branch:1.2.3",
        "type=semver,pattern={{version}},value={{branch}}",
        "latest=false",
        "1.2.3",
    ),
    ("match is not anchored", "tag:app/v1.2.3", TAKE, "latest=false", "1.2.3"),
    ("match takes its first group", "tag:app-v1.2.3", TAKE, "latest=false", "1.2.3"),
    ("slashes become dashes", "tag:p/1.2.3", "type=pep440,pattern={{version}}", "", ""),
    ("what is not a version is left out", "tag:release", "type=semver,pattern={{version}}\nx", "", "x"),
    ("semver is strict", "tag:1.2", "type=semver,pattern={{version}}", "", ""),
    ("semver takes a leading v", "tag:v1.2.3", "type=semver,pattern={{version}}", "latest=false", "1.2.3"),
    ("semver takes no leading zeros", "tag:v1.02.3", "type=semver,pattern={{version}}", "", ""),
    ("raw is the text", "tag:v1.2.3", "type=semver,pattern={{raw}}", "latest=false", "v1.2.3"),
    (
        "version has no build metadata",
        "tag:v1.2.3+b",
        "type=semver,pattern={{version}}",
        "latest=false",
        "1.2.3",
    ),
    (
        "major, minor and patch are numbers",
        "tag:v1.2.3",
        "type=semver,pattern={{major}}_{{minor}}_{{patch}}",
        "latest=false",
        "1_2_3",
    ),
    ("prerelease can be named", "tag:v1.2.3", "type=semver,pattern=x{{prerelease}}", "latest=false", "x"),
    ("build can be named", "tag:v1.2.3+b", "type=semver,pattern=x{{build}}", "latest=false", "xb"),
    (
        "a pre-release ignores the pattern",
        "tag:v1.2.3-rc.1",
        "type=semver,pattern={{major}}.{{minor}}",
        "",
        "1.2.3-rc.1",
    ),
    (
        "a pre-release ignores a pattern with more than raw",
        "tag:v1.2.3-rc.1",
        "type=semver,pattern=x{{raw}}",
        "",
        "1.2.3-rc.1",
    ),
    (
        "a pre-release is raw where the pattern is exactly that",
        "tag:v1.2.3-rc.1",
        "type=semver,pattern={{raw}}",
        "",
        "v1.2.3-rc.1",
    ),
    (
        "pep440 takes what is not a semver",
        "tag:1.2",
        "type=pep440,pattern={{major}}.{{minor}}",
        "latest=false",
        "1.2",
    ),
    ("pep440's version is canonical", "tag:v1.0.0-ALPHA.1", "type=pep440,pattern={{version}}", "", "1.0.0a1"),
    ("pep440's raw is the text", "tag:v1.2.3", "type=pep440,pattern={{raw}}", "latest=false", "v1.2.3"),
    (
        "pep440's missing parts are zeros",
        "tag:1",
        "type=pep440,pattern={{major}}.{{minor}}.{{patch}}",
        "latest=false",
        "1.0.0",
    ),
    (
        "pep440's pre-release ignores the pattern",
        "tag:1.2.3beta2",
        "type=pep440,pattern={{major}}",
        "",
        "1.2.3b2",
    ),
    (
        "pep440's development release ignores the pattern",
        "tag:1.0dev4",
        "type=pep440,pattern={{major}}",
        "",
        "1.0.dev4",
    ),
    (
        "pep440's post-release ignores the pattern",
        "tag:1.0post2",
        "type=pep440,pattern={{major}}",
        "",
        "1.0.post2",
    ),
    (
        "pep440's pre-release is raw where the pattern is exactly that",
        "tag:1.2.3beta2",
        "type=pep440,pattern={{raw}}",
        "",
        "1.2.3beta2",
    ),
];

#[test]
fn versions() {
    hold(VERSIONS);
}

#[test]
fn expressions() {
    hold(&[
        ("branch is the branch", "branch:a/b", "x-{{branch}}", "", "x-a-b"),
        ("branch is empty on a Git tag", "tag:v1", "x{{branch}}", "", "x"),
        ("branch is empty on a pull request", "pull_request pr:1", "x{{branch}}", "", "x"),
        ("tag is the Git tag", "tag:v1", "x-{{tag}}", "", "x-v1"),
        ("tag is empty on a branch", "branch:v1", "x{{tag}}", "", "x"),
        ("sha is short", "branch:x", "{{sha}}", "", "860c190"),
        ("base_ref of a Git tag is the event's, without refs/heads/", "tag:v1", "{{base_ref}}", "", "master"),
        ("base_ref of a pull request is its base branch", "pull_request pr:1", "{{base_ref}}", "", "master"),
        ("base_ref is empty otherwise", "branch:x", "x{{base_ref}}", "", "x"),
        (
            "is_default_branch is true on the default branch",
            "branch:master",
            "{{is_default_branch}}",
            "",
            "true",
        ),
        ("is_default_branch is false on another", "branch:dev", "{{is_default_branch}}", "", "false"),
        ("is_default_branch is true of a creation", "create branch:dev", "{{is_default_branch}}", "", "true"),
        (
            "is_default_branch is true of a discussion",
            "discussion_comment branch:dev",
            "{{is_default_branch}}",
            "",
            "true",
        ),
        ("is_default_branch is true of an issue", "issues branch:dev", "{{is_default_branch}}", "", "true"),
        (
            "is_default_branch is true of a schedule",
            "schedule branch:dev",
            "{{is_default_branch}}",
            "",
            "true",
        ),
        ("is_not_default_branch is the contrary", "branch:dev", "{{is_not_default_branch}}", "", "true"),
        (
            "is_not_default_branch is the contrary on the default branch",
            "branch:master",
            "{{is_not_default_branch}}",
            "",
            "false",
        ),
        ("date has moment's format", "branch:x", "{{date 'YYYY-MM-DD_HH.mm.ss'}}", "", "2020-01-10_00.30.00"),
        ("date is in UTC by default", "branch:x", "{{date 'HH'}}", "", "00"),
        (
            "date takes a time zone",
            "branch:x",
            "type=raw,value={{date 'HH' tz='America/New_York'}}",
            "",
            "19",
        ),
        (
            "date takes nothing else",
            "branch:x",
            "type=raw,value={{date 'HH' zone='UTC'}}",
            "",
            "fault: `date` has no `zone`",
        ),
        ("commit_date is the commit's", "branch:x", "{{commit_date 'YYYYMMDD'}}", "", "20200109"),
        (
            "commit_date takes a time zone",
            "branch:x",
            "type=raw,value={{commit_date 'YYYYMMDDHH' tz='Asia/Tokyo'}}",
            "",
            "2020010909",
        ),
        ("a flavor's prefix is expanded", "branch:x", "y", "prefix={{branch}}-", "x-y"),
        ("a flavor's suffix is expanded", "branch:x", "y", "suffix=-{{sha}}", "y-860c190"),
        (
            "a version's pattern has names of its own",
            "tag:v1.2.3",
            "type=semver,pattern={{sha}}",
            "",
            "fault: there is no expression `{{sha}}`",
        ),
        (
            "names of versions are known nowhere else",
            "tag:v1.2.3",
            "{{major}}",
            "",
            "fault: there is no expression `{{major}}`",
        ),
    ]);
}

#[test]
fn prefixes_suffixes_order_and_latest() {
    const RELEASE: &str = "type=semver,pattern={{version}}";
    hold(&[
        ("a flavor's prefix is for rules without one", "branch:x", "a\nb,prefix=q-", "prefix=p-", "p-a q-b"),
        ("a flavor's suffix is for rules without one", "branch:x", "a\nb,suffix=-t", "suffix=-s", "a-s b-t"),
        ("a rule's empty prefix replaces it", "branch:x", "a,prefix=", "prefix=p-", "a"),
        ("a rule's empty suffix replaces it", "branch:x", "a,suffix=", "suffix=-s", "a"),
        ("the built-in pr- replaces it", "pull_request pr:1", "type=ref,event=pr", "prefix=p-", "pr-1"),
        ("the built-in sha- replaces it", "branch:x", "type=sha", "prefix=p-", "sha-860c190"),
        ("what no tag may hold is one dash", "branch:x", "a/+ b", "", "a-b"),
        ("a dash beside it stays", "branch:x", "a-/b", "", "a--b"),
        ("letters, digits, points, underscores and dashes stay", "branch:x", "Az09._-x", "", "Az09._-x"),
        ("no value makes nothing, and succeeds", "branch:x", "type=ref,event=tag", "", ""),
        ("empty values are left out", "branch:x", "{{tag}}\ny", "", "y"),
        ("the same tag is there once", "branch:x", "a\na\nb", "", "a b"),
        (
            "latest is the last",
            "tag:v1.2.3",
            "type=semver,pattern={{version}}\ntype=sha",
            "",
            "1.2.3 sha-860c190 latest",
        ),
        ("latest=auto is the default", "tag:v1.2.3", RELEASE, "latest=auto", "1.2.3 latest"),
        ("latest=true forces it", "branch:x", "a", "latest=true", "a latest"),
        ("latest=false forbids it", "tag:v1.2.3", RELEASE, "latest=false", "1.2.3"),
        (
            "latest is one of three words",
            "branch:x",
            "a",
            "latest=maybe",
            "fault: `latest` cannot be `maybe`",
        ),
        (
            "auto is decided by the first that yields a value",
            "tag:v1.2.3",
            "a,priority=1000\ntype=semver,pattern={{version}}",
            "",
            "a 1.2.3",
        ),
        (
            "what yields nothing decides nothing",
            "tag:v1.2.3",
            "type=schedule\ntype=semver,pattern={{version}}",
            "",
            "1.2.3 latest",
        ),
        (
            "what is disabled decides nothing",
            "tag:v1.2.3",
            "a,priority=1000,enable=false\ntype=semver,pattern={{version}}",
            "",
            "1.2.3 latest",
        ),
        (
            "latest has the flavor's prefix with onlatest",
            "tag:v1.2.3",
            RELEASE,
            "prefix=p-,onlatest=true",
            "p-1.2.3 p-latest",
        ),
        (
            "latest has the flavor's suffix with onlatest",
            "tag:v1.2.3",
            RELEASE,
            "suffix=-s,onlatest=true",
            "1.2.3-s latest-s",
        ),
        ("latest has neither without", "tag:v1.2.3", RELEASE, "prefix=p-\nsuffix=-s", "p-1.2.3-s latest"),
        ("onlatest=false is as without", "tag:v1.2.3", RELEASE, "suffix=-s,onlatest=false", "1.2.3-s latest"),
        (
            "onlatest is about what is before it in its line",
            "tag:v1.2.3",
            RELEASE,
            "prefix=p-,onlatest=true,suffix=-s,onlatest=false",
            "p-1.2.3-s p-latest",
        ),
        (
            "an unknown key of flavor is an error",
            "branch:x",
            "a",
            "color=red",
            "fault: there is no `color` in `flavor`",
        ),
        ("a rule of no type in flavor is an error", "branch:x", "a", "auto", "fault: is not a `name=value`"),
        (
            "latest by a rule is that of the rule",
            "branch:x",
            "type=raw,value=latest",
            "latest=false",
            "latest",
        ),
    ]);
}

/// Each is a row of the table in the documentation of `crate::rules` and in `docs/tags.md`, by that name.
const DIFFERENCES: &[Case] = &[
    (
        "an attribute that no type has",
        "branch:x",
        "type=sha,fromat=long",
        "",
        "fault: did you mean `format`?",
    ),
    (
        "an attribute of another type, `latest` or `onlatest` on a rule",
        "branch:master",
        "type=edge,onlatest=false",
        "",
        "edge | `onlatest` means nothing in a rule",
    ),
    (
        "an attribute of another type, `latest` or `onlatest` on a rule",
        "branch:x",
        "type=ref,event=branch,value=main",
        "",
        "x | `value` means nothing with `type=ref`",
    ),
    (
        "an attribute of another type, `latest` or `onlatest` on a rule",
        "branch:master",
        "type=edge,latest = false",
        "",
        "edge | `latest` means nothing in a rule",
    ),
    ("an attribute given twice", "branch:x", "a,b", "", "b | given twice"),
    ("an empty field, `type=raw,value=x,`", "branch:x", "type=raw,value=a,", "", "a"),
    (
        "a comma in quotes, in `{{…}}` or in `\\d{1,2}`",
        "branch:x",
        "{{date 'MMMM D, YYYY'}}",
        "",
        "January-10-2020",
    ),
    (
        "a comma in quotes, in `{{…}}` or in `\\d{1,2}`",
        "tag:v123",
        r"type=match,pattern=\d{1,2}",
        "latest=false",
        "12",
    ),
    (
        "a comma in quotes, in `{{…}}` or in `\\d{1,2}`",
        "tag:a,b",
        "type=match,\"pattern=a,b\"",
        "latest=false",
        "a-b",
    ),
    ("`=` within `{{…}}` of a bare word", "branch:x", "{{date 'YYYY' tz='UTC'}}", "", "2020"),
    (
        "a bare word with a `:`, or that begins with a registry's host",
        "branch:x",
        "ghcr.io/a/b:1",
        "",
        "ghcr.io/a/b:1",
    ),
    (
        "a bare word with a `:`, or that begins with a registry's host",
        "branch:x",
        "ghcr.io/a/b",
        "",
        "fault: has no tag",
    ),
    ("an unknown expression", "branch:x", "a-{{nope}}", "", "fault: there is no expression `{{nope}}`"),
    (
        "blocks, comments, `~` of Handlebars",
        "branch:x",
        "{{#if branch}}a{{/if}}",
        "",
        "fault: is not supported",
    ),
    ("blocks, comments, `~` of Handlebars", "branch:x", "{{! a }}b", "", "fault: is not supported"),
    ("blocks, comments, `~` of Handlebars", "branch:x", "{{~branch~}}", "", "fault: is not supported"),
    ("`&`, `<`, `>`, quotes, `=` of a value", "branch:a&b<c>d\"e'f=g", "x-{{branch}}", "", "x-a-b-c-d-e-f-g"),
    (
        "an unknown time zone, a format with `%Y`",
        "branch:x",
        "type=raw,value={{date 'YYYY' tz='Mars/Base'}}",
        "",
        "fault: there is no time zone `Mars/Base`",
    ),
    (
        "an unknown time zone, a format with `%Y`",
        "branch:x",
        "{{date '%Y'}}",
        "",
        "fault: `%Y` has no meaning",
    ),
    ("`priority` that is no number", "branch:x", "a,priority=high", "", "fault: `priority` cannot be `high`"),
    (
        "`match=` without a group",
        "tag:v1.2.3",
        "type=semver,pattern={{version}},match=v.*",
        "",
        "fault: has no group",
    ),
    ("`match=` that does not match", "tag:1.2.3", "type=semver,pattern={{version}},match=v(.*)", "", ""),
    (
        "a `group` that the pattern does not have",
        "tag:v1",
        "type=match,pattern=v(.),group=2",
        "",
        "fault: the pattern has no group 2",
    ),
    (
        "look-around, back-references, `\\p{…}`",
        "tag:v1",
        "type=match,pattern=v(?=1)",
        "",
        "fault: look-around is not supported",
    ),
    (
        "look-around, back-references, `\\p{…}`",
        "tag:v1",
        r"type=match,pattern=(.)\1",
        "",
        "fault: back-references are not supported",
    ),
    (
        "look-around, back-references, `\\p{…}`",
        "tag:v1",
        r"type=match,pattern=/\p{L}/u",
        "",
        "fault: Unicode properties are not supported",
    ),
    (
        "`onlatest` in a line without prefix and suffix",
        "branch:x",
        "a",
        "latest=true,onlatest=true",
        "fault: `onlatest` says nothing by itself",
    ),
    ("`=` in a prefix or suffix of `flavor`", "branch:x", "a", "prefix=p=q-", "p-q-a"),
    (
        "expressions in the prefix and suffix of `latest`",
        "branch:x",
        "a",
        "latest=true\nprefix={{branch}}-,onlatest=true",
        "x-a x-latest",
    ),
    ("`latest` twice, by a rule and by `flavor`", "branch:x", "latest", "latest=true", "latest"),
    (
        "a tag longer than 128 characters, or that starts with `.` or `-`",
        "branch:-x",
        "type=ref,event=branch",
        "",
        "fault: no tag can start with `.` or `-`",
    ),
    (
        "a tag longer than 128 characters, or that starts with `.` or `-`",
        "branch:x",
        "{{date 'YYYY'}}{{date '[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]'}}",
        "",
        "fault: 129 characters long",
    ),
    ("`pull_request_target`, `issue_comment`, `workflow_run`", "pull_request_target pr:2", FOUR, "", "pr-2"),
    ("`pull_request_target`, `issue_comment`, `workflow_run`", "issue_comment pr:2", FOUR, "", "pr-2"),
    ("`pull_request_target`, `issue_comment`, `workflow_run`", "workflow_run branch:dev", FOUR, "", "dev"),
    (
        "numbers of PEP 440 beyond 2^53",
        "tag:9007199254740993.1",
        "type=pep440,pattern={{major}}",
        "latest=false",
        "9007199254740993",
    ),
    ("no `tags`", "branch:x", "", "", ""),
];

#[test]
fn differences() {
    hold(DIFFERENCES);
}

/// The first cells of a table's rows, in order.
fn first_cells(text: &'static str, before: &str) -> Vec<&'static str> {
    let (_, table) = text.split_once(before).unwrap_or_else(|| panic!("no table: {before}"));
    let rows = table
        .lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").next().unwrap().trim()).collect()
}

#[test]
fn each_difference_has_a_case_and_is_documented() {
    let here = first_cells(include_str!("../../rules/mod.rs"), "each on purpose");
    let page = first_cells(include_str!("../../../docs/tags.md"), "## Coming from docker/metadata-action");
    assert_eq!(here, page);
    assert_eq!(here.len(), 24);
    for name in &here {
        assert!(DIFFERENCES.iter().any(|(case, ..)| case == name), "no case shows: {name}");
    }
    for (case, ..) in DIFFERENCES {
        assert!(here.contains(case), "not documented: {case}");
    }
}

fn with(rules: &str) -> Config {
    Config { tags: Some(parse(rules, "").unwrap()), ..config() }
}

fn on(event: Event, reference: &str) -> RunnerContext {
    context(event, reference)
}

#[test]
fn without_rules_there_is_the_default_strategy() {
    let metadata = built(&on(push(), "refs/heads/main"), &config()).unwrap();
    assert_eq!(tags(&metadata), "1111111-main main latest");
}

#[test]
fn a_pull_requests_commit_is_what_is_built_or_its_head() {
    let about = on(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
    for (pr_head_sha, expected) in [(false, "pr-5 1111111"), (true, "pr-5 2222222")] {
        let metadata_env = MetadataEnv { pr_head_sha, ..MetadataEnv::default() };
        let config = Config { metadata_env, ..with("type=ref,event=pr\ntype=sha,prefix=") };
        assert_eq!(tags(&built(&about, &config).unwrap()), expected);
    }
}

#[test]
fn the_length_of_short_ids_is_a_variables() {
    let metadata_env = MetadataEnv { short_sha_length: 12, ..MetadataEnv::default() };
    let config = Config { metadata_env, ..with("type=sha\nx-{{sha}}") };
    let metadata = built(&on(push(), "refs/heads/main"), &config).unwrap();
    assert_eq!(tags(&metadata), "x-111111111111 sha-111111111111");
}

#[test]
fn the_first_rule_that_yields_a_value_is_the_version() {
    for (rules, reference, version) in [
        ("type=sha\ntype=semver,pattern={{version}}", "refs/tags/v1.2.3", Some("1.2.3")),
        ("type=sha\ntype=edge", "refs/heads/main", Some("edge")),
        ("type=ref,event=tag", "refs/heads/main", None),
        ("ghcr.io/acme/shop/api:x\nghcr.io/acme/shop/api:y", "refs/heads/main", Some("x")),
    ] {
        let metadata = built(&on(push(), reference), &with(rules)).unwrap();
        assert_eq!(metadata.version.as_deref(), version, "{rules}");
    }
}

#[test]
fn labels_are_the_eight_and_those_asked_for() {
    let about = on(push(), "refs/tags/v1.2.3");
    let metadata = built(&about, &with("type=semver,pattern={{version}}")).unwrap();
    let asked = [("z", "{{version}} of {{branch}}{{tag}}"), ("a", ""), ("z", "{{sha}} & <{{version}}>")];
    let asked = asked.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels = labels(&about, &metadata, &asked);
    let told: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        told,
        [
            "a=",
            // The commit's time, where that action has the time of the run.
            "org.opencontainers.image.created=2025-11-21T09:30:45Z",
            "org.opencontainers.image.description=Sells things",
            "org.opencontainers.image.licenses=MIT",
            "org.opencontainers.image.revision=1111111111111111111111111111111111111111",
            "org.opencontainers.image.source=https://github.com/acme/shop",
            "org.opencontainers.image.title=shop",
            "org.opencontainers.image.url=https://github.com/acme/shop",
            "org.opencontainers.image.version=1.2.3",
            "z=1111111 & <1.2.3>",
        ]
    );
}

/// Statements about what other rooms own: the file and the test that show it there.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "images are lines of name and enable, or a list",
        include_str!("../../inputs/repository_line.rs"),
        "names_and_their_condition",
    ),
    (
        "an unknown key of an image, or an empty name, is an error",
        include_str!("../../inputs/repository_line.rs"),
        "what_is_wrong_names_its_line",
    ),
    (
        "an image with enable=false is left out",
        include_str!("../../inputs/repository.rs"),
        "lines_that_count_and_lines_that_do_not",
    ),
    (
        "no images: the references name them",
        include_str!("../../inputs/image.rs"),
        "references_name_the_places_where_nothing_else_does",
    ),
    (
        "DOCKER_METADATA_PR_HEAD_SHA and _SHORT_SHA_LENGTH are read",
        include_str!("../../inputs/docker_env.rs"),
        "what_metadata_action_reads",
    ),
    ("annotations have the levels that are asked for", include_str!("../../inputs/annotations.rs"), "levels"),
    (
        "context: git takes ref and commit of the checkout",
        include_str!("../head_tests.rs"),
        "the_ref_that_is_checked_out_names_the_tags",
    ),
    (
        "context: git of a detached HEAD goes by what is at it",
        include_str!("../head_tests.rs"),
        "a_commit_without_a_name_is_the_events_if_it_is_that",
    ),
    (
        "context: git without a name is an error",
        include_str!("../head_tests.rs"),
        "what_is_said_when_nobody_knows_what_is_checked_out",
    ),
    ("the commit's date is what is known of it", include_str!("../tests.rs"), "created_is_the_commits_time"),
    (
        "a label without = is an error, where that action drops it",
        include_str!("../../inputs/config_tests.rs"),
        "all_faults_are_reported_in_one_run",
    ),
    (
        "the OCI labels are annotations, too",
        include_str!("../../plan/surface_tests.rs"),
        "the_oci_labels_are_annotations_too",
    ),
    (
        "tags of each repository, and their names once",
        include_str!("../../engine/report/tests.rs"),
        "outputs_of_several_repositories",
    ),
    (
        "a bake file has tags, labels, annotations and arguments",
        include_str!("../../engine/report/outputs.rs"),
        "nothing_in_a_bake_file_is_worked_out",
    ),
];

#[test]
fn what_is_shown_elsewhere_is() {
    for (statement, file, test) in ELSEWHERE {
        assert!(file.contains(&format!("fn {test}()")), "{statement}: there is no test `{test}`");
    }
}
