//! From the texts of `tags` and `flavor` to rules. All faults of both are found in one go.

use std::collections::HashMap;

use super::fault::{Fault, Input, Notice, Place, listed, meant, shortened, shown};
use super::line::{self, Field, Line};
use super::pattern::Pattern;
use super::reference;
use super::rule::{Entry, Flavor, Kind, Latest, Priority, RefEvent, Rule, Scheme, TagRules};
use super::template::{Scope, Template};
use crate::model::{sort_by_key, text};

/// The most of a line that a report of it shows, in characters.
const LINE: usize = 120;

/// The types and the attributes of each; those of all are [`COMMON`].
const TYPES: &[(&str, &[&str])] = &[
    ("schedule", &["pattern"]),
    ("semver", &["pattern", "value", "match"]),
    ("pep440", &["pattern", "value", "match"]),
    ("match", &["pattern", "group", "value"]),
    ("edge", &["branch"]),
    ("ref", &["event"]),
    ("raw", &["value"]),
    ("sha", &["format"]),
    ("default", &[]),
];

/// Attributes that every type has; `default` has the first two only.
const COMMON: &[&str] = &["enable", "priority", "prefix", "suffix"];

/// What people write in rules though it belongs to `flavor`.
const OF_FLAVOR: &[&str] = &["latest", "onlatest"];

/// Reads both texts.
pub fn parse(tags: &str, flavor: &str) -> Result<TagRules, Vec<Fault>> {
    let mut reader = Reader::default();
    let entries = reader.lines(Input::Tags, tags, Reader::entries);
    let fields = reader.lines(Input::Flavor, flavor, |_, line| vec![line.clone()]);
    let flavor = reader.flavor(&fields);
    let Reader { mut faults, notices, .. } = reader;
    if faults.is_empty() {
        return Ok(TagRules { entries, flavor, notices });
    }
    sort_by_key(&mut faults, |fault| fault.place);
    Err(faults)
}

/// The length that `DOCKER_METADATA_SHORT_SHA_LENGTH` gives, in characters; seven, if it is empty. None: it is no such length.
pub fn short_sha_length(text: &str) -> Option<usize> {
    match text.trim() {
        "" => Some(7),
        text => text.parse().ok().filter(|length| *length > 0),
    }
}

/// Whether `DOCKER_METADATA_PR_HEAD_SHA` asks for a pull request's head in the place of its merge.
pub fn names_pull_request_head(text: &str) -> bool {
    text.to_ascii_lowercase().contains("true")
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
    notices: Vec<Notice>,
    /// Attributes that were probably meant by others in the line that is read: that they are missing is no second fault.
    misspelt: Vec<&'static str>,
    /// Those that are read already. Making one is most of the work, and lines that take several groups have the same.
    patterns: HashMap<(String, bool), Pattern>,
}

/// What is written in one rule.
struct Attributes<'a> {
    place: Place,
    text: &'a str,
    all: Vec<Attribute<'a>>,
}

struct Attribute<'a> {
    name: String,
    value: &'a str,
    /// Where the name is.
    place: Place,
    /// Where the value is.
    at: Place,
}

impl<'a> Attributes<'a> {
    /// The last of this name counts.
    fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.all.iter().rev().find(|attribute| attribute.name == name)
    }
}

impl Reader {
    fn lines<T>(&mut self, input: Input, text: &str, read: impl Fn(&mut Self, &Line) -> Vec<T>) -> Vec<T> {
        let (lines, faults) = line::read(input, text);
        self.faults.extend(faults);
        lines.iter().flat_map(|line| read(self, line)).collect()
    }

    fn entries(&mut self, line: &Line) -> Vec<Entry> {
        let bare: Vec<&Field> = line.fields.iter().filter(|field| field.pair().is_none()).collect();
        let typed =
            line.fields.iter().filter_map(Field::pair).any(|pair| pair.name.eq_ignore_ascii_case("type"));
        let references: Vec<&Field> =
            bare.iter().copied().filter(|field| reference::looks_like_one(&field.text)).collect();
        if typed || references.is_empty() {
            return self.rule(line).map(Entry::Rule).into_iter().collect();
        }
        for word in bare.iter().filter(|field| !reference::looks_like_one(&field.text)) {
            self.faults.push(
                word.place
                    .fault(format!("{} stands among whole references and is none", shown(&word.text)))
                    .hint("write references and rules in lines of their own"),
            );
        }
        self.references(line, &references)
    }

