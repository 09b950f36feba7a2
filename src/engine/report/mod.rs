//! What a run leaves behind: its last lines, the outputs (`outputs`), the job summary. Also of a run that failed.

mod account;
mod compared;
mod deployed;
mod moved;
mod outputs;
mod target;
mod verdict;

use std::time::Duration;

use super::process::Process;
use crate::buildkit::BuildError;
use crate::error::{RunError, explain};
use crate::inputs::config::Mode;
use crate::inputs::fault::InputFault;
use crate::metadata::{PlannedTag, followed};
use crate::model::{Repository, chain};
use crate::plan::build::BuildPlan;
use crate::plan::image::ImageWork;
use crate::plan::{LintPlan, PushPlan, RunPlan};
use crate::progress::cache::{Miss, Missed};
use crate::progress::event::VertexWarning;
use crate::progress::state::{State, Step};
use crate::progress::text;
use crate::runner::command::{Annotation, Level};
use crate::runner::files::append_summary;
use crate::runner::summary::{
    self, ArchiveRow, CacheSummary, CheckRow, EnvironmentRow, Outcome, SummaryInput,
};
use crate::runner::units;

use account::Account;
pub(super) use account::{Archived, ImageSummary, Previous, Report, Verified, Written};
pub(super) use deployed::EnvironmentOutcome;
use moved::{commit, package_page, tag_rows};
use outputs::put;
pub(super) use target::TargetOutcome;
use verdict::{explained, verdict};

/// Prints the end of the log and writes outputs and summary. Trouble with these is reported, not fatal: what was
/// done is done.
/// `time` is that of the whole run.
pub(super) fn finish(process: &Process, report: &Report, result: &Result<(), RunError>, time: Duration) {
    report.account(|account| say(process, account, result));
    write_outputs(process, report, result.is_ok());
    report.account(|account| {
        write_summary(process, account, result, time);
        process.reporter.info(&verdict(process, account, result, time));
    });
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

fn write_summary(process: &Process, account: &Account<'_>, result: &Result<(), RunError>, time: Duration) {
    let Some(context) = account.context else { return };
    // A summary is wanted unless it was switched off; faulty inputs do not say.
    let wanted = account.asked.is_none_or(|config| config.summary);
    if let Some(file) = context.paths.summary.as_ref().filter(|_| wanted) {
        let page = page(process, account, result, time);
        let page = process.reporter.redact(&summary::render(&page));
        if let Err(error) = append_summary(file, &context.paths.workspace, &page) {
            process.reporter.warn(&format!("no summary: {}", chain(&error)));
        }
    }
}

fn outcome(process: &Process, account: &Account<'_>, result: &Result<(), RunError>) -> Outcome {
    match result {
        Err(error @ RunError::Stopped(_)) => return Outcome::Cancelled(explain(error)),
        Err(error) => return Outcome::Failed(explain(error), explained(process, error)),
        Ok(()) => {}
    }
    if let Some(why) = account.nothing {
        return Outcome::Nothing(why.to_owned());
    }
    if account.dry_run {
        return Outcome::DryRun;
    }
    if let Some(state) = account.linted {
        return Outcome::Checked {
            findings: state.warnings().len(),
            failure: account.tolerated.map(explain),
        };
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
        Ok(()) if account.dry_run => {}
        Ok(()) if account.linted.is_some() => {
            // A check that finds this does not fail the run.
            for annotation in account.tolerated.iter().flat_map(|error| annotations(account, error)) {
                reporter.annotate(annotation);
            }
        }
        Ok(()) => match (account.nothing, account.plan, account.digest) {
            (Some(why), ..) => reporter.notice(&format!("nothing to do: {why}")),
            (None, Some(plan), Some(digest)) if account.pushed() => {
                let done = done(account, plan);
                for target in &account.targets {
                    let sizes = sizes(target);
                    let digest = target.digest.as_ref().unwrap_or(digest);
                    reporter.info(&format!("{done} {}@{digest}{sizes}", target.repository));
                }
            }
            (None, Some(_), Some(digest)) => reporter.info(&format!("built {digest}, not pushed")),
            _ => {}
        },
    }
}

/// What was done to an image that is where it should be.
fn done(account: &Account<'_>, plan: &RunPlan) -> &'static str {
    match plan.image {
        _ if plan.stage.is_some() => "staged",
        ImageWork::Leg { .. } => "pushed one leg of",
        ImageWork::Given(_) => "tagged",
        _ if account.promoted => "promoted",
        _ => "pushed",
    }
}

/// The Dockerfile, where that is what the run is about.
fn dockerfile<'a>(account: &Account<'a>) -> Option<&'a str> {
    let asked = account.asked.filter(|asked| asked.mode == Mode::Check);
    let planned = account.lint.map(LintPlan::dockerfile);
    planned.or_else(|| asked.map(|asked| asked.dockerfile.in_workspace.as_str()))
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
    let title = error.codes().first().map(|code| code.as_str().to_owned());
    if let RunError::Inputs(faults) = error {
        let one = |fault: &InputFault| Annotation::new(Level::Error, fault.to_string());
        return faults.iter().map(|fault| Annotation { title: title.clone(), ..one(fault) }).collect();
    }
    let build = account.plan.and_then(|plan| plan.image.build()).map(|build| &build.image);
    let build = build.or_else(|| account.lint.map(|plan| &plan.build));
    let place = build.and_then(place_of);
    let location = error.build().and_then(BuildError::location);
    if let Some(step) = failed(account, error) {
        let annotation = text::failure(step, location, place.as_ref(), error.hint().as_deref());
        return vec![Annotation { title, ..annotation }];
    }
    let (file, lines) = text::place(location, place.as_ref());
    vec![Annotation { title, file, lines, ..Annotation::new(Level::Error, explain(error)) }]
}

