//! From a Dockerfile's text to its instructions: directives, comments, continuation lines, here-documents, flags.
//!
//! Obeys BuildKit's `frontend/dockerfile/parser`. What that would refuse is refused here too, in fewer words: the
//! build says it better.
//!
//! The crate `parse-dockerfile` (tried in 0.1.9) differs from BuildKit where it counts: a doubled escape continues a line
//! there, a here-document's name in quotes may have no blank, a directive that stands there twice is none, and a `syntax`
//! behind `#!` or `//` is not seen. Stages and variables are no matter of it.

/// A Dockerfile in instructions.
#[derive(Debug)]
pub(super) struct Document {
    /// The frontend that the text asks for, `docker/dockerfile:1`.
    pub syntax: Option<String>,
    /// What escapes a character and a line's end.
    pub escape: char,
    /// In the order of the text.
    pub instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// In lower case.
    pub keyword: String,
    /// `--name=value`, without quotes.
    pub flags: Vec<String>,
    /// The rest, as written.
    pub rest: String,
}

/// Characters that part words.
const BLANK: [char; 5] = [' ', '\t', '\u{b}', '\u{c}', '\r'];

/// Takes a text apart.
pub(super) fn read(text: &str) -> Result<Document, &'static str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A program's first line hides no directive of the frontend, but all others.
    let syntax = match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => directives(rest, "#")?.0,
        _ => directives(text, "#")?.0,
    };
    let syntax = match syntax {
        Some(syntax) => Some(syntax),
        None => directives(text, "//")?.0,
    };
    let escape = directives(text, "#")?.1;
    let mut lines = text.split_inclusive('\n');
    let mut instructions = Vec::new();
    while let Some(line) = lines.next() {
        let line = trim_end(line).trim_start();
        if line.starts_with('#') {
            continue;
        }
        let (part, mut continues) = without_continuation(line, escape);
        if part.is_empty() && !continues {
            continue;
        }
        let mut whole = part.to_owned();
        while continues {
            let Some(line) = lines.next() else { break };
            let line = trim_end(line);
            if line.trim_start().starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let part;
            (part, continues) = without_continuation(line, escape);
            whole.push_str(part);
        }
        let instruction = instruction(&whole, escape);
        if takes_documents(&instruction, escape) && whole.contains("<<") {
            for document in documents(&whole) {
                let end = |line: &str| {
                    let line = trim_end(line);
                    let line = if document.strips_tabs { line.trim_start_matches('\t') } else { line };
                    line == document.name
                };
                if !lines.any(end) {
                    return Err("a here-document in it does not end");
                }
            }
        }
        instructions.push(instruction);
    }
    Ok(Document { syntax, escape, instructions })
}

fn trim_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// The parser directives at the top: the frontend and the escape character.
fn directives(text: &str, comment: &str) -> Result<(Option<String>, char), &'static str> {
    let (mut syntax, mut escape, mut check) = (None, None, false);
    for line in text.lines() {
        let Some((name, value)) = line
            .trim_start()
            .strip_prefix(comment)
            .and_then(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
            .filter(|(_, value)| !value.is_empty())
        else {
            break;
        };
        let twice = match name.as_str() {
            "syntax" => syntax.replace(value.split(' ').next().unwrap_or_default().to_owned()).is_some(),
            "escape" => escape.replace(value).is_some(),
            "check" => std::mem::replace(&mut check, true),
            _ => break,
        };
        if twice {
            return Err("it has a parser directive twice");
        }
    }
    match escape {
        None | Some("\\") => Ok((syntax, '\\')),
        Some("`") => Ok((syntax, '`')),
        Some(_) => Err("its `escape` is neither `\\` nor a backtick"),
    }
}

/// A line without the escape character that continues it, and whether there was one. A doubled one continues nothing.
fn without_continuation(line: &str, escape: char) -> (&str, bool) {
    let Some(rest) = line.trim_end_matches([' ', '\t']).strip_suffix(escape) else { return (line, false) };
    if rest.ends_with(escape) { (line, false) } else { (rest, true) }
}

fn instruction(line: &str, escape: char) -> Instruction {
    let line = line.trim();
    let (keyword, rest) = line.split_once(BLANK).unwrap_or((line, ""));
    let (flags, rest) = flags(rest.trim_start_matches(BLANK), escape);
    Instruction { keyword: keyword.to_lowercase(), flags, rest: rest.trim().to_owned() }
}

/// The words at the start that begin with `--`, unquoted; `--` alone ends them.
fn flags(text: &str, escape: char) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (found, rest);
        }
        let (word, after) = flag(rest, escape);
        rest = after;
        if word == "--" {
            return (found, rest);
        }
        found.push(word);
    }
}

fn flag(text: &str, escape: char) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match quote {
            None if c.is_whitespace() => return (word, &text[at..]),
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(q) if q == c => quote = None,
            _ if c == escape => word.extend(characters.next().map(|(_, c)| c)),
            _ => word.push(c),
        }
    }
    (word, "")
}

/// Whether `<<` means a here-document in this instruction, or in the one that it stores.
fn takes_documents(instruction: &Instruction, escape: char) -> bool {
    match instruction.keyword.as_str() {
        "run" | "copy" | "add" => !is_json(&instruction.rest),
        "onbuild" => {
            let stored = self::instruction(&instruction.rest, escape);
            stored.keyword != "onbuild" && takes_documents(&stored, escape)
        }
        _ => false,
    }
}

