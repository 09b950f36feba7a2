//! `make demo`: the main job on the sample project, as GitHub's runner would do it, and what came of it.
//!
//! Runs beside the engine and the registries of `tests/parts/with-engine`. A push to main and a push of a Git tag go
//! through the runner emulator. The registry listens on the host's loopback only and the action's container is on the
//! bridge: that it works at all shows the way that the action finds to it. With `ACT=1` the sample's own workflows run
//! last, under act, a client that nobody here wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a demonstration shows what it does and stops at what it did not expect"
)]

#[path = "../runner/mod.rs"]
#[allow(dead_code, reason = "the live suite and the bench use the rest")]
mod runner;

mod act;
mod show;

use runner::action::Action;
use runner::event::{BEFORE, Event, TIP};
use runner::github_api::GithubApi;
use runner::machine::Machine;
use runner::parts::{Parts, project, try_docker};
use runner::repository::Repository;
use runner::step::{Launch, Step, StepResult};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The tag that `tests/parts/action-image` gave to the action's image.
const IMAGE: &str = "docker-push-action:test";
/// The sample's repository on GitHub.
const REPOSITORY: &str = "acme/shop";

fn main() -> ExitCode {
    let Ok(parts) = Parts::without_builders() else {
        println!("error: the demo runs beside an engine and a registry: run `make demo`");
        return ExitCode::FAILURE;
    };
    let sample = Repository::of(&project().join("tests/sample"));
    sample.write("app/greeting.md", "Welcome to the shop. Boxes come in two sizes.\n");
    sample.commit("Sell boxes in two sizes");
    sample.tag("v1.2.3", None);

    show::title(&format!(
        "Docker {} ({}), registry {}",
        parts.engine_version,
        parts.engine,
        parts.localhost()
    ));
    let mut good = true;
    good &= push(&parts, &sample, "A push to main", "push-branch", "refs/heads/main", &[]);
    good &= push(
        &parts,
        &sample,
        "A push of the Git tag v1.2.3",
        "push-tag",
        "refs/tags/v1.2.3",
        &[("version", "v1.2.3")],
    );
    if good {
        show::title("The registry, read over HTTP");
        let repository = format!("{REPOSITORY}/api");
        show::registry(&parts.open_registry(), &repository);
        good &= exactly_the_tags(&parts, &sample, &repository);
        good &= runs_on_arm64(&parts, &repository);
    }
    let act = std::env::var("ACT").is_ok_and(|act| !act.is_empty());
    if act {
        good &= act::demonstrate(&parts, &sample);
    }
    show::title(if good { "All of it worked" } else { "Something above did not work" });
    if good && !act {
        println!("`make demo ACT=1` runs the sample's own workflows too, under act");
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One run of the action through the runner emulator.
fn push(
    parts: &Parts,
    sample: &Repository,
    title: &str,
    event: &str,
    reference: &str,
    inputs: &[(&str, &str)],
) -> bool {
    show::title(title);
    let mut machine = Machine::new(REPOSITORY);
    // The order of commits is asked of GitHub.
    machine.api_url = GithubApi::start(&parts.gateway, sample.path()).url;
    sample.checkout(&machine.workspace(), reference, 1, REPOSITORY, &machine.token);
    machine.own();
    let given = [
        ("image_name", "api"),
        ("registry", &parts.localhost()),
        ("build_args", &format!("BASE={}", parts.base)),
    ];
    let result: StepResult = Step {
        machine: &machine,
        action: &Action::read(&project().join("action.yml")).expect("the action's metadata"),
        launch: Launch::Image(IMAGE.to_owned()),
        event: Event::fixture(event).replace(TIP, &sample.rev("main")).replace(BEFORE, &sample.rev("main~1")),
        inputs: given
            .iter()
            .chain(inputs)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        env: BTreeMap::new(),
        network: None,
        socket: parts.socket.clone(),
        secrets: Vec::new(),
        wrapper: Vec::new(),
    }
    .run();
    show::result(&result);
    result.success
}

/// The registry holds what the two pushes ask for, each tag for both platforms, and nothing else.
fn exactly_the_tags(parts: &Parts, sample: &Repository, repository: &str) -> bool {
    let sha = sample.rev("main");
    let mut wanted = vec![format!("{sha}-main"), format!("{sha}-v1.2.3")];
    wanted.extend(["latest", "main", "v1.2.3"].map(str::to_owned));
    let registry = parts.open_registry();
    let tags = registry.tags(repository);
    let both = |tag: &String| registry.platforms(repository, tag).keys().eq(["linux/amd64", "linux/arm64"]);
    let good = tags == wanted && tags.iter().all(both);
    println!("--- exactly these tags, each for both platforms: {}", if good { "yes" } else { "NO" });
    good
}

/// The foreign platform's image, started by the docker client.
fn runs_on_arm64(parts: &Parts, repository: &str) -> bool {
    show::title("docker run --platform linux/arm64");
    let image = format!("{}/{repository}:v1.2.3", parts.localhost());
    let run = try_docker(&["run", "--rm", "--quiet", "--platform", "linux/arm64", &image]);
    let output = String::from_utf8_lossy(&run.stdout);
    print!("{output}{}", String::from_utf8_lossy(&run.stderr));
    output.contains("built for linux/arm64 on aarch64") && output.contains("running on aarch64")
}
