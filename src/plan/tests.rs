//! Whole runs: from an event and the inputs to the plan and its text.

use proptest::prelude::*;

use super::build::{BuildPlan, Export};
use super::check::violations;
use super::facts::{DaemonFacts, DockerfileText, Facts};
use super::image::{BuildWork, ImageWork};
use super::outlook::{Fate, Outlook};
use super::publish::plan_publish;
use super::*;
use crate::inputs::config::{Config, Mode, PlatformTagName, Push, VersionInput};
use crate::metadata::fixture::*;
use crate::metadata::{Metadata, Outcome};
use crate::model::{
    Annotation, AnnotationLevel, CacheEntry, CommitId, ContextSource, Digest, Platform, Tag, Targets,
};
use crate::runner::context::{Event, RunnerContext};

pub(super) fn daemon() -> DaemonFacts {
    DaemonFacts {
        name: "Docker Engine 28.0.4".into(),
        containerd_image_store: true,
        platforms: ["linux/amd64", "linux/arm64"].map(|text| Platform::parse(text).unwrap()).to_vec(),
        host_gateway: Some([172, 17, 0, 1].into()),
    }
}

/// What a run meets where this daemon builds a Dockerfile that runs something.
pub(super) fn facts(daemon: DaemonFacts, config: &Config, metadata: Metadata) -> Facts {
    Facts {
        metadata,
        targets: config.targets.clone(),
        builders: daemon.into(),
        dockerfile: DockerfileText::Known("FROM alpine\nRUN true\n".into()),
        context: None,
        cache_trouble: None,
        given: None,
        deploy: Vec::new(),
        machine: None,
    }
}

/// The image as it is built.
pub(super) fn build(plan: &RunPlan) -> &BuildPlan {
    &plan.image.build().unwrap().image
}

/// The work of a plan that builds.
pub(super) fn work_mut(plan: &mut RunPlan) -> &mut BuildWork {
    match &mut plan.image {
        ImageWork::Build(work)
        | ImageWork::Leg { build: work, .. }
        | ImageWork::Promote { otherwise: work, .. } => work,
        ImageWork::Merge(_) | ImageWork::Given(_) => panic!("nothing is built"),
    }
}

/// Changes the build everywhere in the plan.
pub(super) fn change(plan: &mut RunPlan, change: impl Fn(&mut BuildPlan)) {
    let work = work_mut(plan);
    change(&mut work.image);
    work.solves.iter_mut().for_each(&change);
    work.scratch.iter_mut().for_each(&change);
    if let Some(without) = &mut work.without_cache {
        without.solves.iter_mut().for_each(&change);
    }
}

fn planned(context: &RunnerContext, config: &Config, daemon: &DaemonFacts) -> Result<RunPlan, PlanError> {
    let plan = plan(config, context, &facts(daemon.clone(), config, built(context, config).unwrap()))?;
    assert_eq!(violations(&plan, config), Vec::<String>::new());
    Ok(plan)
}

pub(super) fn fork() -> RunnerContext {
    context(Event::PullRequest(pull_request("mallory/shop")), "refs/pull/5/merge")
}

fn main_push() -> RunnerContext {
    context(push(), "refs/heads/main")
}

