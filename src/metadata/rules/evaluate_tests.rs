use super::super::cases_tests_support::{FOUR, SHA, evaluated, facts, run};
use super::*;
use crate::rules::{names_pull_request_head, parse};

/// The tags, in order.
fn names(tags: &str, flavor: &str, event: &str) -> String {
    let run = run(tags, flavor, event);
    let names: Vec<&str> = run.tags.iter().map(|tag| tag.tag.as_str()).collect();
    names.join(" ")
}

#[test]
fn schedules_and_versions() {
    for (event, tags, expected) in [
        // schedule
        ("schedule branch:master", "type=schedule", "nightly"),
        ("schedule branch:master", "type=schedule,pattern={{date 'YYYYMMDD'}}", "20200110"),
        (
            "schedule branch:master",
            "type=schedule,pattern={{date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}",
            "20200110-093000",
        ),
        ("schedule branch:master", "type=schedule,pattern={{commit_date 'YYYYMMDD'}}", "20200109"),
        ("schedule branch:master", "type=schedule,pattern=week/{{date 'w'}}", "week-2"),
        ("schedule branch:master", "type=schedule,pattern=", ""),
        ("schedule branch:master", "type=schedule,prefix=a-,suffix=-b", "a-nightly-b"),
        ("schedule branch:master", FOUR, "nightly master"),
        ("branch:master", "type=schedule", ""),
        ("tag:v1.2.3", "type=schedule", ""),
        // semver
        ("tag:v1.2.3", "type=semver,pattern={{raw}}", "v1.2.3 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{version}}", "1.2.3 latest"),
        ("tag:1.2.3", "type=semver,pattern={{version}}", "1.2.3 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{major}}.{{minor}}", "1.2 latest"),
        ("tag:v1.2.3", "type=semver,pattern=v{{major}}", "v1 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{minor}}", "2 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{patch}}", "3 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{major}}.x", "1.x latest"),
        ("tag:v1.2.3", "type=semver,pattern=v{{major}}-latest", "v1-latest latest"),
        ("tag:v1.2.3", "type=semver,pattern={{ version }}", "1.2.3 latest"),
        ("tag:v1.2.3", "type=semver,pattern=stable", "stable latest"),
        ("tag:v1.2.3", "type=semver,pattern=", ""),
        ("tag:v1.2.3+b.1", "type=semver,pattern={{version}}", "1.2.3 latest"),
        ("tag:v1.2.3+b.1", "type=semver,pattern={{raw}}", "v1.2.3-b.1 latest"),
        ("tag:v1.2.3+b.1", "type=semver,pattern={{major}}-{{build}}", "1-b-1 latest"),
        ("tag:v1.2.3", "type=semver,pattern={{major}}{{prerelease}}", "1 latest"),
        ("tag:v2.0.8-beta.67", "type=semver,pattern={{raw}}", "v2.0.8-beta.67"),
        ("tag:v2.0.8-beta.67", "type=semver,pattern={{version}}", "2.0.8-beta.67"),
        ("tag:v2.0.8-beta.67", "type=semver,pattern={{major}}", "2.0.8-beta.67"),
        ("tag:v2.0.8-beta.67", "type=semver,pattern={{major}}.{{minor}}", "2.0.8-beta.67"),
        ("tag:v2.0.8-beta.67", "type=semver,pattern=v{{raw}}", "2.0.8-beta.67"),
        ("tag:v1.1", "type=semver,pattern={{version}}", ""),
        ("tag:sometag", "type=semver,pattern={{version}}", ""),
        ("tag:V1.2.3", "type=semver,pattern={{version}}", ""),
        ("tag:p1/v1.2.3", "type=semver,pattern={{version}}", ""),
        ("tag:p1/v1.2.3", r"type=semver,pattern={{version}},match=v(\d.\d.\d)$", "1.2.3 latest"),
        ("tag:v1.2.3", r"type=semver,pattern={{version}},match=x(\d.\d.\d)$", ""),
        ("branch:master", "type=semver,pattern={{version}}", ""),
        ("branch:master", "type=semver,pattern={{version}},value=", ""),
        ("branch:master", "type=semver, pattern = {{version}} , value = v1.0.0", "1.0.0 latest"),
        (
            "branch:master",
            r"type=semver,pattern={{version}},value=p1/v1.0.0,match=v(\d.\d.\d)$",
            "1.0.0 latest",
        ),
        ("branch:v1.0.0", "type=semver,pattern={{version}},value={{branch}}", "1.0.0 latest"),
        ("branch:master", "type=semver,pattern={{version}},value={{tag}}", ""),
        ("tag:v1.2.3", "type=semver,pattern={{version}},prefix=a-,suffix=-b", "a-1.2.3-b latest"),
        // pep440
        ("tag:1.2.3", "type=pep440,pattern={{raw}}", "1.2.3 latest"),
        ("tag:1.2.3", "type=pep440,pattern={{version}}", "1.2.3 latest"),
        ("tag:v1.2.3", "type=pep440,pattern={{version}}", "1.2.3 latest"),
        ("tag:1.2.3", "type=pep440,pattern={{major}}.{{minor}}", "1.2 latest"),
        ("tag:1.2.3", "type=pep440,pattern=v{{major}}", "v1 latest"),
        ("tag:1.2", "type=pep440,pattern={{major}}.{{minor}}.{{patch}}", "1.2.0 latest"),
        ("tag:v1.2.3rc2", "type=pep440,pattern={{raw}}", "v1.2.3rc2"),
        ("tag:1.2.3rc2", "type=pep440,pattern={{version}}", "1.2.3rc2"),
        ("tag:1.2.3rc2", "type=pep440,pattern={{major}}.{{minor}}", "1.2.3rc2"),
        ("tag:1.2.3post1", "type=pep440,pattern={{major}}.{{minor}}", "1.2.3.post1"),
        ("tag:1.2.3beta2", "type=pep440,pattern={{major}}.{{minor}}", "1.2.3b2"),
        ("tag:1.0dev4", "type=pep440,pattern={{major}}.{{minor}}", "1.0.dev4"),
        ("tag:1.0+ab.1", "type=pep440,pattern={{version}}", "1.0-ab-1 latest"),
        ("tag:p1/v1.2.3", r"type=pep440,pattern={{version}},match=v(\d.\d.\d)$", "1.2.3 latest"),
        ("tag:sometag", "type=pep440,pattern={{version}}", ""),
        ("branch:master", "type=pep440,pattern={{version}},value=1.0.0", "1.0.0 latest"),
    ] {
        assert_eq!(names(tags, "", event), expected, "{event} | {tags}");
    }
}

