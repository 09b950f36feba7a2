//! The step's outputs, and the bake file that one of them names.
//!
//! `json` and `bake_file` have the shape that docker/metadata-action gives them (`src/meta.ts`), so that what reads its
//! outputs reads ours.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::account::{Account, Archived};
use super::target::TargetOutcome;
use crate::engine::process::Process;
use crate::metadata::{PlannedTag, most_specific};
use crate::model::{Annotation, AnnotationLevel, Digest, Repository, Tag, chain};
use crate::plan::publish::tags_in;
use crate::plan::{self, RunPlan};
use crate::registry::ImageMetadata;
use crate::runner::context::Paths;
use crate::runner::files::{FileError, append_outputs, delimiter, new_file};

/// Writes the outputs. A run that went `well` leaves a bake file, too.
pub(super) fn write(process: &Process, account: &Account<'_>, well: bool) {
    let Some(paths) = account.context.map(|context| &context.paths) else { return };
    let Some(file) = &paths.output else { return };
    let mut outputs = outputs(account);
    if let Some(plan) = account.plan.filter(|_| well) {
        match write_bake_file(process, paths, &bake_file(account, plan)) {
            Ok(path) => outputs.push(("bake_file", path.display().to_string())),
            Err(error) => process.reporter.warn(&format!("no output `bake_file`: {}", chain(&error))),
        }
    }
    let outputs: Vec<(&str, &str)> = outputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match append_outputs(file, &paths.workspace, &outputs, || delimiter(process.random_u128())) {
        Ok(left_out) => {
            for name in left_out {
                let why = "GitHub takes 1 MiB for all outputs";
                process.reporter.warn(&format!("output `{name}` is left out: {why}"));
            }
        }
        Err(error) => process.reporter.warn(&format!("no outputs: {}", chain(&error))),
    }
}

/// Its path as the job's next steps know it. The runner clears the directory when the job ends.
fn write_bake_file(process: &Process, paths: &Paths, content: &Value) -> Result<PathBuf, FileError> {
    let name = format!("docker-push-action-bake-{}.json", process.random_id());
    let file = paths.temp.join(name);
    new_file(&file, &paths.workspace, &format!("{content:#}\n"))?;
    Ok(paths.to_host(&file).unwrap_or(file))
}

/// Writes what a run that has written its outputs before has done since: the last text of an output counts.
pub(super) fn write_later(process: &Process, account: &Account<'_>) {
    let paths = account.context.map(|context| &context.paths);
    let Some((paths, file)) = paths.and_then(|paths| Some((paths, paths.output.as_ref()?))) else { return };
    let mut outputs = Vec::new();
    if let Some(archived) = account.archived {
        outputs.push(("archive", archive(account, archived)));
        outputs.push(("digest", account.digest.map_or_else(String::new, Digest::to_string)));
    }
    if !account.environments.is_empty() {
        outputs.push(("pull_requests", deployed(account)));
    }
    let outputs: Vec<(&str, &str)> = outputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if outputs.is_empty() {
        return;
    }
    if let Err(error) = append_outputs(file, &paths.workspace, &outputs, || delimiter(process.random_u128()))
    {
        let names: Vec<String> = outputs.iter().map(|(name, _)| format!("`{name}`")).collect();
        process.reporter.warn(&format!("no output {}: {}", names.join(", "), chain(&error)));
    }
}

/// The output `pull_requests`.
fn deployed(account: &Account<'_>) -> String {
    account.environments.iter().map(|one| one.json()).collect::<Value>().to_string()
}

