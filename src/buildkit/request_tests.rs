//! Plans and the requests that carry them out.

use super::*;
use crate::inputs::config::Dockerfile;
use crate::model::{Attestation, CompressionKind, ContextSource, Platform, Repository};
use crate::plan::build::VersionControl;

fn plan() -> BuildPlan {
    let dockerfile = Dockerfile {
        directory: Some("/w/build".into()),
        file_name: "api.Dockerfile".into(),
        in_workspace: "build/api.Dockerfile".into(),
    };
    let platforms = vec![Platform::parse("linux/arm64").unwrap()];
    BuildPlan::new(ContextSource::Directory("/w".into()), dockerfile, platforms)
}

fn sorted(attrs: &HashMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = attrs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines.sort();
    lines
}

fn request(plan: &BuildPlan) -> SolveRequest {
    let ids = BuildIds { reference: "ref".into(), session: "session".into() };
    solve_request(plan, &ids, &Address::DockerSocket("/s".into()))
}

#[test]
fn arguments_that_no_plan_holds_are_beside_it() {
    let mut request = request(&plan());
    add_arguments(&mut request, &[("http_proxy".into(), Secret::new("http://bob:hunter2@p:3128"))]);
    assert_eq!(request.frontend_attrs["build-arg:http_proxy"], "http://bob:hunter2@p:3128");
}

#[test]
fn frontend() {
    type Change = fn(&mut BuildPlan);
    let table: &[(Change, &[&str])] = &[
        (|_| {}, &["filename=api.Dockerfile", "image-resolve-mode=local", "platform=linux/arm64"]),
        (
            |plan| {
                plan.pull = true;
                plan.no_cache = true;
                plan.target = Some("web".into());
                plan.platforms.push(Platform::parse("linux/amd64").unwrap());
            },
            &[
                "filename=api.Dockerfile",
                "image-resolve-mode=pull",
                "no-cache=",
                "platform=linux/arm64,linux/amd64",
                "target=web",
            ],
        ),
        (
            |plan| {
                plan.build_args = vec![("A".into(), "1=2,3".into()), ("B".into(), String::new())];
                plan.labels.insert("org.opencontainers.image.title".into(), "a b".into());
            },
            &[
                "build-arg:A=1=2,3",
                "build-arg:B=",
                "filename=api.Dockerfile",
                "image-resolve-mode=local",
                "label:org.opencontainers.image.title=a b",
                "platform=linux/arm64",
            ],
        ),
    ];
    for (change, expected) in table {
        let mut plan = plan();
        change(&mut plan);
        assert_eq!(sorted(&request(&plan).frontend_attrs), *expected);
    }
    let ids = BuildIds { reference: "ref".into(), session: "session".into() };
    let buildkitd = solve_request(&plan(), &ids, &Address::BuildkitSocket("/s".into()));
    assert!(!buildkitd.frontend_attrs.contains_key("image-resolve-mode"));
}

