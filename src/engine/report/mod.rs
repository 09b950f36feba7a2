//! What a run leaves behind: its last lines, the outputs (`outputs`), the job summary. Also of a run that failed.

mod account;
mod deployed;
mod outputs;
mod target;

use super::process::Process;
use crate::buildkit::BuildError;
use crate::error::{RunError, explain};
use crate::model::{Repository, chain};
use crate::plan::PushPlan;
use crate::plan::image::ImageWork;
use crate::progress::state::Step;
use crate::progress::text;
use crate::runner::command::{Annotation, Level};
use crate::runner::files::append_summary;
use crate::runner::summary::{self, ArchiveRow, EnvironmentRow, Outcome, PlatformRow, SummaryInput};
use crate::runner::units;

use account::Account;
pub(super) use account::{Archived, ImageSummary, Report, Verified, Written};
pub(super) use deployed::EnvironmentOutcome;
use outputs::{put, reference};
pub(super) use target::TargetOutcome;

/// Prints the end of the log and writes outputs and summary. Trouble with these is reported, not fatal: what was
/// done is done.
pub(super) fn finish(process: &Process, report: &Report, result: &Result<(), RunError>) {
    report.account(|account| say(process, account, result));
    write_outputs(process, report, result.is_ok());
    report.account(|account| write_summary(process, account, result));
}

/// Writes the outputs, once. A run that went `well` leaves a bake file, too. Called before the end by a run that has
/// published and goes on: whatever ends it then, what was published is known; what it does then is written at the end.
pub(super) fn write_outputs(process: &Process, report: &Report, well: bool) {
    report.account(|account| {
        if account.outputs_written {
            outputs::write_later(process, account);
        } else {
            outputs::write(process, account, well);
        }
    });
    report.outputs_written();
}

fn write_summary(process: &Process, account: &Account<'_>, result: &Result<(), RunError>) {
    let Some(context) = account.context else { return };
    // A summary is wanted unless it was switched off; faulty inputs do not say.
    let wanted = account.asked.is_none_or(|config| config.summary);
    if let Some(file) = context.paths.summary.as_ref().filter(|_| wanted) {
        let page = page(process, account, result, outcome(account, result));
        let page = process.reporter.redact(&summary::render(&page));
        if let Err(error) = append_summary(file, &context.paths.workspace, &page) {
            process.reporter.warn(&format!("no summary: {}", chain(&error)));
        }
    }
}

fn outcome(account: &Account<'_>, result: &Result<(), RunError>) -> Outcome {
    match result {
        Err(error @ RunError::Stopped(_)) => return Outcome::Cancelled(explain(error)),
        Err(error) => return Outcome::Failed(explain(error)),
        Ok(()) => {}
    }
    if let Some(why) = account.nothing {
        return Outcome::Nothing(why.to_owned());
    }
    if account.dry_run {
        return Outcome::DryRun;
    }
    let kept = account.plan.and_then(|plan| match &plan.push {
        PushPlan::Keep { why } => Some(why.as_str()),
        PushPlan::Push { .. } => None,
    });
    if let Some(why) = account.refused.or(kept) {
        return Outcome::Built(why.to_owned());
    }
    if account.plan.is_some_and(|plan| plan.stage.is_some()) {
        return Outcome::Staged;
    }
    match account.plan.map(|plan| &plan.image) {
        Some(ImageWork::Leg { leg, .. }) => Outcome::Leg(leg.platform.clone()),
        Some(ImageWork::Given(_)) => Outcome::Tagged,
        _ if account.promoted => Outcome::Promoted,
        _ => Outcome::Pushed,
    }
}

fn say(process: &Process, account: &Account<'_>, result: &Result<(), RunError>) {
    let reporter = &process.reporter;
    match result {
        Err(error) => {
            for annotation in annotations(account, error) {
                reporter.annotate(annotation);
            }
            if !account.pushed() {
                for line in left(account) {
                    reporter.info(&line);
                }
            }
        }
        Ok(()) if account.dry_run => reporter.info("dry run: nothing was changed"),
        Ok(()) => match (account.nothing, account.plan, account.digest) {
            (Some(why), ..) => reporter.notice(&format!("nothing to do: {why}")),
            (None, Some(plan), Some(digest)) if account.pushed() => {
                let done = match plan.image {
                    _ if plan.stage.is_some() => "staged",
                    ImageWork::Leg { .. } => "pushed one leg,",
                    ImageWork::Given(_) => "tagged",
                    _ if account.promoted => "promoted",
                    _ => "pushed",
                };
                for target in &account.targets {
                    let sizes = sizes(target);
                    let digest = target.digest.as_ref().unwrap_or(digest);
                    reporter.info(&format!("{done} {}@{digest}{sizes}", target.repository));
                }
            }
            (None, Some(_), Some(digest)) => reporter.info(&format!("built {digest}, not pushed")),
            _ => reporter.info("built, not pushed"),
        },
    }
}

