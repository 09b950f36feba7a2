//! The parts of an `action.yml` that decide how a container action is started: inputs with their defaults, `runs`.
//!
//! Obeys `ActionManifestManager.cs`; of expressions it knows `${{ github.token }}`, `${{ github.actor }}` and, in
//! `runs.env` and `runs.args`, `${{ inputs.NAME }}`. Anything else stops the test that needs it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One `action.yml`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Action {
    pub name: String,
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    #[serde(default)]
    pub outputs: BTreeMap<String, serde_yaml::Value>,
    pub runs: Runs,
}

/// One declared input; `required` is not enforced by the runner.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Input {
    #[serde(default)]
    pub default: Option<serde_yaml::Value>,
}

/// How the container is started.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Runs {
    pub using: String,
    pub image: String,
    #[serde(default)]
    pub entrypoint: Option<String>,
    #[serde(default)]
    pub args: Option<Vec<String>>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl Action {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|fault| format!("reading `{}`: {fault}", path.display()))?;
        serde_yaml::from_str(&text).map_err(|fault| format!("parsing `{}`: {fault}", path.display()))
    }

    /// The step's inputs with the defaults of those that the user left out; the second value names the inputs that
    /// the action does not declare (the runner passes them on and warns).
    pub fn inputs(
        &self,
        given: &BTreeMap<String, String>,
        github: &BTreeMap<&str, String>,
    ) -> (BTreeMap<String, String>, Vec<String>) {
        let mut values = BTreeMap::new();
        for (name, input) in &self.inputs {
            let default = input.default.as_ref().map(scalar).unwrap_or_default();
            values.insert(name.to_lowercase(), expand(&default, github, &BTreeMap::new()));
        }
        let mut unexpected = Vec::new();
        for (name, value) in given {
            let key = name.to_lowercase();
            // `entryPoint` and `args` are accepted by every container action.
            if !values.contains_key(&key) && key != "entrypoint" && key != "args" {
                unexpected.push(name.clone());
            }
            values.insert(key, value.clone());
        }
        (values, unexpected)
    }
}

/// The variable of an input: spaces become `_`, the rest is upper-cased and kept.
pub fn variable(input: &str) -> String {
    format!("INPUT_{}", input.replace(' ', "_").to_uppercase())
}

/// Replaces the known expressions in `text`.
pub fn expand(text: &str, github: &BTreeMap<&str, String>, inputs: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) =
            after.split_once("}}").unwrap_or_else(|| panic!("unclosed expression in `{text}`"));
        let value = match expression.trim().split_once('.') {
            Some(("github", key)) => github.get(key).cloned(),
            Some(("inputs", key)) => Some(inputs.get(&key.to_lowercase()).cloned().unwrap_or_default()),
            _ => None,
        };
        out.push_str(before);
        out.push_str(
            &value.unwrap_or_else(|| panic!("the emulator does not know the expression in `{text}`")),
        );
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A scalar as a text.
pub fn scalar(value: &serde_yaml::Value) -> String {
    match value {
        serde_yaml::Value::Null => String::new(),
        serde_yaml::Value::String(text) => text.clone(),
        serde_yaml::Value::Bool(flag) => flag.to_string(),
        serde_yaml::Value::Number(number) => number.to_string(),
        other => panic!("a default must be a scalar, not {other:?}"),
    }
}