#[test]
fn other_types() {
    for (event, tags, expected) in [
        // match
        ("tag:v1.2.3", r"type=match,pattern=\d.\d.\d", "1.2.3 latest"),
        ("tag:v2.0.8-beta.67", "type=match,pattern=v(.*),group=1", "2.0.8-beta.67 latest"),
        ("tag:v2.0.8-beta.67", r"type=match,pattern=v(\d.\d),group=1", "2.0 latest"),
        ("tag:20200110-RC2", r"type=match,pattern=\d+", "20200110 latest"),
        ("tag:20200110-RC2", r"type=match,pattern=\d{1,4}", "2020 latest"),
        ("tag:20200110-RC2", "type=match,pattern=/rc./i", "RC2 latest"),
        ("tag:p1/v1.2.3", r"type=match,pattern=p1/v(\d.\d.\d),group=1", "1.2.3 latest"),
        ("tag:p1/v1.2.3", "type=match,pattern=.*", "p1-v1.2.3 latest"),
        ("tag:v1", "type=match,pattern=x", ""),
        ("tag:v1", "type=match,pattern=v(x)?1,group=1", ""),
        ("tag:v1", "type=match,pattern=x*", ""),
        ("branch:master", "type=match,pattern=.*", ""),
        ("branch:master", "type=match,pattern=v(.*),group=1,value=v1.0.0", "1.0.0 latest"),
        ("branch:rel-7", r"type=match,pattern=\d,value={{branch}}", "7 latest"),
        // edge
        ("branch:master", "type=edge", "edge"),
        ("branch:dev", "type=edge", ""),
        ("branch:dev", "type=edge,branch=dev", "edge"),
        ("branch:master", "type=edge,branch=dev", ""),
        ("branch:master", "type=edge,branch=", "edge"),
        ("branch:master", "type=edge,suffix=-x,onlatest=false", "edge-x"),
        ("tag:master", "type=edge", ""),
        ("pull_request pr:2", "type=edge", ""),
        // ref
        ("branch:master", FOUR, "master"),
        ("branch:my/branch", FOUR, "my-branch"),
        ("branch:Feature/#42_x.y", FOUR, "Feature-42_x.y"),
        ("branch:é🚀x", "type=ref,event=branch,prefix=b", "b-x"),
        ("tag:v1.2.3", FOUR, "v1.2.3 latest"),
        ("tag:v2.0.8-beta.67", FOUR, "v2.0.8-beta.67 latest"),
        ("pull_request pr:2", FOUR, "pr-2"),
        ("pull_request_target pr:2", FOUR, "pr-2"),
        ("pull_request pr:2", "type=ref,event=pr,prefix=", "2"),
        ("pull_request pr:2", "type=ref,event=pr,prefix=mr-,suffix=-x", "mr-2-x"),
        ("workflow_dispatch branch:master", FOUR, "master"),
        ("release tag:v1", FOUR, "v1 latest"),
        ("branch:dev", "type=ref,event=branch,value=main", "dev"),
        ("branch:master", "type=ref,event=tag", ""),
        ("tag:v1", "type=ref,event=branch", ""),
        ("branch:master", "type=ref,event=pr", ""),
        ("other:refs/notes/x", FOUR, ""),
        // raw
        ("branch:master", "type=raw,value=foo", "foo"),
        ("branch:master", "type=raw,foo", "foo"),
        ("branch:master", "foo\nbar", "foo bar"),
        ("branch:master", "foo,bar", "bar"),
        ("branch:master", "type=raw,value=,enable=false", ""),
        ("branch:master", "type=raw,value=", ""),
        ("branch:master", "type=raw,value=,suffix=x", "x"),
        ("branch:master", ",enable=true", ""),
        ("branch:master", "type=raw,value=x,", "x"),
        ("branch:master", "type=raw,value=mytag-{{branch}}-{{sha}}", "mytag-master-860c190"),
        ("branch:a&b<c>", "type=raw,value=x-{{branch}}", "x-a-b-c-"),
        ("branch:master", "{{date 'X'}}", "1578616200"),
        (
            "branch:master",
            "type=raw,value={{date 'dddd, MMMM Do YYYY, h:mm:ss a'}}",
            "Friday-January-10th-2020-12-30-00-am",
        ),
        ("branch:master", "type=raw,value=UPPER_Case.1", "UPPER_Case.1"),
        ("branch:feature/x", "feature/x", "feature-x"),
        ("branch:master", "type=raw,value=a=b", "a-b"),
        // sha
        ("branch:master", "type=sha", "sha-860c190"),
        ("branch:master", "type=sha,format=long", "sha-860c1904a1ce19322e91ac35af1ab07466440c37"),
        ("branch:master", "type=sha,format=short,prefix=", "860c190"),
        ("branch:my/b", "type=sha,prefix={{branch}}-", "my-b-860c190"),
        ("pull_request pr:2", "type=sha,suffix=-x", "sha-860c190-x"),
        ("tag:v1", "type=sha", "sha-860c190"),
        // nothing
        ("branch:master", "", ""),
        ("branch:master", "# type=sha\n\n", ""),
    ] {
        assert_eq!(names(tags, "", event), expected, "{event} | {tags}");
    }
}

