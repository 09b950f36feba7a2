//! A step's log as the runner keeps it: commands carried out, the rest masked and written down.
//!
//! Obeys `ActionCommandManager.cs`, `OutputManager.cs` and `ExecutionContext.cs` of actions/runner 2.336, with the
//! settings of github.com (annotations with titles; `set-output` and `save-state` still executed, with a warning).
//! Problem matchers are only noted: loading one is a fault in every test of ours.

use super::command::{self, Command, Names};
use super::mask::Masker;
use super::paths::PathMap;
use std::collections::BTreeMap;

/// Annotations of one level that a step can leave; later ones are in the log only.
pub const ANNOTATION_LIMIT: usize = 10;
/// Characters (UTF-16 units) of an annotation's message that are kept.
pub const MESSAGE_LIMIT: usize = 4096;

/// How grave an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn marker(self) -> &'static str {
        match self {
            Self::Error => "##[error]",
            Self::Warning => "##[warning]",
            Self::Notice => "##[notice]",
        }
    }
}

/// What GitHub shows on the run's page and beside the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub level: Level,
    pub message: String,
    pub title: Option<String>,
    /// Relative to the repository, when the file lies in it.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub end_line: Option<u32>,
    pub col: Option<u32>,
    pub end_col: Option<u32>,
}

/// A folded part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub lines: Vec<String>,
}

/// Everything that the lines of one step did.
#[derive(Debug, Clone)]
pub struct Log {
    names: Names,
    stop_token: Option<String>,
    echo: bool,
    paths: PathMap,
    workspace: String,
    pub masker: Masker,
    /// Masked lines as in the downloaded log: `##[group]`, `##[error]` and their like are markers of the runner's.
    pub lines: Vec<String>,
    pub annotations: Vec<Annotation>,
    pub outputs: BTreeMap<String, String>,
    pub state: BTreeMap<String, String>,
    /// Lines of `::debug::`, shown only in debug runs.
    pub debug: Vec<String>,
    /// Files that `add-matcher` named.
    pub matchers: Vec<String>,
    /// Every command that was carried out, in order, with its masked data.
    pub commands: Vec<Command>,
    /// A command that failed, or a bad file command, fails the step.
    pub failed: bool,
    /// Lines that the action has coloured.
    pub coloured: usize,
}

impl Log {
    /// A step's log before its first line. `secrets` are hidden from the start, as the server's are.
    pub fn new(paths: PathMap, workspace: String, secrets: &[String]) -> Self {
        let mut masker = Masker::default();
        for secret in secrets {
            masker.add(secret);
        }
        Self {
            names: Names::of_the_runner(),
            stop_token: None,
            echo: false,
            paths,
            workspace,
            masker,
            lines: Vec::new(),
            annotations: Vec::new(),
            outputs: BTreeMap::new(),
            state: BTreeMap::new(),
            debug: Vec::new(),
            matchers: Vec::new(),
            commands: Vec::new(),
            failed: false,
            coloured: 0,
        }
    }

    /// One line of the step's stdout or stderr.
    pub fn line(&mut self, line: &str) {
        if let Some(found) = command::parse(line, &self.names)
            && self.command(line, &found)
        {
            return;
        }
        let line =
            line.replace("##[start-action", "##[\\start-action").replace("##[end-action", "##[\\end-action");
        self.write(&line);
    }

    /// Whether commands are being ignored.
    pub fn stopped(&self) -> bool {
        self.stop_token.is_some()
    }

    /// False when the line is ordinary output after all.
    fn command(&mut self, line: &str, found: &Command) -> bool {
        if let Some(token) = &self.stop_token {
            if !token.eq_ignore_ascii_case(&found.name) {
                return false;
            }
            self.names.remove(&found.name);
            self.stop_token = None;
            self.write(line);
            return true;
        }
        self.commands.push(found.clone());
        if found.name == "stop-commands" {
            self.stop(line, &found.data);
            return true;
        }
        let hush = matches!(found.name.as_str(), "add-mask" | "debug" | "error" | "warning" | "notice");
        if self.echo && !hush {
            self.write(line);
        }
        if let Err(fault) = self.execute(found) {
            let what = if hush { found.name.as_str() } else { line };
            self.error(&format!("Unable to process command '{what}' successfully."));
            self.error(&fault);
            self.failed = true;
        }
        true
    }

    fn stop(&mut self, line: &str, token: &str) {
        if token.is_empty() || self.names.contains(token) || token.eq_ignore_ascii_case("pause-logging") {
            // The runner throws here outside of the command's own handler: the step fails.
            self.error("You cannot use a endToken that is an empty string, the string 'pause-logging', or another workflow command.");
            self.failed = true;
            return;
        }
        self.names.add(token);
        self.stop_token = Some(token.to_owned());
        if token.encode_utf16().count() > 6 {
            self.masker.add(token);
        }
        self.write(line);
    }