#[test]
fn a_push_to_main_with_a_version() {
    let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    let build_args = vec![("TOKEN".into(), "hunter2".into()), ("DEBUG".into(), "1".into())];
    let config = Config { version, build_args, target: Some("web".into()), sha_length: 40, ..config() };
    let plan = planned(&main_push(), &config, &daemon()).unwrap();
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  push to branch `main`
commit      1111111111111111111111111111111111111111
version     1.2.3
dockerfile  api/Dockerfile
target      web
platforms   linux/arm64, linux/amd64
build args  TOKEN, DEBUG
attests     provenance (mode=min)
annotations 8 on each manifest, 12 on the index
builder     Docker Engine 28.0.4
push        yes: push to branch `main`
promote     `1111111111111111111111111111111111111111-main` if it was made of this commit and the same inputs: then nothing is built
tags:
  1111111111111111111111111111111111111111-main  this commit on branch `main`
  v1.2.3                                         `version` is 1.2.3
  main                                           branch `main`
  latest                                         branch `main` is `latest_branch`
labels:
  org.opencontainers.image.created      2025-11-21T09:30:45Z
  org.opencontainers.image.description  Sells things
  org.opencontainers.image.licenses     MIT
  org.opencontainers.image.revision     1111111111111111111111111111111111111111
  org.opencontainers.image.source       https://github.com/acme/shop
  org.opencontainers.image.title        shop
  org.opencontainers.image.url          https://github.com/acme/shop
  org.opencontainers.image.version      1.2.3
"
    );
    assert_eq!(build(&plan).export, Export::PushByDigest(config.targets.clone()));
    assert_eq!(build(&plan).source_date_epoch, Some(1_763_717_445));
    let json = display::json(&plan);
    assert!(!json.contains("hunter2") && !json.contains('\n'), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["repository"], "ghcr.io/acme/shop/api");
    assert_eq!(value["push"], true);
    assert_eq!(value["platforms"][0], "linux/arm64");
    assert_eq!(value["build_args"], serde_json::json!(["TOKEN", "DEBUG"]));
    assert_eq!(
        value["tags"][1],
        serde_json::json!({"tag": "v1.2.3", "kind": "version", "reason": "`version` is 1.2.3"})
    );
    assert_eq!(value["labels"]["org.opencontainers.image.version"], "1.2.3");
}

#[test]
fn a_pull_request_from_a_fork() {
    let config = Config { push: Push::Yes, labels: vec![("team".into(), String::new())], ..config() };
    let plan = planned(&fork(), &config, &daemon()).unwrap();
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  pull request #5 from a fork
commit      1111111111111111111111111111111111111111
dockerfile  api/Dockerfile
platforms   linux/arm64, linux/amd64
attests     provenance (mode=min)
annotations 7 on each manifest, 11 on the index
builder     Docker Engine 28.0.4
push        no: pull requests from forks may not publish
tags:
  2222222-pr-5  head commit of pull request #5
  pr-5          pull request #5
labels:
  org.opencontainers.image.created      2025-11-21T09:30:45Z
  org.opencontainers.image.description  Sells things
  org.opencontainers.image.licenses     MIT
  org.opencontainers.image.revision     1111111111111111111111111111111111111111
  org.opencontainers.image.source       https://github.com/acme/shop
  org.opencontainers.image.title        shop
  org.opencontainers.image.url          https://github.com/acme/shop
  team
warning: `push: true` has no effect here: pull requests from forks may not publish
"
    );
    assert_eq!(build(&plan).export, Export::Digest);
    assert_eq!(plan_publish(&plan, plan.targets.first(), Digest::of(b"x")), None);
}

#[test]
fn a_release() {
    let release = Event::Release { action: "published".into(), tag: "v2.0.0".into(), target: "main".into() };
    let mut context = context(release, "refs/tags/v2.0.0");
    context.repository.description = "\u{1b}[2J##[error]no\n::error::no".into();
    context.repository.license.clear();
    let config = Config {
        labels: vec![("org.opencontainers.image.title".into(), "Shop".into())],
        platforms: vec![Platform::parse("linux/s390x").unwrap()],
        ..config()
    };
    let plan = planned(&context, &config, &daemon()).unwrap();
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  release published at tag `v2.0.0`
commit      1111111111111111111111111111111111111111
version     2.0.0
dockerfile  api/Dockerfile
platforms   linux/s390x
annotations 10 on the manifest
builder     Docker Engine 28.0.4
emulation   linux/s390x: `RUN` steps run there, and Docker Engine 28.0.4 cannot run them
push        yes: release published at tag `v2.0.0`
promote     `1111111-main` or `1111111-v2.0.0` if it was made of this commit and the same inputs: then nothing is built
tags:
  1111111-v2.0.0  this commit on Git tag `v2.0.0`
  v2.0.0          Git tag `v2.0.0` is a version
labels:
  org.opencontainers.image.created      2025-11-21T09:30:45Z
  org.opencontainers.image.description  \\u{1b}[2J##\\[error]no\\n::error::no
  org.opencontainers.image.revision     1111111111111111111111111111111111111111
  org.opencontainers.image.source       https://github.com/acme/shop
  org.opencontainers.image.title        Shop
  org.opencontainers.image.url          https://github.com/acme/shop
  org.opencontainers.image.version      2.0.0
"
    );
}

