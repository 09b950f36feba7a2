//! The inputs about who builds: `builder`, its image and configuration, and emulation.
//!
//! Nodes are `[platform[,platform]=]address` lines. A remote node's TLS comes from attributes of its address or from
//! the variables that setup-buildx-action reads, `BUILDER_NODE_<index>_AUTH_TLS_CACERT`, `_CERT`, `_KEY` (PEM).

use std::collections::BTreeMap;

use super::buildkitd;
use super::fault::{Findings, InputFault, Notice, shown};
use super::node;
use super::parse;
use super::raw::RawInputs;
use super::shared::Shared;
use crate::model::{BuilderAddress, BuilderChoice, BuilderNode, Platform, RegistryHost, RegistryProtocol};

/// The inputs about who builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderOptions {
    /// The input `builder`.
    pub choice: BuilderChoice,
    /// Image of the container that we make.
    pub image: String,
    /// Text of its `buildkitd.toml`, if one was given.
    pub buildkitd_config: Option<String>,
    /// The registries that it lets the builder speak to without TLS, or without knowing who answers.
    pub protocols: BTreeMap<RegistryHost, RegistryProtocol>,
    /// Keep the container that we make: `None` means by the kind of runner.
    pub keep: Option<bool>,
    /// Register QEMU for platforms that the builder cannot run.
    pub emulation: bool,
    /// Image that registers QEMU.
    pub emulator_image: String,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self {
            choice: BuilderChoice::Auto,
            image: Self::IMAGE.into(),
            buildkitd_config: None,
            protocols: BTreeMap::new(),
            keep: None,
            emulation: true,
            emulator_image: Self::EMULATOR_IMAGE.into(),
        }
    }
}

impl BuilderOptions {
    /// The default of `builder_image`.
    pub const IMAGE: &str = "docker.io/moby/buildkit:v0.32.2@sha256:28a898719c18a33f4e8000685287fa36fd0dd9560c6440227d3a732d79bb41d8";
    /// The default of `emulator_image`.
    pub const EMULATOR_IMAGE: &str = "docker.io/tonistiigi/binfmt:qemu-v10.2.3@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0";
}

/// Reads the inputs about who builds. With `platforms` it is judged whether somebody builds each of them. In a run that a
/// `stranger` has caused, a configuration in a file allows nothing for registries: the file may be the stranger's, who is not to
/// have our logins sent over a line that others hear.
pub(super) fn read(
    inputs: &RawInputs,
    platforms: &[Platform],
    stranger: bool,
    shared: &Shared<'_>,
    findings: &mut Findings,
) -> BuilderOptions {
    let keep = Some(&inputs.builder_keep).filter(|text| !text.is_empty());
    let buildkitd_config = findings.take(config(&inputs.buildkitd_config, shared)).flatten();
    let protocols = buildkitd_config.as_deref().and_then(|text| findings.take(buildkitd::protocols(text)));
    let choice = choice(inputs, platforms, shared, findings);
    // The daemon has a configuration of its own.
    let counts = !is_daemon(&choice) && (!stranger || is_toml(inputs.buildkitd_config.trim()));
    let protocols = protocols.filter(|_| counts);
    if is_daemon(&choice) && buildkitd_config.is_some() {
        let said = "`buildkitd_config` has no effect with `builder: docker`: the daemon has a configuration of its own";
        findings.notices.push(Notice::warning(said));
    }
    BuilderOptions {
        choice,
        image: image(findings, "builder_image", &inputs.builder_image, BuilderOptions::IMAGE),
        buildkitd_config,
        protocols: protocols.unwrap_or_default(),
        keep: keep.and_then(|text| findings.take(parse::boolean("builder_keep", text, false))),
        emulation: findings.take(emulation(&inputs.emulation)).unwrap_or(true),
        emulator_image: image(
            findings,
            "emulator_image",
            &inputs.emulator_image,
            BuilderOptions::EMULATOR_IMAGE,
        ),
    }
}

