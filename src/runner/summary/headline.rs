//! The verdict: how the run ended, of what, and the few figures that a person looks for first.

use super::input::{Outcome, SummaryInput};
use super::sizes;
use crate::runner::markdown::{block, code, escape, link};
use crate::runner::units;

/// Lines of an error that are shown.
const MAX_LINES: usize = 40;

/// The heading, the figures, and what is to be said besides.
pub(super) fn render(input: &SummaryInput) -> String {
    let (heading, more) = verdict(input);
    format!("### {heading}\n\n{}\n\n{more}", figures(input))
}

fn verdict(input: &SummaryInput) -> (String, String) {
    let name = name(input);
    let quoted = |why: &str| block("text", why.lines().take(MAX_LINES)) + "\n";
    let said = |why: &str| format!("{}\n\n", escape(why));
    match &input.outcome {
        Outcome::Pushed => (format!("✅ Pushed {name}"), String::new()),
        Outcome::Promoted => (format!("✅ Promoted {name}: nothing was built"), String::new()),
        Outcome::Tagged => (format!("✅ Tagged {name}"), String::new()),
        Outcome::Staged => {
            let then = "It has none of its tags yet: `mode: tag` puts them, once the image is good.\n\n";
            (format!("✅ Staged {name}"), then.into())
        }
        Outcome::Leg(platform) => (
            format!("✅ Pushed one leg of {name}: {}", code(&platform.to_string())),
            "It has no tag: the job with `mode: merge` joins the legs.\n\n".into(),
        ),
        Outcome::Built(why) => (format!("✅ Built {name}, not pushed"), said(why)),
        Outcome::Checked { findings, failure } => {
            let (mark, found) = match findings {
                0 if failure.is_none() => ("✅", "no findings".to_owned()),
                0 => ("⚠️", "no findings".to_owned()),
                1 => ("⚠️", "1 finding".to_owned()),
                several => ("⚠️", format!("{several} findings")),
            };
            (format!("{mark} Checked {name}: {found}"), failure.as_deref().map(quoted).unwrap_or_default())
        }
        Outcome::DryRun => (format!("Dry run for {name}: nothing was changed"), String::new()),
        Outcome::Nothing(why) => (format!("Nothing to do for {name}"), said(why)),
        Outcome::Cancelled(why) => (format!("❌ Cancelled: {name}"), quoted(why)),
        Outcome::Failed(why, codes) => {
            let codes: Vec<String> =
                codes.iter().map(|one| link(&code(one.code), one.page.as_deref())).collect();
            let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
            (format!("❌ Failed: {name}{codes}"), quoted(why))
        }
    }
}

/// What the run is about.
fn name(input: &SummaryInput) -> String {
    if let Some(dockerfile) = &input.dockerfile {
        return code(dockerfile);
    }
    let names = input.repositories.iter().map(|(name, page)| link(&code(name), page.as_deref()));
    let names: Vec<String> = names.collect();
    if names.is_empty() { "image".to_owned() } else { names.join(", ") }
}

/// `8 of 12 steps`
pub fn of_steps(cached: usize, all: usize) -> String {
    format!("{cached} of {all} {}", if all == 1 { "step" } else { "steps" })
}

/// `4.1 s · 2.0 MB for 2 platforms (+12.3 kB since 86fa74c) · 8 of 12 steps cached · commit 86fa74d`
fn figures(input: &SummaryInput) -> String {
    let time = Some(units::seconds(input.time));
    let cached = input.cache.steps.map(|(cached, all)| format!("{} cached", of_steps(cached, all)));
    let commit =
        input.commit.as_ref().map(|(commit, page)| format!("commit {}", link(&code(commit), Some(page))));
    let parts = [time, sizes::linked_size(&input.platforms, input.since.as_ref()), cached, commit];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
