//! Expressions within a text, `{{name}}`, as metadata-action has them: the part of Handlebars that names values.
//!
//! A text is read once, against the names that it may use; what is not one of them is a fault that names it, where
//! Handlebars puts nothing in its place. Blocks, partials, comments and sub-expressions are faults too: whether a rule
//! counts is what `enable` is for. Values are put in as they are: no HTML entities.

use super::fault::{Fault, Place, listed, meant, shown};
use super::moment::{Format, Zone};

/// A text with expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(&'static str),
    Date { of: Clock, format: Format, zone: Zone },
}

/// Which moment a date is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// `date`: of the run.
    Now,
    /// `commit_date`: of the commit.
    Commit,
}

/// What expressions a text may use.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Names that stand for values.
    pub names: &'static [&'static str],
    /// Whether `date` and `commit_date` are among them.
    pub dates: bool,
}

/// What names stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// By name.
    pub names: Vec<(&'static str, String)>,
    /// The time of the run, in Unix milliseconds.
    pub now: i64,
    /// The time of the commit, in Unix milliseconds.
    pub committed: i64,
}

impl Scope {
    /// In `prefix`, `suffix`, `value` and `enable` of a rule, in a flavor, and in the tag of a whole reference.
    pub const GLOBAL: Self = Self {
        names: &["branch", "tag", "sha", "base_ref", "is_default_branch", "is_not_default_branch"],
        dates: true,
    };
    /// In the values of labels and annotations.
    pub const TEXT: Self = Self {
        names: &[
            "branch",
            "tag",
            "sha",
            "base_ref",
            "is_default_branch",
            "is_not_default_branch",
            "version",
            "revision",
            "created",
        ],
        dates: true,
    };
    /// In the values of build arguments.
    pub const BUILD_ARGS: Self =
        Self { names: &["version", "tag", "branch", "revision", "sha", "created"], dates: true };
    /// In `platform_tags`: a tag of the image, and the parts of a platform.
    pub const PLATFORM_TAG: Self = Self { names: &["tag", "arch", "os", "variant"], dates: false };
    /// In the `pattern` of `type=schedule`.
    pub const SCHEDULE: Self = Self { names: &[], dates: true };
    /// In the `pattern` of `type=semver`.
    pub const SEMVER: Self =
        Self { names: &["raw", "version", "major", "minor", "patch", "prerelease", "build"], dates: false };
    /// In the `pattern` of `type=pep440`.
    pub const PEP440: Self = Self { names: &["raw", "version", "major", "minor", "patch"], dates: false };

    fn known(self) -> Vec<&'static str> {
        let dates: &[&str] = if self.dates { &["date", "commit_date"] } else { &[] };
        self.names.iter().chain(dates).copied().collect()
    }
}

impl Template {
    /// A text without expressions.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] } }
    }

    /// Reads a text that begins at this place. All its faults are found.
    pub fn parse(text: &str, scope: Scope, place: Place) -> Result<Self, Vec<Fault>> {
        let (mut parts, mut faults, mut literal) = (Vec::new(), Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let (before, after) = rest.split_at(at);
            let slashes = before.len() - before.trim_end_matches('\\').len();
            if slashes == 1 {
                literal.push_str(&before[..at - 1]);
                literal.push_str("{{");
                rest = &after[2..];
                continue;
            }
            // Two backslashes are one, and the expression is one.
            literal.push_str(if slashes > 1 { &before[..at - 1] } else { before });
            let here = place.after(text[..text.len() - after.len()].chars().count());
            match expression(after, scope) {
                Ok((part, length)) => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(part);
                    rest = &after[length..];
                }
                Err((problem, length)) => {
                    let fault = here.fault(problem.message);
                    faults.push(problem.hint.map_or(fault.clone(), |hint| fault.hint(hint)));
                    rest = &after[length..];
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        if faults.is_empty() { Ok(Self { parts }) } else { Err(faults) }
    }

    /// Reads a text in which what is no expression of this scope stays as it is written.
    pub fn lenient(text: &str, scope: Scope) -> Self {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find("{{") {
            let (before, after) = rest.split_at(at);
            literal.push_str(before);
            if let Ok((part, length)) = expression(after, scope) {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(part);
                rest = &after[length..];
            } else {
                // One brace on: `{{{{x}}` may begin with one that belongs to nothing.
                literal.push('{');
                rest = &after[1..];
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Self { parts }
    }

    /// The text, if it has no expressions.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The literal parts, whatever is between them.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Whether the text is this expression and nothing else.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(self.parts.as_slice(), [Part::Name(only)] if *only == name)
    }

    /// Whether the text uses a value.
    pub fn uses(&self, name: &str) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Name(used) => *used == name,
            Part::Date { of: Clock::Now, .. } => name == "date",
            Part::Date { of: Clock::Commit, .. } => name == "commit_date",
            Part::Text(_) => false,
        })
    }

    /// The text with its values. A name without a value is nothing.
    pub fn render(&self, values: &Values) -> String {
        let value = |name: &str| {
            values.names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
        };
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Name(name) => text.push_str(value(name).unwrap_or_default()),
                Part::Date { of, format, zone } => {
                    let moment = if *of == Clock::Now { values.now } else { values.committed };
                    text.push_str(&format.render(moment, zone));
                }
            }
        }
        text
    }
}

