//! The input `mode`: whether a job makes an image, one platform of it, or joins what other jobs have made.
//!
//! Inputs that only a build uses mean nothing to a merge: a workflow may give them to all jobs of an image, and what
//! they name (files, variables) need not be there.

use super::builder;
use super::dockerfile::Dockerfile;
use super::fault::{Findings, InputFault, shown};
use super::files;
use super::parse;
use super::raw::RawInputs;
use super::shared::Shared;
use super::tag_options::Promote;
use crate::model::{ContextSource, Platform, Secret};
use crate::runner::context::{Paths, RunnerContext};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It makes an image.
    Build,
    /// It makes one platform of an image, without a tag.
    Leg,
    /// It joins the legs of its run to an image.
    Merge,
}

/// Reads the input `mode`; nothing means a build.
pub(super) fn parse(text: &str) -> Result<Mode, InputFault> {
    if text.trim() == "check" {
        return Err(InputFault::new("mode", "`check` is not supported yet in this version"));
    }
    parse::one_of("mode", text, &[("build", Mode::Build), ("leg", Mode::Leg), ("merge", Mode::Merge)])
}

/// Reports what other inputs ask for that does not go together with a mode.
pub(super) fn judge(mode: Mode, platforms: Option<&[Platform]>, promote: Promote, findings: &mut Findings) {
    if let (Mode::Leg, Some(platforms)) = (mode, platforms)
        && platforms.len() > 1
    {
        let names: Vec<String> = platforms.iter().map(|platform| format!("`{platform}`")).collect();
        let message = format!("a leg is built for one platform, not for {}", shown(&names.join(" and ")));
        findings.faults.push(
            InputFault::new("platform", message).hint(
                "with `mode: leg` each job of a matrix names its own: `platform: ${{ matrix.platform }}`",
            ),
        );
    }
    if mode != Mode::Build && promote == Promote::Only {
        let message = "`only` tags an image that is there already, and legs are built";
        findings.faults.push(InputFault::new("promote", message).hint("leave `promote` or `mode` out"));
    }
}

/// Takes away what only a build uses.
pub(super) fn without_build(inputs: &mut RawInputs, paths: &Paths) {
    // This says how registries are spoken to as well. Its file need not be there.
    if builder::config(&inputs.buildkitd_config, &Shared::new(paths)).is_err() {
        inputs.buildkitd_config.clear();
    }
    for text in [
        &mut inputs.dockerfile,
        &mut inputs.build_args,
        &mut inputs.build_contexts,
        &mut inputs.target,
        &mut inputs.no_cache,
        &mut inputs.no_cache_filters,
        &mut inputs.pull,
        &mut inputs.secret_envs,
        &mut inputs.secret_files,
        &mut inputs.ssh,
        &mut inputs.network,
        &mut inputs.add_hosts,
        &mut inputs.ulimit,
        &mut inputs.shm_size,
        &mut inputs.cgroup_parent,
        &mut inputs.allow,
        &mut inputs.provenance,
        &mut inputs.sbom,
        &mut inputs.attests,
        &mut inputs.cache_timeout,
        &mut inputs.builder,
        &mut inputs.builder_image,
        &mut inputs.builder_keep,
        &mut inputs.emulation,
        &mut inputs.emulator_image,
    ] {
        text.clear();
    }
    for secret in [&mut inputs.secrets, &mut inputs.cache, &mut inputs.cache_from, &mut inputs.cache_to] {
        *secret = Secret::default();
    }
}

/// Where a merge looks for what is checked out, which need not be anything. It has no Dockerfile.
pub(super) fn places(
    inputs: &RawInputs,
    context: &RunnerContext,
    findings: &mut Findings,
) -> Option<(ContextSource, Dockerfile)> {
    let workspace = findings.take(files::workspace(&context.paths))?;
    let text = parse::line("context", &inputs.context).ok().flatten().unwrap_or_default();
    let directory = files::context("context", &text, &workspace, &context.paths).unwrap_or(workspace);
    let dockerfile = Dockerfile { directory: None, file_name: String::new(), in_workspace: String::new() };
    Some((ContextSource::Directory(directory), dockerfile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, mode) in
            [("", Mode::Build), ("build", Mode::Build), (" leg\n", Mode::Leg), ("merge", Mode::Merge)]
        {
            assert_eq!(parse(text), Ok(mode));
        }
        assert_eq!(parse("check").unwrap_err().message, "`check` is not supported yet in this version");
        assert!(parse("join").unwrap_err().to_string().contains("`leg`"));
    }

    #[test]
    fn what_goes_with_a_mode() {
        let platforms = |names: &[&str]| -> Vec<Platform> {
            names.iter().map(|name| Platform::parse(name).unwrap()).collect()
        };
        let (one, two) = (platforms(&["linux/amd64"]), platforms(&["linux/arm64", "linux/amd64"]));
        for (mode, platforms, promote, expected) in [
            (Mode::Build, &two, Promote::Only, &[][..]),
            (Mode::Leg, &one, Promote::Auto, &[]),
            (
                Mode::Leg,
                &two,
                Promote::Never,
                &[
                    "input `platform`: a leg is built for one platform, not for `linux/arm64` and `linux/amd64` \
                   (with `mode: leg` each job of a matrix names its own: `platform: ${{ matrix.platform }}`)",
                ],
            ),
            (Mode::Merge, &two, Promote::Auto, &[]),
            (
                Mode::Merge,
                &one,
                Promote::Only,
                &["input `promote`: `only` tags an image that is there already, and legs are built \
                   (leave `promote` or `mode` out)"],
            ),
        ] {
            let mut findings = Findings::default();
            judge(mode, Some(platforms), promote, &mut findings);
            let said: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
            assert_eq!(said, expected, "{mode:?}");
        }
    }
}