#[test]
fn global_expressions() {
    for (event, expression, expected) in [
        ("branch:my/branch", "{{branch}}", "my-branch"),
        ("pull_request pr:2", "{{branch}}", ""),
        ("tag:v1", "{{branch}}", ""),
        ("tag:v1.2.3", "{{tag}}", "v1.2.3"),
        ("branch:master", "{{tag}}", ""),
        ("pull_request pr:2", "{{base_ref}}", "master"),
        ("tag:v1", "{{base_ref}}", "master"),
        ("branch:master", "{{base_ref}}", ""),
        ("branch:master", "{{is_default_branch}}", "true"),
        ("branch:dev", "{{is_default_branch}}", "false"),
        ("branch:dev", "{{is_not_default_branch}}", "true"),
        ("tag:master", "{{is_default_branch}}", "false"),
        ("pull_request pr:2", "{{is_default_branch}}", "false"),
        ("schedule branch:dev", "{{is_default_branch}}", "true"),
        ("discussion branch:dev", "{{is_default_branch}}", "true"),
        ("issues branch:dev", "{{is_default_branch}}", "true"),
        ("create tag:v1", "{{is_default_branch}}", "true"),
        ("other:", "{{is_default_branch}}", "false"),
        ("branch:master", "{{sha}}", "860c190"),
        ("branch:master", "{{commit_date 'YYYY-MM-DD'}}", "2020-01-09"),
    ] {
        assert_eq!(
            names(&format!("type=raw,value={expression}"), "", event),
            expected,
            "{event} {expression}"
        );
    }
}

