//! Who builds, decided: the daemon's own BuildKit where that can do the job, else a container that we make, else what
//! the input `builder` names; and which platform is built where.
//!
//! Pure, and without a secret: an address with a key in it stays in the config and is named by its number.

use std::fmt::Write as _;

use super::error::PlanError;
use super::facts::{BuilderFacts, DaemonFacts, can_run};
use crate::inputs::config::{BuilderOptions, Config};
use crate::model::{
    BuilderAddress, BuilderChoice, BuilderNode, CacheEntry, Digest, Platform, RegistryHost, RunOptions, text,
};
use serde::{Deserialize, Serialize};

use crate::runner::context::RunnerContext;

/// Who builds, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderPlan {
    /// The nodes that have something to build, at least one, each with platforms of its own.
    pub nodes: Vec<NodePlan>,
    /// Who it is, for people. May hold a daemon's words.
    pub name: String,
    /// Why it was taken, when something was decided.
    pub why: Option<String>,
    /// What was passed over, one phrase each.
    pub skipped: Vec<String>,
}

/// One BuildKit and what it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Its name in the log, where there are several.
    pub name: Option<String>,
    /// Where it is.
    pub address: NodeAddress,
    /// What it builds, at least one, in the order asked for.
    pub platforms: Vec<Platform>,
    /// What it runs, by itself or emulated, its own first; empty when it did not say.
    pub runs: Vec<Platform>,
    /// It makes images. The daemon's own BuildKit without the containerd image store only runs the steps.
    pub makes_images: bool,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAddress {
    /// The daemon's own BuildKit.
    Docker,
    /// A container that we make.
    OwnContainer(ContainerPlan),
    /// An existing container, by its name or by the name of a builder of buildx.
    Container(String),
    /// A socket or host: the node of this number in the input `builder`. It is connected already, as facts about it
    /// were read.
    Given(usize),
}

impl NodeAddress {
    /// It runs on the machine of the Docker daemon, whose kernel can be told to emulate.
    pub fn is_beside_daemon(&self) -> bool {
        !matches!(self, Self::Given(_))
    }
}

/// A builder container of ours, whether or not it is there already. A helper that makes it ahead reads it as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Its name: the same for every step that can use the same container, another one for any other.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Text of `buildkitd.toml`.
    pub config: Option<String>,
    /// What builds may ask for, sorted.
    pub entitlements: Vec<String>,
    /// It shares the host's network, because the registry is on the host's loopback.
    pub host_network: bool,
    /// What becomes of it.
    pub keep: Keep,
    /// The job that it is made for: run, attempt and job.
    pub job: String,
    /// The runner that it is made on: its name, and a hash of what tells it from others of that name on its machine.
    pub runner: String,
    /// The repository that the job is of, `owner/name`.
    pub repository: String,
}

/// How long a builder container lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Until the end of this step.
    Step,
    /// For the job's later steps: the machine is thrown away after the job.
    Job,
    /// For later jobs of this runner and repository.
    Always,
}

/// The inputs that say who builds, and that a container of ours is made from.
#[derive(Clone, Copy, Debug)]
pub struct BuilderInputs<'a> {
    /// The inputs about who builds.
    pub options: &'a BuilderOptions,
    /// The input `allow`.
    pub entitlements: &'a [String],
    /// Where the image goes: of several, one on the host's loopback, if there is one.
    pub registry: &'a RegistryHost,
}

impl<'a> From<&'a Config> for BuilderInputs<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            options: &config.builder,
            entitlements: &config.build.entitlements,
            registry: config.nearest_registry(),
        }
    }
}

/// What the build asks of a builder.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The image is pushed.
    pub pushes: bool,
    /// What to build for, at least one.
    pub platforms: &'a [Platform],
    /// What it has to allow.
    pub entitlements: &'a [String],
    /// Where the cache is written to.
    pub cache_to: &'a [CacheEntry],
    /// What else it makes of the image that only a BuildKit makes which makes images: continues "cannot …".
    pub writes: &'a [String],
}

impl BuilderPlan {
    /// Whether every node makes images.
    pub fn makes_images(&self) -> bool {
        self.nodes.iter().all(|node| node.makes_images)
    }

    /// Whether the Docker daemon itself builds everything.
    pub fn is_daemon(&self) -> bool {
        self.nodes.iter().all(|node| node.address == NodeAddress::Docker)
    }

