//! One entry of `deploy`, key by key.

use std::fmt;

use serde_yaml::{Mapping, Value};

use super::INPUT;
use super::environment::{DeployWhen, Environment, FileChange, Means, MergeMethod, PullRequestOptions};
use super::template::{self, Template};
use crate::inputs::fault::{InputFault, shown};
use crate::inputs::{names, parse};
use crate::kustomize::{EntryLines, FileKind, KeyPath, ValuesPaths};
use crate::model::GithubRepository;

/// Keys of every entry.
const OF_ALL: &[&str] = &["repository", "when", "kind"];
/// Keys of entries that change files.
const OF_FILES: &[&str] = &["path", "branch", "title", "body", "direct_commit"];
/// Keys of entries that make pull requests.
const OF_PULL_REQUESTS: &[&str] = &["labels", "reviewers", "team_reviewers", "draft", "auto_merge"];
/// Keys of one kind of entry each.
const IMAGE: &str = "image";
const KEYS: &str = "keys";
const EVENT_TYPE: &str = "event_type";

/// What `keys` of a values file may say.
const OF_KEYS: &[&str] = &["tag", "repository", "digest"];
/// Where a values file has its tag, unless it is said.
const TAG: &str = "image.tag";
/// The event's type, unless it is said.
const EVENT: &str = "deploy";
/// The longest type of an event that GitHub takes.
const LONGEST_EVENT: usize = 100;
/// The longest title: GitHub cuts a commit's first line in most of its lists sooner.
const LONGEST_TITLE: usize = 256;

/// What people write for something else.
const MEANT: &[(&str, &str)] = &[
    ("repo", "repository"),
    ("base", "branch"),
    ("ref", "branch"),
    ("paths", "path"),
    ("file", "path"),
    ("files", "path"),
    ("directory", "path"),
    ("name", IMAGE),
    ("description", "body"),
    ("message", "title"),
    ("label", "labels"),
    ("reviewer", "reviewers"),
    ("teams", "team_reviewers"),
    ("automerge", "auto_merge"),
    ("direct", "direct_commit"),
    ("commit", "direct_commit"),
    ("event", EVENT_TYPE),
    ("key", KEYS),
    ("on", "when"),
    ("type", "kind"),
];

/// The words of `kind`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kustomize,
    Manifest,
    Values,
    Dispatch,
}

const KINDS: &[(&str, Kind)] = &[
    ("kustomize", Kind::Kustomize),
    ("manifest", Kind::Manifest),
    ("values", Kind::Values),
    ("dispatch", Kind::Dispatch),
];

const WHEN: &[(&str, DeployWhen)] =
    &[("version", DeployWhen::Version), ("branch", DeployWhen::Branch), ("always", DeployWhen::Always)];

const METHODS: &[(&str, MergeMethod)] =
    &[("merge", MergeMethod::Merge), ("squash", MergeMethod::Squash), ("rebase", MergeMethod::Rebase)];

/// An entry that is being read.
pub(super) struct Entry {
    number: usize,
    name: String,
    lines: EntryLines,
    pub(super) faults: Vec<InputFault>,
}

impl Entry {
    pub(super) fn new(number: usize, lines: EntryLines) -> Self {
        Self { number, name: format!("entry {number}"), lines, faults: Vec::new() }
    }

    /// Something is wrong with the value of a key; what to write instead, if that can be said.
    pub(super) fn fault_at(&mut self, key: &str, message: impl fmt::Display, hint: &str) {
        let line = match self.lines.of(key) {
            0 => String::new(),
            line => format!("line {line}: "),
        };
        let fault = InputFault::new(INPUT, format!("{line}{}: {message}", self.name));
        self.faults.push(if hint.is_empty() { fault } else { fault.hint(hint) });
    }

    fn wrong<T>(&mut self, key: &str, message: impl fmt::Display, hint: &str) -> Option<T> {
        self.fault_at(key, message, hint);
        None
    }

