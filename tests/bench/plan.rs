//! The plan of a run with many lines of `tags`: from the texts of its inputs to the plan as text and as JSON, and the
//! steps of publishing. A part of the library in this process, with nothing outside of it.

use crate::runner::event::Event;
use crate::table::Row;
use docker_push_action::inputs::config::{Config, Resolved};
use docker_push_action::inputs::raw::RawInputs;
use docker_push_action::metadata::{
    self, Ancestry, CheckoutFacts, DescribeError, GithubFacts, NoHead, Outcome, Rules,
};
use docker_push_action::model::{Digest, Platform};
use docker_push_action::plan::facts::{DaemonFacts, DockerfileText, Facts};
use docker_push_action::plan::publish::plan_publish;
use docker_push_action::plan::{display, plan};
use docker_push_action::runner::context::RunnerContext;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const LINES: usize = 500;
const TURNS: usize = 50;

/// As many lines, of all kinds, most of which make a tag of their own on the push of a Git tag.
fn lines() -> String {
    let mut text = String::new();
    for number in 0..LINES {
        let _ = match number % 10 {
            0 => writeln!(text, "type=semver,pattern={{{{version}}}},suffix=-{number}"),
            1 => writeln!(
                text,
                "type=semver,pattern={{{{major}}}}.{{{{minor}}}},prefix=p{number}-,enable=true"
            ),
            2 => writeln!(
                text,
                "type=match,\"pattern=v(\\d+)\\.(\\d{{1,3}}).*\",group={},suffix=-{number}",
                1 + number % 20 / 10
            ),
            3 => writeln!(text, "type=raw,value={number}-{{{{date 'YYYYMMDD-HHmmss' tz='Europe/Berlin'}}}}"),
            4 => writeln!(text, "type=sha,prefix=sha{number}-,format=long"),
            5 => writeln!(text, "type=ref,event=tag,suffix=-{number},priority={number}"),
            6 => writeln!(text, "type=raw,value=latest-{number},enable={{{{is_not_default_branch}}}}"),
            7 => writeln!(text, "type=pep440,pattern={{{{version}}}},suffix=-p{number}"),
            8 => writeln!(text, "type=ref,event=pr,suffix=-{number}"),
            _ => writeln!(text, "ghcr.io/acme/api:r{number}-{{{{sha}}}},docker.io/acme/api:r{number}"),
        };
    }
    text
}

/// What the run is told: by its inputs, and of the world.
struct Told {
    variables: BTreeMap<String, String>,
    context: RunnerContext,
    checkout: CheckoutFacts,
}

impl Told {
    fn of(workspace: &std::path::Path) -> Self {
        std::fs::write(workspace.join("Dockerfile"), "FROM scratch\n").expect("a file of ours");
        let event = Event::fixture("push-tag");
        let path = workspace.display().to_string();
        let variables: BTreeMap<String, String> = [
            ("GITHUB_EVENT_NAME", event.name.as_str()),
            ("GITHUB_REF", "refs/tags/v1.2.3"),
            ("GITHUB_SHA", &"ab".repeat(20)),
            ("GITHUB_REPOSITORY", "acme/api"),
            ("GITHUB_REPOSITORY_OWNER", "acme"),
            ("GITHUB_ACTOR", "octocat"),
            ("GITHUB_RUN_ID", "1"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_RUN_NUMBER", "1"),
            ("GITHUB_JOB", "publish"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_API_URL", "https://api.github.com"),
            ("GITHUB_WORKSPACE", &path),
            ("RUNNER_TEMP", &path),
            ("RUNNER_NAME", "runner"),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("INPUT_TAGS", &lines()),
            ("INPUT_CACHE", "off"),
            ("INPUT_TOKEN", "x"),
            ("INPUT_REGISTRY_AUTH", "- {registry: docker.io, username: acme, password: y}"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let context = RunnerContext::read(&variables, &event.payload.to_string()).expect("an event");
        let head = metadata::triggering_commit(&context).clone();
        let checkout = CheckoutFacts {
            head: Some(head.clone()),
            parents: Vec::new(),
            head_time: Some(1_763_717_445),
            compared_with: head,
            ancestry: Ancestry::Same,
            describe: Err(DescribeError::NotAsked),
            tagged: false,
            head_refs: Err(NoHead::NotAsked),
            warning: None,
        };
        Self { variables, context, checkout }
    }

    /// The plan, how many tags it has, and how long that took.
    fn planned(&self) -> (usize, Duration) {
        let began = Instant::now();
        let resolved = Config::resolve(RawInputs::read(&self.variables), &self.context);
        let Resolved { config, .. } = resolved.unwrap_or_else(|faults| panic!("{faults:?}"));
        let rules = Rules { now: 1_763_717_445_000, ..Rules::from(&config) };
        let outcome = metadata::derive(&self.context, &self.checkout, rules, &GithubFacts::default());
        let Outcome::Build(metadata) = outcome.expect("tags") else { panic!("nothing to do") };
        let daemon = DaemonFacts {
            name: "Docker Engine".into(),
            containerd_image_store: true,
            platforms: vec![
                Platform::parse("linux/amd64").expect("a platform"),
                Platform::parse("linux/arm64").expect("a platform"),
            ],
            host_gateway: None,
        };
        let facts = Facts {
            given: None,
            machine: None,
            metadata: *metadata,
            targets: config.targets.clone(),
            builders: daemon.into(),
            dockerfile: DockerfileText::Known("FROM scratch\n".into()),
            context: None,
            cache_trouble: None,
            deploy: Vec::new(),
        };
        let plan = plan(&config, &self.context, &facts).expect("a plan");
        let told = display::render(&plan).len() + display::json(&plan).len();
        for target in plan.targets.iter() {
            assert!(plan_publish(&plan, target, Digest::of(b"image")).is_some());
        }
        assert!(told > LINES * 20);
        (plan.tags.len(), began.elapsed())
    }
}

/// The first turn is what a run does; the others say how much of it is the machine's.
pub fn of_500_lines() -> Row {
    let workspace = tempfile::tempdir().expect("a directory of ours");
    let told = Told::of(workspace.path());
    let (tags, first) = told.planned();
    let mut times: Vec<Duration> = (0..TURNS).map(|_| told.planned().1).collect();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let (first, median) = (milliseconds(first), milliseconds(times[TURNS / 2]));
    Row::absolute(
        "the plan of 500 lines of `tags`, from the inputs' texts to its own",
        format!("{first:.1} ms, again {median:.1} ms; {tags} tags"),
        "≤ 20 ms",
        first <= 20.0,
    )
}
