//! A build plan as BuildKit's `SolveRequest`. Pure; obeys what `docker buildx build` sends, where the
//! result is to be the same (`build/opt.go`), and the attributes of BuildKit's `exptypes/keys.go`.
//!
//! One exporter, or none. Images have OCI media types (buildx lets the daemon choose, and an older one
//! chooses Docker's), and the `created` of the plan as the exporter's `source-date-epoch`: as a build
//! argument it would spoil the cache at every commit.

use std::collections::HashMap;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, Exporter, SolveRequest};

use super::address::Address;
use super::contexts;
use super::ids::BuildIds;
use super::pins;
use crate::model::{
    Annotation, AnnotationLevel, Compression, ExporterKind, HostAddress, NetworkMode, RunOptions, Secret,
};
use crate::plan::build::{BuildPlan, Export};

/// The request that carries out this plan at this daemon.
pub(super) fn solve_request(plan: &BuildPlan, ids: &BuildIds, address: &Address) -> SolveRequest {
    let exporters: Vec<Exporter> = exporter(plan).into_iter().collect();
    // Before 0.13, BuildKit reads the first exporter from these.
    let first = exporters.first().cloned().unwrap_or_default();
    SolveRequest {
        r#ref: ids.reference.clone(),
        session: ids.session.clone(),
        frontend: "dockerfile.v0".into(),
        frontend_attrs: frontend_attrs(plan, address),
        exporter_deprecated: first.r#type,
        exporter_attrs_deprecated: first.attrs,
        exporters,
        // Not recorded in the daemon's build history: for each build it writes a log, a provenance document
        // per platform and a database entry before it answers, a third of a small cached build's time.
        internal: true,
        entitlements: plan.entitlements.clone(),
        source_policy: pins::policy(&plan.pinned, plan.source_commit().as_ref()),
        cache: Some(CacheOptions::default()),
        ..SolveRequest::default()
    }
}

/// Adds the build arguments whose values the plan does not hold.
pub(super) fn add_arguments(request: &mut SolveRequest, arguments: &[(String, Secret)]) {
    let all = arguments.iter();
    let all = all.map(|(name, value)| (format!("build-arg:{name}"), value.expose().to_owned()));
    request.frontend_attrs.extend(all);
}

fn frontend_attrs(plan: &BuildPlan, address: &Address) -> HashMap<String, String> {
    let mut attrs: HashMap<String, String> = contexts::attributes(plan).into_iter().collect();
    attrs.extend(run_attributes(&plan.run));
    attrs.extend(attestations(plan));
    let mut set = |key: String, value: &str| attrs.insert(key, value.to_owned());
    let platforms: Vec<String> = plan.platforms.iter().map(ToString::to_string).collect();
    set("platform".into(), &platforms.join(","));
    if let Some(target) = &plan.target {
        set("target".into(), target);
    }
    for (name, value) in &plan.build_args {
        set(format!("build-arg:{name}"), value);
    }
    for (name, value) in &plan.labels {
        set(format!("label:{name}"), value);
    }
    if plan.no_cache {
        // Which stages: all.
        set("no-cache".into(), "");
    } else if !plan.no_cache_filters.is_empty() {
        set("no-cache".into(), &plan.no_cache_filters.join(","));
    }
    match address {
        _ if plan.pull => set("image-resolve-mode".into(), "pull"),
        // A base image that is in the daemon's store is taken from there.
        Address::DockerSocket(_) => set("image-resolve-mode".into(), "local"),
        _ => None,
    };
    attrs
}

/// How steps run. BuildKit splits lists at commas and reads each part as one field of CSV.
fn run_attributes(run: &RunOptions) -> Vec<(String, String)> {
    let mut attrs = Vec::new();
    let mut set = |key: &str, value: String| attrs.push((key.to_owned(), value));
    match run.network {
        None => {}
        Some(NetworkMode::Host) => set("force-network-mode", "host".into()),
        Some(NetworkMode::None) => set("force-network-mode", "none".into()),
    }
    if !run.add_hosts.is_empty() {
        set("add-hosts", csv(run.add_hosts.iter().map(|(name, address)| host_line(name, address))));
    }
    if !run.ulimits.is_empty() {
        set("ulimit", csv(run.ulimits.iter().map(|(name, soft, hard)| format!("{name}={soft}:{hard}"))));
    }
    if let Some(bytes) = run.shm_size {
        set("shm-size", bytes.to_string());
    }
    if let Some(parent) = &run.cgroup_parent {
        set("cgroup-parent", parent.clone());
    }
    attrs
}

/// The plan has put an address in `host-gateway`'s place; BuildKit would refuse the word.
fn host_line(name: &str, address: &HostAddress) -> String {
    match address {
        HostAddress::Ip(address) => format!("{name}={address}"),
        HostAddress::Gateway => format!("{name}=host-gateway"),
    }
}

