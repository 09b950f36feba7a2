//! The workspace's Git repository, read natively with gix: HEAD, its time, its names, its ancestry, its description.
//!
//! Reads only. It belongs to another user than this process (root in the container, the runner's uid outside), so
//! it is opened with reduced trust: of its configuration only the format and the length of abbreviated ids are
//! obeyed, no other configuration, included file or environment variable is read, no program is run. A repository outside of the workspace
//! (a `.git` file or link that leads away) is refused, and so is one with a pipe or the like among its files, which could
//! block for ever. A repository that cannot be read is a warning, never a
//! failure of the run.

mod checkout;
mod head;
mod regular;
mod relation;
#[cfg(test)]
mod tests;

use crate::model::{chain, text};

pub use checkout::{Wanted, gather};
pub use relation::relation;

/// The error and its causes in one line, not at any length: they can hold what was read.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    text::line(&chain(error))
}
