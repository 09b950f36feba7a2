//! The hash of what an image is built from, so that a release can tell whether the commit's image is the one that it
//! would build.
//!
//! It covers what the workflow says: the Dockerfile's text and place, target, platforms, the definition of the
//! contexts, build arguments, labels, annotations and attestations that were asked for, what steps run with. The
//! content of the contexts is the commit's, which is compared by itself. Ids of secrets are in it, values are not; the
//! value of `version` only where the Dockerfile takes it.
//!
//! Images carry it, so it outlives the code: what is hashed is the JSON of [`Inputs`], which is filled field by field
//! and holds no type of another file. A field that says nothing is left out, so that an input of a later version
//! changes no hash of a workflow that does not use it. Whatever changes the JSON of a golden test takes a new
//! [`SCHEMA`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::build::BuildPlan;
use super::dockerfile;
use super::facts::DockerfileText;
use crate::inputs::config::{AttestationInput, BuildOptions, Config, VersionInput};
use crate::model::{
    Annotation, Compression, ContextSource, Digest, HostAddress, InputsHash, NamedSource, NetworkMode,
    Platform, RunOptions,
};

/// The version of the JSON below.
const SCHEMA: u32 = 1;

/// What one image is built from, in all its platforms.
#[derive(Serialize)]
struct Image<'a> {
    schema: u32,
    /// The digest of [`Inputs`].
    inputs: &'a str,
    platforms: BTreeSet<String>,
}

/// What each platform of an image is built from. Fields are named as the inputs are.
#[derive(Serialize)]
struct Inputs<'a> {
    schema: u32,
    dockerfile: Dockerfile<'a>,
    /// From the workspace.
    #[serde(skip_serializing_if = "String::is_empty")]
    context: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    build_contexts: BTreeMap<&'a str, Context<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    build_args: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotated<'a>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    annotation_levels: BTreeSet<&'static str>,
    /// By kind; `null` for one that is not to be made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attests: BTreeMap<&'a str, Option<&'a BTreeMap<String, String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add_hosts: Vec<Host<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ulimit: Vec<Limit<'a>>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    shm_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup_parent: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    allow: BTreeSet<&'a str>,
    /// Ids.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    secrets: BTreeSet<&'a str>,
    /// Ids.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ssh: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<Compressed>,
}

#[derive(Serialize)]
struct Compressed {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u8>,
    force: bool,
}

#[derive(Serialize)]
struct Dockerfile<'a> {
    /// From the workspace.
    path: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Context<'a> {
    /// From the workspace.
    Directory(String),
    Remote(&'a str),
    OciLayout {
        directory: String,
        digest: &'a str,
    },
}

#[derive(Serialize)]
struct Annotated<'a> {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    address: String,
}

#[derive(Serialize)]
struct Limit<'a> {
    name: &'a str,
    soft: i64,
    hard: i64,
}

/// The hash of an image for these platforms; `common` is that of all else.
pub(super) fn inputs_hash(common: &InputsHash, platforms: &[Platform]) -> InputsHash {
    let image = Image {
        schema: common.schema,
        inputs: common.digest.as_str(),
        platforms: platforms.iter().map(ToString::to_string).collect(),
    };
    InputsHash { schema: common.schema, digest: Digest::of(&json(&image)) }
}

/// The hash of all but the platforms, the same in each leg of an image; none where the Dockerfile is not known before
/// the build, or contexts cannot be told by their definition.
pub(super) fn common(
    build: &BuildPlan,
    config: &Config,
    text: &DockerfileText,
    workspace: &Path,
) -> Option<InputsHash> {
    let DockerfileText::Known(text) = text else { return None };
    let ContextSource::Directory(context) = &build.context else { return None };
    let inputs = json(&inputs(build, config, (context, text), workspace));
    Some(InputsHash { schema: SCHEMA, digest: Digest::of(&inputs) })
}

/// Numbers, texts and maps by text: nothing in them can fail.
fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

