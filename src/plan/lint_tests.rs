//! The plan of a check, by whom it is carried out, and its text.

use super::*;
use crate::inputs::config::{BuilderOptions, CheckLevel, Mode, Push};
use crate::metadata::fixture::*;
use crate::model::{BuilderAddress, BuilderChoice, BuilderNode, CacheEntry};
use crate::plan::build::Export;
use crate::plan::builder::NodeAddress;
use crate::plan::facts::DaemonFacts;
use crate::plan::tests::{daemon, facts, fork};

fn checking() -> Config {
    Config { mode: Mode::Check, push: Push::No, ..config() }
}

fn planned(config: &Config, daemon: DaemonFacts) -> LintPlan {
    let context = fork();
    let facts = facts(daemon, config, built(&context, config).unwrap());
    plan_lint(config, &context, &facts).unwrap()
}

#[test]
fn what_is_checked_is_the_build_of_the_same_inputs() {
    let builder = BuilderOptions { image: "docker.io/moby/buildkit:x".into(), ..checking().builder };
    let config = Config {
        builder,
        target: Some("app".into()),
        build_args: vec![("DEBUG".into(), "hunter2".into())],
        ..checking()
    };
    let plan = planned(&config, daemon());
    assert_eq!((plan.build.export.clone(), plan.level), (Export::Nothing, CheckLevel::Error));
    assert_eq!(plan.build.platforms, config.platforms);
    assert_eq!(plan.title(), "Check api/Dockerfile");
    let text = plan.render();
    assert_eq!(
        text.lines().filter(|line| !line.starts_with("commit")).collect::<Vec<_>>(),
        [
            "started by  pull request #5 from a fork",
            "dockerfile  api/Dockerfile",
            "target      app",
            "platforms   linux/arm64, linux/amd64",
            "build args  DEBUG",
            "builder     Docker Engine 28.0.4 (where that has no build checks: a container of moby/buildkit:x)",
            "fails       if the Dockerfile could not be built",
            "nothing is built or pushed",
        ],
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&plan.json()).unwrap();
    assert_eq!(
        (&json["mode"], &json["check_level"], &json["push"]),
        (&"check".into(), &"error".into(), &false.into())
    );
    assert!(!text.contains("hunter2") && !plan.json().contains("hunter2"));
}

#[test]
fn who_checks() {
    let given = |address| Config {
        builder: BuilderOptions {
            choice: BuilderChoice::Nodes(vec![BuilderNode { address, platforms: Vec::new() }]),
            ..checking().builder
        },
        ..checking()
    };
    // Without containerd's store it cannot build for two platforms, but it can check.
    let classic = DaemonFacts { containerd_image_store: false, ..daemon() };
    for daemon in [daemon(), classic] {
        let plan = planned(&checking(), daemon.clone());
        assert!(plan.builder.is_daemon());
        let otherwise = plan.otherwise.unwrap();
        assert!(matches!(otherwise.nodes[0].address, NodeAddress::OwnContainer(_)));
        // What is asked for is taken, or nothing.
        let plan = planned(&given(BuilderAddress::Docker), daemon);
        assert_eq!((plan.builder.is_daemon(), plan.otherwise), (true, None));
    }
    let plan = planned(&given(BuilderAddress::OwnContainer), daemon());
    assert!(plan.builder.own_container().is_some() && plan.otherwise.is_none());
}

#[test]
fn what_no_check_is() {
    let config = checking();
    let sound = planned(&config, daemon());
    let broken = |change: &dyn Fn(&mut LintPlan)| {
        let mut plan = sound.clone();
        change(&mut plan);
        lint_violations(&plan, &config)
    };
    assert_eq!(broken(&|_| {}), Vec::<String>::new());
    let cache = || CacheEntry { kind: "gha".into(), attrs: std::collections::BTreeMap::new() };
    for (change, said) in [
        (&(|plan: &mut LintPlan| plan.build.export = Export::Digest) as &dyn Fn(&mut _), "exports"),
        (&|plan: &mut LintPlan| plan.build.cache_from = vec![cache()], "cache"),
        (&|plan: &mut LintPlan| plan.build.cache_to = vec![cache()], "cache"),
        (&|plan: &mut LintPlan| plan.build.platforms.truncate(1), "platforms"),
        (&|plan: &mut LintPlan| plan.builder.nodes.clear(), "node"),
        (&|plan: &mut LintPlan| plan.otherwise = Some(plan.builder.clone()), "container"),
        (&|plan: &mut LintPlan| plan.builder = plan.otherwise.clone().unwrap(), "given one's place"),
        (&|plan: &mut LintPlan| plan.level = CheckLevel::None, "fails"),
    ] {
        let said_of = broken(change);
        assert!(said_of.iter().any(|one| one.contains(said)), "{said}: {said_of:?}");
    }
}
