//! Whole sets of inputs: what they mean together, and every fault in one go.

use std::collections::BTreeMap;

use super::super::config_tests_support::{context, event};
use super::*;
use crate::inputs::fault::Level;
use crate::inputs::table::INPUTS;
use crate::model::{Credentials, GitRef, Logins};
use crate::runner::context::Event;

#[path = "config_surface_tests.rs"]
mod surface;

/// A checkout with a Dockerfile, and a run in it.
fn run(name: &str) -> (tempfile::TempDir, RunnerContext) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("Dockerfile"), "FROM scratch").unwrap();
    let mut context = context(name);
    context.paths.workspace = directory.path().to_owned();
    (directory, context)
}

fn resolve(
    context: &RunnerContext,
    variables: &[(&str, &str)],
) -> Result<(Config, Vec<Notice>), Vec<InputFault>> {
    resolve_all(context, variables).map(|resolved| (resolved.config, resolved.notices))
}

fn resolve_all(context: &RunnerContext, variables: &[(&str, &str)]) -> Result<Resolved, Vec<InputFault>> {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::resolve(RawInputs::read(&variables), context)
}

/// The one login that there is.
fn only(keyring: &Keyring) -> Credentials {
    let logins = keyring.logins();
    let all: Vec<_> = logins.iter().collect();
    let [login] = all.as_slice() else { panic!("{all:?}") };
    (*login).clone()
}

#[test]
fn one_line_is_enough() {
    let (_directory, context) = run("push");
    let given = [
        ("INPUT_IMAGE_NAME", "Api"),
        ("INPUT_USERNAME", "octocat"),
        ("INPUT_PASSWORD", "ghs_t"),
        ("INPUT_TOKEN", "ghs_t"),
    ];
    let Resolved { config, keyring, notices } = resolve_all(&context, &given).unwrap();
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.message, "`image_name` is `Api`, used in lower case, as registries take no other");
    assert_eq!(config.targets.to_string(), "ghcr.io/acme/shop/api");
    assert_eq!(config.dockerfile.file_name, "Dockerfile");
    assert_eq!(
        config.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["linux/arm64", "linux/amd64"]
    );
    assert_eq!(config.cache_scope, "acme-shop-api");
    assert_eq!(only(&keyring).registry.as_str(), "ghcr.io");
    assert_eq!((keyring.token().unwrap().expose(), config.has_token), ("ghs_t", true));
    assert_eq!((config.sha_length, config.latest_branch.as_str()), (40, "main"));
    assert_eq!((config.version, config.target), (None, None));
    assert_eq!((config.no_cache, config.pull, config.dry_run, config.summary), (false, false, false, true));
    assert_eq!(config.push, Push::Auto);
}

#[test]
fn every_input_is_used() {
    let (directory, mut context) = run("push");
    std::fs::create_dir(directory.path().join("app")).unwrap();
    std::fs::write(directory.path().join("app/prod"), "FROM scratch").unwrap();
    context.repository.default_branch = None;
    let Resolved { config, keyring, notices } = resolve_all(
        &context,
        &[
            ("INPUT_REPOSITORY", "localhost:5000/acme/web"),
            ("INPUT_ATOMI_PLATFORM", "Sulfone"),
            ("INPUT_ATOMI_SERVICE", "Iodine"),
            ("INPUT_CONTEXT", "app"),
            ("INPUT_DOCKERFILE", "prod"),
            ("INPUT_PLATFORM", "linux/arm64"),
            ("INPUT_VERSION", "v1.2.3"),
            ("INPUT_USERNAME", "robot"),
            ("INPUT_PASSWORD", "secret"),
            ("INPUT_SHA_LENGTH", "7"),
            ("INPUT_LABELS", "a=1\na=2\n"),
            ("INPUT_BUILD_ARGS", "A=1\nB="),
            ("INPUT_TARGET", "release"),
            ("INPUT_NO_CACHE", "true"),
            ("INPUT_PULL", "true"),
            ("INPUT_PUSH", "false"),
            ("INPUT_DRY_RUN", "true"),
            ("INPUT_SUMMARY", "false"),
        ],
    )
    .unwrap();
    assert_eq!(config.cache_scope, "sulfone-iodine-web");
    assert_eq!(config.dockerfile.in_workspace, "app/prod");
    assert!(matches!(&config.context, ContextSource::Directory(path) if path.ends_with("app")));
    assert_eq!(config.version, Some(VersionInput::Semver(semver::Version::new(1, 2, 3))));
    assert_eq!(only(&keyring).registry.as_str(), "localhost:5000");
    assert_eq!((config.sha_length, config.latest_branch.as_str(), config.has_token), (7, "main", false));
    assert_eq!(keyring.token(), None);
    assert_eq!(config.labels, [("a".to_owned(), "2".to_owned())]);
    assert_eq!(config.build_args, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]);
    assert_eq!(config.target.as_deref(), Some("release"));
    assert_eq!((config.no_cache, config.pull, config.dry_run, config.summary), (true, true, true, false));
    assert_eq!(config.push, Push::No);
    assert_eq!(notices.len(), 1, "{notices:?}");
}