/// Outputs in the order of need, should they ever be too long together.
fn outputs(account: &Account<'_>) -> Vec<(&'static str, String)> {
    let Some(plan) = account.plan else {
        let lint = account.lint.map(|plan| ("plan", plan.json()));
        return [("pushed", "false".into())].into_iter().chain(lint).collect();
    };
    let image = account.first().map_or(plan.targets.first(), |first| &first.repository).to_string();
    let digest = account.digest.map_or_else(String::new, Digest::to_string);
    let put = put(account, plan);
    let first = account.first();
    let specific = put.first().and_then(|(_, tags)| most_specific(tags)).map(|tag| tag.tag.to_string());
    let labels: Vec<String> = plan.labels().iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        ("pushed", account.pushed().to_string()),
        ("image", image),
        ("digest", digest),
        ("reference", first.and_then(reference).unwrap_or_default()),
        ("promoted", account.promoted.to_string()),
        ("imageid", image_id(first.and_then(|first| first.metadata.as_ref()))),
        ("tag", specific.unwrap_or_default()),
        ("tags", references(&put).join("\n")),
        ("tag_names", names(&put).join("\n")),
        ("version", plan.version.clone().unwrap_or_default()),
        ("held_back", held_back(account).to_string()),
        ("archive", account.archived.map(|archived| archive(account, archived)).unwrap_or_default()),
        ("pull_requests", deployed(account)),
        ("metadata", metadata(account)),
        ("plan", plan::display::json(plan)),
        ("labels", labels.join("\n")),
        ("annotations", account.annotations().iter().map(line_of).collect::<Vec<_>>().join("\n")),
        ("json", described(account, &put, plan).to_string()),
    ]
}

/// The output `archive`: the path as the job's next steps know it.
fn archive(account: &Account<'_>, archived: &Archived) -> String {
    let path = &archived.written.path;
    let host = account.context.and_then(|context| context.paths.to_host(path));
    host.as_ref().unwrap_or(path).display().to_string()
}

/// The image in one repository, once all its tags are there.
pub(super) fn reference(target: &TargetOutcome) -> Option<String> {
    let digest = target.digest.as_ref().filter(|_| target.pushed)?;
    Some(format!("{}@{digest}", target.repository))
}

/// The planned tags of each repository, without those that were held back, in the plan's order.
pub(super) fn put(account: &Account<'_>, plan: &RunPlan) -> Vec<(Repository, Vec<PlannedTag>)> {
    let placed = |target: &&Repository| {
        account.targets.is_empty() || account.targets.iter().any(|one| one.repository == **target)
    };
    let put = |target: &Repository| {
        let outcome = account.targets.iter().find(|one| one.repository == *target);
        let held =
            |tag: &&PlannedTag| outcome.iter().flat_map(|one| &one.held_back).any(|held| held.tag == tag.tag);
        (target.clone(), tags_in(plan, target).filter(|tag| !held(tag)).cloned().collect())
    };
    plan.targets.iter().filter(placed).map(put).collect()
}

/// The output `held_back`; with the repository of each where there are several.
pub(super) fn held_back(account: &Account<'_>) -> Value {
    let several = account.targets.len() > 1;
    let one = |target: &&TargetOutcome| {
        let held = target.held_back.iter().map(|held| {
            let mut value = json!(held);
            if several {
                value["repository"] = json!(target.repository);
            }
            value
        });
        held.collect::<Vec<_>>()
    };
    account.targets.iter().flat_map(one).collect()
}

/// The output `metadata`: the image in the first repository; where there are several, that of each besides.
pub(super) fn metadata(account: &Account<'_>) -> String {
    let Some(mut value) = account.first().and_then(held) else { return String::new() };
    if account.targets.len() > 1 {
        let each = account.targets.iter().map(|target| {
            let mut value = held(target).unwrap_or_else(|| json!({}));
            value["repository"] = json!(target.repository);
            value["pushed"] = json!(target.pushed);
            value
        });
        value["repositories"] = each.collect();
    }
    value.to_string()
}

/// The image as a repository holds it, with the tags of single platforms.
fn held(target: &TargetOutcome) -> Option<Value> {
    let metadata = target.metadata.as_ref()?;
    let mut value = json!(metadata);
    for (number, platform) in metadata.platforms.iter().enumerate() {
        let tags: Vec<&Tag> =
            platform.platform.iter().flat_map(|platform| target.tags_of(platform)).collect();
        if !tags.is_empty() {
            value["platforms"][number]["tags"] = json!(tags);
        }
    }
    Some(value)
}

/// Tags of repositories.
type Put = [(Repository, Vec<PlannedTag>)];

fn references(put: &Put) -> Vec<String> {
    let of = |(target, tags): &(Repository, Vec<PlannedTag>)| {
        tags.iter().map(|tag| format!("{target}:{}", tag.tag)).collect::<Vec<_>>()
    };
    put.iter().flat_map(of).collect()
}