#[test]
fn flavors_and_latest() {
    const RELEASE: &str = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}";
    for (event, tags, flavor, expected) in [
        ("tag:v1.2.3", RELEASE, "", "1.2.3 1 latest"),
        ("tag:v1.2.3", RELEASE, "latest=auto", "1.2.3 1 latest"),
        ("tag:v1.2.3", RELEASE, "latest=false", "1.2.3 1"),
        ("tag:v1.2.3", RELEASE, "latest = false", "1.2.3 1"),
        ("tag:v1.2.3-rc.1", RELEASE, "", "1.2.3-rc.1"),
        ("tag:v1.2.3-rc.1", RELEASE, "latest=true", "1.2.3-rc.1 latest"),
        ("branch:master", "type=edge", "latest=true", "edge latest"),
        ("branch:master", "type=semver,pattern={{version}}", "latest=true", ""),
        ("tag:v1.2.3", RELEASE, "suffix=-alpine", "1.2.3-alpine 1-alpine latest"),
        ("tag:v1.2.3", RELEASE, "suffix=-alpine,onlatest=true", "1.2.3-alpine 1-alpine latest-alpine"),
        ("tag:v1.2.3", RELEASE, "prefix=x-,onlatest=true,suffix=-y", "x-1.2.3-y x-1-y x-latest"),
        ("branch:dev", "type=ref,event=branch", "prefix={{sha}}-", "860c190-dev"),
        (
            "branch:dev",
            "type=ref,event=branch",
            "latest=true\nprefix={{branch}}-,onlatest=true",
            "dev-dev dev-latest",
        ),
        (
            "tag:v1.2.3",
            "type=semver,pattern={{version}},suffix=\ntype=sha",
            "suffix=-x",
            "1.2.3 sha-860c190-x latest",
        ),
        ("pull_request pr:2", "type=ref,event=pr", "prefix=x-", "pr-2"),
        ("branch:master", "type=sha", "prefix=x-", "sha-860c190"),
        // the first that makes a tag decides
        ("schedule tag:v1.2.3", "type=schedule\ntype=semver,pattern={{version}}", "", "nightly 1.2.3"),
        ("tag:v1.2.3", "type=schedule\ntype=semver,pattern={{version}}", "", "1.2.3 latest"),
        ("tag:v1.2.3", "type=raw,value=x,priority=999\ntype=semver,pattern={{version}}", "", "x 1.2.3"),
        ("tag:v1.2.3", "type=raw,value=x\ntype=ref,event=tag", "", "v1.2.3 x latest"),
        // `latest` by a rule too
        ("tag:v1.2.3", "type=semver,pattern={{version}}\nlatest", "", "1.2.3 latest"),
        ("branch:master", "type=raw,value=latest,enable={{is_default_branch}}", "", "latest"),
        ("branch:dev", "type=raw,value=latest,enable={{is_default_branch}}", "", ""),
        ("branch:dev", "type=raw,value=latest,enable={{is_not_default_branch}}", "latest=false", "latest"),
    ] {
        assert_eq!(names(tags, flavor, event), expected, "{event} | {tags} | {flavor}");
    }
}