#[test]
fn all_faults_are_reported_in_one_run() {
    let (_directory, context) = run("push");
    let faults = resolve(
        &context,
        &[
            ("INPUT_BUILD-ARGS", "A=1"),
            ("INPUT_TAGS", "type=semver"),
            ("INPUT_REGISTRY", "https://ghcr.io"),
            ("INPUT_PLATFORM", "linux/amd46,linus/arm64"),
            ("INPUT_VERSION", "1.2"),
            ("INPUT_CONTEXT", "../.."),
            ("INPUT_DOCKERFILE", "no.Dockerfile"),
            ("INPUT_SHA_LENGTH", "6"),
            ("INPUT_LATEST_BRANCH", "a\nb"),
            ("INPUT_LABELS", "novalue"),
            ("INPUT_BUILD_ARGS", "no value"),
            ("INPUT_TARGET", "a\u{7}"),
            ("INPUT_NO_CACHE", "yes"),
            ("INPUT_PULL", "1"),
            ("INPUT_PUSH", "maybe"),
            ("INPUT_DRY_RUN", "on"),
            ("INPUT_SUMMARY", "off"),
            ("INPUT_RETRIES", "often"),
        ],
    )
    .unwrap_err();
    let inputs: Vec<&str> = faults.iter().map(|fault| fault.input.as_str()).collect();
    assert_eq!(
        inputs,
        [
            "build-args",
            "tags",
            "registry",
            "image_name",
            "context",
            "dockerfile",
            "platform",
            "platform",
            "version",
            "sha_length",
            "latest_branch",
            "target",
            "labels",
            "build_args",
            "no_cache",
            "pull",
            "push",
            "dry_run",
            "summary",
            "retries",
        ]
    );
    assert!(faults.iter().all(|fault| !fault.to_string().contains('\n')));
}

