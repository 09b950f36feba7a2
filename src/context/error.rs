//! Why a build context cannot be sent: the one error of the walk and of what the walk asks.
//!
//! Each message names the file and says what to do about it. Paths in it are made printable, as whoever names the files
//! must not write the log.

use rustix::io::Errno;

use super::ignore::PatternError;
use crate::model::text;

/// Why a context cannot be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// Reading a file, directory, link or attribute failed.
    #[error(
        "cannot read `{}` of the build context: {fault}: make it readable or list it in .dockerignore",
        text::value(path)
    )]
    Unreadable {
        /// Relative to the context.
        path: String,
        /// What the system said.
        fault: String,
    },
    /// Whatever a source of `COPY` leads to is asked for by name, and what is asked for is text.
    #[error(
        "the link `{}`, which a COPY needs, has a target that is not UTF-8: rename what it leads to",
        text::value(path)
    )]
    LinkNotUtf8 {
        /// Relative to the context.
        path: String,
    },
    /// A file was announced before it was found to be one of a Git directory's.
    #[error(
        "`{}` of the build context is another name of a file with credentials of the Git repository in `{}`: \
         delete it or list it in .dockerignore",
        text::value(path),
        text::value(repository)
    )]
    OtherName {
        /// Relative to the context.
        path: String,
        /// The repository's working tree, relative to the context.
        repository: String,
    },
    /// The daemon's patterns: the lines of the `.dockerignore`, the sources of `COPY`.
    #[error("a pattern of .dockerignore or of a COPY source cannot be used: {0}")]
    Pattern(#[from] PatternError),
}

impl WalkError {
    /// The error of a path that the system would not let us read.
    pub(crate) fn unreadable(path: &str, fault: Errno) -> Self {
        Self::Unreadable { path: path.to_owned(), fault: std::io::Error::from(fault).to_string() }
    }

    /// The error of a link whose target cannot be asked for.
    pub(super) fn link_not_utf8(path: &str) -> Self {
        Self::LinkNotUtf8 { path: path.to_owned() }
    }
}
