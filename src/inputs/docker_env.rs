//! The variables that steer `docker/build-push-action`, `docker/metadata-action` and buildx from a workflow's `env:`, as a
//! workflow that moves over still has them: what has a meaning here is honoured, the others are told once.
//!
//! Obeys `docker/actions-toolkit` (`Util.parseBool`) and buildx (`strconv.ParseBool`), which take the same words; and
//! metadata-action for its own, which it reads in ways of its own. An input wins over a variable.

use super::annotations;
use super::fault::{Findings, InputFault, Notice, shown};
use super::raw::RawInputs;
use crate::model::AnnotationLevel;
use crate::rules;

const SUMMARY: &str = "DOCKER_BUILD_SUMMARY";
const CHECKS: &str = "DOCKER_BUILD_CHECKS_ANNOTATIONS";
const NO_ATTESTATIONS: &str = "BUILDX_NO_DEFAULT_ATTESTATIONS";
const UPLOAD: &str = "DOCKER_BUILD_RECORD_UPLOAD";
const PR_HEAD_SHA: &str = "DOCKER_METADATA_PR_HEAD_SHA";
const SHORT_SHA_LENGTH: &str = "DOCKER_METADATA_SHORT_SHA_LENGTH";
const ANNOTATION_LEVELS: &str = "DOCKER_METADATA_ANNOTATIONS_LEVELS";

/// What the variables of Docker's own actions ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DockerEnv {
    /// Write a job summary, unless the input says otherwise.
    pub summary: bool,
    /// What the frontend finds in the Dockerfile becomes annotations.
    pub annotates_checks: bool,
    /// Make the attestations that nobody asked for.
    pub default_attestations: bool,
    /// What metadata-action's ask of tag rules.
    pub metadata: MetadataEnv,
    /// `DOCKER_METADATA_ANNOTATIONS_LEVELS`: where annotations go that name no level; empty where nobody said it.
    pub annotation_levels: Vec<AnnotationLevel>,
}

/// What the variables of `docker/metadata-action` ask of tag rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataEnv {
    /// `DOCKER_METADATA_PR_HEAD_SHA`: on a pull request's events the commit of rules is the request's head, in the place of its
    /// merge.
    pub pr_head_sha: bool,
    /// `DOCKER_METADATA_SHORT_SHA_LENGTH`: characters of a short commit id in rules, at least one. More than an id has is all
    /// of it.
    pub short_sha_length: usize,
}

impl Default for MetadataEnv {
    fn default() -> Self {
        Self { pr_head_sha: false, short_sha_length: 7 }
    }
}

/// Reads the variables. One that is no boolean is not used and said; a length that is none is a fault, as it would name tags.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> DockerEnv {
    let given = |name: &str| inputs.variables.get(name).map_or("", |value| value.expose().trim());
    let metadata = metadata(given(PR_HEAD_SHA), given(SHORT_SHA_LENGTH), findings);
    let annotation_levels = annotation_levels(given(ANNOTATION_LEVELS), findings);
    let mut flag = |name: &str, default: bool| -> bool {
        let text = given(name);
        if text.is_empty() {
            return default;
        }
        boolean(text).unwrap_or_else(|| {
            findings.notices.push(Notice::warning(format!(
                "the variable `{name}` is not used: `{}` is not a boolean (write `true` or `false`)",
                shown(text)
            )));
            default
        })
    };
    let env = DockerEnv {
        summary: flag(SUMMARY, true),
        annotates_checks: flag(CHECKS, true),
        default_attestations: !flag(NO_ATTESTATIONS, false),
        metadata,
        annotation_levels,
    };
    if flag(UPLOAD, false) {
        findings.notices.push(Notice::plain(format!(
            "`{UPLOAD}` has no effect: this action keeps no build record that could be uploaded"
        )));
    }
    env
}

/// Reads metadata-action's two.
fn metadata(pr_head_sha: &str, short_sha_length: &str, findings: &mut Findings) -> MetadataEnv {
    let default = MetadataEnv::default();
    let length = rules::short_sha_length(short_sha_length).ok_or_else(|| {
        let message = format!("`{}` is not a number of characters", shown(short_sha_length));
        InputFault::new(SHORT_SHA_LENGTH, message).hint("write a whole number from 1 on")
    });
    MetadataEnv {
        pr_head_sha: rules::names_pull_request_head(pr_head_sha),
        short_sha_length: findings.take(length).unwrap_or(default.short_sha_length),
    }
}

