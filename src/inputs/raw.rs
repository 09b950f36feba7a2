//! What was typed: the text of every input, and of the variables of the original script.
//!
//! Reads the variables it is given, never the process's own. The runner calls an input `INPUT_<NAME>`, upper
//! case, dashes kept; lookups ignore case. Nothing is judged here but the names.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::fault::InputFault;
use super::names;
use crate::model::Secret;

const PREFIX: &str = "INPUT_";

/// The text of every input; empty where nothing was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the table describes the inputs")]
pub struct RawInputs {
    pub image_name: String,
    pub dockerfile: String,
    pub context: String,
    pub platform: String,
    pub version: String,
    pub atomi_platform: String,
    pub atomi_service: String,
    pub registry: String,
    pub repository: String,
    pub username: String,
    #[serde(deserialize_with = "secret")]
    pub password: Secret,
    #[serde(deserialize_with = "secret")]
    pub token: Secret,
    #[serde(deserialize_with = "verbatim")]
    pub registry_auth: Secret,
    pub aws_role: String,
    pub create_repository: String,
    pub tags: String,
    pub flavor: String,
    pub platform_tags: String,
    pub metadata_context: String,
    pub sha_length: String,
    pub latest_branch: String,
    pub existing_version: String,
    pub hold_back: String,
    pub promote: String,
    pub labels: String,
    pub annotations: String,
    pub build_args: String,
    pub build_contexts: String,
    pub target: String,
    pub no_cache: String,
    pub no_cache_filters: String,
    pub pull: String,
    #[serde(deserialize_with = "verbatim")]
    pub secrets: Secret,
    pub secret_envs: String,
    pub secret_files: String,
    pub ssh: String,
    pub network: String,
    pub add_hosts: String,
    pub ulimit: String,
    pub shm_size: String,
    pub cgroup_parent: String,
    pub allow: String,
    pub provenance: String,
    pub sbom: String,
    pub compression: String,
    pub attests: String,
    #[serde(deserialize_with = "secret")]
    pub cache: Secret,
    #[serde(deserialize_with = "secret")]
    pub cache_from: Secret,
    #[serde(deserialize_with = "secret")]
    pub cache_to: Secret,
    pub cache_timeout: String,
    pub builder: String,
    pub builder_image: String,
    pub buildkitd_config: String,
    pub builder_keep: String,
    pub emulation: String,
    pub emulator_image: String,
    pub push: String,
    pub verify: String,
    pub verify_platforms: String,
    pub verify_env: String,
    pub verify_network: String,
    pub verify_timeout: String,
    pub load: String,
    pub archive: String,
    pub outputs: String,
    pub mode: String,
    pub check_level: String,
    pub from: String,
    pub deploy: String,
    #[serde(deserialize_with = "secret")]
    pub deploy_token: Secret,
    pub deploy_app_id: String,
    #[serde(deserialize_with = "secret")]
    pub deploy_app_key: Secret,
    pub dry_run: String,
    pub summary: String,
    pub retries: String,
    /// Variables of the original script, whether they stand in or not.
    #[serde(skip)]
    pub script: ScriptVariables,
    /// Variables that are no inputs: `env:` of the workflow, and the runner's own. Any may be a secret.
    #[serde(skip)]
    pub variables: BTreeMap<String, Secret>,
    /// Names that are no inputs.
    #[serde(skip)]
    pub faults: Vec<InputFault>,
}