/// Without an image nothing could hold them, and a scanner would run for nothing.
fn attestations(plan: &BuildPlan) -> Vec<(String, String)> {
    if plan.export == Export::Nothing {
        return Vec::new();
    }
    let mut attrs: Vec<(String, String)> = plan
        .attestations
        .iter()
        .map(|attestation| {
            let fields = attestation.attrs.iter().map(|(key, value)| format!("{key}={value}"));
            (format!("attest:{}", attestation.kind), csv(fields))
        })
        .collect();
    if let Some(source) = plan.source.as_ref().filter(|_| !attrs.is_empty()) {
        attrs.push(("vcs:source".into(), source.url.clone()));
        attrs.push(("vcs:revision".into(), source.revision.to_string()));
    }
    attrs
}

/// One line of CSV, as Go's `encoding/csv` writes it.
fn csv(fields: impl Iterator<Item = String>) -> String {
    let quoted = fields.map(|field| {
        let plain = !field.contains([',', '"', '\n', '\r']) && !field.starts_with(' ');
        if plain { field } else { format!("\"{}\"", field.replace('"', "\"\"")) }
    });
    quoted.collect::<Vec<_>>().join(",")
}

/// The exporter's key of an annotation (BuildKit's `exptypes/annotations.go`).
fn annotation_key(annotation: &Annotation) -> String {
    let level = match annotation.level {
        AnnotationLevel::Manifest => "",
        AnnotationLevel::Index => "-index",
        AnnotationLevel::ManifestDescriptor => "-manifest-descriptor",
        AnnotationLevel::IndexDescriptor => "-index-descriptor",
    };
    let platform = annotation.platform.as_ref().map(|platform| format!("[{platform}]")).unwrap_or_default();
    format!("annotation{level}{platform}.{}", annotation.key)
}

/// The annotations that this plan's image can hold. Plans are split by platform: what is for another part is not an
/// error here, as it is for BuildKit.
fn held_annotations(plan: &BuildPlan) -> impl Iterator<Item = (String, &str)> {
    let index = plan.has_index();
    let ours = plan.annotations.iter().filter(|annotation| {
        let there = annotation.platform.as_ref().is_none_or(|platform| plan.platforms.contains(platform));
        there && plan.holds(annotation.level)
    });
    // What is for one platform comes last: on a manifest without an index BuildKit looks for no platform, so there
    // the two have the same key, and the later one counts.
    let (general, special): (Vec<_>, Vec<_>) = ours.partition(|annotation| annotation.platform.is_none());
    general.into_iter().chain(special).map(move |annotation| {
        let platform = annotation.platform.clone().filter(|_| index);
        let placed = Annotation { platform, ..annotation.clone() };
        (annotation_key(&placed), annotation.value.as_str())
    })
}

fn exporter(plan: &BuildPlan) -> Option<Exporter> {
    let mut exporter = planned_exporter(plan)?;
    if let Export::Output { attrs, .. } = &plan.export {
        exporter.attrs.extend(attrs.clone());
    }
    Some(exporter)
}

/// The exporter, as far as the plan says more of it than the user.
fn planned_exporter(plan: &BuildPlan) -> Option<Exporter> {
    if let Export::Output { kind, .. } = &plan.export
        && !kind.is_image()
    {
        // Files keep the times that they have in the result, as buildx leaves them.
        return Some(Exporter { r#type: kind.name().into(), attrs: HashMap::new() });
    }
    let mut attrs: HashMap<String, String> = HashMap::new();
    let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
    if !matches!(plan.export, Export::Output { kind: ExporterKind::Docker, .. }) {
        set("oci-mediatypes", "true");
    }
    if matches!(plan.export, Export::Digest | Export::PushByDigest(_)) {
        // Nothing stays in the daemon's own image store.
        set("store", "false");
    }
    if let Some(seconds) = plan.source_date_epoch {
        set("source-date-epoch", &seconds.to_string());
    }
    for (key, value) in held_annotations(plan) {
        set(&key, value);
    }
    if let Some(Compression { kind, level, force }) = plan.compression {
        set("compression", kind.name());
        if let Some(level) = level {
            set("compression-level", &level.to_string());
        }
        if force {
            set("force-compression", "true");
        }
    }
    let kind = match &plan.export {
        Export::Nothing => return None,
        // Not `moby`, which turns the name into `NAME:latest` and then refuses to push by digest.
        Export::Digest => "image",
        Export::Store(names) => {
            set("name", &names.join(","));
            // Names as the daemon's own, which `image` takes as they are written.
            "moby"
        }
        Export::Layout => {
            set("tar", "false");
            "oci"
        }
        Export::Output { kind, .. } => kind.name(),
        Export::Archive(names) => {
            set("name", &names.join(","));
            if plan.has_index() { "oci" } else { "docker" }
        }
        Export::PushByDigest(repositories) => {
            // It pushes to one after the other, and to none after one that fails.
            let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
            set("name", &names.join(","));
            set("push", "true");
            set("push-by-digest", "true");
            "image"
        }
    };
    Some(Exporter { r#type: kind.into(), attrs })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