    fn execute(&mut self, found: &Command) -> Result<(), String> {
        let data = found.data.as_str();
        match found.name.as_str() {
            "error" => self.issue(Level::Error, found),
            "warning" => self.issue(Level::Warning, found),
            "notice" => self.issue(Level::Notice, found),
            "group" => self.write(&format!("##[group]{data}")),
            "endgroup" => self.write("##[endgroup]"),
            "debug" => self.debug.push(self.masker.mask(data)),
            "add-mask" if data.trim().is_empty() => {
                self.plain(Level::Warning, "Can't add secret mask for empty string in ##[add-mask] command.");
            }
            "add-mask" => {
                if self.echo {
                    self.write("::add-mask::***");
                }
                self.masker.add_lines(data);
            }
            "set-output" | "save-state" => return self.deprecated(found),
            "set-env" | "add-path" => return Err(format!("The `{}` command is disabled.", found.name)),
            "echo" => match data.trim().to_uppercase().as_str() {
                "ON" => self.echo = true,
                "OFF" => self.echo = false,
                _ => return Err(format!("Invalid echo command value. Current value is: '{data}'.")),
            },
            "add-matcher" => self.matchers.push(data.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn deprecated(&mut self, found: &Command) -> Result<(), String> {
        let name = &found.name;
        self.plain(Level::Warning, &format!("The `{name}` command is deprecated and will be disabled soon."));
        let key = found.properties.get("name").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| format!("Required field 'name' is missing in ##[{name}] command."))?;
        let map = if name == "set-output" { &mut self.outputs } else { &mut self.state };
        map.insert(key.clone(), found.data.clone());
        Ok(())
    }

    /// An error of the runner's own, as `context.Error` writes it.
    pub fn error(&mut self, message: &str) {
        self.plain(Level::Error, message);
    }

    fn plain(&mut self, level: Level, message: &str) {
        let bare = Command { name: String::new(), properties: BTreeMap::new(), data: message.to_owned() };
        self.issue(level, &bare);
    }

    fn issue(&mut self, level: Level, found: &Command) {
        let mut properties = found.properties.clone();
        validate_position(&mut properties);
        let number = |key: &str| properties.get(key).and_then(|text| text.trim().parse().ok());
        let message = cut(&self.masker.mask(&found.data), MESSAGE_LIMIT);
        let annotation = Annotation {
            level,
            message: message.clone(),
            title: properties.get("title").map(|title| self.masker.mask(title)),
            file: properties
                .get("file")
                .filter(|file| !file.is_empty())
                .map(|file| self.repository_path(file)),
            line: number("line"),
            end_line: number("endline"),
            col: number("col"),
            end_col: number("endcolumn"),
        };
        if self.annotations.iter().filter(|known| known.level == level).count() < ANNOTATION_LIMIT {
            self.annotations.push(annotation);
        }
        if !message.is_empty() {
            self.write(&format!("{}{message}", level.marker()));
        }
    }

    fn repository_path(&self, file: &str) -> String {
        let host = self.paths.to_host(file);
        match host.strip_prefix(&self.workspace) {
            Some("") => host,
            Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
            _ => host,
        }
    }

    fn write(&mut self, text: &str) {
        let text = self.uncoloured(text);
        let masked = self.masker.mask(&text);
        let mut lines = masked.split('\n').map(|line| line.trim_end_matches('\r').to_owned());
        self.lines.extend(lines.by_ref());
    }

    /// A line as it is read: the colours that the action gives to its own lines, which it does outside of any fence, are
    /// counted and taken away. What a step printed keeps its own.
    fn uncoloured(&mut self, text: &str) -> String {
        let Some((before, rest)) = text.split_once('\u{1b}') else { return text.to_owned() };
        let mark = ["[32m✓", "[31m✗"].iter().any(|mark| rest.starts_with(mark));
        // A mark stands at the start, or behind the time that a step took.
        let timed =
            before.ends_with(' ') && before.chars().all(|c| c.is_ascii_digit() || " .hms".contains(c));
        let ours = mark && (before.is_empty() || timed) || before.is_empty() && rest.starts_with("[90m");
        if self.stopped() || !ours {
            return text.to_owned();
        }
        self.coloured += 1;
        format!("{before}{}", rest["[90m".len()..].replacen("\u{1b}[0m", "", 1))
    }

    /// The folded parts of the log, as the web page finds them: by the markers at a line's start.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open = false;
        for line in &self.lines {
            if let Some(name) = line.strip_prefix("##[group]") {
                groups.push(Group { name: name.to_owned(), lines: Vec::new() });
                open = true;
            } else if line.starts_with("##[endgroup]") {
                open = false;
            } else if open && let Some(group) = groups.last_mut() {
                group.lines.push(line.clone());
            }
        }
        groups
    }
}

/// The runner's rules on which positions go together; what breaks them is dropped, not refused.
fn validate_position(properties: &mut BTreeMap<String, String>) {
    let number = |properties: &BTreeMap<String, String>, key: &str| {
        properties.get(key).and_then(|text| text.trim().parse::<i32>().ok())
    };
    let end_line = number(properties, "endline");
    let end_column = number(properties, "endcolumn");
    let had_column = number(properties, "col").is_some() || end_column.is_some();
    let mut has_line = number(properties, "line").is_some();
    if end_line.is_some() && !has_line {
        copy(properties, "endline", "line");
        has_line = true;
    }
    // The numbers below are those from before the copies above, as in the runner.
    let line = number(properties, "line");
    let column = number(properties, "col");
    if end_column.is_some() && column.is_none() {
        copy(properties, "endcolumn", "col");
    }
    let lines_differ = end_line.is_some() && properties.get("line") != properties.get("endline");
    if had_column && (!has_line || lines_differ) {
        properties.remove("col");
        properties.remove("endcolumn");
    }
    if let (Some(line), Some(end)) = (line, end_line)
        && end < line
    {
        properties.remove("line");
        properties.remove("endline");
    }
    if let (Some(column), Some(end)) = (column, end_column)
        && end < column
    {
        properties.remove("col");
        properties.remove("endcolumn");
    }
}

fn copy(properties: &mut BTreeMap<String, String>, from: &str, to: &str) {
    if let Some(value) = properties.get(from).cloned() {
        properties.insert(to.to_owned(), value);
    }
}

fn cut(text: &str, units: usize) -> String {
    let mut left = units;
    text.chars()
        .take_while(|character| {
            let fits = left >= character.len_utf16();
            left = left.saturating_sub(character.len_utf16());
            fits
        })
        .collect()
}
