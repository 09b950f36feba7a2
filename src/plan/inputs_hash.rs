//! The hash of what an image is built from, so that a release can tell whether the commit's image is the one that it
//! would build.
//!
//! It covers what the workflow says: the Dockerfile's text and place, target, platforms, the definition of the
//! contexts, build arguments, labels, annotations and attestations that were asked for, what steps run with. The
//! content of the contexts is the commit's, which is compared by itself. Ids of secrets are in it, values are not; the
//! value of `version` only where the Dockerfile takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::build::BuildPlan;
use super::dockerfile;
use super::facts::DockerfileText;
use crate::inputs::config::{Config, VersionInput};
use crate::model::{Annotation, ContextSource, Digest, NamedSource, Platform};

/// Changes when the meaning of anything below does.
const FORM: u32 = 2;

#[derive(Serialize)]
struct Inputs<'a> {
    form: u32,
    dockerfile: (&'a str, &'a str),
    target: Option<&'a str>,
    context: String,
    named_contexts: Vec<(&'a str, String)>,
    build_args: BTreeMap<&'a str, &'a str>,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: Vec<String>,
    attestations: String,
    run: String,
    entitlements: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
    ssh: BTreeSet<&'a str>,
}

/// The hash of an image for these platforms; `common` is that of all else.
pub(super) fn inputs_hash(common: &Digest, platforms: &[Platform]) -> Digest {
    let platforms: BTreeSet<String> = platforms.iter().map(ToString::to_string).collect();
    let platforms: Vec<String> = platforms.into_iter().collect();
    Digest::of(format!("{FORM} {common} {}", platforms.join(" ")).as_bytes())
}

/// The hash of all but the platforms, the same in each leg of an image; none where the Dockerfile is not known before the build, or contexts cannot be
/// told by their definition.
pub(super) fn common(
    build: &BuildPlan,
    config: &Config,
    text: &DockerfileText,
    workspace: &Path,
) -> Option<Digest> {
    let DockerfileText::Known(text) = text else { return None };
    let ContextSource::Directory(context) = &build.context else { return None };
    let place = |path: &Path| path.strip_prefix(workspace).unwrap_or(path).display().to_string();
    // The argument that `version: auto` adds does nothing unless the Dockerfile takes it.
    let added =
        config.version == Some(VersionInput::Auto) && !dockerfile::takes(text, super::VERSION_ARGUMENT);
    let kept = |name: &str| !added || config.build_args.iter().any(|(given, _)| given == name);
    let named = build.named_contexts.iter().map(|context| {
        let source = match &context.source {
            NamedSource::Directory(directory) => format!("directory {}", place(directory)),
            NamedSource::Remote(text) => format!("remote {text}"),
            NamedSource::OciLayout { directory, digest } => format!("layout {} {digest}", place(directory)),
        };
        (context.name.as_str(), source)
    });
    let inputs = Inputs {
        form: FORM,
        dockerfile: (&build.dockerfile.in_workspace, text),
        target: build.target.as_deref(),
        context: place(context),
        named_contexts: named.collect(),
        build_args: refs(&build.build_args).filter(|(name, _)| kept(name)).collect(),
        labels: refs(&config.labels).collect(),
        annotations: config.build.annotations.iter().map(annotation).collect(),
        attestations: format!(
            "{:?} {:?} {:?}",
            config.build.provenance, config.build.sbom, config.build.attests
        ),
        run: format!("{:?}", config.build.run),
        entitlements: build.entitlements.iter().map(String::as_str).collect(),
        secrets: build.secrets.iter().map(String::as_str).collect(),
        ssh: build.ssh.iter().map(String::as_str).collect(),
    };
    serde_json::to_vec(&inputs).ok().map(|bytes| Digest::of(&bytes))
}

fn refs(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn annotation(one: &Annotation) -> String {
    format!("{:?} {:?} {}={}", one.level, one.platform, one.key, one.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::fixture::config;
    use crate::model::NamedContext;

    fn hash(config: &Config, text: &str, change: impl FnOnce(&mut BuildPlan)) -> Option<Digest> {
        let mut build =
            BuildPlan::new(config.context.clone(), config.dockerfile.clone(), config.platforms.clone());
        build.build_args = config.build_args.clone();
        build.target = config.target.clone();
        change(&mut build);
        let text = DockerfileText::Known(text.into());
        let common = common(&build, config, &text, Path::new("/github/workspace"))?;
        Some(inputs_hash(&common, &build.platforms))
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
            asked(|config| config.build.sbom = crate::inputs::config::AttestationInput::Off),
        ];
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn what_makes_no_other_image_does_not_count() {
        let plain = hash(&config(), TEXT, |_| {});
        assert_eq!(hash(&config(), TEXT, |build| build.platforms.reverse()), plain);
        assert_eq!(hash(&config(), TEXT, |build| build.shared_key = "x".into()), plain);
        assert_eq!(hash(&config(), TEXT, |build| drop(build.labels.insert("a".into(), "b".into()))), plain);
        assert_eq!(
            hash(&config(), TEXT, |build| build.context = ContextSource::Remote("https://a/b.git".into())),
            None
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
