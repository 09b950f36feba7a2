//! The job summary: what a person wants to know of the run on one page, as GitHub's Markdown.
//!
//! Pure. Nothing here is decided, only shown; every text is taken for hostile (`runner::markdown`).
//! Lists are bounded, so that the page stays far below GitHub's 1 MiB.

use std::fmt::Write as _;
use std::time::Duration;

use super::command::{Annotation, Level};
use super::gantt;
pub use super::gantt::StepRow;
use super::markdown::{block, code, escape};
use super::units;
use crate::model::{Digest, Platform};

/// Rows of the table of steps.
const MAX_STEPS: usize = 200;
/// Warnings and notices that are listed.
const MAX_FINDINGS: usize = 50;
/// Tags that are listed.
const MAX_TAGS: usize = 100;
/// Attempts that are listed.
const MAX_RETRIES: usize = 20;

/// A part of the run and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `facts`, `build`, `push`, `tags`, …
    pub name: String,
    /// Wall time.
    pub time: Duration,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the registry, under its tags.
    Pushed,
    /// The same, of an image that was there before.
    Promoted,
    /// The same, of one that the workflow has named.
    Tagged,
    /// In the registry, and not under its tags yet.
    Staged,
    /// In the registry under no tag: one platform of an image that another job joins.
    Leg(Platform),
    /// Built, not pushed: why not.
    Built(String),
    /// Only planned.
    DryRun,
    /// There was nothing to do: why.
    Nothing(String),
    /// It was asked to stop: by what, in lines.
    Cancelled(String),
    /// The error, its chain in lines.
    Failed(String),
}

/// One platform of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformRow {
    /// What it runs on.
    pub platform: Platform,
    /// Its manifest.
    pub digest: Digest,
    /// Compressed size of config and layers in bytes, when known.
    pub size: Option<u64>,
    /// Tags of its own.
    pub tags: Vec<String>,
}

/// What became of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentRow {
    /// Which.
    pub name: String,
    /// What was done, and why.
    pub text: String,
    /// The page of the pull request.
    pub url: Option<String>,
}

/// The file that the image is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveRow {
    /// Its path.
    pub file: String,
    /// Its bytes.
    pub size: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// A check of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRow {
    /// As the input says it.
    pub check: String,
    /// Where the image was run.
    pub platform: Platform,
    /// How long it took.
    pub time: Duration,
    /// It has passed.
    pub well: bool,
}

/// The step that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Its name.
    pub step: String,
    /// `Dockerfile:7`, when known.
    pub place: Option<String>,
    /// Last lines of its output.
    pub lines: Vec<String>,
}

/// All that the summary shows. Empty parts are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryInput {
    /// How it ended.
    pub outcome: Outcome,
    /// `ghcr.io/acme/shop/api`, the first one first.
    pub repositories: Vec<String>,
    /// `repository@digest`, of each that it was pushed to.
    pub references: Vec<String>,
    /// Tags (where repositories differ: whole references) and the reason for each.
    pub tags: Vec<(String, String)>,
    /// Tags that were not moved, and why.
    pub held_back: Vec<(String, String)>,
    /// What the image has passed, or has not.
    pub verified: Vec<VerifiedRow>,
    /// The file that it is in.
    pub archive: Option<ArchiveRow>,
    /// Environments that were told of it.
    pub environments: Vec<EnvironmentRow>,
    /// The result by platform.
    pub platforms: Vec<PlatformRow>,
    /// Parts of the run in order.
    pub phases: Vec<Phase>,
    /// What was tried again, and whether that helped.
    pub retries: Vec<String>,
    /// What the cache saved and what it cost, in parts.
    pub cache: Vec<String>,
    /// Steps of the build in order of their numbers.
    pub steps: Vec<StepRow>,
    /// What was annotated; errors are not repeated.
    pub findings: Vec<Annotation>,
    /// Findings that GitHub does not show beside the code, because there were too many.
    pub hidden_findings: usize,
    /// The step that failed.
    pub failure: Option<Failure>,
}

/// The page.
pub fn render(input: &SummaryInput) -> String {
    let mut page = headline(input);
    if !input.references.is_empty() {
        let pulls = input.references.iter().map(|reference| format!("docker pull {reference}"));
        page.push_str(&block("sh", pulls.collect::<Vec<_>>().iter().map(String::as_str)));
        page.push('\n');
    }
    if let Some(failure) = &input.failure {
        page.push_str(&failed_step(failure));
    }
    page.push_str(&pairs("Tag", "Why", &input.tags));
    page.push_str(&pairs("Held back", "Why", &input.held_back));
    page.push_str(&verified(&input.verified));
    page.push_str(&archive(input.archive.as_ref()));
    page.push_str(&environments(&input.environments));
    page.push_str(&platforms(&input.platforms));
    page.push_str(&phases(&input.phases));
    page.push_str(&cache(&input.cache));
    page.push_str(&retries(&input.retries));
    page.push_str(&gantt::render(&input.steps));
    page.push_str(&steps(&input.steps));
    page.push_str(&findings(&input.findings, input.hidden_findings));
    page
}