#[test]
fn what_a_dry_run_foretells() {
    let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    let config = Config { version, platforms: vec![Platform::parse("linux/amd64").unwrap()], ..config() };
    let plan = planned(&main_push(), &config, &daemon()).unwrap();
    let named = |text: &str| Tag::parse(text).unwrap();
    let older = CommitId::parse(&"2".repeat(40)).unwrap();
    let tags = [
        Fate::SameCommit,
        Fate::New,
        Fate::Moves(Some(older)),
        Fate::HeldBack("it is on the newer commit 333333333333\n::error::".into()),
    ];
    let digest = Digest::of(b"");
    let outlook = Outlook::Known { tags: tags.into(), promotion: Some(Ok((named("1111111-main"), digest))) };
    let text = display::foretell(&plan, Some(&outlook), &[]);
    let from = text.find("push  ").unwrap();
    assert_eq!(
        &text[from..text.find("labels:").unwrap()],
        "\
push        yes: push to branch `main`
promote     `1111111-main` (sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855) would be tagged, nothing is built
tags:
  1111111-main  this commit on branch `main`; on an image of the same commit
  v1.2.3        `version` is 1.2.3; new
  main          branch `main`; moves from 222222222222
  latest        branch `main` is `latest_branch`; would be held back: it is on the newer commit 333333333333\\n::error::
"
    );
    let unknown = display::foretell(&plan, Some(&Outlook::Unknown("cannot reach\u{1b} it".into())), &[]);
    assert!(unknown.contains("\ntags now    not known: cannot reach\\u{1b} it\n"), "{unknown}");
    assert_eq!(
        unknown.replace("tags now    not known: cannot reach\\u{1b} it\n", ""),
        display::render(&plan)
    );
}

#[test]
fn whether_it_pushes() {
    let target = || context(Event::PullRequestTarget(pull_request("mallory/shop")), "refs/heads/main");
    let own = || context(Event::PullRequest(pull_request("acme/shop")), "refs/pull/5/merge");
    let queue = || context(Event::MergeGroup, "refs/heads/gh-readonly-queue/main/x");
    for (context, asked, expected) in [
        (main_push(), Push::Auto, "yes"),
        (main_push(), Push::Yes, "yes"),
        (main_push(), Push::No, "no"),
        (own(), Push::Auto, "yes, if it may"),
        (own(), Push::Yes, "yes"),
        (fork(), Push::Auto, "no"),
        (fork(), Push::Yes, "no"),
        (target(), Push::Auto, "no"),
        (target(), Push::Yes, "yes"),
        (queue(), Push::Yes, "no"),
    ] {
        let config = Config { push: asked, ..config() };
        let got = match planned(&context, &config, &daemon()).unwrap().push {
            PushPlan::Push { tolerate_refusal: true, .. } => "yes, if it may",
            PushPlan::Push { .. } => "yes",
            PushPlan::Keep { .. } => "no",
        };
        assert_eq!(got, expected, "{asked:?} {context:?}");
    }
    let tolerant = display::render(&planned(&own(), &config(), &daemon()).unwrap());
    assert!(tolerant.contains("push        yes: pull request #5 (if the registry refuses, "), "{tolerant}");
    let asked = display::render(&planned(&target(), &config(), &daemon()).unwrap());
    assert!(asked.contains("; `push: true` would publish it\n"), "{asked}");
    let nameless = context(workflow_run("pull_request", "x", "mallory/shop", None), "refs/heads/main");
    let config = Config { push: Push::Yes, ..config() };
    let error = planned(&nameless, &config, &daemon()).unwrap_err();
    assert!(matches!(&error, PlanError::NoTag(why) if why.contains("names no pull request")), "{error}");
}

