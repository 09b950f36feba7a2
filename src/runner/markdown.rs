//! Hostile texts in GitHub's Markdown: escaping, code, blocks, Mermaid labels.
//!
//! Obeys `CommonMark` and GitHub's tables. Whatever comes from outside goes through one of these functions;
//! none of them lets a text start a link, an image, HTML, a table cell, a mention or a new block.

use std::fmt::Write as _;

use super::untrusted;

/// Prose on one line: every mark is escaped, mentions and bare links stay text.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    let mut last = ' ';
    for c in untrusted::plain(text).trim().chars() {
        match c {
            // GitHub finds mentions in the rendered text, where a backslash is gone; a comment parts it.
            '@' => out.push_str("@<!-- -->"),
            // `www.` alone makes a link.
            '.' if matches!(last, 'w' | 'W') => out.push_str("\\."),
            '-' if out.is_empty() => out.push_str("\\-"),
            ',' | '.' | '-' | '/' | '\'' | '"' | '?' | '%' | ';' => out.push(c),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        last = c;
    }
    out
}

/// A code span, also fit for a table's cell; nothing for an empty text.
pub fn code(text: &str) -> String {
    let text = untrusted::plain(text);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    if !text.contains(['`', '|']) {
        return format!("`{text}`");
    }
    // A table is cut at pipes before code is seen: entities are not marks, whatever they stand for.
    let mut out = String::from("<code>");
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out + "</code>"
}

/// A text in Markdown as a link, where there is a page that it may lead to.
pub fn link(text: &str, page: Option<&str>) -> String {
    let sound = |page: &&str| page.starts_with("http") && links_well(page);
    page.filter(sound).map_or_else(|| text.to_owned(), |page| format!("[{text}]({page})"))
}

/// Whether nothing is in an address that could end a link; in a page's address there is nothing of that.
pub fn links_well(address: &str) -> bool {
    address.bytes().all(|b| b.is_ascii_alphanumeric() || b":/._-#%?=".contains(&b))
}

/// A code block, fenced with more backticks than any run in it.
pub fn block<'a>(language: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<String> = lines.into_iter().map(untrusted::plain).collect();
    let run = |line: &String| line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(lines.iter().map(run).max().unwrap_or(0).max(2) + 1);
    let mut out = format!("{fence}{language}\n");
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out + &fence + "\n"
}

/// A label of a Mermaid diagram: letters, digits and a few harmless marks, at most `max` characters.
/// Mermaid has no escaping that holds in all diagrams (`:`, `#`, `;` and `%%` are syntax in a Gantt).
pub fn label(text: &str, max: usize) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | '+' | '@');
    let text: String = text.chars().map(|c| if harmless(c) { c } else { ' ' }).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= max {
        return text;
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("push to branch main", "push to branch main"),
            ("![x](javascript:alert(1))", r"\!\[x\]\(javascript\:alert\(1\)\)"),
            ("<img src=x>|a", r"\<img src\=x\>\|a"),
            ("@octocat www.evil.example", r"@<!-- -->octocat www\.evil.example"),
            ("- item", r"\- item"),
            ("a\n\n# head", r"a  \# head"),
            ("a *b* _c_ ~d~ `e` $f$ &amp; #1", r"a \*b\* \_c\_ \~d\~ \`e\` \$f\$ \&amp; \#1"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn code_spans() {
        for (text, expected) in [
            ("v1.2.3", "`v1.2.3`"),
            ("", ""),
            (" a\nb ", "`a b`"),
            ("a|b", "<code>a&#124;b</code>"),
            ("`<b>", "<code>&#96;&#60;b&#62;</code>"),
        ] {
            assert_eq!(code(text), expected);
        }
    }

    #[test]
    fn blocks_hold() {
        assert_eq!(block("text", ["a"]), "```text\na\n```\n");
        assert_eq!(block("", ["x", "````", "<b>"]), "`````\nx\n````\n<b>\n`````\n");
    }

    #[test]
    fn labels() {
        assert_eq!(label("RUN a:b;c #d %%{init: {}}%%", 40), "RUN a b c d init");
        assert_eq!(label("abcdef", 4), "abc…");
    }

    proptest! {
        #[test]
        fn no_line_of_a_block_closes_it(lines in prop::collection::vec("[`~ a]{0,8}", 0..6)) {
            let text = block("", lines.iter().map(String::as_str));
            let fence = text.lines().next().unwrap();
            prop_assert_eq!(text.lines().filter(|line| line.contains(fence)).count(), 2);
        }

        #[test]
        fn code_never_leaves_its_cell(text in "[`|\\\\<>a ]{0,12}") {
            let code = code(&text);
            prop_assert!(!code.contains('|'));
            let inner = code.strip_prefix('`').and_then(|c| c.strip_suffix('`'));
            prop_assert!(inner.is_none_or(|inner| !inner.contains('`')));
        }
    }
}
