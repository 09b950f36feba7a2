//! The inputs about the image's verification: `verify`, `verify_platforms`, `verify_env`, `verify_network`,
//! `verify_timeout`.
//!
//! A line of `verify` is cut into words here, and never expanded. Values of `verify_env` may be secrets: they go into the
//! keyring, and what is shown of a line is what looks like a variable's name.

use std::time::Duration;

use serde::Serialize;

use super::fault::{Findings, InputFault, Notice, shown};
use super::raw::RawInputs;
use super::words::{self, Problem};
use super::{build_args, parse, time_limit};
use crate::model::{Platform, Secret};

/// How an image is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// What it must pass, in order; nothing where it is not verified.
    pub checks: Vec<Check>,
    /// The platforms that are verified; the machine's own if none is named.
    pub platforms: Vec<Platform>,
    /// Names of the variables of the containers, in order. Their values are in the keyring.
    pub env: Vec<String>,
    /// The network of the containers; none if there is to be none.
    pub network: Option<String>,
    /// Longest time for each check.
    pub timeout: Duration,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        let timeout = Duration::from_mins(1);
        Self { checks: Vec::new(), platforms: Vec::new(), env: Vec::new(), network: None, timeout }
    }
}

/// One thing that an image must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The number of its line in the input, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What it says.
    #[serde(flatten)]
    pub kind: CheckKind,
}

/// What an image must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Run with these arguments, it ends with 0.
    Arguments(Vec<String>),
    /// Started as it is, it becomes healthy.
    Healthcheck,
}

/// Reads the five inputs. The values of the variables are apart, as they may be secrets.
pub(super) fn read(
    inputs: &RawInputs,
    built: Option<&[Platform]>,
    findings: &mut Findings,
) -> (VerifyOptions, Vec<(String, Secret)>) {
    let default = VerifyOptions::default();
    let checks = checks(&inputs.verify, findings);
    let platforms = parse::platforms_of("verify_platforms", &inputs.verify_platforms);
    let platforms = platforms.map_err(|faults| findings.faults.extend(faults)).unwrap_or_default();
    // An image that is there already may have any.
    if let Some(built) = built.filter(|built| !built.is_empty()) {
        for platform in platforms.iter().filter(|platform| !built.contains(platform)) {
            let names: Vec<String> = built.iter().map(|one| format!("`{one}`")).collect();
            let message = format!("`{platform}` is not one of the image's platforms");
            let hint = format!("`platform` has {}", shown(&names.join(", ")));
            findings.faults.push(InputFault::new("verify_platforms", message).hint(hint));
        }
    }
    let env = env(inputs, findings);
    let network = findings.take(network(&inputs.verify_network)).flatten();
    let none = ("leaves no time for it", "leave `verify` out to verify nothing");
    let timeout = time_limit::read("verify_timeout", &inputs.verify_timeout, default.timeout, none);
    let timeout = findings.take(timeout).unwrap_or(default.timeout);
    let alone = checks.iter().any(|check| check.kind == CheckKind::Healthcheck);
    if alone && network.as_deref() == Some("host") {
        let message =
            "`host` does not go together with `healthcheck`: the port that it asks may be another's there";
        findings
            .faults
            .push(InputFault::new("verify_network", message).hint("leave it out, or name another network"));
    }
    let options = VerifyOptions {
        checks,
        platforms,
        env: env.iter().map(|(name, _)| name.clone()).collect(),
        network,
        timeout,
    };
    findings.notices.extend(useless(inputs));
    (options, env)
}

/// Reads the lines of `verify`.
fn checks(text: &str, findings: &mut Findings) -> Vec<Check> {
    let mut checks = Vec::new();
    for (index, whole) in text.split('\n').enumerate() {
        let (line, entry) = (index + 1, whole.trim());
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let kind = match words::split(whole.strip_suffix('\r').unwrap_or(whole)) {
            Ok(_) if entry == "healthcheck" => CheckKind::Healthcheck,
            Ok(words) => CheckKind::Arguments(words),
            Err(fault) => {
                findings.faults.push(told(line, &fault));
                continue;
            }
        };
        checks.push(Check { line, text: entry.to_owned(), kind });
    }
    checks
}

