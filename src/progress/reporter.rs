//! The only writer to the terminal: one stream, one lock, one flush for each batch.
//!
//! Everything that is printed passes here, so here are the guarantees: masks are registered with the runner
//! before anything else is said and replaced in our own lines too; our commands never fall into the fence
//! that is open around build output; a stream that nobody reads any more (`EPIPE`) stops the talking, not the
//! build. Annotations and phases are collected for the summary.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::colour::{coloured, grey};
use super::plain::Line;
use super::screen::Screen;
use super::step_line::{LOG, StepLine};
use crate::model::sort_by_key;
use crate::runner::command::{self, Annotation, Command, Level};
use crate::runner::summary::Phase;
use crate::runner::untrusted;

/// Annotations of each level that GitHub records for a step.
const MAX_ANNOTATIONS: usize = 10;
/// Annotations kept for the summary.
const MAX_KEPT: usize = 200;

/// A handle to the terminal; clones share it.
#[derive(Clone)]
pub struct Reporter(Arc<Mutex<Terminal>>);

struct Terminal {
    out: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    closed: bool,
    debug: bool,
    masks: Vec<String>,
    fence: Option<String>,
    counts: HashMap<Level, usize>,
    annotations: Vec<Annotation>,
    phases: Vec<Phase>,
    retries: Vec<String>,
    colours: bool,
    screen: Option<Screen>,
}

impl Reporter {
    /// Takes the terminal (the process's stdout). `debug`: the run has step debugging on.
    pub fn new(out: impl Write + Send + 'static, debug: bool) -> Self {
        Self::with(out, debug, false, None)
    }

    /// Takes a terminal with a person before it: commands are said in words, and frames are drawn. `columns` says
    /// its width whenever it is asked.
    pub fn on_terminal(
        out: impl Write + Send + 'static,
        debug: bool,
        columns: fn() -> u16,
        colours: bool,
    ) -> Self {
        Self::with(out, debug, colours, Some(Screen::new(columns, colours)))
    }

    /// Takes a log that is shown in colour, as GitHub's is.
    pub fn in_colour(out: impl Write + Send + 'static, debug: bool) -> Self {
        Self::with(out, debug, true, None)
    }

    fn with(out: impl Write + Send + 'static, debug: bool, colours: bool, screen: Option<Screen>) -> Self {
        Self(Arc::new(Mutex::new(Terminal {
            out: Box::new(out),
            buffer: Vec::new(),
            closed: false,
            debug,
            masks: Vec::new(),
            fence: None,
            counts: HashMap::new(),
            annotations: Vec::new(),
            phases: Vec::new(),
            retries: Vec::new(),
            colours,
            screen,
        })))
    }

    /// Hides a secret from here on, in the runner's log and in ours. Returns `false` when nothing of it is long
    /// enough to be hidden.
    pub fn mask(&self, secret: &str) -> bool {
        let masks = command::masks(secret);
        let known = !masks.is_empty();
        let mut terminal = self.terminal();
        for mask in masks {
            if !terminal.masks.contains(&mask) {
                terminal.command(&Command::AddMask(mask.clone()));
                terminal.masks.push(mask);
            }
        }
        sort_by_key(&mut terminal.masks, |mask| std::cmp::Reverse(mask.len()));
        terminal.flush();
        known
    }

    /// A text of ours, one or several lines. Parts of it may come from outside.
    pub fn info(&self, text: &str) {
        let mut terminal = self.terminal();
        terminal.info(text);
        terminal.flush();
    }