#[test]
fn without_the_containerd_image_store() {
    let daemon = DaemonFacts { containerd_image_store: false, ..daemon() };
    let one = vec![Platform::parse("linux/amd64").unwrap()];
    let pushed = Config { platforms: one.clone(), ..config() };
    let plan = planned(&main_push(), &config(), &daemon).unwrap();
    assert!(matches!(build(&plan).export, Export::PushByDigest(_)));
    assert!(plan.image.build().unwrap().builder.own_container().is_some());
    let request = planned(&fork(), &config(), &daemon).unwrap();
    assert!(request.image.build().unwrap().builder.own_container().is_some());
    let annotation = crate::model::Annotation {
        level: crate::model::AnnotationLevel::Manifest,
        platform: None,
        key: "a".into(),
        value: "b".into(),
    };
    let mut annotated = pushed.clone();
    annotated.build.annotations.push(annotation);
    let plan = planned(&fork(), &annotated, &daemon).unwrap();
    assert_eq!(plan.annotations(), []);
    let plan = planned(&fork(), &pushed, &daemon).unwrap();
    assert_eq!(build(&plan).export, Export::Nothing);
    assert!(display::render(&plan).contains("(the steps run, no image is kept)"));
    let none = Config { platforms: Vec::new(), ..config() };
    assert_eq!(planned(&main_push(), &none, &daemon), Err(PlanError::NoPlatform));
}

#[test]
fn a_version_from_git_is_a_build_argument() {
    let release = context(push(), "refs/tags/v2.0.0");
    let arguments =
        |config: &Config| build(&planned(&release, config, &daemon()).unwrap()).build_args.clone();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(arguments(&config()), []);
    let auto = Config { version: Some(VersionInput::Auto), ..config() };
    assert_eq!(arguments(&auto), [pair("VERSION", "2.0.0")]);
    let given = Config { build_args: vec![pair("VERSION", "mine")], ..auto };
    assert_eq!(arguments(&given), [pair("VERSION", "mine")]);
    let semver = VersionInput::Semver(semver::Version::new(2, 0, 0));
    assert_eq!(arguments(&Config { version: Some(semver), ..config() }), []);
}

