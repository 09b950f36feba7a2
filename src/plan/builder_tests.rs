//! Who builds, by table.

use super::*;
use crate::metadata::fixture::{config, context, push};
use crate::model::{NetworkMode, Secret, Tls};

fn platforms(list: &str) -> Vec<Platform> {
    list.split(' ').filter(|text| !text.is_empty()).map(|text| Platform::parse(text).unwrap()).collect()
}

fn facts(store: bool) -> BuilderFacts {
    let daemon = DaemonFacts {
        name: "Docker Engine 28.0.4".into(),
        containerd_image_store: store,
        platforms: platforms("linux/amd64 linux/386"),
        host_gateway: None,
    };
    BuilderFacts { daemon: Some(daemon), nodes: Vec::new() }
}

struct Case<'a> {
    store: bool,
    choice: BuilderChoice,
    pushes: bool,
    platforms: &'a str,
    entitlements: &'a [&'a str],
    cache: &'a [&'a str],
    config: Option<&'a str>,
}

const USUAL: Case<'static> = Case {
    store: true,
    choice: BuilderChoice::Auto,
    pushes: true,
    platforms: "linux/amd64 linux/arm64",
    entitlements: &[],
    cache: &[],
    config: None,
};

fn decide(case: &Case) -> Result<BuilderPlan, PlanError> {
    let mut config = config();
    config.builder.choice = case.choice.clone();
    config.builder.image = "docker.io/moby/buildkit:v1@sha256:00".into();
    config.builder.buildkitd_config = case.config.map(Into::into);
    let entitlements: Vec<String> = case.entitlements.iter().map(ToString::to_string).collect();
    let cache = |kind: &&str| CacheEntry { kind: (*kind).into(), attrs: std::collections::BTreeMap::new() };
    let cache: Vec<CacheEntry> = case.cache.iter().map(cache).collect();
    let platforms = platforms(case.platforms);
    let needs = Needs {
        pushes: case.pushes,
        platforms: &platforms,
        entitlements: &entitlements,
        cache_to: &cache,
        writes: &[],
    };
    plan_builder((&config).into(), &context(push(), "refs/heads/main"), &needs, &facts(case.store))
}

fn node(address: BuilderAddress) -> BuilderChoice {
    BuilderChoice::Nodes(vec![BuilderNode { address, platforms: Vec::new() }])
}

fn text(case: &Case) -> String {
    decide(case).map_or_else(|error| format!("error: {error}"), |plan| plan.text())
}

#[test]
fn who_builds() {
    let docker = node(BuilderAddress::Docker);
    let container = node(BuilderAddress::OwnContainer);
    let named = node(BuilderAddress::Container("ci".into()));
    let one = "linux/amd64";
    for (case, expected) in [
        (USUAL, "Docker Engine 28.0.4"),
        (
            Case { store: false, ..USUAL },
            "a container of moby/buildkit:v1: Docker Engine 28.0.4 cannot push by digest or build for 2 platforms at \
             once without the containerd image store",
        ),
        (
            Case { store: false, platforms: one, ..USUAL },
            "a container of moby/buildkit:v1: Docker Engine 28.0.4 cannot push by digest without the containerd image \
             store",
        ),
        (Case { store: false, platforms: one, pushes: false, ..USUAL }, "Docker Engine 28.0.4"),
        (
            Case { store: false, platforms: one, pushes: false, cache: &["inline", "gha"], ..USUAL },
            "a container of moby/buildkit:v1: Docker Engine 28.0.4 cannot write a cache of type `gha` without the \
             containerd image store",
        ),
        (
            Case { store: false, platforms: one, pushes: false, cache: &["inline"], ..USUAL },
            "Docker Engine 28.0.4",
        ),
        (
            Case { entitlements: &["security.insecure"], ..USUAL },
            "a container of moby/buildkit:v1: Docker Engine 28.0.4 allows no `security.insecure` unless its \
             configuration does",
        ),
        (Case { entitlements: &["network.host"], ..USUAL }, "Docker Engine 28.0.4"),
        (
            Case { config: Some("debug = true"), ..USUAL },
            "a container of moby/buildkit:v1: Docker Engine 28.0.4 takes no `buildkitd_config`",
        ),
        (
            Case { choice: docker.clone(), entitlements: &["security.insecure"], ..USUAL },
            "Docker Engine 28.0.4: as `builder` says",
        ),
        (
            Case { choice: docker.clone(), store: false, ..USUAL },
            "error: Docker Engine 28.0.4 cannot push by digest or build for 2 platforms at once because it does not \
             keep images in the containerd image store: leave `builder` out, or set `builder: docker-container`",
        ),
        (
            Case { choice: docker, store: false, pushes: false, platforms: one, ..USUAL },
            "Docker Engine 28.0.4: as `builder` says",
        ),
        (Case { choice: container, ..USUAL }, "a container of moby/buildkit:v1: as `builder` says"),
        (Case { choice: named, ..USUAL }, "docker-container://ci: as `builder` says"),
    ] {
        assert_eq!(text(&case), expected);
    }
}

