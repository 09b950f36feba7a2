//! The runner's reading of a log line, for tests only: a model of `ActionCommand.TryParseV2` and `TryParse`
//! of actions/runner, with its comparisons by culture.
//!
//! It is more generous than the runner, whose ICU depends on version and language: a line is read as it is,
//! with full-width marks as in Japanese, and also without any control or character outside ASCII (each of
//! which ICU might pass over); a command is found in any of these. The commands are those that it registers.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// A command that the runner would carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Lower-case name.
    pub name: String,
    /// Unescaped properties.
    pub properties: BTreeMap<String, String>,
    /// Unescaped data.
    pub data: String,
}

const REGISTERED: &[&str] = &[
    "debug",
    "notice",
    "warning",
    "error",
    "group",
    "endgroup",
    "add-mask",
    "add-matcher",
    "remove-matcher",
    "echo",
    "stop-commands",
    "set-output",
    "save-state",
    "set-env",
    "add-path",
    "internal-set-repo-path",
];

/// The command in a line, if any.
pub fn parse(line: &str) -> Option<Parsed> {
    parse_with(line, &[])
}

/// The same, with the token that would resume commands registered too.
pub fn parse_with(line: &str, tokens: &[&str]) -> Option<Parsed> {
    let narrow = line.replace('：', ":").replace('＃', "#").replace('［', "[");
    let weightless = |c: char| !c.is_ascii() || (c.is_control() && !c.is_whitespace());
    let visible: String = narrow.chars().filter(|c| !weightless(*c)).collect();
    [line, &narrow, &visible].into_iter().find_map(|line| v2(line, tokens).or_else(|| v1(line, tokens)))
}

fn registered(name: &str, tokens: &[&str]) -> Option<String> {
    let known = REGISTERED.iter().chain(tokens).any(|command| command.eq_ignore_ascii_case(name));
    known.then(|| name.to_ascii_lowercase())
}

fn v2(line: &str, tokens: &[&str]) -> Option<Parsed> {
    let (info, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let properties = pairs(properties.trim(), ',', |v| unescape(v, &[("%3A", ":"), ("%2C", ",")]));
    Some(Parsed { name: registered(name, tokens)?, properties, data: unescape(data, &[]) })
}

fn v1(line: &str, tokens: &[&str]) -> Option<Parsed> {
    let (_, rest) = line.split_once("##[")?;
    let (info, data) = rest.split_once(']')?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let escapes = [("%3B", ";"), ("%5D", "]")];
    let properties = pairs(properties, ';', |v| unescape(v, &escapes));
    Some(Parsed { name: registered(name, tokens)?, properties, data: unescape(data, &escapes) })
}

fn pairs(text: &str, separator: char, unescape: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), unescape(value)));
    text.split(separator)
        .filter_map(pair)
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .collect()
}

fn unescape(text: &str, more: &[(&str, &str)]) -> String {
    let text = text.replace("%0D", "\r").replace("%0A", "\n");
    let text = more.iter().fold(text, |text, (from, to)| text.replace(from, to));
    text.replace("%25", "%")
}

/// What a whole log does to a runner: the commands that it obeys, in order, with `stop-commands` respected.
/// Lines end where .NET ends them.
pub fn obey(log: &str) -> Vec<Parsed> {
    let mut stopped: Option<String> = None;
    let mut obeyed = Vec::new();
    for line in log.replace("\r\n", "\n").split(['\n', '\r']) {
        let tokens: Vec<&str> = stopped.as_deref().into_iter().collect();
        let Some(command) = parse_with(line, &tokens) else { continue };
        match &stopped {
            Some(token) if command.name == *token => stopped = None,
            Some(_) => {}
            None => {
                if command.name == "stop-commands" {
                    stopped = Some(command.data.to_ascii_lowercase());
                }
                obeyed.push(command);
            }
        }
    }
    obeyed
}

/// What an attacker puts between the parts of a command: line ends, white space, what ICU passes over, colours.
const NOISE: &[&str] = &[
    "\n",
    "\r",
    " ",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "\u{85}",
    "\u{2028}",
    "\u{b}",
    "\u{200b}",
    "\u{200d}",
    "\u{ad}",
    "\u{feff}",
    "\u{fe0f}",
    "\u{34f}",
    "\u{e0001}",
    "\u{640}",
    "\u{488}",
    "\u{1b}",
    "\u{1b}[",
    "\u{1b}[m",
    "\u{1b}[31m",
    "\u{1b}]",
    "\u{1b}(B",
    "\u{7}",
    "\u{0}",
    "\u{1c}",
    "m",
    "0;1",
    "👩",
    "é",
    "%0A",
    "x",
    "\\",
    "#",
    ":",
];

/// Texts that attack: whole commands with noise around and between any of their characters, or noise alone.
pub fn hostile() -> impl Strategy<Value = String> {
    let noise = || {
        let piece = prop_oneof![9 => prop::sample::select(NOISE).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
        prop_oneof![3 => Just(String::new()), 1 => prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())]
    };
    let mark = prop::sample::select(vec!["::", "##[", "：：", "＃#［", "#####["]);
    let command = (mark, prop::sample::select(REGISTERED), prop::collection::vec(noise(), 6)).prop_map(
        |(mark, name, noise)| {
            let mut noise = noise.into_iter();
            let mut next = || noise.next().unwrap_or_default();
            let (before, inside) = (next(), next());
            // The noise stands between the mark's characters or not at all, so that plain attacks are common.
            let mark: String = mark.chars().flat_map(|c| [c.to_string(), inside.clone()]).collect();
            let close = if mark.contains([':', '：']) { "::" } else { "]" };
            format!(
                "{before}{mark}{name}{} name=a{close}data{}",
                if next().is_empty() { "" } else { " " },
                next()
            )
        },
    );
    let part = prop_oneof![2 => command, 1 => noise()];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}
