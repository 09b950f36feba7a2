//! What is read and written, by what was asked for and what the job may do.

use super::*;
use crate::metadata::fixture::{config, context, pull_request, push, workflow_run};
use crate::plan::build::Export;
use crate::runner::cache_service::CacheService;
use crate::runner::context::Event;

fn repository() -> Repository {
    Repository::parse("ghcr.io/acme/shop/api").unwrap()
}

fn image() -> Export {
    Export::PushByDigest(repository().into())
}

fn service() -> CacheService {
    CacheService { available: true, token_may_write: Some(true), ..CacheService::default() }
}

fn with(event: Event) -> RunnerContext {
    RunnerContext { cache: service(), ..context(event, "refs/heads/main") }
}

/// `type=gha,scope=a`, as an entry.
fn typed(text: &str) -> CacheEntry {
    let mut attrs: BTreeMap<String, String> = text
        .split(',')
        .map(|part| part.split_once('=').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let kind = attrs.remove("type").unwrap();
    CacheEntry { kind, attrs }
}

fn shown(entries: &[CacheEntry]) -> Vec<String> {
    let one = |entry: &CacheEntry| {
        let attrs = entry.attrs.iter().map(|(key, value)| format!("{key}={value}"));
        std::iter::once(entry.kind.clone()).chain(attrs).collect::<Vec<_>>().join(",")
    };
    entries.iter().map(one).collect()
}

/// The plan in three lists: read; written with the image and after it; notes.
fn planned(context: &RunnerContext, config: &Config) -> [Vec<String>; 3] {
    planned_with(None, context, config)
}

fn planned_with(
    trouble: Option<&CacheTrouble>,
    context: &RunnerContext,
    config: &Config,
) -> [Vec<String>; 3] {
    let plan = plan_cache(config, context, trouble, &image(), true);
    let written = [plan.with_image, plan.writes.to].concat();
    [shown(&plan.from), shown(&written), plan.notes]
}

fn caching(options: CacheOptions) -> Config {
    Config { cache: options, cache_scope: "acme-shop-api".into(), ..config() }
}

const READ: &str = "gha,scope=acme-shop-api,timeout=20s";
const WRITTEN: &str = "gha,ignore-error=true,mode=max,scope=acme-shop-api,timeout=180s";

#[test]
fn automatic() {
    let options = || caching(CacheOptions::default());
    assert_eq!(planned(&with(push()), &options()), [vec![READ.to_owned()], vec![WRITTEN.into()], vec![]]);

    let target = Config { target: Some("Web Server".into()), ..options() };
    assert_eq!(planned(&with(push()), &target)[0], ["gha,scope=acme-shop-api-web-server,timeout=20s"]);

    let fresh = Config { no_cache: true, ..options() };
    let [from, to, notes] = planned(&with(push()), &fresh);
    assert_eq!((from.len(), to), (0, vec![WRITTEN.to_owned()]));
    assert_eq!(notes, ["GitHub's cache is not read: `no_cache` is set"]);

    let off = caching(CacheOptions { mode: CacheMode::Off, ..CacheOptions::default() });
    assert_eq!(planned(&with(push()), &off), [const { Vec::<String>::new() }; 3]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn who_may_read_and_write() {
    type Case = (&'static str, RunnerContext, bool, bool, &'static str);
    let mode = |mode| RunnerContext { cache: CacheService { mode, ..service() }, ..with(push()) };
    let table: Vec<Case> = vec![
        ("a push", with(push()), true, true, ""),
        ("a schedule", with(Event::Schedule), true, true, ""),
        ("a pull request", with(Event::PullRequest(pull_request("acme/shop"))), true, true, ""),
        (
            "a fork",
            with(Event::PullRequest(pull_request("mallory/shop"))),
            true,
            false,
            "a pull request from a fork reads the cache only",
        ),
        ("a deleted fork", with(Event::PullRequest(pull_request(""))), true, false, "from a fork"),
        (
            "dependabot",
            RunnerContext { actor: "dependabot[bot]".into(), ..with(push()) },
            true,
            false,
            "a run of Dependabot reads the cache only",
        ),
        (
            "a target",
            with(Event::PullRequestTarget(pull_request("acme/shop"))),
            true,
            false,
            "a run on behalf of a pull request or a comment reads the cache only",
        ),
        (
            "a comment",
            with(Event::IssueComment { number: 5, on_pull_request: true }),
            true,
            false,
            "a run on behalf of a pull request or a comment reads the cache only",
        ),
        ("after a push", with(workflow_run("push", "main", "acme/shop", None)), true, true, ""),
        (
            "after a pull request",
            with(workflow_run("pull_request", "x", "acme/shop", Some(5))),
            true,
            false,
            "a run after a pull request's",
        ),
        ("after a fork", with(workflow_run("push", "main", "mallory/shop", None)), true, false, "fork's"),
        ("mode read", mode(CacheAccess::Read), true, false, "the workflow's `cache-mode` is `read`"),
        ("mode write-only", mode(CacheAccess::WriteOnly), false, true, "`cache-mode` is `write-only`"),
        (
            "mode none",
            mode(CacheAccess::Nothing),
            false,
            false,
            "none: the workflow's `cache-mode` is `none`",
        ),
        (
            "a token that reads",
            RunnerContext {
                cache: CacheService { token_may_write: Some(false), ..service() },
                ..with(push())
            },
            true,
            false,
            "the job's token may only read it",
        ),
        (
            "a token that nobody understands",
            RunnerContext { cache: CacheService { token_may_write: None, ..service() }, ..with(push()) },
            true,
            true,
            "",
        ),
        (
            "no cache",
            context(push(), "refs/heads/main"),
            false,
            false,
            "none: the job has no GitHub cache (`ACTIONS_RESULTS_URL` and `ACTIONS_RUNTIME_TOKEN` are not set)",
        ),
        (
            "a cache's address alone",
            RunnerContext {
                cache: CacheService {
                    available: false,
                    lacks: Some("ACTIONS_RUNTIME_TOKEN"),
                    ..CacheService::default()
                },
                ..with(push())
            },
            false,
            false,
            "none: the job has no GitHub cache (`ACTIONS_RUNTIME_TOKEN` is not set)",
        ),
        (
            "a server of somebody's own",
            RunnerContext { server_url: "https://git.acme.example".into(), ..with(push()) },
            false,
            false,
            "none: GitHub Enterprise Server has no cache service",
        ),
        (
            "a tenant",
            RunnerContext { server_url: "https://acme.ghe.com".into(), ..with(push()) },
            true,
            true,
            "",
        ),
    ];
    for (name, context, reads, writes, note) in table {
        let [from, to, notes] = planned(&context, &caching(CacheOptions::default()));
        assert_eq!((from.len(), to.len()), (usize::from(reads), usize::from(writes)), "{name}");
        match note {
            "" => assert_eq!(notes, [""; 0], "{name}"),
            note => assert!(notes.len() == 1 && notes[0].contains(note), "{name}: {notes:?}"),
        }
    }
    for (name, lasting, writes, note) in [
        ("no answer", true, false, "none: GitHub's cache gave"),
        ("an error", false, true, "GitHub's cache is not read: GitHub's cache gave"),
    ] {
        let trouble = CacheTrouble { why: "GitHub's cache gave".into(), lasting };
        let [from, to, notes] =
            planned_with(Some(&trouble), &with(push()), &caching(CacheOptions::default()));
        assert_eq!((from.len(), to.len()), (0, usize::from(writes)), "{name}");
        assert!(notes.len() == 1 && notes[0].contains(note), "{name}: {notes:?}");
    }
}

#[test]
fn named_caches() {
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let table: &[Case] = &[
        // Entry for both directions.
        (
            "type=registry,ref=r.io/a:cache",
            &[],
            &[],
            &["registry,ref=r.io/a:cache"],
            &["registry,ignore-error=true,image-manifest=true,mode=max,oci-mediatypes=true,ref=r.io/a:cache"],
        ),
        (
            "type=registry,ref=r.io/a:cache,mode=min,oci-mediatypes=false,compression=zstd",
            &[],
            &[],
            &["registry,ref=r.io/a:cache"],
            &["registry,compression=zstd,ignore-error=true,mode=min,oci-mediatypes=false,ref=r.io/a:cache"],
        ),
        (
            "type=gha,scope=x",
            &[],
            &[],
            &["gha,scope=x,timeout=20s"],
            &["gha,ignore-error=true,mode=max,scope=x,timeout=180s"],
        ),
        ("type=inline", &[], &[], &["registry,ref=ghcr.io/acme/shop/api:latest"], &["inline"]),
        (
            "type=local,dest=/w/c",
            &[],
            &[],
            &["local,src=/w/c"],
            &["local,dest=/w/c,ignore-error=true,mode=max"],
        ),
        // Each direction by itself; `auto` stands back.
        (
            "auto",
            &["type=registry,ref=r.io/a:one", "type=gha", "type=gha"],
            &[],
            &["registry,ref=r.io/a:one", "gha,timeout=20s"],
            &[],
        ),
        (
            "auto",
            &[],
            &["type=gha,ignore-error=false,timeout=1m"],
            &[],
            &["gha,ignore-error=false,timeout=1m"],
        ),
        // Besides.
        (
            "type=gha,scope=x",
            &["type=gha,scope=y"],
            &["type=s3,bucket=b"],
            &["gha,scope=x,timeout=20s", "gha,scope=y,timeout=20s"],
            &["gha,ignore-error=true,mode=max,scope=x,timeout=180s", "s3,bucket=b,ignore-error=true"],
        ),
        ("off", &["type=gha,scope=y"], &[], &["gha,scope=y,timeout=20s"], &[]),
    ];
    for (mode, from, to, reads, writes) in table {
        let mode = match *mode {
            "auto" => CacheMode::Auto,
            "off" => CacheMode::Off,
            text => CacheMode::Entry(typed(text)),
        };
        let list = |texts: &[&str]| texts.iter().map(|text| typed(text)).collect();
        let config =
            caching(CacheOptions { mode, from: list(from), to: list(to), ..CacheOptions::default() });
        let plan = planned(&with(push()), &config);
        let expected = [reads, writes].map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(plan, [expected[0].clone(), expected[1].clone(), vec![]]);
    }
}

#[test]
fn what_a_run_cannot_do_is_said() {
    let named = caching(CacheOptions {
        mode: CacheMode::Entry(typed("type=registry,ref=r.io/a:cache")),
        from: vec![typed("type=gha")],
        ..CacheOptions::default()
    });
    let fork = RunnerContext {
        cache: CacheService::default(),
        ..with(Event::PullRequest(pull_request("mallory/shop")))
    };
    let [from, to, notes] = planned(&fork, &named);
    assert_eq!((from, to), (vec!["registry,ref=r.io/a:cache".to_owned()], vec![]));
    assert_eq!(
        notes,
        [
            "GitHub's cache is not read: the job has no GitHub cache (`ACTIONS_RESULTS_URL` and \
             `ACTIONS_RUNTIME_TOKEN` are not set)",
            "the `registry` cache is not written: a pull request from a fork reads the cache only",
        ]
    );

    // The daemon without the containerd image store reads from registries and directories, and writes `inline`.
    let old = |mode: &str, export: &Export| {
        let mode = CacheMode::Entry(typed(mode));
        let plan = plan_cache(
            &caching(CacheOptions { mode, ..CacheOptions::default() }),
            &with(push()),
            None,
            export,
            false,
        );
        (plan.from.len(), plan.with_image.len() + plan.writes.to.len(), plan.notes)
    };
    for (mode, export, expected) in [
        (
            "type=registry,ref=r.io/a",
            Export::Nothing,
            (1, 0, "the `registry` cache is not written: the daemon's own"),
        ),
        (
            "type=gha",
            Export::Nothing,
            (0, 0, "GitHub's cache is not read or written: the daemon's own BuildKit"),
        ),
        ("type=inline", Export::Digest, (1, 1, "")),
        (
            "type=inline",
            Export::Nothing,
            (1, 0, "the `inline` cache is not written: it is a part of the image"),
        ),
    ] {
        let (reads, writes, notes) = old(mode, &export);
        assert_eq!((reads, writes), (expected.0, expected.1), "{mode}");
        assert!(
            notes.join("\n").starts_with(expected.2) && notes.is_empty() == expected.2.is_empty(),
            "{notes:?}"
        );
    }
}

#[test]
fn nodes_do_not_overwrite_each_other() {
    let platforms = ["linux/arm64", "linux/arm/v7"].map(|text| Platform::parse(text).unwrap());
    for (shared, own) in [
        ("type=gha,scope=a-b-c", "gha,scope=a-b-c-linux-arm64-linux-arm-v7"),
        ("type=gha", "gha,scope=buildkit-linux-arm64-linux-arm-v7"),
        ("type=registry,ref=r.io:5000/a", "registry,ref=r.io:5000/a:linux-arm64-linux-arm-v7"),
        ("type=registry,ref=r.io/a:cache", "registry,ref=r.io/a:cache-linux-arm64-linux-arm-v7"),
        ("type=registry,ref=r.io/a@sha256:0", "registry,ref=r.io/a@sha256:0"),
        ("type=local,src=/w/c", "local,src=/w/c,tag=latest-linux-arm64-linux-arm-v7"),
        ("type=s3,bucket=b", "s3,bucket=b,name=buildkit-linux-arm64-linux-arm-v7"),
    ] {
        let dockerfile = config().dockerfile;
        let source = crate::model::ContextSource::Directory("/w".into());
        let mut build = BuildPlan::new(source, dockerfile, platforms.to_vec());
        build.cache_from = vec![typed(shared)];
        let mut writes = CacheWrites { to: vec![typed(shared)], ..CacheWrites::default() };
        for_node(&mut build, &mut writes, &platforms);
        assert_eq!(shown(&build.cache_from), [own]);
        assert_eq!(writes.to, build.cache_from);
    }
}

#[test]
fn nodes_read_the_image_that_all_of_them_made() {
    let source = crate::model::ContextSource::Directory("/w".into());
    let dockerfile = config().dockerfile;
    let platforms = [Platform::parse("linux/arm64").unwrap()];
    let mut build = BuildPlan::new(source, dockerfile, platforms.to_vec());
    build.cache_from =
        vec![typed("type=registry,ref=r.io/a:latest"), typed("type=registry,ref=r.io/a:cache")];
    let before = build.cache_from.clone();
    build.cache_to = vec![typed("type=inline")];
    for_node(&mut build, &mut CacheWrites::default(), &platforms);
    assert_eq!(build.cache_from[0], before[0]);
    assert_ne!(build.cache_from[1], before[1]);
    // Without one in the image it is a cache as any other.
    build.cache_to.clear();
    for_node(&mut build, &mut CacheWrites::default(), &platforms);
    assert_ne!(build.cache_from[0], before[0]);
}

#[test]
fn the_plan_shows_it() {
    let registry = typed("type=registry,ref=r.io/a:cache");
    let cache = CacheOptions {
        from: vec![typed("type=gha"), registry.clone()],
        to: vec![typed("type=s3,bucket=b,secret_access_key=hunter2"), typed("type=inline")],
        ..CacheOptions::default()
    };
    let config = Config { cache, ..config() };
    let fork = with(Event::PullRequest(pull_request("mallory/shop")));
    let metadata = crate::metadata::fixture::built(&fork, &config).unwrap();
    let facts = crate::plan::tests::facts(crate::plan::tests::daemon(), &config, metadata);
    let plan = crate::plan::plan(&config, &fork, &facts).unwrap();
    assert_eq!(crate::plan::check::violations(&plan, &config), [""; 0]);
    let text = crate::plan::display::render(&plan);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("cache")).collect();
    assert_eq!(
        rows,
        [
            "cache       read from GitHub's cache, scope `buildkit`, `r.io/a:cache`",
            "cache       written to the image itself",
            "cache       the `s3` cache is not written: a pull request from a fork reads the cache only",
        ]
    );
    let json = crate::plan::display::json(&plan);
    assert!(json.contains(r#""cache_to":["the image itself"]"#) && !json.contains("hunter2"), "{json}");
}