#[test]
fn order_and_duplicates() {
    for (event, tags, expected) in [
        (
            "branch:master",
            "type=sha\ntype=raw,value=x\ntype=ref,event=branch\ntype=edge",
            "edge master x sha-860c190",
        ),
        ("branch:master", "a,priority=1\nb,priority=2\nc,priority=1.5", "b c a"),
        ("branch:master", "a\nb\nc,priority=200\nd,priority=-1", "a b c d"),
        ("branch:master", "a\na\nmaster\ntype=ref,event=branch", "master a"),
        ("branch:master", "b\na/b\na b", "b a-b"),
        ("branch:master", "a,enable=false\nb,enable=true", "b"),
    ] {
        assert_eq!(names(tags, "latest=false", event), expected, "{tags}");
    }
    assert_eq!(run("type=sha\ntype=edge", "prefix=x-", "branch:master").version.as_deref(), Some("x-edge"));
    assert_eq!(run("type=edge", "", "branch:dev").version, None);
}

/// The policy of each tag, with the version that it goes by.
#[test]
fn how_tags_move() {
    let policies = |tags: &str, flavor: &str, event: &str| {
        let told = run(tags, flavor, event).tags.into_iter().map(|tag| {
            let PlannedTag { tag: name, policy, version, .. } = tag;
            let version = version.map(|version| format!("@{version}")).unwrap_or_default();
            format!("{name} {:?} {:?}{version}", policy.stage, policy.moves)
        });
        told.collect::<Vec<_>>().join(", ")
    };
    for (event, tags, flavor, expected) in [
        (
            "tag:v1.2.3",
            "type=semver,pattern={{version}}",
            "",
            "1.2.3 First Fixed@1.2.3, latest Last Upwards@1.2.3",
        ),
        ("tag:v1.2.3", "type=semver,pattern={{raw}},suffix=-x", "latest=false", "v1.2.3-x First Fixed@1.2.3"),
        (
            "tag:v1.2.3",
            "type=semver,pattern={{major}}.{{minor}}.{{patch}}",
            "latest=false",
            "1.2.3 First Fixed@1.2.3",
        ),
        ("tag:v1.2.3", "type=semver,pattern={{major}}.{{minor}}", "latest=false", "1.2 Second Upwards@1.2.3"),
        ("tag:v1.2.3", "type=semver,pattern=stable", "latest=false", "stable Second Upwards@1.2.3"),
        ("tag:v1.2.3-rc.1", "type=semver,pattern={{major}}", "", "1.2.3-rc.1 First Fixed@1.2.3-rc.1"),
        ("branch:m", "type=semver,pattern={{version}},value=1.2.3", "latest=false", "1.2.3 Second ByCommit"),
        (
            "branch:m",
            "type=semver,pattern={{major}},value=1.2.3",
            "",
            "1 Second Upwards@1.2.3, latest Last Upwards@1.2.3",
        ),
        ("tag:1.0rc1", "type=pep440,pattern={{version}}", "", "1.0rc1 First Fixed@1.0rc1"),
        ("tag:1.0", "type=pep440,pattern={{major}}", "", "1 Second Upwards@1.0, latest Last Upwards@1.0"),
        ("tag:v1.2.3", "type=ref,event=tag", "", "v1.2.3 Second ByCommit, latest Last Upwards@1.2.3"),
        ("tag:stable", "type=ref,event=tag", "", "stable Second ByCommit, latest Last ByCommit"),
        (
            "tag:v1.2.3",
            "type=match,pattern=v(.*),group=1",
            "",
            "1.2.3 Second ByCommit, latest Last Upwards@1.2.3",
        ),
        ("tag:rel-7", r"type=match,pattern=\d", "", "7 Second ByCommit, latest Last ByCommit"),
        ("branch:m", "type=sha", "", "sha-860c190 First Free"),
        ("branch:m", "type=edge,branch=m\nx", "", "edge Second ByCommit, x Second ByCommit"),
        ("branch:m", "latest", "", "latest Last ByCommit"),
        ("branch:m", "type=edge,branch=m", "latest=true", "edge Second ByCommit, latest Last ByCommit"),
        ("schedule branch:m", "type=schedule", "", "nightly Second ByCommit"),
        (
            "branch:m",
            "ghcr.io/a/b:1.2.3\nghcr.io/a/b:latest",
            "",
            "1.2.3 Second ByCommit, latest Last ByCommit",
        ),
        // one tag of two lines: the stricter
        (
            "tag:1.2.3",
            "type=ref,event=tag,priority=999\ntype=semver,pattern={{version}}",
            "latest=false",
            "1.2.3 First Fixed@1.2.3",
        ),
        (
            "tag:1.2.3",
            "type=semver,pattern={{raw}}\nlatest",
            "",
            "1.2.3 First Fixed@1.2.3, latest Last Upwards@1.2.3",
        ),
        ("branch:m", "{{sha}}\ntype=sha,prefix=", "", "860c190 First Free"),
    ] {
        assert_eq!(policies(tags, flavor, event), expected, "{event} | {tags}");
    }
}

