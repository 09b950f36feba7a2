//! Progress of a build, for people: the fold of `BuildKit`'s status stream, its rendering, the terminal.

mod assemble;
pub mod bug;
pub mod cache;
mod colour;
pub mod debug;
pub mod display;
pub mod event;
pub mod excerpt;
mod label;
pub mod live;
pub mod node;
pub mod plain;
pub mod reporter;
mod screen;
pub mod state;
pub mod step_line;
pub mod tail;
#[cfg(test)]
mod tests;
pub mod text;
mod width;
