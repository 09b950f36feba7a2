//! The inputs of the build surface, the cache and the builders: together, all wrong at once, and masked.

use super::*;
use crate::inputs::config::MetadataEnv;
use crate::model::AnnotationLevel;

#[test]
fn the_whole_build_surface() {
    let (directory, context) = run("push");
    std::fs::create_dir(directory.path().join("lib")).unwrap();
    std::fs::write(directory.path().join("token"), b"\xff\x00").unwrap();
    let Resolved { config, keyring, notices } = resolve_all(
        &context,
        &[
            ("INPUT_IMAGE_NAME", "api"),
            ("INPUT_CONTEXT", "https://github.com/acme/shop.git#main"),
            ("INPUT_DOCKERFILE", "docker/prod"),
            ("INPUT_PLATFORM", "linux/amd64"),
            ("INPUT_BUILD_CONTEXTS", "lib=lib\nbase=docker-image://alpine:3.22"),
            ("INPUT_SECRETS", "a=1\n"),
            ("INPUT_SECRET_ENVS", "b=MY_TOKEN"),
            ("MY_TOKEN", "two"),
            ("INPUT_SECRET_FILES", "c=token"),
            ("INPUT_SSH", "default=token"),
            ("INPUT_NETWORK", "host"),
            ("INPUT_ADD_HOSTS", "db=10.0.0.1"),
            ("INPUT_ULIMIT", "nofile=1"),
            ("INPUT_SHM_SIZE", "1k"),
            ("INPUT_CGROUP_PARENT", "/ci"),
            ("INPUT_ALLOW", "network.host"),
            ("INPUT_NO_CACHE_FILTERS", "build"),
            ("INPUT_ANNOTATIONS", "index:a=1"),
            ("INPUT_PROVENANCE", "mode=max"),
            ("INPUT_SBOM", "true"),
            ("INPUT_CACHE", "off"),
            ("INPUT_CACHE_FROM", "acme/api:cache"),
            ("INPUT_CACHE_TO", "type=inline"),
            ("INPUT_CACHE_TIMEOUT", "90s"),
            ("INPUT_BUILDER", "docker-container://ci"),
            ("INPUT_BUILDER_IMAGE", "moby/buildkit:rootless"),
            ("INPUT_BUILDKITD_CONFIG", "debug = true"),
            ("INPUT_BUILDER_KEEP", "true"),
            ("INPUT_EMULATION", "off"),
            ("INPUT_EMULATOR_IMAGE", "acme/binfmt"),
        ],
    )
    .unwrap();
    assert_eq!(notices, []);
    assert_eq!(config.context, ContextSource::Remote("https://github.com/acme/shop.git#main".into()));
    assert_eq!((config.dockerfile.directory, config.dockerfile.file_name.as_str()), (None, "docker/prod"));
    let build = config.build;
    let names: Vec<&str> = build.named_contexts.iter().map(|context| context.name.as_str()).collect();
    assert_eq!(names, ["lib", "base"]);
    let secrets: Vec<(&str, &[u8])> =
        keyring.secrets().iter().map(|secret| (secret.id.as_str(), secret.value.as_slice())).collect();
    assert_eq!(secrets, [("a", &b"1"[..]), ("b", b"two"), ("c", b"\xff\x00")]);
    assert_eq!(build.secrets, ["a", "b", "c"]);
    assert_eq!((build.ssh.len(), build.annotations.len(), build.attests.len()), (1, 1, 0));
    assert_eq!(build.run.network, Some(crate::model::NetworkMode::Host));
    assert_eq!((build.run.add_hosts.len(), build.run.ulimits.len(), build.run.shm_size), (1, 1, Some(1024)));
    assert_eq!(build.run.cgroup_parent.as_deref(), Some("/ci"));
    assert_eq!(
        (build.entitlements, build.no_cache_filters),
        (vec!["network.host".into()], vec!["build".into()])
    );
    assert_eq!(build.provenance, AttestationInput::On([("mode".into(), "max".into())].into()));
    assert_eq!(build.sbom, AttestationInput::On([].into()));
    let cache = config.cache;
    assert_eq!((cache.mode, cache.from.len(), cache.to.len()), (CacheMode::Off, 1, 1));
    assert_eq!(cache.timeout, std::time::Duration::from_secs(90));
    let builder = config.builder;
    assert!(matches!(builder.choice, crate::model::BuilderChoice::Nodes(nodes) if nodes.len() == 1));
    assert_eq!(builder.image, "docker.io/moby/buildkit:rootless");
    assert_eq!(builder.buildkitd_config.as_deref(), Some("debug = true"));
    assert_eq!((builder.keep, builder.emulation), (Some(true), false));
    assert_eq!(builder.emulator_image, "docker.io/acme/binfmt:latest");
}