impl RawInputs {
    /// Picks the inputs out of the process's variables. Wrong names become faults of the result, so that they
    /// are reported together with wrong values.
    pub fn read(variables: &BTreeMap<String, String>) -> Self {
        let (mut given, mut others) = (BTreeMap::new(), BTreeMap::new());
        let mut faults = Vec::new();
        for (name, value) in variables {
            let variable = name.to_ascii_uppercase();
            let Some(input) = variable.strip_prefix(PREFIX) else {
                others.insert(name.clone(), Secret::new(value));
                continue;
            };
            match names::check(&input.to_ascii_lowercase()) {
                // Blanks at the ends of a build secret may be the secret's, those before YAML are its indentation.
                Ok(()) if matches!(input, "SECRETS" | "REGISTRY_AUTH" | "DEPLOY") => {
                    drop(given.insert(variable, value.clone()));
                }
                Ok(()) => drop(given.insert(variable, value.trim().to_owned())),
                Err(fault) => faults.push(fault),
            }
        }
        let inputs: Result<Self, _> = envy::prefixed(PREFIX).from_iter(given);
        let inputs = inputs.unwrap_or_else(|error| {
            faults.push(InputFault::new("with", error.to_string()));
            Self::default()
        });
        Self { faults, script: ScriptVariables::read(variables), variables: others, ..inputs }
    }
}

/// The text of the original script's variables; empty where nothing was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "they are the script's, by its names")]
pub struct ScriptVariables {
    pub domain: String,
    pub github_repo_ref: String,
    pub github_branch: String,
    pub latest_branch: String,
    pub docker_user: String,
    #[serde(deserialize_with = "secret")]
    pub docker_password: Secret,
    pub ci_docker_image: String,
    pub ci_docker_context: String,
    pub ci_dockerfile: String,
    pub ci_docker_platform: String,
}

/// The names of the original script's variables.
const SCRIPT_NAMES: &[&str] = &[
    "DOMAIN",
    "GITHUB_REPO_REF",
    "GITHUB_BRANCH",
    "LATEST_BRANCH",
    "DOCKER_USER",
    "DOCKER_PASSWORD",
    "CI_DOCKER_IMAGE",
    "CI_DOCKER_CONTEXT",
    "CI_DOCKERFILE",
    "CI_DOCKER_PLATFORM",
];

impl ScriptVariables {
    /// Picks the script's variables out of the process's, by their exact names.
    fn read(variables: &BTreeMap<String, String>) -> Self {
        let given = SCRIPT_NAMES.iter().filter_map(|name| variables.get_key_value(*name));
        let trimmed = given.map(|(name, value)| (name.clone(), value.trim().to_owned()));
        // Every field is text with a default: there is nothing to fail on.
        envy::from_iter(trimmed).unwrap_or_default()
    }
}

/// A secret, without blanks around it.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.trim()))
}

/// A secret with the blanks around it, which may be its own.
fn verbatim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::table::INPUTS;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        for input in INPUTS {
            let name = format!("INPUT_{}", input.name.to_uppercase());
            let read = RawInputs::read(&variables(&[(&name, "marker")]));
            assert_ne!(read, RawInputs::default(), "{}", input.name);
            assert_eq!(read.faults, []);
        }
    }

    #[test]
    fn names() {
        let raw = RawInputs::read(&variables(&[
            ("INPUT_IMAGE_NAME", " api\n"),
            ("input_pull", "true"),
            ("INPUT_BUILD_ARGS", "A=1\r\nB=two words\r\n"),
            ("INPUT_ARGS", "--x"),
            ("INPUT_ENTRYPOINT", "/x"),
            ("INPUT_", "x"),
            ("INPUT_BUILD-ARGS", "A=1"),
            ("INPUT_INPUT_PUSH", "false"),
            ("PUSH", "false"),
            ("PASSWORD", "x"),
        ]));
        assert_eq!((raw.image_name.as_str(), raw.pull.as_str()), ("api", "true"));
        assert_eq!(raw.build_args, "A=1\r\nB=two words");
        assert_eq!((raw.push.as_str(), raw.password.is_empty()), ("", true));
        let wrong: Vec<&str> = raw.faults.iter().map(|fault| fault.input.as_str()).collect();
        assert_eq!(wrong, ["build-args", "input_push"]);
    }

    #[test]
    fn secrets_do_not_show() {
        let raw = RawInputs::read(&variables(&[
            ("INPUT_PASSWORD", "hunter2"),
            ("INPUT_TOKEN", "hunter2"),
            ("DOCKER_PASSWORD", "hunter2"),
        ]));
        assert_eq!(raw.password.expose(), "hunter2");
        assert!(!format!("{raw:?}").contains("hunter2"));
    }
}
