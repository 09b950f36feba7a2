//! What a build is asked for, as rows of the plan's text and as fields of its JSON. What was not asked for has neither.
//!
//! Of secrets and SSH agents it shows ids, of build arguments names; of contexts where they come from, which holds no
//! credentials.

use serde::Serialize;

use super::build::BuildPlan;
use super::given::GivenWork;
use super::index::IndexPlan;
use crate::model::{
    Annotation, AnnotationLevel, ContextSource, HostAddress, NamedContext, NamedSource, NetworkMode,
};

/// Rows for the text, the context first.
pub(super) fn rows(plan: &BuildPlan) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &'static str, value: String| {
        if !value.is_empty() {
            rows.push((name, value));
        }
    };
    if let ContextSource::Remote(url) = &plan.context {
        let at = plan.source_commit().filter(|told| !told.by_id);
        row("context", at.map_or_else(|| url.clone(), |told| format!("{url} at {}", told.commit)));
    }
    row("dockerfile", plan.dockerfile.in_workspace.clone());
    row("target", plan.target.clone().unwrap_or_default());
    row("platforms", joined(plan.platforms.iter()));
    row("build args", joined(plan.build_args.iter().map(|(name, _)| name)));
    row("proxies", joined(plan.proxies.iter()));
    row("secrets", joined(plan.secrets.iter()));
    row("ssh", joined(plan.ssh.iter()));
    row("network", network(plan).unwrap_or_default().to_owned());
    row("hosts", joined(hosts(plan).iter()));
    row("ulimits", joined(ulimits(plan).iter()));
    row("shm size", plan.run.shm_size.map(bytes).unwrap_or_default());
    row("cgroup", plan.run.cgroup_parent.clone().unwrap_or_default());
    row("allows", joined(plan.entitlements.iter()));
    let stages = joined(plan.no_cache_filters.iter());
    row("no cache", if plan.no_cache { "for every stage".into() } else { stages });
    row("pull", if plan.pull { "looks for newer base images".into() } else { String::new() });
    row("attests", joined(attestations(plan).iter()));
    row("layers", plan.compression.map(|one| one.to_string()).unwrap_or_default());
    row("annotations", annotations(&plan.annotations, plan.has_index()));
    rows
}

/// Rows for the text of an index that is made of parts.
pub(super) fn index_rows(index: &IndexPlan) -> Vec<(&'static str, String)> {
    let rows = [
        ("platforms", joined(index.platforms.iter())),
        ("annotations", annotations(&index.annotations, true)),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Rows for the text of an image that is there already.
pub(super) fn given_rows(given: &GivenWork) -> Vec<(&'static str, String)> {
    let has_index = given.annotations.iter().any(|one| one.level == AnnotationLevel::Index);
    let rows = [
        ("platforms", joined(given.platforms.iter())),
        ("annotations", annotations(&given.annotations, has_index)),
        ("builder", "none: the image is there already".into()),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Named contexts, as two columns.
pub(super) fn contexts(plan: &BuildPlan) -> Vec<(String, String)> {
    plan.named_contexts.iter().map(|context| (context.name.clone(), origin(context))).collect()
}

fn origin(context: &NamedContext) -> String {
    match &context.source {
        NamedSource::Directory(directory) => directory.display().to_string(),
        NamedSource::Remote(reference) => reference.clone(),
        NamedSource::OciLayout { directory, digest } => {
            format!("oci-layout://{}@{digest}", directory.display())
        }
    }
}

/// The part of the output `plan` that is about these. Fields are added, never renamed.
#[derive(Default, Serialize)]
pub(super) struct BuildFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build_contexts: Vec<Context<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    proxies: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    secrets: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ssh: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add_hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ulimit: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shm_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup_parent: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allow: &'a [String],
    no_cache: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    no_cache_filters: &'a [String],
    pull: bool,
    attestations: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<String>,
    /// How many.
    annotations: usize,
}

#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    source: String,
}

impl BuildFields<'_> {
    /// Of an index, nothing but how many annotations it has.
    pub(super) fn of_index(annotations: &[Annotation]) -> Self {
        Self { annotations: annotations.len(), ..Self::default() }
    }
}

impl<'a> From<&'a BuildPlan> for BuildFields<'a> {
    fn from(plan: &'a BuildPlan) -> Self {
        let named = plan.named_contexts.iter();
        Self {
            context: match &plan.context {
                ContextSource::Remote(url) => Some(url),
                ContextSource::Directory(_) => None,
            },
            build_contexts: named.map(|one| Context { name: &one.name, source: origin(one) }).collect(),
            proxies: &plan.proxies,
            secrets: &plan.secrets,
            ssh: &plan.ssh,
            network: network(plan),
            add_hosts: hosts(plan),
            ulimit: ulimits(plan),
            shm_size: plan.run.shm_size,
            cgroup_parent: plan.run.cgroup_parent.as_deref(),
            allow: &plan.entitlements,
            no_cache: plan.no_cache,
            no_cache_filters: &plan.no_cache_filters,
            pull: plan.pull,
            attestations: attestations(plan),
            compression: plan.compression.map(|one| one.to_string()),
            annotations: plan.annotations.len(),
        }
    }
}

