//! The variables that steer `docker/build-push-action` and buildx from a workflow's `env:`, as a workflow that moves over
//! still has them: what has a meaning here is honoured, the others are told once.
//!
//! Obeys `docker/actions-toolkit` (`Util.parseBool`) and buildx (`strconv.ParseBool`), which take the same words. An input
//! wins over a variable.

use super::fault::{Findings, Notice, shown};
use super::raw::RawInputs;

const SUMMARY: &str = "DOCKER_BUILD_SUMMARY";
const CHECKS: &str = "DOCKER_BUILD_CHECKS_ANNOTATIONS";
const NO_ATTESTATIONS: &str = "BUILDX_NO_DEFAULT_ATTESTATIONS";
const UPLOAD: &str = "DOCKER_BUILD_RECORD_UPLOAD";

/// What the variables of Docker's own actions ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DockerEnv {
    /// Write a job summary, unless the input says otherwise.
    pub summary: bool,
    /// What the frontend finds in the Dockerfile becomes annotations.
    pub annotates_checks: bool,
    /// Make the attestations that nobody asked for.
    pub default_attestations: bool,
}

/// Reads the variables. One that is no boolean is not used and said.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> DockerEnv {
    let mut flag = |name: &str, default: bool| -> bool {
        let text = inputs.variables.get(name).map_or("", |value| value.expose().trim());
        if text.is_empty() {
            return default;
        }
        boolean(text).unwrap_or_else(|| {
            findings.notices.push(Notice::warning(format!(
                "the variable `{name}` is not used: `{}` is no boolean (write `true` or `false`)",
                shown(text)
            )));
            default
        })
    };
    let env = DockerEnv {
        summary: flag(SUMMARY, true),
        annotates_checks: flag(CHECKS, true),
        default_attestations: !flag(NO_ATTESTATIONS, false),
    };
    if flag(UPLOAD, false) {
        findings.notices.push(Notice::plain(format!(
            "`{UPLOAD}` has no effect: this action keeps no build record that could be uploaded"
        )));
    }
    env
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
            (&[("DOCKER_BUILD_SUMMARY", "no")], (true, true, true), "`no` is no boolean"),
        ] {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
            let inputs = RawInputs { variables: variables.collect(), ..RawInputs::default() };
            let mut findings = Findings::default();
            let DockerEnv { summary, annotates_checks, default_attestations } = read(&inputs, &mut findings);
            assert_eq!((summary, annotates_checks, default_attestations), expected);
            let notices: Vec<&str> = findings.notices.iter().map(|notice| notice.message.as_str()).collect();
            assert_eq!(notices.len(), usize::from(!said.is_empty()));
            assert!(notices.concat().contains(said), "{notices:?}");
            assert_eq!(findings.faults, []);
        }
    }
}