    /// As [`Self::info`], unless somebody is writing just now; whether it was said. For a panic, which may have happened in here.
    pub fn try_info(&self, text: &str) -> bool {
        let mut terminal = match self.0.try_lock() {
            Ok(terminal) => terminal,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        terminal.info(text);
        terminal.flush();
        true
    }

    /// A batch of a renderer's lines.
    pub fn lines(&self, lines: &[Line]) {
        let mut terminal = self.terminal();
        for line in lines {
            match line {
                Line::Text(text) => terminal.text(text),
                Line::Step(line) => terminal.step(line),
                Line::Group(line) => terminal.group(line),
                Line::Output(prefix, text) => terminal.output(prefix, text),
                Line::Command(command) => terminal.command(command),
                Line::Retry(text) => terminal.retry(text),
                Line::Frame(lines) => terminal.frame(lines),
            }
        }
        terminal.flush();
    }

    /// A foldable group with a text in it.
    pub fn group(&self, title: &str, text: &str) {
        let mut terminal = self.terminal();
        terminal.command(&Command::Group(title.to_owned()));
        terminal.info(text);
        terminal.command(&Command::EndGroup);
        terminal.flush();
    }

    /// Ends a fence and a group that somebody has left open.
    pub fn end_group(&self) {
        let mut terminal = self.terminal();
        if let Some(fence) = terminal.fence.clone() {
            terminal.command(&Command::Resume(fence));
        }
        terminal.command(&Command::EndGroup);
        terminal.flush();
    }

    /// An error without a place.
    pub fn error(&self, message: &str) {
        self.annotate(Annotation::new(Level::Error, message));
    }

    /// A warning without a place.
    pub fn warn(&self, message: &str) {
        self.annotate(Annotation::new(Level::Warning, message));
    }

    /// A notice without a place.
    pub fn notice(&self, message: &str) {
        self.annotate(Annotation::new(Level::Notice, message));
    }

    /// An annotation; beyond what GitHub records, a line of the log.
    pub fn annotate(&self, annotation: Annotation) {
        let mut terminal = self.terminal();
        terminal.command(&Command::Annotation(annotation));
        terminal.flush();
    }

    /// Shown only in a run with step debugging.
    pub fn debug(&self, text: &str) {
        let mut terminal = self.terminal();
        if terminal.debug {
            for line in untrusted::lines(text.as_bytes()) {
                terminal.command(&Command::Debug(line));
            }
            terminal.flush();
        }
    }

    /// Whether lines can be drawn over.
    pub fn is_live(&self) -> bool {
        self.terminal().screen.is_some()
    }

    /// Whether [`Reporter::debug`] says anything.
    pub fn is_debug(&self) -> bool {
        self.terminal().debug
    }

    /// A phase of the run ended.
    pub fn phase(&self, name: &str, time: Duration) {
        self.terminal().phases.push(Phase { name: name.to_owned(), time });
    }

    /// Phases so far.
    pub fn phases(&self) -> Vec<Phase> {
        self.terminal().phases.clone()
    }

    /// Something was tried again, or succeeded so: a line of the log that the summary repeats.
    pub fn retry(&self, text: &str) {
        let mut terminal = self.terminal();
        terminal.retry(text);
        terminal.flush();
    }

    /// What was tried again so far, the first 200.
    pub fn retries(&self) -> Vec<String> {
        self.terminal().retries.clone()
    }

    /// Annotations so far, masked, the first 200.
    pub fn annotations(&self) -> Vec<Annotation> {
        self.terminal().annotations.clone()
    }

    /// How many of a level there were, and how many of these GitHub does not show beside the code.
    pub fn count(&self, level: Level) -> (usize, usize) {
        let count = self.terminal().counts.get(&level).copied().unwrap_or(0);
        (count, count.saturating_sub(MAX_ANNOTATIONS))
    }

    /// The text without the secrets that are masked: for the summary and the outputs.
    pub fn redact(&self, text: &str) -> String {
        self.terminal().redact(text)
    }

    /// A panic elsewhere does not silence the report of it.
    fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    fn info(&mut self, text: &str) {
        for line in untrusted::lines(text.as_bytes()) {
            self.text(&line);
        }
    }

    fn text(&mut self, line: &str) {
        let line = self.redact(line);
        // In a fence stands what others wrote.
        let line = if self.colours && self.fence.is_none() { coloured(&line) } else { line };
        self.put(&line);
    }

    fn step(&mut self, line: &StepLine) {
        // Before it is cut: half a secret is no longer the secret that is looked for.
        let line = line.map(|text| self.redact(text));
        let text = match &self.screen {
            Some(screen) => screen.step(&line),
            None => line.text(LOG, self.colours),
        };
        self.put(&text);
    }

    fn group(&mut self, title: &StepLine) {
        let title = title.map(|text| self.redact(text));
        self.command(&Command::Group(title.text(LOG, false)));
    }

    fn output(&mut self, prefix: &str, text: &str) {
        let (prefix, text) = (self.redact(prefix), self.redact(text));
        let prefix = if self.colours { grey(&prefix) } else { prefix };
        self.put(&(prefix + &text));
    }

    fn frame(&mut self, lines: &[Line]) {
        let lines = lines.iter().map(|line| match line {
            Line::Step(line) => Line::Step(line.map(|text| self.redact(text))),
            Line::Text(text) => Line::Text(self.redact(text)),
            other => other.clone(),
        });
        let lines = lines.collect();
        if let Some(screen) = &mut self.screen {
            screen.frame(lines);
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::StopCommands(token) => {
                self.fence = Some(token.clone());
                self.say(command);
            }
            Command::Resume(token) => {
                if self.fence.as_ref() == Some(token) {
                    self.fence = None;
                }
                self.say(command);
            }
            Command::AddMask(_) | Command::EndGroup => self.outside(command),
            Command::Annotation(annotation) => self.annotation(annotation),
            Command::Debug(text) => self.outside(&Command::Debug(self.redact(text))),
            Command::Group(title) => self.outside(&Command::Group(self.redact(title))),
        }
    }

    /// A command as whoever reads it understands it.
    fn say(&mut self, command: &Command) {
        match &self.screen {
            None => self.put(&command.to_string()),
            Some(screen) => {
                if let Some(text) = screen.person(command) {
                    self.put(&text);
                }
            }
        }
    }

    fn retry(&mut self, text: &str) {
        self.info(text);
        if self.retries.len() < MAX_KEPT {
            self.retries.push(text.to_owned());
        }
    }

    fn annotation(&mut self, annotation: &Annotation) {
        // Before it is cut: half a secret is no longer the secret that the runner looks for.
        let annotation = Annotation {
            message: self.redact(&annotation.message),
            title: annotation.title.as_ref().map(|title| self.redact(title)),
            ..annotation.clone()
        };
        let count = self.counts.entry(annotation.level).or_default();
        *count += 1;
        if *count > MAX_ANNOTATIONS && self.screen.is_none() {
            let place = annotation.place().map_or_else(String::new, |place| format!(" {place}:"));
            let title = annotation.title.as_ref().map_or_else(String::new, |title| format!(" {title}:"));
            self.info(&format!("{}:{place}{title} {}", annotation.level.as_str(), annotation.message));
        } else {
            self.outside(&Command::Annotation(annotation.clone()));
        }
        if self.annotations.len() < MAX_KEPT {
            self.annotations.push(annotation);
        }
    }

    /// A command of ours: the fence is lifted for it.
    fn outside(&mut self, command: &Command) {
        if let Some(token) = self.fence.clone() {
            self.say(&Command::Resume(token.clone()));
            self.say(command);
            self.say(&Command::StopCommands(token));
        } else {
            self.say(command);
        }
    }

    fn put(&mut self, line: &str) {
        if !self.closed {
            if let Some(screen) = &mut self.screen {
                self.buffer.extend_from_slice(screen.erase().as_bytes());
            }
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
            if self.buffer.len() > 64 * 1024 {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if let Some(screen) = &mut self.screen {
            self.buffer.extend_from_slice(screen.erase().as_bytes());
            self.buffer.extend_from_slice(screen.draw().as_bytes());
        }
        if !self.closed && !self.buffer.is_empty() {
            self.closed = self.out.write_all(&self.buffer).and_then(|()| self.out.flush()).is_err();
        }
        self.buffer.clear();
    }

    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for mask in &self.masks {
            if text.contains(mask.as_str()) {
                text = text.replace(mask.as_str(), "***");
            }
        }
        text
    }
}
