//! `mode: check`: what fails it, and what of the other inputs means something to it.
//!
//! A job that checks has the inputs of the one that builds, and one input more; on a fork's pull request without the
//! repository's secrets. So whatever says where an image goes, what it is called and what becomes of it is not judged here:
//! it is taken away. What the frontend is told of a build stays.

use super::fault::{Findings, InputFault, Notice};
use super::image::{self, TargetInputs};
use super::script::Filled;
use super::{parse, remote, tags};
use crate::model::Secret;
use crate::rules::TagRules;
use crate::runner::context::RunnerContext;

/// What fails a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckLevel {
    /// A Dockerfile that could not be built, also because it says itself that a finding is an error.
    Error,
    /// Any finding.
    Warning,
    /// Nothing that is found.
    None,
}

impl CheckLevel {
    /// As the input names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::None => "none",
        }
    }
}

/// Reads the input `check_level`.
pub(super) fn level(text: &str) -> Result<CheckLevel, InputFault> {
    let words = [CheckLevel::Error, CheckLevel::Warning, CheckLevel::None].map(|level| (level.name(), level));
    parse::one_of("check_level", text, &words)
}

/// What to say of the input where nothing is checked: a build tells findings, too, and they fail it only if the Dockerfile says
/// so.
pub(super) fn without_effect(text: &str) -> Option<Notice> {
    let message = "`check_level` has no effect without `mode: check`: what a build is told of its Dockerfile is a warning, \
                   unless the Dockerfile says `# check=error=true`";
    (!text.trim().is_empty()).then(|| Notice::plain(message))
}

/// Takes away what a check has no use for.
pub(super) fn without_image(filled: &mut Filled, context: &RunnerContext) {
    "false".clone_into(&mut filled.inputs.push);
    if !is_named_soundly(filled, context) {
        let inputs = &mut filled.inputs;
        for text in [&mut inputs.image_name, &mut inputs.repository, &mut inputs.registry] {
            text.clear();
        }
        for text in [&mut inputs.tags, &mut inputs.flavor] {
            text.clear();
        }
    }
    let inputs = &mut filled.inputs;
    for text in [
        &mut inputs.platform_tags,
        &mut inputs.existing_version,
        &mut inputs.hold_back,
        &mut inputs.promote,
        &mut inputs.labels,
        &mut inputs.annotations,
        &mut inputs.create_repository,
        &mut inputs.no_cache,
        &mut inputs.no_cache_filters,
        &mut inputs.network,
        &mut inputs.add_hosts,
        &mut inputs.ulimit,
        &mut inputs.shm_size,
        &mut inputs.cgroup_parent,
        &mut inputs.allow,
        &mut inputs.provenance,
        &mut inputs.sbom,
        &mut inputs.compression,
        &mut inputs.attests,
        &mut inputs.cache_timeout,
        &mut inputs.emulation,
        &mut inputs.emulator_image,
        &mut inputs.verify,
        &mut inputs.verify_platforms,
        &mut inputs.verify_env,
        &mut inputs.verify_network,
        &mut inputs.verify_timeout,
        &mut inputs.load,
        &mut inputs.from,
        &mut inputs.deploy,
        &mut inputs.deploy_app_id,
        &mut inputs.retries,
    ] {
        text.clear();
    }
    for secret in [&mut inputs.cache_from, &mut inputs.cache_to] {
        *secret = Secret::default();
    }
    for secret in [&mut inputs.deploy_token, &mut inputs.deploy_app_key] {
        *secret = Secret::default();
    }
    inputs.cache = Secret::new("off");
    if remote::url("context", &inputs.context, &context.server_url).is_none() {
        // No step runs that could use them.
        inputs.secrets = Secret::default();
        for text in [&mut inputs.secret_envs, &mut inputs.secret_files, &mut inputs.ssh] {
            text.clear();
        }
    }
}

/// Whether what says where the image goes and what it is called says so. It is kept then, as build arguments may speak of it,
/// and as it says which registry a builder has to reach.
fn is_named_soundly(filled: &Filled, context: &RunnerContext) -> bool {
    let mut findings = Findings::default();
    let mut rules = tags::read(&filled.inputs, &mut findings);
    let references = rules.as_ref().map(TagRules::repositories).unwrap_or_default();
    let named = image::targets(&TargetInputs { references, ..filled.target_inputs(context) });
    let Ok(named) = named else { return false };
    if let Some(rules) = &mut rules {
        tags::judge(rules, &named, &mut findings);
    }
    findings.faults.is_empty()
}
