//! The input `mode`: whether a job makes an image, makes one that gets its tags later, makes one platform of it, joins what
//! other jobs have made, puts tags on an image that is there, or checks the Dockerfile.
//!
//! Inputs that only a build uses mean nothing to those that join and tag: a workflow may give them to all jobs of an image,
//! and what they name (files, variables) need not be there. What means nothing to a check stands in `check`.

use super::builder;
use super::dockerfile::Dockerfile;
use super::fault::{Findings, InputFault, Notice, shown};
use super::files;
use super::metadata_context::MetadataContext;
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
    /// It makes an image of all its platforms, without a tag.
    Stage,
    /// It joins the legs of its run to an image.
    Merge,
    /// It puts the tags on an image that is there already.
    Tag,
    /// It has the Dockerfile checked, and makes nothing.
    Check,
}

impl Mode {
    /// Whether it builds anything.
    pub fn builds(self) -> bool {
        matches!(self, Self::Build | Self::Leg | Self::Stage)
    }

    /// Whether it needs a Dockerfile, and a builder that reads it.
    pub fn reads_dockerfile(self) -> bool {
        self.builds() || self == Self::Check
    }
}

/// Reads the input `mode`; nothing means a build.
pub(super) fn parse(text: &str) -> Result<Mode, InputFault> {
    let words = [
        ("build", Mode::Build),
        ("leg", Mode::Leg),
        ("merge", Mode::Merge),
        ("stage", Mode::Stage),
        ("tag", Mode::Tag),
        ("check", Mode::Check),
    ];
    parse::one_of("mode", text, &words)
}

/// Reads `platform`. Where an image is tagged that is there already, nothing means all of it.
pub(super) fn platforms(mode: Option<Mode>, text: &str, findings: &mut Findings) -> Option<Vec<Platform>> {
    if mode == Some(Mode::Tag) && text.trim().is_empty() {
        return Some(Vec::new());
    }
    parse::platforms(text).map_err(|faults| findings.faults.extend(faults)).ok()
}

/// What other inputs say that has to go together with a mode.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub platforms: Option<&'a [Platform]>,
    pub promote: Promote,
    pub metadata_context: Option<MetadataContext>,
    /// As it is typed.
    pub from: &'a str,
    /// The image is to be in the local daemon, too.
    pub load: bool,
    /// It is to be in a file, too.
    pub archive: bool,
    /// More is to be made of the build's result.
    pub outputs: bool,
}

/// Reports what other inputs ask for that does not go together with a mode.
pub(super) fn judge(mode: Mode, beside: Beside<'_>, findings: &mut Findings) {
    let Beside { platforms, promote, metadata_context, from, load, archive, outputs } = beside;
    if let Some(platforms) = platforms.filter(|platforms| platforms.len() > 1) {
        let named = |word: &str| {
            let names: Vec<String> = platforms.iter().map(|platform| format!("`{platform}`")).collect();
            shown(&names.join(&format!(" {word} ")))
        };
        let fault = match mode {
            Mode::Build | Mode::Merge | Mode::Stage | Mode::Check => None,
            Mode::Leg => {
                let message = format!("a leg is built for one platform, not for {}", named("and"));
                let hint =
                    "with `mode: leg` each job of a matrix names its own: `platform: ${{ matrix.platform }}`";
                Some(InputFault::new("platform", message).hint(hint))
            }
            Mode::Tag => {
                let message = format!("one platform can be taken out of an image, not {}", named("and"));
                let hint = "leave `platform` out to tag all of what `from` names";
                Some(InputFault::new("platform", message).hint(hint))
            }
        };
        findings.faults.extend(fault);
    }
    if promote == Promote::Only {
        let fault = match mode {
            Mode::Build | Mode::Stage | Mode::Check => None,
            Mode::Leg | Mode::Merge => Some("`only` tags an image that is there already, and legs are built"),
            Mode::Tag => Some("`only` looks for the image of a commit, and `from` names the image"),
        };
        let fault =
            fault.map(|message| InputFault::new("promote", message).hint("leave `promote` or `mode` out"));
        findings.faults.extend(fault);
    }
    if (mode, metadata_context) == (Mode::Tag, Some(MetadataContext::Git)) {
        let message = "`git` speaks of what is checked out, and `mode: tag` of the image that `from` names";
        findings.faults.push(InputFault::new("metadata_context", message).hint("leave it out"));
    }
    if mode == Mode::Leg && load {
        let message = "a leg has no tag that it could be loaded under";
        findings.faults.push(InputFault::new("load", message).hint("load it where the legs are merged"));
    }
    if mode == Mode::Leg && archive {
        let message = "a leg is one platform of an image, and has no tag";
        let hint = "write the archive where the legs are merged";
        findings.faults.push(InputFault::new("archive", message).hint(hint));
    }
    if outputs && (!mode.builds() || promote == Promote::Only) {
        let message = "outputs are made by a build, and nothing is built here";
        let hint = "`archive` writes an image to a file that was built before";
        findings.faults.push(InputFault::new("outputs", message).hint(hint));
    }
    if mode != Mode::Tag && !from.trim().is_empty() {
        let message = "it names an image to put tags on, and this job makes one";
        findings.faults.push(InputFault::new("from", message).hint("write `mode: tag`, or leave `from` out"));
    }
}

