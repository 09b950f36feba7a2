//! The inputs of the second action, `prepare`: the part of the table that decides who builds.
//!
//! The same text means the same as in the main step, so that the container which is made ahead is the one that is
//! looked for later. Needs no `image_name`, no login and no checkout; a `buildkitd_config` or a certificate that is a
//! file of the workspace is a fault before there is one.

use super::build_options::entitlements;
use super::builder::{self, BuilderOptions};
use super::config::Config;
use super::fault::{Findings, InputFault};
use super::push::{self, Push};
use super::raw::RawInputs;
use super::shared::Shared;
use super::{image, parse, script};
use crate::model::{Platform, RegistryHost};
use crate::runner::context::RunnerContext;

/// What a job will build, as far as its builder is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// What to build for, at least one.
    pub platforms: Vec<Platform>,
    /// Where the image will go: of several registries one that only the host reaches, if there is one.
    pub registry: RegistryHost,
    /// The input `allow`.
    pub entitlements: Vec<String>,
    /// Whether to push.
    pub push: Push,
    /// Who builds.
    pub builder: BuilderOptions,
}

impl From<&Config> for Preparation {
    fn from(config: &Config) -> Self {
        Self {
            platforms: config.built_platforms().to_vec(),
            registry: config.nearest_registry().clone(),
            entitlements: config.build.entitlements.clone(),
            push: config.push,
            builder: config.builder.clone(),
        }
    }
}

impl Preparation {
    /// What these inputs ask for.
    ///
    /// # Errors
    /// Everything that is wrong with any input, at least one fault.
    pub fn resolve(inputs: RawInputs, context: &RunnerContext) -> Result<Self, Vec<InputFault>> {
        let filled = script::fill(inputs, context);
        let inputs = &filled.inputs;
        let mut findings = Findings { faults: inputs.faults.clone(), notices: Vec::new() };
        let platforms =
            parse::platforms(&inputs.platform).map_err(|faults| findings.faults.extend(faults)).ok();
        let registries = findings.take(image::registries(&inputs.repository, &inputs.registry));
        let is_nowhere = registries.as_ref().is_some_and(|named| named.is_nowhere);
        let registry = registries.and_then(|named| image::nearest(named.hosts.iter()).cloned());
        let entitlements = entitlements(&inputs.allow, &mut findings);
        let push = findings.take(push::parse(&inputs.push));
        let push = push.map(|push| if is_nowhere { push.to_nowhere() } else { push });
        let shared = Shared::new(&context.paths);
        let (named, stranger) = (platforms.as_deref().unwrap_or_default(), context.stranger().is_some());
        let builder = builder::read(inputs, named, stranger, &shared, &mut findings);
        match (platforms, registry, push) {
            (Some(platforms), Some(registry), Some(push)) if findings.faults.is_empty() => {
                Ok(Self { platforms, registry, entitlements, push, builder })
            }
            _ => Err(findings.faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::fixture::{context, push};

    fn resolve(inputs: &[(&str, &str)]) -> Result<Preparation, Vec<InputFault>> {
        let variable =
            |(name, text): &(&str, &str)| (format!("INPUT_{}", name.to_uppercase()), (*text).into());
        let variables: BTreeMap<String, String> = inputs.iter().map(variable).collect();
        Preparation::resolve(RawInputs::read(&variables), &context(push(), "refs/heads/main"))
    }

    #[test]
    fn nothing_is_required() {
        let preparation = resolve(&[]).unwrap();
        assert_eq!(preparation.registry.as_str(), "ghcr.io");
        assert_eq!(preparation.platforms.len(), 2);
        assert_eq!(preparation.builder, BuilderOptions::default());
    }

    #[test]
    fn the_registry_comes_from_either_input() {
        for (inputs, expected) in [
            (&[("registry", "localhost:5000")][..], "localhost:5000"),
            (&[("repository", "r.io/acme/api")], "r.io"),
            (&[("repository", "r.io/acme/api\ns.io/acme/api")], "r.io"),
            (&[("repository", "r.io/acme/api\nlocalhost:5000/api\ns.io/acme/api")], "localhost:5000"),
            (&[("repository", "r.io/acme/api\nlocalhost:5000/api,enable=false")], "r.io"),
            // What the main step needs besides may stand there.
            (&[("repository", "r.io/acme/api"), ("image_name", "api")], "r.io"),
        ] {
            assert_eq!(resolve(inputs).unwrap().registry.as_str(), expected);
        }
    }

    #[test]
    fn what_goes_nowhere_is_not_pushed() {
        for (repository, expected) in [
            ("r.io/acme/api,enable=false", Push::Nowhere),
            ("r.io/acme/api,enable=false\ns.io/acme/api", Push::Auto),
        ] {
            assert_eq!(resolve(&[("repository", repository)]).unwrap().push, expected);
        }
    }

    #[test]
    fn all_faults_at_once() {
        let faults = resolve(&[
            ("platform", "windows"),
            ("registry", "a b"),
            ("allow", "all"),
            ("emulation", "maybe"),
            ("buildkitd_config", "ci/buildkitd.toml"),
            ("platfrom", "linux/amd64"),
        ])
        .unwrap_err();
        let mut named: Vec<&str> = faults.iter().map(|fault| fault.input.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, ["allow", "buildkitd_config", "emulation", "platform", "platfrom", "registry"]);
    }
}