/// Reads the levels of annotations, each once.
fn annotation_levels(text: &str, findings: &mut Findings) -> Vec<AnnotationLevel> {
    let mut levels = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let level = match annotations::level(name) {
            Ok((level, None)) => Ok(level),
            Ok((_, Some(_))) => {
                Err(format!("`{}` is for one platform, which a line of `annotations` can be", shown(name)))
            }
            Err(message) => Err(message),
        };
        let level = level.map_err(|message| {
            InputFault::new(ANNOTATION_LEVELS, message).hint("for example `manifest,index`")
        });
        if let Some(level) = findings.take(level).filter(|level| !levels.contains(level)) {
            levels.push(level);
        }
    }
    levels
}

/// The boolean that a text is, in any of the spellings that Go takes.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn inputs(variables: &[(&str, &str)]) -> RawInputs {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
        RawInputs { variables: variables.collect(), ..RawInputs::default() }
    }

    #[test]
    fn what_metadata_action_reads() {
        for (head, length, expected) in [
            ("", "", Some((false, 7))),
            ("true", " 12 ", Some((true, 12))),
            ("\"True\"", "40", Some((true, 40))),
            ("1", "99", Some((false, 99))),
            ("false", "1", Some((false, 1))),
            ("true", "0", None),
            ("", "-1", None),
            ("", "x\u{1b}[31m", None),
            ("", "7.5", None),
        ] {
            let variables = [(PR_HEAD_SHA, head), (SHORT_SHA_LENGTH, length)];
            let mut findings = Findings::default();
            let found = read(&inputs(&variables), &mut findings).metadata;
            let faults: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
            if let Some((pr_head_sha, short_sha_length)) = expected {
                assert_eq!(found, MetadataEnv { pr_head_sha, short_sha_length }, "{head} {length}");
                assert_eq!(faults, Vec::<String>::new());
            } else {
                assert_eq!(faults.len(), 1, "{length}");
                assert!(faults[0].contains("`DOCKER_METADATA_SHORT_SHA_LENGTH`"), "{faults:?}");
                assert!(!faults[0].contains(char::is_control), "{faults:?}");
            }
        }
    }

    #[test]
    fn levels_of_annotations() {
        use AnnotationLevel::{Index, IndexDescriptor, Manifest, ManifestDescriptor};
        for (text, expected) in [
            ("", Ok(&[][..])),
            ("index", Ok(&[Index])),
            (" manifest, index,,manifest ", Ok(&[Manifest, Index])),
            ("manifest-descriptor,index-descriptor", Ok(&[ManifestDescriptor, IndexDescriptor])),
            ("layer", Err("`layer` is not a level")),
            ("manifest[linux/amd64]", Err("is for one platform")),
        ] {
            let mut findings = Findings::default();
            let found = read(&inputs(&[(ANNOTATION_LEVELS, text)]), &mut findings).annotation_levels;
            let fault = findings.faults.first().map(ToString::to_string).unwrap_or_default();
            match expected {
                Ok(levels) => assert_eq!((found.as_slice(), fault.as_str()), (levels, ""), "{text}"),
                Err(part) => {
                    assert!(fault.contains(part) && fault.contains(ANNOTATION_LEVELS), "{text}: {fault}");
                }
            }
        }
    }

    #[test]
    fn what_has_a_meaning_is_honoured_and_the_rest_is_told_once() {
        for (variables, expected, said) in [
            (&[][..], (true, true, true), ""),
            (&[("DOCKER_BUILD_SUMMARY", "false")][..], (false, true, true), ""),
            (&[("DOCKER_BUILD_CHECKS_ANNOTATIONS", "0")], (true, false, true), ""),
            (&[("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")], (true, true, false), ""),
            (&[("BUILDX_NO_DEFAULT_ATTESTATIONS", "")], (true, true, true), ""),
            (&[("DOCKER_BUILD_RECORD_UPLOAD", "false")], (true, true, true), ""),
            (
                &[("DOCKER_BUILD_RECORD_UPLOAD", "true")],
                (true, true, true),
                "`DOCKER_BUILD_RECORD_UPLOAD` has no effect",
            ),
            (&[("DOCKER_BUILD_SUMMARY", "no")], (true, true, true), "`no` is not a boolean"),
        ] {
            let mut findings = Findings::default();
            let env = read(&inputs(variables), &mut findings);
            let DockerEnv { summary, annotates_checks, default_attestations, metadata, annotation_levels } =
                env;
            assert_eq!((summary, annotates_checks, default_attestations), expected);
            assert_eq!((metadata, annotation_levels), (MetadataEnv::default(), vec![]));
            let notices: Vec<&str> = findings.notices.iter().map(|notice| notice.message.as_str()).collect();
            assert_eq!(notices.len(), usize::from(!said.is_empty()));
            assert!(notices.concat().contains(said), "{notices:?}");
            assert_eq!(findings.faults, []);
        }
    }
}