fn headline(input: &SummaryInput) -> String {
    let names: Vec<String> = input.repositories.iter().map(|name| code(name)).collect();
    let name = if names.is_empty() { "image".to_owned() } else { names.join(", ") };
    match &input.outcome {
        Outcome::Pushed => format!("### Pushed {name}\n\n"),
        Outcome::Promoted => format!("### Promoted {name}: nothing was built\n\n"),
        Outcome::Tagged => format!("### Tagged {name}\n\n"),
        Outcome::Staged => format!(
            "### Staged {name}\n\nIt has none of its tags yet: {} puts them, once the image is good.\n\n",
            code("mode: tag")
        ),
        Outcome::Leg(platform) => format!(
            "### Pushed one leg of {name}: {}\n\nIt has no tag: the job with `mode: merge` joins the legs.\n\n",
            code(&platform.to_string())
        ),
        Outcome::Built(why) => format!("### Built {name}, not pushed\n\n{}\n\n", escape(why)),
        Outcome::DryRun => format!("### Dry run for {name}: nothing was changed\n\n"),
        Outcome::Nothing(why) => format!("### Nothing to do for {name}\n\n{}\n\n", escape(why)),
        Outcome::Cancelled(why) => {
            format!("### Cancelled: {name}\n\n{}\n", block("text", why.lines().take(40)))
        }
        Outcome::Failed(why) => {
            format!("### Failed: {name}\n\n{}\n", block("text", why.lines().take(40)))
        }
    }
}

fn failed_step(failure: &Failure) -> String {
    let place = failure.place.as_deref().map_or_else(String::new, |place| format!(" ({})", code(place)));
    let mut text = format!("**Failed step** {}{place}\n\n", code(&failure.step));
    if !failure.lines.is_empty() {
        let _ = writeln!(text, "{}", block("text", failure.lines.iter().map(String::as_str)));
    }
    text
}

/// A table, bounded: at least one row, each with a cell for each of the titles.
fn table<T>(titles: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> String {
    let line = |cells: &[String]| {
        let cells =
            cells.iter().map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
        format!("|{}\n", cells.collect::<String>())
    };
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let mut text = line(&titles) + &line(&vec!["---".to_owned(); titles.len()]);
    text.extend(rows.iter().take(MAX_TAGS).map(|row| line(&cells(row))));
    if rows.len() > MAX_TAGS {
        let mut last = vec![String::new(); titles.len()];
        last[0] = format!("and {} more", rows.len() - MAX_TAGS);
        text.push_str(&line(&last));
    }
    text + "\n"
}

fn pairs(left: &str, right: &str, rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&[left, right], rows, |(name, reason)| vec![code(name), escape(reason)])
}

fn archive(row: Option<&ArchiveRow>) -> String {
    let Some(row) = row else { return String::new() };
    let sum = row.digest.as_str().trim_start_matches("sha256:");
    let cells = |row: &&ArchiveRow| vec![code(&row.file), units::bytes(row.size), code(sum)];
    table(&["Archive", "Size", "SHA-256"], &[row], cells)
}

fn environments(rows: &[EnvironmentRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Environment", "Deployed"], rows, |row| {
        // Where a link leads is GitHub's word; what could end it is in no page's address.
        let sound = |url: &&String| {
            url.starts_with("http") && url.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._-".contains(&b))
        };
        let link = row.url.as_ref().filter(sound).map_or_else(String::new, |url| format!("[page]({url}): "));
        vec![code(&row.name), link + &escape(&row.text)]
    })
}

fn verified(rows: &[VerifiedRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Verified", "Platform", ""], rows, |row| {
        let time = units::seconds(row.time);
        let how = if row.well { format!("passed in {time}") } else { format!("**failed** after {time}") };
        vec![code(&row.check), code(&row.platform.to_string()), how]
    })
}

fn platforms(rows: &[PlatformRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let tagged = rows.iter().any(|row| !row.tags.is_empty());
    let mut text = String::from("| Platform | Digest | Size |");
    text.push_str(if tagged { " Tags |\n| --- | --- | ---: | --- |\n" } else { "\n| --- | --- | ---: |\n" });
    for row in rows {
        let size = row.size.map_or_else(String::new, units::bytes);
        let (platform, digest) = (code(&row.platform.to_string()), code(row.digest.as_str()));
        let _ = write!(text, "| {platform} | {digest} | {size} |");
        if tagged {
            let tags: Vec<String> = row.tags.iter().take(MAX_TAGS).map(|tag| code(tag)).collect();
            let _ = write!(text, " {} |", tags.join(" "));
        }
        text.push('\n');
    }
    text + "\n"
}

fn phases(phases: &[Phase]) -> String {
    if phases.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = phases
        .iter()
        .map(|phase| format!("{} {}", escape(&phase.name), units::seconds(phase.time)))
        .collect();
    format!("**Time** {}\n\n", parts.join(" · "))
}

fn cache(parts: &[String]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = parts.iter().map(|part| escape(part)).collect();
    format!("**Cache** {}\n\n", parts.join(" · "))
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

fn steps(steps: &[StepRow]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    // Those of the Dockerfile are counted beside the cache.
    let mut text = format!("<details>\n<summary>All {} steps</summary>\n\n", steps.len());
    text.push_str("| # | Step | Time |\n| ---: | --- | ---: |\n");
    for step in steps.iter().take(MAX_STEPS) {
        let time = match (step.failed, step.cached) {
            (true, _) => format!("failed after {}", units::seconds(step.time)),
            (false, true) => "cached".to_owned(),
            (false, false) => units::seconds(step.time),
        };
        let _ = writeln!(text, "| {} | {} | {time} |", step.number, code(&step.name));
    }
    if steps.len() > MAX_STEPS {
        let _ = writeln!(text, "| | and {} more | |", steps.len() - MAX_STEPS);
    }
    text + "\n</details>\n\n"
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
