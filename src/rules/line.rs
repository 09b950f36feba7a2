//! Lines and their fields: the CSV that metadata-action's inputs are written in.
//!
//! Each line is one entry, its fields are separated by commas. Empty lines and lines that begin with `#` are nothing; so are
//! blanks around a comma, around a field's first `=`, and empty fields. A field in double quotes may hold commas and, doubled,
//! quotes. Beyond CSV, two commas separate nothing: one within an expression, `{{date 'MMMM D, YYYY'}}`, and one within
//! a regular expression's count, `\d{1,2}`. metadata-action cuts both in two, and no line that is cut there can have been
//! meant so.

use super::fault::{Fault, Input, Place};

/// The longest line, in characters.
const LONGEST: usize = 4_096;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where its first character is.
    pub place: Place,
    /// What stands between its commas, never empty.
    pub fields: Vec<Field>,
    /// Some of what stands between the commas is empty.
    pub has_empty: bool,
}

/// What stands between two commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where its text begins.
    pub place: Place,
    /// Its text, without blanks around it.
    pub text: String,
}

/// A field's name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    /// As it is written.
    pub name: &'a str,
    /// Without blanks around it.
    pub value: &'a str,
    /// Where the value begins.
    pub place: Place,
}

impl Field {
    /// The name and the value, if the field has a `=`: not one within an expression, and not one that nothing precedes.
    pub fn pair(&self) -> Option<Pair<'_>> {
        let end = self.text.find("{{").unwrap_or(self.text.len());
        let at = self.text[..end].find('=')?;
        let (name, rest) = (self.text[..at].trim_end(), &self.text[at + 1..]);
        let value = rest.trim();
        let before = self.text.len() - rest.trim_start().len();
        let place = self.place.after(self.text[..before].chars().count());
        (!name.is_empty()).then_some(Pair { name, value, place })
    }
}

/// Reads a text. The faults are those of quotes.
pub(super) fn read(input: Input, text: &str) -> (Vec<Line>, Vec<Fault>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for (index, whole) in text.split('\n').enumerate() {
        let content = whole.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content.chars().nth(LONGEST).is_some() {
            let place = Place { input, line: index + 1, column: LONGEST + 1 };
            faults.push(place.fault(format!("a line can have {LONGEST} characters at most")));
            continue;
        }
        let indent = whole[..whole.len() - whole.trim_start().len()].chars().count();
        let place = Place { input, line: index + 1, column: indent + 1 };
        match split(place, content, true) {
            Ok(line) if line.fields.is_empty() => {}
            Ok(line) => lines.push(line),
            Err(fault) => faults.push(fault),
        }
    }
    (lines, faults)
}

/// The fields of a line. `outermost`: quotes around the whole line are taken off, and its fields are those within.
fn split(place: Place, line: &str, outermost: bool) -> Result<Line, Fault> {
    let characters: Vec<char> = line.chars().collect();
    let (mut fields, mut has_empty, mut at) = (Vec::new(), false, 0);
    loop {
        while characters.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        let start = at;
        let quoted = characters.get(at) == Some(&'"');
        let (text, end) =
            if quoted { quotes(place, &characters, at)? } else { plain(place, &characters, at)? };
        let whole = quoted && outermost && start == 0 && end == characters.len();
        if whole && !text.starts_with('"') {
            return split(place.after(1), &text, false);
        }
        let field = Field { place: place.after(start + usize::from(quoted)), text: inner(text.trim()) };
        if field.text.is_empty() {
            has_empty = true;
        } else {
            fields.push(field);
        }
        if end >= characters.len() {
            return Ok(Line { place, fields, has_empty });
        }
        at = end + 1;
    }
}

/// metadata-action reads a line twice, so that who wanted a comma had to write three quotes: those are one.
fn inner(text: &str) -> String {
    let within = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    within.map_or_else(|| text.to_owned(), |text| text.replace("\"\"", "\"").trim().to_owned())
}

/// A field in quotes: its text and where the comma after it is.
fn quotes(place: Place, characters: &[char], start: usize) -> Result<(String, usize), Fault> {
    let (mut text, mut at) = (String::new(), start + 1);
    loop {
        match (characters.get(at), characters.get(at + 1)) {
            (None, _) => {
                return Err(place.after(start).fault("this quote is not closed in its line"));
            }
            (Some('"'), Some('"')) => {
                text.push('"');
                at += 2;
            }
            (Some('"'), _) => break,
            (Some(c), _) => {
                text.push(*c);
                at += 1;
            }
        }
    }
    at += 1;
    while characters.get(at).is_some_and(|c| c.is_whitespace()) {
        at += 1;
    }
    match characters.get(at) {
        None | Some(',') => Ok((text, at)),
        Some(_) => Err(place
            .after(at)
            .fault("after a field in quotes, only a comma or the end of the line can follow")),
    }
}

