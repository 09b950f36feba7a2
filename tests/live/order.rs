//! Which tags move: commits that end in the wrong order, force pushes, versions that exist, releases that were built
//! already, and pairs of runs at the same time. Registry and BuildKit are real, GitHub answers from a real repository.

use crate::job::{Job, parts};
use crate::runner::event::{BEFORE, Event, TIP};
use crate::runner::github_api::GithubApi;
use crate::runner::machine::Machine;
use crate::runner::registry::Manifest;
use crate::runner::step::StepResult;
use serde_json::Value;

/// A push of two commits, built for one platform with the binary of this build, and GitHub.
pub struct World {
    job: Job,
    api: GithubApi,
}

impl World {
    pub fn new(name: &str) -> Self {
        let mut job = Job::usual(name).input("platform", "linux/amd64");
        let api = GithubApi::start("127.0.0.1", job.origin.path());
        job.machine.api_url.clone_from(&api.url);
        Self { job, api }
    }

    pub fn commit(&self, message: &str) -> String {
        self.job.origin.write("greeting", message);
        self.job.origin.commit(message)
    }

    /// The run of a push of this commit to main.
    pub fn run(&mut self, commit: &str) -> StepResult {
        self.at(commit, 1);
        self.job.native().run()
    }

    fn at(&mut self, commit: &str, depth: u32) {
        self.job.origin.git(&["branch", "-f", "at", commit]);
        self.job.check_out("refs/heads/at", depth);
        self.job.event = pushed(commit);
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.job.inputs.insert(name.to_owned(), value.to_owned());
    }

    /// The digest under a tag; empty if nothing is.
    pub fn digest(&self, tag: &str) -> String {
        let registry = parts().open_registry();
        registry.manifest(&self.job.repository(), tag).map_or_else(String::new, |manifest| manifest.digest)
    }

    /// What is under a tag.
    pub fn manifest(&self, tag: &str) -> Manifest {
        parts().open_registry().manifest(&self.job.repository(), tag).unwrap()
    }

    pub fn head(&self) -> String {
        self.job.origin.rev("main")
    }
}

fn pushed(commit: &str) -> Event {
    Event::fixture("push-branch").replace(TIP, commit).replace(BEFORE, &"7".repeat(40))
}

pub fn good(result: StepResult) -> StepResult {
    assert!(result.success, "{}", result.log());
    result
}

