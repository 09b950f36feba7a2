//! What else a build is asked for: the inputs that `docker buildx build` has options for, read together.

use super::attestations::{self, AttestationInput};
use super::docker_env::DockerEnv;
use super::fault::{Findings, InputFault, shown};
use super::raw::RawInputs;
use super::shared::Shared;
use super::{annotations, compression, named_contexts, parse, run_options, secrets, ssh};
use crate::model::{
    Annotation, AnnotationLevel, Attestation, BuildSecret, Compression, NamedContext, RunOptions, SshSource,
};
use crate::runner::context::RunnerContext;

/// What else a build is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Further contexts, in order.
    pub named_contexts: Vec<NamedContext>,
    /// Annotations to add to the OCI defaults, in order.
    pub annotations: Vec<Annotation>,
    /// On which documents the defaults are, in the place of those that we choose; empty where nobody said it.
    pub annotation_levels: Vec<AnnotationLevel>,
    /// The input `provenance`.
    pub provenance: AttestationInput,
    /// The input `sbom`.
    pub sbom: AttestationInput,
    /// The input `attests`: any attestation, in BuildKit's grammar.
    pub attests: Vec<Attestation>,
    /// How the layers are compressed; absent where that is the builder's choice.
    pub compression: Option<Compression>,
    /// Stages that take nothing from the cache.
    pub no_cache_filters: Vec<String>,
    /// How steps run.
    pub run: RunOptions,
    /// The input `allow`.
    pub entitlements: Vec<String>,
    /// Ids of the secrets, each once.
    pub secrets: Vec<String>,
    /// SSH agents, each id once.
    pub ssh: Vec<SshSource>,
    /// Names of the proxies that Docker's configuration has for builds: arguments that every Dockerfile knows without an
    /// `ARG`. Their values, which may hold a password, are in the keyring.
    pub proxies: Vec<String>,
    /// What the frontend finds in the Dockerfile stays in the log, without annotations.
    pub quiet_checks: bool,
}

/// Reads the options, and the values of the secrets that they name.
pub(super) fn read(
    inputs: &RawInputs,
    context: &RunnerContext,
    shared: &Shared<'_>,
    docker: &DockerEnv,
    findings: &mut Findings,
) -> (BuildOptions, Vec<BuildSecret>) {
    let attestations = attestations::read(inputs, docker.default_attestations, findings);
    let secrets = secrets::read(inputs, shared, findings);
    let options = BuildOptions {
        named_contexts: named_contexts::read(&inputs.build_contexts, shared, context, findings),
        annotations: annotations::read(&inputs.annotations, &docker.annotation_levels, findings),
        annotation_levels: docker.annotation_levels.clone(),
        provenance: attestations.provenance,
        sbom: attestations.sbom,
        attests: attestations.attests,
        compression: findings.take(compression::parse(&inputs.compression)).flatten(),
        no_cache_filters: stages(&inputs.no_cache_filters, findings),
        run: run_options::read(inputs, findings),
        entitlements: entitlements(&inputs.allow, findings),
        secrets: secrets.iter().map(|secret| secret.id.clone()).collect(),
        ssh: ssh::read(inputs, shared, findings),
        proxies: Vec::new(),
        quiet_checks: !docker.annotates_checks,
    };
    (options, secrets)
}

/// Reads names of stages, separated by lines and commas, each once.
fn stages(text: &str, findings: &mut Findings) -> Vec<String> {
    let mut stages: Vec<String> = Vec::new();
    let names = parse::entries(text).flat_map(|(_, line)| line.split(',')).map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("`{}` is not a name of a stage", shown(name));
            findings.faults.push(InputFault::new("no_cache_filters", message));
        } else if !stages.iter().any(|stage| stage == name) {
            stages.push(name.to_owned());
        }
    }
    stages
}

/// Reads BuildKit's entitlements, separated by lines and commas, each once; a line `device=…` may hold commas of its own.
pub(super) fn entitlements(text: &str, findings: &mut Findings) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (_, line) in parse::entries(text) {
        let parts: Vec<&str> =
            if line.starts_with("device=") { vec![line] } else { line.split(',').collect() };
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            let device = part.strip_prefix("device=").is_some_and(|name| !name.is_empty());
            let known = device || matches!(part, "network.host" | "security.insecure" | "device");
            if !known || part.contains(char::is_control) {
                let fault = InputFault::new("allow", format!("`{}` is not an entitlement", shown(part)));
                findings.faults.push(
                    fault.hint("these are `network.host`, `security.insecure`, `device` and `device=name`"),
                );
            } else if !all.iter().any(|other| other == part) {
                all.push(part.to_owned());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_stages() {
        let mut findings = Findings::default();
        assert_eq!(stages("build, test\nbuild\nrelease", &mut findings), ["build", "test", "release"]);
        stages("a b", &mut findings);
        assert_eq!(findings.faults[0].message, "`a b` is not a name of a stage");
    }

    #[test]
    fn what_may_be_allowed() {
        let mut findings = Findings::default();
        let all = entitlements(
            "network.host,security.insecure\nnetwork.host\ndevice\ndevice=a.com/gpu=0,alias=x",
            &mut findings,
        );
        assert_eq!(all, ["network.host", "security.insecure", "device", "device=a.com/gpu=0,alias=x"]);
        assert_eq!(findings.faults, []);
        entitlements("network\nfs.read=/\ndevice=", &mut findings);
        assert_eq!(findings.faults.len(), 3);
    }
}
