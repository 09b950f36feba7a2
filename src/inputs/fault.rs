//! What can be wrong with an input, and what else is worth saying about the inputs.
//!
//! A fault stops the run, a notice does not. Neither ever holds a secret or a control character.

use std::fmt;

use crate::model::text;

/// One thing that is wrong with one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFault {
    /// The input; or the variable of the original script that stands in for it.
    pub input: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be said.
    pub hint: Option<String>,
}

/// Something to tell about the inputs that does not stop the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How loudly.
    pub level: Level,
    /// The sentence.
    pub message: String,
}

/// How loudly a notice is said: the runner's commands of these names, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Seen with step debugging only.
    Debug,
    /// A line of the log.
    Info,
    /// An annotation that asks for nothing.
    Notice,
    /// An annotation that asks for a look.
    Warning,
}

impl InputFault {
    /// A fault without a hint.
    pub fn new(input: impl Into<String>, message: impl Into<String>) -> Self {
        Self { input: input.into(), message: message.into(), hint: None }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with a hint if there is one.
    #[must_use]
    pub(super) fn hinted(self, hint: Option<String>) -> Self {
        Self { hint: hint.or(self.hint), ..self }
    }
}

impl fmt::Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input `{}`: {}", self.input, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl std::error::Error for InputFault {}

impl Notice {
    /// A notice that is seen with step debugging only.
    pub(super) fn debug(message: impl Into<String>) -> Self {
        Self { level: Level::Debug, message: message.into() }
    }

    /// A notice that is a line of the log, and no annotation.
    pub(super) fn info(message: impl Into<String>) -> Self {
        Self { level: Level::Info, message: message.into() }
    }

    /// A notice that asks for nothing.
    pub(super) fn plain(message: impl Into<String>) -> Self {
        Self { level: Level::Notice, message: message.into() }
    }

    /// A notice that asks for a look.
    pub(super) fn warning(message: impl Into<String>) -> Self {
        Self { level: Level::Warning, message: message.into() }
    }
}

/// Faults and notices as they are found.
#[derive(Default)]
pub(super) struct Findings {
    pub faults: Vec<InputFault>,
    pub notices: Vec<Notice>,
}

impl Findings {
    /// Takes a value out of its result; instead of a fault, which is kept here, there is nothing.
    pub fn take<T>(&mut self, result: Result<T, InputFault>) -> Option<T> {
        result.map_err(|fault| self.faults.push(fault)).ok()
    }
}

/// Enough of a value that others wrote to recognise it, on one line.
pub(super) fn shown(text: &str) -> String {
    text::name(text.trim())
}