#[test]
fn nothing_at_all_asks_for_an_image_name() {
    let (_directory, context) = run("push");
    let faults = resolve(&context, &[]).unwrap_err();
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = "input `image_name`: missing; it is the last part of the image's repository (for example `image_name: api`)";
    assert_eq!(texts, [expected]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    /// Whatever is typed: a value or faults, each on one line, no panic.
    #[test]
    fn any_text_is_taken_or_refused(text in "(?s).{0,40}", index in 0..INPUTS.len()) {
        let (_directory, context) = run("push");
        let name = format!("INPUT_{}", INPUTS[index].name.to_uppercase());
        let given = [("INPUT_IMAGE_NAME", "api"), (name.as_str(), text.as_str())];
        if let Err(faults) = resolve(&context, &given) {
            proptest::prop_assert!(!faults.is_empty());
            for fault in faults {
                let shown = fault.to_string();
                proptest::prop_assert!(!shown.contains(char::is_control), "{}", shown);
                proptest::prop_assert!(INPUTS.iter().any(|input| input.name == fault.input), "{}", shown);
            }
        }
    }
}

/// A workflow as it called the original script.
const SCRIPT: &[(&str, &str)] = &[
    ("DOMAIN", "registry.example"),
    ("GITHUB_REPO_REF", "Acme/Other"),
    ("GITHUB_BRANCH", "feature-boxes"),
    ("LATEST_BRANCH", "trunk"),
    ("DOCKER_USER", "robot"),
    ("DOCKER_PASSWORD", "robots-secret"),
    ("CI_DOCKER_IMAGE", "api"),
    ("CI_DOCKER_CONTEXT", "."),
    ("CI_DOCKERFILE", "./Dockerfile"),
    ("CI_DOCKER_PLATFORM", "linux/amd64"),
    // As the runner fills them in.
    ("INPUT_USERNAME", "octocat"),
    ("INPUT_PASSWORD", "ghs_t"),
    ("INPUT_TOKEN", "ghs_t"),
];

fn script(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    SCRIPT.iter().chain(more).copied().collect()
}

#[test]
fn the_original_script_s_variables_stand_in() {
    let (_directory, mut context) = run("push");
    context.git_ref = GitRef::Branch("feature/Boxes".into());
    let Resolved { config, keyring, notices } = resolve_all(&context, &script(&[])).unwrap();
    assert_eq!(config.targets.to_string(), "registry.example/acme/other/api");
    assert_eq!(config.latest_branch, "trunk");
    assert_eq!(config.platforms.len(), 1);
    let credentials = only(&keyring);
    assert_eq!((credentials.registry.as_str(), credentials.username.as_str()), ("registry.example", "robot"));
    assert_eq!(credentials.password.expose(), "robots-secret");
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.level, Level::Notice);
    for (name, _) in SCRIPT.iter().filter(|(name, _)| !name.starts_with("INPUT_") && *name != "GITHUB_BRANCH")
    {
        assert!(notice.message.contains(&format!("`{name}`")), "{name}: {notice:?}");
    }
    assert!(!notice.message.contains("secret"));
}

#[test]
fn stray_variables_redirect_nothing() {
    let (_directory, context) = run("push");
    // No CI_DOCKER_IMAGE: nothing stands in.
    let stray = [
        ("DOMAIN", "evil.example"),
        ("DOCKER_PASSWORD", "x"),
        ("INPUT_IMAGE_NAME", "api"),
        ("INPUT_REGISTRY", ""),
    ];
    let (config, notices) = resolve(&context, &stray).unwrap();
    assert_eq!((config.targets.to_string().as_str(), notices.len()), ("ghcr.io/acme/shop/api", 0));
    // An image name: the same.
    let Resolved { config, keyring, notices } =
        resolve_all(&context, &script(&[("INPUT_IMAGE_NAME", "web")])).unwrap();
    assert_eq!((config.targets.to_string().as_str(), notices.len()), ("ghcr.io/acme/shop/web", 0));
    assert_eq!(only(&keyring).password.expose(), "ghs_t");
    // A whole repository: the same.
    let Resolved { config, keyring, notices } =
        resolve_all(&context, &script(&[("INPUT_REPOSITORY", "r.io/a/b")])).unwrap();
    assert_eq!(config.targets.to_string(), "r.io/a/b");
    assert!(notices.iter().all(|notice| notice.level == Level::Debug), "{notices:?}");
    assert_eq!(keyring.logins(), Logins::default());
    // A registry of one's own keeps the script's login, which is for another host, to itself.
    let Resolved { config, keyring, .. } =
        resolve_all(&context, &script(&[("INPUT_REGISTRY", "r.io")])).unwrap();
    assert_eq!(config.targets.to_string(), "r.io/acme/other/api");
    assert_eq!(keyring.logins(), Logins::default());
    // An input that says something wins.
    let given = [("INPUT_PLATFORM", "linux/arm64"), ("INPUT_LATEST_BRANCH", "main")];
    let (config, _) = resolve(&context, &script(&given)).unwrap();
    assert_eq!((config.platforms[0].architecture(), config.latest_branch.as_str()), ("arm64", "main"));
}

