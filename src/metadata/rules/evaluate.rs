//! From rules and an event to tags: which, in what order, why, and how each may move.

use std::collections::BTreeMap;

use super::super::planned::{CommitTags, Moves, PlannedTag, Policy, Stage, TagSource};
use super::super::quoted;
use super::facts::EventFacts;
use crate::model::{GitRef, Repository, Tag, sort_by_key, text};
use crate::rules::{
    Entry, Fault, Input, Kind, LONGEST_TEXT, Latest, NoMatch, Pattern, Place, RefEvent, Reference, Rule,
    RuleVersion, Scheme, TagRules, Template, Values, shown,
};

/// What rules make of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// Each tag once: those of rules by priority, then `latest`, then those of references.
    pub tags: Vec<PlannedTag>,
    /// Lines that made no tag of their own.
    pub nothing: Vec<Nothing>,
    /// What the output and the label `version` say: the tag of the first rule that made one, else of the first reference.
    pub version: Option<String>,
    /// The repositories that references which count name, each once.
    pub repositories: Vec<Repository>,
    /// What a person should know, one sentence each.
    pub warnings: Vec<String>,
}

/// A line that made no tag of its own, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nothing {
    /// Where.
    pub place: Place,
    /// What is written there, for people.
    pub text: String,
    /// Why. Free of control characters.
    pub why: String,
}

/// What the default strategy makes of the event, for `type=default`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultTags<'a> {
    /// Its tags.
    pub tags: &'a [PlannedTag],
    /// Its version.
    pub version: Option<&'a str>,
}

/// Carries rules out. A fault is a rule whose outcome cannot be what it should be: all are found.
pub fn evaluate(
    rules: &TagRules,
    facts: &EventFacts,
    default: DefaultTags<'_>,
) -> Result<Evaluated, Vec<Fault>> {
    let mut run = Run {
        rules,
        facts,
        values: facts.values(),
        done: Evaluated::default(),
        known: BTreeMap::new(),
        faults: Vec::new(),
        first: None,
    };
    let mut ordered: Vec<&Rule> = rules
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Rule(rule) => Some(rule),
            Entry::Reference(_) => None,
        })
        .collect();
    sort_by_key(&mut ordered, |rule| std::cmp::Reverse(rule.priority));
    for rule in ordered {
        run.rule(rule, default);
    }
    run.latest();
    for reference in rules.references() {
        run.reference(reference);
    }
    let Run { mut done, mut faults, .. } = run;
    sort_by_key(&mut faults, |fault| fault.place);
    sort_by_key(&mut done.nothing, |nothing| nothing.place);
    if faults.is_empty() { Ok(done) } else { Err(faults) }
}

/// What a rule makes, before prefix, suffix and sanitising.
struct Made {
    text: String,
    policy: Policy,
    /// Whether `latest=auto` wants `latest` with it.
    latest: bool,
    version: Option<RuleVersion>,
    /// Characters of the commit's id, where the text is that.
    commit: Option<usize>,
    why: String,
}

/// The first rule that made a tag.
struct First {
    line: usize,
    latest: bool,
    version: Option<RuleVersion>,
}

struct Run<'a> {
    rules: &'a TagRules,
    facts: &'a EventFacts,
    values: Values,
    done: Evaluated,
    /// Where each tag is among those done.
    known: BTreeMap<(String, Option<Repository>), usize>,
    faults: Vec<Fault>,
    first: Option<First>,
}

/// What comes of a rule: something, or why nothing.
type Outcome = Result<Made, String>;

