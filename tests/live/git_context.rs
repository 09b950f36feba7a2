//! Git contexts: the commit that is built is the one that tags and labels say, whatever the workspace has, and a builder
//! refuses another. The server and GitHub's answers are those of real repositories; BuildKit is its own daemon's.

use crate::git_server::GitServer;
use crate::job::{DOCKERFILE, Job, parts, published};
use crate::runner::github_api::GithubApi;
use crate::runner::log::Level;
use crate::runner::parts::docker;
use crate::runner::step::StepResult;
use std::path::Path;
use std::process::Command;

/// A job whose own repository is at a server of ours, and what that server has.
struct World {
    job: Job,
    server: GitServer,
    root: tempfile::TempDir,
}

impl World {
    /// BuildKit's own daemon builds, which is the same beside every engine.
    fn new(name: &str) -> Self {
        let dockerfile = DOCKERFILE.replace("FROM ${BASE}", "FROM ${BASE} as built");
        let mut job = Job::new(name, &[("Dockerfile", &dockerfile), ("greeting", "in the workspace\n")])
            .input("platform", "linux/amd64")
            .input("builder", "docker-container")
            .input("builder_image", &parts().buildkit_image);
        job.machine.hosted = false;
        let root = tempfile::tempdir().unwrap();
        let server = GitServer::start(root.path(), None);
        job.machine.server_url = format!("http://{}", server.address);
        Self { job, server, root }
    }

    /// A commit of the origin.
    fn commit(&self, greeting: &str) -> String {
        self.job.origin.write("greeting", greeting);
        self.job.origin.commit(greeting)
    }

    /// Gives the server all that the origin has, and GitHub's answers with it.
    fn publish(&mut self) {
        let bare = self.root.path().join("acme/shop.git");
        let _ = std::fs::remove_dir_all(&bare);
        mirror(self.job.origin.path(), &bare);
        self.job.machine.api_url = GithubApi::start("127.0.0.1", &bare).url;
    }

    fn run(&mut self, reference: &str) -> StepResult {
        let url = format!("{}{reference}", self.server.url("acme/shop.git"));
        self.job.inputs.insert("context".to_owned(), url);
        self.job.native().run()
    }
}

fn mirror(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let clone = Command::new("git").args(["clone", "-q", "--mirror"]).arg(from).arg(to).output().unwrap();
    assert!(clone.status.success(), "{clone:?}");
}

/// The commit in the image's revision label, and what its program says.
fn image(job: &Job, result: &StepResult) -> (String, String) {
    let image = format!("{}/{}@{}", parts().registry, job.repository(), result.outputs["digest"]);
    docker(&["pull", "--quiet", "--platform", "linux/amd64", &image]);
    let label = "{{index .Config.Labels \"org.opencontainers.image.revision\"}}";
    let revision = docker(&["inspect", "--format", label, &image]).trim().to_owned();
    (revision, docker(&["run", "--rm", "--quiet", "--platform", "linux/amd64", &image, "cat", "/greeting"]))
}

#[test]
fn what_is_built_is_the_commit_that_tags_and_labels_say() {
    let mut world = World::new("git-context");
    let checked_out = world.job.origin.rev("main");
    let newer = world.commit("newer");
    world.job.origin.tag("v1", Some("One"));
    world.publish();
    let result = world.run("#main");
    published(&result);
    assert_eq!(image(&world.job, &result), (newer.clone(), "newer".to_owned()));
    assert!(result.log().contains(&format!("/acme/shop.git#{newer}")), "{}", result.log());
    let tags = world.job.tags();
    assert!(tags.contains(&format!("{newer}-main")), "{tags:?}");
    assert!(!tags.iter().any(|tag| tag.starts_with(&checked_out)), "{tags:?}");
    // Its Dockerfile is not the one that is checked out: nothing points into that.
    let warnings = result.of(Level::Warning);
    let casing = warnings.iter().find(|one| one.message.contains("casing")).expect("a finding");
    assert_eq!(casing.file, None, "{}", result.log());
    // An annotated tag, with the same commit checked out.
    world.job.check_out("refs/heads/main", 1);
    let result = world.run("#v1");
    published(&result);
    assert_eq!(image(&world.job, &result).0, newer);
    let warnings = result.of(Level::Warning);
    let casing = warnings.iter().find(|one| one.message.contains("casing")).expect("a finding");
    assert_eq!(casing.file.as_deref(), Some("Dockerfile"), "{}", result.log());
}

#[test]
fn a_ref_that_stays_is_refused_at_another_commit() {
    let mut world = World::new("git-context-ref");
    world.job.origin.branch("topic");
    world.commit("topic");
    let merge = world.job.origin.pull_request(7, "topic");
    world.publish();
    let result = world.run("#refs/pull/7/merge");
    published(&result);
    assert_eq!(image(&world.job, &result), (merge.clone(), "topic".to_owned()));
    assert!(result.log().contains(&format!("#refs/pull/7/merge at {merge}")), "{}", result.log());
    // Pushed to after GitHub was asked.
    let asked = tempfile::tempdir().unwrap();
    mirror(&world.root.path().join("acme/shop.git"), &asked.path().join("shop.git"));
    world.job.origin.branch("topic");
    world.commit("pushed meanwhile");
    world.job.origin.pull_request(7, "topic");
    world.publish();
    world.job.machine.api_url = GithubApi::start("127.0.0.1", &asked.path().join("shop.git")).url;
    let result = world.run("#refs/pull/7/merge");
    assert!(!result.success, "{}", result.log());
    assert!(result.errors().contains(&merge), "{}", result.errors());
}

#[test]
fn a_context_that_github_does_not_know_is_built_without_a_commit() {
    let mut world = World::new("git-context-unknown");
    let tip = world.commit("unknown");
    world.publish();
    // Refuses at once.
    world.job.machine.api_url = "http://127.0.0.1:1".to_owned();
    let result = world.run("#main");
    published(&result);
    let (revision, greeting) = image(&world.job, &result);
    assert_eq!((revision.as_str(), greeting.as_str()), ("", "unknown"));
    assert!(!world.job.tags().iter().any(|tag| tag.contains(&tip)), "{:?}", world.job.tags());
    let warnings = result.of(Level::Warning);
    let said = warnings.iter().find(|one| one.message.contains("no commit tag")).expect("a warning");
    assert!(said.message.contains("connection refused"), "{}", said.message);
}