pub fn held(result: &StepResult) -> Vec<String> {
    let list: Value = serde_json::from_str(&result.outputs["held_back"]).unwrap();
    list.as_array().unwrap().iter().map(|one| one["tag"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_older_commit_ends_last() {
    let mut world = World::new("order-line");
    let older = world.head();
    let newer = world.commit("Sell them in three");
    let first = good(world.run(&newer));
    assert_eq!(held(&first), Vec::<String>::new());
    assert!(first.annotations.is_empty(), "{:?}", first.annotations);
    let late = good(world.run(&older));
    for tag in ["main", "latest"] {
        assert_eq!(world.digest(tag), first.outputs["digest"], "{tag}");
    }
    assert_eq!(world.digest(&format!("{older}-main")), late.outputs["digest"]);
    assert_ne!(late.outputs["digest"], first.outputs["digest"]);
    assert_eq!(held(&late), ["main", "latest"]);
    assert_eq!(late.outputs["tag_names"], format!("{older}-main"));
    assert_eq!(late.outputs["pushed"], "true");
    let why = format!("it is on the newer commit {}", &newer[..12]);
    assert!(late.log().contains(&format!("`latest` is held back: {why}")), "{}", late.log());
    assert!(late.summary.contains("Held back") && late.summary.contains(&why), "{}", late.summary);

    // Without GitHub the checkout's whole history tells it.
    world.job.machine.api_url = "http://127.0.0.1:1".into();
    world.at(&older, 0);
    let alone = good(world.job.native().run());
    assert_eq!(held(&alone), ["main", "latest"], "{}", alone.log());
    // And without either nobody knows.
    let blind = good(world.run(&older));
    assert_eq!(held(&blind), Vec::<String>::new());
    assert!(blind.log().contains("`main` is moved, though"), "{}", blind.log());
    assert_eq!(world.digest("main"), blind.outputs["digest"]);

    world.job.machine.api_url.clone_from(&world.api.url);
    assert_eq!(
        good(world.run(&newer)).outputs["digest"],
        world.digest("latest"),
        "the newer one has it again"
    );
    world.set("hold_back", "false");
    assert_eq!(good(world.run(&older)).outputs["digest"], world.digest("latest"), "as asked");
}

#[test]
fn a_force_push_moves_its_branch() {
    let mut world = World::new("order-force");
    let thrown_away = world.head();
    good(world.run(&thrown_away));
    world.job.origin.git(&["reset", "-q", "--hard", "HEAD~1"]);
    world.job.origin.write("Dockerfile", crate::job::DOCKERFILE);
    let instead = world.commit("Sell bags instead");
    let result = good(world.run(&instead));
    assert_eq!(held(&result), Vec::<String>::new(), "{}", result.log());
    assert_eq!(world.digest("main"), result.outputs["digest"]);
    assert_eq!(world.digest("latest"), result.outputs["digest"]);
    let late = good(world.run(&thrown_away));
    assert_eq!(held(&late), ["main", "latest"], "{}", late.log());
    assert!(late.log().contains("is no longer on its ref"), "{}", late.log());
    assert_eq!(world.digest("main"), result.outputs["digest"]);
}

#[test]
fn a_version_that_exists() {
    let mut world = World::new("order-version");
    let older = world.head();
    world.set("version", "1.0.0");
    let first = good(world.run(&older));
    assert_eq!(first.outputs["promoted"], "false");
    // The same commit once more: nothing is built, the image stays.
    let again = good(world.run(&older));
    assert_eq!(
        (&again.outputs["digest"], again.outputs["promoted"].as_str()),
        (&first.outputs["digest"], "true")
    );
    assert_eq!(again.outputs["tag"], "v1.0.0");

    let newer = world.commit("Sell them in three");
    let failed = world.run(&newer);
    assert!(!failed.success);
    let expected = format!("the version's tag `v1.0.0` exists already, on the image of commit {older}");
    assert!(failed.errors().contains(&expected), "{}", failed.errors());
    assert!(failed.errors().contains("existing_version"), "{}", failed.errors());
    assert_eq!(world.digest(&format!("{newer}-main")), "", "nothing was tagged");
    assert!(!failed.summary.contains("load build definition"), "nothing was built: {}", failed.log());

    world.set("existing_version", "skip");
    let skipped = good(world.run(&newer));
    assert_eq!(held(&skipped), ["v1.0.0"]);
    assert_eq!(world.digest("v1.0.0"), first.outputs["digest"]);
    assert_eq!(world.digest("main"), skipped.outputs["digest"]);
    assert_eq!(skipped.outputs["tag"], format!("{newer}-main"));

    world.set("existing_version", "overwrite");
    world.set("promote", "never");
    let moved = good(world.run(&newer));
    assert_eq!(held(&moved), Vec::<String>::new());
    assert_eq!(world.digest("v1.0.0"), moved.outputs["digest"]);
}

#[test]
fn a_release_is_the_commits_image() {
    let mut world = World::new("order-promote");
    let head = world.head();
    let built = good(world.run(&head));
    let release = |world: &mut World, tag: &str| {
        world.job.origin.tag(tag, Some("Two sizes"));
        world.job.check_out(&format!("refs/tags/{tag}"), 1);
        world.job.event = world.job.event_of("push-tag").replace("v1.2.3", tag);
        world.job.native().run()
    };
    let began = std::time::Instant::now();
    let promoted = good(release(&mut world, "v1.2.3"));
    println!("promoted in {:?}", began.elapsed());
    assert_eq!(promoted.outputs["promoted"], "true");
    assert_eq!(promoted.outputs["digest"], built.outputs["digest"]);
    assert_eq!(promoted.outputs["pushed"], "true");
    for tag in ["v1.2.3".to_owned(), format!("{head}-v1.2.3")] {
        assert_eq!(world.digest(&tag), built.outputs["digest"], "{tag}");
    }
    let log = promoted.log();
    assert!(log.contains(&format!("promoting `{head}-main`")), "{log}");
    let digest = &built.outputs["digest"];
    assert!(log.contains(&format!("promoted {}@{digest} (", promoted.outputs["image"])), "{log}");
    let headline = format!("### ✅ Promoted `{}`: nothing was built", promoted.outputs["image"]);
    assert!(promoted.summary.starts_with(&headline), "{}", promoted.summary);
    assert!(!log.contains("load build definition") && !log.contains("exporting"), "nothing was built: {log}");
    assert!(!promoted.outputs["metadata"].is_empty());

    // Other inputs: another image, and the log says why.
    let arguments = world.job.inputs["build_args"].clone();
    world.set("build_args", &format!("{arguments}\nCOLOUR=red"));
    let other = good(release(&mut world, "v1.2.4"));
    assert_eq!(other.outputs["promoted"], "false");
    assert!(other.log().contains(&format!("`{head}-main` was built from other inputs")), "{}", other.log());
    world.set("promote", "only");
    world.set("build_args", &format!("{arguments}\nCOLOUR=blue"));
    let failed = release(&mut world, "v1.2.5");
    assert!(!failed.success);
    assert!(failed.errors().contains("was built from other inputs"), "{}", failed.errors());
    assert_eq!(world.digest("v1.2.5"), "");
    world.set("build_args", &arguments);
    world.set("pull", "true");
    let failed = release(&mut world, "v1.2.6");
    assert!(failed.errors().contains("`pull` asks for a new build"), "{}", failed.errors());
    // In its container, as the runner starts it.
    world.set("pull", "false");
    world.job.origin.tag("v1.2.7", None);
    world.job.check_out("refs/tags/v1.2.7", 1);
    world.job.event = world.job.event_of("push-tag").replace("v1.2.3", "v1.2.7");
    let began = std::time::Instant::now();
    let contained = good(world.job.run());
    println!("promoted in a container in {:?}", began.elapsed());
    assert_eq!(contained.outputs["digest"], built.outputs["digest"]);
}

#[test]
fn a_dry_run_foretells_it() {
    let mut world = World::new("order-dry");
    let older = world.head();
    let newer = world.commit("Sell them in three");
    let foretold = |world: &mut World, commit: &str, expected: &[String]| {
        world.set("dry_run", "true");
        let log = good(world.run(commit)).log();
        for line in expected {
            assert!(log.contains(line), "{line}:\n{log}");
        }
        world.set("dry_run", "false");
    };
    let new = ["; new", "branch `main`; new", "branch `main` is `latest_branch`; new"].map(str::to_owned);
    foretold(&mut world, &newer, &new);
    assert_eq!(world.job.tags(), Vec::<String>::new());
    good(world.run(&newer));
    let tags = world.job.tags();
    let short = |commit: &str| commit[..12].to_owned();
    let same = "branch `main`; on an image of the same commit".to_owned();
    foretold(&mut world, &newer, &[same]);
    let back = format!("branch `main`; would be held back: it is on the newer commit {}", short(&newer));
    foretold(&mut world, &older, &[back, "; new".into()]);
    let newest = world.commit("Sell them in four");
    foretold(&mut world, &newest, &[format!("branch `main`; moves from {}", short(&newer))]);
    assert_eq!(world.job.tags(), tags);

    world.set("version", "1.0.0");
    let promoted = format!("promote     `{newer}-main` (sha256:");
    foretold(&mut world, &newer, &[promoted, "`version` is 1.0.0; new".into()]);
    let none = format!("promote     none (there is no `{newest}-main`, ");
    foretold(&mut world, &newest, &[none, "): the image would be built".into()]);
    assert_eq!(world.job.tags(), tags);
}

#[test]
fn pairs_of_runs_at_the_same_time() {
    let pairs = if std::env::var("SOAK").is_ok_and(|soak| soak == "1") { 200 } else { 3 };
    let mut world = World::new("order-pairs");
    let older = world.head();
    let newer = world.commit("Sell them in three");
    world.at(&older, 1);
    let mut other = Machine::new("acme/shop");
    other.api_url.clone_from(&world.api.url);
    world.job.origin.checkout(&other.workspace(), "refs/heads/main", 1, "acme/shop", &other.token);
    other.own();
    let mut held_back = 0;
    for round in 0..pairs {
        let image = format!("order-pairs-{round}");
        world.set("image_name", &image);
        let first = world.job.native();
        let mut second = world.job.native();
        second.machine = &other;
        second.event = pushed(&newer);
        // Each begins first in turn.
        let (first, second) = if round % 2 == 0 {
            let first = first.start();
            (first, second.start())
        } else {
            let second = second.start();
            (first.start(), second)
        };
        let (first, second) = (good(first.wait()), good(second.wait()));
        for tag in ["main", "latest"] {
            assert_eq!(
                world.digest(tag),
                second.outputs["digest"],
                "{round}: {tag}\n{}\n{}",
                first.log(),
                second.log()
            );
        }
        held_back += usize::from(!held(&first).is_empty());
        assert_eq!(held(&second), Vec::<String>::new());
    }
    println!("{pairs} pairs, the older one was held back in {held_back}");
}
