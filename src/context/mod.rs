//! The local build context: which files the daemon gets and what it is told about them.
//!
//! Reads the disk and nothing else; what goes over the wire and how is `buildkit::diffcopy`'s. The meaning of patterns, order and
//! metadata is that of moby/patternmatcher and tonistiigi/fsutil as `docker buildx build` uses them, so that a build of ours and a
//! build of theirs share a cache. Nothing here leaves the context's directory through a link.

pub mod absent;
mod carriers;
pub mod credentials;
pub mod entry;
mod error;
mod expression;
pub mod follow;
mod git_config;
pub mod git_directory;
pub mod glob;
pub mod ignore;
pub mod large;
pub mod path_text;
mod pattern;
pub mod root;
pub mod slash_path;
pub mod walk;

/// What one transfer is asked for, as the daemon's request says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what one of these patterns covers; empty for everything.
    pub include: Vec<String>,
    /// Nothing that these cover: the lines of a `.dockerignore`.
    pub exclude: Vec<String>,
    /// Paths that are needed, wildcards allowed, with all that links among them lead to.
    pub follow: Vec<String>,
}