/// What is wrong with an expression.
#[derive(Debug)]
struct Problem {
    message: String,
    hint: Option<String>,
}

fn problem(message: impl Into<String>, hint: Option<&str>) -> Problem {
    Problem { message: message.into(), hint: hint.map(str::to_owned) }
}

/// The expression that a text begins with, and how many bytes it has; of a fault as well.
fn expression(text: &str, scope: Scope) -> Result<(Part, usize), (Problem, usize)> {
    let (open, close) = if text.starts_with("{{{") { ("{{{", "}}}") } else { ("{{", "}}") };
    let Some(length) = end(&text[open.len()..], close) else {
        let message = format!("this `{open}` is not closed by `{close}`");
        return Err((problem(message, None), text.len()));
    };
    let whole = open.len() + length + close.len();
    let inside = &text[open.len()..open.len() + length];
    let inside = if open == "{{" { inside.strip_prefix('&').unwrap_or(inside) } else { inside };
    read(inside, scope).map(|part| (part, whole)).map_err(|problem| (problem, whole))
}

/// Where what is within braces ends: not within quotes.
fn end(text: &str, close: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open && !escaped => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, _) if text[at..].starts_with(close) => return Some(at),
            _ => {}
        }
        escaped = c == '\\';
    }
    None
}

fn read(inside: &str, scope: Scope) -> Result<Part, Problem> {
    let words = words(inside)?;
    let Some((Word::Plain(name), arguments)) = words.split_first() else {
        let known = scope.known();
        return Err(problem(
            "this expression names nothing",
            Some(&format!("known here: {}", listed(&known))),
        ));
    };
    if let Some(c) =
        name.chars().next().filter(|c| matches!(c, '#' | '/' | '^' | '>' | '!' | '~' | '*' | '{' | '('))
        && name.as_str() != "else"
    {
        return Err(problem(
            format!("`{{{{{c}…}}}}` is not supported: an expression can only name a value"),
            Some("whether a rule counts is said by `enable`"),
        ));
    }
    let known = scope.known();
    let Some(name) = known.iter().find(|known| **known == name).copied() else {
        let meant = meant(name, &known).map(|meant| format!("did you mean `{meant}`? "));
        return Err(Problem {
            message: format!("there is no expression {}", shown(&format!("{{{{{name}}}}}"))),
            hint: Some(format!("{}known here: {}", meant.unwrap_or_default(), listed(&known))),
        });
    };
    let of = match name {
        "date" => Clock::Now,
        "commit_date" => Clock::Commit,
        name if arguments.is_empty() => return Ok(Part::Name(name)),
        name => return Err(problem(format!("`{name}` takes nothing after it"), None)),
    };
    date(name, of, arguments)
}

