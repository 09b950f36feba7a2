//! A command line as POSIX's shell cuts it into words (XCU 2.2, "Quoting"), and nothing else of a shell: no expansion, no
//! redirection, no pipe.
//!
//! `'…'` keeps everything, `"…"` all but a backslash before `$`, a backquote, `"` and a backslash, and a backslash outside of
//! quotes keeps the next character. A `$` is a `$`. What a shell would take for an operator of its own is refused where it
//! stands alone, as whoever writes `a && b` means a shell.

/// What is wrong with a line, and at which character of it, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub column: usize,
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// This quote has no end.
    Unbalanced(char),
    /// There is nothing behind the backslash that ends the line.
    Backslash,
    /// A shell's operator stands alone.
    Operator(String),
    /// A character that no program can be given.
    Control,
}

/// What a shell takes for operators.
const OPERATORS: &str = "|&;<>()";

/// Cuts a line into words. A word may be empty where quotes say so.
pub(super) fn split(line: &str) -> Result<Vec<String>, Fault> {
    if let Some(index) = line.chars().position(|c| c.is_control() && c != '\t') {
        return Err(Fault { column: index + 1, problem: Problem::Control });
    }
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().enumerate().map(|(index, c)| (index + 1, c));
    while let Some((column, c)) = chars.next() {
        let fault = |problem| Fault { column, problem };
        if matches!(c, ' ' | '\t') {
            words.extend(word.take().map(Word::end).transpose()?);
            continue;
        }
        let word = word.get_or_insert_with(|| Word { column, text: String::new(), quoted: false });
        match c {
            '\\' => {
                let (_, next) = chars.next().ok_or_else(|| fault(Problem::Backslash))?;
                word.text.push(next);
                word.quoted = true;
            }
            '\'' | '"' => {
                word.quoted = true;
                loop {
                    let (_, next) = chars.next().ok_or_else(|| fault(Problem::Unbalanced(c)))?;
                    match next {
                        next if next == c => break,
                        '\\' if c == '"' => {
                            let (_, kept) = chars.next().ok_or_else(|| fault(Problem::Unbalanced(c)))?;
                            if !matches!(kept, '$' | '`' | '"' | '\\') {
                                word.text.push('\\');
                            }
                            word.text.push(kept);
                        }
                        next => word.text.push(next),
                    }
                }
            }
            c => word.text.push(c),
        }
    }
    words.extend(word.take().map(Word::end).transpose()?);
    Ok(words)
}

/// A word that is being read.
struct Word {
    column: usize,
    text: String,
    quoted: bool,
}

impl Word {
    fn end(self) -> Result<String, Fault> {
        let operator =
            !self.quoted && !self.text.is_empty() && self.text.chars().all(|c| OPERATORS.contains(c));
        if operator {
            return Err(Fault { column: self.column, problem: Problem::Operator(self.text) });
        }
        Ok(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_as_a_shell_cuts_them() {
        for (line, words) in [
            ("", &[][..]),
            ("  \t ", &[]),
            ("migrate validate", &["migrate", "validate"]),
            (" a\t b  c ", &["a", "b", "c"]),
            ("'a b' c", &["a b", "c"]),
            ("a'b c'd", &["ab cd"]),
            (r#""a b" 'c "d"'"#, &["a b", r#"c "d""#]),
            (r#""a \"b\" \$c \\ \n""#, &[r#"a "b" $c \ \n"#]),
            (r"'a\b'", &[r"a\b"]),
            (r"a\ b \'c", &["a b", "'c"]),
            (r"\\", &[r"\"]),
            ("''", &[""]),
            ("a \"\" b", &["a", "", "b"]),
            ("$HOME `id` *.sql ~", &["$HOME", "`id`", "*.sql", "~"]),
            ("http://x/?a=1&b=2", &["http://x/?a=1&b=2"]),
            ("a # b", &["a", "#", "b"]),
            (r"find / -exec x {} \;", &["find", "/", "-exec", "x", "{}", ";"]),
            ("'&&'", &["&&"]),
            ("sh -c 'a && b'", &["sh", "-c", "a && b"]),
            ("größe 日本", &["größe", "日本"]),
        ] {
            assert_eq!(
                split(line).as_deref(),
                Ok(words.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (line, column, problem) in [
            ("a 'b", 3, Problem::Unbalanced('\'')),
            ("日 \"b", 3, Problem::Unbalanced('"')),
            ("a \"b\\", 3, Problem::Unbalanced('"')),
            ("it's", 3, Problem::Unbalanced('\'')),
            ("a b\\", 4, Problem::Backslash),
            ("a && b", 3, Problem::Operator("&&".into())),
            ("a | b", 3, Problem::Operator("|".into())),
            ("a ;", 3, Problem::Operator(";".into())),
            ("a > /tmp/x", 3, Problem::Operator(">".into())),
            ("a\u{7}", 2, Problem::Control),
        ] {
            assert_eq!(split(line), Err(Fault { column, problem }), "{line}");
        }
    }

    proptest! {
        /// Whatever words there are can be written, so that they are read again.
        #[test]
        fn what_is_quoted_comes_back(words in prop::collection::vec("[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,12}", 0..6)) {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&quoted.join(" ")), Ok(words));
        }

        #[test]
        fn nothing_panics(line in "\\PC{0,60}") {
            let _ = split(&line);
        }
    }
}
