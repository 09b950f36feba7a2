//! Workflow commands as the runner reads them from a line of output: `::name k=v,k2=v2::data` at the start of a line,
//! and the older `##[name k=v;k2=v2]data` anywhere in it.
//!
//! Obeys `ActionCommand.cs` of actions/runner 2.336. Knows names, properties and escapes; what a command does is
//! in [`super::log`].

use std::collections::{BTreeMap, BTreeSet};

/// Names that the runner registers before a step starts. `internal-set-repo-path` is not among them.
const NAMES: [&str; 15] = [
    "stop-commands",
    "add-mask",
    "add-matcher",
    "remove-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "save-state",
    "set-env",
    "set-output",
    "warning",
];

/// One parsed command; the name and the property keys are lower-cased, as the runner compares them without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub name: String,
    pub properties: BTreeMap<String, String>,
    pub data: String,
}

/// The names that count as commands at this moment: the runner adds the token of `stop-commands` to them.
#[derive(Debug, Clone)]
pub struct Names(BTreeSet<String>);

impl Names {
    pub fn of_the_runner() -> Self {
        Self(NAMES.iter().map(|name| (*name).to_owned()).collect())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(&name.to_lowercase())
    }

    pub fn add(&mut self, name: &str) {
        self.0.insert(name.to_lowercase());
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_lowercase());
    }
}

/// The command in `line`, if the runner would see one: the newer syntax is tried first.
pub fn parse(line: &str, names: &Names) -> Option<Command> {
    parse_colons(line, names).or_else(|| parse_brackets(line, names))
}

fn parse_colons(line: &str, names: &Names) -> Option<Command> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, data) = rest.split_once("::")?;
    build(head, names, ',', true, unescape_property).map(|(name, properties)| Command {
        name,
        properties,
        data: unescape_data(data),
    })
}

fn parse_brackets(line: &str, names: &Names) -> Option<Command> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    build(head, names, ';', false, unescape_bracketed).map(|(name, properties)| Command {
        name,
        properties,
        data: unescape_bracketed(data),
    })
}

type Head = (String, BTreeMap<String, String>);

fn build(
    head: &str,
    names: &Names,
    separator: char,
    trim: bool,
    unescape: fn(&str) -> String,
) -> Option<Head> {
    let (name, list) = match head.split_once(' ') {
        Some((name, list)) => (name, list),
        None => (head, ""),
    };
    if !names.contains(name) {
        return None;
    }
    let list = if trim { list.trim() } else { list };
    let mut properties = BTreeMap::new();
    for item in list.split(separator).filter(|item| !item.is_empty()) {
        // .NET splits in two and drops empty parts: `=v` and `k=` carry nothing, `=k=v` is `k` with the value `v`.
        let item = item.strip_prefix('=').unwrap_or(item);
        if let Some((key, value)) = item.split_once('=')
            && !key.is_empty()
            && !value.is_empty()
        {
            properties.insert(key.to_lowercase(), unescape(value));
        }
    }
    Some((name.to_lowercase(), properties))
}

fn unescape_data(text: &str) -> String {
    replace_all(text, &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")])
}

fn unescape_property(text: &str) -> String {
    replace_all(text, &[("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")])
}

fn unescape_bracketed(text: &str) -> String {
    replace_all(text, &[("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%")])
}

/// The runner replaces one escape after the other over the whole text, `%25` last.
fn replace_all(text: &str, table: &[(&str, &str)]) -> String {
    table.iter().fold(text.to_owned(), |text, (escape, token)| text.replace(escape, token))
}