    /// The container that is to be made, if there is one.
    pub fn own_container(&self) -> Option<&ContainerPlan> {
        self.nodes.iter().find_map(|node| match &node.address {
            NodeAddress::OwnContainer(container) => Some(container),
            _ => None,
        })
    }

    /// Name and reasons in one line.
    pub fn text(&self) -> String {
        let mut text = self.name.clone();
        if let Some(why) = &self.why {
            let _ = write!(text, ": {why}");
        }
        if !self.skipped.is_empty() {
            let _ = write!(text, " (skipped: {})", self.skipped.join(", "));
        }
        text
    }
}

/// The container that builds whatever the daemon can do: the choice leaves nothing open.
pub fn certain_container(asked: BuilderInputs<'_>, context: &RunnerContext) -> Option<ContainerPlan> {
    match &asked.options.choice {
        BuilderChoice::Nodes(nodes) => match &nodes[..] {
            [one] => (one.address == BuilderAddress::OwnContainer).then(|| container(asked, context)),
            _ => None,
        },
        BuilderChoice::Auto => asked.options.buildkitd_config.as_ref().map(|_| container(asked, context)),
    }
}

/// Whether the choice can need the Docker daemon; otherwise its absence is no error.
pub fn needs_daemon(choice: &BuilderChoice) -> bool {
    match choice {
        BuilderChoice::Auto => true,
        BuilderChoice::Nodes(nodes) => nodes
            .iter()
            .any(|node| !matches!(node.address, BuilderAddress::Unix(_) | BuilderAddress::Tcp { .. })),
    }
}

/// Whether the daemon's own BuildKit can be the one that builds.
pub fn may_build_by_daemon(choice: &BuilderChoice) -> bool {
    match choice {
        BuilderChoice::Auto => true,
        BuilderChoice::Nodes(nodes) => nodes.iter().any(|node| node.address == BuilderAddress::Docker),
    }
}

/// Decides who builds.
///
/// # Errors
/// The choice cannot do what is needed, or no node builds one of the platforms.
pub fn plan_builder(
    asked: BuilderInputs<'_>,
    context: &RunnerContext,
    needs: &Needs<'_>,
    facts: &BuilderFacts,
) -> Result<BuilderPlan, PlanError> {
    let container = || container(asked, context);
    match &asked.options.choice {
        BuilderChoice::Auto => {
            let daemon = facts.daemon.as_ref().ok_or(PlanError::NoDaemon)?;
            let lacks = lacks(daemon, needs);
            let needs_insecure = needs.entitlements.iter().any(|one| one == INSECURE);
            let reason = if !lacks.is_empty() {
                format!("cannot {} without the containerd image store", lacks.join(" or "))
            } else if needs_insecure {
                format!("allows no `{INSECURE}` unless its configuration does")
            } else if asked.options.buildkitd_config.is_some() {
                "takes no `buildkitd_config`".to_owned()
            } else {
                return Ok(one(docker_node(daemon, needs), text::name(&daemon.name), None));
            };
            let container = container();
            let name = container_name(&container.image);
            let mut plan =
                one(container_node(NodeAddress::OwnContainer(container), daemon, needs), name, None);
            plan.why = Some(format!("{} {reason}", text::name(&daemon.name)));
            Ok(plan)
        }
        BuilderChoice::Nodes(nodes) => given(nodes, container, needs, facts),
    }
}

/// The entitlement that a daemon's own BuildKit seldom has.
const INSECURE: &str = "security.insecure";

fn one(node: NodePlan, name: String, why: Option<String>) -> BuilderPlan {
    BuilderPlan { nodes: vec![node], name, why, skipped: Vec::new() }
}

fn docker_node(daemon: &DaemonFacts, needs: &Needs<'_>) -> NodePlan {
    NodePlan {
        name: None,
        address: NodeAddress::Docker,
        platforms: needs.platforms.to_vec(),
        runs: daemon.platforms.clone(),
        makes_images: daemon.containerd_image_store,
    }
}

/// A container beside the daemon runs what the daemon's machine runs.
fn container_node(address: NodeAddress, daemon: &DaemonFacts, needs: &Needs<'_>) -> NodePlan {
    NodePlan { address, makes_images: true, ..docker_node(daemon, needs) }
}

