//! The BuildKit client.

pub mod diffcopy;