fn told(line: usize, fault: &words::Fault) -> InputFault {
    let (problem, hint) = match &fault.problem {
        Problem::Unbalanced(quote) => (
            format!("this {quote} has no end"),
            "a quote that is meant stands behind a backslash or in other quotes; a command is one line",
        ),
        Problem::Backslash => (
            "there is nothing behind this backslash".into(),
            "a command is one line; a backslash is written `\\\\`",
        ),
        Problem::Operator(operator) => (
            format!("`{operator}` means something to a shell, and there is none"),
            "put it in quotes, or let a shell of the image run the line: `sh -c 'a && b'`",
        ),
        Problem::Control => {
            ("a control character".into(), "write it as the program itself would be told, such as `\\n`")
        }
    };
    InputFault::new("verify", format!("line {line}, column {}: {problem}", fault.column)).hint(hint)
}

/// Reads the variables, in order. One that is not set is left out, with a notice.
fn env(inputs: &RawInputs, findings: &mut Findings) -> Vec<(String, Secret)> {
    const INPUT: &str = "verify_env";
    let mut unset = Vec::new();
    let alone = |number: usize, entry: &str| -> Result<Option<String>, InputFault> {
        if !build_args::could_be_set(entry) {
            let hint = "write `KEY=value`, or the name of a variable that `env:` sets";
            return Err(parse::without_value(INPUT, number, entry).hint(hint));
        }
        let Some(value) = inputs.variables.get(entry) else {
            unset.push(parse::shown_name(number, entry));
            return Ok(None);
        };
        if build_args::is_runners_secret(inputs, entry, value.expose()) {
            let message = format!("{} is a token of the job", parse::shown_name(number, entry));
            let hint = "what is verified may be anybody's code, which must not have it";
            return Err(InputFault::new(INPUT, message).hint(hint));
        }
        Ok(Some(value.expose().to_owned()))
    };
    let read = parse::pairs(INPUT, &inputs.verify_env, alone);
    findings.faults.extend(read.faults);
    findings.notices.extend(read.notices);
    if !unset.is_empty() {
        findings.notices.push(Notice::plain(format!(
            "`{INPUT}`: {} left out, as no variable of that name is set (`env:` of the workflow, job or step, and \
             `GITHUB_ENV`, reach a container action)",
            unset.join(", ")
        )));
    }
    read.entries.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
}

/// Reads the network; nothing where there is to be none.
fn network(text: &str) -> Result<Option<String>, InputFault> {
    let text = text.trim();
    if matches!(text, "" | "none") {
        return Ok(None);
    }
    // As the daemon takes names (moby `daemon/names`).
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if !plain || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(InputFault::new("verify_network", format!("`{}` is not a network", shown(text)))
            .hint("write `none`, `bridge`, `host`, or the name of a network of the daemon"));
    }
    Ok(Some(text.to_owned()))
}

