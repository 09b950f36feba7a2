//! Progress of a build, for people: the fold of `BuildKit`'s status stream, its rendering, the terminal.

mod assemble;
pub mod debug;
pub mod event;
pub mod plain;
pub mod reporter;
pub mod state;
#[cfg(test)]
mod tests;
pub mod text;
