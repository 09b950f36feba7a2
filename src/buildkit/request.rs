//! A build plan as BuildKit's `SolveRequest`. Pure; obeys what `docker buildx build` sends, where the
//! result is to be the same (`build/opt.go`), and the attributes of BuildKit's `exptypes/keys.go`.
//!
//! One exporter, or none. Images have OCI media types (buildx lets the daemon choose, and an older one
//! chooses Docker's), no attestations, and the `created` of the plan as the exporter's
//! `source-date-epoch`: as a build argument it would spoil the cache at every commit.

use std::collections::HashMap;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, Exporter, SolveRequest};

use super::address::Address;
use super::ids::BuildIds;
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
        cache: Some(CacheOptions::default()),
        ..SolveRequest::default()
    }
}

fn frontend_attrs(plan: &BuildPlan, address: &Address) -> HashMap<String, String> {
    let mut attrs = HashMap::new();
    let mut set = |key: String, value: &str| attrs.insert(key, value.to_owned());
    set("filename".into(), &plan.dockerfile.file_name);
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
    }
    match address {
        _ if plan.pull => set("image-resolve-mode".into(), "pull"),
        // A base image that is in the daemon's store is taken from there.
        Address::DockerSocket(_) => set("image-resolve-mode".into(), "local"),
        Address::BuildkitSocket(_) => None,
    };
    attrs
}

fn exporter(plan: &BuildPlan) -> Option<Exporter> {
    let mut attrs: HashMap<String, String> = HashMap::new();
    let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
    set("oci-mediatypes", "true");
    // Nothing stays in the daemon's own image store.
    set("store", "false");
    if let Some(seconds) = plan.source_date_epoch {
        set("source-date-epoch", &seconds.to_string());
    }
    match &plan.export {
        Export::Nothing => return None,
        Export::Digest => {}
        Export::PushByDigest(repository) => {
            set("name", &repository.to_string());
            set("push", "true");
            set("push-by-digest", "true");
        }
    }
    // Not `moby`, which turns the name into `NAME:latest` and then refuses to push by digest.
    Some(Exporter { r#type: "image".into(), attrs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::config::Dockerfile;
    use crate::model::{Platform, Repository};

    fn plan() -> BuildPlan {
        BuildPlan {
            context: "/w".into(),
            dockerfile: Dockerfile {
                directory: "/w/build".into(),
                file_name: "api.Dockerfile".into(),
                in_workspace: "build/api.Dockerfile".into(),
            },
            platforms: vec![Platform::parse("linux/arm64").unwrap()],
            target: None,
            build_args: vec![],
            labels: std::collections::BTreeMap::new(),
            no_cache: false,
            pull: false,
            source_date_epoch: None,
            shared_key: "key".into(),
            export: Export::Nothing,
        }
    }

    fn sorted(attrs: &HashMap<String, String>) -> Vec<String> {
        let mut lines: Vec<String> = attrs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.sort();
        lines
    }

    fn request(plan: &BuildPlan) -> SolveRequest {
        let ids = BuildIds { reference: "ref".into(), session: "session".into() };
        solve_request(plan, &ids, &Address::DockerSocket("/s".into()))
    }

    #[test]
    fn frontend() {
        type Change = fn(&mut BuildPlan);
        let table: &[(Change, &[&str])] = &[
            (|_| {}, &["filename=api.Dockerfile", "image-resolve-mode=local", "platform=linux/arm64"]),
            (
                |plan| {
                    plan.pull = true;
                    plan.no_cache = true;
                    plan.target = Some("web".into());
                    plan.platforms.push(Platform::parse("linux/amd64").unwrap());
                },
                &[
                    "filename=api.Dockerfile",
                    "image-resolve-mode=pull",
                    "no-cache=",
                    "platform=linux/arm64,linux/amd64",
                    "target=web",
                ],
            ),
            (
                |plan| {
                    plan.build_args = vec![("A".into(), "1=2,3".into()), ("B".into(), String::new())];
                    plan.labels.insert("org.opencontainers.image.title".into(), "a b".into());
                },
                &[
                    "build-arg:A=1=2,3",
                    "build-arg:B=",
                    "filename=api.Dockerfile",
                    "image-resolve-mode=local",
                    "label:org.opencontainers.image.title=a b",
                    "platform=linux/arm64",
                ],
            ),
        ];
        for (change, expected) in table {
            let mut plan = plan();
            change(&mut plan);
            assert_eq!(sorted(&request(&plan).frontend_attrs), *expected);
        }
        let ids = BuildIds { reference: "ref".into(), session: "session".into() };
        let buildkitd = solve_request(&plan(), &ids, &Address::BuildkitSocket("/s".into()));
        assert!(!buildkitd.frontend_attrs.contains_key("image-resolve-mode"));
    }

    #[test]
    fn exporters() {
        let repository = Repository::parse("ghcr.io/acme/api").unwrap();
        let table: &[(Export, Option<i64>, &[&str])] = &[
            (Export::Digest, None, &["oci-mediatypes=true", "store=false"]),
            (
                Export::PushByDigest(repository),
                Some(-7),
                &[
                    "name=ghcr.io/acme/api",
                    "oci-mediatypes=true",
                    "push-by-digest=true",
                    "push=true",
                    "source-date-epoch=-7",
                    "store=false",
                ],
            ),
        ];
        for (export, source_date_epoch, expected) in table {
            let plan = BuildPlan { export: export.clone(), source_date_epoch: *source_date_epoch, ..plan() };
            let request = request(&plan);
            assert_eq!(request.exporters.len(), 1);
            assert_eq!(request.exporters[0].r#type, "image");
            assert_eq!(sorted(&request.exporters[0].attrs), *expected);
            assert_eq!(request.exporter_deprecated, "image");
            assert_eq!(request.exporter_attrs_deprecated, request.exporters[0].attrs);
        }
        let nothing = request(&plan());
        assert!(nothing.exporters.is_empty() && nothing.exporter_deprecated.is_empty());
        assert_eq!((nothing.r#ref.as_str(), nothing.session.as_str()), ("ref", "session"));
    }
}