#[test]
fn faults_of_variables_name_the_variable() {
    let (_directory, context) = run("push");
    let mut variables = script(&[]);
    variables.retain(|(name, _)| !matches!(*name, "DOMAIN" | "CI_DOCKER_PLATFORM" | "CI_DOCKERFILE"));
    variables.extend([("DOMAIN", "https://x"), ("CI_DOCKER_PLATFORM", "amd64"), ("CI_DOCKERFILE", "no")]);
    let faults = resolve(&context, &variables).unwrap_err();
    let named: Vec<&str> = faults.iter().map(|fault| fault.input.as_str()).collect();
    assert_eq!(named, ["DOMAIN", "CI_DOCKERFILE", "CI_DOCKER_PLATFORM"]);
}

#[test]
fn tags_follow_the_event_and_not_a_variable() {
    for (event, git_ref, warned) in [
        (Event::Push { deleted: false }, GitRef::Branch("feature/Boxes".into()), false),
        (Event::Push { deleted: false }, GitRef::Branch("main".into()), true),
        (Event::WorkflowDispatch, GitRef::Tag("v1.2.3".into()), true),
        (event("pull_request"), GitRef::Pull(42), false),
        (event("pull_request_target"), GitRef::Branch("main".into()), false),
    ] {
        let (_directory, mut context) = run("push");
        (context.event, context.git_ref) = (event, git_ref);
        let (_, notices) = resolve(&context, &script(&[])).unwrap();
        let warnings = notices.iter().filter(|notice| notice.level == Level::Warning).count();
        assert_eq!(warnings == 1, warned, "{:?}: {notices:?}", context.git_ref);
    }
}

