//! What the daemon gets, and how.

use super::*;
use crate::inputs::config::Push;
use crate::metadata::fixture::{built, config, context, push};
use crate::model::{BuilderAddress, BuilderChoice, BuilderNode};
use crate::plan::check::violations;
use crate::plan::export::ExportPlan;
use crate::plan::facts::DaemonFacts;
use crate::plan::tests::{daemon, facts};
use crate::plan::{RunPlan, display, plan};

fn platforms_of(text: &str) -> Vec<Platform> {
    text.split_whitespace().map(|text| Platform::parse(&format!("linux/{text}")).unwrap()).collect()
}

fn planned(builds: &str, push_it: Push, store: bool) -> (RunPlan, LoadPlan) {
    let config = Config { platforms: platforms_of(builds), load: true, push: push_it, ..config() };
    let context = context(push(), "refs/heads/main");
    let machine =
        MachineFacts { platforms: platforms_of("amd64"), containerd_image_store: store, memory: None };
    let daemon = DaemonFacts { containerd_image_store: store, ..daemon() };
    let facts = Facts { machine: Some(machine), ..facts(daemon, &config, built(&context, &config).unwrap()) };
    let plan = plan(&config, &context, &facts).unwrap();
    assert_eq!(violations(&plan, &config), Vec::<String>::new());
    let load = plan.exports.iter().find_map(ExportPlan::load).unwrap().clone();
    (plan, load)
}

#[test]
fn what_the_daemon_can_hold() {
    for (builds, store, platforms, why) in [
        ("amd64", true, "amd64", ""),
        ("amd64", false, "amd64", ""),
        ("arm64 amd64", true, "arm64 amd64", ""),
        ("arm64 amd64", false, "amd64", "without the containerd image store"),
        ("arm64", false, "arm64", ""),
    ] {
        for push in [Push::Auto, Push::No] {
            let (plan, load) = planned(builds, push, store);
            assert_eq!(load.platforms, platforms_of(platforms), "{builds} {store}");
            assert!(load.why.clone().unwrap_or_default().contains(why), "{:?}", load.why);
            assert_eq!(load.why.is_some(), !why.is_empty(), "{:?}", load.why);
            assert_eq!(load.names.len(), plan.tags.len());
            assert_eq!(load.unpushed.is_some(), push == Push::No);
        }
    }
}

/// Of several nodes none has all platforms; a registry has.
#[test]
fn what_several_nodes_have_built() {
    let node = |platform: &str| BuilderNode {
        platforms: platforms_of(platform),
        address: BuilderAddress::Tcp { host: platform.into(), port: 1234, tls: None },
    };
    for (push_it, loaded, why) in [(Push::Auto, "arm64 amd64", false), (Push::No, "amd64", true)] {
        let mut config =
            Config { platforms: platforms_of("arm64 amd64"), load: true, push: push_it, ..config() };
        config.builder.choice = BuilderChoice::Nodes(vec![node("amd64"), node("arm64")]);
        let context = context(push(), "refs/heads/main");
        let machine =
            MachineFacts { platforms: platforms_of("amd64"), containerd_image_store: true, memory: None };
        let metadata = built(&context, &config).unwrap();
        let mut facts = Facts { machine: Some(machine), ..facts(daemon(), &config, metadata) };
        facts.builders.nodes = vec![platforms_of("amd64"), platforms_of("arm64")];
        let plan = plan(&config, &context, &facts).unwrap();
        assert_eq!(violations(&plan, &config), Vec::<String>::new());
        let load = plan.exports.iter().find_map(ExportPlan::load).unwrap();
        assert_eq!(load.platforms, platforms_of(loaded));
        assert_eq!(load.why.as_deref().is_some_and(|why| why.contains("no registry has all")), why);
        assert_eq!(load.unpushed.as_ref().map(|unpushed| unpushed.node), why.then_some(0));
    }
}

#[test]
fn how_it_gets_there() {
    let unpushed = |builds: &str, store: bool| {
        let (plan, load) = planned(builds, Push::No, store);
        let unpushed = load.unpushed.unwrap();
        let build = unpushed.build(plan.image.build().unwrap().solves[unpushed.node].clone());
        let kind = match &build.export {
            Export::Store(names) | Export::Archive(names) if names.len() != 3 => panic!("{names:?}"),
            Export::Store(_) => "store",
            Export::Archive(_) => "archive",
            other => panic!("{other:?}"),
        };
        (kind, build.platforms.len(), build.has_index())
    };
    assert_eq!(unpushed("arm64 amd64", true), ("store", 2, true), "all of it, by the daemon's own BuildKit");
    assert_eq!(unpushed("amd64", true), ("store", 1, false));
    assert_eq!(unpushed("amd64", false), ("store", 1, false));
    assert_eq!(
        unpushed("arm64 amd64", false),
        ("archive", 1, false),
        "a container builds, and the daemon holds one"
    );
}

#[test]
fn it_stands_in_the_plan() {
    let (plan, _) = planned("arm64 amd64", Push::Auto, false);
    let text = display::render(&plan);
    let row = "load        into the local daemon: linux/amd64 (it holds one platform of an image, without the containerd image \
               store), under 3 names\n";
    assert!(text.contains(row), "{text}");
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!(json["load"]["names"][1], "ghcr.io/acme/shop/api:main");
}