/// The notice for inputs that say how an image is verified that is not.
fn useless(inputs: &RawInputs) -> Option<Notice> {
    let said = [
        ("verify_platforms", &inputs.verify_platforms),
        ("verify_env", &inputs.verify_env),
        ("verify_network", &inputs.verify_network),
        ("verify_timeout", &inputs.verify_timeout),
    ];
    let said: Vec<String> = said
        .iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let verifies = parse::entries(&inputs.verify).next().is_some();
    (!verifies && !said.is_empty()).then(|| {
        let have = if said.len() > 1 { "have" } else { "has" };
        Notice::plain(format!("{} {have} no effect without `verify`", said.join(" and ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inputs: &RawInputs) -> (VerifyOptions, Vec<(String, Secret)>, Findings) {
        let mut findings = Findings::default();
        let built = [Platform::parse("linux/amd64").unwrap(), Platform::parse("linux/arm64").unwrap()];
        let (options, env) = read(inputs, Some(&built), &mut findings);
        (options, env, findings)
    }

    fn faults(findings: &Findings) -> Vec<String> {
        findings.faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_are_commands_or_the_healthcheck() {
        let text = "migrate validate\r\n\n  # what it is\n  sh -c 'a && b'\nhealthcheck\n'healthcheck'\n";
        let (options, _, findings) = of(&RawInputs { verify: text.into(), ..RawInputs::default() });
        assert_eq!(faults(&findings), Vec::<String>::new());
        let read: Vec<_> = options.checks.iter().map(|check| (check.line, &check.kind)).collect();
        let words = |words: &[&str]| CheckKind::Arguments(words.iter().map(ToString::to_string).collect());
        assert_eq!(
            read,
            [
                (1, &words(&["migrate", "validate"])),
                (4, &words(&["sh", "-c", "a && b"])),
                (5, &CheckKind::Healthcheck),
                (6, &words(&["healthcheck"])),
            ]
        );
        assert_eq!(options.checks[1].text, "sh -c 'a && b'");
        assert_eq!(options.timeout, Duration::from_mins(1));
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let inputs = RawInputs {
            verify: "ok\n  it's\na && b\nx \\".into(),
            verify_platforms: "linux/amd64,linux/arm64,linux/s390x,linux/amd46".into(),
            verify_network: "container:db".into(),
            verify_timeout: "0".into(),
            verify_env: "two words\nA=1".into(),
            ..RawInputs::default()
        };
        let (_, _, findings) = of(&inputs);
        let told = faults(&findings);
        for (told, part) in told.iter().zip([
            "`verify`: line 2, column 5: this ' has no end",
            "`verify`: line 3, column 3: `&&` means something to a shell",
            "`verify`: line 4, column 3: there is nothing behind this backslash",
            "`verify_platforms`: `linux/amd46` is not a known platform",
            "`verify_env`: line 1 has no `=`",
            "`verify_network`: `container:db` is not a network",
            "`verify_timeout`: `0` leaves no time",
        ]) {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(told.len(), 7);
        let other =
            RawInputs { verify_platforms: "linux/s390x".into(), verify: "x".into(), ..RawInputs::default() };
        assert_eq!(
            faults(&of(&other).2),
            ["input `verify_platforms`: `linux/s390x` is not one of the image's platforms (`platform` has \
              `linux/amd64`, `linux/arm64`)"]
        );
        let host =
            RawInputs { verify: "healthcheck".into(), verify_network: "host".into(), ..RawInputs::default() };
        assert!(faults(&of(&host).2)[0].contains("`host` does not go together"));
    }

    #[test]
    fn variables_have_values_that_do_not_show() {
        let variables = [("DSN", "hunter2-dsn"), ("ACTIONS_RUNTIME_TOKEN", "hunter2"), ("GH", "hunter2-job")];
        let inputs = RawInputs {
            verify: "x".into(),
            verify_env: "DSN\nMISSING\nMODE=strict\nACTIONS_RUNTIME_TOKEN\nGH".into(),
            token: Secret::new("hunter2-job"),
            variables: variables.map(|(name, value)| (name.to_owned(), Secret::new(value))).into(),
            ..RawInputs::default()
        };
        let (options, env, findings) = of(&inputs);
        assert_eq!(options.env, ["DSN", "MODE"]);
        let values: Vec<&str> = env.iter().map(|(_, value)| value.expose()).collect();
        assert_eq!(values, ["hunter2-dsn", "strict"]);
        let said = faults(&findings);
        assert!(
            said[0].contains("`ACTIONS_RUNTIME_TOKEN` is a token") && said[1].contains("`GH` is a token")
        );
        assert!(!format!("{options:?}{said:?}{:?}", findings.notices).contains("hunter2"));
        assert!(findings.notices[0].message.contains("`MISSING` left out"), "{:?}", findings.notices);
    }

    #[test]
    fn what_says_how_without_what_is_noticed() {
        let inputs =
            RawInputs { verify_network: "bridge".into(), verify_env: "A=1".into(), ..RawInputs::default() };
        let (options, _, findings) = of(&inputs);
        assert_eq!(options.network.as_deref(), Some("bridge"));
        assert_eq!(
            findings.notices[0].message,
            "`verify_env` and `verify_network` have no effect without `verify`"
        );
        assert!(of(&RawInputs::default()).2.notices.is_empty());
    }
}
