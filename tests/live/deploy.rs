//! The example of `docs/deploy.md`: a Git tag is pushed, the image is built and published, and two environments get their
//! pull requests. GitHub answers from real repositories; what is proposed is cloned and built with kustomize.

use crate::job::{DOCKERFILE, Job, parts, published};
use crate::order::good;
use crate::pages::files_of;
use crate::runner::event::{Event, TIP};
use crate::runner::github_server::{GithubServer, Hosted};
use crate::runner::log::Level;
use crate::runner::parts::project;
use crate::runner::step::StepResult;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const FILE: &str = "apps/shop/kustomization.yaml";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: web, image: laravel-app-nginx}\n";
/// As `docs/deploy.md` has it.
fn deploy() -> String {
    let page = files_of("deploy.md");
    let workflow: Value = serde_yaml::from_str(&page[".github/workflows/docker.yaml"]).unwrap();
    workflow["jobs"]["docker"]["steps"][1]["with"]["deploy"].as_str().unwrap().to_owned()
}

/// A job of a Git tag, and the environments that it deploys to.
struct World {
    job: Job,
    github: GithubServer,
    environments: [Hosted; 2],
    token: String,
}

impl World {
    fn of(name: &str) -> Self {
        let mut job = Job::new(name, &[("Dockerfile", DOCKERFILE), ("greeting", "hello\n")]);
        // Where the action's container reaches it.
        let github = GithubServer::start(&parts().gateway);
        github.serve("acme/shop", job.origin.path());
        let names = ["acme/infra-acceptance", "acme/infra-production"];
        let environments = names.map(|name| {
            let hosted = github.repository(name);
            let file = format!("# {name}\nresources: [deployment.yaml]\nimages:\n- name: laravel-app-nginx # ours\n  newTag: v0.9.0\n");
            hosted.push("main", "Begin", &[(FILE, &file), ("apps/shop/deployment.yaml", DEPLOYMENT)]);
            hosted
        });
        environments[1].person("octocat", crate::runner::github_server::Level::Write);
        let token = github.token("deployer", &names, "contents:write, pull_requests:write");
        job.machine.api_url = github.api_url();
        job.machine.token = github.installation_token("github-actions", &["acme/shop"], "contents:read");
        job.secrets.push(token.clone());
        let job =
            job.input("deploy", &deploy()).input("deploy_token", &token).input("platform", "linux/amd64");
        Self { job, github, environments, token }
    }

    /// A Git tag is pushed: the run of that event.
    fn release(mut self, version: &str, commit: &str) -> (Self, StepResult) {
        self.job.origin.git(&["tag", version, commit]);
        self.job.event = Event::fixture("push-tag").replace(TIP, commit).replace("v1.2.3", version);
        self.job.check_out(&format!("refs/tags/{version}"), 1);
        let result = self.job.run();
        (self, result)
    }
}

/// What was done in each environment.
fn actions(result: &StepResult) -> Vec<String> {
    let all: Vec<Value> = serde_json::from_str(&result.outputs["pull_requests"]).unwrap();
    all.iter().map(|one| one["action"].as_str().unwrap().to_owned()).collect()
}

fn kustomize() -> PathBuf {
    let parts = std::env::var_os("PARTS").map_or_else(|| project().join("target/parts"), PathBuf::from);
    parts.join("debian/kustomize/usr/bin/kustomize")
}

#[test]
fn a_git_tag_is_published_and_two_environments_get_their_pull_requests() {
    let world = World::of("laravel-app-nginx");
    let older = world.job.origin.rev("main");
    world.job.origin.write("greeting", "hello again\n");
    let newer = world.job.origin.commit("Sell boxes in three sizes");
    let (world, result) = world.release("v1.0.0", &newer);
    let result = good(result);
    published(&result);
    assert_eq!(actions(&result), ["opened", "opened"], "{}", result.log());
    assert_eq!(result.of(Level::Warning).len(), 0, "{}", result.log());
    assert!(!result.log().contains(&world.token), "{}", result.log());
    let place = tempfile::tempdir().unwrap();
    let (digest, image) = (&result.outputs["digest"], &result.outputs["image"]);
    for (number, environment) in world.environments.iter().enumerate() {
        let pull = environment.pull(1);
        assert!(pull.is_open());
        let clone = place.path().join(number.to_string());
        environment.clone_to(&pull.head, &clone);
        let built = Command::new(kustomize()).arg("build").arg(clone.join("apps/shop")).output().unwrap();
        let text = String::from_utf8_lossy(&built.stdout).into_owned();
        assert!(text.contains(&format!("image: {image}:v1.0.0@{digest}")), "{text}");
        assert!(environment.read(&pull.head, FILE).unwrap().contains("- name: laravel-app-nginx # ours\n"));
    }
    // Twice changes nothing.
    world.github.calls();
    let again = good(world.job.native().run());
    assert_eq!(actions(&again), ["unchanged", "unchanged"], "{}", again.log());
    assert_eq!(world.github.writes(), Vec::<String>::new());
    // Nor does an older run afterwards.
    let heads: Vec<_> = world.environments.iter().map(|one| one.head(&one.pull(1).head)).collect();
    let (world, result) = world.release("v0.9.5", &older);
    let result = good(result);
    assert_eq!(actions(&result), ["held_back", "held_back"], "{}", result.log());
    let now: Vec<_> = world.environments.iter().map(|one| one.head(&one.pull(1).head)).collect();
    assert_eq!(now, heads);
    let registry = parts().open_registry();
    assert!(
        registry.manifest(&world.job.repository(), "v0.9.5").is_some(),
        "the image is published all the same"
    );
}
