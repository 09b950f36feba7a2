//! The last line of the log: how the run ended, in one sentence.
//!
//! `✓ pushed api:main in 4.1 s: 2.0 MB for 2 platforms (+12.3 kB since 86fa74c), 8 of 12 steps cached`

use std::time::Duration;

use super::account::Account;
use super::outputs::put;
use super::{compared, dockerfile, done};
use crate::engine::process::Process;
use crate::error::RunError;
use crate::metadata::{PlannedTag, followed};
use crate::model::{ErrorCode, Targets, text};
use crate::plan::RunPlan;
use crate::runner::summary::{self, Explained};
use crate::runner::units;

/// Where errors are explained, in the repository of this action.
const PAGE: &str = "docs/troubleshooting.md";

/// The sentence; `time` is that of the whole run.
pub(super) fn verdict(
    process: &Process,
    account: &Account<'_>,
    result: &Result<(), RunError>,
    time: Duration,
) -> String {
    let time = units::seconds(time);
    if let Err(error) = result {
        let explained: Vec<String> = explained(process, error)
            .into_iter()
            .map(|Explained { code, page }| {
                format!("`{code}`, explained at {}", page.as_deref().unwrap_or(PAGE))
            })
            .collect();
        let what = if explained.is_empty() { "cancelled".into() } else { explained.join("; ") };
        return format!("✗ after {time}: {what}");
    }
    if account.dry_run {
        return format!("✓ dry run in {time}: nothing was changed");
    }
    if let Some(state) = account.linted {
        return checked(account, state.warnings().len(), &time);
    }
    let Some(plan) = account.plan.filter(|_| account.nothing.is_none()) else {
        return format!("✓ nothing to do, in {time}");
    };
    let mut said = if account.pushed() {
        format!("✓ {} {} in {time}", done(account, plan), name(account, plan))
    } else {
        format!("✓ built {} in {time}, not pushed", base_name(&plan.targets))
    };
    let more: Vec<String> = [size(account), cached(account)].into_iter().flatten().collect();
    if !more.is_empty() {
        said.push_str(": ");
        said.push_str(&more.join(", "));
    }
    said
}

/// How a check ended that does not fail the run.
fn checked(account: &Account<'_>, findings: usize, time: &str) -> String {
    let found = match findings {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        several => format!("{several} findings"),
    };
    let but =
        if account.tolerated.is_some() { "; it cannot be built, and `check_level` is `none`" } else { "" };
    let dockerfile = dockerfile(account).map(|name| format!(" {}", text::value(name))).unwrap_or_default();
    format!("✓ checked{dockerfile}: {found}{but}, in {time}")
}

/// The kinds of trouble that an error is of, with the pages that explain them.
pub(super) fn explained(process: &Process, error: &RunError) -> Vec<Explained> {
    // Being asked to stop needs no explanation.
    let codes = error.codes().into_iter().filter(|code| *code != ErrorCode::Cancelled);
    codes
        .map(|code| Explained {
            code: code.as_str(),
            page: process.page_of_action(PAGE).map(|page| format!("{page}#{}", code.as_str())),
        })
        .collect()
}

/// `api:main`: the tag that people follow; with how many repositories have it, where there are several.
fn name(account: &Account<'_>, plan: &RunPlan) -> String {
    let put = put(account, plan);
    let tags: &[PlannedTag] = put.first().map(|(_, tags)| tags.as_slice()).unwrap_or_default();
    let tag = followed(tags).map(|tag| format!(":{}", tag.tag));
    // A leg and what is staged have none yet.
    let tag = tag.filter(|_| plan.image.leg().is_none() && plan.stage.is_none());
    let several = match account.targets.len() {
        0 | 1 => String::new(),
        count => format!(" to {count} repositories"),
    };
    format!("{}{}{several}", base_name(&plan.targets), tag.unwrap_or_default())
}

/// The last part of the first repository's name.
fn base_name(targets: &Targets) -> String {
    let whole = targets.first().to_string();
    text::name(whole.rsplit('/').next().unwrap_or(&whole))
}

/// `2.0 MB for 2 platforms (+12.3 kB since 86fa74c)`
fn size(account: &Account<'_>) -> Option<String> {
    let target = account.first()?;
    let rows = compared::platforms(target, compared::previous(account));
    summary::size(&rows, compared::since(account).as_ref())
}

/// `8 of 12 steps cached`
fn cached(account: &Account<'_>) -> Option<String> {
    let used = account.cache_used.filter(|used| used.steps > 0)?;
    Some(format!("{} cached", summary::of_steps(used.cached, used.steps)))
}