#[test]
fn exporters() {
    let repository = Repository::parse("ghcr.io/acme/api").unwrap();
    let names = || vec!["ghcr.io/acme/api:1".to_owned(), "ghcr.io/acme/api:main".to_owned()];
    let expected: &[&str] = &["name=ghcr.io/acme/api:1,ghcr.io/acme/api:main", "oci-mediatypes=true"];
    let table: &[(Export, &str, Option<i64>, &[&str])] = &[
        (Export::Digest, "image", None, &["oci-mediatypes=true", "store=false"]),
        (Export::Store(names()), "moby", None, expected),
        (Export::Archive(names()), "docker", None, expected),
        (Export::Layout, "oci", None, &["oci-mediatypes=true", "tar=false"]),
        (
            Export::PushByDigest(repository.into()),
            "image",
            Some(-7),
            &[
                "name=ghcr.io/acme/api",
                "oci-mediatypes=true",
                "push-by-digest=true",
                "push=true",
                "source-date-epoch=-7",
                "store=false",
            ],
        ),
    ];
    for (export, kind, source_date_epoch, expected) in table {
        let plan = BuildPlan { export: export.clone(), source_date_epoch: *source_date_epoch, ..plan() };
        let request = request(&plan);
        assert_eq!(request.exporters.len(), 1);
        assert_eq!(request.exporters[0].r#type, *kind);
        assert_eq!(sorted(&request.exporters[0].attrs), *expected);
        assert_eq!(request.exporter_deprecated, *kind);
        assert_eq!(request.exporter_attrs_deprecated, request.exporters[0].attrs);
    }
    for (level, force, expected) in [
        (None, false, &["compression=zstd", "oci-mediatypes=true", "store=false"][..]),
        (
            Some(19),
            true,
            &[
                "compression-level=19",
                "compression=zstd",
                "force-compression=true",
                "oci-mediatypes=true",
                "store=false",
            ],
        ),
    ] {
        let compression = Some(Compression { kind: CompressionKind::Zstd, level, force });
        let request = request(&BuildPlan { export: Export::Digest, compression, ..plan() });
        assert_eq!(sorted(&request.exporters[0].attrs), expected);
    }
    let nothing = request(&plan());
    assert!(nothing.exporters.is_empty() && nothing.exporter_deprecated.is_empty());
    assert_eq!((nothing.r#ref.as_str(), nothing.session.as_str()), ("ref", "session"));
}

fn platform(text: &str) -> Platform {
    Platform::parse(text).unwrap()
}

fn attributes(change: impl FnOnce(&mut BuildPlan)) -> Vec<String> {
    let mut plan = plan();
    change(&mut plan);
    let usual = ["filename=", "image-resolve-mode=", "platform="];
    let all = sorted(&request(&plan).frontend_attrs).into_iter();
    all.filter(|line| !usual.iter().any(|usual| line.starts_with(usual))).collect()
}

#[test]
fn how_steps_run() {
    type Change = fn(&mut BuildPlan);
    let table: &[(Change, &[&str])] = &[
        (|plan| plan.run.network = Some(NetworkMode::None), &["force-network-mode=none"]),
        (|plan| plan.run.network = Some(NetworkMode::Host), &["force-network-mode=host"]),
        (
            |plan| {
                plan.run.add_hosts = vec![
                    ("db".into(), HostAddress::Ip([10, 0, 0, 1].into())),
                    ("six".into(), HostAddress::Ip("::1".parse().unwrap())),
                ];
            },
            &["add-hosts=db=10.0.0.1,six=::1"],
        ),
        (
            |plan| {
                plan.run.ulimits = vec![("nofile".into(), 1024, 2048), ("core".into(), -1, -1)];
                plan.run.shm_size = Some(64 << 20);
                plan.run.cgroup_parent = Some("ci.slice".into());
            },
            &["cgroup-parent=ci.slice", "shm-size=67108864", "ulimit=nofile=1024:2048,core=-1:-1"],
        ),
        (|plan| plan.no_cache_filters = vec!["a".into(), "b".into()], &["no-cache=a,b"]),
        (
            |plan| {
                plan.no_cache_filters = vec!["a".into()];
                plan.no_cache = true;
            },
            &["no-cache="],
        ),
    ];
    for (change, expected) in table {
        assert_eq!(attributes(change), *expected);
    }
    let mut plan = plan();
    plan.entitlements = vec!["network.host".into(), "device=a,b".into()];
    assert_eq!(request(&plan).entitlements, ["network.host", "device=a,b"]);
}

#[test]
fn attestations_are_told_to_the_frontend() {
    let attestation = |kind: &str, attrs: &[(&str, &str)]| Attestation {
        kind: kind.into(),
        attrs: attrs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    };
    let revision = crate::model::CommitId::parse(&"1".repeat(40)).unwrap();
    let source = VersionControl { url: "https://github.com/acme/shop".into(), revision };
    let lines = attributes(|plan| {
        plan.export = Export::Digest;
        plan.source = Some(source.clone());
        plan.attestations = vec![
            attestation("provenance", &[("mode", "min"), ("inline-only", "true")]),
            attestation("sbom", &[("generator", "acme/scan:1"), ("EXCLUDE", "/a,\"b\"")]),
        ];
    });
    assert_eq!(
        lines,
        [
            "attest:provenance=inline-only=true,mode=min",
            "attest:sbom=\"EXCLUDE=/a,\"\"b\"\"\",generator=acme/scan:1",
            "vcs:revision=1111111111111111111111111111111111111111",
            "vcs:source=https://github.com/acme/shop",
        ]
    );
    let plain = attributes(|plan| {
        plan.export = Export::Digest;
        plan.attestations = vec![attestation("sbom", &[])];
    });
    assert_eq!(plain, ["attest:sbom="]);
    let none = attributes(|plan| plan.attestations = vec![attestation("sbom", &[])]);
    assert_eq!(none, Vec::<String>::new(), "nothing is exported");
    assert_eq!(attributes(|plan| plan.source = Some(source.clone())), Vec::<String>::new());
}

#[test]
fn annotations_at_every_level() {
    let annotation = |level, on: Option<&str>, value: &str| Annotation {
        level,
        platform: on.map(platform),
        key: "k".into(),
        value: value.into(),
    };
    let all = vec![
        annotation(AnnotationLevel::Manifest, Some("linux/arm64"), "1"),
        annotation(AnnotationLevel::Manifest, None, "2"),
        annotation(AnnotationLevel::Manifest, Some("linux/amd64"), "3"),
        annotation(AnnotationLevel::Index, None, "4"),
        annotation(AnnotationLevel::ManifestDescriptor, Some("linux/arm64"), "5"),
        annotation(AnnotationLevel::IndexDescriptor, None, "6"),
    ];
    let of = |platforms: &[&str]| {
        let plan = BuildPlan {
            annotations: all.clone(),
            platforms: platforms.iter().map(|text| platform(text)).collect(),
            export: Export::Digest,
            ..plan()
        };
        let lines = sorted(&request(&plan).exporters[0].attrs);
        lines.into_iter().filter(|line| line.starts_with("annotation")).collect::<Vec<_>>()
    };
    assert_eq!(
        of(&["linux/arm64", "linux/amd64"]),
        [
            "annotation-index-descriptor.k=6",
            "annotation-index.k=4",
            "annotation-manifest-descriptor[linux/arm64].k=5",
            "annotation.k=2",
            "annotation[linux/amd64].k=3",
            "annotation[linux/arm64].k=1",
        ]
    );
    // No index: its annotations would be refused, and a platform is not looked for.
    assert_eq!(of(&["linux/arm64"]), ["annotation.k=1"]);
    assert_eq!(of(&["linux/s390x"]), ["annotation.k=2"]);
}
