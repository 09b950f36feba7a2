use super::*;
use crate::inputs::config::{AttestationInput, BuildOptions, Config, Mode, Push, VersionInput};
use crate::metadata::fixture::*;
use crate::model::{CacheEntry, Stamp};
use crate::plan::build::Export;
use crate::plan::check::violations;
use crate::plan::display;
use crate::plan::export::ExportPlan;
use crate::plan::image::ImageWork;
use crate::plan::publish::plan_publish;
use crate::plan::tests::{build, daemon, facts};
use crate::plan::{RunPlan, plan};
use crate::runner::context::Event;

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn annotation(level: AnnotationLevel, on: Option<&str>, key: &str) -> Annotation {
    Annotation { level, platform: on.map(platform), key: key.into(), value: "1".into() }
}

fn built_as(config: &Config) -> RunPlan {
    let context = context(push(), "refs/heads/main");
    let plan = plan(config, &context, &facts(daemon(), config, built(&context, config).unwrap())).unwrap();
    assert_eq!(violations(&plan, config), Vec::<String>::new());
    plan
}

fn leg_of(name: &str, config: &Config) -> RunPlan {
    built_as(&Config { mode: Mode::Leg, platforms: vec![platform(name)], ..config.clone() })
}

fn merged_in(attempt: u64, event: Event, config: &Config) -> RunPlan {
    let mut context = context(event, "refs/heads/main");
    context.run.attempt = attempt;
    let mut config = Config { mode: Mode::Merge, ..config.clone() };
    // As the inputs of a merge are read.
    config.dockerfile.in_workspace.clear();
    let plan = plan(&config, &context, &facts(daemon(), &config, built(&context, &config).unwrap())).unwrap();
    assert_eq!(violations(&plan, &config), Vec::<String>::new());
    plan
}

fn index_of(plan: &RunPlan) -> IndexPlan {
    match &plan.image {
        ImageWork::Merge(work) => work.index.clone(),
        other => panic!("{other:?}"),
    }
}

fn merged(config: &Config) -> RunPlan {
    merged_in(1, push(), config)
}

