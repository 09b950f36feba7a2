//! The job summary: what a person wants to know of the run on one page, as GitHub's Markdown.
//!
//! Pure. Nothing here is decided, only shown; every text is taken for hostile (`runner::markdown`).
//! Lists are bounded, so that the page stays far below GitHub's 1 MiB.
//!
//! In the order of a reader's questions: how it ended (`headline`), what is where now (`tables`, `sizes`), and how that came
//! about (`build`), which is folded: jobs of a matrix stand below each other on one page.

mod build;
mod gantt;
mod headline;
mod input;
mod sizes;
mod tables;

pub use headline::of_steps;
pub use input::{
    ArchiveRow, CacheSummary, Change, CheckRow, EnvironmentRow, Explained, LayerRow, Outcome, Phase,
    PlatformRow, Since, StepRow, SummaryInput, TagRow, VerifiedRow, Was,
};
pub use sizes::size;

use std::fmt::Write as _;

use super::command::{Annotation, Level};
use super::markdown::{block, code, escape};

/// Warnings and notices that are listed.
const MAX_FINDINGS: usize = 50;
/// Attempts that are listed.
const MAX_RETRIES: usize = 20;

/// The page.
pub fn render(input: &SummaryInput) -> String {
    let mut page = headline::render(input);
    if !input.references.is_empty() {
        let pulls = input.references.iter().map(|reference| format!("docker pull {reference}"));
        page.push_str(&block("sh", pulls.collect::<Vec<_>>().iter().map(String::as_str)));
        page.push('\n');
    }
    page.push_str(&output(&input.output));
    page.push_str(&tables::checks(&input.checks));
    page.push_str(&tables::tags(&input.tags));
    page.push_str(&tables::pairs("Held back", "Why", &input.held_back));
    page.push_str(&tables::verified(&input.verified));
    page.push_str(&tables::archive(input.archive.as_ref()));
    page.push_str(&tables::environments(&input.environments));
    page.push_str(&sizes::platforms(&input.platforms));
    page.push_str(&retries(&input.retries));
    page.push_str(&findings(&input.findings, input.hidden_findings));
    page.push_str(&sizes::layers(&input.platforms, input.since.as_ref()));
    page.push_str(&build::render(input));
    page
}

/// The last lines of the step that failed; the verdict names it.
fn output(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("Its output ends:\n\n{}\n", block("text", lines.iter().map(String::as_str)))
}

fn retries(retries: &[String]) -> String {
    if retries.is_empty() {
        return String::new();
    }
    // The last ones say how it ended.
    let hidden = retries.len().saturating_sub(MAX_RETRIES);
    let mut text = String::from("**Tried again**\n\n");
    if hidden > 0 {
        let _ = writeln!(text, "- {hidden} times before, in the log");
    }
    for retry in &retries[hidden..] {
        let _ = writeln!(text, "- {}", escape(retry));
    }
    text + "\n"
}

fn findings(findings: &[Annotation], hidden: usize) -> String {
    let shown: Vec<_> = findings.iter().filter(|finding| finding.level != Level::Error).collect();
    let mut text = String::new();
    for finding in shown.iter().take(MAX_FINDINGS) {
        let place = finding.place().map_or_else(String::new, |place| format!("{} ", code(&place)));
        let title = finding.title.as_deref().map_or_else(String::new, |title| format!("{}: ", escape(title)));
        let message = finding.message.lines().next().unwrap_or_default();
        let _ = writeln!(text, "- {}: {place}{title}{}", finding.level.as_str(), escape(message));
    }
    if shown.len() > MAX_FINDINGS {
        let _ = writeln!(text, "- and {} more, in the log", shown.len() - MAX_FINDINGS);
    }
    if hidden > 0 {
        let _ = writeln!(
            text,
            "- {hidden} of all findings are not shown as annotations: GitHub takes ten of a level"
        );
    }
    if text.is_empty() { text } else { format!("**Findings**\n\n{text}\n") }
}

#[cfg(test)]
mod tests;