fn inputs<'a>(
    build: &'a BuildPlan,
    config: &'a Config,
    (context, text): (&Path, &'a str),
    workspace: &Path,
) -> Inputs<'a> {
    let place = |path: &Path| path.strip_prefix(workspace).unwrap_or(path).display().to_string();
    // The argument that `version: auto` adds does nothing unless the Dockerfile takes it.
    let added =
        config.version == Some(VersionInput::Auto) && !dockerfile::takes(text, super::VERSION_ARGUMENT);
    let kept = |name: &str| !added || config.build_args.iter().any(|(given, _)| given == name);
    let named = build.named_contexts.iter().map(|named| {
        let source = match &named.source {
            NamedSource::Directory(directory) => Context::Directory(place(directory)),
            NamedSource::Remote(text) => Context::Remote(text),
            NamedSource::OciLayout { directory, digest } => {
                Context::OciLayout { directory: place(directory), digest: digest.as_str() }
            }
        };
        (named.name.as_str(), source)
    });
    // As the builder does not fill it in: `host-gateway` is another address on each machine.
    let RunOptions { network, add_hosts, ulimits, shm_size, cgroup_parent } = &config.build.run;
    let host = |(name, address): &'a (String, HostAddress)| {
        let address = match address {
            HostAddress::Ip(address) => address.to_string(),
            HostAddress::Gateway => "host-gateway".to_owned(),
        };
        Host { name, address }
    };
    Inputs {
        schema: SCHEMA,
        dockerfile: Dockerfile { path: &build.dockerfile.in_workspace, text },
        context: place(context),
        build_contexts: named.collect(),
        target: build.target.as_deref(),
        build_args: refs(&build.build_args).filter(|(name, _)| kept(name)).collect(),
        labels: refs(&config.labels).collect(),
        annotations: annotations(&config.build.annotations),
        annotation_levels: config.build.annotation_levels.iter().map(|level| level.name()).collect(),
        attests: attests(&config.build),
        network: network.map(|network| match network {
            NetworkMode::Host => "host",
            NetworkMode::None => "none",
        }),
        add_hosts: add_hosts.iter().map(host).collect(),
        ulimit: ulimits.iter().map(|(name, soft, hard)| Limit { name, soft: *soft, hard: *hard }).collect(),
        shm_size: *shm_size,
        cgroup_parent: cgroup_parent.as_deref(),
        allow: build.entitlements.iter().map(String::as_str).collect(),
        secrets: build.secrets.iter().map(String::as_str).collect(),
        ssh: build.ssh.iter().map(String::as_str).collect(),
        compression: config.build.compression.map(|Compression { kind, level, force }| Compressed {
            kind: kind.name(),
            level,
            force,
        }),
    }
}

fn refs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Each place once, as the last one wins, in an order of their own.
fn annotations(all: &[Annotation]) -> Vec<Annotated<'_>> {
    let mut places = BTreeMap::new();
    for Annotation { level, platform, key, value } in all {
        places
            .insert((level.name(), platform.as_ref().map(ToString::to_string), key.as_str()), value.as_str());
    }
    let annotated = |((level, platform, key), value)| Annotated { level, platform, key, value };
    places.into_iter().map(annotated).collect()
}