    fn references(&mut self, line: &Line, fields: &[&Field]) -> Vec<Entry> {
        let mut enable = Some(Template::text("true"));
        for (field, pair) in line.fields.iter().filter_map(|field| field.pair().map(|pair| (field, pair))) {
            if pair.name.eq_ignore_ascii_case("enable") {
                enable = self.enable(pair.value, pair.place);
            } else {
                self.faults.push(field.place.fault(format!(
                    "a whole reference has no {}: only `enable` can stand beside it",
                    shown(pair.name)
                )));
            }
        }
        let mut entries = Vec::new();
        for field in fields {
            match reference::parse(&field.text, field.place) {
                Ok((repository, tag)) => entries.extend(enable.clone().map(|enable| {
                    Entry::Reference(super::rule::Reference {
                        place: field.place,
                        text: shortened(&field.text, LINE),
                        enable,
                        repository,
                        tag,
                    })
                })),
                Err(faults) => self.faults.extend(faults),
            }
        }
        entries
    }

    fn rule(&mut self, line: &Line) -> Option<Rule> {
        let mut all = Vec::new();
        let mut types = Vec::new();
        for field in &line.fields {
            let Some(pair) = field.pair() else {
                let attribute = Attribute {
                    name: "value".into(),
                    value: &field.text,
                    place: field.place,
                    at: field.place,
                };
                all.push(attribute);
                continue;
            };
            let name = pair.name.to_ascii_lowercase();
            let attribute = Attribute { name, value: pair.value, place: field.place, at: pair.place };
            if attribute.name == "type" { types.push(attribute) } else { all.push(attribute) }
        }
        let whole: Vec<&str> = line.fields.iter().map(|field| field.text.as_str()).collect();
        let text = shortened(&whole.join(","), LINE);
        let attributes = Attributes { place: line.place, text: &text, all };
        let kind = match types.last() {
            None => "raw",
            Some(named) => {
                if types.len() > 1 {
                    self.notices.push(named.place.notice("`type` is given twice: the last one counts"));
                }
                let types: Vec<&'static str> = TYPES.iter().map(|(name, _)| *name).collect();
                if let Some(known) = types.iter().copied().find(|known| *known == named.value) {
                    known
                } else {
                    let lower = named.value.to_ascii_lowercase();
                    let meant = meant(&lower, &types).map(|meant| format!("did you mean `{meant}`? "));
                    let fault = named.at.fault(format!("there is no type {}", shown(named.value)));
                    self.faults.push(fault.hint(format!(
                        "{}types are {}",
                        meant.unwrap_or_default(),
                        listed(&types)
                    )));
                    return None;
                }
            }
        };
        let before = self.faults.len();
        self.misspelt.clear();
        self.names(kind, &attributes, types.is_empty());
        // A line that has neither type nor value is told what its attributes belong to, and nothing more.
        if types.is_empty() && attributes.get("value").is_none() && self.faults.len() > before {
            return None;
        }
        let rule = self.typed(kind, &attributes, line.has_empty);
        rule.filter(|_| self.faults.len() == before)
    }

