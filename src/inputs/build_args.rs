//! `build_args`: `KEY=value` lines, and `KEY` alone for a variable that the workflow's `env:` sets.
//!
//! As `docker buildx build --build-arg` reads them: a variable that is not set is left out. Refuses what is secret of the
//! runner's own, as a build argument is written into the image's history. A line may be a piece of a secret whose value
//! has several lines: what is shown of one is what looks like a variable's name and nothing else.

use std::collections::BTreeSet;

use super::fault::{Findings, InputFault, Notice};
use super::parse;
use super::raw::RawInputs;

const INPUT: &str = "build_args";

/// Tokens that every job has. Who has them can write the repository's caches and log in as the job.
const RUNNERS_SECRETS: &[&str] = &["ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];

/// Reads the arguments, in order, and which of them are variables' values. A variable that is not set is left out, with a
/// notice.
pub(super) fn read(inputs: &RawInputs, findings: &mut Findings) -> (Vec<(String, String)>, BTreeSet<String>) {
    let mut unset = Vec::new();
    let alone = |number: usize, entry: &str| -> Result<Option<String>, InputFault> {
        if !could_be_set(entry) {
            let hint = "write `KEY=value`, or the name of a variable that `env:` sets";
            return Err(parse::without_value(INPUT, number, entry).hint(hint));
        }
        let Some(value) = inputs.variables.get(entry) else {
            unset.push(parse::shown_name(number, entry));
            return Ok(None);
        };
        if is_runners_secret(inputs, entry, value.expose()) {
            let message = format!("{} is a token of the job", parse::shown_name(number, entry));
            let hint = "a build argument stays in the image's history: give it to the step that needs it by `secret_envs`";
            return Err(InputFault::new(INPUT, message).hint(hint));
        }
        Ok(Some(value.expose().to_owned()))
    };
    let read = parse::pairs(INPUT, &inputs.build_args, alone);
    findings.faults.extend(read.faults);
    findings.notices.extend(read.notices);
    if !unset.is_empty() {
        findings.notices.push(Notice::plain(format!(
            "`build_args`: {} left out, as no variable of that name is set (`env:` of the workflow, job or step, and \
             `GITHUB_ENV`, reach a container action)",
            unset.join(", ")
        )));
    }
    // The last line of a name counts: a later one may give it a value of its own.
    let mut of_env = BTreeSet::new();
    for (_, entry) in parse::entries(&inputs.build_args) {
        match entry.split_once('=') {
            Some((name, _)) => of_env.remove(name.trim_end()),
            None => inputs.variables.contains_key(entry) && of_env.insert(entry.to_owned()),
        };
    }
    (read.entries, of_env)
}

/// Whether a variable can have this name.
pub(super) fn could_be_set(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a variable holds a secret of the runner's own: by its name, or because its value is one of them, or the input
/// `token`, under another name.
pub(super) fn is_runners_secret(inputs: &RawInputs, name: &str, value: &str) -> bool {
    let values = RUNNERS_SECRETS.iter().filter_map(|name| inputs.variables.get(*name)).chain([&inputs.token]);
    let same = values.filter(|secret| !secret.is_empty()).any(|secret| secret.expose() == value.trim());
    RUNNERS_SECRETS.contains(&name) || same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn given(text: &str) -> (Vec<(String, String)>, Findings) {
        let variables = [
            ("BASE", "alpine"),
            ("node_env", "a=b\nc"),
            ("EMPTY", ""),
            ("ACTIONS_RUNTIME_TOKEN", "hunter2-runtime"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2-oidc"),
            ("GITHUB_TOKEN", "hunter2-job"),
            ("COPY", "hunter2-runtime"),
            ("NPM_TOKEN", "mine"),
        ];
        let inputs = RawInputs {
            build_args: text.into(),
            token: Secret::new("hunter2-job"),
            variables: variables.map(|(name, value)| (name.to_owned(), Secret::new(value))).into(),
            ..RawInputs::default()
        };
        let mut findings = Findings::default();
        (read(&inputs, &mut findings).0, findings)
    }

    #[test]
    fn a_name_alone_takes_its_value_from_env() {
        let (args, findings) = given("A=1\nBASE\nnode_env\nEMPTY\nNPM_TOKEN\nA=2\n");
        let args: Vec<_> = args.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let expected =
            [("BASE", "alpine"), ("node_env", "a=b\nc"), ("EMPTY", ""), ("NPM_TOKEN", "mine"), ("A", "2")];
        assert_eq!(args, expected);
        assert_eq!((findings.faults.len(), findings.notices.len()), (0, 1), "`A` twice");
    }

    #[test]
    fn whose_values_are_variables_values() {
        let variables = ["A", "B"].map(|name| (name.to_owned(), Secret::new("{{version}}")));
        let inputs = RawInputs {
            build_args: "A\nB\nC={{version}}\nB=x".into(),
            variables: variables.into(),
            ..RawInputs::default()
        };
        let (_, of_env) = read(&inputs, &mut Findings::default());
        assert_eq!(of_env, ["A".to_owned()].into());
    }

    #[test]
    fn a_name_that_is_not_set_is_left_out_and_said() {
        let (args, findings) = given("MISSING\nhunter2\nA=1");
        assert_eq!(args, [("A".to_owned(), "1".to_owned())]);
        let [notice] = findings.notices.as_slice() else { panic!("{:?}", findings.notices) };
        assert!(notice.message.starts_with("`build_args`: `MISSING`, line 2 left out"), "{}", notice.message);
        assert_eq!(findings.faults, []);
    }

    #[test]
    fn a_token_of_the_job_is_no_build_argument() {
        for (text, shown) in [
            ("ACTIONS_RUNTIME_TOKEN", "`ACTIONS_RUNTIME_TOKEN` is a token"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "`ACTIONS_ID_TOKEN_REQUEST_TOKEN` is a token"),
            ("GITHUB_TOKEN", "`GITHUB_TOKEN` is a token"),
            ("COPY", "`COPY` is a token"),
            ("MIIEpAIB/AKCAQEAhunter2", "line 1 has no `=`"),
            ("two words", "line 1 has no `=`"),
        ] {
            let (args, findings) = given(text);
            let [fault] = findings.faults.as_slice() else { panic!("{text}: {:?}", findings.faults) };
            assert!(fault.message.contains(shown), "{fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
            assert_eq!(args, []);
        }
    }
}
