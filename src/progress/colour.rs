//! The colours of our own lines: what went well, what did not, and what nobody needs to read.
//!
//! GitHub's log and terminals show the same few of ECMA-48. Lines about steps have theirs in [`super::step_line`]; a line that is
//! not one of ours is left alone.

/// A line of ours as it is shown in colour: its mark green or red.
pub(super) fn coloured(line: &str) -> String {
    let mark = |colour: u8, mark: &str, rest: &str| format!("\u{1b}[{colour}m{mark}\u{1b}[0m{rest}");
    match line.split_at_checked('✓'.len_utf8()) {
        Some(("✓", rest)) if rest.starts_with(' ') => mark(32, "✓", rest),
        Some(("✗", rest)) if rest.starts_with(' ') => mark(31, "✗", rest),
        _ => line.to_owned(),
    }
}

/// What nobody needs to read.
pub(super) fn grey(text: &str) -> String {
    format!("\u{1b}[90m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        for (line, expected) in [
            ("✓ r.io/api:main", "\u{1b}[32m✓\u{1b}[0m r.io/api:main"),
            ("✗ after 3.4 s: `run-failed`", "\u{1b}[31m✗\u{1b}[0m after 3.4 s: `run-failed`"),
            ("0.4 s │ ✓ passed", "0.4 s │ ✓ passed"),
            ("✓", "✓"),
            ("", ""),
            ("a", "a"),
        ] {
            assert_eq!(coloured(line), expected);
        }
    }
}