fn date(name: &str, of: Clock, arguments: &[Word]) -> Result<Part, Problem> {
    const EXAMPLE: &str = "for example `{{date 'YYYYMMDD' tz='Europe/Berlin'}}`";
    let wanted = || problem(format!("`{name}` needs a format in quotes"), Some(EXAMPLE));
    let mut format = None;
    let mut zone = Zone::utc();
    for argument in arguments {
        match argument {
            Word::Quoted(text) if format.is_none() => {
                if let Some(at) =
                    text.find('%').filter(|at| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()))
                {
                    let wrong: String = text[at..].chars().take(2).collect();
                    return Err(problem(
                        format!(
                            "{} is not in moment's format, in which `{wrong}` has no meaning",
                            shown(text)
                        ),
                        Some(EXAMPLE),
                    ));
                }
                format = Some(Format::parse(text));
            }
            Word::Quoted(text) => {
                return Err(problem(format!("`{name}` takes one format, not {} too", shown(text)), None));
            }
            Word::Named(key, value) if key == "tz" => {
                zone = Zone::parse(value).ok_or_else(|| {
                    problem(
                        format!("there is no time zone {}", shown(value)),
                        Some("zones have the names of the IANA database, `Europe/Berlin`; `UTC` is the default"),
                    )
                })?;
            }
            Word::Named(key, _) => {
                return Err(problem(format!("`{name}` has no {}", shown(key)), Some("only `tz` is known")));
            }
            Word::Plain(_) => return Err(wanted()),
        }
    }
    format.map(|format| Part::Date { of, format, zone }).ok_or_else(wanted)
}

#[derive(Debug)]
enum Word {
    Plain(String),
    Quoted(String),
    /// `key='value'`
    Named(String, String),
}

/// The words of an expression.
fn words(text: &str) -> Result<Vec<Word>, Problem> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '\'' | '"') {
            let (quoted, after) = quoted(rest, first)?;
            words.push(Word::Quoted(quoted));
            rest = after.trim_start();
            continue;
        }
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '=')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        match value.and_then(|value| value.chars().next().map(|quote| (value, quote))) {
            Some((value, quote @ ('\'' | '"'))) => {
                let (quoted, after) = quoted(value, quote)?;
                words.push(Word::Named(word.to_owned(), quoted));
                rest = after.trim_start();
            }
            Some(_) => return Err(problem(format!("the value of {} stands in quotes", shown(word)), None)),
            None if value.is_some() => return Err(problem(format!("{} has no value", shown(word)), None)),
            None => {
                words.push(Word::Plain(word.to_owned()));
                rest = after.trim_start();
            }
        }
    }
    Ok(words)
}