/// The nodes of `lines` (`PLATFORMS ADDRESS=RUNS`) and who builds what.
fn spread(lines: &[(&str, &str, &str)], wanted: &str) -> String {
    let address = |text: &str| match text {
        "docker" => BuilderAddress::Docker,
        "docker-container" => BuilderAddress::OwnContainer,
        host => {
            let tls = Tls { key: Some(Secret::new("hush")), ..Tls::default() };
            BuilderAddress::Tcp { host: host.into(), port: 1, tls: Some(tls) }
        }
    };
    let nodes = lines
        .iter()
        .map(|(told, place, _)| BuilderNode { address: address(place), platforms: platforms(told) });
    let mut config = config();
    config.builder.choice = BuilderChoice::Nodes(nodes.collect());
    config.builder.image = "moby/buildkit:v1".into();
    let mut facts = facts(true);
    facts.nodes = lines.iter().map(|(_, _, runs)| platforms(runs)).collect();
    let wanted = platforms(wanted);
    let needs = Needs { pushes: true, platforms: &wanted, entitlements: &[], cache_to: &[], writes: &[] };
    match plan_builder((&config).into(), &context(push(), "refs/heads/main"), &needs, &facts) {
        Err(error) => format!("error: {error}"),
        Ok(plan) => {
            assert!(!format!("{plan:?}").contains("hush"));
            let list = |list: &[Platform]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let name = |node: &NodePlan| node.name.clone().unwrap_or_else(|| plan.name.clone());
            let nodes = plan.nodes.iter().map(|node| format!("{}={}", name(node), list(&node.platforms)));
            let skipped = plan.skipped.iter().map(|text| format!("skipped {text}"));
            nodes.chain(skipped).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn who_builds_what() {
    let both = "linux/arm64 linux/amd64";
    for (lines, wanted, expected) in [
        // The native one, whatever else a node emulates.
        (
            &[("", "a", "linux/amd64 linux/arm64"), ("", "b", "linux/arm64 linux/amd64")][..],
            both,
            "tcp://a:1=linux/amd64; tcp://b:1=linux/arm64",
        ),
        // The one that is told to.
        (
            &[("", "a", "linux/amd64"), ("linux/amd64", "b", "linux/amd64"), ("linux/arm64", "c", "")],
            both,
            "tcp://b:1=linux/amd64; tcp://c:1=linux/arm64; skipped tcp://a:1, which has nothing to build",
        ),
        // Emulated, where nobody is native.
        (
            &[("", "a", "linux/amd64"), ("", "b", "linux/arm64 linux/s390x")],
            "linux/amd64 linux/s390x",
            "tcp://a:1=linux/amd64; tcp://b:1=linux/s390x",
        ),
        // Beside the daemon it can be taught.
        (
            &[("", "a", "linux/arm64"), ("", "docker-container", "")],
            "linux/s390x linux/arm64",
            "tcp://a:1=linux/arm64; docker-container=linux/s390x",
        ),
        (&[("", "a", "linux/amd64"), ("", "docker", "")], both, "tcp://a:1=linux/amd64; docker=linux/arm64"),
        // The same address twice is two names.
        (
            &[("linux/amd64", "a", ""), ("linux/arm64", "a", "")],
            both,
            "tcp://a:1=linux/amd64; tcp://a:1 #2=linux/arm64",
        ),
        (&[("", "a", "linux/amd64")], both, "tcp://a:1=linux/arm64,linux/amd64"),
        (
            &[("linux/amd64", "a", ""), ("", "b", "linux/arm64")],
            "linux/s390x",
            "error: no node of `builder` builds `linux/s390x`: there is `tcp://a:1` (linux/amd64), `tcp://b:1` \
             (linux/arm64); add a line `linux/s390x=ADDRESS`, or leave the platform out of `platform`",
        ),
        (
            &[("linux/amd64", "a", "")],
            both,
            "error: no node of `builder` builds `linux/arm64`: there is `tcp://a:1` (linux/amd64); add a line \
             `linux/arm64=ADDRESS`, or leave the platform out of `platform`",
        ),
    ] {
        assert_eq!(spread(lines, wanted), expected, "{lines:?}");
    }
}

#[test]
fn a_daemon_is_needed_by_what_runs_beside_it() {
    assert!(needs_daemon(&BuilderChoice::Auto));
    assert!(needs_daemon(&node(BuilderAddress::Docker)));
    assert!(needs_daemon(&node(BuilderAddress::Container("x".into()))));
    assert!(!needs_daemon(&node(BuilderAddress::Unix("/run/x".into()))));
    let none = BuilderFacts::default();
    let needs = Needs {
        pushes: false,
        platforms: &platforms("linux/amd64"),
        entitlements: &[],
        cache_to: &[],
        writes: &[],
    };
    let context = context(push(), "refs/heads/main");
    assert_eq!(plan_builder((&config()).into(), &context, &needs, &none), Err(PlanError::NoDaemon));
}

/// What makes one plan unlike another.
type Change<'a> = &'a dyn Fn(&mut Config, &mut RunnerContext);

#[test]
fn one_container_for_those_who_can_share_it() {
    let base = context(push(), "refs/heads/main");
    let plan = |change: &dyn Fn(&mut Config, &mut RunnerContext)| {
        let (mut config, mut context) = (config(), base.clone());
        change(&mut config, &mut context);
        container((&config).into(), &context)
    };
    let usual = plan(&|_, _| ());
    assert_eq!(usual.name.len(), "docker-push-action-builder-".len() + 16);
    assert_eq!((usual.keep, usual.job.as_str()), (Keep::Step, "7-1-publish"));
    assert_eq!(usual.entitlements, ["network.host"]);
    assert!(!usual.host_network);
    let other: &[Change<'_>] = &[
        &|_, context| context.run.id = 8,
        &|_, context| context.run.attempt = 2,
        &|_, context| context.run.job = "test".into(),
        &|_, context| context.runner.name = "runner-2".into(),
        &|config, _| config.builder.image = "x".into(),
        &|config, _| config.builder.buildkitd_config = Some("debug = true".into()),
        &|config, _| config.build.entitlements = vec!["security.insecure".into()],
        &|config, _| config.targets = crate::model::Repository::parse("localhost:5000/a").unwrap().into(),
    ];
    for change in other {
        assert_ne!(plan(change).name, usual.name);
    }
    assert_eq!(plan(&|config, _| config.build.entitlements = vec!["network.host".into()]).name, usual.name);
    let kept = plan(&|config, _| config.builder.keep = Some(true));
    let later = plan(&|config, context| {
        config.builder.keep = Some(true);
        context.run.id = 99;
    });
    assert_eq!((kept.keep, &kept.name), (Keep::Always, &later.name));
    assert_ne!(kept.name, usual.name);
    let renamed = plan(&|config, context| {
        config.builder.keep = Some(true);
        context.repository.full_name = "Acme/Shop".into();
    });
    assert_eq!(kept.name, renamed.name);
    assert_eq!(plan(&|_, context| context.runner.hosted_by_github = true).keep, Keep::Job);
    let not_kept = plan(&|config, context| {
        config.builder.keep = Some(false);
        context.runner.hosted_by_github = true;
    });
    assert_eq!(not_kept.keep, Keep::Step);
}

#[test]
fn a_kept_cache_is_for_one_repository() {
    let of = |repository: &str| {
        let mut config = config();
        config.builder.keep = Some(true);
        let mut context = context(push(), "refs/heads/main");
        context.repository.full_name = repository.into();
        container((&config).into(), &context)
    };
    let (shop, site) = (of("acme/shop"), of("acme/site"));
    assert_ne!(shop.name, site.name);
    assert_eq!((shop.runner == site.runner, site.repository.as_str()), (true, "acme/site"));
}

#[test]
fn a_runner_of_the_same_name_is_another_ones() {
    let on = |change: &dyn Fn(&mut RunnerContext)| {
        let mut context = context(push(), "refs/heads/main");
        context.paths.host_temp = Some("/home/acme/runner/_work/_temp".into());
        change(&mut context);
        container((&config()).into(), &context)
    };
    let ours = on(&|_| ());
    assert!(ours.runner.starts_with("runner-1-"), "{}", ours.runner);
    // One runner, whatever it works for.
    let next = on(&|context| {
        context.repository.full_name = "acme/site".into();
        context.run.id = 99;
    });
    assert_eq!(next.runner, ours.runner);
    let elsewhere = |context: &mut RunnerContext| {
        context.paths.host_temp = Some("/home/umbrella/runner/_work/_temp".into());
    };
    let server = |context: &mut RunnerContext| context.server_url = "https://git.example".into();
    for theirs in [on(&elsewhere), on(&server), on(&|context| context.runner.name = "runner-2".into())] {
        assert_ne!((&theirs.runner, &theirs.name), (&ours.runner, &ours.name));
        assert_ne!(theirs.runner, ours.runner);
    }
    let unknown = |owner: &str| {
        on(&|context| {
            context.paths.host_temp = None;
            context.repository.owner = owner.into();
        })
    };
    assert_ne!(unknown("acme").runner, unknown("umbrella").runner);
    assert_eq!(unknown("acme").runner, unknown("Acme").runner);
}

#[test]
fn a_builder_on_the_hosts_network_is_told() {
    let told = |registry: &str, choice: BuilderChoice, network: Option<NetworkMode>| {
        let mut config = config();
        config.targets = crate::model::Repository::parse(registry).unwrap().into();
        config.builder.choice = choice;
        let needs = Needs {
            pushes: true,
            platforms: &config.platforms,
            entitlements: &[],
            cache_to: &[],
            writes: &[],
        };
        let context = context(push(), "refs/heads/main");
        let plan = plan_builder((&config).into(), &context, &needs, &facts(true)).unwrap();
        let steps = RunOptions { network, ..RunOptions::default() };
        host_network(&plan, &steps)
    };
    let own = || node(BuilderAddress::OwnContainer);
    let said = told("localhost:5000/a", own(), None).unwrap();
    assert!(said.contains("that of the runner's machine"), "{said}");
    assert_eq!(told("localhost:5000/a", own(), Some(NetworkMode::Host)), None, "its row says so");
    assert_eq!(told("localhost:5000/a", own(), Some(NetworkMode::None)), None);
    assert_eq!(told("ghcr.io/acme/a", own(), None), None);
    assert_eq!(told("localhost:5000/a", BuilderChoice::Auto, None), None);
}