    /// Whether each attribute is one of the type's.
    fn names(&mut self, kind: &str, attributes: &Attributes<'_>, untyped: bool) {
        let own = TYPES.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, own)| own);
        let common = if kind == "default" { &COMMON[..2] } else { COMMON };
        let known: Vec<&str> = own.iter().chain(common).copied().collect();
        let of_others: Vec<&'static str> =
            TYPES.iter().flat_map(|(_, own)| own.iter()).chain(COMMON).copied().collect();
        for (index, attribute) in attributes.all.iter().enumerate() {
            let name = attribute.name.as_str();
            if known.contains(&name) {
                if attributes.all[..index].iter().any(|before| before.name == name) {
                    let notice = format!(
                        "{} is given twice: the last one, {}, counts",
                        shown(name),
                        shown(attribute.value)
                    );
                    self.notices.push(attribute.place.notice(notice));
                }
            } else if OF_FLAVOR.contains(&name) {
                let notice = format!("{} means nothing in a rule, it belongs in `flavor`", shown(name));
                self.notices.push(attribute.place.notice(notice));
            } else if of_others.contains(&name) && !untyped {
                let notice = format!("{} means nothing with `type={kind}`", shown(name));
                self.notices.push(attribute.place.notice(notice));
            } else {
                let owner = TYPES.iter().find(|(_, own)| own.contains(&name)).map(|(owner, _)| *owner);
                let close = meant(name, &of_others).filter(|_| owner.is_none());
                self.misspelt.extend(close);
                let meant = match owner {
                    Some(owner) => Some(format!("`type={owner}` has it; ")),
                    None => close.map(|close| format!("did you mean `{close}`? ")),
                };
                let what = if untyped { "a line without `type`" } else { kind };
                let fault = attribute.place.fault(format!("there is no attribute {}", shown(name)));
                let accepted = format!("{}{what} takes {}", meant.unwrap_or_default(), listed(&known));
                self.faults.push(fault.hint(accepted));
            }
        }
    }

    fn typed(&mut self, name: &str, attributes: &Attributes<'_>, has_empty: bool) -> Option<Rule> {
        let (prefix, default_priority) = match name {
            "schedule" => (None, 1_000),
            "semver" | "pep440" => (None, 900),
            "match" => (None, 800),
            "edge" => (None, 700),
            "ref" if attributes.get("event").is_some_and(|event| event.value == "pr") => (Some("pr-"), 600),
            "ref" | "default" => (None, 600),
            "sha" => (Some("sha-"), 100),
            _ => (None, 200),
        };
        let enable = match attributes.get("enable") {
            Some(attribute) => self.enable(attribute.value, attribute.at),
            None => Some(Template::text("true")),
        };
        let priority = match attributes.get("priority") {
            Some(attribute) => self.priority(attribute),
            None => Some(Priority(default_priority * 1_000)),
        };
        let mut affix = |name: &str, default: Option<&str>| match attributes.get(name) {
            Some(attribute) => self.template(attribute, Scope::GLOBAL).map(Some),
            None => Some(default.map(Template::text)),
        };
        let (prefix, suffix) = (affix("prefix", prefix), affix("suffix", None));
        let kind = self.kind(name, attributes, has_empty);
        Some(Rule {
            place: attributes.place,
            text: attributes.text.to_owned(),
            enable: enable?,
            priority: priority?,
            prefix: prefix?,
            suffix: suffix?,
            kind: kind?,
        })
    }

    fn kind(&mut self, name: &str, attributes: &Attributes<'_>, has_empty: bool) -> Option<Kind> {
        match name {
            "default" => Some(Kind::Default),
            "schedule" => match attributes.get("pattern") {
                Some(pattern) => Some(Kind::Schedule { pattern: self.template(pattern, Scope::SCHEDULE)? }),
                None => Some(Kind::Schedule { pattern: Template::text("nightly") }),
            },
            "semver" | "pep440" => {
                let (scheme, scope) = match name {
                    "semver" => (Scheme::Semver, Scope::SEMVER),
                    _ => (Scheme::Pep440, Scope::PEP440),
                };
                let pattern = self
                    .needed(attributes, name, "pattern", "`pattern={{version}}`")
                    .and_then(|pattern| self.template(pattern, scope));
                let value = self.value(attributes);
                let matching = match attributes.get("match").filter(|matching| !matching.value.is_empty()) {
                    Some(matching) => self.pattern(matching, false).map(Some),
                    None => Some(None),
                };
                if let (Some(Some(pattern)), Some(matching)) = (&matching, attributes.get("match"))
                    && pattern.highest_group() == 0
                {
                    self.faults.push(
                        matching
                            .at
                            .fault(format!(
                                "{} has no group: the version is what its first group takes",
                                shown(matching.value)
                            ))
                            .hint("put parentheses around the version: `match=v(.*)`"),
                    );
                }
                Some(Kind::Version { scheme, pattern: pattern?, value: value?, matching: matching? })
            }
            "match" => {
                let pattern = self
                    .needed(attributes, name, "pattern", r"`pattern=\d+\.\d+`")
                    .and_then(|pattern| self.pattern(pattern, true));
                let group = match attributes.get("group") {
                    None => Some(0),
                    Some(group) => self.group(group, pattern.as_ref()),
                };
                let value = self.value(attributes);
                Some(Kind::Match { pattern: pattern?, group: group?, value: value? })
            }
            "edge" => {
                let branch = attributes.get("branch").map(|branch| branch.value);
                Some(Kind::Edge { branch: branch.filter(|name| !name.is_empty()).map(str::to_owned) })
            }
            "ref" => {
                let event =
                    self.needed(attributes, name, "event", "`event=branch`, `event=tag` or `event=pr`")?;
                let events =
                    [("branch", RefEvent::Branch), ("tag", RefEvent::Tag), ("pr", RefEvent::PullRequest)];
                self.one_of(event, &events).map(Kind::Ref)
            }
            "sha" => match attributes.get("format") {
                None => Some(Kind::Sha { long: false }),
                Some(format) => {
                    let formats = [("short", false), ("long", true)];
                    self.one_of(format, &formats).map(|long| Kind::Sha { long })
                }
            },
            // What came out empty of an expression is nothing.
            _ if attributes.get("value").is_none() && has_empty => {
                Some(Kind::Raw { value: Template::text("") })
            }
            _ => {
                self.needed(attributes, name, "value", "`type=raw,value=edge`")?;
                self.value(attributes).map(|value| Kind::Raw { value })
            }
        }
    }

    fn needed<'a, 'b>(
        &mut self,
        attributes: &'b Attributes<'a>,
        kind: &str,
        name: &str,
        example: &str,
    ) -> Option<&'b Attribute<'a>> {
        let found = attributes.get(name);
        if found.is_none() && !self.misspelt.contains(&name) {
            let fault = attributes.place.fault(format!("`type={kind}` needs `{name}`"));
            self.faults.push(fault.hint(format!("for example {example}")));
        }
        found
    }

    fn one_of<T: Copy>(&mut self, attribute: &Attribute<'_>, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == attribute.value).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let fault = attribute.at.fault(format!(
                "`{}` cannot be {}",
                text::name(&attribute.name),
                shown(attribute.value)
            ));
            self.faults.push(fault.hint(format!("write one of {}", listed(&names))));
        }
        found
    }

    fn enable(&mut self, value: &str, at: Place) -> Option<Template> {
        let template = self.expressions(value, Scope::GLOBAL, at)?;
        let wrong = template.literal().is_some_and(|literal| !matches!(literal, "true" | "false"));
        if wrong {
            let fault = at.fault(format!("`enable` cannot be {}", shown(value)));
            self.faults.push(
                fault.hint("write `true` or `false`, or what becomes one of them: `{{is_default_branch}}`"),
            );
        }
        (!wrong).then_some(template)
    }

    fn priority(&mut self, attribute: &Attribute<'_>) -> Option<Priority> {
        /// Far more than anybody writes, and exact in thousandths.
        const HIGHEST: f64 = 1e12;
        let number = attribute.value.parse::<f64>().ok().filter(|number| number.abs() <= HIGHEST);
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
        let Some(number) = number.filter(|_| plain(attribute.value)) else {
            let fault = attribute.at.fault(format!("`priority` cannot be {}", shown(attribute.value)));
            self.faults.push(fault.hint("write a number: the highest comes first"));
            return None;
        };
        #[expect(clippy::cast_possible_truncation, reason = "it is rounded and far from the limits")]
        let thousandths = (number * 1_000.0).round() as i64;
        Some(Priority(thousandths))
    }

    fn group(&mut self, attribute: &Attribute<'_>, pattern: Option<&Pattern>) -> Option<usize> {
        let highest = pattern.map(Pattern::highest_group);
        let number = attribute.value.parse::<usize>().ok();
        match (number, highest) {
            (Some(number), Some(highest)) if number > highest => {
                let fault = attribute.at.fault(format!("the pattern has no group {number}"));
                self.faults.push(fault.hint(format!("its highest is {highest}; 0 is the whole match")));
                None
            }
            (Some(number), _) => Some(number),
            (None, _) => {
                let fault = attribute.at.fault(format!("`group` cannot be {}", shown(attribute.value)));
                self.faults
                    .push(fault.hint("write the number of a group in the pattern; 0 is the whole match"));
                None
            }
        }
    }

    fn value(&mut self, attributes: &Attributes<'_>) -> Option<Template> {
        match attributes.get("value") {
            Some(value) => self.template(value, Scope::GLOBAL),
            None => Some(Template::text("")),
        }
    }

    fn pattern(&mut self, attribute: &Attribute<'_>, literal: bool) -> Option<Pattern> {
        let key = (attribute.value.to_owned(), literal);
        if let Some(known) = self.patterns.get(&key) {
            return Some(known.clone());
        }
        match Pattern::parse(attribute.value, literal) {
            Ok(pattern) => Some(self.patterns.entry(key).or_insert(pattern).clone()),
            Err(error) => {
                let fault = attribute.at.after(error.at).fault(error.message);
                self.faults.push(error.hint.map_or(fault.clone(), |hint| fault.hint(hint)));
                None
            }
        }
    }

    fn template(&mut self, attribute: &Attribute<'_>, scope: Scope) -> Option<Template> {
        self.expressions(attribute.value, scope, attribute.at)
    }

    fn expressions(&mut self, text: &str, scope: Scope, at: Place) -> Option<Template> {
        Template::parse(text, scope, at).map_err(|faults| self.faults.extend(faults)).ok()
    }

    fn flavor(&mut self, lines: &[Line]) -> Flavor {
        const KNOWN: &[&str] = &["latest", "prefix", "suffix", "onlatest"];
        let mut flavor = Flavor::default();
        for line in lines {
            // What `onlatest` is about: the prefix or suffix before it in its line.
            let mut subject = None;
            for field in &line.fields {
                let Some(pair) = field.pair() else {
                    let fault = field.place.fault(format!("{} is not a `name=value`", shown(&field.text)));
                    self.faults.push(fault.hint(format!("`flavor` takes {}", listed(KNOWN))));
                    continue;
                };
                let name = pair.name.to_ascii_lowercase();
                let attribute = Attribute { name, value: pair.value, place: field.place, at: pair.place };
                match attribute.name.as_str() {
                    "latest" => {
                        let words = [("auto", Latest::Auto), ("true", Latest::Yes), ("false", Latest::No)];
                        flavor.latest = self.one_of(&attribute, &words).unwrap_or(flavor.latest);
                    }
                    "prefix" => {
                        subject = Some("prefix");
                        flavor.prefix = self.template(&attribute, Scope::GLOBAL).unwrap_or(flavor.prefix);
                    }
                    "suffix" => {
                        subject = Some("suffix");
                        flavor.suffix = self.template(&attribute, Scope::GLOBAL).unwrap_or(flavor.suffix);
                    }
                    "onlatest" => {
                        let on = self.one_of(&attribute, &[("true", true), ("false", false)]);
                        match (subject, on) {
                            (Some("prefix"), Some(on)) => flavor.prefix_on_latest = on,
                            (Some(_), Some(on)) => flavor.suffix_on_latest = on,
                            (None, _) => {
                                let fault = field.place.fault("`onlatest` says nothing by itself");
                                let hint = "write it in the line of the prefix or suffix that it is about: `suffix=-alpine,onlatest=true`";
                                self.faults.push(fault.hint(hint));
                            }
                            (Some(_), None) => {}
                        }
                    }
                    name => {
                        let meant = meant(name, KNOWN).map(|meant| format!("did you mean `{meant}`? "));
                        let fault = field.place.fault(format!("there is no {} in `flavor`", shown(name)));
                        self.faults.push(fault.hint(format!(
                            "{}`flavor` takes {}",
                            meant.unwrap_or_default(),
                            listed(KNOWN)
                        )));
                    }
                }
            }
        }
        flavor
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