#[test]
fn a_leg_as_a_person_reads_it() {
    let version = Some(VersionInput::Semver(semver::Version::new(1, 2, 3)));
    let plan = leg_of("linux/arm64", &Config { version, ..config() });
    assert_eq!(display::title(&plan), "Push one leg of ghcr.io/acme/shop/api: linux/arm64");
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  push to branch `main`
commit      1111111111111111111111111111111111111111
version     1.2.3
dockerfile  api/Dockerfile
platforms   linux/arm64
attests     provenance (mode=min)
annotations 8 on each manifest
builder     Docker Engine 28.0.4
push        yes: push to branch `main`
tags: none, as this is one leg: the job with `mode: merge` puts them
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
    assert!(display::json(&plan).starts_with(r#"{"mode":"leg","#));
    // A version that is taken stops it before it builds.
    assert!(plan.looks_first());
    assert_eq!(plan.versions().iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>(), ["v1.2.3"]);
    let kept = leg_of("linux/arm64", &Config { push: Push::No, ..config() });
    assert_eq!(display::title(&kept), "Build one leg of ghcr.io/acme/shop/api: linux/arm64");
    assert_eq!((build(&kept).export.clone(), kept.looks_first()), (Export::Digest, false));
}

#[test]
fn a_merge_as_a_person_reads_it() {
    let plan = merged(&config());
    assert_eq!(display::title(&plan), "Merge the legs of ghcr.io/acme/shop/api");
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  push to branch `main`
commit      1111111111111111111111111111111111111111
platforms   linux/arm64, linux/amd64
annotations 7 on each manifest, 10 on the index
builder     none: the legs were built by other jobs of this run
push        yes: push to branch `main`
tags:
  1111111-main  this commit on branch `main`
  main          branch `main`
  latest        branch `main` is `latest_branch`
labels:
  org.opencontainers.image.created      2025-11-21T09:30:45Z
  org.opencontainers.image.description  Sells things
  org.opencontainers.image.licenses     MIT
  org.opencontainers.image.revision     1111111111111111111111111111111111111111
  org.opencontainers.image.source       https://github.com/acme/shop
  org.opencontainers.image.title        shop
  org.opencontainers.image.url          https://github.com/acme/shop
"
    );
    assert!(display::json(&plan).starts_with(r#"{"mode":"merge","#));
    let publish = plan_publish(&plan, plan.targets.first(), Digest::of(b"x")).unwrap();
    assert_eq!(publish.stages.len(), 3);
}

#[test]
fn legs_and_merge_are_what_one_build_would_be() {
    let mut config = config();
    config.build.annotations = vec![
        annotation(AnnotationLevel::Manifest, None, "all"),
        annotation(AnnotationLevel::Manifest, Some("linux/amd64"), "amd"),
        annotation(AnnotationLevel::Index, None, "index"),
        annotation(AnnotationLevel::ManifestDescriptor, Some("linux/arm64"), "lid"),
    ];
    let whole = built_as(&config);
    let legs: Vec<RunPlan> = ["linux/arm64", "linux/amd64"].map(|name| leg_of(name, &config)).into();
    let said: Vec<_> = legs.iter().map(|plan| plan.image.leg().unwrap()).collect();
    let said: Vec<_> = said.iter().map(|leg| (&leg.platform, leg.common.as_ref())).collect();
    let merge = merged(&config);
    let index = with_inputs(index_of(&merge), &LegInputs::of(&said));
    assert_eq!(Stamp { inputs: whole.stamp.inputs.clone(), ..merge.stamp.clone() }, whole.stamp);
    assert!(whole.stamp.inputs.is_some());
    assert_eq!((&merge.tags, merge.labels()), (&whole.tags, whole.labels()));
    // What one build writes, the legs and the merge write together, and nothing twice.
    assert_eq!(index.annotations, whole.annotations());
    for (leg, other) in legs.iter().zip(["linux/amd64", "linux/arm64"]) {
        let own = whole.annotations().iter().filter(|one| one.level == AnnotationLevel::Manifest);
        let own = own.filter(|one| one.platform.as_ref() != Some(&platform(other)));
        assert_eq!(leg.annotations().iter().collect::<Vec<_>>(), own.collect::<Vec<_>>(), "{other}");
        assert_eq!(build(leg).attestations, build(&whole).attestations);
        assert_eq!(leg.warnings, Vec::<String>::new());
    }

    // Other inputs in one leg, or unknown ones: a release cannot be promoted, and that is all.
    for others in [LegInputs::Different("why".into()), LegInputs::Unknown] {
        assert_eq!(with_inputs(index_of(&merge), &others), index_of(&merge));
    }
    let one =
        Config { platforms: vec![platform("linux/amd64")], build: BuildOptions::default(), ..config.clone() };
    let only = index_of(&merged(&one));
    assert_eq!(with_inputs(only.clone(), &LegInputs::of(&said[..1])), only);
    let mut plain = one;
    plain.build.provenance = AttestationInput::Off;
    assert_eq!(build(&leg_of("linux/amd64", &plain)).attestations, []);
    assert!(merged(&plain).annotations().iter().any(|one| one.level == AnnotationLevel::Index));
}

#[test]
fn what_legs_say_of_their_inputs() {
    let [arm, amd, s390x] = ["linux/arm64", "linux/amd64", "linux/s390x"].map(platform);
    let inputs = |text: &[u8]| InputsHash { schema: 1, digest: Digest::of(text) };
    let (x, y) = (inputs(b"x"), inputs(b"y"));
    assert_eq!(LegInputs::of(&[(&arm, Some(&x)), (&amd, Some(&x))]), LegInputs::Same(x.clone()));
    assert_eq!(LegInputs::of(&[(&arm, None), (&amd, None)]), LegInputs::Unknown);
    assert_eq!(LegInputs::of(&[]), LegInputs::Unknown);
    // Of another version of this action.
    let newer = InputsHash { schema: 2, ..x.clone() };
    for (legs, who) in [
        (
            [(&arm, Some(&x)), (&amd, Some(&y)), (&s390x, Some(&x))],
            "`linux/arm64`, `linux/s390x` from 2d711642b726; `linux/amd64` from a1fce4363854",
        ),
        (
            [(&arm, None), (&amd, Some(&y)), (&s390x, None)],
            "`linux/arm64`, `linux/s390x` from what is not known before a build; `linux/amd64` from a1fce4363854",
        ),
        (
            [(&arm, Some(&x)), (&amd, Some(&newer)), (&s390x, Some(&x))],
            "`linux/arm64`, `linux/s390x` from 2d711642b726; `linux/amd64` from 2d711642b726",
        ),
    ] {
        let expected = format!(
            "the legs were built from different inputs (build arguments, Dockerfile, target and the like: {who}), so \
             the image does not say what it was built from, and a release of this commit builds it again"
        );
        assert_eq!(LegInputs::of(&legs), LegInputs::Different(expected));
    }
}

/// A re-run of the merge alone joins the same legs: to the same bytes.
#[test]
fn a_merge_that_is_run_again_says_the_legs_attempt() {
    let plan = merged_in(3, push(), &config());
    let ImageWork::Merge(work) = &plan.image else { panic!("{plan:?}") };
    let run = |index: IndexPlan| {
        let said = index.annotations.into_iter().find(|one| one.key == RUN);
        said.map(|one| one.value)
    };
    let by = |attempt| Some(RunNumber { id: work.merge.run, attempt }.to_string());
    assert_eq!(run(work.index.clone()), by(3));
    assert_eq!(run(with_attempt(work.index.clone(), &work.merge, [1, 2].into_iter())), by(2));
    let mut own = work.index.clone();
    own.annotations.iter_mut().find(|one| one.key == RUN).unwrap().value = "mine".into();
    assert_eq!(with_attempt(own.clone(), &work.merge, [1].into_iter()), own);
}

#[test]
fn a_leg_has_caches_of_its_own() {
    let mut config = config();
    let entry =
        |scope: &str| CacheEntry { kind: "s3".into(), attrs: [("name".to_owned(), scope.to_owned())].into() };
    config.cache.from = vec![entry("shop")];
    config.cache.to = vec![entry("shop")];
    let plan = leg_of("linux/arm64", &config);
    let [ExportPlan::Cache(cache)] = plan.exports.as_slice() else { panic!("{:?}", plan.exports) };
    let names =
        |entries: &[CacheEntry]| entries.iter().map(|one| one.attrs["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&build(&plan).cache_from), ["shop-linux-arm64"]);
    assert_eq!(names(&cache.to), ["shop-linux-arm64"]);
}

#[test]
fn an_image_that_an_earlier_attempt_has_left() {
    let plan = merged_in(2, push(), &config());
    let left = |plan: &RunPlan| {
        let ImageWork::Merge(work) = &plan.image else { panic!("{plan:?}") };
        left_by_an_earlier_attempt(&work.merge, plan.tags.iter()).map(|tag| tag.tag.to_string())
    };
    assert_eq!(left(&plan).unwrap(), "1111111-main");
    assert_eq!(left(&merged(&config())), None, "nobody was there before");
    let ours = index_of(&plan);
    let (arm, amd) = (Digest::of(b"arm"), Digest::of(b"amd"));
    let index = ours.annotations.iter().filter(|one| one.level == AnnotationLevel::Index);
    let found = Published {
        annotations: index.map(|one| (one.key.clone(), one.value.clone())).collect(),
        images: vec![
            (Some(platform("linux/arm64")), arm.clone()),
            (Some(platform("linux/amd64")), amd.clone()),
        ],
    };
    assert!(is_merged(&ours, &found, &[]));
    assert!(is_merged(&ours, &found, &[amd]), "one record was not removed yet");
    assert!(!is_merged(&ours, &found, &[Digest::of(b"newer")]), "a leg was built again");
    let with = |change: fn(&mut Published)| {
        let mut other = found.clone();
        change(&mut other);
        is_merged(&ours, &other, &[])
    };
    assert!(with(|found| drop(found.annotations.insert("more".into(), String::new()))));
    assert!(with(|found| drop(found.annotations.remove(CREATED))));
    assert!(!with(|found| found.annotations.clear()), "it does not say its commit");
    assert!(!with(|found| drop(found.images.pop())), "it lacks a platform");
    assert!(!with(|found| found.images[0].0 = None));
}
