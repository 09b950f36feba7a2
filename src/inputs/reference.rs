//! What the table looks like elsewhere: the README's reference, and the sections of `action.yml` and
//! `prepare/action.yml`.
//!
//! Pure: gives text. The tests hold the files against it.

use std::fmt::Write as _;

use super::input::{Default, Input, Kind};
use super::outputs::OUTPUTS;
use super::table::{INPUTS, PREPARE};

/// The README's table of inputs.
pub fn inputs_markdown() -> String {
    let mut text = String::from("| input | default | what it is |\n|---|---|---|\n");
    for input in INPUTS {
        let default = match input.default {
            Default::None => String::new(),
            Default::Text(value) | Default::Expression(value) => format!("`{value}`"),
            Default::Phrase(phrase) => phrase.to_owned(),
        };
        let meaning = sentences(&[input.description, &accepts(input)]).replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {default} | {meaning} |", input.name);
    }
    text
}

/// The README's table of outputs.
pub fn outputs_markdown() -> String {
    let mut text = String::from("| output | what it is |\n|---|---|\n");
    for (name, description) in OUTPUTS {
        let _ = writeln!(text, "| `{name}` | {} |", description.replace('|', "\\|"));
    }
    text
}

/// The sections `inputs` and `outputs` of `action.yml`.
pub fn action_yaml() -> String {
    let mut text = inputs_yaml(INPUTS.iter());
    text.push_str("outputs:\n");
    for (name, description) in OUTPUTS {
        let _ = writeln!(text, "  {name}:\n    description: {}", quoted(description));
    }
    text
}

/// The section `inputs` of `prepare/action.yml`.
pub fn prepare_yaml() -> String {
    inputs_yaml(INPUTS.iter().filter(|input| PREPARE.contains(&input.name)))
}

fn inputs_yaml<'a>(inputs: impl Iterator<Item = &'a Input>) -> String {
    let mut text = String::from("inputs:\n");
    for input in inputs {
        let (default, declared) = match input.default {
            Default::None => (String::new(), None),
            Default::Text(value) => (format!("Default: `{value}`."), None),
            Default::Phrase(phrase) => (format!("Default: {phrase}."), None),
            Default::Expression(value) => {
                // The runner must not evaluate what a description says.
                let plain = value.trim_start_matches("${{ ").trim_end_matches(" }}");
                (format!("Default: `{plain}`."), Some(value))
            }
        };
        let description = sentences(&[input.description, &accepts(input), &default]);
        let _ = writeln!(text, "  {}:\n    description: {}", input.name, quoted(&description));
        if let Some(value) = declared {
            let _ = writeln!(text, "    default: {value}");
        }
    }
    text
}

fn accepts(input: &Input) -> String {
    match (input.accepts, input.kind) {
        ("", Kind::Boolean) => "`true` or `false`.".to_owned(),
        ("", _) => String::new(),
        (accepts, _) => format!("Takes {accepts}."),
    }
}

fn sentences(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// A YAML scalar in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