/// What a daemon without the containerd image store would have to do and cannot: its BuildKit runs the steps of one
/// platform, no more.
fn lacks(daemon: &DaemonFacts, needs: &Needs<'_>) -> Vec<String> {
    let mut lacks = Vec::new();
    if daemon.containerd_image_store {
        return lacks;
    }
    if needs.pushes {
        lacks.push("push by digest".to_owned());
    }
    if needs.platforms.len() > 1 {
        lacks.push(format!("build for {} platforms at once", needs.platforms.len()));
    }
    lacks.extend(needs.writes.iter().cloned());
    // `inline` writes into an image, which is not made here.
    if let Some(cache) = needs.cache_to.iter().find(|cache| cache.kind != "inline") {
        lacks.push(format!("write a cache of type `{}`", text::name(&cache.kind)));
    }
    lacks
}

/// The nodes that the input names, each with its platforms.
fn given(
    nodes: &[BuilderNode],
    container: impl Fn() -> ContainerPlan,
    needs: &Needs<'_>,
    facts: &BuilderFacts,
) -> Result<BuilderPlan, PlanError> {
    let several = nodes.len() > 1;
    let names = names(nodes);
    let mut planned = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let daemon = || facts.daemon.as_ref().ok_or(PlanError::NoDaemon);
        let mut plan = match &node.address {
            BuilderAddress::Docker => docker_node(daemon()?, needs),
            BuilderAddress::OwnContainer => {
                container_node(NodeAddress::OwnContainer(container()), daemon()?, needs)
            }
            BuilderAddress::Container(name) => {
                container_node(NodeAddress::Container(name.clone()), daemon()?, needs)
            }
            BuilderAddress::Unix(_) | BuilderAddress::Tcp { .. } => NodePlan {
                name: None,
                address: NodeAddress::Given(number),
                platforms: Vec::new(),
                runs: facts.nodes.get(number).cloned().unwrap_or_default(),
                makes_images: true,
            },
        };
        plan.name = several.then(|| names[number].clone());
        plan.platforms.clear();
        planned.push(plan);
    }
    for platform in needs.platforms {
        let chosen = node_for(platform, nodes, &planned);
        let number = chosen.ok_or_else(|| PlanError::NoNode {
            platform: platform.clone(),
            nodes: nodes
                .iter()
                .zip(&planned)
                .zip(&names)
                .map(|((node, plan), name)| serves(node, plan, name))
                .collect(),
        })?;
        planned[number].platforms.push(platform.clone());
    }
    for (plan, node) in planned.iter().zip(nodes) {
        if let (BuilderAddress::Docker, Some(daemon), false) =
            (&node.address, &facts.daemon, plan.platforms.is_empty())
        {
            let needs = Needs { platforms: &plan.platforms, ..*needs };
            let mut lacks = lacks(daemon, &needs);
            if several && lacks.is_empty() && !daemon.containerd_image_store {
                lacks.push("make its part of an image".to_owned());
            }
            if !lacks.is_empty() {
                return Err(PlanError::NoImageStore { daemon: text::name(&daemon.name), needs: lacks });
            }
        }
    }
    let name = match (&nodes[0].address, &facts.daemon) {
        _ if several => names.join(", "),
        (BuilderAddress::Docker, Some(daemon)) => text::name(&daemon.name),
        (BuilderAddress::OwnContainer, _) => container_name(&container().image),
        _ => names[0].clone(),
    };
    let (busy, idle): (Vec<NodePlan>, Vec<NodePlan>) =
        planned.into_iter().partition(|plan| !plan.platforms.is_empty());
    let skipped =
        idle.into_iter().filter_map(|plan| Some(format!("{}, which has nothing to build", plan.name?)));
    Ok(BuilderPlan { skipped: skipped.collect(), nodes: busy, name, why: Some("as `builder` says".into()) })
}

/// The number of the node that builds a platform: the one that is told to, else the first that runs it natively, else
/// the first that runs it at all, else one that could be taught or did not say.
fn node_for(platform: &Platform, nodes: &[BuilderNode], plans: &[NodePlan]) -> Option<usize> {
    if let Some(told) = nodes.iter().position(|node| node.platforms.contains(platform)) {
        return Some(told);
    }
    let free = || nodes.iter().zip(plans).enumerate().filter(|(_, (node, _))| node.platforms.is_empty());
    let first =
        |fits: &dyn Fn(&NodePlan) -> bool| free().find(|(_, (_, plan))| fits(plan)).map(|(number, _)| number);
    let natively = |plan: &NodePlan| !plan.runs.is_empty() && can_run(&plan.runs[..1], platform);
    first(&natively)
        .or_else(|| first(&|plan| !plan.runs.is_empty() && can_run(&plan.runs, platform)))
        .or_else(|| first(&|plan| plan.runs.is_empty() || plan.address.is_beside_daemon()))
        // A Dockerfile that only copies needs nothing that runs: the only node may do.
        .or_else(|| if nodes.len() == 1 { first(&|_| true) } else { None })
}