fn network(plan: &BuildPlan) -> Option<&'static str> {
    plan.run.network.map(|network| match network {
        NetworkMode::Host => "host",
        NetworkMode::None => "none",
    })
}

fn hosts(plan: &BuildPlan) -> Vec<String> {
    let line = |(name, address): &(String, HostAddress)| match address {
        HostAddress::Ip(address) => format!("{name}={address}"),
        HostAddress::Gateway => format!("{name}=host-gateway"),
    };
    plan.run.add_hosts.iter().map(line).collect()
}

fn ulimits(plan: &BuildPlan) -> Vec<String> {
    plan.run.ulimits.iter().map(|(name, soft, hard)| format!("{name}={soft}:{hard}")).collect()
}

fn bytes(count: u64) -> String {
    match count {
        count if count % (1 << 20) == 0 => format!("{} MiB", count >> 20),
        count if count % (1 << 10) == 0 => format!("{} KiB", count >> 10),
        count => format!("{count} bytes"),
    }
}

/// `provenance (mode=min)`; without what is the same for everybody.
fn attestations(plan: &BuildPlan) -> Vec<String> {
    let text = |attestation: &crate::model::Attestation| {
        let shown =
            attestation.attrs.iter().filter(|(key, _)| !matches!(key.as_str(), "inline-only" | "builder-id"));
        let shown: Vec<String> = shown.map(|(key, value)| format!("{key}={value}")).collect();
        match shown.as_slice() {
            [] => attestation.kind.clone(),
            attrs => format!("{} ({})", attestation.kind, attrs.join(" ")),
        }
    };
    plan.attestations.iter().map(text).collect()
}

/// `8 on each manifest, 8 on the index`.
fn annotations(all: &[Annotation], has_index: bool) -> String {
    let levels = [
        (AnnotationLevel::Manifest, if has_index { "each manifest" } else { "the manifest" }),
        (AnnotationLevel::Index, "the index"),
        (AnnotationLevel::ManifestDescriptor, "manifest descriptors"),
        (AnnotationLevel::IndexDescriptor, "the index descriptor"),
    ];
    let mut counts = Vec::new();
    for (level, place) in levels {
        let all = || all.iter().filter(|annotation| annotation.level == level);
        let special = all().filter(|annotation| annotation.platform.is_some()).count();
        let general = all().count() - special;
        if general > 0 {
            counts.push(format!("{general} on {place}"));
        }
        if special > 0 && level == AnnotationLevel::Manifest {
            counts.push(format!("{special} on manifests of one platform"));
        } else if special > 0 {
            counts.push(format!("{special} on {place} of one platform"));
        }
    }
    counts.join(", ")
}

fn joined<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
