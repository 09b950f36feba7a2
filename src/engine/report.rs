//! What a run leaves behind: its last lines, the outputs (`outputs`), the job summary. Also of a run that failed.

use crate::buildkit::BuildError;
use crate::error::{RunError, explain};
use crate::model::Repository;
use crate::plan::legs::Part;
use crate::plan::{PushPlan, RunPlan};
use crate::progress::text;
use crate::registry::ImageMetadata;
use crate::runner::command::{Annotation, Level};
use crate::runner::files::append_summary;
use crate::runner::summary::{self, Outcome, PlatformRow, SummaryInput};
use crate::runner::units;

use super::Process;
use super::outputs::{self, put, reference};
use super::record::{Placed, Record};

/// Prints the end of the log and writes outputs and summary. Trouble with these is reported, not fatal: what was
/// done is done.
pub fn finish(process: &Process, record: &mut Record, result: &Result<(), RunError>) {
    let outcome = outcome(record, result);
    say(process, record, result);
    outputs::write(process, record, result.is_ok());
    let Some(context) = &record.context else { return };
    let workspace = &context.paths.workspace;
    // A summary is wanted unless it was switched off; faulty inputs do not say.
    let wanted = record.config.as_ref().is_none_or(|config| config.summary);
    if let Some(file) = context.paths.summary.as_ref().filter(|_| wanted) {
        let page = process.reporter.redact(&summary::render(&page(process, record, result, outcome)));
        if let Err(error) = append_summary(file, workspace, &page) {
            process.reporter.warn(&format!("no summary: {}", chain(&error)));
        }
    }
}

/// An error and what is behind it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
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
        (Ok(()), _, _, Some(RunPlan { part: Part::Leg(leg), .. })) => Outcome::Leg(leg.platform.clone()),
        _ if record.promoted => Outcome::Promoted,
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
            if !record.pushed() {
                for line in left(record) {
                    reporter.info(&line);
                }
            }
        }
        Ok(()) if record.dry_run => reporter.info("dry run: nothing was changed"),
        Ok(()) => match (&record.nothing, &record.plan, &record.digest) {
            (Some(why), ..) => reporter.notice(&format!("nothing to do: {why}")),
            (None, Some(plan), Some(digest)) if record.pushed() => {
                let done = match plan.part {
                    Part::Leg(_) => "pushed one leg,",
                    _ if record.promoted => "promoted",
                    _ => "pushed",
                };
                for place in &record.places {
                    let sizes = sizes(place.metadata.as_ref());
                    let digest = place.digest.as_ref().unwrap_or(digest);
                    reporter.info(&format!("{done} {}@{digest}{sizes}", place.repository));
                }
            }
            (None, Some(_), Some(digest)) => reporter.info(&format!("built {digest}, not pushed")),
            _ => reporter.info("built, not pushed"),
        },
    }
}

/// What a run that failed leaves in the registries, where that is anything.
fn left(record: &Record) -> Vec<String> {
    let several = record.places.len() > 1;
    let line = |place: &Placed| {
        let of = if several { format!("{}: ", place.repository) } else { String::new() };
        let done: Vec<String> = place.published.iter().map(|tag| format!("`{}`", tag.tag)).collect();
        let done = done.join(", ");
        match (place.pushed, done.is_empty()) {
            (true, _) => Some(format!("{of}complete, under {done}")),
            (false, false) => Some(format!("{of}tags that were put before: {done}; a re-run completes them")),
            (false, true) => several.then(|| format!("{of}no tag was put; a re-run completes it")),
        }
    };
    record.places.iter().filter_map(line).collect()
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
        && matches!(cause.cause(), BuildError::StepFailed { .. })
    {
        let mut annotation = text::failure(step, location, place.as_ref());
        if let Some(hint) = cause.hint() {
            annotation.message.push_str("\nhint: ");
            annotation.message.push_str(hint);
        }
        return vec![annotation];
    }
    let (file, lines) = text::place(location, place.as_ref());
    vec![Annotation { file, lines, ..Annotation::new(Level::Error, explain(error)) }]
}

fn page(process: &Process, record: &Record, result: &Result<(), RunError>, outcome: Outcome) -> SummaryInput {
    let plan = record.plan.as_ref();
    let state = record.progress.as_ref();
    let failed = state.and_then(|state| state.failed()).zip(result.as_ref().err());
    let failure = failed.and_then(|(step, error)| {
        // The same place as in the annotation.
        Some(text::failed_step(step, annotations(record, error).first()?))
    });
    let planned = plan.map(|plan| plan.targets().cloned().collect::<Vec<_>>());
    let asked = || record.config.as_ref().map(|config| config.targets().cloned().collect());
    let repositories: Vec<Repository> = planned.or_else(asked).unwrap_or_default();
    // After a failure only what was really put is shown.
    let tags = match plan {
        Some(plan) if result.is_ok() => put(record, plan),
        _ => record.places.iter().map(|place| (place.repository.clone(), place.published.clone())).collect(),
    };
    let held = |place: &Placed| {
        let rows = place.held_back.iter().map(|held| (held.tag.to_string(), held.reason.clone()));
        (place.repository.clone(), rows.collect())
    };
    let tags = tags.into_iter().map(|(target, tags)| {
        let rows = tags.into_iter().map(|tag| (tag.tag.to_string(), tag.reason));
        (target, rows.collect())
    });
    let first = record.first().and_then(|first| first.metadata.as_ref());
    SummaryInput {
        outcome,
        references: record.places.iter().filter_map(reference).collect(),
        repositories: repositories.iter().map(ToString::to_string).collect(),
        tags: rows(tags.collect()),
        held_back: rows(record.places.iter().map(held).collect()),
        platforms: first.map(platforms).unwrap_or_default(),
        phases: process.reporter.phases(),
        retries: process.reporter.retries(),
        cache: cache(record),
        steps: state.map(|state| text::step_rows(state.steps())).unwrap_or_default(),
        findings: process.reporter.annotations(),
        hidden_findings: [Level::Error, Level::Warning, Level::Notice]
            .into_iter()
            .map(|level| process.reporter.count(level).1)
            .sum(),
        failure,
    }
}

/// Rows of all repositories: once where they are the same in each, else with whole references.
fn rows(each: Vec<(Repository, Vec<(String, String)>)>) -> Vec<(String, String)> {
    let Some((_, first)) = each.first() else { return Vec::new() };
    if each.iter().all(|(_, rows)| rows == first) {
        return first.clone();
    }
    let whole = |(target, rows): (Repository, Vec<(String, String)>)| {
        rows.into_iter().map(move |(tag, reason)| (format!("{target}:{tag}"), reason))
    };
    each.into_iter().flat_map(whole).collect()
}

/// What the cache saved and what it cost.
fn cache(record: &Record) -> Vec<String> {
    let used = &record.cache_used;
    let mut parts = Vec::new();
    if used.steps > 0 {
        parts.push(format!("{} of {} steps from the cache", used.cached, used.steps));
    }
    if !used.reading.is_zero() {
        parts.push(format!("index read in {}", units::seconds(used.reading)));
    }
    parts.extend(record.cache_written.iter().map(|written| match &written.error {
        None => format!("written to {} in {}", written.place, units::seconds(written.time)),
        Some(why) => format!("not written to {}: {why}", written.place),
    }));
    parts
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

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
