//! How many columns a text takes, at most: characters that may be wide count twice.

/// Columns of a character; of ours it is known that they take one.
fn width(c: char) -> usize {
    let narrow = c.is_ascii() || matches!(c, '│' | '⋯' | '…' | '✓' | '✗');
    if narrow { 1 } else { 2 }
}

/// Columns of a text without colours.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// The beginning of a text without colours that surely fits, with `…` where it was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += width(*c);
        // One for the mark.
        used < most
    });
    let kept: String = kept.collect();
    if most == 0 { kept } else { format!("{}…", kept.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_wide_counts_twice() {
        for (text, most, expected) in [
            ("日本語日本語", 7, "日本語…"),
            ("日本語日本語", 6, "日本…"),
            ("⋯ #1 ok", 7, "⋯ #1 ok"),
            ("one two", 5, "one…"),
            ("one", 0, ""),
            ("one", 1, "…"),
            ("", 0, ""),
        ] {
            let cut = cut(text, most);
            assert_eq!(cut, expected);
            assert!(columns(&cut) <= most);
        }
    }
}