    /// Reads the entry; nothing for one that is wrong, and for one that an expression has left nothing of.
    pub(super) fn read(&mut self, value: &Value) -> Option<Environment> {
        let entry = match value {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::Mapping(entry) => entry,
            _ => return self.wrong("", "not `key: value` lines, of which `repository` is one", ""),
        };
        let repository = self.repository(entry);
        let kind = self.word(entry, "kind", KINDS);
        self.unknown(entry, kind);
        let when = self.when(entry);
        let means = match kind? {
            Kind::Dispatch => self.event_type(entry).map(|event_type| Means::Dispatch { event_type }),
            kind => self.change(entry, kind).map(|change| Means::Files(Box::new(change))),
        };
        let (repository, means) = (repository?, means?);
        self.faults.is_empty().then_some(Environment { number: self.number, repository, when, means })
    }

    fn repository(&mut self, entry: &Mapping) -> Option<GithubRepository> {
        let Some(text) = self.text(entry, "repository") else {
            return self.wrong(
                "repository",
                "`repository` is missing",
                "for example `repository: acme/infra`",
            );
        };
        match GithubRepository::parse(&text) {
            Ok(repository) => {
                self.name = format!("entry {} (`{repository}`)", self.number);
                Some(repository)
            }
            Err(why) => {
                let hint =
                    if text.contains("://") { "write `owner/name`, on this GitHub server" } else { "" };
                self.wrong("repository", why, hint)
            }
        }
    }

    fn when(&mut self, entry: &Mapping) -> Vec<DeployWhen> {
        let words = self.texts(entry, "when", &[',']);
        let mut when = Vec::new();
        for word in words {
            match WHEN.iter().find(|(known, _)| *known == word) {
                Some((_, found)) if when.contains(found) => {}
                Some((_, found)) => when.push(*found),
                None => {
                    let message = format!("`when` has `{}`", shown(&word));
                    self.fault_at(
                        "when",
                        message,
                        "write `version`, `branch` or `always`, or a list of these",
                    );
                }
            }
        }
        if when.is_empty() { vec![DeployWhen::Version] } else { when }
    }

    fn change(&mut self, entry: &Mapping, kind: Kind) -> Option<FileChange> {
        let kind = match kind {
            Kind::Kustomize => self.image(entry).map(|image| FileKind::Kustomization { image }),
            Kind::Manifest | Kind::Dispatch => Some(FileKind::Manifest),
            Kind::Values => self.keys(entry).map(FileKind::Values),
        };
        let paths = self.paths(entry);
        let branch = self.branch(entry);
        let title = self.template(entry, "title");
        let body = self.template(entry, "body");
        let direct = self.boolean(entry, "direct_commit");
        let pull_request = self.pull_request(entry);
        if direct {
            for key in OF_PULL_REQUESTS.iter().filter(|key| entry.contains_key(**key)) {
                let message = format!("`{key}` is for a pull request, and `direct_commit` makes none");
                self.fault_at(key, message, "leave one of them out");
            }
        }
        let pull_request = (!direct).then_some(pull_request);
        Some(FileChange { kind: kind?, paths: paths?, branch, title, body, pull_request })
    }