#[test]
fn nothing_said_about_build_cache_and_builder_is_their_default() {
    let (_directory, context) = run("push");
    let (config, _) = resolve(&context, &[("INPUT_IMAGE_NAME", "api")]).unwrap();
    assert_eq!(config.build, BuildOptions::default());
    assert_eq!(config.cache, CacheOptions::default());
    assert_eq!(config.builder, BuilderOptions::default());
}

#[test]
fn what_files_hold_is_masked_too() {
    let (directory, context) = run("push");
    let pem = |text: &str| format!("-----BEGIN X-----\n{text}\n-----END X-----\n");
    std::fs::write(directory.path().join("npmrc"), "//registry/:_authToken=from-a-file\n").unwrap();
    std::fs::write(directory.path().join("binary"), b"\xffbytes").unwrap();
    std::fs::write(directory.path().join("cert"), pem("public")).unwrap();
    std::fs::write(directory.path().join("key"), pem("from-a-key")).unwrap();
    let variables: BTreeMap<String, String> = [
        ("INPUT_IMAGE_NAME", "api"),
        ("INPUT_SECRETS", "a=from-the-input"),
        ("INPUT_SECRET_FILES", "npm=npmrc\nraw=binary"),
        ("INPUT_BUILDER", "tcp://b:1234,cert=cert,key=key"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let Resolved { config, keyring, .. } = Config::resolve(RawInputs::read(&variables), &context).unwrap();
    let masks = crate::inputs::mask::of_config(&config, &keyring, &variables);
    let masks: Vec<&str> = masks.iter().map(crate::model::Secret::expose).collect();
    assert_eq!(masks, ["//registry/:_authToken=from-a-file", "from-a-key"]);
    assert!(!format!("{config:?}").contains("from-"));
}

/// Every new input wrong: each is named, and nothing secret is in what is said.
#[test]
fn all_faults_of_the_build_surface_in_one_run() {
    let (_directory, context) = run("push");
    let wrong = [
        ("INPUT_BUILD_CONTEXTS", "lib"),
        ("INPUT_ANNOTATIONS", "x"),
        ("INPUT_PROVENANCE", "hunter2"),
        ("INPUT_SBOM", "hunter2"),
        ("INPUT_ATTESTS", "type=x"),
        ("INPUT_NO_CACHE_FILTERS", "a b"),
        ("INPUT_ALLOW", "x"),
        ("INPUT_SECRETS", "hunter2"),
        ("INPUT_SECRET_ENVS", "a=hunter2!"),
        ("INPUT_SECRET_FILES", "a=nothing"),
        ("INPUT_SSH", "default"),
        ("INPUT_NETWORK", "x"),
        ("INPUT_ADD_HOSTS", "x"),
        ("INPUT_ULIMIT", "x"),
        ("INPUT_SHM_SIZE", "x"),
        ("INPUT_CGROUP_PARENT", "a\nb"),
        ("INPUT_CACHE", "hunter2"),
        ("INPUT_CACHE_FROM", "type=s3,hunter2"),
        ("INPUT_CACHE_TO", "type=x"),
        ("INPUT_CACHE_TIMEOUT", "0"),
        ("INPUT_BUILDER", "tcp://builder:1234,key"),
        ("INPUT_BUILDER_IMAGE", "a b"),
        ("INPUT_BUILDKITD_CONFIG", "nothing.toml"),
        ("INPUT_BUILDER_KEEP", "x"),
        ("INPUT_EMULATION", "x"),
        ("INPUT_EMULATOR_IMAGE", "a b"),
    ];
    let given: Vec<(&str, &str)> = wrong.into_iter().chain([("INPUT_IMAGE_NAME", "api")]).collect();
    let faults = resolve(&context, &given).unwrap_err();
    let mut named: Vec<String> = faults.iter().map(|fault| fault.input.clone()).collect();
    named.sort();
    let mut expected: Vec<String> =
        wrong.iter().map(|(name, _)| name.trim_start_matches("INPUT_").to_lowercase()).collect();
    expected.sort();
    assert_eq!(named, expected);
    assert!(faults.iter().all(|fault| !fault.to_string().contains("hunter2")), "{faults:#?}");
}

#[test]
fn proxies_of_dockers_configuration_become_build_arguments_and_show_nothing() {
    let (directory, mut context) = run("push");
    let temp = tempfile::tempdir().unwrap();
    let json = r#"{"proxies":{"default":{"httpProxy":"http://bob:hunter%402@p:3128","noProxy":"corp"}}}"#;
    std::fs::write(temp.path().join("config.json"), json).unwrap();
    context.paths.temp = temp.path().to_owned();
    let docker = temp.path().display().to_string();
    let given = [("INPUT_IMAGE_NAME", "api"), ("DOCKER_CONFIG", docker.as_str())];
    let Resolved { config, keyring, .. } = resolve_all(&context, &given).unwrap();
    assert_eq!(config.build.proxies, ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]);
    assert_eq!(config.build_args, []);
    assert_eq!(keyring.proxies()[1].1.expose(), "http://bob:hunter%402@p:3128");
    assert!(!format!("{config:?} {keyring:?}").contains("hunter"));
    let masks = crate::inputs::mask::of_config(&config, &keyring, &BTreeMap::new());
    let masks: Vec<&str> = masks.iter().map(crate::model::Secret::expose).collect();
    assert_eq!(masks, ["hunter%402", "hunter@2"]);
    drop(directory);
}

#[test]
fn a_run_that_does_not_push_needs_no_image_name() {
    let (_directory, context) = run("push");
    let (config, notices) = resolve(&context, &[("INPUT_PUSH", "false")]).unwrap();
    assert_eq!((config.targets.to_string().as_str(), config.push), ("ghcr.io/acme/shop", Push::No));
    assert!(
        notices.iter().any(|notice| notice.message.contains("is called `ghcr.io/acme/shop`")),
        "{notices:?}"
    );
    let faults = resolve(&context, &[("INPUT_PUSH", "auto")]).unwrap_err();
    assert_eq!(faults[0].input, "image_name");
}

#[test]
fn build_push_actions_variables_are_read_and_inputs_win() {
    let (_directory, context) = run("push");
    let variables = [
        ("INPUT_IMAGE_NAME", "api"),
        ("DOCKER_BUILD_SUMMARY", "false"),
        ("DOCKER_BUILD_CHECKS_ANNOTATIONS", "false"),
        ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),
        ("DOCKER_METADATA_PR_HEAD_SHA", "true"),
        ("DOCKER_METADATA_SHORT_SHA_LENGTH", "12"),
        ("DOCKER_METADATA_ANNOTATIONS_LEVELS", "index"),
        ("INPUT_ANNOTATIONS", "team=shop"),
    ];
    let (config, _) = resolve(&context, &variables).unwrap();
    assert_eq!((config.summary, config.build.quiet_checks), (false, true));
    assert_eq!(config.metadata_env, MetadataEnv { pr_head_sha: true, short_sha_length: 12 });
    assert_eq!(config.build.provenance, AttestationInput::Off);
    assert_eq!(config.build.annotation_levels, [AnnotationLevel::Index]);
    assert_eq!(config.build.annotations[0].level, AnnotationLevel::Index);
    let inputs = [("INPUT_SUMMARY", "true"), ("INPUT_PROVENANCE", "true")];
    let (config, _) = resolve(&context, &[&variables[..], &inputs].concat()).unwrap();
    assert!(config.summary);
    assert_eq!(config.build.provenance, AttestationInput::On(BTreeMap::new()));
}

