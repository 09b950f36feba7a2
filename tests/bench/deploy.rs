//! Two environments that get their first pull request with all that it can have: how many calls each takes, and what both cost
//! a run that deploys to one of them, or to none. GitHub is the one of the tests, over real Git repositories, which takes calls
//! one at a time: what a call takes is its own time.

use crate::measure::{Bench, Build, Run, Runs, SMALL};
use crate::runner::event::{Event, TIP};
use crate::runner::github_server::{AppKey, GithubServer, Level};
use crate::runner::machine::Machine;
use crate::runner::step::StepResult;
use crate::table::Row;
use std::collections::BTreeMap;

const NAMES: [&str; 2] = ["acme/infra-acceptance", "acme/infra-production"];
const APP: u64 = 42;

/// One entry, whose login is an App's.
fn entry(name: &str) -> String {
    format!(
        "- repository: {name}\n  path: apps/shop\n  image: api\n  labels: [deploy]\n  reviewers: [octocat]\n  auto_merge: true\n"
    )
}

/// A GitHub with both environments.
fn github(key: &AppKey) -> GithubServer {
    let github = GithubServer::start("127.0.0.1");
    for name in NAMES {
        let hosted = github.repository(name);
        let file = "resources: [deployment.yaml]\nimages:\n- name: api\n  newTag: v0.9.0\n";
        hosted.push("main", "Begin", &[("apps/shop/kustomization.yaml", file)]);
        hosted.set(|home| home.auto_merge = true);
        hosted.require_checks("main");
        hosted.person("octocat", Level::Write);
    }
    github.app(APP, "deployer", key);
    github.install(APP, &NAMES, "contents:write, pull_requests:write");
    github
}

/// The run of a Git tag that deploys to so many of them.
fn deployed(
    bench: &Bench,
    github: &GithubServer,
    key: &AppKey,
    (from, version): (&str, &str),
    count: usize,
) -> StepResult {
    let mut machine = Machine::new("acme/bench");
    machine.api_url = github.api_url();
    machine.token = github.installation_token("github-actions", &[], "contents:read");
    let event = Event::fixture("push-tag").replace("v1.2.3", version).replace(TIP, &bench.origin.rev("main"));
    let deploy: String = NAMES[..count].iter().map(|name| entry(name)).collect();
    let (id, registry) = (APP.to_string(), bench.parts.registry.clone());
    let inputs = [
        ("mode", "tag"),
        ("image_name", "deployed"),
        ("registry", &registry),
        ("from", from),
        ("deploy", &deploy),
        ("deploy_app_id", &id),
        ("deploy_app_key", &key.pkcs1),
    ];
    let inputs: BTreeMap<String, String> =
        inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    bench.native_on(&machine, event, inputs)
}

/// Both, one, and none of them.
pub fn two_environments(bench: &Bench) -> Vec<Row> {
    let build = Build::new("deployed", "linux/amd64", true);
    std::fs::create_dir_all(bench.context(&build)).expect("a directory of ours");
    for (name, text) in [("Dockerfile", SMALL), ("greeting", "hello\n")] {
        std::fs::write(bench.context(&build).join(name), text).expect("a file of ours");
    }
    let from = bench.native(&build).outputs["reference"].clone();
    let key = AppKey::shared();
    let mut runs = [const { Runs(Vec::new()) }; 3];
    let mut most = 0;
    for turn in 0..=bench.runs {
        for (count, runs) in runs.iter_mut().enumerate() {
            let github = github(key);
            let version = format!("v{}.{turn}.0", count + 1);
            let result = deployed(bench, &github, key, (&from, &version), count);
            let lines = github.lines();
            for name in &NAMES[..count] {
                // What buys a token names the installation, not the repository.
                let own = lines.iter().filter(|line| line.contains(name)).count();
                most = most.max(own + 1);
            }
            assert_eq!(
                result.outputs["pull_requests"].matches("\"opened\"").count(),
                count,
                "{}",
                result.log()
            );
            if turn > 0 {
                runs.0.push(Run { wall: result.duration, peak_kib: 0 });
            }
        }
    }
    let [none, one, two] = runs.map(|runs| runs.seconds());
    vec![Row::absolute(
        "two environments get a first pull request with labels, reviewers and auto-merge, by an App: calls each (a run that \
         deploys to two, to one, to none)",
        format!("{most} calls ({two:.2} s; {one:.2} s; {none:.2} s)"),
        "≤ 12 calls",
        most <= 12,
    )]
}