    fn image(&mut self, entry: &Mapping) -> Option<String> {
        let hint = "the `name:` of the entry in `images:` of the kustomization";
        let Some(image) = self.text(entry, IMAGE) else {
            return self.wrong(IMAGE, "`image` is missing", hint);
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:".contains(&b);
        if image.len() > 255 || !image.bytes().all(plain) {
            return self.wrong(IMAGE, format!("`{}` is not a name of an image", shown(&image)), hint);
        }
        Some(image)
    }

    fn keys(&mut self, entry: &Mapping) -> Option<ValuesPaths> {
        let none = Mapping::new();
        let keys = match entry.get(KEYS) {
            None | Some(Value::Null) => &none,
            Some(Value::Mapping(keys)) => keys,
            Some(_) => {
                return self.wrong(
                    KEYS,
                    "`keys` has no `key: value` lines",
                    "for example `keys: { tag: image.tag }`",
                );
            }
        };
        for key in keys.keys().filter(|key| !key.as_str().is_some_and(|key| OF_KEYS.contains(&key))) {
            let name = key.as_str().map(shown).unwrap_or_default();
            self.fault_at(KEYS, format!("`keys` has `{name}`"), "it takes `tag`, `repository` and `digest`");
        }
        let mut path = |key: &str| {
            let text = self.text(keys, key)?;
            KeyPath::parse(&text).map_err(|why| self.fault_at(KEYS, why, "")).ok()
        };
        let (tag, repository, digest) = (path("tag"), path("repository"), path("digest"));
        let tag = tag.or_else(|| KeyPath::parse(TAG).ok())?;
        Some(ValuesPaths { tag, repository, digest })
    }

    fn paths(&mut self, entry: &Mapping) -> Option<Vec<String>> {
        let written = self.texts(entry, "path", &[]);
        if written.is_empty() {
            let hint = "the file in that repository, or the directory of a kustomization; `.` is its top";
            return self.wrong("path", "`path` is missing", hint);
        }
        let mut paths = Vec::new();
        for path in written {
            let plain = path.trim_end_matches('/');
            let inside = plain == "."
                || plain.split('/').all(|part| !matches!(part, "" | "." | ".." | ".git"))
                    && !plain.contains('\\');
            if !inside || plain.contains(char::is_control) {
                let message = format!("`{}` is not a path in the repository", shown(&path));
                self.fault_at(
                    "path",
                    message,
                    "write it from the repository's top, without `/` before it and without `..`",
                );
            } else if !paths.iter().any(|known| known == plain) {
                paths.push(plain.to_owned());
            }
        }
        Some(paths)
    }

    fn branch(&mut self, entry: &Mapping) -> Option<String> {
        let name = self.text(entry, "branch")?;
        let part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
        let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let sound =
            name.split('/').all(part) && !name.contains(odd) && !name.contains("..") && !name.contains("@{");
        if !sound || name.ends_with('.') || name.starts_with('-') {
            return self.wrong("branch", format!("`{}` is not a name of a branch", shown(&name)), "");
        }
        if name.starts_with("refs/") {
            return self.wrong(
                "branch",
                format!("`{}` is a whole ref", shown(&name)),
                "write the branch's name, `main`",
            );
        }
        Some(name)
    }

    fn template(&mut self, entry: &Mapping, key: &str) -> Option<Template> {
        let text = self.text(entry, key)?;
        let one_line = key == "title";
        if one_line && text.contains(char::is_control) {
            return self.wrong(key, "`title` has more than one line, or a control character", "");
        }
        if one_line && text.chars().count() > LONGEST_TITLE {
            return self.wrong(key, format!("`title` is longer than {LONGEST_TITLE} characters"), "");
        }
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(name) => {
                let hint = format!("it can have {}", template::names());
                self.wrong(key, format!("`{key}` has `{{{{{}}}}}`", shown(&name)), &hint)
            }
        }
    }

    fn pull_request(&mut self, entry: &Mapping) -> PullRequestOptions {
        let options = PullRequestOptions {
            labels: self.texts(entry, "labels", &[',']),
            reviewers: self.texts(entry, "reviewers", &[',']),
            team_reviewers: self.texts(entry, "team_reviewers", &[',']),
            draft: self.boolean(entry, "draft"),
            auto_merge: self.auto_merge(entry),
        };
        if options.draft && options.auto_merge.is_some() {
            self.fault_at(
                "auto_merge",
                "a draft is not merged by itself",
                "leave `draft` or `auto_merge` out",
            );
        }
        for (key, names) in [("reviewers", &options.reviewers), ("team_reviewers", &options.team_reviewers)] {
            let odd =
                |name: &&String| !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
            if let Some(name) = names.iter().find(odd) {
                let message = format!("`{}` in `{key}` is not a name on GitHub", shown(name));
                let hint = if name.contains('/') {
                    "a team without its organisation"
                } else {
                    "write it without `@`"
                };
                self.fault_at(key, message, hint);
            }
        }
        options
    }

    fn auto_merge(&mut self, entry: &Mapping) -> Option<MergeMethod> {
        match entry.get("auto_merge")? {
            Value::Bool(true) => Some(MergeMethod::Merge),
            Value::Bool(false) | Value::Null => None,
            Value::String(text) if text.trim() == "true" => Some(MergeMethod::Merge),
            Value::String(text) if matches!(text.trim(), "false" | "") => None,
            _ => self.word(entry, "auto_merge", METHODS),
        }
    }

    fn event_type(&mut self, entry: &Mapping) -> Option<String> {
        let Some(name) = self.text(entry, EVENT_TYPE) else { return Some(EVENT.to_owned()) };
        if name.chars().count() > LONGEST_EVENT || name.contains(char::is_control) {
            let message = format!("`{}` is not a type of an event", shown(&name));
            return self.wrong(EVENT_TYPE, message, "one line of at most 100 characters");
        }
        Some(name)
    }

