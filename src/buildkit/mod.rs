//! A BuildKit client: what `docker buildx build` is, without the CLI and without buildx.
//!
//! [`build`] carries out a `BuildPlan` over a [`Connection`]. It opens a *session* (a second connection on
//! which the daemon is the client and asks for files and logins), asks for the *status* stream, and
//! calls *Solve*, all in one task; reading files is on threads of its own. What it decides is nothing:
//! `request` is a pure function of the plan.
//!
//! | file | owns |
//! |---|---|
//! | `address`, `connection`, `tasks` | where a BuildKit is, the way there, who owns what runs on it |
//! | `session`, `grpc` | the server half: dispatch and framing |
//! | `health`, `auth`, `filesync`, `metadata`, `transfers` | one service each; how file requests are written, how they ended |
//! | `diffcopy` | fsutil's sender |
//! | `request` | plan → `SolveRequest` |
//! | `solve`, `status`, `result` | a build from beginning to end, its updates, its digest |
//! | `error`, `detail` | what went wrong, and where in the Dockerfile |
//!
//! Wire types (prost, tonic, hyper) end here. It obeys BuildKit's `api/services/control`, `session/`
//! and `client/solve.go`. It does not use the gateway (`LLBBridge`): plain Solve is enough but for subrequests.

mod address;
mod auth;
mod connection;
mod detail;
pub mod diffcopy;
mod error;
mod filesync;
mod grpc;
mod health;
mod ids;
mod metadata;
mod request;
mod result;
mod session;
mod solve;
mod status;
mod tasks;
mod transfers;

pub use address::{Address, InvalidAddress};
pub use connection::{Connection, Worker};
pub use diffcopy::{Transfer, TransferError};
pub use error::{BuildError, ConnectError};
pub use ids::BuildIds;
pub use solve::{BuildOutcome, build};
