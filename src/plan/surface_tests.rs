//! What a build can be asked for: from the inputs to the plan and its text.

use std::collections::BTreeMap;

use super::build::{BuildPlan, Export};
use super::check::violations;
use super::facts::DaemonFacts;
use super::tests::{build, change, facts};
use super::*;
use crate::inputs::config::{AttestationInput, BuildOptions, Config};
use crate::metadata::fixture::*;
use crate::model::{
    Annotation, AnnotationLevel, Attestation, ContextSource, Digest, HostAddress, NamedContext, NamedSource,
    NetworkMode, Platform, RunOptions, SshKeys, SshSource,
};
use crate::runner::context::RunnerContext;

fn daemon() -> DaemonFacts {
    DaemonFacts {
        name: "Docker Engine 28.0.4".into(),
        containerd_image_store: true,
        platforms: ["linux/amd64", "linux/arm64"].map(platform).to_vec(),
        host_gateway: Some([172, 17, 0, 1].into()),
    }
}

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn main_push() -> RunnerContext {
    let mut context = context(push(), "refs/heads/main");
    context.run.url = "https://github.com/acme/shop/actions/runs/7/attempts/1".into();
    context
}

/// The plan for a Dockerfile that runs something, by the daemon alone.
fn plan_at(
    config: &Config,
    context: &RunnerContext,
    daemon: &DaemonFacts,
    metadata: &crate::metadata::Metadata,
) -> Result<RunPlan, PlanError> {
    plan(config, context, &facts(daemon.clone(), config, metadata.clone()))
}

fn planned(config: &Config) -> Result<RunPlan, PlanError> {
    let context = main_push();
    let plan = plan_at(config, &context, &daemon(), &built(&context, config).unwrap())?;
    assert_eq!(violations(&plan, config), Vec::<String>::new());
    Ok(plan)
}

fn with(build: BuildOptions) -> Config {
    Config { build, ..config() }
}

fn one_platform(build: BuildOptions) -> Config {
    Config { platforms: vec![platform("linux/amd64")], ..with(build) }
}

fn attrs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn annotation(level: AnnotationLevel, on: Option<&str>, key: &str, value: &str) -> Annotation {
    Annotation { level, platform: on.map(platform), key: key.into(), value: value.into() }
}

fn everything() -> Config {
    let named = |name: &str, source| NamedContext { name: name.into(), source };
    let build = BuildOptions {
        named_contexts: vec![
            named("shared", NamedSource::Directory("/github/workspace/shared".into())),
            named("alpine", NamedSource::Remote("docker-image://alpine:3.20".into())),
            named("lib", NamedSource::Remote("https://github.com/acme/lib.git#main".into())),
            named(
                "base",
                NamedSource::OciLayout { directory: "/github/workspace/oci".into(), digest: Digest::of(b"") },
            ),
        ],
        annotations: vec![
            annotation(AnnotationLevel::Manifest, None, "org.opencontainers.image.title", "Shop"),
            annotation(AnnotationLevel::Manifest, Some("linux/arm64"), "cpu", "small"),
            annotation(AnnotationLevel::Index, None, "team", "shop"),
            annotation(AnnotationLevel::ManifestDescriptor, None, "team", "shop"),
        ],
        provenance: AttestationInput::On(attrs(&[("mode", "max")])),
        sbom: AttestationInput::On(attrs(&[("generator", "acme/scan:1")])),
        no_cache_filters: vec!["deps".into(), "test".into()],
        run: RunOptions {
            network: Some(NetworkMode::Host),
            add_hosts: vec![
                ("db".into(), HostAddress::Ip([10, 0, 0, 1].into())),
                ("host".into(), HostAddress::Gateway),
            ],
            ulimits: vec![("nofile".into(), 1024, 2048)],
            shm_size: Some(128 << 20),
            cgroup_parent: Some("ci.slice".into()),
        },
        entitlements: vec!["security.insecure".into()],
        secrets: vec!["npm".into()],
        ssh: vec![SshSource { id: "default".into(), keys: SshKeys::Agent("/run/agent.sock".into()) }],
        ..BuildOptions::default()
    };
    Config {
        context: ContextSource::Remote(
            "https://github.com/acme/shop.git#1111111111111111111111111111111111111111".into(),
        ),
        has_token: true,
        pull: true,
        ..with(build)
    }
}