#[test]
fn tags_of_single_platforms() {
    let named = |text: &str| Config { platform_tags: vec![PlatformTagName::of(text)], ..config() };
    let plan = planned(&main_push(), &named("{{tag}}-{{arch}}"), &daemon()).unwrap();
    let of = |plan: &RunPlan| plan.platform_tags.iter().map(|one| one.tag.to_string()).collect::<Vec<_>>();
    let expected = [
        "1111111-main-arm64",
        "1111111-main-amd64",
        "main-arm64",
        "main-amd64",
        "latest-arm64",
        "latest-amd64",
    ];
    assert_eq!(of(&plan), expected);
    let text = display::render(&plan);
    assert!(text.contains("platform tags:\n  1111111-main-arm64  `linux/arm64` of `1111111-main`"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    let first =
        serde_json::json!({"tag": "1111111-main-arm64", "of": "1111111-main", "platform": "linux/arm64"});
    assert_eq!(json["platform_tags"][0], first);
    // A merge puts them, a leg puts none.
    let leg = Config {
        mode: Mode::Leg,
        platforms: vec![Platform::parse("linux/amd64").unwrap()],
        ..named("{{tag}}-{{arch}}")
    };
    assert_eq!(of(&planned(&main_push(), &leg, &daemon()).unwrap()), Vec::<String>::new());
    let merge = Config { mode: Mode::Merge, ..named("{{tag}}-{{arch}}") };
    assert_eq!(of(&planned(&main_push(), &merge, &daemon()).unwrap()), expected);
    let error = planned(&main_push(), &named("{{tag}}-x"), &daemon()).unwrap_err().to_string();
    assert!(error.starts_with("`platform_tags`: `{{tag}}-x` makes `1111111-main-x` for both"), "{error}");
    // Nothing is asked for.
    let without = planned(&main_push(), &config(), &daemon()).unwrap();
    assert!(!display::render(&without).contains("platform tags"));
    assert!(!display::json(&without).contains("platform_tags"));
}

#[test]
fn expressions_in_labels_annotations_and_build_arguments() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut config = Config {
        labels: vec![pair("a", "{{version}} of {{branch}}{{tag}}"), pair("b", r"\{{x}} {{revision}}")],
        build_args: vec![
            pair("V", "{{version}}-{{sha}}"),
            pair("GO", "{{ .Version }} {{base_ref}}"),
            pair("ENV", "{{version}}"),
        ],
        build_args_of_env: ["ENV".to_owned()].into(),
        ..config()
    };
    let (level, platform) = (AnnotationLevel::Manifest, None);
    let (key, value) = ("c".to_owned(), "{{date 'YYYY'}} {{created}}".to_owned());
    config.build.annotations.push(Annotation { level, platform, key, value });
    let plan = planned(&context(push(), "refs/tags/v2.0.0"), &config, &daemon()).unwrap();
    let label = |key: &str| plan.labels()[key].as_str();
    assert_eq!(
        (label("a"), label("b")),
        ("2.0.0 of v2.0.0", format!("{{{{x}}}} {}", "1".repeat(40)).as_str())
    );
    let annotation = plan.annotations().iter().find(|one| one.key == "c").unwrap();
    assert_eq!(annotation.value, "1970 2025-11-21T09:30:45Z");
    let arguments =
        [pair("V", "2.0.0-1111111"), pair("GO", "{{ .Version }} {{base_ref}}"), pair("ENV", "{{version}}")];
    assert_eq!(build(&plan).build_args, arguments);
}

#[test]
fn the_context_keeps_its_name() {
    let key = |context: &RunnerContext, directory: &str| {
        let config = Config { context: ContextSource::Directory(directory.into()), ..config() };
        build(&planned(context, &config, &daemon()).unwrap()).shared_key.clone()
    };
    let first = key(&main_push(), "/github/workspace/api");
    let mut moved = main_push();
    moved.paths.workspace = "/elsewhere".into();
    assert_eq!(key(&moved, "/elsewhere/api"), first);
    assert_eq!(key(&fork(), "/github/workspace/api"), first);
    let mut other = main_push();
    other.repository.full_name = "acme/other".into();
    let mut nobody = main_push();
    nobody.repository.full_name.clear();
    let mut keys = vec![
        first,
        key(&main_push(), "/github/workspace/web/api"),
        key(&main_push(), "/github/workspace"),
        key(&other, "/github/workspace/api"),
        key(&nobody, "/github/workspace/api"),
        key(&moved, "/github/workspace/api"),
    ];
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 5, "{keys:?}");
    assert!(keys.iter().all(|key| !key.contains('/')));
}

#[test]
fn several_repositories() {
    let at = |name: &str| crate::model::Repository::parse(name).unwrap();
    let names = ["ghcr.io/acme/shop/api", "docker.io/acme/api", "localhost:5000/api"];
    let config = Config { targets: Targets::of(names.map(at)).unwrap(), ..config() };
    let plan = planned(&main_push(), &config, &daemon()).unwrap();
    let text = display::render(&plan);
    let expected = "\
repository  ghcr.io/acme/shop/api
            docker.io/acme/api
            localhost:5000/api
started by  push to branch `main`
";
    assert!(text.starts_with(expected), "{text}");
    let json: serde_json::Value = serde_json::from_str(&display::json(&plan)).unwrap();
    assert_eq!(json["repository"], "ghcr.io/acme/shop/api");
    assert_eq!(json["repositories"], serde_json::json!(names));
    assert_eq!(build(&plan).export, Export::PushByDigest(Targets::of(names.map(at)).unwrap()));
    assert_eq!(config.nearest_registry().as_str(), "localhost:5000");
    let mut broken = plan.clone();
    change(&mut broken, |build| build.export = Export::PushByDigest(at("ghcr.io/acme/shop/api").into()));
    let expected = ["the export goes to other repositories", "leaving a repository out leaves none"];
    assert_eq!(violations(&broken, &config)[..2], expected);
}

