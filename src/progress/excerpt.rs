//! Lines of a Dockerfile as an error quotes them: with their numbers, and a mark beside those that it is about.

use super::event::SourceLocation;
use crate::runner::untrusted;

/// Most bytes of a quoted line.
const WIDTH: usize = 160;

/// The lines around a place; none where the frontend did not send the file.
///
/// ```text
///     6 | COPY . .
///   > 7 | RUN make
///     8 | USER app
/// ```
pub fn quote(location: &SourceLocation) -> Vec<String> {
    let lines = (location.excerpt.first..).zip(&location.excerpt.lines);
    // Blank lines at the ends show nothing.
    let shown = |number: u32| location.line <= number && number <= location.end_line;
    let mut lines: Vec<(u32, &String)> = lines.collect();
    while lines.last().is_some_and(|(number, line)| line.trim().is_empty() && !shown(*number)) {
        lines.pop();
    }
    let blank = |(number, line): &&(u32, &String)| line.trim().is_empty() && !shown(*number);
    let skipped = lines.iter().take_while(blank).count();
    let width = lines.last().map_or(1, |(number, _)| number.to_string().len());
    let quoted = lines.iter().skip(skipped).map(|(number, line)| {
        let mark = if shown(*number) { '>' } else { ' ' };
        let line = untrusted::plain(&format!("  {mark} {number:width$} | {line}"));
        untrusted::cut(line.trim_end(), WIDTH)
    });
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::super::event::Excerpt;
    use super::*;

    fn quoted(first: u32, lines: &[&str], place: (u32, u32)) -> Vec<String> {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let excerpt = Excerpt { first, lines };
        quote(&SourceLocation { file: "Dockerfile".into(), line: place.0, end_line: place.1, excerpt })
    }

    #[test]
    fn the_place_is_marked() {
        assert_eq!(
            quoted(8, &["FROM a", "RUN x \\", "  && y", "", "USER b"], (9, 10)),
            ["     8 | FROM a", "  >  9 | RUN x \\", "  > 10 |   && y", "    11 |", "    12 | USER b"]
        );
        assert_eq!(quoted(1, &["", "RUM x", "\t"], (2, 2)), ["  > 2 | RUM x"]);
        assert_eq!(quoted(1, &[], (1, 1)), [""; 0]);
    }

    #[test]
    fn what_is_quoted_obeys_nothing() {
        assert_eq!(quoted(1, &["\u{1b}[2J##[error]x"], (1, 1)), ["  > 1 | ##\\[error]x"]);
    }
}