impl Run<'_> {
    fn rule(&mut self, rule: &Rule, default: DefaultTags<'_>) {
        match self.enabled(&rule.enable, rule.place) {
            Some(true) => {}
            Some(false) => return self.nothing(rule.place, &rule.text, "`enable` is false"),
            None => return,
        }
        let templates = [&rule.prefix, &rule.suffix].into_iter().flatten().chain(template(&rule.kind));
        self.commit_date(
            templates
                .chain([&self.rules.flavor.prefix, &self.rules.flavor.suffix])
                .any(|t| t.uses("commit_date")),
        );
        let made = match &rule.kind {
            Kind::Default => return self.default(rule, default),
            Kind::Schedule { pattern } => self.schedule(pattern),
            Kind::Version { scheme, pattern, value, matching } => {
                self.version(*scheme, pattern, value, matching.as_ref())
            }
            Kind::Match { pattern, group, value } => self.matched(pattern, *group, value),
            Kind::Edge { branch } => self.edge(branch.as_deref()),
            Kind::Ref(event) => self.named_after_ref(*event),
            Kind::Raw { value } => {
                Ok(made(value.render(&self.values), Policy::MOVING, "as it is written".into()))
            }
            Kind::Sha { long } => self.sha(*long),
        };
        let made = match made {
            Ok(made) => made,
            Err(why) => return self.nothing(rule.place, &rule.text, &why),
        };
        let flavor = &self.rules.flavor;
        let prefix = rule.prefix.as_ref().unwrap_or(&flavor.prefix).render(&self.values);
        let suffix = rule.suffix.as_ref().unwrap_or(&flavor.suffix).render(&self.values);
        let text = sanitised(&format!("{prefix}{}{suffix}", made.text));
        if text.is_empty() {
            return self.nothing(rule.place, &rule.text, "it comes out empty");
        }
        let Some(tag) = self.tag(&text, rule.place, &rule.text) else { return };
        self.done.version.get_or_insert_with(|| text.clone());
        let line = rule.place.line;
        // What moves upwards goes by the release; a match or a Git tag may still be one.
        self.first.get_or_insert_with(|| First { line, latest: made.latest, version: made.version.clone() });
        let moves_upwards = made.policy.moves == Moves::Upwards || made.policy.moves == Moves::Fixed;
        let commit_tags = match made.commit {
            Some(length) => {
                Some(CommitTags { prefix: sanitised(&prefix), length, suffix: sanitised(&suffix) })
            }
            None if made.policy == Policy::MOVING => self.after_commit(&tag),
            None => None,
        };
        let policy = if commit_tags.is_some() { Policy::COMMIT } else { made.policy };
        let planned = (TagSource::Rule(line), staged(&tag, policy));
        let planned = PlannedTag::new(tag, planned, format!("line {line}: {}", made.why));
        let version = made.version.filter(|_| moves_upwards);
        self.add(PlannedTag { version, commit_tags, ..planned }, rule.place, &rule.text);
    }

    fn default(&mut self, rule: &Rule, default: DefaultTags<'_>) {
        if default.tags.is_empty() {
            return self.nothing(rule.place, &rule.text, "the default strategy has no tag for this event");
        }
        if let Some(version) = default.version {
            self.done.version.get_or_insert_with(|| version.to_owned());
        }
        let line = rule.place.line;
        self.first.get_or_insert(First { line, latest: false, version: None });
        for planned in default.tags {
            let reason = format!("line {line}: {}", planned.reason);
            self.add(PlannedTag { reason, ..planned.clone() }, rule.place, &rule.text);
        }
    }

    fn schedule(&self, pattern: &Template) -> Outcome {
        if !self.facts.event.contains("schedule") {
            return Err("the run was not started by a schedule".into());
        }
        Ok(made(pattern.render(&self.values), Policy::MOVING, "a scheduled run".into()))
    }

    /// The Git tag's name, or the rule's own value; and what it is, for people.
    fn source(&self, value: &Template) -> Result<(String, String), String> {
        if value.literal() != Some("") {
            let text = value.render(&self.values);
            let what = format!("the value {}", shown(&text));
            return Ok((text, what));
        }
        let GitRef::Tag(name) = &self.facts.git_ref else { return Err("the run is on no Git tag".into()) };
        self.of_the_ref()?;
        Ok((name.clone(), format!("Git tag {}", quoted(name))))
    }

    /// Nothing is named after a ref that is not what is built.
    fn of_the_ref(&self) -> Result<(), String> {
        self.facts.withheld.as_ref().map_or(Ok(()), |why| Err(text::line(why)))
    }

    fn version(
        &self,
        scheme: Scheme,
        pattern: &Template,
        value: &Template,
        matching: Option<&Pattern>,
    ) -> Outcome {
        let (mut text, what) = self.source(value)?;
        if let Some(matching) = matching {
            text = taken(matching, 1, &text, &what)?;
        }
        let text = text.replace('/', "-");
        let name = match scheme {
            Scheme::Semver => "semantic version (https://semver.org)",
            Scheme::Pep440 => "version by PEP 440 (https://peps.python.org/pep-0440)",
        };
        let version =
            RuleVersion::parse(scheme, &text).ok_or_else(|| format!("{} is not a {name}", shown(&text)))?;
        let plain = version.is_plain();
        let names = version.parts(&text);
        let values = Values { names, ..self.values.clone() };
        // A pre-release never takes the place of a release: whatever the pattern, it is called by its whole name.
        let made_of_it = if plain || pattern.is("raw") { pattern.render(&values) } else { version.name() };
        let whole = ["version", "raw"].iter().any(|name| pattern.uses(name))
            || ["major", "minor", "patch"].iter().all(|name| pattern.uses(name));
        let policy = match (whole || !plain, value.literal() == Some("")) {
            (true, true) => Policy::VERSION,
            (true, false) => Policy::MOVING,
            (false, _) => Policy::UPWARDS,
        };
        let why = format!("version {} of {what}", text::name(&version.to_string()));
        Ok(Made { latest: plain, version: Some(version), ..made(made_of_it, policy, why) })
    }

    fn matched(&self, pattern: &Pattern, group: usize, value: &Template) -> Outcome {
        let (text, what) = self.source(value)?;
        let found = taken(pattern, group, &text, &what)?;
        let version = [&found, &text].into_iter().find_map(|text| RuleVersion::parse(Scheme::Semver, text));
        let why = format!("what {} takes of {what}", shown(pattern.as_str()));
        Ok(Made { latest: true, version, ..made(found, Policy::MOVING, why) })
    }

    fn edge(&self, branch: Option<&str>) -> Outcome {
        let GitRef::Branch(name) = &self.facts.git_ref else { return Err("the run is on no branch".into()) };
        let branch = branch.or(self.facts.default_branch.as_deref()).ok_or(
            "the default branch is not known: the event does not say it (name the branch with `branch=`)",
        )?;
        if branch != name {
            return Err(format!("the run is on branch {}, not {}", quoted(name), quoted(branch)));
        }
        self.of_the_ref()?;
        Ok(made("edge".into(), Policy::MOVING, format!("branch {}", quoted(name))))
    }

    fn named_after_ref(&self, event: RefEvent) -> Outcome {
        let (text, latest, why) = match (event, &self.facts.git_ref) {
            (RefEvent::Branch, GitRef::Branch(name)) => {
                (name.clone(), false, format!("branch {}", quoted(name)))
            }
            (RefEvent::Tag, GitRef::Tag(name)) => (name.clone(), true, format!("Git tag {}", quoted(name))),
            (RefEvent::PullRequest, GitRef::Pull(number)) => {
                (number.to_string(), false, format!("pull request #{number}"))
            }
            (RefEvent::Branch, _) => return Err("the run is on no branch".into()),
            (RefEvent::Tag, _) => return Err("the run is on no Git tag".into()),
            (RefEvent::PullRequest, _) => return Err("the run is about no pull request".into()),
        };
        self.of_the_ref()?;
        let version = RuleVersion::parse(Scheme::Semver, &text).filter(|_| latest);
        Ok(Made { latest, version, ..made(text, Policy::MOVING, why) })
    }

    fn sha(&self, long: bool) -> Outcome {
        let sha = self.facts.sha.as_ref().map_err(|why| text::line(why))?;
        let text = if long { sha.as_str() } else { sha.cut(self.facts.short_sha) };
        let commit = Some(text.len());
        Ok(Made { commit, ..made(text.to_owned(), Policy::COMMIT, "this commit".into()) })
    }

    /// The tag `latest`, if the flavor wants it.
    fn latest(&mut self) {
        let Some(first) = &self.first else { return };
        let flavor = &self.rules.flavor;
        let why = match flavor.latest {
            Latest::Auto if first.latest => format!("line {} makes a release", first.line),
            Latest::Yes => "`flavor` says `latest=true`".into(),
            Latest::Auto | Latest::No => return,
        };
        let affix =
            |on: bool, template: &Template| if on { template.render(&self.values) } else { String::new() };
        let prefix = affix(flavor.prefix_on_latest, &flavor.prefix);
        let suffix = affix(flavor.suffix_on_latest, &flavor.suffix);
        let text = sanitised(&format!("{prefix}latest{suffix}"));
        let version = first.version.clone();
        let place = Place { input: Input::Flavor, line: 1, column: 1 };
        let Some(tag) = self.tag(&text, place, "latest") else { return };
        let moves = if version.is_some() { Moves::Upwards } else { Moves::ByCommit };
        let policy = Policy { stage: Stage::Last, moves };
        let planned = PlannedTag::new(tag, (TagSource::Latest, policy), why);
        self.add(PlannedTag { version, ..planned }, place, "latest");
    }

    fn reference(&mut self, reference: &Reference) {
        match self.enabled(&reference.enable, reference.place) {
            Some(true) => {}
            Some(false) => return self.nothing(reference.place, &reference.text, "`enable` is false"),
            None => return,
        }
        self.commit_date(reference.tag.uses("commit_date"));
        let text = sanitised(&reference.tag.render(&self.values));
        if text.is_empty() {
            return self.nothing(reference.place, &reference.text, "its tag comes out empty");
        }
        let Some(tag) = self.tag(&text, reference.place, &reference.text) else { return };
        self.done.version.get_or_insert(text);
        if !self.done.repositories.contains(&reference.repository) {
            self.done.repositories.push(reference.repository.clone());
        }
        let line = reference.place.line;
        let commit_tags = self.after_commit(&tag);
        let policy = if commit_tags.is_some() { Policy::COMMIT } else { Policy::MOVING };
        let planned = (TagSource::Reference(line), staged(&tag, policy));
        let planned = PlannedTag::new(tag, planned, format!("line {line}: {}", reference.text));
        let repository = Some(reference.repository.clone());
        self.add(PlannedTag { repository, commit_tags, ..planned }, reference.place, &reference.text);
    }

    /// How a tag is called that has the whole id of the commit in it: then it is that commit's own, as with `type=sha`.
    fn after_commit(&self, tag: &Tag) -> Option<CommitTags> {
        CommitTags::around(tag, self.facts.sha.as_ref().ok()?)
    }

    /// Whether an entry counts; `None` and a fault, if that is not said.
    fn enabled(&mut self, enable: &Template, place: Place) -> Option<bool> {
        self.commit_date(enable.uses("commit_date"));
        match enable.render(&self.values).as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let fault = place.fault(format!("`enable` comes out as {}", shown(other)));
                self.faults.push(fault.hint("it has to be `true` or `false`"));
                None
            }
        }
    }

    fn tag(&mut self, text: &str, place: Place, line: &str) -> Option<Tag> {
        let tag = Tag::parse(text).ok();
        if tag.is_none() {
            let problem = if text.len() > Tag::MAX {
                format!("{} characters long, registries take {}", text.len(), Tag::MAX)
            } else {
                "no tag can start with `.` or `-`".into()
            };
            let hint = "shorten it, or change `prefix`, `suffix` or the value";
            self.faults.push(
                place.fault(format!("{} makes the tag {}: {problem}", shown(line), shown(text))).hint(hint),
            );
        }
        tag
    }

    /// Adds a tag. One that is there already keeps its place, and moves as the stricter of the two may.
    fn add(&mut self, tag: PlannedTag, place: Place, text: &str) {
        let name = tag.tag.as_str().to_owned();
        let everywhere = self.known.get(&(name.clone(), None)).copied();
        let there = everywhere.or_else(|| self.known.get(&(name.clone(), tag.repository.clone())).copied());
        let Some(index) = there else {
            self.known.insert((name, tag.repository.clone()), self.done.tags.len());
            self.done.tags.push(tag);
            return;
        };
        let before = &mut self.done.tags[index];
        if strictness(tag.policy.moves) > strictness(before.policy.moves) {
            before.policy = tag.policy;
            before.version = tag.version;
            before.commit_tags = tag.commit_tags;
            before.reason = format!("{}; {}", before.reason, tag.reason);
        }
        let why = match before.source {
            TagSource::Rule(line) | TagSource::Reference(line) if line != place.line => {
                format!("line {line} makes the tag {} already", quoted(&name))
            }
            _ => format!("the tag {} is made already", quoted(&name)),
        };
        // One of several tags of the default strategy, or of a line's references, is not the line.
        if tag.source == TagSource::Rule(place.line) || tag.repository.is_some() {
            self.nothing(place, text, &why);
        }
    }

    fn nothing(&mut self, place: Place, text: &str, why: &str) {
        self.done.nothing.push(Nothing { place, text: text.to_owned(), why: why.to_owned() });
    }

    fn commit_date(&mut self, used: bool) {
        const UNKNOWN: &str = "the time of the commit is not known: `{{commit_date}}` is the time of the run";
        if used && self.facts.committed.is_none() && self.done.warnings.is_empty() {
            self.done.warnings.push(UNKNOWN.to_owned());
        }
    }
}

