//! How large the image is, by platform and by layer, and how that differs from what the tag was on before.

use std::fmt::Write as _;

use super::input::{Change, LayerRow, PlatformRow, Since};
use super::tables::table;
use crate::runner::markdown::{code, escape, link};
use crate::runner::{units, untrusted};

/// Platforms whose layers are listed.
const MAX_PLATFORMS: usize = 10;
/// Bytes of an instruction.
const MAX_INSTRUCTION: usize = 100;

/// How a size differs from one before: `+12.3 kB`, `−1.2 MB`, `±0 B`.
fn difference(now: u64, before: u64) -> String {
    match now.cmp(&before) {
        std::cmp::Ordering::Equal => "±0 B".into(),
        std::cmp::Ordering::Greater => format!("+{}", units::bytes(now - before)),
        std::cmp::Ordering::Less => format!("−{}", units::bytes(before - now)),
    }
}

/// `2.0 MB for 2 platforms (+12.3 kB since 86fa74c)`, for the log; nothing where a size is not known.
pub fn size(rows: &[PlatformRow], since: Option<&Since>) -> Option<String> {
    let name = |since: &Since| match &since.commit {
        Some((commit, _)) => commit.clone(),
        None => format!("the last `{}`", since.tag),
    };
    whole(rows, since.map(name))
}

/// The same for the page.
pub(super) fn linked_size(rows: &[PlatformRow], since: Option<&Since>) -> Option<String> {
    let name = |since: &Since| match &since.commit {
        Some((commit, page)) => link(&code(commit), page.as_deref()),
        None => format!("the last {}", code(&since.tag)),
    };
    whole(rows, since.map(name))
}

fn whole(rows: &[PlatformRow], since: Option<String>) -> Option<String> {
    let sizes: Option<Vec<u64>> = rows.iter().map(|row| row.size).collect();
    let size: u64 = sizes.filter(|sizes| !sizes.is_empty())?.into_iter().fold(0, u64::saturating_add);
    let platforms = if rows.len() == 1 { String::new() } else { format!(" for {} platforms", rows.len()) };
    let before: Option<Vec<u64>> = rows.iter().map(|row| row.before).collect();
    let change = before.zip(since).map(|(before, since)| {
        let before = before.into_iter().fold(0, u64::saturating_add);
        format!(" ({} since {})", difference(size, before), since)
    });
    Some(format!("{}{platforms}{}", units::bytes(size), change.unwrap_or_default()))
}

/// The result by platform.
pub(super) fn platforms(rows: &[PlatformRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let tagged = rows.iter().any(|row| !row.tags.is_empty());
    let compared = rows.iter().any(|row| row.before.is_some());
    let titles =
        [("Platform", true), ("Size:", true), ("Change:", compared), ("Digest", true), ("Tags", tagged)];
    let shown = titles.map(|(_, shown)| shown);
    let titles: Vec<&str> = titles.iter().filter(|(_, shown)| *shown).map(|(title, _)| *title).collect();
    table(&titles, rows, |row| {
        let change = row.size.zip(row.before).map(|(size, before)| difference(size, before));
        let tags: Vec<String> = row.tags.iter().take(100).map(|tag| code(tag)).collect();
        let cells = [
            code(&row.platform.to_string()),
            row.size.map_or_else(String::new, units::bytes),
            change.unwrap_or_default(),
            code(row.digest.as_str()),
            tags.join(" "),
        ];
        cells.into_iter().zip(shown).filter(|(_, shown)| *shown).map(|(cell, _)| cell).collect()
    })
}

/// The layers of each platform, folded.
pub(super) fn layers(rows: &[PlatformRow], since: Option<&Since>) -> String {
    let rows: Vec<&PlatformRow> =
        rows.iter().filter(|row| row.layers.iter().any(|layer| layer.made_by.is_some())).collect();
    if rows.is_empty() {
        return String::new();
    }
    let all = || rows.iter().flat_map(|row| &row.layers).filter(|layer| layer.change != Change::Gone);
    let same = all().filter(|layer| layer.change == Change::Same).count();
    let mut text = match since {
        // In HTML nothing is Markdown: plain words.
        Some(_) => format!("<details>\n<summary>Layers: {same} of {} as before</summary>\n\n", all().count()),
        None => format!("<details>\n<summary>{} layers</summary>\n\n", all().count()),
    };
    let compared = all().any(|layer| layer.change != Change::Unknown);
    let titles: &[&str] = if compared { &["Layer", "Size:", "Change:"] } else { &["Layer", "Size:"] };
    for row in rows.iter().take(MAX_PLATFORMS) {
        let _ = writeln!(text, "{}\n", code(&row.platform.to_string()));
        text.push_str(&table(titles, &row.layers, |layer| {
            let mut cells = vec![instruction(layer), units::bytes(layer.size)];
            cells.extend(compared.then(|| change(layer)));
            cells
        }));
    }
    if rows.len() > MAX_PLATFORMS {
        let _ = writeln!(text, "and {} more platforms\n", rows.len() - MAX_PLATFORMS);
    }
    text + "</details>\n\n"
}

fn instruction(layer: &LayerRow) -> String {
    match &layer.made_by {
        Some(made_by) => code(&untrusted::cut(made_by, MAX_INSTRUCTION)),
        None => escape("not known"),
    }
}

fn change(layer: &LayerRow) -> String {
    match layer.change {
        Change::Unknown => String::new(),
        Change::Same => "same".into(),
        Change::Other(before) => difference(layer.size, before),
        Change::New => "new".into(),
        Change::Gone => "gone".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        for (now, before, expected) in [
            (5, 5, "±0 B"),
            (12_000, 0, "+12.0 kB"),
            (1, 1_000_001, "−1.0 MB"),
            (0, u64::MAX, "−18446744.0 TB"),
        ] {
            assert_eq!(difference(now, before), expected);
        }
    }
}
