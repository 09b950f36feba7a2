//! The three inputs of build secrets: `secrets`, `secret_envs`, `secret_files`. Each id comes once. What is empty, or
//! taken from nowhere (`id=`), is an empty secret and said: a run of a fork gets no secrets and must build all the same.
//!
//! A value never appears in a fault, only ids, names of variables and paths do.

use super::fault::{Findings, InputFault, Notice, shown};
use super::parse;
use super::raw::RawInputs;
use super::secret_text::SecretText;
use super::shared::Shared;
use crate::model::BuildSecret;

/// Reads the secrets of all three inputs, in the order of the inputs.
pub(super) fn read(inputs: &RawInputs, shared: &Shared<'_>, findings: &mut Findings) -> Vec<BuildSecret> {
    let mut all: Vec<(&str, BuildSecret)> = Vec::new();
    let text = SecretText::parse(inputs.secrets.expose());
    for message in text.faults {
        let hint =
            "write `id=value`; a value with lines that look like `id=` goes in double quotes: `\"id=value\"`";
        findings.faults.push(InputFault::new("secrets", message).hint(hint));
    }
    for entry in text.entries {
        all.push(("secrets", BuildSecret { id: entry.id, value: entry.value.expose().as_bytes().to_vec() }));
    }
    for name in names(&inputs.secret_envs) {
        let (id, variable) = name.split_once('=').unwrap_or((name, name));
        if let Some(secret) = findings.take(from_variable(inputs, id.trim(), variable.trim())) {
            all.push(("secret_envs", secret));
        }
    }
    for (number, line) in parse::entries(&inputs.secret_files) {
        if let Some(secret) = findings.take(from_file(number, line, shared)) {
            all.push(("secret_files", secret));
        }
    }
    let mut secrets: Vec<BuildSecret> = Vec::new();
    for (input, secret) in all {
        if secrets.iter().any(|other| other.id == secret.id) {
            let message = format!("the id `{}` is given twice", shown(&secret.id));
            findings.faults.push(InputFault::new(input, message));
        } else if secret.value.len() > BuildSecret::MAX {
            let message = format!("`{}` is larger than {} KiB", shown(&secret.id), BuildSecret::MAX / 1024);
            findings.faults.push(InputFault::new(input, message));
        } else {
            if secret.value.is_empty() {
                let message = format!(
                    "the build secret `{}` is empty: is it set, and does this run get it?",
                    secret.id
                );
                findings.notices.push(Notice::warning(message));
            }
            secrets.push(secret);
        }
    }
    secrets
}

/// The entries of `secret_envs`, separated by lines and commas: `id=VARIABLE` and `VARIABLE`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    parse::entries(text).flat_map(|(_, line)| line.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// The names of the variables that `secret_envs` takes secrets from.
pub(super) fn variables(secret_envs: &str) -> impl Iterator<Item = &str> {
    names(secret_envs).map(|name| name.split_once('=').map_or(name, |(_, variable)| variable.trim()))
}

/// The secret of this id that a variable holds.
fn from_variable(inputs: &RawInputs, id: &str, variable: &str) -> Result<BuildSecret, InputFault> {
    let input = "secret_envs";
    let id = checked_id(input, id)?;
    // A value in the place of a name must not be shown.
    let plain = variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && variable.len() <= 100;
    // From an expression that came out empty, as one in `secrets`.
    if variable.is_empty() {
        return Ok(BuildSecret { id, value: Vec::new() });
    }
    if !plain {
        let message = format!("what `{id}` is taken from is not a name of a variable");
        return Err(
            InputFault::new(input, message).hint("write `id=VARIABLE`; a value itself belongs in `secrets`")
        );
    }
    let value = inputs.variables.get(variable).ok_or_else(|| {
        let of = if variable == id { String::new() } else { format!(" for `{id}`") };
        InputFault::new(input, format!("the variable `{variable}`{of} is not set"))
            .hint("only `env:` of the workflow, job or step, and `GITHUB_ENV`, reach a container action")
    })?;
    Ok(BuildSecret { id, value: value.expose().as_bytes().to_vec() })
}

/// Reads a line of `secret_files`, `id=path`, and the file.
fn from_file(number: usize, line: &str, shared: &Shared<'_>) -> Result<BuildSecret, InputFault> {
    let input = "secret_files";
    let Some((id, path)) = line.split_once('=') else {
        return Err(InputFault::new(input, format!("line {number} has no `=`")).hint("write `id=path`"));
    };
    let id = checked_id(input, id.trim())?;
    let path = path.trim();
    if path.is_empty() {
        return Ok(BuildSecret { id, value: Vec::new() });
    }
    Ok(BuildSecret { id, value: shared.bytes(input, path, BuildSecret::MAX)? })
}

/// The id, if BuildKit and a Dockerfile can name a secret so.
fn checked_id(input: &str, id: &str) -> Result<String, InputFault> {
    let plain =
        id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b':'));
    if id.is_empty() || id.len() > 128 || !plain {
        let message = "an id is up to 128 letters, digits, `_`, `.`, `-`, `/` and `:`";
        return Err(InputFault::new(input, message));
    }
    Ok(id.to_owned())
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
