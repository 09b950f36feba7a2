//! The local build context.

pub mod glob;
pub mod ignore;
mod pattern;
pub mod slash_path;
