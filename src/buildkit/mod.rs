//! A BuildKit client: what `docker buildx build` is, without the CLI and without buildx.
//!
//! [`build`] carries out a `BuildPlan` over a [`Connection`]. It opens a *session* (a second connection on
//! which the daemon is the client and asks for files and logins), asks for the *status* stream, and
//! calls *Solve*, all in one task; reading files is on threads of its own. What it decides is nothing:
//! `request` is a pure function of the plan.
//!
//! | file | owns |
//! |---|---|
//! | `address`, `connection`, `tasks` | where a BuildKit is, a connection to it, who owns what runs on it |
//! | `dial` | the ways there: sockets, an exec in a container, the network with TLS |
//! | `cache` | the build cache in a request |
//! | `provisions` | what a build needs and a plan does not hold |
//! | `session`, `grpc` | the server half: dispatch and framing |
//! | `health`, `auth`, `filesync`, `metadata`, `transfers` | one service each; how file requests are written, how they ended |
//! | `file_send` | the archive that an exporter makes, on its way to whoever takes it |
//! | `diffcopy` | fsutil's sender |
//! | `secrets`, `ssh` | what steps mount, who signs for them |
//! | `content` | image layouts and caches in directories, and the blobs of an image that is exported |
//! | `request`, `contexts` | plan → `SolveRequest` |
//! | `pins`, `push_trouble` | for a push that is tried again: which images were meant, what its failure means |
//! | `solve`, `status`, `result` | a build from beginning to end, its updates, its digest |
//! | `lint` | the build checks of a Dockerfile, without a build |
//! | `error`, `connect_error`, `tls_fault` | the words for what went wrong, in the build and on the way to it |
//! | `failed_call`, `detail` | what a call that failed means, and where in the Dockerfile |
//! | `advice`, `wording` | what kind of trouble it is and what to change; BuildKit's words, made readable |
//!
//! Wire types (prost, tonic, hyper) end here. It obeys BuildKit's `api/services/control`, `session/`
//! and `client/solve.go`. Only `lint` uses the gateway (`LLBBridge`): plain Solve is enough but for subrequests.

mod address;
mod advice;
mod auth;
mod cache;
mod connect_error;
mod connection;
mod content;
mod contexts;
mod detail;
mod dial;
pub mod diffcopy;
mod error;
mod failed_call;
mod file_send;
mod filesync;
mod grpc;
mod health;
mod ids;
mod lint;
mod metadata;
mod pins;
mod provisions;
mod push_trouble;
mod request;
mod result;
mod secrets;
mod session;
mod solve;
mod ssh;
mod status;
mod tasks;
mod tls_fault;
mod transfers;
mod wording;

pub use address::{Address, InvalidAddress};
pub use connect_error::ConnectError;
pub use connection::{Connection, Worker};
pub use content::{BlobPart, Blobs, MissingCache};
pub use diffcopy::{Transfer, TransferError};
pub use error::BuildError;
pub use file_send::{Archive, ArchivePart, Files};
pub use ids::BuildIds;
pub use lint::{Linted, lint};
pub use pins::Pins;
pub use provisions::{GithubCache, Provisions};
pub use push_trouble::trouble as registry_trouble;
pub use solve::{BuildOutcome, build};
pub use ssh::{KeyFault, SshError};
pub use tls_fault::TlsFault;