/// An expression that came out empty leaves an empty line, wherever it stood.
#[test]
fn empty_lines_of_a_list_are_nothing() {
    let (directory, context) = run("push");
    std::fs::create_dir(directory.path().join("lib")).unwrap();
    for file in ["one", "two"] {
        std::fs::write(directory.path().join(file), "x").unwrap();
    }
    let lists = [
        ("repository", ["r.io/a", "s.io/b,enable=true"]),
        ("platform", ["linux/amd64", "linux/arm64"]),
        ("tags", ["type=sha", "r.io/a:1"]),
        ("flavor", ["latest=false", "suffix=-alpine"]),
        ("platform_tags", ["{{tag}}-{{arch}}", "{{arch}}-{{tag}}"]),
        ("labels", ["a=1", "b=2"]),
        ("annotations", ["a=1", "index:b=2"]),
        ("build_args", ["A=1", "B=2"]),
        ("build_contexts", ["lib=lib", "base=docker-image://alpine:3.22"]),
        ("no_cache_filters", ["one", "two"]),
        ("secrets", ["A=1", "B=2"]),
        ("secret_envs", ["a=MY_TOKEN", "b=MY_TOKEN"]),
        ("secret_files", ["a=one", "b=two"]),
        ("ssh", ["default=one", "deploy=two"]),
        ("add_hosts", ["a=10.0.0.1", "b=10.0.0.2"]),
        ("ulimit", ["nofile=1", "nproc=2"]),
        ("allow", ["network.host", "security.insecure"]),
        ("attests", ["type=provenance,mode=max", "type=sbom"]),
        ("cache_from", ["acme/api:a", "type=registry,ref=acme/api:b"]),
        ("cache_to", ["type=inline", "acme/api:b"]),
        ("builder", ["linux/amd64=docker-container://a", "linux/arm64=docker-container://b"]),
        ("outputs", ["dist", "type=tar,dest=files.tar"]),
        ("verify", ["migrate validate", "healthcheck"]),
        ("verify_platforms", ["linux/amd64", "linux/arm64"]),
        ("verify_env", ["A=1", "B=2"]),
    ];
    for input in INPUTS.iter().filter(|input| input.kind == crate::inputs::input::Kind::List) {
        assert!(lists.iter().any(|(name, _)| *name == input.name), "`{}` is a list, too", input.name);
    }
    for (name, [one, two]) in lists {
        let read = |text: &str| {
            let variable = format!("INPUT_{}", name.to_uppercase());
            let mut given = vec![("MY_TOKEN", "x"), (variable.as_str(), text)];
            let beside = match name {
                "repository" | "tags" => None,
                "flavor" => Some(("INPUT_TAGS", "r.io/a:1")),
                _ => Some(("INPUT_IMAGE_NAME", "api")),
            };
            given.extend(beside);
            let resolved = resolve_all(&context, &given);
            let Resolved { mut config, keyring, .. } =
                resolved.unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
            // Each knows its line's number.
            let rules = config.tags.take().map(|rules| (rules.entries.len(), rules.flavor));
            config.verify.checks.iter_mut().for_each(|check| check.line = 0);
            (config, rules, keyring.secrets().to_vec())
        };
        let plain = read(&format!("{one}\n{two}"));
        for text in [
            format!("\n{one}\n\n\n{two}\n\n"),
            format!(" \r\n\t\n{one}\r\n \t\r\n\r\n{two}\r\n   \n"),
            format!("\n  \n{one}\n \n{two}\n \n\r\n"),
        ] {
            assert_eq!(read(&text), plain, "{name}: {text:?}");
        }
    }
}