/// The step that an error is about: other steps may have failed beside it.
fn failed<'a>(account: &Account<'a>, error: &RunError) -> Option<&'a Step> {
    let BuildError::StepFailed { digest, step, .. } = error.build()?.cause() else { return None };
    account.progress?.failed(digest, step)
}

fn page(
    process: &Process,
    account: &Account<'_>,
    result: &Result<(), RunError>,
    time: Duration,
) -> SummaryInput {
    let (plan, state) = (account.plan, account.progress);
    let (checks, findings) = findings(process, account);
    let failed = result.as_ref().err().and_then(|error| failed(account, error));
    let asked = || account.asked.map(|config| &config.targets);
    let repositories = plan.map(|plan| &plan.targets).or_else(asked);
    // After a failure only what was really put is shown.
    let tags: Vec<(Repository, Vec<PlannedTag>)> = match plan {
        Some(plan) if result.is_ok() => put(account, plan),
        _ => account.targets.iter().map(|one| (one.repository.clone(), one.published.clone())).collect(),
    };
    let held = |target: &&TargetOutcome| {
        let rows = target.held_back.iter().map(|held| (held.tag.to_string(), held.reason.clone()));
        (target.repository.clone(), rows.collect())
    };
    SummaryInput {
        outcome: outcome(process, account, result),
        time,
        commit: account.context.zip(account.plan).and_then(|(context, plan)| commit(context, plan)),
        dockerfile: dockerfile(account).map(str::to_owned),
        checks,
        references: pulled(account),
        repositories: repositories
            .iter()
            .flat_map(|targets| targets.iter())
            .map(|target| (target.to_string(), package(account, target)))
            .collect(),
        tags: tag_rows(account, tags),
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
        platforms: account
            .first()
            .map(|first| compared::platforms(first, compared::previous(account)))
            .unwrap_or_default(),
        since: compared::since(account),
        phases: process.reporter.phases(),
        retries: process.reporter.retries(),
        cache: cache(account),
        steps: state.map(|state| text::step_rows(state.steps())).unwrap_or_default(),
        findings,
        hidden_findings: [Level::Error, Level::Warning, Level::Notice]
            .into_iter()
            .map(|level| process.reporter.count(level).1)
            .sum(),
        output: failed.map(|step| step.tail.lines()).unwrap_or_default(),
    }
}

