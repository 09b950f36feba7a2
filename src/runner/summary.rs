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
    /// The Dockerfile was checked.
    Checked {
        /// How many findings there are.
        findings: usize,
        /// Why it could not be built, in lines, where that is no failure.
        failure: Option<String>,
    },
    /// Only planned.
    DryRun,
    /// There was nothing to do: why.
    Nothing(String),
    /// It was asked to stop: by what, in lines.
    Cancelled(String),
    /// The error, its chain in lines, and where it is explained.
    Failed(String, Vec<Explained>),
}

/// A kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its code: `run-failed`.
    pub code: &'static str,
    /// The page that explains it, where that is known.
    pub page: Option<String>,
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

/// A tag that is on the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The tag; where repositories differ, the whole reference.
    pub name: String,
    /// What it was on before.
    pub was: Was,
    /// Why it is put.
    pub reason: String,
}

/// What a tag was on before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// Nobody has looked.
    Unknown,
    /// Nothing.
    New,
    /// The same image.
    Same,
    /// The image of a commit, cut for people; with the page that compares the two.
    Commit(String, Option<String>),
    /// Another image, which does not say of which commit.
    Other(Digest),
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

/// A finding of a build check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRow {
    /// `Dockerfile:7`, when known.
    pub place: Option<String>,
    /// The rule.
    pub rule: String,
    /// What is found.
    pub text: String,
    /// What the rule is about.
    pub description: String,
    /// The page that explains it.
    pub url: String,
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
    /// The Dockerfile, where that is what the run is about.
    pub dockerfile: Option<String>,
    /// What its check has found.
    pub checks: Vec<CheckRow>,
    /// `repository@digest`, of each that it was pushed to.
    pub references: Vec<String>,
    /// Tags that are on it.
    pub tags: Vec<TagRow>,
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
    page.push_str(&checks(&input.checks));
    page.push_str(&tags(&input.tags));
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
    let names = input.dockerfile.as_ref().map_or(input.repositories.as_slice(), std::slice::from_ref);
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
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
        Outcome::Checked { findings, failure } => {
            let found = match findings {
                0 => "no findings".to_owned(),
                1 => "1 finding".to_owned(),
                several => format!("{several} findings"),
            };
            let failure = failure.as_ref().map(|why| block("text", why.lines().take(40)) + "\n");
            format!("### Checked {name}: {found}\n\n{}", failure.unwrap_or_default())
        }
        Outcome::DryRun => format!("### Dry run for {name}: nothing was changed\n\n"),
        Outcome::Nothing(why) => format!("### Nothing to do for {name}\n\n{}\n\n", escape(why)),
        Outcome::Cancelled(why) => {
            format!("### Cancelled: {name}\n\n{}\n", block("text", why.lines().take(40)))
        }
        Outcome::Failed(why, codes) => {
            let codes: Vec<String> =
                codes.iter().map(|one| link(&code(one.code), one.page.as_deref())).collect();
            let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
            format!("### Failed: {name}{codes}\n\n{}\n", block("text", why.lines().take(40)))
        }
    }
}

fn tags(rows: &[TagRow]) -> String {
    if rows.iter().all(|row| row.was == Was::Unknown) {
        let rows: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.reason.clone())).collect();
        return pairs("Tag", "Why", &rows);
    }
    table(&["Tag", "Was on", "Why"], rows, |row| {
        let was = match &row.was {
            Was::Unknown => String::new(),
            Was::New => "nothing".into(),
            Was::Same => "the same".into(),
            Was::Commit(commit, page) => link(&code(commit), page.as_deref()),
            Was::Other(digest) => code(&units::short_digests(digest.as_str())),
        };
        vec![code(&row.name), was, escape(&row.reason)]
    })
}

/// A text in Markdown as a link, where there is a page that it may lead to.
fn link(text: &str, page: Option<&str>) -> String {
    // Where it leads is the runner's or GitHub's word; what could end it is in no page's address.
    let sound = |page: &&str| page.starts_with("http") && is_plain_address(page);
    page.filter(sound).map_or_else(|| text.to_owned(), |page| format!("[{text}]({page})"))
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

fn checks(rows: &[CheckRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Line", "Rule", "Finding"], rows, |row| {
        let place = row.place.as_deref().map_or_else(String::new, code);
        // A frontend that a Dockerfile brings may say anything: where a link leads is known of Docker's own pages.
        let known = row.rule.bytes().all(|b| b.is_ascii_alphanumeric())
            && row.url.strip_prefix("https://docs.docker.com/").is_some_and(is_plain_address);
        let rule = code(&row.rule);
        let rule = if known { format!("[{rule}]({})", row.url) } else { rule };
        let text = [&row.text, &row.description].map(|text| escape(text));
        let text: Vec<String> = text.into_iter().filter(|text| !text.is_empty()).collect();
        vec![place, rule, text.join("<br>")]
    })
}

fn environments(rows: &[EnvironmentRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Environment", "Deployed"], rows, |row| {
        let page = row.url.as_deref().map(|url| link("page", Some(url))).filter(|text| text.starts_with('['));
        let page = page.map_or_else(String::new, |page| page + ": ");
        vec![code(&row.name), page + &escape(&row.text)]
    })
}

/// Whether nothing is in it that could end a link; in a page's address there is nothing of that.
fn is_plain_address(url: &str) -> bool {
    url.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._-#".contains(&b))
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
