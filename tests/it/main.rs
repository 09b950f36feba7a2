//! Integration tests.

mod diffcopy;
