//! A plan as a person reads it, and as JSON for the output `plan`.
//!
//! Neither holds a secret or the value of a build argument. Names in a plan are hostile: in the text whatever
//! could steer a terminal, reorder a line or pass for a workflow command is replaced.

use std::fmt::Write as _;

use serde::Serialize;

use super::build::Export;
use super::build_text::{self, Asked};
use super::cache::place;
use super::legs::Part;
use super::outlook::{self, Outlook};
use super::{PushPlan, RunPlan};
use crate::metadata::{PlannedTag, Subject, printable};
use crate::model::{CacheEntry, CommitId, Platform, Repository};

/// Widest left column.
const WIDEST: usize = 60;

/// What the run does, in a few words.
pub fn title(plan: &RunPlan) -> String {
    let verb = if matches!(plan.push, PushPlan::Push { .. }) { "Push" } else { "Build" };
    let image = &plan.repository;
    match &plan.part {
        Part::Whole => format!("{verb} {image}"),
        Part::Leg(leg) => format!("{verb} one leg of {image}: {}", leg.platform),
        Part::Merge(_) => format!("Merge the legs of {image}"),
    }
}

/// The plan for the log: lines that end with a line feed.
pub fn render(plan: &RunPlan) -> String {
    text(plan, None)
}

/// The same with what carrying it out would do now.
pub fn foretell(plan: &RunPlan, outlook: &Outlook) -> String {
    text(plan, Some(outlook))
}

fn text(plan: &RunPlan, outlook: Option<&Outlook>) -> String {
    let mut rows = vec![("repository", plan.repository.to_string())];
    rows.extend(plan.also.iter().map(|repository| ("", repository.to_string())));
    rows.extend([("started by", plan.occasion.clone()), ("commit", plan.revision.to_string())]);
    rows.extend(plan.version.clone().map(|version| ("version", version)));
    rows.extend(build_text::rows(&plan.build));
    match plan.part {
        Part::Whole | Part::Leg(_) => rows.push(("builder", plan.builder.text())),
        Part::Merge(_) => {
            rows.push(("builder", "none: the legs were built by other jobs of this run".into()));
        }
    }
    rows.extend(plan.emulation.note.clone().map(|note| ("emulation", note)));
    rows.push(("push", pushes(plan)));
    rows.extend(outlook::promotion(&plan.promotion, outlook).map(|text| ("promote", text)));
    let fates = match outlook {
        Some(Outlook::Known { tags, .. }) => Some(tags),
        Some(Outlook::Unknown(why)) => {
            rows.push(("tags now", format!("not known: {why}")));
            None
        }
        None => None,
    };
    rows.extend(cache(plan).into_iter().map(|text| ("cache", text)));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<11} {}", tame(&value));
    }
    let contexts = build_text::contexts(&plan.build);
    if !contexts.is_empty() {
        section(&mut text, "build contexts", &contexts);
    }
    if let Part::Leg(_) = plan.part {
        let _ = writeln!(text, "tags: none, as this is one leg: the job with `mode: merge` puts them");
    } else {
        let tags = plan.tags.iter().map(|tag| {
            let fate = fates.and_then(|fates| fates.get(&tag.tag)).map(|fate| format!("; {fate}"));
            (tag.tag.to_string(), tag.reason.clone() + &fate.unwrap_or_default())
        });
        section(&mut text, "tags", &tags.collect::<Vec<_>>());
    }
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
        mode: plan.part.name(),
        repository: &plan.repository,
        repositories: plan.targets().filter(|_| !plan.also.is_empty()).collect(),
        subject: &plan.subject,
        started_by: &plan.occasion,
        revision: &plan.revision,
        version: plan.version.as_deref(),
        dockerfile: &plan.build.dockerfile.in_workspace,
        target: plan.build.target.as_deref(),
        platforms: &plan.build.platforms,
        build_args: plan.build.build_args.iter().map(|(name, _)| name.as_str()).collect(),
        asked: Asked::from(&plan.build),
        builder: &plan.builder.name,
        emulate: &plan.emulation.platforms,
        cache_from: plan.build.cache_from.iter().map(place).collect(),
        cache_to: plan.build.cache_to.iter().chain(&plan.cache.to).map(place).collect(),
        cache_notes: &plan.cache.notes,
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
    mode: &'static str,
    repository: &'a Repository,
    /// All of them, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repositories: Vec<&'a Repository>,
    subject: &'a Subject,
    started_by: &'a str,
    revision: &'a CommitId,
    version: Option<&'a str>,
    dockerfile: &'a str,
    target: Option<&'a str>,
    platforms: &'a [Platform],
    build_args: Vec<&'a str>,
    #[serde(flatten)]
    asked: Asked<'a>,
    builder: &'a str,
    emulate: &'a [Platform],
    cache_from: Vec<String>,
    cache_to: Vec<String>,
    cache_notes: &'a [String],
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

/// What is read, what is written, and why something is not.
fn cache(plan: &RunPlan) -> Vec<String> {
    let places = |verb: &str, entries: &mut dyn Iterator<Item = &CacheEntry>| {
        let places: Vec<String> = entries.map(place).collect();
        (!places.is_empty()).then(|| format!("{verb} {}", places.join(", ")))
    };
    let read = places("read from", &mut plan.build.cache_from.iter());
    let written = places("written to", &mut plan.build.cache_to.iter().chain(&plan.cache.to));
    read.into_iter().chain(written).chain(plan.cache.notes.iter().cloned()).collect()
}

/// No control characters, and nothing that the runner takes for a command: it looks for `##[` anywhere and for
/// `::` after spaces.
fn tame(text: &str) -> String {
    let text = printable(text).replace("##[", "##\\[");
    let begin = text.trim_start();
    if begin.starts_with("::") { format!("\\{begin}") } else { text }
}
