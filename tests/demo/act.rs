//! The sample's own workflows under act, in container mode: act makes the job's container and starts the action's
//! image itself; a later step reads the outputs.

use crate::runner::parts::{Parts, docker, project};
use crate::runner::repository::{Repository, copy};
use crate::show;
use std::path::Path;
use std::process::Command;

/// The name under which `action.yml` asks for the image.
const PUBLISHED: &str = "ghcr.io/org/docker-push-action:v1";

/// Runs both workflows; whether their logs show what they must.
pub fn demonstrate(parts: &Parts, sample: &Repository) -> bool {
    docker(&["tag", crate::IMAGE, PUBLISHED]);
    // The job's container: any image with a shell.
    docker(&["pull", "--quiet", &parts.base]);
    let scratch = tempfile::tempdir().expect("a temporary directory");
    // What `uses: org/docker-push-action…@v1` finds, without anything being cloned.
    let action = scratch.path().join("action");
    copy(&project().join(".github"), &action.join(".github"));
    std::fs::write(action.join("action.yml"), metadata(parts)).expect("a copy of the metadata");

    let mut good = true;
    for (title, event, workflow, git_ref) in [
        (
            "act: the caller of the reusable workflow, a push to main",
            "push",
            "docker.yaml",
            "refs/heads/main",
        ),
        ("act: the same, a push of the Git tag v1.2.3", "push", "docker.yaml", "refs/tags/v1.2.3"),
        (
            "act: the action as a step, its outputs in a later one",
            "workflow_dispatch",
            "step.yaml",
            "refs/heads/main",
        ),
    ] {
        show::title(title);
        let tree = scratch.path().join("shop");
        let _ = std::fs::remove_dir_all(&tree);
        copy(sample.path(), &tree);
        let repository = Path::new(&tree);
        crate::runner::repository::git(
            repository,
            &["remote", "add", "origin", "https://github.com/acme/shop"],
        );
        let payload = scratch.path().join("event.json");
        std::fs::write(&payload, format!("{{\"ref\": \"{git_ref}\"}}")).expect("an event payload");
        let output = Command::new("act")
            .arg(event)
            .current_dir(&tree)
            .args(["--workflows", &format!(".github/workflows/{workflow}")])
            .args(["--eventpath", &payload.display().to_string()])
            .args(["--platform", &format!("ubuntu-latest={}", parts.base)])
            .args(["--pull=false", "--no-cache-server", "--rm"])
            .args(["--container-daemon-socket", &format!("unix://{}", parts.socket.display())])
            .args(["--local-repository", &format!("org/docker-push-action@v1={}", action.display())])
            .args(["--action-cache-path", &scratch.path().join("cache").display().to_string()])
            .env("XDG_CONFIG_HOME", scratch.path())
            .output()
            .expect("act is on PATH");
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{log}{}", String::from_utf8_lossy(&output.stderr));
        let proof = match workflow {
            "step.yaml" => format!("reference: {}/acme/shop/api@sha256:", parts.localhost()),
            _ => "Job succeeded".to_owned(),
        };
        let worked = output.status.success() && log.contains(&proof);
        println!("--- {}: {}", workflow, if worked { "as it should be" } else { "NOT as it should be" });
        good &= worked;
    }
    good
}

/// The action's metadata with other defaults: there is no ghcr.io here and no Docker Hub, and the sample's workflows,
/// which are for people's own repositories, leave both inputs out.
fn metadata(parts: &Parts) -> String {
    let text = std::fs::read_to_string(project().join("action.yml")).expect("the action's metadata");
    let mut action: serde_yaml::Value = serde_yaml::from_str(&text).expect("the metadata is YAML");
    for (input, value) in [("registry", parts.localhost()), ("build_args", format!("BASE={}", parts.base))] {
        action["inputs"][input]["default"] = value.into();
    }
    serde_yaml::to_string(&action).expect("the metadata is YAML")
}