#[test]
fn a_merge_needs_nothing_that_only_a_build_uses() {
    let (directory, context) = run("push");
    std::fs::remove_file(directory.path().join("Dockerfile")).unwrap();
    let shared = [
        ("INPUT_IMAGE_NAME", "api"),
        ("INPUT_DOCKERFILE", "docker/api.Dockerfile"),
        ("INPUT_CONTEXT", "services/api"),
        ("INPUT_BUILD_CONTEXTS", "base=services/base"),
        ("INPUT_SECRET_FILES", "npm=.npmrc"),
        ("INPUT_SECRET_ENVS", "TOKEN"),
        ("INPUT_SSH", "default=key"),
        ("INPUT_BUILDER", "docker-container"),
        ("INPUT_BUILDKITD_CONFIG", "buildkitd.toml"),
        ("INPUT_CACHE_TO", "type=nothing"),
        ("INPUT_LABELS", "team=shop"),
    ];
    let given = |mode: &str, platform: &str| {
        let mut given = shared.to_vec();
        let extra = [("INPUT_MODE", mode), ("INPUT_PLATFORM", platform)];
        given.extend(extra.iter().filter(|(_, value)| !value.is_empty()));
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let resolved = |mode, platform| {
        let given = given(mode, platform);
        let given: Vec<_> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        resolve(&context, &given)
    };
    let (config, _) = resolved("merge", "").unwrap();
    assert_eq!((config.mode, config.platforms.len()), (Mode::Merge, 2));
    assert_eq!(config.labels, [("team".to_owned(), "shop".to_owned())]);
    assert_eq!(config.dockerfile.directory, None);
    assert_eq!(config.builder.protocols.len(), 0, "its file is not there");
    std::fs::write(directory.path().join("buildkitd.toml"), "registry.\"r.io\".http = true").unwrap();
    let (config, _) = resolved("merge", "").unwrap();
    assert_eq!(config.builder.protocols.len(), 1, "a merge speaks to registries too");
    for (config, expected) in [("buildkitd.toml", 0), ("registry.\"r.io\".http = true", 1)] {
        let on_behalf = RunnerContext { event: event("pull_request_target"), ..context.clone() };
        let given =
            [("INPUT_IMAGE_NAME", "api"), ("INPUT_BUILDKITD_CONFIG", config), ("INPUT_MODE", "merge")];
        let (read, _) = resolve(&on_behalf, &given).unwrap();
        assert_eq!(read.builder.protocols.len(), expected, "a stranger may have written the file: {config}");
    }
    let faults = |mode, platform| -> Vec<String> {
        resolved(mode, platform).unwrap_err().into_iter().map(|fault| fault.input).collect()
    };
    assert!(faults("leg", "linux/amd64").contains(&"dockerfile".to_owned()));
    assert!(faults("leg", "").contains(&"platform".to_owned()));
    assert_eq!(faults("merge", "linux/none/at/all"), ["platform"]);
    std::fs::write(directory.path().join("Dockerfile"), "FROM scratch").unwrap();
    let (leg, _) = resolve(
        &context,
        &[("INPUT_IMAGE_NAME", "api"), ("INPUT_MODE", "leg"), ("INPUT_PLATFORM", "linux/arm64")],
    )
    .unwrap();
    assert_eq!(leg.mode, Mode::Leg);
}

#[test]
fn a_check_needs_nothing_but_a_dockerfile() {
    let (directory, context) = run("pull_request");
    let (config, notices) = resolve(&context, &[("INPUT_MODE", "check")]).unwrap();
    assert_eq!((config.mode, config.check_level, config.push), (Mode::Check, CheckLevel::Error, Push::No));
    assert_eq!(notices, []);
    // What the job that builds is given, in a fork that has none of its secrets.
    let shared = [
        ("INPUT_MODE", "check"),
        ("INPUT_CHECK_LEVEL", "warning"),
        ("INPUT_REPOSITORY", "docker.io//api"),
        ("INPUT_TAGS", "type=nothing"),
        ("INPUT_REGISTRY_AUTH", "- registry: docker.io\n  username: ''\n  password: ''"),
        ("INPUT_SECRET_FILES", "npm=.npmrc"),
        ("INPUT_SSH", "default=key"),
        ("INPUT_CACHE_TO", "type=nothing"),
        ("INPUT_DEPLOY", "nonsense"),
        ("INPUT_PROMOTE", "only"),
        ("INPUT_FROM", "x"),
        ("INPUT_BUILD_ARGS", "A={{version}}"),
        ("INPUT_PLATFORM", "linux/arm64,linux/amd64"),
    ];
    let (config, notices) = resolve(&context, &shared).unwrap();
    assert_eq!((config.check_level, config.tags.as_ref()), (CheckLevel::Warning, None));
    assert!(notices.iter().all(|notice| notice.level == Level::Debug), "{notices:?}");
    assert_eq!(config.targets.to_string(), "ghcr.io/acme/shop");
    assert_eq!((config.build_args.len(), config.build.ssh.len()), (1, 0));
    assert_eq!(config.built_platforms(), &config.platforms[..1]);
    // What is sound stays: build arguments may speak of it, and a builder may have to reach the registry.
    let named = [("INPUT_MODE", "check"), ("INPUT_REGISTRY", "localhost:5000"), ("INPUT_IMAGE_NAME", "Api")];
    let (config, notices) = resolve(&context, &[&named[..], &[("INPUT_TAGS", "type=sha")]].concat()).unwrap();
    assert!(config.tags.is_some() && config.nearest_registry().is_loopback());
    assert_eq!(notices, []);
    // A remote context may need what a step would.
    let remote = [
        ("INPUT_MODE", "check"),
        ("INPUT_CONTEXT", "https://github.com/acme/lib.git"),
        ("INPUT_SECRETS", "GIT_AUTH_TOKEN=hunter2"),
    ];
    let (config, _) = resolve(&context, &remote).unwrap();
    assert_eq!(config.build.secrets, ["GIT_AUTH_TOKEN"]);
    let faults = resolve(&context, &[("INPUT_MODE", "check"), ("INPUT_CHECK_LEVEL", "info")]).unwrap_err();
    assert!(faults[0].to_string().contains("`warning`"), "{faults:?}");
    std::fs::remove_file(directory.path().join("Dockerfile")).unwrap();
    assert_eq!(resolve(&context, &[("INPUT_MODE", "check")]).unwrap_err()[0].input, "dockerfile");
}

#[test]
fn the_level_of_a_check_means_nothing_to_a_build() {
    let (_directory, context) = run("push");
    let given = [("INPUT_IMAGE_NAME", "api"), ("INPUT_CHECK_LEVEL", "warning")];
    let (_, notices) = resolve(&context, &given).unwrap();
    assert!(
        notices[0].message.starts_with("`check_level` has no effect without `mode: check`"),
        "{notices:?}"
    );
}