/// The tags alone, each once.
fn names(put: &Put) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for tag in put.iter().flat_map(|(_, tags)| tags) {
        if !names.iter().any(|known| known == tag.tag.as_str()) {
            names.push(tag.tag.to_string());
        }
    }
    names
}

/// The output `json`.
fn described(account: &Account<'_>, put: &Put, plan: &RunPlan) -> Value {
    json!({
        "tags": references(put),
        "tag-names": names(put),
        "labels": plan.labels(),
        "annotations": account.annotations().iter().map(line_of).collect::<Vec<_>>(),
    })
}

/// What bake reads: a target that others inherit from. Annotations of manifests only, as metadata-action has them unless
/// asked: with those of an index bake could not build for one platform.
fn bake_file(account: &Account<'_>, plan: &RunPlan) -> Value {
    let tags = put(account, plan);
    let specific = || most_specific(&tags.first()?.1).map(|tag| tag.tag.to_string());
    let version = plan.version.clone().or_else(specific);
    let images: Vec<String> = tags.iter().map(|(target, _)| target.to_string()).collect();
    let of_manifest = |annotation: &&Annotation| {
        annotation.level == AnnotationLevel::Manifest && annotation.platform.is_none()
    };
    let target = json!({
        "tags": references(&tags),
        "labels": plan.labels(),
        "annotations": account.annotations().iter().filter(of_manifest).map(line_of).collect::<Vec<_>>(),
        "args": {
            "DOCKER_META_IMAGES": images.join(","),
            "DOCKER_META_VERSION": version.unwrap_or_default(),
        },
    });
    json!({"target": {"docker-metadata-action": literal(target)}})
}

/// Bake takes `${…}` and `%{…}` in a text for something to work out, as HCL does: a description may hold either.
fn literal(value: Value) -> Value {
    let plain = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
    match value {
        Value::String(text) => plain(&text).into(),
        Value::Array(values) => values.into_iter().map(literal).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (plain(&key), literal(value))).collect())
        }
        other => other,
    }
}

/// An annotation as the input takes it: `index[linux/amd64]:key=value`.
fn line_of(annotation: &Annotation) -> String {
    let level = annotation.level.name();
    let platform = annotation.platform.as_ref().map(|platform| format!("[{platform}]")).unwrap_or_default();
    format!("{level}{platform}:{}={}", annotation.key, annotation.value)
}

/// The config's digest of an image for one platform, with an index around it (for attestations) or without.
fn image_id(metadata: Option<&ImageMetadata>) -> String {
    let Some(metadata) = metadata else { return String::new() };
    match metadata.platforms.as_slice() {
        [only] => only.config_digest.as_ref().map_or_else(String::new, Digest::to_string),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Platform;
    use crate::registry::{AttestationMetadata, PlatformMetadata};

    #[test]
    fn nothing_in_a_bake_file_is_worked_out() {
        let value = json!({"${a}": ["$b ${c}", 1, {"%{d}": "50% {e}"}]});
        assert_eq!(literal(value), json!({"$${a}": ["$b $${c}", 1, {"%%{d}": "50% {e}"}]}));
    }

    #[test]
    fn an_image_of_one_platform_has_an_id() {
        let platform = |name: &str| PlatformMetadata {
            platform: Platform::parse(name).ok(),
            digest: Digest::of(name.as_bytes()),
            size: 1,
            config_digest: Some(Digest::of(b"config")),
            layers: Vec::new(),
        };
        let metadata = |platforms: &[&str], attestations: usize| ImageMetadata {
            digest: Digest::of(b"top"),
            media_type: String::new(),
            size: 1,
            platforms: platforms.iter().map(|name| platform(name)).collect(),
            attestations: vec![
                AttestationMetadata { digest: Digest::of(b"a"), subject: None, size: 1 };
                attestations
            ],
        };
        let id = Digest::of(b"config").to_string();
        assert_eq!(image_id(Some(&metadata(&["linux/amd64"], 0))), id);
        assert_eq!(image_id(Some(&metadata(&["linux/amd64"], 1))), id, "an index around it changes nothing");
        assert_eq!(image_id(Some(&metadata(&["linux/amd64", "linux/arm64"], 0))), "");
        assert_eq!(image_id(None), "");
    }
}