/// The text of a rule with expressions that name no part of a version.
fn template(kind: &Kind) -> Option<&Template> {
    match kind {
        Kind::Schedule { pattern } => Some(pattern),
        Kind::Version { value, .. } | Kind::Match { value, .. } | Kind::Raw { value } => Some(value),
        Kind::Default | Kind::Edge { .. } | Kind::Ref(_) | Kind::Sha { .. } => None,
    }
}

fn made(text: String, policy: Policy, why: String) -> Made {
    Made { text, policy, latest: false, version: None, commit: None, why }
}

/// What a group of a pattern takes of a text.
fn taken(pattern: &Pattern, group: usize, text: &str, what: &str) -> Result<String, String> {
    if text.len() > LONGEST_TEXT {
        return Err(format!("{what} is too long for a regular expression: {LONGEST_TEXT} bytes at most"));
    }
    match pattern.group(text, group) {
        Ok(Some(found)) => Ok(found.to_owned()),
        Ok(None) => Err(format!("group {group} of {} takes no part in {what}", shown(pattern.as_str()))),
        Err(NoMatch) => Err(format!("{} does not match {what}", shown(pattern.as_str()))),
    }
}

/// Every run of characters that no tag may hold is one `-`.
fn sanitised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for c in text.chars() {
        let kept = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if kept || !in_run {
            out.push(if kept { c } else { '-' });
        }
        in_run = !kept;
    }
    out
}

/// `latest` is put last, whichever line makes it.
fn staged(tag: &Tag, policy: Policy) -> Policy {
    if tag.as_str() == "latest" { Policy { stage: Stage::Last, ..policy } } else { policy }
}

/// Which of two ways of moving counts where two lines make one tag: a version's, then a commit's own name, then upwards.
fn strictness(moves: Moves) -> u8 {
    match moves {
        Moves::Fixed => 4,
        Moves::IfFree => 3,
        Moves::Free => 2,
        Moves::Upwards => 1,
        Moves::ByCommit => 0,
    }
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