#[test]
fn why_each_tag_and_why_none() {
    let told = |tags: &str, event: &str| {
        let run = run(tags, "", event);
        let made = run.tags.iter().map(|tag| format!("{}: {}", tag.tag, tag.reason));
        let none = run
            .nothing
            .iter()
            .map(|nothing| format!("{} {}: {}", nothing.place.line, nothing.text, nothing.why));
        made.chain(none).collect::<Vec<_>>()
    };
    assert_eq!(
        told(
            "type=semver,pattern={{version}}\ntype=sha\ntype=edge\nx,enable=false\ntype=ref,event=pr",
            "tag:v1.2.3"
        ),
        [
            "1.2.3: line 1: version 1.2.3 of Git tag `v1.2.3`",
            "sha-860c190: line 2: this commit",
            "latest: line 1 makes a release",
            "3 type=edge: the run is on no branch",
            "4 x,enable=false: `enable` is false",
            "5 type=ref,event=pr: the run is about no pull request",
        ]
    );
    for (event, tags, why) in [
        ("branch:dev", "type=edge", "the run is on branch `dev`, not `master`"),
        ("branch:dev", "type=ref,event=tag", "the run is on no Git tag"),
        ("tag:v1", "type=ref,event=branch", "the run is on no branch"),
        ("branch:dev", "type=schedule", "the run was not started by a schedule"),
        ("branch:dev", "type=semver,pattern=x", "the run is on no Git tag"),
        ("tag:v1", "type=semver,pattern=x", "`v1` is not a semantic version (https://semver.org)"),
        (
            "tag:x",
            "type=pep440,pattern=x",
            "`x` is not a version by PEP 440 (https://peps.python.org/pep-0440)",
        ),
        ("tag:v1", "type=match,pattern=x", "`x` does not match Git tag `v1`"),
        ("tag:v1", "type=semver,pattern=x,match=x(.)", "`x(.)` does not match Git tag `v1`"),
        (
            "tag:v1",
            "type=match,pattern=(x)?,group=1,value=y",
            "group 1 of `(x)?` takes no part in the value `y`",
        ),
        ("tag:v1", "{{branch}}", "it comes out empty"),
        ("tag:v1", "type=default", "the default strategy has no tag for this event"),
        ("tag:v1", "ghcr.io/a/b:{{branch}}", "its tag comes out empty"),
        ("tag:v1", "ghcr.io/a/b:1,enable=false", "`enable` is false"),
        ("tag:a\u{202e}b", "type=match,pattern=x", "`x` does not match Git tag `a\\u{202e}b`"),
    ] {
        let nothing = run(tags, "", event).nothing;
        assert_eq!(nothing.iter().map(|nothing| nothing.why.as_str()).collect::<Vec<_>>(), [why], "{tags}");
    }
    assert_eq!(told("a\na", "tag:v1")[1], "2 a: line 1 makes the tag `a` already");
}