/// A node and what it builds, for an error.
fn serves(node: &BuilderNode, plan: &NodePlan, name: &str) -> String {
    let list = if node.platforms.is_empty() { &plan.runs } else { &node.platforms };
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    if list.is_empty() { format!("`{name}`") } else { format!("`{name}` ({})", list.join(", ")) }
}

/// What people call the nodes; each once.
fn names(nodes: &[BuilderNode]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let name = node.address.to_string();
        let same =
            names.iter().filter(|known| **known == name || known.starts_with(&format!("{name} #"))).count();
        names.push(if same == 0 { name } else { format!("{name} #{}", same + 1) });
    }
    names
}

/// A container for people: its image without host and digest.
fn container_name(image: &str) -> String {
    let short = image.split('@').next().unwrap_or(image);
    format!("a container of {}", short.strip_prefix("docker.io/").unwrap_or(short))
}

/// The container of ours that fits these inputs.
fn container(asked: BuilderInputs<'_>, context: &RunnerContext) -> ContainerPlan {
    let BuilderOptions { image, buildkitd_config, keep, .. } = asked.options;
    let keep = match (keep, context.runner.hosted_by_github) {
        (Some(true), _) => Keep::Always,
        (None, true) => Keep::Job,
        (Some(false), _) | (None, false) => Keep::Step,
    };
    // `network.host` is what a `RUN --network=host` asks for: in a container that is the container's network.
    let mut entitlements = asked.entitlements.to_vec();
    entitlements.push("network.host".into());
    entitlements.sort();
    entitlements.dedup();
    let host_network = asked.registry.is_loopback();
    let (job, runner) = (job_of(context), runner_of(context));
    let repository = context.repository.full_name.clone();
    let mut parts = vec![runner.clone(), image.clone(), entitlements.join(","), host_network.to_string()];
    parts.push(buildkitd_config.clone().unwrap_or_default());
    parts.push(match keep {
        // Its cache, and what steps keep in cache mounts, is for one repository.
        Keep::Always => repository.to_ascii_lowercase(),
        Keep::Step | Keep::Job => job.clone(),
    });
    ContainerPlan {
        name: format!("docker-push-action-builder-{}", short_hash(&parts)),
        image: image.clone(),
        config: buildkitd_config.clone(),
        entitlements,
        host_network,
        keep,
        job,
        runner,
        repository,
    }
}

/// Which job this is: run, attempt and job.
pub(super) fn job_of(context: &RunnerContext) -> String {
    let run = &context.run;
    format!("{}-{}-{}", run.id, run.attempt, run.job)
}

/// Which runner this is, among all that use its machine's daemon. Its name is unique where it is registered, and another
/// organisation's runner on the same machine may be called the same. Each has a work directory of its own there, which the
/// daemon mounts into actions; where that is not known, the repository's owner stands for it.
pub(super) fn runner_of(context: &RunnerContext) -> String {
    let place = match &context.paths.host_temp {
        Some(temp) => temp.display().to_string(),
        None => context.repository.owner.to_ascii_lowercase(),
    };
    let name = &context.runner.name;
    format!("{name}-{}", short_hash(&[context.server_url.clone(), name.clone(), place]))
}

pub(super) fn short_hash(parts: &[String]) -> String {
    Digest::of(parts.join("\0").as_bytes()).as_str()["sha256:".len()..][..16].to_owned()
}

/// What a person is told of a container on the host's network, unless the network of the steps was chosen.
pub(super) fn host_network(builder: &BuilderPlan, steps: &RunOptions) -> Option<&'static str> {
    let shares = builder.own_container().is_some_and(|container| container.host_network);
    (shares && steps.network.is_none()).then_some(
        "that of the runner's machine, its loopback included: the builder shares it to reach a registry there \
         (`network: none` leaves the steps without any)",
    )
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