#[test]
fn stages_of_publishing() {
    let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    let config = Config { version, ..config() };
    let plan = planned(&main_push(), &config, &daemon()).unwrap();
    let publish = plan_publish(&plan, plan.targets.first(), Digest::of(b"x")).unwrap();
    let names = |stage: &Vec<crate::metadata::PlannedTag>| {
        stage.iter().map(|tag| tag.tag.as_str().to_owned()).collect::<Vec<_>>()
    };
    let stages: Vec<_> = publish.stages.iter().map(names).collect();
    assert_eq!(stages, [vec!["1111111-main", "v1.2.3"], vec!["main"], vec!["latest"]]);
    assert_eq!((&publish.repository, publish.digest), (plan.targets.first(), Digest::of(b"x")));
}

#[test]
fn broken_plans_are_found() {
    type Change<'a> = &'a dyn Fn(&mut RunPlan);
    let config = config();
    let sound = planned(&main_push(), &config, &daemon()).unwrap();
    let request = planned(&fork(), &config, &daemon()).unwrap();
    let broken = |plan: &RunPlan, change: &dyn Fn(&mut RunPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        violations(&plan, &config).join("; ")
    };
    let table: &[(Change, &str)] = &[
        (&|plan| plan.tags.swap(0, 2), "tags are not in the order of publishing"),
        (&|plan| plan.tags.push(plan.tags[2].clone()), "a tag is there twice"),
        (&|plan| drop(plan.tags.remove(1)), "`latest` is there without its branch"),
        (&|plan| drop(plan.tags.remove(0)), "the commit tag does not name what is built"),
        (&|plan| plan.tags.clear(), "the commit tag does not name what is built; a push without a tag"),
        (&|plan| plan.tags[1].reason.push('\r'), "a reason holds a control character"),
        (
            &|plan| change(plan, |build| build.export = Export::Digest),
            "the export is not what the push decision says",
        ),
        (
            &|plan| plan.push = PushPlan::Keep { why: String::new() },
            "the export is not what the push decision says",
        ),
        (
            &|plan| work_mut(plan).emulation.platforms = vec![plan.platforms()[0].clone(); 2],
            "an emulator is there twice",
        ),
        (&|plan| change(plan, |build| build.platforms.clear()), "there is no platform"),
        (
            &|plan| change(plan, |build| build.platforms.push(build.platforms[0].clone())),
            "a platform is there twice",
        ),
        (
            &|plan| change(plan, |build| build.source_date_epoch = Some(1_763_717_446)),
            "`created` and the build's epoch differ",
        ),
        (
            &|plan| change(plan, |build| build.source_date_epoch = None),
            "`created` and the build's epoch differ",
        ),
        (
            &|plan| change(plan, |build| build.labels.clear()),
            "`created` and the build's epoch differ; the revision label is not what is built",
        ),
        (&|plan| change(plan, |build| build.shared_key.clear()), "the context has no name"),
        (
            &|plan| work_mut(plan).solves.clear(),
            "a node has nothing to carry out; the nodes do not build the image's platforms, each once; \
             building from scratch is another build",
        ),
        (
            &|plan| drop(work_mut(plan).solves[0].platforms.pop()),
            "the nodes do not build the image's platforms, each once; building from scratch is another build",
        ),
        (&|plan| work_mut(plan).scratch[0].no_cache = false, "building from scratch is another build"),
        (
            &|plan| {
                work_mut(plan).solves[0].cache_from.push(CacheEntry { kind: "gha".into(), attrs: [].into() });
            },
            "a cache is read, and nobody knows what to do without it",
        ),
    ];
    for (change, expected) in table {
        assert_eq!(broken(&sound, change), *expected);
    }
    let foreign = broken(&request, &|plan| plan.tags.push(sound.tags[1].clone()));
    assert_eq!(foreign, "a tag does not belong to what the run is about");
    let latest = broken(&request, &|plan| plan.tags.push(sound.tags[2].clone()));
    assert!(latest.contains("`latest` is not on `latest_branch`"), "{latest}");
}

