//! Plans: pure values that say what will be done, made from config and facts.
//!
//! Owns every decision of a run (`run`; `builder` who builds, `cache` what is kept, `image` what hangs on an image,
//! `remote` the token for remote contexts, `prepare` what can be made before the run, `access` what a registry's
//! refusal changes, `order` which tags move, `promote` whether an image that is there will do, `outlook` what all that
//! comes to now, `legs` what jobs of a matrix make), the shape of what is
//! carried out (`build`, `publish`), the invariants a finished plan keeps (`check`) and its text (`display`,
//! `build_text`). Refuses to read anything: no file, clock,
//! network or handle. The engine carries a plan out and decides nothing.

pub mod access;
pub mod build;
mod build_text;
pub mod builder;
pub mod cache;
pub mod check;
pub mod display;
pub mod dockerfile;
pub mod emulation;
pub mod facts;
mod image;
mod inputs_hash;
pub mod legs;
pub mod order;
pub mod outlook;
pub mod prepare;
pub mod promote;
pub mod publish;
mod remote;
mod run;
#[cfg(test)]
mod surface_tests;
#[cfg(test)]
mod tests;

pub use run::{PlanError, PushPlan, RunPlan, plan_run};
