//! Who verifies what, and what a failure says.

use super::*;
use crate::inputs::config::{Mode, VerifyOptions};
use crate::metadata::fixture::{built, config, context, pull_request, push};
use crate::plan::check::violations;
use crate::plan::facts::DaemonFacts;
use crate::plan::tests::{daemon, facts};
use crate::plan::{RunPlan, display, plan};
use crate::runner::context::Event;

fn platforms_of(text: &str) -> Vec<Platform> {
    text.split_whitespace().map(|text| Platform::parse(&format!("linux/{text}")).unwrap()).collect()
}

fn command(line: usize, text: &str) -> Check {
    let words = text.split(' ').map(str::to_owned).collect();
    Check { line, text: text.to_owned(), kind: CheckKind::Arguments(words) }
}

/// A configuration that builds for `builds` and verifies.
fn asked(builds: &str) -> Config {
    let verify = VerifyOptions {
        checks: vec![command(1, "migrate validate"), command(3, "api --version")],
        env: vec!["DSN".into()],
        ..VerifyOptions::default()
    };
    Config { platforms: platforms_of(builds), verify, ..config() }
}

fn planned(config: &Config, runs: &str) -> Result<RunPlan, PlanError> {
    let context = context(push(), "refs/heads/main");
    let machine =
        MachineFacts { platforms: platforms_of(runs), memory: Some(16 << 30), containerd_image_store: true };
    let facts = Facts { machine: Some(machine), ..facts(daemon(), config, built(&context, config).unwrap()) };
    let plan = plan(config, &context, &facts)?;
    assert_eq!(violations(&plan, config), Vec::<String>::new());
    Ok(plan)
}

#[test]
fn the_machines_own_platform_is_verified() {
    for (builds, runs, verified, emulated, why) in [
        ("arm64 amd64", "amd64 arm64", "amd64", "", ""),
        ("arm64 amd64", "arm64", "arm64", "", ""),
        ("amd64/v2", "amd64", "amd64/v2", "", ""),
        ("arm64", "amd64 arm64", "arm64", "", "the image has none for linux/amd64, which the runner is"),
        (
            "s390x arm64",
            "amd64 arm64",
            "arm64",
            "",
            "the image has none for linux/amd64, which the runner is",
        ),
        ("s390x", "amd64", "s390x", "s390x", "the image has none for linux/amd64, which the runner is"),
        ("s390x arm64", "", "s390x", "", ""),
    ] {
        let verify = planned(&asked(builds), runs).unwrap().verify.unwrap();
        assert_eq!(verify.platforms, platforms_of(verified), "{builds} on {runs}");
        assert_eq!(verify.emulate, platforms_of(emulated), "{builds} on {runs}");
        assert_eq!(verify.why.unwrap_or_default(), why, "{builds} on {runs}");
    }
}

#[test]
fn what_nothing_runs_is_refused_before_the_build() {
    let mut config = asked("amd64 arm64");
    config.verify.platforms = platforms_of("amd64 arm64");
    let verify = planned(&config, "amd64").unwrap().verify.unwrap();
    assert_eq!(verify.emulate, platforms_of("arm64"));
    assert_eq!(verify.foreign, platforms_of("arm64"));
    config.builder.emulation = false;
    let why = planned(&config, "amd64").unwrap_err().to_string();
    assert_eq!(
        why,
        "`verify` cannot run the image for `linux/arm64`: the runner's machine runs `linux/amd64`; `emulation` is `off`: \
         leave it out for QEMU to be registered, or name another platform in `verify_platforms`"
    );
    config.builder.emulation = true;
    config.platforms = platforms_of("mips");
    config.verify.platforms.clear();
    let why = planned(&config, "amd64").unwrap_err().to_string();
    assert!(why.contains("nothing can emulate it"), "{why}");
}