/// Reads the name of an image, or gives the default one. A wrong name is a fault, and comes out empty.
fn image(findings: &mut Findings, input: &str, text: &str, default: &str) -> String {
    if text.trim().is_empty() {
        return default.to_owned();
    }
    findings.take(parse::image(input, text.trim())).map(|name| name.to_string()).unwrap_or_default()
}

/// Reads whether emulators may be registered: `auto`, `off` or a boolean.
fn emulation(text: &str) -> Result<bool, InputFault> {
    match text.trim() {
        "" | "auto" => Ok(true),
        "off" => Ok(false),
        other => parse::boolean("emulation", other, true).map_err(|_| {
            InputFault::new("emulation", format!("`{}` is not understood", shown(other)))
                .hint("write `auto` or `off`")
        }),
    }
}

/// TOML itself; one line without `=` and without a table's brackets is a path.
pub(super) fn config(text: &str, shared: &Shared<'_>) -> Result<Option<String>, InputFault> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if is_toml(text) {
        return Ok(Some(text.to_owned()));
    }
    shared.text("buildkitd_config", text).map(Some)
}

/// Whether the input `buildkitd_config` is the configuration, and does not name a file that holds it.
fn is_toml(text: &str) -> bool {
    text.contains(['\n', '=']) || text.starts_with(['[', '#'])
}

/// Reads the input `builder`: nothing and `auto` leave the choice to the plan, all else names nodes.
fn choice(
    inputs: &RawInputs,
    platforms: &[Platform],
    shared: &Shared<'_>,
    findings: &mut Findings,
) -> BuilderChoice {
    let lines: Vec<&str> = parse::entries(&inputs.builder).map(|(_, line)| line).collect();
    if matches!(lines.as_slice(), [] | ["auto"]) {
        return BuilderChoice::Auto;
    }
    let reads =
        lines.iter().enumerate().map(|(index, line)| node::read(index, line, &inputs.variables, shared));
    let reads: Vec<_> = reads.collect();
    let count = reads.len();
    let nodes: Vec<BuilderNode> = reads.into_iter().filter_map(|node| findings.take(node)).collect();
    // What several nodes say together is judged when each is right.
    if nodes.len() == count {
        findings.faults.extend(contradictions(&nodes, platforms));
    }
    BuilderChoice::Nodes(nodes)
}

/// Whether the daemon alone builds.
fn is_daemon(choice: &BuilderChoice) -> bool {
    match choice {
        BuilderChoice::Auto => false,
        BuilderChoice::Nodes(nodes) => nodes.iter().all(|node| node.address == BuilderAddress::Docker),
    }
}

/// What is wrong with nodes together, each of which is right by itself.
fn contradictions(nodes: &[BuilderNode], platforms: &[Platform]) -> Vec<InputFault> {
    let fault = |message: String| InputFault::new("builder", message);
    let mut faults = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let before = &nodes[..index];
        if before.iter().any(|other| same(&other.address, &node.address)) {
            let message = format!("the node in entry {} is there already", index + 1);
            faults.push(fault(message).hint("one line a node; its platforms are separated by commas"));
        }
        for platform in &node.platforms {
            if before.iter().any(|other| other.platforms.contains(platform)) {
                faults.push(fault(format!("two nodes are to build `{platform}`")));
            }
        }
    }
    if nodes.iter().all(|node| !node.platforms.is_empty()) {
        let nobody = |platform: &&Platform| !nodes.iter().any(|node| node.platforms.contains(platform));
        for platform in platforms.iter().filter(nobody) {
            let fault = fault(format!("no node is to build `{platform}`"));
            faults.push(fault.hint("add it to a line, or write a line without platforms"));
        }
    }
    faults
}

/// Whether two nodes would be one BuildKit.
fn same(one: &BuilderAddress, other: &BuilderAddress) -> bool {
    match (one, other) {
        (BuilderAddress::Tcp { host, port, .. }, BuilderAddress::Tcp { host: others, port: theirs, .. }) => {
            host == others && port == theirs
        }
        _ => one == other,
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
