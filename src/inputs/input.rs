//! What a row of the table of inputs says, and the words that it says it in.
//!
//! The rows themselves are in [`super::table`].

/// One input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The name in `with:`.
    pub name: &'static str,
    /// What an empty one means.
    pub default: Default,
    /// Shape of the text.
    pub kind: Kind,
    /// One or two sentences.
    pub description: &'static str,
    /// What it takes, with an example; empty where the description says it.
    pub accepts: &'static str,
    /// How Docker's own actions, or people in a hurry, spell it.
    pub misspelt: &'static [&'static str],
}

/// What an empty input means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing.
    None,
    /// This text.
    Text(&'static str),
    /// What this phrase says, found out during the run.
    Phrase(&'static str),
    /// Filled in by the runner: the only defaults that `action.yml` declares.
    Expression(&'static str),
}

/// Shape of an input's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line.
    Text,
    /// One entry a line; lines that start with `#` are comments.
    List,
    /// Several lines that are one text.
    Block,
    /// Exactly `true`, `True`, `TRUE`, `false`, `False` or `FALSE`.
    Boolean,
    /// Text that is masked and never shown.
    Secret,
}

/// A row of which nothing more is to be said.
pub(super) const fn row(
    name: &'static str,
    kind: Kind,
    default: Default,
    description: &'static str,
) -> Input {
    Input { name, default, kind, description, accepts: "", misspelt: &[] }
}

impl Input {
    /// The same row, which says what the input takes.
    pub(super) const fn accepts(self, accepts: &'static str) -> Self {
        Self { accepts, ..self }
    }

    /// The same row, with other names under which people look for the input.
    pub(super) const fn misspelt(self, misspelt: &'static [&'static str]) -> Self {
        Self { misspelt, ..self }
    }
}
