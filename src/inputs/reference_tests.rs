//! The files that people and the runner read, held against the table.
//!
//! `UPDATE=1 cargo test --lib inputs::reference` writes what is between the markers anew.

use std::path::PathBuf;

use serde_yaml::Value;

use super::*;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(path(file)).unwrap()).unwrap()
}

/// What is between two markers is what was rendered; or becomes it.
#[allow(clippy::disallowed_methods, reason = "who runs the test asks for it")]
fn held(file: &str, from: &str, to: &str, rendered: &str) {
    let text = std::fs::read_to_string(path(file)).unwrap();
    let start = text.find(from).unwrap_or_else(|| panic!("{file} has no `{from}`")) + from.len();
    let end = start + text[start..].find(to).unwrap_or_else(|| panic!("{file} has no `{to}`"));
    let expected = format!("\n{rendered}");
    if std::env::var_os("UPDATE").is_some() {
        let new = format!("{}{expected}{}", &text[..start], &text[end..]);
        std::fs::write(path(file), new).unwrap();
    } else {
        let hint = "does not say what the table of inputs says: `UPDATE=1 cargo test --lib inputs::reference` writes it";
        assert!(text[start..end] == expected, "{file} {hint}");
    }
}

#[test]
fn the_readme_has_the_table() {
    held("README.md", "<!-- inputs -->", "<!-- /inputs -->", &inputs_markdown());
    held("README.md", "<!-- outputs -->", "<!-- /outputs -->", &outputs_markdown());
}

#[test]
fn both_actions_have_the_table() {
    for file in ["action.yml", "dev/action.yml"] {
        held(file, "# <table>", "# </table>", &action_yaml());
    }
}

#[test]
fn the_second_action_has_its_part_of_the_table() {
    held("prepare/action.yml", "# <table>", "# </table>", &prepare_yaml());
    let (main, prepare) = (yaml("action.yml"), yaml("prepare/action.yml"));
    // The same image: what is released is released once.
    assert_eq!(prepare["runs"]["image"], main["runs"]["image"]);
    assert_eq!(prepare["runs"]["entrypoint"], main["runs"]["entrypoint"]);
    assert_eq!(prepare["runs"]["args"], serde_yaml::from_str::<Value>("[prepare]").unwrap());
    let inputs = prepare["inputs"].as_mapping().unwrap();
    assert_eq!(inputs.len(), PREPARE.len());
    for (name, input) in inputs {
        assert_eq!(*input, main["inputs"][name], "{name:?}");
        assert!(input.get("default").is_none(), "{name:?}: a credential has no business there");
    }
}

#[test]
fn the_actions_differ_in_the_image_only() {
    let (released, development) = (yaml("action.yml"), yaml("dev/action.yml"));
    assert_eq!(released["inputs"].as_mapping().unwrap().len(), INPUTS.len());
    assert_eq!(released["inputs"], development["inputs"]);
    assert_eq!(released["outputs"], development["outputs"]);
    assert_eq!(released["runs"]["image"], "docker://ghcr.io/org/docker-push-action:v1");
    assert_eq!(development["runs"]["image"], "../Dockerfile");
    for action in [&released, &development] {
        assert_eq!(action["runs"]["using"], "docker");
        assert_eq!(action["runs"]["entrypoint"], "/docker-push-action");
        // A default in `action.yml` would leave nothing for the original script's variables to stand in for.
        let inputs = action["inputs"].as_mapping().unwrap();
        let declared: Vec<&str> = inputs
            .iter()
            .filter(|(_, input)| input.get("default").is_some())
            .filter_map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(declared, ["username", "password", "token"]);
    }
    assert_eq!(released["inputs"]["password"]["default"], "${{ github.token }}");
}

#[test]
fn the_reusable_workflow_has_the_original_inputs() {
    let workflow = yaml(".github/workflows/reusable-docker.yaml");
    let call = &workflow["on"]["workflow_call"];
    let step = workflow["jobs"]["docker"]["steps"].as_sequence().unwrap().last().unwrap();
    let inputs = call["inputs"].as_mapping().unwrap();
    let expected = [
        ("atomi_platform", ""),
        ("atomi_service", ""),
        ("image_name", ""),
        ("dockerfile", "Dockerfile"),
        ("context", "."),
        ("platform", "linux/arm64,linux/amd64"),
        ("version", ""),
    ];
    assert_eq!(inputs.len(), expected.len());
    for (name, default) in expected {
        let input = &call["inputs"][name];
        assert_eq!(input["type"], "string", "{name}");
        assert_eq!(input.get("default").and_then(Value::as_str).unwrap_or_default(), default, "{name}");
        assert_eq!(step["with"][name], format!("${{{{ inputs.{name} }}}}"), "{name}");
        let row = INPUTS.iter().find(|input| input.name == name).unwrap();
        if let Default::Text(text) = row.default {
            assert_eq!(default, text, "{name}");
        }
    }
    for (name, output) in call["outputs"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        assert!(OUTPUTS.iter().any(|(output, _)| *output == name), "{name}");
        assert_eq!(output["value"], format!("${{{{ jobs.docker.outputs.{name} }}}}"));
        let from_step = &workflow["jobs"]["docker"]["outputs"][name];
        assert_eq!(*from_step, format!("${{{{ steps.docker.outputs.{name} }}}}"));
    }
    // More than the caller grants would stop the caller's run before it starts.
    assert!(workflow.get("permissions").is_none() && workflow["jobs"]["docker"].get("permissions").is_none());
}
