//! `metadata_context: git`: the program itself in a workspace that Git has checked out, beside a GitHub and a registry that
//! this test answers for. Nothing is built; the plan is looked at.

use std::process::Command;

use docker_push_action::buildkit::Address;
use docker_push_action::model::CommitId;
use serde_json::{Value, json};

use crate::daemon::{Daemon, Door, Script};
use crate::legs::world::{Ended, World};
use crate::registry::fake::{Fake, answer};

/// Runs git in the workspace, with nothing of this machine's configuration.
fn git(world: &World, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(world.workspace())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("HOME", "/nonexistent")])
        .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@x")])
        .envs([("GIT_COMMITTER_NAME", "c"), ("GIT_COMMITTER_EMAIL", "c@x")])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A repository with one commit on `main`, which is none that the event knows.
fn checked_out(world: &World) -> CommitId {
    world.write("Dockerfile", "FROM scratch\n");
    git(world, &["init", "-q", "-b", "main"]);
    git(world, &["add", "."]);
    git(world, &["commit", "-q", "-m", "first"]);
    CommitId::parse(&git(world, &["rev-parse", "HEAD"])).unwrap()
}

/// Plans a build of what is checked out.
async fn plan(world: World, inputs: &[(&str, &str)], runner: &[(&str, &str)]) -> Ended {
    let daemon = Daemon::start(Door::None, Script::Fail(tonic::Status::aborted("built nothing")));
    let Address::BuildkitSocket(socket) = daemon.address() else { panic!("a socket") };
    let builder = format!("unix://{}", socket.display());
    let usual = [
        ("mode", "build"),
        ("metadata_context", "git"),
        ("dry_run", "true"),
        ("builder", builder.as_str()),
        ("platform", "linux/amd64"),
        ("cache", "off"),
        ("retries", "0"),
    ];
    let child = world.start_with(1, &[&usual[..], inputs].concat(), runner);
    let ended = tokio::task::spawn_blocking(move || world.end(child)).await.unwrap();
    assert!(daemon.seen(|seen| seen.solve.is_none()), "{}", ended.log);
    ended
}

/// A registry without images.
async fn registry() -> Fake {
    Fake::start(|request| answer(if request.target == "/v2/" { 200 } else { 404 }, &[], "{}")).await
}

fn planned(ended: &Ended) -> Value {
    assert!(ended.success, "{}", ended.log);
    serde_json::from_str(&ended.outputs["plan"]).unwrap()
}

fn tag_names(plan: &Value) -> Vec<&str> {
    plan["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_git_tag_that_is_checked_out_on_a_push_of_a_branch() {
    let registry = registry().await;
    let world = World::of(&registry.address.to_string(), "api");
    let head = checked_out(&world);
    git(&world, &["tag", "v1"]);
    git(&world, &["tag", "-m", "x", "v1.2.3"]);
    git(&world, &["checkout", "-q", "--detach", "v1.2.3"]);
    let ended = plan(world, &[], &[]).await;
    let plan = planned(&ended);
    assert_eq!(tag_names(&plan), [format!("{head}-v1.2.3").as_str(), "v1.2.3"]);
    assert_eq!(plan["subject"], json!({"git_tag": "v1.2.3"}));
    assert_eq!(plan["started_by"], "push to branch `main`; checked out is Git tag `v1.2.3`");
    assert_eq!((&plan["revision"], &plan["version"]), (&json!(head), &json!("1.2.3")));
    assert_eq!(plan["labels"]["org.opencontainers.image.revision"], json!(head));
    assert_eq!((&plan["push"], &plan["warnings"]), (&json!(true), &json!([])));
    assert!(ended.log.contains("checked out is Git tag `v1.2.3`"), "{}", ended.log);
}

#[tokio::test]
async fn nothing_that_is_checked_out() {
    let registry = registry().await;
    let world = World::of(&registry.address.to_string(), "api");
    world.write("Dockerfile", "FROM scratch\n");
    let ended = plan(world, &[], &[]).await;
    assert!(!ended.success, "{}", ended.log);
    let expected =
        "`metadata_context: git` takes tags and labels from what is checked out, but nothing is checked out";
    assert!(ended.log.contains(expected), "{}", ended.log);
    assert!(ended.log.contains("hint: check the code out first"), "{}", ended.log);
    assert_eq!(registry.lines(), Vec::<String>::new());
}

/// The fork's branch is called as ours is, and the workflow has checked it out and pushes.
#[tokio::test]
async fn a_forks_main_is_not_ours() {
    for (ours, relation, expected) in [
        // GitHub has the commit in our branch.
        (None, "identical", vec!["{head}-main", "main", "latest"]),
        (Some("a"), "ahead", vec!["{head}-main", "main", "latest"]),
        (Some("a"), "diverged", vec!["{head}-pr-43", "pr-43"]),
    ] {
        let registry = registry().await;
        let world = World::of(&registry.address.to_string(), "api");
        let head = checked_out(&world);
        world.payload(&json!({
            "action": "opened",
            "repository": { "full_name": "acme/shop", "default_branch": "main" },
            "pull_request": {
                "number": 43, "base": { "ref": "main" },
                "head": { "sha": head, "ref": "main", "repo": { "full_name": "mallory/shop" } },
            },
        }));
        let tip = ours.map_or(head.to_string(), |digit| digit.repeat(40));
        let compare = format!("/repos/acme/shop/compare/{head}...{tip}");
        let github = Fake::start(move |request| {
            let target = &request.target;
            if target == "/repos/acme/shop/git/ref/heads/main" {
                let json = json!({ "object": { "sha": tip, "type": "commit" } });
                answer(200, &["Content-Type: application/json"], json.to_string())
            } else if target.starts_with(&compare) {
                let json = json!({ "status": relation });
                answer(200, &["Content-Type: application/json"], json.to_string())
            } else {
                answer(404, &["Content-Type: application/json"], r#"{"message":"Not Found"}"#)
            }
        })
        .await;
        let api = format!("http://{}", github.address);
        let runner = [("GITHUB_EVENT_NAME", "pull_request_target"), ("GITHUB_API_URL", api.as_str())];
        let plan = planned(&plan(world, &[("push", "true")], &runner).await);
        let expected: Vec<String> = expected.iter().map(|tag| tag.replace("{head}", head.as_str())).collect();
        assert_eq!(tag_names(&plan), expected, "{relation}");
        assert_eq!(plan["push"], json!(true));
        let warned = plan["warnings"].to_string();
        assert_eq!(
            warned.contains("branch `main`, which is checked out, names no tag"),
            relation == "diverged",
            "{warned}"
        );
        assert!(github.lines().iter().any(|line| line == "GET /repos/acme/shop/git/ref/heads/main"));
    }
}