#[test]
fn everything_at_once() {
    let plan = planned(&everything()).unwrap();
    assert_eq!(
        display::render(&plan),
        "\
repository  ghcr.io/acme/shop/api
started by  push to branch `main`
commit      1111111111111111111111111111111111111111
context     https://github.com/acme/shop.git#1111111111111111111111111111111111111111
dockerfile  api/Dockerfile
platforms   linux/arm64, linux/amd64
secrets     npm, GIT_AUTH_TOKEN.github.com
ssh         default
network     host
hosts       db=10.0.0.1, host=172.17.0.1
ulimits     nofile=1024:2048
shm size    128 MiB
cgroup      ci.slice
allows      security.insecure, network.host
no cache    deps, test
pull        looks for newer base images
attests     provenance (mode=max), sbom (generator=acme/scan:1)
annotations 7 on each manifest, 1 on manifests of one platform, 11 on the index, 1 on manifest descriptors
builder     a container of moby/buildkit:v0.32.2: Docker Engine 28.0.4 allows no `security.insecure` unless its configuration does
push        yes: push to branch `main`
build contexts:
  shared  /github/workspace/shared
  alpine  docker-image://alpine:3.20
  lib     https://github.com/acme/lib.git#main
  base    oci-layout:///github/workspace/oci@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
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
    let json = display::json(&plan);
    assert!(!json.contains("hunter"), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["secrets"], serde_json::json!(["npm", "GIT_AUTH_TOKEN.github.com"]));
    assert_eq!(
        value["build_contexts"][1],
        serde_json::json!({"name": "alpine", "source": "docker-image://alpine:3.20"})
    );
    assert_eq!(
        value["attestations"],
        serde_json::json!(["provenance (mode=max)", "sbom (generator=acme/scan:1)"])
    );
    assert_eq!(value["annotations"], 20);
    assert_eq!(build(&plan).source, None, "BuildKit knows what it fetched");
    assert!(!format!("{plan:?}").contains("hunter"));
}

#[test]
fn who_attests_by_default() {
    let run = main_push().run.url;
    let made = |config: &Config| build(&planned(config).unwrap()).attestations.clone();
    let provenance = |extra: &[(&str, &str)]| {
        let mut attrs = attrs(extra);
        attrs.insert("builder-id".into(), run.clone());
        vec![Attestation { kind: "provenance".into(), attrs }]
    };
    let asked = |provenance: AttestationInput, attests: &[(&str, &[(&str, &str)])]| {
        let attests =
            attests.iter().map(|(kind, pairs)| Attestation { kind: (*kind).into(), attrs: attrs(pairs) });
        BuildOptions { provenance, attests: attests.collect(), ..BuildOptions::default() }
    };
    let auto = || asked(AttestationInput::Auto, &[]);
    let on = |pairs: &[(&str, &str)]| asked(AttestationInput::On(attrs(pairs)), &[]);
    assert_eq!(made(&with(auto())), provenance(&[("inline-only", "true"), ("mode", "min")]));
    assert_eq!(made(&one_platform(auto())), []);
    assert_eq!(made(&with(asked(AttestationInput::Off, &[]))), []);
    // BuildKit's own default is `max`, which publishes build arguments.
    assert_eq!(made(&one_platform(on(&[]))), provenance(&[("mode", "min")]));
    assert_eq!(made(&with(on(&[("version", "v0.2")]))), provenance(&[("mode", "min"), ("version", "v0.2")]));
    assert_eq!(made(&with(on(&[("mode", "max")]))), provenance(&[("mode", "max")]));
    let own = on(&[("mode", "max"), ("builder-id", "me")]);
    assert_eq!(made(&with(own))[0].attrs["builder-id"], "me");
    // The grammar of `attests`; the input of one kind wins, as in buildx.
    let max: (&str, &[(&str, &str)]) = ("provenance", &[("mode", "max")]);
    assert_eq!(made(&with(asked(AttestationInput::Auto, &[max]))), provenance(&[("mode", "max")]));
    assert_eq!(made(&with(asked(AttestationInput::Off, &[max]))), []);
    let sbom = asked(AttestationInput::Auto, &[("sbom", &[])]);
    let sbom = made(&one_platform(sbom));
    assert_eq!(sbom, [Attestation { kind: "sbom".into(), attrs: BTreeMap::new() }]);
}

#[test]
fn the_oci_labels_are_annotations_too() {
    let shown = |config: &Config| -> Vec<String> {
        let plan = planned(config).unwrap();
        plan.annotations()
            .iter()
            .map(|annotation| {
                let key = annotation.key.trim_start_matches(crate::metadata::labels::OCI);
                format!("{:?} {key}={}", annotation.level, annotation.value)
            })
            .collect()
    };
    let keys = |lines: &[String], level: &str| {
        let of = lines.iter().filter_map(|line| line.strip_prefix(level)?.trim().split('=').next());
        of.map(str::to_owned).collect::<Vec<_>>()
    };
    let seven = ["created", "description", "licenses", "revision", "source", "title", "url"];
    // Our own are at the top only, and sort before.
    let ours = ["commit", "inputs", "ref"].map(|key| format!("io.github.docker-push-action.{key}"));
    let top: Vec<String> = ours.into_iter().chain(seven.map(str::to_owned)).collect();
    let two = shown(&config());
    assert_eq!(keys(&two, "Manifest "), seven);
    // Provenance names the run, so that the image may too.
    let run = "io.github.docker-push-action.run".to_owned();
    let with_run: Vec<String> = top[..3].iter().cloned().chain([run]).chain(top[3..].to_vec()).collect();
    assert_eq!(keys(&two, "Index "), with_run);
    let one = shown(&one_platform(BuildOptions::default()));
    assert_eq!((keys(&one, "Manifest "), one.len()), (top.clone(), 10));
    // With attestations one platform has an index too, also where only a build argument makes one.
    let sbom = BuildOptions { sbom: AttestationInput::On(BTreeMap::new()), ..BuildOptions::default() };
    assert_eq!(shown(&one_platform(sbom)).len(), 17);
    let build_args = vec![("BUILDKIT_MULTI_PLATFORM".into(), "1".into())];
    assert_eq!(shown(&Config { build_args, ..one_platform(BuildOptions::default()) }).len(), 17);
    // A label of the user is the default's value; an empty one is no annotation; other labels are none.
    let labels = vec![
        ("org.opencontainers.image.title".into(), "Shop".into()),
        ("org.opencontainers.image.description".into(), String::new()),
        ("team".into(), "shop".into()),
    ];
    let own = shown(&Config { labels, ..one_platform(BuildOptions::default()) });
    assert!(own.contains(&"Manifest title=Shop".into()), "{own:?}");
    assert_eq!(own.len(), 9);
}

#[test]
fn annotations_of_the_user() {
    let title = "org.opencontainers.image.title";
    let asked = || {
        vec![
            annotation(AnnotationLevel::Manifest, None, title, "first"),
            annotation(AnnotationLevel::Manifest, None, title, "last"),
            annotation(AnnotationLevel::Index, None, "team", "shop"),
            annotation(AnnotationLevel::ManifestDescriptor, None, "team", "shop"),
        ]
    };
    let options = |annotations| BuildOptions { annotations, ..BuildOptions::default() };
    let two = planned(&with(options(asked()))).unwrap();
    let value = |level, key: &str| {
        let mut found = two.annotations().iter().filter(|one| one.level == level && one.key == key);
        found.next().map(|one| one.value.as_str())
    };
    assert_eq!(value(AnnotationLevel::Manifest, title), Some("last"));
    assert_eq!(value(AnnotationLevel::Index, title), Some("shop"), "another level keeps its default");
    assert_eq!(value(AnnotationLevel::Index, "team"), Some("shop"));
    assert_eq!(two.warnings, Vec::<String>::new());

    let one = planned(&one_platform(options(asked()))).unwrap();
    assert!(one.annotations().iter().all(|one| one.level == AnnotationLevel::Manifest));
    let [warning] = one.warnings.as_slice() else { panic!("{:?}", one.warnings) };
    assert!(warning.starts_with("`annotations`: `team` left out: this image has no index"), "{warning}");
    assert!(
        warning.contains("`provenance: true` or the build argument `BUILDKIT_MULTI_PLATFORM=1`"),
        "{warning}"
    );

    let foreign = vec![annotation(AnnotationLevel::Manifest, Some("linux/s390x"), "k", "v")];
    let error = planned(&with(options(foreign))).unwrap_err().to_string();
    assert_eq!(
        error,
        "`annotations`: `k` is for `linux/s390x`, which is not built; `platform` has `linux/arm64`, `linux/amd64`"
    );
}

/// As a workflow that comes from docker/metadata-action asks for them in its `env:`.
#[test]
fn default_annotations_are_on_the_levels_that_were_asked_for() {
    use AnnotationLevel::{Index, IndexDescriptor, Manifest, ManifestDescriptor};
    let title = "org.opencontainers.image.title";
    let asked = |levels: &[AnnotationLevel]| BuildOptions {
        annotation_levels: levels.to_vec(),
        ..BuildOptions::default()
    };
    let levels = |plan: &RunPlan| -> Vec<AnnotationLevel> {
        plan.annotations().iter().filter(|one| one.key == title).map(|one| one.level).collect()
    };
    for (asked_for, two, one) in [
        (&[][..], &[Manifest, Index][..], &[Manifest][..]),
        (&[Manifest], &[Manifest], &[Manifest]),
        (&[Index], &[Index], &[]),
        (&[Index, ManifestDescriptor], &[Index, ManifestDescriptor], &[]),
        (&[Manifest, IndexDescriptor], &[Manifest, IndexDescriptor], &[Manifest]),
    ] {
        let plan = planned(&with(asked(asked_for))).unwrap();
        assert_eq!((levels(&plan).as_slice(), plan.warnings.as_slice()), (two, &[][..]), "{asked_for:?}");
        let ours = plan.annotations().iter().find(|one| one.key == crate::model::stamp::COMMIT).unwrap();
        assert_eq!(ours.level, Index, "{asked_for:?}");
        let plan = planned(&one_platform(asked(asked_for))).unwrap();
        assert_eq!(levels(&plan), one, "{asked_for:?}");
        let said = plan.warnings.concat();
        assert_eq!(
            said.starts_with("`DOCKER_METADATA_ANNOTATIONS_LEVELS`: there are no"),
            one.is_empty(),
            "{said}"
        );
    }
}

#[test]
fn one_platform_keeps_an_indexs_annotation_in_each_way_that_the_warning_names() {
    let asked = || BuildOptions {
        annotations: vec![annotation(AnnotationLevel::Index, None, "team", "shop")],
        ..BuildOptions::default()
    };
    let provenance = AttestationInput::On(BTreeMap::new());
    let by_provenance = one_platform(BuildOptions { provenance, ..asked() });
    let mut by_argument = one_platform(asked());
    by_argument.build_args = vec![("BUILDKIT_MULTI_PLATFORM".into(), "1".into())];
    for config in [by_provenance, by_argument] {
        let plan = planned(&config).unwrap();
        let team = annotation(AnnotationLevel::Index, None, "team", "shop");
        assert!(plan.annotations().contains(&team), "{:?}", plan.annotations());
        assert_eq!(plan.warnings, Vec::<String>::new());
    }
}

#[test]
fn proxies_of_dockers_configuration_stand_back_for_the_inputs() {
    let proxies = ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"].map(str::to_owned).to_vec();
    let mut config = with(BuildOptions { proxies, ..BuildOptions::default() });
    config.build_args = vec![("HTTP_PROXY".into(), "http://mine".into())];
    let plan = planned(&config).unwrap();
    // In both spellings: BuildKit would take the other one.
    assert_eq!(build(&plan).proxies, ["NO_PROXY", "no_proxy"]);
    assert!(
        display::render(&plan).contains("proxies     NO_PROXY, no_proxy\n"),
        "{}",
        display::render(&plan)
    );
}

#[test]
fn nothing_hangs_on_what_is_not_made() {
    let context = context(push(), "refs/heads/main");
    let mut config = one_platform(BuildOptions {
        annotations: vec![annotation(AnnotationLevel::Index, None, "k", "v")],
        provenance: AttestationInput::On(BTreeMap::new()),
        ..BuildOptions::default()
    });
    config.push = crate::inputs::config::Push::No;
    let daemon = DaemonFacts { containerd_image_store: false, ..daemon() };
    let plan = plan_at(&config, &context, &daemon, &built(&context, &config).unwrap()).unwrap();
    assert_eq!(build(&plan).export, Export::Nothing);
    assert_eq!((plan.annotations().len(), build(&plan).attestations.len()), (0, 0));
    assert_eq!(violations(&plan, &config), Vec::<String>::new());
}

#[test]
fn where_the_host_is() {
    let run = RunOptions { add_hosts: vec![("host".into(), HostAddress::Gateway)], ..RunOptions::default() };
    let config = with(BuildOptions { run, ..BuildOptions::default() });
    let known = build(&planned(&config).unwrap()).run.add_hosts.clone();
    assert_eq!(known, [("host".to_owned(), HostAddress::Ip([172, 17, 0, 1].into()))]);
    let context = main_push();
    let silent = DaemonFacts { host_gateway: None, ..daemon() };
    let error = plan_at(&config, &context, &silent, &built(&context, &config).unwrap()).unwrap_err();
    assert_eq!(error, PlanError::NoHostGateway("host".into()));
    // Nobody asked: nobody misses it.
    assert!(
        plan_at(&crate::metadata::fixture::config(), &context, &silent, &built(&context, &config).unwrap())
            .is_ok()
    );
}

#[test]
fn broken_plans_are_found() {
    type Change<'a> = &'a dyn Fn(&mut BuildPlan);
    let config = everything();
    let sound = planned(&config).unwrap();
    let table: &[(Change, &str)] = &[
        (&|build| build.entitlements.clear(), "steps are on the host's network without its entitlement"),
        (&|build| build.secrets.push("npm".into()), "a secret is there twice"),
        (&|build| build.secrets.push("other".into()), "a secret that nobody has"),
        (
            &|build| build.token_secrets.push("npm".into()),
            "the token stands in for a secret of the user, or for none",
        ),
        (&|build| build.ssh.push("default".into()), "an SSH agent is there twice"),
        (
            &|build| build.named_contexts.push(build.named_contexts[0].clone()),
            "a build context is there twice",
        ),
        (&|build| build.run.add_hosts[0].1 = HostAddress::Gateway, "`host-gateway` has no address"),
        (&|build| build.attestations.push(build.attestations[1].clone()), "an attestation is there twice"),
        (
            &|build| build.attestations[0].attrs.clear(),
            "provenance has no mode, so that BuildKit would take `max`",
        ),
        (
            &|build| build.annotations.push(build.annotations[0].clone()),
            "an annotation is at one place twice",
        ),
        (&|build| build.annotations.clear(), "an annotation of the user is missing"),
        (
            &|build| {
                build.platforms.remove(0);
            },
            "an annotation for a platform that is not built",
        ),
        (
            &|build| {
                build.attestations.clear();
                build.platforms.remove(0);
            },
            "an annotation of the index, and no index; an annotation for a platform that is not built",
        ),
    ];
    for (broken, expected) in table {
        let mut plan = sound.clone();
        change(&mut plan, broken);
        assert_eq!(violations(&plan, &config).join("; "), *expected);
    }
}
