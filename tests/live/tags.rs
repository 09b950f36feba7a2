//! Tags by rules and by whole references: what is under them in a real registry, and which of them move.

use crate::job::{Job, parts};
use crate::order::{World, good, held};
use crate::several::{Target, to};

#[test]
fn rules_name_the_tags_and_the_older_commit_ends_last() {
    let mut world = World::new("tags-rules");
    world.set(
        "tags",
        "type=sha\n\ntype=ref,event=branch\ntype=raw,value=latest,enable={{is_default_branch}}\ntype=semver,pattern={{version}}",
    );
    let older = world.head();
    let newer = world.commit("Sell them by rules");
    let first = good(world.run(&newer));
    let own = format!("sha-{}", &newer[..7]);
    assert_eq!(first.outputs["tag_names"], format!("main\nlatest\n{own}"));
    assert_eq!(first.outputs["version"], "main");
    for tag in ["main", "latest", &own] {
        assert_eq!(world.digest(tag), first.outputs["digest"], "{tag}");
    }
    assert!(first.log().contains("line 5: type=semver,pattern={{version}}"), "{}", first.log());
    assert!(first.log().contains("the run is on no Git tag"), "{}", first.log());
    let late = good(world.run(&older));
    assert_eq!(held(&late), ["main", "latest"]);
    assert_eq!(world.digest("latest"), first.outputs["digest"]);
    assert_eq!(world.digest(&format!("sha-{}", &older[..7])), late.outputs["digest"]);
}

#[test]
fn a_patch_of_an_older_version_takes_its_own_tags_only() {
    let mut world = World::new("tags-versions");
    let rules = |version: &str| {
        format!(
            "type=semver,pattern={{{{version}}}},value={version}\ntype=semver,pattern={{{{major}}}}.{{{{minor}}}},value={version}"
        )
    };
    world.set("tags", &rules("2.0.0"));
    let head = world.head();
    let second = good(world.run(&head));
    assert_eq!(second.outputs["tag_names"], "2.0.0\n2.0\nlatest");
    let patch = world.commit("Mend the first");
    world.set("tags", &rules("1.2.9"));
    let first = good(world.run(&patch));
    assert_eq!(held(&first), ["latest"], "{}", first.log());
    assert!(first.log().contains("it is on version `2.0.0`, which is later"), "{}", first.log());
    assert_eq!(world.digest("latest"), second.outputs["digest"]);
    for tag in ["1.2.9", "1.2"] {
        assert_eq!(world.digest(tag), first.outputs["digest"], "{tag}");
    }
    world.set("tags", &rules("2.0.1"));
    let third = good(world.run(&patch));
    for tag in ["2.0.1", "2.0", "latest"] {
        assert_eq!(world.digest(tag), third.outputs["digest"], "{tag}");
    }
}

#[test]
fn references_name_the_repositories_and_each_gets_its_own() {
    let (one, two) = (Target::open("tags-one"), Target::open("tags-two"));
    let tags = format!("{}:1.0,{}:edge\n{}:{{{{branch}}}}", one.name, two.name, two.name);
    let job = to(Job::usual("tags-references"), &[]).without("repository").input("tags", &tags);
    let result = good(job.native().run());
    let digest = &result.outputs["digest"];
    let sorted = |target: &Target| {
        let mut tags = target.tags();
        tags.sort();
        tags
    };
    assert_eq!(sorted(&one), ["1.0"]);
    assert_eq!(sorted(&two), ["edge", "main"]);
    assert_eq!((&one.digest("1.0"), &two.digest("edge"), &two.digest("main")), (digest, digest, digest));
    let whole = [(&one, "1.0"), (&two, "edge"), (&two, "main")];
    let whole: Vec<String> = whole.iter().map(|(target, tag)| format!("{}:{tag}", target.name)).collect();
    assert_eq!(result.outputs["tags"].lines().collect::<Vec<_>>(), whole);
    assert!(parts().open_registry().manifest("acme/shop/tags-references", "main").is_none());
}

/// The digest of each platform's image in the index under a tag.
fn parts_of(world: &World, tag: &str) -> Vec<(String, String)> {
    let index = world.manifest(tag).json;
    let parts = index["manifests"].as_array().unwrap().iter();
    let part = |one: &serde_json::Value| {
        let arch = one["platform"]["architecture"].as_str().unwrap();
        (arch != "unknown").then(|| (arch.to_owned(), one["digest"].as_str().unwrap().to_owned()))
    };
    parts.filter_map(part).collect()
}

#[test]
fn tags_of_single_platforms_go_where_their_tag_goes() {
    let mut world = World::new("tags-platforms");
    world.set("platform", "linux/amd64,linux/arm64");
    world.set("platform_tags", "{{tag}}-{{arch}}");
    let older = world.head();
    let newer = world.commit("Sell them for each machine");
    let first = good(world.run(&newer));
    let parts = parts_of(&world, "main");
    assert_eq!(parts.len(), 2, "{parts:?}");
    for (arch, digest) in &parts {
        for tag in ["main", "latest", &format!("{newer}-main")] {
            assert_eq!(world.digest(&format!("{tag}-{arch}")), *digest, "{tag}-{arch}");
        }
    }
    assert_eq!(first.outputs["tag_names"], format!("{newer}-main\nmain\nlatest"));
    let metadata: serde_json::Value = serde_json::from_str(&first.outputs["metadata"]).unwrap();
    let tags = serde_json::json!([format!("{newer}-main-amd64"), "main-amd64", "latest-amd64"]);
    assert_eq!(metadata["platforms"][0]["tags"], tags, "{metadata:#}");
    assert!(first.summary.contains("`latest-arm64`"), "{}", first.summary);

    // The older commit has its own, and leaves the others where they are.
    let late = good(world.run(&older));
    assert_eq!(held(&late), ["main", "latest", "main-amd64", "main-arm64", "latest-amd64", "latest-arm64"]);
    for (arch, digest) in &parts {
        assert_eq!(world.digest(&format!("latest-{arch}")), *digest);
    }
    for (arch, digest) in parts_of(&world, &format!("{older}-main")) {
        assert_eq!(world.digest(&format!("{older}-main-{arch}")), digest);
    }
}
