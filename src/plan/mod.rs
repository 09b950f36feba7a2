//! Plans: pure values that say what will be done, made from config and facts.

pub mod build;