    /// A key's text; nothing for one that is not there or empty.
    fn text(&mut self, entry: &Mapping, key: &str) -> Option<String> {
        match entry.get(key)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Null => None,
            _ => self.wrong(key, format!("`{key}` is not text"), "put its value in quotes"),
        }
    }

    /// The texts of a list, or of a text that lines and these marks part. Empty ones are nothing.
    fn texts(&mut self, entry: &Mapping, key: &str, marks: &[char]) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |text: &str| {
            let text = text.trim();
            if !text.is_empty() {
                found.push(text.to_owned());
            }
        };
        match entry.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => text.split('\n').flat_map(|line| line.split(marks)).for_each(add),
            Some(Value::Sequence(list)) if list.iter().all(|one| one.is_string() || one.is_null()) => {
                list.iter().filter_map(Value::as_str).for_each(&mut add);
            }
            Some(_) => self.fault_at(key, format!("`{key}` is neither a text nor a list of texts"), ""),
        }
        found
    }

    fn boolean(&mut self, entry: &Mapping, key: &str) -> bool {
        let read = match entry.get(key) {
            None | Some(Value::Null) => Some(false),
            Some(Value::Bool(value)) => Some(*value),
            // As an expression gives it.
            Some(Value::String(text)) => parse::boolean(INPUT, text, false).ok(),
            Some(_) => None,
        };
        read.unwrap_or_else(|| {
            self.fault_at(key, format!("`{key}` is not a boolean"), "write `true` or `false`");
            false
        })
    }

    /// The value of a word, that of the first one if there is none; nothing for another one.
    fn word<T: Copy>(&mut self, entry: &Mapping, key: &str, words: &[(&str, T)]) -> Option<T> {
        let first = words.first().map(|(_, value)| *value);
        let text = match entry.get(key) {
            None | Some(Value::Null) => return first,
            Some(Value::String(text)) if text.trim().is_empty() => return first,
            Some(_) => self.text(entry, key)?,
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let hint = format!("write one of {}", all.join(", "));
            self.fault_at(key, format!("`{key}` is `{}`", shown(&text)), &hint);
        }
        found
    }

    /// Keys that the entry does not take.
    fn unknown(&mut self, entry: &Mapping, kind: Option<Kind>) {
        let special = [(IMAGE, Kind::Kustomize), (KEYS, Kind::Values), (EVENT_TYPE, Kind::Dispatch)];
        let of_files: Vec<&str> = [OF_FILES, OF_PULL_REQUESTS].concat();
        let all: Vec<&str> =
            OF_ALL.iter().chain(&of_files).copied().chain(special.map(|(key, _)| key)).collect();
        for key in entry.keys() {
            let Some(key) = key.as_str() else {
                self.fault_at("", "a key that is not text", "");
                continue;
            };
            if !all.contains(&key) {
                let hint = match meant(key, &all) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the keys are {}", all.join(", ")),
                };
                self.fault_at(key, format!("no key `{}`", shown(key)), &hint);
                continue;
            }
            let Some(kind) = kind else { continue };
            let word = |kind: Kind| KINDS.iter().find(|(_, one)| *one == kind).map_or("", |(word, _)| word);
            let other = special.iter().find(|(name, of)| *name == key && *of != kind);
            if let Some((_, of)) = other {
                let message = format!("`{key}` is for `kind: {}`, and this is `{}`", word(*of), word(kind));
                self.fault_at(key, message, "leave it out");
            } else if kind == Kind::Dispatch && of_files.contains(&key) {
                let message = format!("`{key}` is for files, and `kind: dispatch` changes none");
                self.fault_at(key, message, "leave it out");
            }
        }
    }
}

/// The key that was meant.
fn meant<'a>(key: &str, all: &[&'a str]) -> Option<&'a str> {
    let plain = key.to_ascii_lowercase().replace(['-', ' '], "_");
    let known = MEANT.iter().find(|(word, _)| *word == plain).map_or(plain.as_str(), |(_, meant)| meant);
    if let Some(known) = all.iter().find(|one| **one == known) {
        return Some(known);
    }
    let near = all.iter().map(|one| (names::distance(&plain, one), *one)).min()?;
    (plain.len() <= 40 && near.0 <= 1 + near.1.len() / 5).then_some(near.1)
}