/// What a run that failed leaves in the registries, where that is anything.
fn left(account: &Account<'_>) -> Vec<String> {
    let several = account.targets.len() > 1;
    let line = |target: &&TargetOutcome| {
        let of = if several { format!("{}: ", target.repository) } else { String::new() };
        let done: Vec<String> = target.published.iter().map(|tag| format!("`{}`", tag.tag)).collect();
        let done = done.join(", ");
        match (target.pushed, done.is_empty()) {
            (true, _) => Some(format!("{of}complete, under {done}")),
            (false, false) => Some(format!("{of}tags that were put before: {done}; a re-run completes them")),
            (false, true) => several.then(|| format!("{of}no tag was put; a re-run completes it")),
        }
    };
    account.targets.iter().filter_map(line).collect()
}

/// A failed step stands beside its line of the Dockerfile; everything else is one error.
fn annotations(account: &Account<'_>, error: &RunError) -> Vec<Annotation> {
    if let RunError::Inputs(faults) = error {
        return faults.iter().map(|fault| Annotation::new(Level::Error, fault.to_string())).collect();
    }
    let build = account.plan.and_then(|plan| plan.image.build()).map(|build| &build.image);
    let place =
        build.and_then(|build| Some((build.dockerfile.file_name.clone(), build.dockerfile_place.clone()?)));
    let location = match error {
        RunError::Build(error) | RunError::Unread { source: error, .. } => error.location(),
        _ => None,
    };
    if let (RunError::Build(cause), Some(step)) = (error, failed(account, error)) {
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

/// The step that an error is about: other steps may have failed beside it.
fn failed<'a>(account: &Account<'a>, error: &RunError) -> Option<&'a Step> {
    let RunError::Build(error) = error else { return None };
    let BuildError::StepFailed { digest, step, .. } = error.cause() else { return None };
    account.progress?.failed(digest, step)
}

fn page(
    process: &Process,
    account: &Account<'_>,
    result: &Result<(), RunError>,
    outcome: Outcome,
) -> SummaryInput {
    let (plan, state) = (account.plan, account.progress);
    let failed = result.as_ref().err().and_then(|error| Some((failed(account, error)?, error)));
    let failure = failed.and_then(|(step, error)| {
        // The same place as in the annotation.
        Some(text::failed_step(step, annotations(account, error).first()?))
    });
    let asked = || account.asked.map(|config| &config.targets);
    let repositories = plan.map(|plan| &plan.targets).or_else(asked);
    // After a failure only what was really put is shown.
    let tags = match plan {
        Some(plan) if result.is_ok() => put(account, plan),
        _ => account.targets.iter().map(|one| (one.repository.clone(), one.published.clone())).collect(),
    };
    let held = |target: &&TargetOutcome| {
        let rows = target.held_back.iter().map(|held| (held.tag.to_string(), held.reason.clone()));
        (target.repository.clone(), rows.collect())
    };
    let tags = tags.into_iter().map(|(target, tags)| {
        let rows = tags.into_iter().map(|tag| (tag.tag.to_string(), tag.reason));
        (target, rows.collect())
    });
    SummaryInput {
        outcome,
        references: account.targets.iter().filter_map(|target| reference(target)).collect(),
        repositories: repositories
            .iter()
            .flat_map(|targets| targets.iter())
            .map(ToString::to_string)
            .collect(),
        tags: rows(tags.collect()),
        held_back: rows(account.targets.iter().map(held).collect()),
        verified: account.verified.iter().map(|verified| verified.row()).collect(),
        archive: account.archived.map(|archived| ArchiveRow {
            file: archived.place.clone(),
            size: archived.written.size,
            digest: archived.written.digest.clone(),
        }),
        environments: account
            .environments
            .iter()
            .map(|one| EnvironmentRow {
                name: one.environment.clone(),
                text: one.text(),
                url: one.pull_request.as_ref().map(|pull| pull.url.clone()),
            })
            .collect(),
        platforms: account.first().map(platforms).unwrap_or_default(),
        phases: process.reporter.phases(),
        retries: process.reporter.retries(),
        cache: cache(account),
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
fn cache(account: &Account<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(used) = account.cache_used.filter(|used| used.steps > 0) {
        parts.push(format!("{} of {} steps from the cache", used.cached, used.steps));
    }
    if let Some(used) = account.cache_used.filter(|used| !used.reading.is_zero()) {
        parts.push(format!("index read in {}", units::seconds(used.reading)));
    }
    parts.extend(account.cache_written.iter().map(|written| match &written.error {
        None => format!("written to {} in {}", written.place, units::seconds(written.time)),
        Some(why) => format!("not written to {}: {why}", written.place),
    }));
    parts
}

fn platforms(target: &TargetOutcome) -> Vec<PlatformRow> {
    let rows = target.metadata.iter().flat_map(|metadata| &metadata.platforms).filter_map(|image| {
        let platform = image.platform.clone()?;
        let tags = target.tags_of(&platform).map(ToString::to_string).collect();
        Some(PlatformRow { platform, digest: image.digest.clone(), size: Some(image.size), tags })
    });
    rows.collect()
}

/// For the log: ` (linux/amd64 4.5 MB, linux/arm64 4.4 MB)`.
fn sizes(target: &TargetOutcome) -> String {
    let rows = platforms(target);
    let sizes: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.platform, row.size.map_or_else(String::new, units::bytes)))
        .collect();
    if sizes.is_empty() { String::new() } else { format!(" ({})", sizes.join(", ")) }
}

#[cfg(test)]
mod tests;