/// What was asked for, whichever of the inputs said it.
fn attests(asked: &BuildOptions) -> BTreeMap<&str, Option<&BTreeMap<String, String>>> {
    let mut kinds: BTreeMap<_, _> =
        asked.attests.iter().map(|one| (one.kind.as_str(), Some(&one.attrs))).collect();
    for (kind, input) in [("provenance", &asked.provenance), ("sbom", &asked.sbom)] {
        match input {
            AttestationInput::Auto => {}
            AttestationInput::Off => drop(kinds.insert(kind, None)),
            AttestationInput::On(attrs) => drop(kinds.insert(kind, Some(attrs))),
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::fixture::config;
    use crate::model::{AnnotationLevel, Attestation, CompressionKind, NamedContext};

    fn hash(config: &Config, text: &str, change: impl FnOnce(&mut BuildPlan)) -> Option<InputsHash> {
        let mut build =
            BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone());
        build.build_args = config.build_args.clone();
        build.target = config.target.clone();
        change(&mut build);
        let text = DockerfileText::Known(text.into());
        let common = common(&build, config, &text, Path::new("/github/workspace"))?;
        Some(inputs_hash(&common, &build.platforms))
    }

    fn zstd(level: Option<u8>, force: bool) -> Compression {
        Compression { kind: CompressionKind::Zstd, level, force }
    }

    const TEXT: &str = "FROM alpine\nARG VERSION=0\nRUN true\n";

    #[test]
    fn every_input_of_the_build_counts() {
        let plain = hash(&config(), TEXT, |_| {});
        assert!(plain.is_some());
        let other = |change: fn(&mut BuildPlan)| hash(&config(), TEXT, change);
        let asked = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            hash(&config, TEXT, |_| {})
        };
        let all = [
            plain,
            hash(&config(), "FROM alpine\nRUN true\n", |_| {}),
            other(|build| build.target = Some("web".into())),
            other(|build| build.platforms = vec![Platform::parse("linux/amd64").unwrap()]),
            other(|build| build.build_args.push(("A".into(), "1".into()))),
            other(|build| build.build_args.push(("A".into(), "2".into()))),
            other(|build| build.context = ContextSource::Directory("/github/workspace/web".into())),
            other(|build| {
                let source = NamedSource::Remote("docker-image://alpine:3".into());
                build.named_contexts.push(NamedContext { name: "base".into(), source });
            }),
            other(|build| build.secrets.push("id".into())),
            asked(|config| config.labels.push(("a".into(), "1".into()))),
            asked(|config| config.build.run.shm_size = Some(1)),
            asked(|config| config.build.run.cgroup_parent = Some("1".into())),
            asked(|config| config.build.run.network = Some(NetworkMode::None)),
            asked(|config| config.build.run.ulimits.push(("nofile".into(), 1, 1))),
            asked(|config| config.build.run.add_hosts.push(("a".into(), HostAddress::Gateway))),
            asked(|config| config.build.compression = Some(zstd(None, false))),
            asked(|config| config.build.compression = Some(zstd(Some(3), false))),
            asked(|config| config.build.compression = Some(zstd(None, true))),
            asked(|config| config.build.sbom = AttestationInput::Off),
            asked(|config| config.build.provenance = AttestationInput::Off),
            asked(|config| config.build.provenance = AttestationInput::On(BTreeMap::new())),
            asked(|config| config.build.annotations.push(annotated(AnnotationLevel::Index, None, "1"))),
            asked(|config| config.build.annotation_levels.push(AnnotationLevel::Index)),
            asked(|config| config.build.annotations.push(annotated(AnnotationLevel::Manifest, None, "1"))),
            asked(|config| {
                config.build.annotations.push(annotated(AnnotationLevel::Index, Some("linux/amd64"), "1"));
            }),
        ];
        let distinct: BTreeSet<_> = all.iter().map(|one| one.as_ref().map(ToString::to_string)).collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn what_makes_no_other_image_does_not_count() {
        let plain = hash(&config(), TEXT, |_| {});
        assert_eq!(hash(&config(), TEXT, |build| build.platforms.reverse()), plain);
        assert_eq!(hash(&config(), TEXT, |build| build.proxies.push("HTTP_PROXY".into())), plain);
        assert_eq!(hash(&config(), TEXT, |build| build.shared_key = "x".into()), plain);
        assert_eq!(hash(&config(), TEXT, |build| drop(build.labels.insert("a".into(), "b".into()))), plain);
        assert_eq!(
            hash(&config(), TEXT, |build| build.context = ContextSource::Remote("https://a/b.git".into())),
            None
        );
    }

    #[test]
    fn the_same_said_in_other_ways_is_the_same() {
        let of = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            hash(&config, TEXT, |_| {})
        };
        assert_eq!(
            of(|config| config.build.sbom = AttestationInput::On(BTreeMap::new())),
            of(|config| config.build.attests =
                vec![Attestation { kind: "sbom".into(), attrs: BTreeMap::new() }])
        );
        assert_eq!(
            of(|config| config.build.annotations = vec![annotated(AnnotationLevel::Index, None, "1")]),
            of(|config| {
                config.build.annotations =
                    ["2", "1"].map(|value| annotated(AnnotationLevel::Index, None, value)).into();
            })
        );
    }

    fn annotated(level: AnnotationLevel, on: Option<&str>, value: &str) -> Annotation {
        let platform = on.map(|on| Platform::parse(on).unwrap());
        Annotation { level, platform, key: "k".into(), value: value.into() }
    }

    fn document(build: &BuildPlan, config: &Config, text: &str) -> String {
        let workspace = Path::new("/github/workspace");
        let ContextSource::Directory(context) = &build.context else { panic!("a remote context") };
        let hashed = json(&inputs(build, config, (context, text), workspace));
        let common = common(build, config, &DockerfileText::Known(text.into()), workspace);
        assert_eq!(common.unwrap().digest, Digest::of(&hashed));
        String::from_utf8(hashed).unwrap()
    }

    /// Images that are in registries carry these hashes: another JSON needs another `SCHEMA`.
    #[test]
    fn golden_the_least_that_can_be_asked_for() {
        let mut config = config();
        config.context = ContextSource::Directory("/github/workspace".into());
        config.dockerfile.in_workspace = "Dockerfile".into();
        let build =
            BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone());
        let expected = r#"{"schema":1,"dockerfile":{"path":"Dockerfile","text":"FROM alpine\n"}}"#;
        assert_eq!(document(&build, &config, "FROM alpine\n"), expected);
        let hash = InputsHash { schema: 1, digest: Digest::of(expected.as_bytes()) };
        let whole = inputs_hash(&hash, &config.platforms);
        assert_eq!(
            hash.to_string(),
            "1:sha256:c775ea9e1044fc4da5c6c215aaf871df37af9dfda9ec19d289d6b95096da0f1c"
        );
        assert_eq!(
            whole.to_string(),
            "1:sha256:5f7f6f765a3fa47ad48172529e12a7f7689b9b2b1189f42e33313a0336ed1e42"
        );
        let image =
            format!(r#"{{"schema":1,"inputs":"{}","platforms":["linux/amd64","linux/arm64"]}}"#, hash.digest);
        assert_eq!(whole.digest, Digest::of(image.as_bytes()));
    }

    #[test]
    fn golden_all_that_can_be_asked_for() {
        let mut config = config();
        let attrs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        config.labels = vec![("team".into(), "shop".into())];
        config.build.annotations = vec![
            annotated(AnnotationLevel::Manifest, None, "1"),
            annotated(AnnotationLevel::Manifest, Some("linux/arm/v7"), "2"),
            annotated(AnnotationLevel::Index, None, "3"),
            annotated(AnnotationLevel::ManifestDescriptor, None, "4"),
            annotated(AnnotationLevel::IndexDescriptor, None, "5"),
        ];
        config.build.provenance = AttestationInput::On(attrs(&[("mode", "max")]));
        config.build.sbom = AttestationInput::Off;
        config.build.run = RunOptions {
            network: Some(NetworkMode::Host),
            add_hosts: vec![
                ("db".into(), HostAddress::Ip("10.0.0.1".parse().unwrap())),
                ("host".into(), HostAddress::Gateway),
            ],
            ulimits: vec![("nofile".into(), 1024, -1)],
            shm_size: Some(65536),
            cgroup_parent: Some("ci".into()),
        };
        let named = |name: &str, source| NamedContext { name: name.into(), source };
        let build = BuildPlan {
            named_contexts: vec![
                named("remote", NamedSource::Remote("docker-image://alpine:3".into())),
                named("local", NamedSource::Directory("/github/workspace/lib".into())),
                named(
                    "layout",
                    NamedSource::OciLayout {
                        directory: "/github/workspace/oci".into(),
                        digest: Digest::of(b"layout"),
                    },
                ),
            ],
            target: Some("web".into()),
            build_args: vec![("B".into(), "2".into()), ("A".into(), "1 \"x\"".into())],
            entitlements: vec!["security.insecure".into(), "network.host".into()],
            secrets: vec!["npm".into(), "id".into()],
            ssh: vec!["default".into()],
            ..BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone())
        };
        let expected = concat!(
            r#"{"schema":1,"dockerfile":{"path":"api/Dockerfile","text":"FROM alpine\nARG VERSION=0\nRUN true\n"},"#,
            r#""context":"api","#,
            r#""build_contexts":{"layout":{"oci_layout":{"directory":"oci","digest":"sha256:1dc5ae5b68174891b6aa9850aa05ee0d9ae8a20468d9517259951a2dd9e9c0f0"}},"local":{"directory":"lib"},"remote":{"remote":"docker-image://alpine:3"}},"#,
            r#""target":"web","build_args":{"A":"1 \"x\"","B":"2"},"#,
            r#""labels":{"team":"shop"},"#,
            r#""annotations":[{"level":"index","key":"k","value":"3"},{"level":"index-descriptor","key":"k","value":"5"},{"level":"manifest","key":"k","value":"1"},{"level":"manifest","platform":"linux/arm/v7","key":"k","value":"2"},{"level":"manifest-descriptor","key":"k","value":"4"}],"#,
            r#""attests":{"provenance":{"mode":"max"},"sbom":null},"#,
            r#""network":"host","add_hosts":[{"name":"db","address":"10.0.0.1"},{"name":"host","address":"host-gateway"}],"#,
            r#""ulimit":[{"name":"nofile","soft":1024,"hard":-1}],"shm_size":65536,"cgroup_parent":"ci","#,
            r#""allow":["network.host","security.insecure"],"secrets":["id","npm"],"ssh":["default"]}"#
        );
        assert_eq!(document(&build, &config, TEXT), expected);
        assert_eq!(
            Digest::of(expected.as_bytes()).to_string(),
            "sha256:811934fb9ec7584f0b9394a9a784efe53043d9fd5175a04d578e1802b7a5f382"
        );
    }

    #[test]
    fn legs_have_all_but_the_platform_in_common() {
        let whole = config();
        let common = |platforms: &[Platform]| {
            let build = BuildPlan::new(whole.context.clone(), whole.dockerfile.clone(), platforms.to_vec());
            common(&build, &whole, &DockerfileText::Known(TEXT.into()), Path::new("/github/workspace"))
        };
        let legs: Vec<_> = whole.platforms.chunks(1).map(common).collect();
        assert_eq!(legs[0], legs[1]);
        let of = |platforms: &[Platform]| legs[0].as_ref().map(|common| inputs_hash(common, platforms));
        assert_eq!(of(&whole.platforms), hash(&whole, TEXT, |_| {}));
        assert_ne!(of(&whole.platforms[..1]), hash(&whole, TEXT, |_| {}));
    }

    #[test]
    fn a_version_counts_where_the_dockerfile_takes_it() {
        let config = Config { version: Some(VersionInput::Auto), ..config() };
        let with = |text: &str, version: &str| {
            hash(&config, text, |build| build.build_args.push(("VERSION".into(), version.into())))
        };
        assert_ne!(with(TEXT, "1"), with(TEXT, "2"));
        let none = "FROM alpine\n# ARG VERSION\nRUN echo $VERSION\n";
        assert_eq!(with(none, "1"), with(none, "2"));
        let given = Config { build_args: vec![("VERSION".into(), "1".into())], ..config.clone() };
        assert_ne!(hash(&given, none, |_| {}), with(none, "1"));
    }
}
