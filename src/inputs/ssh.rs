//! `ssh`: agents and keys for `RUN --mount=type=ssh`, as `docker buildx build --ssh`.
//!
//! A container action sees the workspace and `RUNNER_TEMP` only, so an agent that another step started under `/tmp`
//! is out of reach; that is said, not tried. Key files are looked for here and read when the build begins.

use std::path::PathBuf;

use super::fault::{Findings, InputFault, shown};
use super::parse;
use super::raw::RawInputs;
use super::shared::Shared;
use crate::model::{SshKeys, SshSource};

const INPUT: &str = "ssh";
const AGENT: &str = "SSH_AUTH_SOCK";
const HINT: &str = "name a key file in the workspace or in `${{ runner.temp }}` (`default=path`), or start the agent \
                    with its socket there: `ssh-agent -a \"$RUNNER_TEMP/agent.sock\"`";

/// Reads the agents and keys, in order; an id that is given twice is a fault.
pub(super) fn read(inputs: &RawInputs, shared: &Shared<'_>, findings: &mut Findings) -> Vec<SshSource> {
    let mut all: Vec<SshSource> = Vec::new();
    for (_, line) in parse::entries(&inputs.ssh) {
        let Some(source) = findings.take(source(inputs, line, shared)) else { continue };
        if all.iter().any(|other| other.id == source.id) {
            findings.faults.push(InputFault::new(INPUT, format!("the id `{}` is given twice", source.id)));
        }
        all.push(source);
    }
    all
}

/// Reads one line: `id` for the agent that the variable names, `id=socket`, or `id=key[,key]`.
fn source(inputs: &RawInputs, line: &str, shared: &Shared<'_>) -> Result<SshSource, InputFault> {
    let (id, paths) = line.split_once('=').unwrap_or((line, ""));
    let id = id.trim();
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if id.is_empty() || !plain || id.len() > 128 {
        let message = format!("`{}` is not an id", shown(id));
        return Err(InputFault::new(INPUT, message).hint("for example `default` or `deploy=keys/deploy`"));
    }
    let paths: Vec<&str> = paths.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    let keys = match paths.as_slice() {
        [] => {
            let Some(socket) = inputs.variables.get(AGENT).filter(|socket| !socket.is_empty()) else {
                let message = format!("`{id}` names no key and `{AGENT}` is not set");
                return Err(InputFault::new(INPUT, message).hint(HINT));
            };
            let socket = socket.expose();
            SshKeys::Agent(shared.socket(INPUT, socket)?.ok_or_else(|| invisible("agent's socket", socket))?)
        }
        [one] => match shared.socket(INPUT, one)? {
            Some(socket) => SshKeys::Agent(socket),
            None => SshKeys::Files(vec![key(one, shared)?]),
        },
        many => SshKeys::Files(many.iter().map(|path| key(path, shared)).collect::<Result<_, _>>()?),
    };
    Ok(SshSource { id: id.to_owned(), keys })
}

/// The path of a key file.
fn key(text: &str, shared: &Shared<'_>) -> Result<PathBuf, InputFault> {
    let elsewhere = shared.is_elsewhere(text);
    shared.file(INPUT, text).map_err(|fault| if elsewhere { invisible("socket or key", text) } else { fault })
}

/// The fault of what is on the runner but not in this container.
fn invisible(what: &str, text: &str) -> InputFault {
    let text = shown(text);
    let message = format!("there is no {what} at `{text}` in the container that this action runs in");
    InputFault::new(INPUT, message).hint(HINT)
}

#[cfg(test)]
#[path = "ssh_tests.rs"]
mod tests;
