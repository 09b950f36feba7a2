//! The table, in Markdown.

use crate::measure::Runs;
use std::fmt::Write as _;

/// One line of one of the two tables.
pub struct Row {
    case: &'static str,
    figures: Figures,
}

enum Figures {
    Compared { ours: Runs, buildx: Runs, ratio: Option<f64>, mebibytes: Option<f64> },
    Absolute { value: String, target: &'static str, met: bool },
}

impl Row {
    /// Both clients; the targets are the largest ratio of medians and the largest peak of ours.
    pub fn compared(
        case: &'static str,
        ours: Runs,
        buildx: Runs,
        ratio: Option<f64>,
        mebibytes: Option<f64>,
    ) -> Self {
        Self { case, figures: Figures::Compared { ours, buildx, ratio, mebibytes } }
    }

    /// What was measured.
    pub fn case(&self) -> &str {
        self.case
    }

    /// A figure that stands alone.
    pub fn absolute(case: &'static str, value: String, target: &'static str, met: bool) -> Self {
        Self { case, figures: Figures::Absolute { value, target, met } }
    }
}

/// The rows as two tables.
pub fn render(rows: &[Row], peer: &str) -> String {
    let mut compared = format!(
        "| case | runs | ours | {peer} | ours/{peer} | target | ours, peak | {peer}, peak | target |\n\
                        |---|---|---|---|---|---|---|---|---|\n"
    );
    let mut alone = "| what | measured | target |\n|---|---|---|\n".to_owned();
    for row in rows {
        let case = row.case;
        let _ = match &row.figures {
            Figures::Compared { ours, buildx, ratio, mebibytes } => {
                let (quotient, peak) = (ours.seconds() / buildx.seconds(), ours.mebibytes());
                writeln!(
                    compared,
                    "| {case} | {} | {} | {} | {quotient:.2} | {} | {peak:.1} MiB | {:.1} MiB | {} |",
                    ours.0.len(),
                    wall(ours),
                    wall(buildx),
                    ratio.map_or(String::new(), |limit| format!("≤ {limit:.2}: {}", word(quotient <= limit))),
                    buildx.mebibytes(),
                    mebibytes
                        .map_or(String::new(), |limit| format!("≤ {limit:.0} MiB: {}", word(peak <= limit))),
                )
            }
            Figures::Absolute { value, target, met } => {
                writeln!(alone, "| {case} | {value} | {target}: {} |", word(*met))
            }
        };
    }
    format!("{compared}\n{alone}")
}

fn wall(runs: &Runs) -> String {
    let (least, most) = runs.range();
    format!("{:.3} s [{least:.3}..{most:.3}]", runs.seconds())
}

fn word(met: bool) -> &'static str {
    if met { "pass" } else { "**fail**" }
}
