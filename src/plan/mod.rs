//! Plans: pure values that say what will be done, made from what was asked for and facts.
//!
//! `planner` makes one plan of a run (`run`) from its parts: `image` says where the image comes from (a `build`, one `legs`
//! make, an `index` of them, one that is there already: `promote`, or `given`), `push` whether it goes anywhere, `verify`
//! what the image must pass before it has tags, `stage` whether these come later, `publish` and `order` which tags move,
//! `platform_tags` what goes with them, `export` what else is made of it, `load` what of it the local daemon gets, `archive` what a file, `output` what BuildKit's exporters make. `builder`
//! decides who builds, `emulation` what that takes, `cache` what is kept, `attached` what hangs on an image, `git_context`
//! which commit of a Git context is built, `remote` the token for remote contexts, `prepare` what can be made before the run,
//! `deploy` which environments are told of it, `access` what a registry's refusal changes, `outlook` what all that comes to
//! now. A run that makes no image, but has the Dockerfile checked, has a plan of its own: `lint`, made by `lint_planner`. `check`
//! has the invariants that every plan keeps, `display`, `build_text` and `lint_text` its text. Refuses to read anything: no file,
//! clock, network or handle. The engine carries a plan out and decides nothing.

pub mod access;
pub mod archive;
mod attached;
pub mod build;
mod build_text;
pub mod builder;
pub mod cache;
pub mod check;
pub mod deploy;
pub mod display;
pub mod dockerfile;
pub mod emulation;
mod error;
pub mod export;
pub mod facts;
mod git_context;
pub mod given;
pub mod image;
pub mod index;
mod inputs_hash;
pub mod legs;
pub mod lint;
mod lint_planner;
mod lint_text;
pub mod load;
pub mod order;
pub mod outlook;
pub mod output;
mod planner;
pub mod platform_tags;
pub mod prepare;
pub mod promote;
pub mod publish;
mod push;
#[cfg(test)]
mod put_tags_tests;
mod remote;
mod run;
pub mod stage;
#[cfg(test)]
mod surface_tests;
#[cfg(test)]
mod tests;
pub mod verify;

pub use error::PlanError;
pub use git_context::SourceCommit;
pub use lint::LintPlan;
pub use lint_planner::plan_lint;
pub use planner::plan;
pub use push::{PushPlan, keeps};
pub use run::RunPlan;

/// The build argument that `version: auto` sets.
const VERSION_ARGUMENT: &str = "VERSION";
