//! Plans: pure values that say what will be done, made from config and facts.
//!
//! Owns every decision of a run (`run`), the shape of what is carried out (`build`, `publish`), the invariants a
//! finished plan keeps (`check`) and its text (`display`). Refuses to read anything: no file, clock, network or
//! handle. The engine carries a plan out and decides nothing.

pub mod build;
pub mod check;
pub mod display;
pub mod facts;
pub mod publish;
mod run;
#[cfg(test)]
mod tests;

pub use run::{PlanError, PushPlan, RunPlan, plan_run};