/// A text in quotes, in which `\` before the quote is one of it; and what follows.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Problem> {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if characters.peek().is_some_and(|(_, next)| *next == quote) => {
                content.push(quote);
                characters.next();
            }
            c if c == quote => return Ok((content, &text[at + 1..])),
            c => content.push(c),
        }
    }
    Err(problem("a quote in this expression is not closed", None))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fault::Input;
    use super::*;

    const PLACE: Place = Place { input: Input::Tags, line: 1, column: 1 };

    fn values() -> Values {
        let names =
            [("branch", "feat/x&<y>"), ("sha", "860c190"), ("tag", ""), ("is_default_branch", "true")];
        Values {
            names: names.map(|(name, value)| (name, value.to_owned())).into(),
            // 2020-01-10T00:30:00Z and a day before.
            now: 1_578_616_200_000,
            committed: 1_578_529_800_000,
        }
    }

    #[test]
    fn what_is_no_expression_stays_in_a_lenient_text() {
        let scope = Scope { names: &["branch", "sha"], dates: true };
        for (text, expected) in [
            ("{{sha}}-{{branch}}", "860c190-feat/x&<y>"),
            ("{{ .Values.image }}:{{sha}}", "{{ .Values.image }}:860c190"),
            ("{{tag}}{{date 'YYYY'}}", "{{tag}}2020"),
            ("{{#if x}}{{/if}} {{", "{{#if x}}{{/if}} {{"),
            ("{{{sha}}}", "860c190"),
            ("{{{{sha}}", "{{860c190"),
            ("${{ x }}", "${{ x }}"),
            ("{{date 'YYYY' tz='No/Where'}}", "{{date 'YYYY' tz='No/Where'}}"),
        ] {
            assert_eq!(Template::lenient(text, scope).render(&values()), expected, "{text}");
        }
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("", ""),
            ("plain }} { }", "plain }} { }"),
            ("{{branch}}-{{sha}}", "feat/x&<y>-860c190"),
            ("a{{ tag }}b", "ab"),
            ("{{{branch}}}{{& sha}}", "feat/x&<y>860c190"),
            ("{{is_default_branch}}", "true"),
            ("{{date 'YYYYMMDD'}}", "20200110"),
            ("{{date \"YYYYMMDD\"}}", "20200110"),
            ("{{date 'YYYYMMDD-HHmmss' tz='Asia/Tokyo'}}", "20200110-093000"),
            ("{{date tz = \"asia/tokyo\" 'HH'}}", "09"),
            ("{{commit_date 'YYYYMMDD'}}", "20200109"),
            ("{{date '[}}]YY'}}", "}}20"),
            (r"{{date '[it\'s] YY'}}", "it's 20"),
            ("{{date ''}}", "2020-01-10T00:30:00+00:00"),
            (r"\{{sha}}", "{{sha}}"),
            (r"\\{{sha}}", r"\860c190"),
        ] {
            let template = Template::parse(text, Scope::GLOBAL, PLACE)
                .unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
            assert_eq!(template.render(&values()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_named() {
        for (text, column, words) in [
            ("x{{brunch}}", 2, "`{{brunch}}` (did you mean `branch`? known here: `branch`, `tag`"),
            ("é{{version}}", 2, "there is no expression `{{version}}`"),
            ("{{}}", 1, "names nothing"),
            ("{{#if x}}a{{/if}}", 1, "`{{#…}}` is not supported"),
            ("{{> part}}", 1, "`{{>…}}` is not supported"),
            ("{{! note}}", 1, "`{{!…}}` is not supported"),
            ("{{~sha~}}", 1, "`{{~…}}` is not supported"),
            ("{{(sha)}}", 1, "`{{(…}}` is not supported"),
            ("{{{{raw}}}}", 1, "`{{{…}}` is not supported"),
            ("{{else}}", 1, "there is no expression `{{else}}`"),
            ("{{this.sha}}", 1, "there is no expression `{{this.sha}}`"),
            ("{{sha", 1, "not closed by `}}`"),
            ("{{{sha}}", 1, "not closed by `}}}`"),
            ("{{sha 'x'}}", 1, "`sha` takes nothing after it"),
            ("{{date}}", 1, "needs a format in quotes"),
            ("{{date YYYY}}", 1, "needs a format in quotes"),
            ("{{date 'YY' 'MM'}}", 1, "takes one format"),
            ("{{date '%Y%m%d'}}", 1, "`%Y` has no meaning"),
            ("{{date 'YYYY' tz='Asia/Tokio'}}", 1, "there is no time zone `Asia/Tokio`"),
            ("{{date 'YYYY' tz=UTC}}", 1, "stands in quotes"),
            ("{{date 'YYYY' tz=}}", 1, "has no value"),
            ("{{date 'YYYY' zone='UTC'}}", 1, "has no `zone` (only `tz` is known)"),
            ("{{date 'YYYY}}", 1, "not closed by `}}`"),
        ] {
            let faults = Template::parse(text, Scope::GLOBAL, PLACE).expect_err(text);
            let told = faults[0].to_string();
            assert!(told.contains(words), "{text}: {told}");
            assert_eq!(faults[0].place.column, column, "{text}");
        }
        let two = Template::parse("{{a}} {{b}}", Scope::GLOBAL, PLACE).unwrap_err();
        assert_eq!(two.iter().map(|fault| fault.place.column).collect::<Vec<_>>(), [1, 7]);
    }

    #[test]
    fn each_scope_has_its_names() {
        let known = |text: &str, scope| Template::parse(text, scope, PLACE).is_ok();
        assert!(known("{{major}}.{{minor}}", Scope::SEMVER) && !known("{{major}}", Scope::GLOBAL));
        assert!(known("{{ raw }}", Scope::PEP440) && !known("{{prerelease}}", Scope::PEP440));
        assert!(known("{{date 'YYYY'}}", Scope::SCHEDULE) && !known("{{sha}}", Scope::SCHEDULE));
        assert!(!known("{{date 'YYYY'}}", Scope::SEMVER));
        let raw = |text| Template::parse(text, Scope::SEMVER, PLACE).unwrap().is("raw");
        assert!(raw("{{raw}}") && raw("{{{ raw }}}") && !raw("v{{raw}}") && !raw("{{version}}"));
    }

    proptest! {
        #[test]
        fn never_panics(text in r#".*|([{}\\'"&#=é %]|date|sha|tz|raw|YYYY)*"#) {
            for scope in [Scope::GLOBAL, Scope::SEMVER] {
                if let Ok(template) = Template::parse(&text, scope, PLACE) {
                    template.render(&values());
                    if !text.contains("{{") {
                        prop_assert_eq!(template.literal(), Some(text.as_str()));
                    }
                }
            }
        }
    }
}