#[test]
fn what_cannot_be_a_tag_is_a_fault_before_the_build() {
    for (event, tags, flavor, words) in [
        (
            "branch:m",
            "-x",
            "",
            "`tags`, line 1, column 1: `-x` makes the tag `-x`: no tag can start with `.` or `-`",
        ),
        ("branch:m", "a\n.x", "", "`tags`, line 2, column 1"),
        ("branch:é", "type=ref,event=branch", "", "makes the tag `-`"),
        ("branch:m", "{{branch}}", "suffix={{branch}}\nprefix=/", "makes the tag `-mm`"),
        ("branch:m", &"a".repeat(129), "", "129 characters long, registries take 128"),
        ("branch:-m", "ghcr.io/a/b:{{branch}}", "", "no tag can start with"),
        ("branch:m", "x", "latest=true\nprefix=-,onlatest=true", "makes the tag `-x`"),
        (
            "branch:m",
            "x,prefix=",
            "latest=true\nprefix=-,onlatest=true",
            "`flavor`, line 1, column 1: `latest` makes the tag `-latest`",
        ),
        ("branch:m", "x,enable={{branch}}", "", "`enable` comes out as `m` (it has to be `true` or `false`)"),
        ("tag:v1", "x,enable={{branch}}", "", "`enable` comes out as ``"),
    ] {
        let faults = evaluated(tags, flavor, &facts(event)).expect_err(tags);
        assert!(faults[0].to_string().contains(words), "{tags}: {}", faults[0]);
    }
    assert_eq!(evaluated("-x\n.y\nok", "", &facts("branch:m")).unwrap_err().len(), 2);
}

#[test]
fn what_is_not_known_or_not_built() {
    let base = facts("branch:master");
    let names = |tags: &str, facts: &EventFacts| {
        let run = evaluated(tags, "", facts).unwrap();
        let names: Vec<String> = run.tags.iter().map(|tag| tag.tag.to_string()).collect();
        let why: Vec<String> = run.nothing.into_iter().map(|nothing| nothing.why).collect();
        (names.join(" "), why.join("; "), run.warnings.len())
    };
    let unknown =
        EventFacts { default_branch: None, sha: Err("no commit".into()), committed: None, ..base.clone() };
    assert_eq!(names("type=sha\nx{{sha}}", &unknown), ("x".into(), "no commit".into(), 0));
    assert!(names("type=edge", &unknown).1.contains("the default branch is not known"));
    assert_eq!(names("type=edge,branch=master", &unknown).0, "edge");
    assert_eq!(names("{{is_default_branch}}", &unknown).0, "false");
    assert_eq!(
        names("{{commit_date 'YYYYMMDD'}}\na-{{commit_date 'YYYY'}}", &unknown),
        ("20200110 a-2020".into(), String::new(), 1)
    );
    assert_eq!(names("x,prefix={{commit_date 'YYYY'}}", &unknown).2, 1);
    // Another commit is checked out: what speaks for itself stays.
    let withheld = EventFacts { withheld: Some("HEAD is another".into()), ..base };
    let tags = "type=ref,event=branch\ntype=edge\ntype=sha\nx\n{{branch}}-y\ntype=semver,pattern={{major}},value=1.2.3";
    let (made, why, _) = names(tags, &withheld);
    assert_eq!(
        (made.as_str(), why.as_str()),
        ("1 x master-y sha-860c190 latest", "HEAD is another; HEAD is another")
    );
    let withheld = EventFacts { git_ref: GitRef::Tag("v1.2.3".into()), ..withheld };
    assert_eq!(
        names("type=semver,pattern={{raw}}\ntype=match,pattern=.*\ntype=ref,event=tag", &withheld).0,
        ""
    );
    let long = EventFacts { git_ref: GitRef::Tag("a".repeat(2_000)), ..facts("branch:x") };
    assert!(names("type=match,pattern=a", &long).1.contains("too long for a regular expression"));
}