/// A field without quotes: its text and where the comma after it is.
fn plain(place: Place, characters: &[char], start: usize) -> Result<(String, usize), Fault> {
    let (mut at, mut closes) = (start, true);
    while let Some(c) = characters.get(at) {
        match c {
            // Where one is not closed, none after it is: they are looked for once.
            '{' if closes && characters.get(at + 1) == Some(&'{') => match closed(characters, at) {
                Some(end) => at = end,
                None => closes = false,
            },
            '"' => {
                return Err(place
                    .after(at)
                    .fault("a quote can stand only around a whole field or within `{{…}}`")
                    .hint("leave the quotes out, or write them around name and value: `\"name=value\"`"));
            }
            ',' if !is_count(characters, at) => break,
            _ => {}
        }
        at += 1;
    }
    Ok((characters[start..at].iter().collect(), at))
}

/// The last character of the expression that begins here.
fn closed(characters: &[char], start: usize) -> Option<usize> {
    let end = (start + 2..characters.len()).find(|at| characters[*at..].starts_with(&['}', '}']))?;
    Some(end + 1)
}

/// Whether this comma is the one of a count, `{1,2}` or `{1,}`.
fn is_count(characters: &[char], comma: usize) -> bool {
    // A count of more digits than this is none that an engine takes.
    const DIGITS: usize = 9;
    let before = characters[..comma].iter().rev().take(DIGITS).take_while(|c| c.is_ascii_digit()).count();
    let after = characters[comma + 1..].iter().take(DIGITS).take_while(|c| c.is_ascii_digit()).count();
    before > 0
        && before < comma
        && characters[comma - before - 1] == '{'
        && characters.get(comma + 1 + after) == Some(&'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of each line, with `|` between them.
    fn fields(text: &str) -> Vec<String> {
        let (lines, faults) = read(Input::Tags, text);
        assert_eq!(faults, [], "{text}");
        let texts = |line: &Line| line.fields.iter().map(|field| field.text.clone()).collect::<Vec<_>>();
        lines.iter().map(|line| texts(line).join("|")).collect()
    }

    #[test]
    fn fields_of_a_line() {
        for (line, expected) in [
            ("type=raw,value=x", "type=raw|value=x"),
            ("  type = raw ,\tvalue = x  ", "type = raw|value = x"),
            ("a,,b,", "a|b"),
            (r#""type=raw,value=x""#, "type=raw|value=x"),
            (r#"type=match,"pattern=v(\d{2},.*)",group=1"#, r"type=match|pattern=v(\d{2},.*)|group=1"),
            (r#"type=match,"""pattern=a,b""""#, "type=match|pattern=a,b"),
            (r#""value=say ""hi""",x"#, "value=say \"hi\"|x"),
            (r"type=match,pattern=\d{1,2}-\d{3,},group=0", r"type=match|pattern=\d{1,2}-\d{3,}|group=0"),
            ("value={{date 'dddd, MMMM Do YYYY'}},a", "value={{date 'dddd, MMMM Do YYYY'}}|a"),
            ("value={{date \"YYYY, MM\"}},a", "value={{date \"YYYY, MM\"}}|a"),
            ("value={{x,a}", "value={{x|a}"),
            ("{,1}", "{|1}"),
            ("{1,x}", "{1|x}"),
        ] {
            assert_eq!(fields(line), [expected], "{line}");
        }
    }

    #[test]
    fn lines_that_say_nothing() {
        assert_eq!(fields(""), Vec::<String>::new());
        assert_eq!(fields("\n \r\n# type=raw,value=x\n  # y\n,\n ,, \n\"\"\n"), Vec::<String>::new());
        assert_eq!(fields("a # b\rc\r\nd"), ["a # b", "c", "d"]);
    }

    #[test]
    fn places() {
        let (lines, _) = read(Input::Tags, "\n  a=1, \"é = 2\"\n\"x,y\"");
        let columns: Vec<_> =
            lines.iter().flat_map(|line| &line.fields).map(|f| (f.place.line, f.place.column)).collect();
        assert_eq!(columns, [(2, 3), (2, 9), (3, 2), (3, 4)]);
        let pair = lines[0].fields[1].pair().unwrap();
        assert_eq!((pair.name, pair.value, pair.place.column), ("é", "2", 13));
    }

    #[test]
    fn pairs() {
        for (text, expected) in [
            ("a=b", Some(("a", "b"))),
            ("a = b=c ", Some(("a", "b=c"))),
            ("a=", Some(("a", ""))),
            ("=a", None),
            ("a", None),
            ("{{date 'X' tz='UTC'}}", None),
            ("value={{date 'X' tz='UTC'}}", Some(("value", "{{date 'X' tz='UTC'}}"))),
        ] {
            let (lines, _) = read(Input::Tags, text);
            let pair = lines[0].fields[0].pair().map(|pair| (pair.name, pair.value));
            assert_eq!(pair, expected, "{text}");
        }
    }

    #[test]
    fn quotes_that_are_wrong() {
        for (line, column, words) in [
            ("a,\"b", 3, "not closed"),
            ("\"a\"b", 4, "only a comma"),
            ("value=\"a\"", 7, "around a whole field"),
            ("a\"", 2, "around a whole field"),
            (&"a".repeat(4_097), 4_097, "4096 characters at most"),
        ] {
            let (lines, faults) = read(Input::Tags, line);
            assert_eq!((lines.len(), faults.len()), (0, 1), "{line}");
            assert_eq!(faults[0].place.column, column, "{line}");
            assert!(faults[0].message.contains(words), "{line}: {}", faults[0]);
        }
    }
}
