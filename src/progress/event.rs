//! What a build reports while it runs, as plain values: `BuildKit`'s `StatusResponse` without its wire types.
//!
//! All texts are hostile: they come from Dockerfiles and from the programs that they run.

use std::time::Duration;

/// Time since the Unix epoch.
pub type Timestamp = Duration;

/// One message of the status stream. Later records of the same digest replace earlier ones (a step can
/// go from done to running again).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusUpdate {
    /// Steps that began, ended or changed.
    pub vertexes: Vec<Vertex>,
    /// Progress inside a step: a layer that is pulled, a context that is sent, a manifest that is pushed.
    pub statuses: Vec<VertexStatus>,
    /// Output of steps.
    pub logs: Vec<VertexLog>,
    /// Findings of the Dockerfile frontend.
    pub warnings: Vec<VertexWarning>,
    /// What is tried again, and whether that helped: our own words, after what became of the steps.
    pub retry: Option<String>,
}

impl StatusUpdate {
    /// Words of ours in the place where they belong.
    pub fn retry(text: String) -> Self {
        Self { retry: Some(text), ..Self::default() }
    }
}

/// A step of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vertex {
    /// Its identity in this build.
    pub digest: String,
    /// Steps that it needs.
    pub inputs: Vec<String>,
    /// What people read: `[linux/amd64 2/4] RUN make`.
    pub name: String,
    /// Nothing had to be done.
    pub cached: bool,
    /// Set when it began.
    pub started: Option<Timestamp>,
    /// Set when it ended, well or not.
    pub completed: Option<Timestamp>,
    /// Empty, or why it failed. `context canceled` when the build was cancelled.
    pub error: String,
}

/// Progress of one thing inside a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VertexStatus {
    /// Its identity within the step.
    pub id: String,
    /// Digest of the step.
    pub vertex: String,
    /// What it is, `pushing layers`.
    pub name: String,
    /// Done so far (bytes for transfers).
    pub current: i64,
    /// The whole, 0 when unknown.
    pub total: i64,
    /// When this was reported.
    pub timestamp: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
}

/// A piece of output of a step: any bytes, not cut at line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VertexLog {
    /// Digest of the step.
    pub vertex: String,
    /// When it was written.
    pub timestamp: Timestamp,
    /// 1 standard output, 2 standard error.
    pub stream: i64,
    /// The bytes.
    pub message: Vec<u8>,
}

/// A finding of the Dockerfile frontend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VertexWarning {
    /// Digest of the step.
    pub vertex: String,
    /// 1 and up: the smaller, the graver.
    pub level: i64,
    /// One line.
    pub short: String,
    /// More lines.
    pub detail: Vec<String>,
    /// Where it is explained.
    pub url: String,
    /// Where in the Dockerfile.
    pub location: Option<SourceLocation>,
}

/// A place in a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLocation {
    /// File name as the frontend knows it (`Dockerfile`), not a path in the workspace.
    pub file: String,
    /// First line, from 1.
    pub line: u32,
    /// Last line, from 1; equals `line` for one line.
    pub end_line: u32,
    /// The lines themselves and some around them, when the frontend sent the file.
    pub excerpt: Excerpt,
}

/// Lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The number of the first one, from 1.
    pub first: u32,
    /// In order, as they are in the file.
    pub lines: Vec<String>,
}