/// Takes away what would be written into an image: one that is there already stays as it is. Says so where something was asked
/// for.
pub(super) fn without_writing(inputs: &mut RawInputs) -> Option<Notice> {
    let written = [("labels", &mut inputs.labels), ("annotations", &mut inputs.annotations)];
    let mut asked = Vec::new();
    for (name, text) in written {
        if !std::mem::take(text).trim().is_empty() {
            asked.push(format!("`{name}`"));
        }
    }
    (!asked.is_empty()).then(|| {
        let (names, have) = (asked.join(" and "), if asked.len() > 1 { "have" } else { "has" });
        Notice::plain(format!(
            "{names} {have} no effect with `mode: tag`: nothing is written into an image that is there already"
        ))
    })
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
        &mut inputs.compression,
        &mut inputs.attests,
        &mut inputs.cache_timeout,
        &mut inputs.builder,
        &mut inputs.builder_image,
        &mut inputs.builder_keep,
    ] {
        text.clear();
    }
    // What verifies an image may have to be emulated all the same.
    if inputs.verify.trim().is_empty() {
        inputs.emulation.clear();
        inputs.emulator_image.clear();
    }
    for secret in [&mut inputs.secrets, &mut inputs.cache, &mut inputs.cache_from, &mut inputs.cache_to] {
        *secret = Secret::default();
    }
}

/// Where a job that builds nothing looks for what is checked out, which need not be anything. It has no Dockerfile.
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
        for (text, mode) in [
            ("", Mode::Build),
            ("build", Mode::Build),
            (" leg\n", Mode::Leg),
            ("merge", Mode::Merge),
            ("stage", Mode::Stage),
            ("tag", Mode::Tag),
            ("check", Mode::Check),
        ] {
            assert_eq!(parse(text), Ok(mode));
        }
        assert!(parse("join").unwrap_err().to_string().contains("`leg`"));
    }

    #[test]
    fn what_goes_with_a_mode() {
        let platforms = |names: &[&str]| -> Vec<Platform> {
            names.iter().map(|name| Platform::parse(name).unwrap()).collect()
        };
        let (one, two) = (platforms(&["linux/amd64"]), platforms(&["linux/arm64", "linux/amd64"]));
        let none = Vec::new();
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
            (Mode::Tag, &one, Promote::Never, &[]),
            (Mode::Tag, &none, Promote::Auto, &[]),
            (
                Mode::Tag,
                &two,
                Promote::Only,
                &[
                    "input `platform`: one platform can be taken out of an image, not `linux/arm64` and `linux/amd64` \
                     (leave `platform` out to tag all of what `from` names)",
                    "input `promote`: `only` looks for the image of a commit, and `from` names the image \
                     (leave `promote` or `mode` out)",
                ],
            ),
        ] {
            let mut findings = Findings::default();
            let platforms = Some(platforms.as_slice());
            judge(mode, Beside { platforms, promote, ..BESIDE }, &mut findings);
            let said: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
            assert_eq!(said, expected, "{mode:?}");
        }
    }

    const BESIDE: Beside<'_> = Beside {
        platforms: None,
        promote: Promote::Auto,
        metadata_context: None,
        from: "",
        load: false,
        archive: false,
        outputs: false,
    };

    #[test]
    fn what_is_tagged_and_what_it_is_called_after() {
        let git = Some(MetadataContext::Git);
        for (mode, beside, expected) in [
            (Mode::Tag, Beside { from: "r.io/a:1", ..BESIDE }, None),
            (Mode::Tag, Beside { metadata_context: Some(MetadataContext::Workflow), ..BESIDE }, None),
            (
                Mode::Tag,
                Beside { metadata_context: git, ..BESIDE },
                Some("`metadata_context`: `git` speaks of"),
            ),
            (Mode::Merge, Beside { metadata_context: git, ..BESIDE }, None),
            (Mode::Merge, Beside { from: " ", ..BESIDE }, None),
            (Mode::Merge, Beside { from: "x", ..BESIDE }, Some("(write `mode: tag`, or leave `from` out)")),
            (Mode::Build, Beside { from: "x", ..BESIDE }, Some("`from`: it names an image")),
            (Mode::Leg, Beside { load: true, ..BESIDE }, Some("`load`: a leg has no tag")),
            (Mode::Merge, Beside { load: true, ..BESIDE }, None),
            (Mode::Leg, Beside { archive: true, ..BESIDE }, Some("`archive`: a leg is one platform")),
            (Mode::Tag, Beside { archive: true, ..BESIDE }, None),
            (Mode::Tag, Beside { outputs: true, ..BESIDE }, Some("`outputs`: outputs are made by a build")),
            (Mode::Leg, Beside { outputs: true, ..BESIDE }, None),
        ] {
            let mut findings = Findings::default();
            judge(mode, beside, &mut findings);
            let said = findings.faults.first().map(ToString::to_string);
            assert_eq!(findings.faults.len(), usize::from(expected.is_some()), "{said:?}");
            assert!(expected.is_none_or(|part| said.as_ref().unwrap().contains(part)), "{said:?}");
        }
    }

    #[test]
    fn nothing_is_written_into_an_image_that_is_there() {
        let mut inputs = RawInputs { labels: "a=1".into(), ..RawInputs::default() };
        let said = without_writing(&mut inputs).unwrap().message;
        assert!(said.starts_with("`labels` has no effect with `mode: tag`"), "{said}");
        assert_eq!(without_writing(&mut inputs), None);
        assert_eq!(inputs.labels, "");
    }
}
