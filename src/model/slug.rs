//! The slug of a ref's name, as `GITHUB_REF_SLUG` has it, then made fit to start a tag.
//!
//! Source: rlespinasse/slugify-value v1.4.0, a shell script: bash's `${v,,}`, then sed. On the runners both work
//! in a UTF-8 locale, where exactly two characters outside ASCII have a lower case inside it.

/// Longest slug, in characters.
const LONGEST: usize = 63;

/// The slug of a branch's or tag's name (`refs/heads/` already taken off): lower case, every run of
/// characters outside `[a-z0-9._-]` one `-`, no leading `-`, at most 63 characters, no trailing `-`;
/// then no leading `.` either, as no tag starts with one. `None` when nothing is left.
pub fn slug(name: &str) -> Option<String> {
    let mut slug = String::with_capacity(name.len().min(LONGEST));
    let mut in_run = false;
    for c in name.chars().map(lower) {
        let kept = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if kept || !in_run {
            slug.push(if kept { c } else { '-' });
        }
        in_run = !kept;
    }
    let slug: String = slug.trim_start_matches('-').chars().take(LONGEST).collect();
    let slug = slug.trim_end_matches('-').trim_start_matches(['.', '-']);
    if slug.is_empty() { None } else { Some(slug.to_owned()) }
}

/// Bash's lower case, as far as it leads into ASCII: `İ` and the Kelvin sign do too.
fn lower(c: char) -> char {
    match c {
        '\u{130}' => 'i',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Tag;

    #[test]
    fn as_the_slug_action() {
        let cut = "a".repeat(62);
        for (name, expected) in [
            ("main", "main"),
            ("feat/New_Feature", "feat-new_feature"),
            ("a/-b", "a--b"),
            ("a//b", "a-b"),
            ("a b\tc", "a-b-c"),
            ("ünïcode/x", "n-code-x"),
            ("--x--", "x"),
            ("12/merge", "12-merge"),
            (".lead", "lead"),
            ("-.-lead", "lead"),
            ("..", ""),
            ("._x", "_x"),
            ("feature/refs/heads/x", "feature-refs-heads-x"),
            ("\u{212a}elvin", "kelvin"),
            ("\u{130}stanbul", "istanbul"),
            ("🚀", ""),
            ("🚀🎉", ""),
            ("🚀fix", "fix"),
            ("fix-🚀", "fix"),
            ("x🚀-🎉y", "x---y"),
            ("v1.2.3+build", "v1.2.3-build"),
            ("", ""),
            ("$(reboot)`;'\"", "reboot"),
            (&format!("{cut}/b"), &cut),
            (&"B".repeat(80), &"b".repeat(63)),
        ] {
            assert_eq!(slug(name).unwrap_or_default(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn is_part_of_a_tag_or_nothing(name in "\\PC*|[-./a-zA-Z_]{0,90}") {
            if let Some(slug) = slug(&name) {
                prop_assert!(Tag::parse(&slug).is_ok(), "{slug}");
                prop_assert!(slug.len() <= LONGEST && !slug.ends_with('-'));
                prop_assert!(!slug.bytes().any(|b| b.is_ascii_uppercase()));
                prop_assert_eq!(super::slug(&slug), Some(slug));
            } else {
                prop_assert!(!name.bytes().any(|b| b.is_ascii_alphanumeric()) || name.len() > LONGEST);
            }
        }
    }
}