#[test]
fn what_is_not_pushed_is_loaded_to_be_run() {
    let fork = context(Event::PullRequest(pull_request("mallory/shop")), "refs/pull/5/merge");
    let machine = MachineFacts { platforms: platforms_of("amd64"), ..MachineFacts::default() };
    let mut config = asked("arm64 amd64");
    config.verify.platforms = platforms_of("amd64 arm64");
    let planned = |config: &Config, daemon: DaemonFacts| {
        let metadata = built(&fork, config).unwrap();
        let facts = Facts { machine: Some(machine.clone()), ..facts(daemon, config, metadata) };
        let plan = plan(config, &fork, &facts).unwrap();
        assert_eq!(violations(&plan, config), Vec::<String>::new());
        plan
    };
    let by_daemon = planned(&config, daemon());
    let verify = by_daemon.verify.clone().unwrap();
    let [amd64, arm64] = verify.unpushed.as_slice() else { panic!("{verify:?}") };
    assert_eq!(amd64.export, Export::Store(vec![amd64.name.clone()]));
    assert!(
        amd64.name.starts_with("docker-push-action.invalid/verify:") && amd64.name.ends_with("-linux-amd64")
    );
    assert_eq!((arm64.node, &arm64.platform), (0, &platforms_of("arm64")[0]));
    assert!(display::render(&by_daemon).contains("what is not pushed is loaded into the daemon for it"));
    let classic = DaemonFacts { containerd_image_store: false, ..daemon() };
    let beside = planned(&config, classic.clone()).verify.unwrap();
    assert!(matches!(beside.unpushed[0].export, Export::Archive(_)), "a container builds two platforms");
    let one = Config { platforms: platforms_of("amd64"), ..asked("amd64") };
    assert!(matches!(planned(&one, classic).verify.unwrap().unpushed[0].export, Export::Store(_)));
    // One platform of it, with nothing that hangs on an index.
    let build = by_daemon.image.build().unwrap().image.clone();
    let alone = build.for_one(&amd64.platform, amd64.export.clone());
    assert!(!alone.has_index() && alone.platforms == platforms_of("amd64"));
    // What is pushed needs none of it.
    assert_eq!(self::planned(&asked("amd64"), "amd64").unwrap().verify.unwrap().unpushed, []);
    // A registry may refuse a pull request, and the run goes on.
    let own = context(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
    let facts = Facts { machine: Some(machine), ..facts(daemon(), &one, built(&own, &one).unwrap()) };
    assert_eq!(plan(&one, &own, &facts).unwrap().verify.unwrap().unpushed.len(), 1);
    let mut broken = by_daemon;
    broken.verify.as_mut().unwrap().unpushed[0].export = Export::Archive(Vec::new());
    broken.verify.as_mut().unwrap().unpushed.pop();
    let found = violations(&broken, &config).join("; ");
    assert!(found.contains("cannot be run") && found.contains("from where it is not"), "{found}");
}

#[test]
fn it_stands_in_the_plan() {
    let plan = planned(&asked("arm64 amd64"), "amd64").unwrap();
    let text = display::render(&plan);
    for part in [
        "verify      on linux/amd64; no network, 2.1 GB of memory, at most 1 m 00 s for each line, with DSN\n",
        "before any tag:\n  line 1  migrate validate\n  line 3  api --version\n",
    ] {
        assert!(text.contains(part), "{part}\n--\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!(json["verify"]["checks"][0]["arguments"], serde_json::json!(["migrate", "validate"]));
    assert_eq!((&json["verify"]["network"], &json["verify"]["timeout"]), (&"none".into(), &60.into()));
    let small =
        MachineFacts { memory: Some(1 << 30), platforms: platforms_of("amd64"), ..MachineFacts::default() };
    let context = context(push(), "refs/heads/main");
    let config = Config { mode: Mode::Leg, ..asked("amd64") };
    let facts = Facts { machine: Some(small), ..facts(daemon(), &config, built(&context, &config).unwrap()) };
    let verify = crate::plan::plan(&config, &context, &facts).unwrap().verify.unwrap();
    assert_eq!((verify.memory, verify.job.as_str()), (1 << 29, "7-1-publish"));
    // Without it nobody has to know what the machine runs.
    let without = Config { verify: VerifyOptions::default(), ..config };
    assert_eq!(crate::plan::plan(&without, &context, &facts).unwrap().verify, None);
}

#[test]
fn a_plan_that_verifies_something_else_is_none() {
    let config = asked("arm64 amd64");
    let broken = |change: &dyn Fn(&mut VerifyPlan)| {
        let mut plan = planned(&config, "amd64 arm64").unwrap();
        change(plan.verify.as_mut().unwrap());
        violations(&plan, &config)
    };
    for (change, said) in [
        (&(|plan: &mut VerifyPlan| drop(plan.checks.pop())) as &dyn Fn(&mut VerifyPlan), "something else"),
        (&|plan| plan.platforms.clear(), "no platform"),
        (&|plan| plan.platforms = platforms_of("s390x"), "does not have"),
        (&|plan| plan.platforms = platforms_of("amd64 amd64"), "twice"),
        (&|plan| plan.emulate = platforms_of("arm64"), "not verified"),
        (&|plan| plan.memory = 0, "nothing to do it with"),
    ] {
        let found = broken(change);
        assert!(found.iter().any(|one| one.contains(said)), "{said}: {found:?}");
    }
    let mut plan = planned(&config, "amd64").unwrap();
    plan.verify = None;
    assert_eq!(violations(&plan, &config), ["what the image must pass is not what was asked for"]);
}

fn failed(text: &str, ending: Ending, last: &[&str]) -> FailedCheck {
    FailedCheck {
        check: command(2, text),
        platform: Platform::parse("linux/amd64").unwrap(),
        image: Some("r.io/a@sha256:00".into()),
        foreign: false,
        ending,
        last: last.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_failure_says_what_it_means_and_how_to_look_at_it() {
    for (ending, last, said, hint) in [
        (
            Ending::Exit(3),
            &["a", "bad \u{1b}[2Jschema"][..],
            "exit code 3; its last output:\n  a\n  bad [2Jschema",
            "moved; to look",
        ),
        (Ending::Exit(1), &["mkdir x: Read-only file system"], "exit code 1;", "only /tmp can be written to"),
        (Ending::Exit(1), &["dial: Network is unreachable"], "exit code 1;", "`verify_network` names one"),
        (Ending::Exit(127), &[], "exit code 127 (there is no such command); it has printed nothing", ""),
        (Ending::Exit(139), &[], "SIGSEGV", ""),
        (Ending::Exit(137), &[], "SIGKILL", ""),
        (Ending::OutOfMemory(1 << 31), &[], "ran out of memory, of which it has 2.1 GB", ""),
        (
            Ending::TimedOut(Duration::from_mins(1)),
            &["waiting"],
            "had not ended after 1 m 00 s and was killed",
            "`verify_timeout`",
        ),
        (
            Ending::NotStarted(127, "exec: \"nope\": executable file not found in $PATH".into()),
            &[],
            "exit code 127: the image has no such command: exec: \"nope\"",
            "",
        ),
        (
            Ending::NotStarted(125, "network jobs not found".into()),
            &[],
            "could not be started: network jobs",
            "`docker network ls`",
        ),
        (
            Ending::NotStarted(126, "exec format error".into()),
            &[],
            "cannot be run: exec format",
            "another processor",
        ),
    ] {
        let error = NotVerified(vec![failed("migrate validate", ending, last)]);
        let told = error.to_string();
        assert!(told.starts_with("`verify`, line 2: `migrate validate` failed on linux/amd64: "), "{told}");
        assert!(told.contains(said), "{said}: {told}");
        assert!(
            error.hint().contains(hint) && error.hint().starts_with("no tag was moved"),
            "{}",
            error.hint()
        );
        assert!(
            error.hint().ends_with("docker run --rm -it r.io/a@sha256:00 migrate validate"),
            "{}",
            error.hint()
        );
    }
}

#[test]
fn what_does_not_get_well_says_so() {
    let minute = Duration::from_mins(1);
    for (ending, said, hint) in [
        (
            Ending::Unhealthy(minute, Some((1, "database is\ndown".into()))),
            "it is not healthy after 1 m 00 s; its `HEALTHCHECK` ended with exit code 1 the last time: database is down; it \
             has printed nothing",
            "`verify_timeout`",
        ),
        (Ending::Unhealthy(minute, None), "its `HEALTHCHECK` was not made once", "`verify_timeout`"),
        (Ending::EndedEarly(0), "it has ended with exit code 0, and should have gone on", "moved; to look"),
        (
            Ending::NoAnswer(vec![80, 443], minute),
            "nothing answers on port 80 or 443 after 1 m 00 s",
            "all addresses",
        ),
        (Ending::NothingToAsk, "exposes no TCP port that could be asked", "`EXPOSE`"),
    ] {
        let mut one = failed("healthcheck", ending.clone(), &[]);
        one.check.kind = CheckKind::Healthcheck;
        assert!(!ending.is_well());
        let error = NotVerified(vec![one]);
        assert!(error.to_string().contains(said), "{error}");
        assert!(
            error.hint().contains(hint) && error.hint().ends_with("-it r.io/a@sha256:00"),
            "{}",
            error.hint()
        );
    }
    assert!(Ending::Healthy.is_well() && Ending::Exit(0).is_well() && !Ending::Exit(1).is_well());
    let mut unpushed = failed("x", Ending::Exit(1), &[]);
    unpushed.image = None;
    assert_eq!(
        NotVerified(vec![unpushed]).hint(),
        "no tag was moved; the image was not pushed, and nothing of it is left"
    );
    let mut foreign = failed("sh", Ending::Exit(1), &[]);
    foreign.foreign = true;
    foreign.check.kind = CheckKind::Arguments(vec!["sh".into(), "-c".into(), "it's a && b".into()]);
    let hint = NotVerified(vec![foreign]).hint();
    assert!(hint.ends_with(r"-it --platform linux/amd64 r.io/a@sha256:00 sh -c 'it'\''s a && b'"), "{hint}");
}
