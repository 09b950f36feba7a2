//! The colours of our own lines: what went well, what did not, and what nobody needs to read.
//!
//! GitHub's log and terminals show the same few of ECMA-48. A line that is not one of ours is left alone.

/// A line of ours as it is shown in colour: its mark green or red, and grey as a whole where nothing was done.
pub(super) fn coloured(line: &str) -> String {
    let mark = |colour: u8, mark: &str, rest: &str| format!("\u{1b}[{colour}m{mark}\u{1b}[0m{rest}");
    let grey = line.starts_with('✓') && line.ends_with(" CACHED")
        || line.starts_with("- #") && line.ends_with(" cancelled")
        || line.starts_with("… ");
    if grey {
        return mark(90, line, "");
    }
    match line.split_at_checked('✓'.len_utf8()) {
        Some(("✓", rest)) if rest.starts_with(' ') => mark(32, "✓", rest),
        Some(("✗", rest)) if rest.starts_with(' ') => mark(31, "✗", rest),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_what_was_not_done() {
        for (line, expected) in [
            ("✓ #7 RUN make 3.4 s", "\u{1b}[32m✓\u{1b}[0m #7 RUN make 3.4 s"),
            ("✗ #7 RUN make exit 2", "\u{1b}[31m✗\u{1b}[0m #7 RUN make exit 2"),
            ("✓ #7 RUN make CACHED", "\u{1b}[90m✓ #7 RUN make CACHED\u{1b}[0m"),
            ("- #4 FROM a cancelled", "\u{1b}[90m- #4 FROM a cancelled\u{1b}[0m"),
            ("… #5 FROM a: 1.0 MB", "\u{1b}[90m… #5 FROM a: 1.0 MB\u{1b}[0m"),
            ("#7 0.351 ✓ passed", "#7 0.351 ✓ passed"),
            ("✓", "✓"),
            ("", ""),
            ("a", "a"),
        ] {
            assert_eq!(coloured(line), expected);
        }
    }
}