/// The exec form: a JSON list of strings.
fn is_json(text: &str) -> bool {
    text.starts_with('[') && serde_json::from_str::<Vec<String>>(text).is_ok()
}

/// The instruction that `ONBUILD` stores.
pub(super) fn stored(instruction: &Instruction, escape: char) -> Instruction {
    self::instruction(&instruction.rest, escape)
}

/// Where a here-document ends.
#[derive(Debug, PartialEq, Eq)]
struct HereDocument {
    name: String,
    strips_tabs: bool,
}

/// The here-documents that a line begins: shell words of the form `<<EOF`, `3<<-"EOF"`. A line with an open quote has
/// none.
fn documents(line: &str) -> Vec<HereDocument> {
    // The shell's escape, whatever the Dockerfile's is.
    let (words, true) = words(line, '\\') else { return Vec::new() };
    let document = |word: &String| {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let name = rest.trim_start();
        let name = (!name.is_empty() && !name.contains('<')).then(|| unquoted(name))?;
        Some(HereDocument { name, strips_tabs })
    };
    words.iter().filter_map(document).collect()
}

/// Words as a shell parts them, quotes and escapes kept, and whether the last quote ends.
pub(super) fn words(text: &str, escape: char) -> (Vec<String>, bool) {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match quote {
            None if c.is_whitespace() => {
                words.push(std::mem::take(&mut word));
                continue;
            }
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(q) if q == c => quote = None,
            _ => {}
        }
        word.push(c);
        if c == escape && quote != Some('\'') {
            word.extend(characters.next());
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    (words, quote.is_none())
}

/// A word without its quotes and escapes.
fn unquoted(word: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut characters = word.chars();
    while let Some(c) = characters.next() {
        match quote {
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(q) if q == c => quote = None,
            None if c == '\\' => plain.extend(characters.next()),
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |one: &Instruction| format!("{}|{}|{}", one.keyword, one.flags.join(","), one.rest);
        read(text).unwrap().instructions.iter().map(show).collect()
    }

    #[test]
    fn instructions() {
        let table: &[(&str, &[&str])] = &[
            ("FROM alpine\nrun x", &["from||alpine", "run||x"]),
            ("\u{feff}\r\n  From  a\tAS b \r\n", &["from||a\tAS b"]),
            ("# comment\nFROM a\n  # indented\nRUN x", &["from||a", "run||x"]),
            ("RUN a \\\n# inside\n  b \\\n\n  c\nRUN d", &["run||a   b   c", "run||d"]),
            ("RUN a \\  \n b", &["run||a  b"]),
            ("RUN a \\\\\nRUN b", &["run||a \\\\", "run||b"]),
            ("# escape=`\nRUN a `\n b\nRUN c:\\\nRUN d", &["run||a  b", "run||c:\\", "run||d"]),
            ("#escape = ` \n# syntax=x\nRUN a `\n b", &["run||a  b"]),
            ("# a comment first\n# escape=`\nRUN a `\nRUN b", &["run||a `", "run||b"]),
            (
                "RUN --mount=type=bind,from=a --network=none -- x",
                &["run|--mount=type=bind,from=a,--network=none|x"],
            ),
            ("FROM --platform=\"linux/arm64\" a", &["from|--platform=linux/arm64|a"]),
            ("FROM --platform=$BUILDPLATFORM \\\n  a", &["from|--platform=$BUILDPLATFORM|a"]),
            ("RUN <<EOF\nRUN inner\nFROM x\nEOF\nRUN b", &["run||<<EOF", "run||b"]),
            ("RUN cat <<-'E F' >x\n\tE F\nRUN b", &["run||cat <<-'E F' >x", "run||b"]),
            ("COPY <<a <<b /x/\nRUN\na\nb\nRUN c", &["copy||<<a <<b /x/", "run||c"]),
            ("RUN [\"a\", \"<<EOF\"]\nRUN b", &["run||[\"a\", \"<<EOF\"]", "run||b"]),
            ("RUN echo \"a <<EOF b\"\nRUN b", &["run||echo \"a <<EOF b\"", "run||b"]),
            ("RUN cat <<<word\nRUN b", &["run||cat <<<word", "run||b"]),
            ("ONBUILD RUN <<EOF\nRUN\nEOF\nRUN b", &["onbuild||RUN <<EOF", "run||b"]),
            ("ENV A=<<EOF\nRUN b", &["env||A=<<EOF", "run||b"]),
            ("RUN a \\", &["run||a"]),
            ("", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
        assert_eq!(read("RUN <<EOF\nx").unwrap_err(), "a here-document in it does not end");
        assert!(read("# escape=x\nFROM a").is_err());
        assert!(read("# escape=`\n# escape=`\nFROM a").is_err());
    }

    #[test]
    fn frontends() {
        for (text, expected) in [
            ("# syntax=docker/dockerfile:1\nFROM a", Some("docker/dockerfile:1")),
            ("#SYNTAX = x/y:z  more\nFROM a", Some("x/y:z")),
            ("#!/usr/bin/env x\n# syntax=x\nFROM a", Some("x")),
            ("// syntax=x\nfoo", Some("x")),
            ("# check=skip=all\n# syntax=x\nFROM a", Some("x")),
            ("FROM a\n# syntax=x", None),
            ("# note\n# syntax=x\nFROM a", None),
            ("FROM a", None),
        ] {
            assert_eq!(read(text).unwrap().syntax.as_deref(), expected, "{text:?}");
        }
    }
}
