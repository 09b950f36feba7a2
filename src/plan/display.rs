//! A plan as a person reads it, and as JSON for the output `plan`.
//!
//! Neither holds a secret or the value of a build argument. Names in a plan are hostile: in the text whatever
//! could steer a terminal, reorder a line or pass for a workflow command is replaced.

use std::fmt::Write as _;

use serde::Serialize;

use super::build::Export;
use super::{PushPlan, RunPlan};
use crate::metadata::{PlannedTag, Subject, printable};
use crate::model::{CommitId, Platform, Repository};

/// Widest left column.
const WIDEST: usize = 60;

/// The plan for the log: lines that end with a line feed.
pub fn render(plan: &RunPlan) -> String {
    let mut rows = vec![
        ("repository", plan.repository.to_string()),
        ("started by", plan.occasion.clone()),
        ("commit", plan.revision.to_string()),
    ];
    rows.extend(plan.version.clone().map(|version| ("version", version)));
    rows.push(("dockerfile", plan.build.dockerfile.in_workspace.clone()));
    rows.extend(plan.build.target.clone().map(|target| ("target", target)));
    rows.push(("platforms", joined(plan.build.platforms.iter())));
    let arguments: Vec<&str> = plan.build.build_args.iter().map(|(name, _)| name.as_str()).collect();
    if !arguments.is_empty() {
        rows.push(("build args", joined(arguments.iter())));
    }
    rows.push(("builder", plan.builder.clone()));
    rows.push(("push", pushes(plan)));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<11} {}", tame(&value));
    }
    let tags = plan.tags.iter().map(|tag| (tag.tag.to_string(), tag.reason.clone()));
    section(&mut text, "tags", &tags.collect::<Vec<_>>());
    section(&mut text, "labels", &plan.build.labels.clone().into_iter().collect::<Vec<_>>());
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {}", tame(warning));
    }
    text
}

/// A titled list in two columns.
fn section(text: &mut String, title: &str, rows: &[(String, String)]) {
    if rows.is_empty() {
        let _ = writeln!(text, "{title}: none");
        return;
    }
    let rows: Vec<(String, String)> = rows.iter().map(|(left, right)| (tame(left), tame(right))).collect();
    let width = rows.iter().map(|(left, _)| left.chars().count().min(WIDEST)).max().unwrap_or(0);
    let _ = writeln!(text, "{title}:");
    for (left, right) in rows {
        let row = format!("  {left:<width$}  {right}");
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

/// The plan as one line of JSON.
pub fn json(plan: &RunPlan) -> String {
    let (pushes, why) = match &plan.push {
        PushPlan::Push { why, .. } => (true, why),
        PushPlan::Keep { why } => (false, why),
    };
    let document = Document {
        repository: &plan.repository,
        subject: &plan.subject,
        started_by: &plan.occasion,
        revision: &plan.revision,
        version: plan.version.as_deref(),
        dockerfile: &plan.build.dockerfile.in_workspace,
        target: plan.build.target.as_deref(),
        platforms: &plan.build.platforms,
        build_args: plan.build.build_args.iter().map(|(name, _)| name.as_str()).collect(),
        builder: &plan.builder,
        push: pushes,
        push_reason: why,
        tags: &plan.tags,
        labels: &plan.build.labels,
        warnings: &plan.warnings,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The output `plan`. Fields are added, never renamed.
#[derive(Serialize)]
struct Document<'a> {
    repository: &'a Repository,
    subject: &'a Subject,
    started_by: &'a str,
    revision: &'a CommitId,
    version: Option<&'a str>,
    dockerfile: &'a str,
    target: Option<&'a str>,
    platforms: &'a [Platform],
    build_args: Vec<&'a str>,
    builder: &'a str,
    push: bool,
    push_reason: &'a str,
    tags: &'a [PlannedTag],
    labels: &'a std::collections::BTreeMap<String, String>,
    warnings: &'a [String],
}

fn pushes(plan: &RunPlan) -> String {
    match (&plan.push, &plan.build.export) {
        (PushPlan::Push { why, tolerate_refusal: true }, _) => {
            format!("yes: {why} (if the registry refuses, the image is built all the same)")
        }
        (PushPlan::Push { why, .. }, _) => format!("yes: {why}"),
        (PushPlan::Keep { why }, Export::Nothing) => format!("no: {why} (the steps run, no image is kept)"),
        (PushPlan::Keep { why }, _) => format!("no: {why}"),
    }
}

fn joined<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// No control characters, and nothing that the runner takes for a command: it looks for `##[` anywhere and for
/// `::` after spaces.
fn tame(text: &str) -> String {
    let text = printable(text).replace("##[", "##\\[");
    let begin = text.trim_start();
    if begin.starts_with("::") { format!("\\{begin}") } else { text }
}
