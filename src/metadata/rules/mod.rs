//! What tag rules make of an event: which tags, in what order, why, and how each may move.
//!
//! Owns the carrying out (`evaluate`) and what rules are told (`facts`); the language is the room `rules`, whose table says
//! where the outcome differs from metadata-action's on purpose. Pure: the event, the commit and the time are values. Refuses to
//! decide whether a tag moves: that is the order's, by the policy that each tag carries.

#[cfg(test)]
mod cases_tests_support;
#[cfg(test)]
mod docs_tests;
mod evaluate;
#[cfg(test)]
mod events_tests;
mod facts;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
pub(crate) mod property_tests;
#[cfg(test)]
mod statements_tests;
#[cfg(test)]
mod workflows_tests;

pub use evaluate::{DefaultTags, Evaluated, Nothing, evaluate};
pub use facts::EventFacts;