#[test]
fn short_commit_ids() {
    for (length, expected) in [(1, "8"), (12, "860c1904a1ce"), (99, SHA)] {
        let facts = EventFacts { short_sha: length, ..facts("branch:m") };
        let run = evaluated("type=sha,prefix=\n{{sha}}", "", &facts).unwrap();
        assert_eq!(run.tags.len(), 1);
        assert_eq!(run.tags[0].tag.as_str(), expected);
    }
    assert!(names_pull_request_head("TRUE"));
}

#[test]
fn references_are_bound_to_their_repository() {
    let run = run(
        "ghcr.io/a/b:1,ghcr.io/a/b:{{branch}}\nx\nghcr.io/c/d:x\nghcr.io/a/b:1\nghcr.io/e/f:y,enable=false",
        "latest=true",
        "branch:a/b",
    );
    let told: Vec<String> = run
        .tags
        .iter()
        .map(|tag| {
            let repository = tag.repository.as_ref().map_or("*".to_owned(), ToString::to_string);
            format!("{repository}:{} {:?}", tag.tag, tag.source)
        })
        .collect();
    assert_eq!(
        told,
        ["*:x Rule(2)", "*:latest Latest", "ghcr.io/a/b:1 Reference(1)", "ghcr.io/a/b:a-b Reference(1)"]
    );
    let why: Vec<&str> = run.nothing.iter().map(|nothing| nothing.why.as_str()).collect();
    assert_eq!(
        why,
        ["line 2 makes the tag `x` already", "line 1 makes the tag `1` already", "`enable` is false"]
    );
    assert_eq!(
        run.repositories.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["ghcr.io/a/b", "ghcr.io/c/d"]
    );
    assert_eq!(run.version.as_deref(), Some("x"));
    // No `latest` by a flavor where references are all there is.
    let only =
        super::super::cases_tests_support::run("ghcr.io/a/b:1\nghcr.io/c/d:1", "latest=true", "branch:m");
    assert_eq!((only.tags.len(), only.version.as_deref()), (2, Some("1")));
}

#[test]
fn references_to_repositories_that_are_not_listed() {
    let rules = parse("ghcr.io/a/b:1\nghcr.io/c/d:1", "").unwrap();
    let listed = Repository::parse("ghcr.io/a/b").unwrap();
    assert_eq!(rules.unlisted(&[]), []);
    let faults = rules.unlisted(&[&listed]);
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0]
            .to_string()
            .starts_with("`tags`, line 2, column 1: `ghcr.io/c/d:1` is in a repository that")
    );
}

#[test]
fn the_default_strategy_as_a_rule() {
    let planned =
        |tag: &str, source, policy| PlannedTag::new(Tag::parse(tag).unwrap(), (source, policy), "why");
    let tags = [
        planned("0123-main", TagSource::Commit, Policy::COMMIT),
        planned("main", TagSource::Branch, Policy::MOVING),
        planned("latest", TagSource::Latest, Policy::LATEST),
    ];
    let rules = parse("type=sha\ntype=default\nmain\ntype=edge", "prefix=x-").unwrap();
    let run =
        evaluate(&rules, &facts("branch:master"), DefaultTags { tags: &tags, version: Some("1.0") }).unwrap();
    let told: Vec<String> = run.tags.iter().map(|tag| format!("{} {:?}", tag.tag, tag.source)).collect();
    assert_eq!(
        told,
        [
            "x-edge Rule(4)",
            "0123-main Commit",
            "main Branch",
            "latest Latest",
            "x-main Rule(3)",
            "sha-860c190 Rule(1)"
        ]
    );
    assert_eq!(run.tags[1].reason, "line 2: why");
    assert_eq!(run.version.as_deref(), Some("x-edge"));
    let first = parse("type=default,priority=800\ntype=edge", "").unwrap();
    let run =
        evaluate(&first, &facts("branch:master"), DefaultTags { tags: &tags, version: Some("1.0") }).unwrap();
    assert_eq!(run.version.as_deref(), Some("1.0"));
}