#[test]
fn a_git_context_is_built_at_the_commit_that_tags_and_labels_say() {
    use crate::metadata::{Ancestry, ContextCommit};
    let (found, three) = (commit('3'), commit('3'));
    let ancestry = Ancestry::Ancestor;
    let found =
        ContextCommit { commit: found, on_branch: true, parents: vec![commit('1')], time: None, ancestry };
    let dockerfile = crate::inputs::config::Dockerfile {
        directory: None,
        file_name: "Dockerfile".into(),
        in_workspace: "Dockerfile".into(),
    };
    let config = Config {
        context: ContextSource::Remote("https://github.com/acme/shop.git#main:api".into()),
        dockerfile,
        has_token: true,
        push: Push::Yes,
        ..config()
    };
    for (event, secrets) in [
        (push(), vec!["GIT_AUTH_TOKEN.github.com".to_owned()]),
        // Whatever commit it is: what is fetched may be a stranger's.
        (Event::PullRequestTarget(crate::metadata::fixture::pull_request("mallory/shop")), Vec::new()),
    ] {
        let context = context(event, "refs/heads/main");
        let github = crate::metadata::GithubFacts {
            context: Some(Ok(found.clone())),
            ..crate::metadata::GithubFacts::default()
        };
        let checkout = checkout(commit('1'));
        let rules = crate::metadata::Rules::from(&config);
        let derived = crate::metadata::derive(&context, &checkout, rules, &github).unwrap();
        let Outcome::Build(metadata) = derived else { panic!("nothing to do") };
        let facts = Facts { context: Some(found.clone()), ..facts(daemon(), &config, *metadata) };
        let plan = plan(&config, &context, &facts).unwrap();
        let build = build(&plan);
        let url = format!("https://github.com/acme/shop.git#{three}:api");
        assert_eq!(build.context, ContextSource::Remote(url));
        assert_eq!(build.labels[crate::metadata::labels::REVISION], three.as_str());
        assert_eq!(build.token_secrets, secrets);
        assert_eq!(plan.notices.len(), usize::from(secrets.is_empty()), "{:?}", plan.notices);
        assert_eq!(build.dockerfile_place, None);
    }
}

proptest! {
    /// Whatever the event, the ref and the inputs: a plan that is made keeps every invariant and prints in lines
    /// that steer nothing.
    #[test]
    fn every_plan_is_sound(
        event in events(),
        git_ref in refs(),
        asked in proptest::sample::select(vec![Push::Auto, Push::Yes, Push::No]),
        image_store in any::<bool>(),
        own_label in proptest::option::of("\\PC{0,30}"),
        description in ".{0,40}",
    ) {
        let mut context = context(event, &git_ref);
        context.repository.description = description;
        let labels = own_label.map(|value| (crate::metadata::labels::CREATED.to_owned(), value));
        let config = Config { push: asked, labels: labels.into_iter().collect(), ..config() };
        let daemon = DaemonFacts { containerd_image_store: image_store, ..daemon() };
        let checkout = checkout(crate::metadata::triggering_commit(&context).clone());
        let rules = crate::metadata::Rules::from(&config);
        let github = crate::metadata::GithubFacts::default();
        let Ok(Outcome::Build(metadata)) = crate::metadata::derive(&context, &checkout, rules, &github) else {
            return Ok(());
        };
        let plan = match plan(&config, &context, &facts(daemon, &config, *metadata)) {
            Err(PlanError::Contradiction(broken)) => panic!("{broken:?}"),
            Err(_) => return Ok(()),
            Ok(plan) => plan,
        };
        prop_assert_eq!(violations(&plan, &config), Vec::<String>::new());
        for line in display::render(&plan).lines() {
            prop_assert!(!line.chars().any(char::is_control) && !line.contains("##["), "{line:?}");
            prop_assert!(!line.trim_start().starts_with("::"), "{line:?}");
        }
        let json = display::json(&plan);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
        if asked == Push::No {
            prop_assert!(plan_publish(&plan, plan.targets.first(), Digest::of(b"x")).is_none());
        }
    }
}
