//! The tables: tags, what was held back, checks, files and environments.

use super::input::{ArchiveRow, CheckRow, EnvironmentRow, TagRow, VerifiedRow, Was};
use crate::runner::markdown::{code, escape, link, links_well};
use crate::runner::units;

/// Rows of a table.
const MAX_ROWS: usize = 100;

pub(super) fn tags(rows: &[TagRow]) -> String {
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

/// A table, bounded: at least one row, each with a cell for each of the titles. Columns with a `:` behind their title hold
/// numbers, which stand at the right.
pub(super) fn table<T>(titles: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> String {
    let line = |cells: &[String]| {
        let cells =
            cells.iter().map(|cell| if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = |title: &&str| if title.ends_with(':') { "---:" } else { "---" }.to_owned();
    let rules: Vec<String> = titles.iter().map(rule).collect();
    let titles: Vec<String> = titles.iter().map(|title| title.trim_end_matches(':').to_owned()).collect();
    let mut text = line(&titles) + &line(&rules);
    text.extend(rows.iter().take(MAX_ROWS).map(|row| line(&cells(row))));
    if rows.len() > MAX_ROWS {
        let mut last = vec![String::new(); titles.len()];
        last[0] = format!("and {} more", rows.len() - MAX_ROWS);
        text.push_str(&line(&last));
    }
    text + "\n"
}

pub(super) fn pairs(left: &str, right: &str, rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&[left, right], rows, |(name, reason)| vec![code(name), escape(reason)])
}

pub(super) fn archive(row: Option<&ArchiveRow>) -> String {
    let Some(row) = row else { return String::new() };
    let sum = row.digest.as_str().trim_start_matches("sha256:");
    let cells = |row: &&ArchiveRow| vec![code(&row.file), units::bytes(row.size), code(sum)];
    table(&["Archive", "Size", "SHA-256"], &[row], cells)
}

pub(super) fn checks(rows: &[CheckRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Line", "Rule", "Finding"], rows, |row| {
        let place = row.place.as_deref().map_or_else(String::new, code);
        // A frontend that a Dockerfile brings may say anything: where a link leads is known of Docker's own pages.
        let known = row.rule.bytes().all(|b| b.is_ascii_alphanumeric())
            && row.url.strip_prefix("https://docs.docker.com/").is_some_and(links_well);
        let rule = code(&row.rule);
        let rule = if known { format!("[{rule}]({})", row.url) } else { rule };
        let text = [&row.text, &row.description].map(|text| escape(text));
        let text: Vec<String> = text.into_iter().filter(|text| !text.is_empty()).collect();
        vec![place, rule, text.join("<br>")]
    })
}

pub(super) fn environments(rows: &[EnvironmentRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Environment", "Deployed"], rows, |row| {
        let page = row.url.as_deref().map(|url| link("page", Some(url))).filter(|text| text.starts_with('['));
        let page = page.map_or_else(String::new, |page| page + ": ");
        vec![code(&row.name), page + &escape(&row.text)]
    })
}

pub(super) fn verified(rows: &[VerifiedRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    table(&["Verified", "Platform", ""], rows, |row| {
        let time = units::seconds(row.time);
        let how = if row.well { format!("passed in {time}") } else { format!("**failed** after {time}") };
        vec![code(&row.check), code(&row.platform.to_string()), how]
    })
}