/// The page of an image that is there.
fn package(account: &Account<'_>, repository: &Repository) -> Option<String> {
    let context = account.context.filter(|_| account.pushed())?;
    package_page(context, repository)
}

/// What to pull: in each repository by the tag that people follow, and the image for ever by its digest.
fn pulled(account: &Account<'_>) -> Vec<String> {
    let done = account.targets.iter().filter(|target| target.pushed);
    let by_tag = done
        .clone()
        .filter_map(|target| Some(format!("{}:{}", target.repository, followed(&target.published)?.tag)));
    by_tag.chain(done.filter_map(|target| outputs::reference(target))).collect()
}

/// What a check has found, and all else that was annotated.
fn findings(process: &Process, account: &Account<'_>) -> (Vec<CheckRow>, Vec<Annotation>) {
    let place = account.lint.and_then(|plan| place_of(&plan.build));
    let found = account.linted.map(State::warnings).unwrap_or_default();
    let found: Vec<_> = found.iter().map(|one| (text::annotation(one, place.as_ref()), one)).collect();
    let mut others = process.reporter.annotations();
    others.retain(|one| !found.iter().any(|(annotation, _)| annotation == one));
    let row = |(annotation, warning): (Annotation, &VertexWarning)| CheckRow {
        place: annotation.place(),
        text: annotation.message.lines().next().unwrap_or_default().to_owned(),
        rule: annotation.title.unwrap_or_default(),
        description: warning.detail.join(" "),
        url: warning.url.clone(),
    };
    (found.into_iter().map(row).collect(), others)
}

/// The Dockerfile as the frontend names it, and where annotations point to.
fn place_of(build: &BuildPlan) -> Option<(String, String)> {
    Some((build.dockerfile.file_name.clone(), build.dockerfile_place.clone()?))
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
fn cache(account: &Account<'_>) -> CacheSummary {
    let used = account.cache_used.filter(|used| used.steps > 0);
    let mut parts = Vec::new();
    if let Some(used) = account.cache_used.filter(|used| !used.reading.is_zero()) {
        parts.push(format!("index read in {}", units::seconds(used.reading)));
    }
    parts.extend(account.cache_written.iter().map(|written| match &written.error {
        None => format!("written to {} in {}", written.place, units::seconds(written.time)),
        Some(why) => format!("not written to {}: {why}", written.place),
    }));
    CacheSummary {
        steps: used.map(|used| (used.cached, used.steps)),
        parts,
        miss: used
            .and_then(|used| used.first_miss.as_ref())
            .map(|miss| (miss.step.clone(), missed(account, miss))),
    }
}

/// Why a step had to run, as far as it can be told.
fn missed(account: &Account<'_>, miss: &Miss) -> String {
    let build = account.plan.and_then(|plan| plan.image.build()).map(|build| &build.image);
    let unread = account.cache_used.is_some_and(|used| !used.unread.is_empty());
    match &miss.why {
        _ if build.is_some_and(|build| build.no_cache) => "`no_cache` is set".into(),
        Missed::All if build.is_some_and(|build| build.cache_from.is_empty()) => {
            "no cache is read, and the builder has none of this build".into()
        }
        Missed::All if unread => "the cache could not be read, or is not there yet".into(),
        Missed::All => "the cache has nothing of this build: its base image or its first steps differ".into(),
        Missed::Files => "the files that it copies differ from those of the cached build".into(),
        Missed::From(from) => format!("what it copies from `{from}` differs from that of the cached build"),
        Missed::Instruction => {
            "its command, an argument or a mount differs from the cached build, or the cache does not hold it any more".into()
        }
    }
}

/// For the log: ` (linux/amd64 4.5 MB, linux/arm64 4.4 MB)`.
fn sizes(target: &TargetOutcome) -> String {
    let rows = compared::platforms(target, None);
    let sizes: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.platform, row.size.map_or_else(String::new, units::bytes)))
        .collect();
    if sizes.is_empty() { String::new() } else { format!(" ({})", sizes.join(", ")) }
}

#[cfg(test)]
mod tests;
