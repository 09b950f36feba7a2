//! What a run leaves behind: its last lines, the outputs, the job summary. Also of a run that failed.

use serde_json::json;

use crate::buildkit::BuildError;
use crate::error::{RunError, explain};
use crate::model::Digest;
use crate::plan::{self, PushPlan, RunPlan};
use crate::progress::text;
use crate::registry::ImageMetadata;
use crate::runner::command::{Annotation, Level};
use crate::runner::files::{append_outputs, append_summary, delimiter};
use crate::runner::summary::{self, Outcome, PlatformRow, SummaryInput};
use crate::runner::units;

use super::Process;
use super::record::Record;

/// Prints the end of the log and writes outputs and summary. Trouble with these is reported, not fatal: what was
/// done is done.
pub fn finish(process: &Process, record: &Record, result: &Result<(), RunError>) {
    let outcome = outcome(record, result);
    say(process, record, result);
    let Some(context) = &record.context else { return };
    let workspace = &context.paths.workspace;
    if let Some(file) = &context.paths.output {
        let outputs = outputs(record);
        let outputs: Vec<(&str, &str)> =
            outputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match append_outputs(file, workspace, &outputs, || delimiter(process.random_u128())) {
            Ok(left_out) => {
                for name in left_out {
                    process
                        .reporter
                        .warn(&format!("output `{name}` is left out: GitHub takes 1 MiB for all outputs"));
                }
            }
            Err(error) => process.reporter.warn(&format!("no outputs: {}", chain(&error))),
        }
    }
    // A summary is wanted unless it was switched off; faulty inputs do not say.
    let wanted = record.config.as_ref().is_none_or(|config| config.summary);
    if let Some(file) = context.paths.summary.as_ref().filter(|_| wanted) {
        let page = process.reporter.redact(&summary::render(&page(process, record, result, outcome)));
        if let Err(error) = append_summary(file, workspace, &page) {
            process.reporter.warn(&format!("no summary: {}", chain(&error)));
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map_or_else(String::new, |source| format!(": {source}"));
    format!("{error}{source}")
}

fn outcome(record: &Record, result: &Result<(), RunError>) -> Outcome {
    match (result, &record.nothing, &record.refused, &record.plan) {
        (Err(error), ..) => Outcome::Failed(explain(error)),
        (Ok(()), Some(why), ..) => Outcome::Nothing(why.clone()),
        (Ok(()), ..) if record.dry_run => Outcome::DryRun,
        (Ok(()), _, Some(why), _) | (Ok(()), _, _, Some(RunPlan { push: PushPlan::Keep { why }, .. })) => {
            Outcome::Built(why.clone())
        }
        _ => Outcome::Pushed,
    }
}

fn say(process: &Process, record: &Record, result: &Result<(), RunError>) {
    let reporter = &process.reporter;
    match result {
        Err(error) => {
            for annotation in annotations(record, error) {
                reporter.annotate(annotation);
            }
            if !record.published.is_empty() && !record.pushed {
                let done: Vec<String> = record.published.iter().map(|tag| format!("`{}`", tag.tag)).collect();
                reporter.info(&format!(
                    "tags that were put before: {}; a re-run completes them",
                    done.join(", ")
                ));
            }
        }
        Ok(()) if record.dry_run => reporter.info("dry run: nothing was changed"),
        Ok(()) => match (&record.nothing, &record.plan, &record.digest) {
            (Some(why), ..) => reporter.notice(&format!("nothing to do: {why}")),
            (None, Some(plan), Some(digest)) if record.pushed => {
                let sizes = sizes(record.metadata.as_ref());
                reporter.info(&format!("pushed {}@{digest}{sizes}", plan.repository));
            }
            (None, Some(_), Some(digest)) => reporter.info(&format!("built {digest}, not pushed")),
            _ => reporter.info("built, not pushed"),
        },
    }
}

/// A failed step stands beside its line of the Dockerfile; everything else is one error.
fn annotations(record: &Record, error: &RunError) -> Vec<Annotation> {
    if let RunError::Inputs(faults) = error {
        return faults.iter().map(|fault| Annotation::new(Level::Error, fault.to_string())).collect();
    }
    let place = record
        .config
        .as_ref()
        .map(|config| (config.dockerfile.file_name.clone(), config.dockerfile.in_workspace.clone()));
    let location = match error {
        RunError::Build(error) => error.location(),
        _ => None,
    };
    let failed = record.progress.as_ref().and_then(|state| state.failed());
    if let (RunError::Build(cause), Some(step)) = (error, failed)
        && matches!(**cause, BuildError::StepFailed { .. })
    {
        return vec![text::failure(step, location, place.as_ref())];
    }
    let (file, lines) = text::place(location, place.as_ref());
    vec![Annotation { file, lines, ..Annotation::new(Level::Error, explain(error)) }]
}

/// Outputs in the order of need, should they ever be too long together.
fn outputs(record: &Record) -> Vec<(&'static str, String)> {
    let Some(plan) = &record.plan else { return vec![("pushed", "false".into())] };
    let image = plan.repository.to_string();
    let digest = record.digest.as_ref().map_or_else(String::new, Digest::to_string);
    let tags = plan.tags.iter().map(|tag| tag.tag.to_string()).collect::<Vec<_>>();
    let references: Vec<String> = tags.iter().map(|tag| format!("{image}:{tag}")).collect();
    let specific = crate::metadata::most_specific(&plan.tags).map(|tag| tag.tag.to_string());
    let labels: Vec<String> = plan.build.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        ("pushed", record.pushed.to_string()),
        ("image", image.clone()),
        ("digest", digest.clone()),
        ("reference", if record.pushed { format!("{image}@{digest}") } else { String::new() }),
        ("imageid", image_id(record.metadata.as_ref())),
        ("tag", specific.unwrap_or_default()),
        ("tags", references.join("\n")),
        ("tag_names", tags.join("\n")),
        ("version", plan.version.clone().unwrap_or_default()),
        (
            "metadata",
            record.metadata.as_ref().map_or_else(String::new, |metadata| json!(metadata).to_string()),
        ),
        ("plan", plan::display::json(plan)),
        ("labels", labels.join("\n")),
    ]
}

/// The config's digest of an image for one platform; an index has none.
fn image_id(metadata: Option<&ImageMetadata>) -> String {
    let Some(metadata) = metadata else { return String::new() };
    match metadata.platforms.as_slice() {
        [only] if only.digest == metadata.digest => {
            only.config_digest.as_ref().map_or_else(String::new, Digest::to_string)
        }
        _ => String::new(),
    }
}

fn page(process: &Process, record: &Record, result: &Result<(), RunError>, outcome: Outcome) -> SummaryInput {
    let plan = record.plan.as_ref();
    let state = record.progress.as_ref();
    let failed = state.and_then(|state| state.failed()).zip(result.as_ref().err());
    let failure = failed.and_then(|(step, error)| {
        // The same place as in the annotation.
        Some(text::failed_step(step, annotations(record, error).first()?))
    });
    let repository = plan.map(|plan| plan.repository.to_string());
    let repository =
        repository.or_else(|| record.config.as_ref().map(|config| config.repository.to_string()));
    // After a failure only what was really put is shown.
    let tags = match plan {
        Some(plan) if result.is_ok() => &plan.tags,
        _ => &record.published,
    };
    SummaryInput {
        outcome,
        reference: record
            .digest
            .as_ref()
            .zip(repository.as_ref())
            .filter(|_| record.pushed)
            .map(|(digest, repository)| format!("{repository}@{digest}")),
        repository,
        tags: tags.iter().map(|tag| (tag.tag.to_string(), tag.reason.clone())).collect(),
        held_back: Vec::new(),
        platforms: record.metadata.as_ref().map(platforms).unwrap_or_default(),
        phases: process.reporter.phases(),
        steps: state.map(|state| text::step_rows(state.steps())).unwrap_or_default(),
        findings: process.reporter.annotations(),
        hidden_findings: [Level::Error, Level::Warning, Level::Notice]
            .into_iter()
            .map(|level| process.reporter.count(level).1)
            .sum(),
        failure,
    }
}

fn platforms(metadata: &ImageMetadata) -> Vec<PlatformRow> {
    let rows = metadata.platforms.iter().filter_map(|image| {
        let platform = image.platform.clone()?;
        Some(PlatformRow { platform, digest: image.digest.clone(), size: Some(image.size) })
    });
    rows.collect()
}

/// For the log: ` (linux/amd64 4.5 MB, linux/arm64 4.4 MB)`.
fn sizes(metadata: Option<&ImageMetadata>) -> String {
    let rows = metadata.map(platforms).unwrap_or_default();
    let sizes: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.platform, row.size.map_or_else(String::new, units::bytes)))
        .collect();
    if sizes.is_empty() { String::new() } else { format!(" ({})", sizes.join(", ")) }
}
